// Applies what a level changed outside the files that it carries: removals, additions and changed attributes.
import { type PlatformSupport, platforms, type Support } from '../../packages/apple-mdm/src/schema/model.ts';
import type { Item, Key } from './model.ts';
import { normaliseKeys, normaliseSupport } from './normalise.ts';

/** One file's changes. Paths are key names joined by `/`; `response:` in front means the response keys. */
export interface FileChange {
  file: string;
  /** The whole file, removed in this version of every platform that has it. */
  removed?: string;
  /** Keys removed: path -> version. */
  removedKeys?: Record<string, string>;
  /** Keys deprecated on every platform that has them: path -> version. */
  deprecatedKeys?: Record<string, string>;
  /** Keys added, in Apple's own format: parent path ('' = top) -> keys. */
  add?: Record<string, unknown[]>;
  /** `supportedOS` attributes set on existing keys: path -> supportedOS. */
  support?: Record<string, unknown>;
  /** Values added to a rangelist: path -> values. */
  values?: Record<string, (string | number)[]>;
  /** Paths of dictionaries of which devices send a list. */
  listed?: string[];
}
export type Changes = FileChange[];
type WritableSupport = { -readonly [P in keyof Support]: Support[P] };

const isNamed = (support: PlatformSupport | undefined): boolean =>
  support !== undefined && support.introduced !== undefined && support.introduced !== 'n/a';

function keysAt(item: Item, path: string): { keys: Key[]; rest: string } {
  if (!path.startsWith('response:')) return { keys: item.keys, rest: path };
  return { keys: item.replies ?? [], rest: path.slice('response:'.length) };
}

function chain(item: Item, path: string, where: string): Key[] {
  let { keys, rest } = keysAt(item, path);
  const found: Key[] = [];
  for (const name of rest.split('/')) {
    const key = keys.find((candidate) => candidate.key === name);
    if (key === undefined) throw new Error(`${where}: ${item.file} has no key ${path}`);
    found.push(key);
    keys = key.subkeys ?? [];
  }
  return found;
}

function find(item: Item, path: string, where: string): Key {
  return chain(item, path, where).at(-1) as Key;
}

/** Marks every platform that has the thing as removed or deprecated in `version`. */
function mark(what: 'removed' | 'deprecated', own: Support | undefined, inherited: Support, version: string): Support {
  const support: WritableSupport = { ...own };
  for (const platform of platforms) {
    const effective = { ...inherited[platform], ...own?.[platform] };
    if (isNamed(effective) && effective[what] === undefined) {
      support[platform] = { ...support[platform], [what]: version };
    }
  }
  return support;
}

function inheritedSupport(item: Item, keys: readonly Key[]): Support {
  const merged: WritableSupport = {};
  for (const support of [item.supportedOS, ...keys.map((key) => key.supportedOS)]) {
    for (const platform of platforms) {
      if (support?.[platform] !== undefined) merged[platform] = { ...merged[platform], ...support[platform] };
    }
  }
  return merged;
}

/** Changes `items` (by file path) in place. */
export function applyChanges(items: Map<string, Item>, changes: Changes, where: string): void {
  for (const change of changes) {
    const original = items.get(change.file);
    if (original === undefined) throw new Error(`${where}: no file ${change.file}`);
    const item = structuredClone(original);
    items.set(change.file, item);
    if (change.removed !== undefined) item.supportedOS = mark('removed', item.supportedOS, {}, change.removed);
    for (const [path, added] of Object.entries(change.add ?? {})) {
      const parent = path === '' ? item.keys : path === 'response:' ? item.replies : find(item, path, where).subkeys;
      if (parent === undefined) throw new Error(`${where}: ${change.file} has no keys at ${path}`);
      for (const key of normaliseKeys(added, `${where}:${change.file}`)) {
        if (parent.some((other) => other.key === key.key)) throw new Error(`${where}: ${key.key} is there already`);
        parent.push(key);
      }
    }
    for (const [path, support] of Object.entries(change.support ?? {})) {
      const key = find(item, path, where);
      const merged: WritableSupport = { ...key.supportedOS };
      for (const [platform, facts] of Object.entries(normaliseSupport(support, where) ?? {})) {
        merged[platform as keyof Support] = { ...merged[platform as keyof Support], ...facts };
      }
      key.supportedOS = merged;
    }
    // After `support`: a platform gained is deprecated or removed with the rest.
    for (const what of ['removed', 'deprecated'] as const) {
      for (const [path, version] of Object.entries(change[`${what}Keys`] ?? {})) {
        const keys = chain(item, path, where);
        const key = keys.at(-1) as Key;
        key.supportedOS = mark(what, key.supportedOS, inheritedSupport(item, keys.slice(0, -1)), version);
      }
    }
    for (const path of change.listed ?? []) {
      const key = find(item, path, where);
      if (key.type !== 'dictionary') throw new Error(`${where}: ${change.file} has no dictionary ${path}`);
      key.listed = true;
    }
    for (const [path, values] of Object.entries(change.values ?? {})) {
      const key = find(item, path, where);
      key.rangelist = [...new Set([...(key.rangelist ?? []), ...values])];
    }
  }
}
