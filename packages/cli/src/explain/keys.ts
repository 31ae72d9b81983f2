// Keys as table rows: name, type, need, notes.
import {
  effectiveSupport,
  type Objection,
  objectionsTo,
  type Scalar,
  type SchemaKey,
  type SchemaRule,
  type Support,
  type Target,
} from '@espalier/apple-mdm';
import { supportNote } from './support.ts';

/** A key that the target does not have. */
export interface Missing {
  /** Names of the keys around it, joined by ` > `; empty at the top. */
  readonly within: string;
  readonly key: string;
  readonly objections: readonly Objection[];
}

/** Rows of a table of keys, and the keys left out because the target does not have them. */
export interface KeyRows {
  readonly rows: string[][];
  readonly missing: Missing[];
}

const isWildcard = (key: SchemaKey): boolean => key.key === 'ANY' || key.key.startsWith('ANY ');

/** Patterns that have a name. */
const patterns: Readonly<Record<string, string>> = {
  '^[0-9A-Za-z]{8}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{12}$': 'a UUID',
  '^([0-9A-Fa-f]{2}:){5}([0-9A-Fa-f]{2})$': 'a MAC address',
  '^https://.*$': 'an https URL',
};

function list(values: readonly Scalar[]): string {
  const shown = values.map(String);
  return shown.length === 1 ? `always ${shown[0]}` : `one of ${shown.join(', ')}`;
}

function facts(key: SchemaKey): string[] {
  const notes: string[] = [];
  if (key.rangelist !== undefined) notes.push(list(key.rangelist));
  if (key.range !== undefined) notes.push(`${key.range.min ?? '…'} to ${key.range.max ?? '…'}`);
  if (key.default !== undefined) notes.push(`default ${key.default === '' ? "''" : key.default}`);
  if (key.valuetype !== undefined) notes.push(key.valuetype);
  if (key.format !== undefined) notes.push(patterns[key.format] ?? `matches ${key.format}`);
  if (key.repetition !== undefined) notes.push(`${key.repetition.min} to ${key.repetition.max} items`);
  if (key.combinetype !== undefined) notes.push(`combined by ${key.combinetype}`);
  if (key.assettypes !== undefined) notes.push(`asset: ${key.assettypes.join(', ')}`);
  if (key.contenttypes !== undefined) notes.push(`content: ${key.contenttypes.join(', ')}`);
  if (key.valuesfrom !== undefined) notes.push(`a key of ${key.valuesfrom}`);
  if (key.until !== undefined) notes.push(`not listed after ${key.until}`);
  return notes;
}

/** Which keys stand for the content: an array's item is shown with its array. */
function inner(key: SchemaKey): { type: string; item?: SchemaKey; children: readonly SchemaKey[] } {
  const subkeys = key.subkeys ?? [];
  const [item] = subkeys;
  if (key.type !== 'array' || item === undefined) return { type: key.type, children: subkeys };
  if (subkeys.length > 1) return { type: 'array', children: subkeys };
  const below = inner(item);
  return { type: `${below.type}[]`, item, children: below.children };
}

/** Text that is equal for keys with the same content below them; empty for those with too little to be worth a reference. */
function shapeOf(key: SchemaKey): string {
  const { children } = inner(key);
  return children.length < 3 || key.type === 'string' ? '' : JSON.stringify([key.type, key.rules, key.subkeys]);
}

/** For each of some keys, the earlier one that has the same keys below it. */
function twins(keys: readonly SchemaKey[]): Map<SchemaKey, SchemaKey> {
  const first = new Map<string, SchemaKey>();
  const found = new Map<SchemaKey, SchemaKey>();
  for (const key of keys) {
    const shape = shapeOf(key);
    if (shape === '') continue;
    const twin = first.get(shape);
    if (twin === undefined) first.set(shape, key);
    else found.set(key, twin);
  }
  return found;
}

interface Walk {
  readonly target: Target | undefined;
  readonly rows: string[][];
  readonly missing: Missing[];
}

