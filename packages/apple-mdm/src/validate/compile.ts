// Prepares the schema's keys for fast checking, once per item: names to nodes, patterns, effective availability.
import { schema } from '../schema/catalogue.ts';
import type { KeyType, SchemaItem, SchemaKey, SchemaRule, Support } from '../schema/model.ts';
import { alwaysAvailable, effectiveSupport, isWildcard } from '../schema/support.ts';

/** One key, ready to check values against. */
export interface Node {
  readonly key: SchemaKey;
  readonly type: KeyType;
  /** Own and inherited availability. */
  readonly support: Support;
  readonly parentSupport: Support;
  /** Whether the key states any availability itself: only then is it judged apart from its parent. */
  readonly ownSupport: Support | undefined;
  /** Marked required. */
  readonly required: boolean;
  /** Required wherever the parent is. */
  readonly alwaysRequired: boolean;
  readonly list: ReadonlySet<unknown> | undefined;
  readonly pattern: RegExp | undefined;
  /** The keys of a dictionary. */
  readonly fields: Fields | undefined;
  /** The item, or the alternatives, of an array. */
  readonly items: readonly Node[];
  /** A string's possible values, where the schema lists them as subkeys. */
  readonly values: ReadonlyMap<string, Node> | undefined;
}

/** The keys of one dictionary. */
export interface Fields {
  readonly byName: ReadonlyMap<string, Node>;
  readonly wildcard: Node | undefined;
  readonly requiredNodes: readonly Node[];
  readonly rules: readonly SchemaRule[];
  /** A dictionary of which the schema says nothing takes any key. */
  readonly open: boolean;
}

function compileKey(key: SchemaKey, parentSupport: Support): Node {
  const support = effectiveSupport(parentSupport, key.supportedOS);
  const subkeys = key.subkeys ?? [];
  const isDictionary = key.type === 'dictionary';
  return {
    key,
    type: key.type,
    support,
    parentSupport,
    ownSupport: key.supportedOS,
    required: key.presence === 'required',
    alwaysRequired: key.presence === 'required' && alwaysAvailable(key, parentSupport),
    list: key.rangelist === undefined ? undefined : new Set(key.rangelist),
    pattern: key.format === undefined ? undefined : new RegExp(key.format),
    fields: isDictionary ? compileFields(subkeys, support, key.rules ?? []) : undefined,
    items: key.type === 'array' ? subkeys.map((sub) => compileKey(sub, support)) : [],
    values: key.type === 'string' ? compileValues(key, support) : undefined,
  };
}

/** A string's possible values: its subkeys, or the keys of another object that the schema points to. */
function compileValues(key: SchemaKey, support: Support): ReadonlyMap<string, Node> | undefined {
  if (key.valuesfrom !== undefined) {
    const other = schema.other(key.valuesfrom);
    return other === undefined ? undefined : compileItem(other).fields.byName;
  }
  if (key.subkeys === undefined) return undefined;
  return new Map(key.subkeys.map((sub) => [sub.key, compileKey(sub, support)]));
}

/** Compiles a dictionary's keys. */
export function compileFields(keys: readonly SchemaKey[], support: Support, rules: readonly SchemaRule[]): Fields {
  const byName = new Map<string, Node>();
  let wildcard: Node | undefined;
  for (const key of keys) {
    const node = compileKey(key, support);
    if (isWildcard(key)) wildcard = node;
    else byName.set(key.key, node);
  }
  const requiredNodes = [...byName.values()].filter((node) => node.required);
  return { byName, wildcard, requiredNodes, rules, open: keys.length === 0 };
}

/** One item's keys and replies, compiled when first asked for. */
export interface CompiledItem {
  readonly item: SchemaItem;
  readonly fields: Fields;
  readonly replies: Fields;
}

const compiled = new WeakMap<SchemaItem, CompiledItem>();

/** The compiled form of an item, kept as long as the item is. */
export function compileItem(item: SchemaItem): CompiledItem {
  let found = compiled.get(item);
  if (found === undefined) {
    const support = item.supportedOS ?? {};
    let fields: Fields | undefined;
    let replies: Fields | undefined;
    found = {
      item,
      // An item without keys takes none: that is not an open dictionary.
      get fields() {
        fields ??= { ...compileFields(item.keys, support, item.rules ?? []), open: false };
        return fields;
      },
      get replies() {
        replies ??= { ...compileFields(item.replies ?? [], support, []), open: false };
        return replies;
      },
    };
    compiled.set(item, found);
  }
  return found;
}