function addKeys(walk: Walk, keys: readonly SchemaKey[], above: Support, depth: number, path: string): void {
  const same = twins(keys);
  for (const key of keys) addKey(walk, key, above, depth, path, false, same.get(key));
}

function addKey(
  walk: Walk,
  key: SchemaKey,
  above: Support,
  depth: number,
  path: string,
  isValue: boolean,
  twin?: SchemaKey,
): void {
  const support = effectiveSupport(above, key.supportedOS);
  const name = isWildcard(key) ? (key.key === 'ANY' ? '(any name)' : `(${key.key.slice(4)})`) : key.key;
  const here = path === '' ? name : `${path} > ${name}`;
  const notes: string[] = [];
  if (walk.target !== undefined) {
    const objections = objectionsTo(support, walk.target);
    const said = objectionsTo(above, walk.target);
    const own = objections.filter((one) => !said.some((other) => other.code === one.code));
    if (own.some((one) => one.severity === 'error')) {
      walk.missing.push({ within: path, key: name, objections: own });
      return;
    }
    notes.push(...own.map((one) => one.reason));
  }
  const { type, item, children } = inner(key);
  const need = key.presence === 'required' ? 'yes' : '';
  const said = [...facts(key), ...(item === undefined ? [] : facts(item)), ...notes];
  if (walk.target === undefined) said.push(supportNote(key.supportedOS));
  if (twin !== undefined) said.push(`keys as in ${twin.key}`);
  walk.rows.push([
    `${'  '.repeat(depth)}${name}`,
    isValue ? 'value' : type,
    need,
    said.filter((note) => note !== '').join('; '),
  ]);
  if (twin !== undefined) return;
  const below = effectiveSupport(support, item?.supportedOS);
  // The subkeys of a string are its possible values.
  if ((item ?? key).type !== 'string') addKeys(walk, children, below, depth + 1, here);
  else for (const child of children) addKey(walk, child, below, depth + 1, here, true);
}

/** The rows of keys and everything below them. */
export function keyRows(keys: readonly SchemaKey[], support: Support | undefined, target: Target | undefined): KeyRows {
  const walk: Walk = { target, rows: [], missing: [] };
  addKeys(walk, keys, support ?? {}, 0, '');
  return walk;
}

function condition(rule: SchemaRule): string {
  const parts = Object.entries(rule.when ?? {}).map(([name, wanted]) => {
    if (wanted === 'present' || wanted === 'absent') return `${name} is ${wanted}`;
    return `${name} is ${wanted.map((value) => (value === null ? 'absent' : String(value))).join(' or ')}`;
  });
  return parts.length === 0 ? '' : `, when ${parts.join(' and ')}`;
}

/** Combination rules in words, one line each. */
export function ruleLines(rules: readonly SchemaRule[] | undefined): string[] {
  return (rules ?? []).flatMap((rule) => {
    const when = condition(rule);
    const say = (names: readonly string[] | undefined, join: string, verb: string): string[] =>
      names === undefined ? [] : [`${names.join(join)} ${verb}${when}`];
    return [
      ...say(rule.require, ', ', 'required'),
      ...say(rule.forbid, ', ', 'not allowed'),
      ...say(rule.oneOf, ' | ', '- exactly one'),
      ...say(rule.anyOf, ' | ', '- at least one'),
      ...say(rule.atMostOne, ' | ', '- at most one'),
      ...say(rule.anyTrue, ' | ', '- at least one true'),
      ...say(rule.waive, ', ', 'not needed'),
      ...say(rule.ignored, ', ', 'has no effect'),
    ];
  });
}

/** The rules of all dictionaries below, each under its path; what is said of one is not repeated for those like it. */
export function nestedRules(keys: readonly SchemaKey[], path: readonly string[] = []): string[] {
  const same = twins(keys);
  return keys.flatMap((key) => {
    if (same.has(key)) return [];
    const here = [...path, key.key];
    const own = ruleLines(key.rules).map((line) => `${here.join(' > ')}: ${line}`);
    return [...own, ...nestedRules(key.subkeys ?? [], here)];
  });
}
