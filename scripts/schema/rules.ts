// Attaches the combination rules to the dictionaries that they speak of, and proves that every key named is there.

import type { SchemaRule } from '../../packages/apple-mdm/src/schema/model.ts';
import { isWildcard } from '../../packages/apple-mdm/src/schema/support.ts';
import type { Item, Key } from './model.ts';

export interface FileRules {
  file: string;
  rules?: (SchemaRule & { at: string[] })[];
  /** Paths of strings -> the schema object whose keys are their possible values. */
  values?: Record<string, string>;
  /** Another file, all of whose keys this one takes, too. */
  includes?: string;
  /** Paths of keys (`*` = any key) -> values that are allowed besides those of the schema's list. */
  also?: Record<string, (string | number)[]>;
}

type Holder = { rules?: readonly SchemaRule[]; keys: readonly Key[]; set: (rules: readonly SchemaRule[]) => void };

function holders(item: Item, path: string): Holder[] {
  const top: Holder = {
    ...(item.rules === undefined ? {} : { rules: item.rules }),
    keys: item.keys,
    set: (rules) => {
      item.rules = rules;
    },
  };
  if (path === '') return [top];
  let found: Key[] = [{ key: '', type: 'dictionary', subkeys: item.keys }];
  for (const name of path.split('/')) {
    found = found.flatMap((key) =>
      (key.subkeys ?? []).filter((sub) => name === '*' || sub.key === name || (name === 'ANY' && isWildcard(sub))),
    );
  }
  return found.map((key) => ({
    ...(key.rules === undefined ? {} : { rules: key.rules }),
    keys: key.subkeys ?? [],
    set: (rules) => {
      key.rules = rules;
    },
  }));
}

function keysNamed(rule: SchemaRule): string[] {
  const { when, ...lists } = rule;
  return [...Object.keys(when ?? {}), ...Object.values(lists).flat()];
}

function linkValues(items: Map<string, Item>, item: Item, path: string, id: string): void {
  let found: Key[] = [{ key: '', type: 'dictionary', subkeys: item.keys }];
  for (const name of path.split('/')) found = found.flatMap((key) => (key.subkeys ?? []).filter((s) => s.key === name));
  if (![...items.values()].some((other) => other.kind === 'other' && other.id === id)) {
    throw new Error(`rules.yaml: no schema object ${id}`);
  }
  if (found.length === 0) throw new Error(`rules.yaml: ${item.file} has no key ${path}`);
  for (const key of found) key.valuesfrom = id;
}

/** The keys of another item, with its rules so far: it has to come earlier in the file. */
function include(item: Item, other: Item | undefined): void {
  if (other === undefined) throw new Error(`rules.yaml: ${item.file} includes no file of the schema`);
  const own = new Set(item.keys.map((key) => key.key));
  item.keys.push(...structuredClone(other.keys.filter((key) => !own.has(key.key))));
  item.rules = [...(item.rules ?? []), ...(other.rules ?? [])];
}

function allowAlso(item: Item, path: string, values: readonly (string | number)[]): void {
  let found: Key[] = [{ key: '', type: 'dictionary', subkeys: item.keys }];
  for (const name of path.split('/')) {
    found = found.flatMap((key) => (key.subkeys ?? []).filter((sub) => name === '*' || sub.key === name));
  }
  if (found.length === 0) throw new Error(`rules.yaml: ${item.file} has no key ${path}`);
  for (const key of found) {
    if (key.rangelist === undefined) throw new Error(`rules.yaml: ${item.file} has no list of values for ${path}`);
    key.rangelist = [...values, ...key.rangelist];
  }
}

/** Adds every rule to `items` (by file path) in place. */
export function applyRules(items: Map<string, Item>, files: readonly FileRules[]): void {
  for (const { file, rules = [], values = {}, includes, also = {} } of files) {
    const item = items.get(file);
    if (item === undefined) throw new Error(`rules.yaml: no file ${file}`);
    if (includes !== undefined) include(item, items.get(includes));
    for (const [path, allowed] of Object.entries(also)) allowAlso(item, path, allowed);
    for (const [path, id] of Object.entries(values)) linkValues(items, item, path, id);
    for (const { at, ...rule } of rules) {
      for (const path of at) {
        const places = holders(item, path);
        if (places.length === 0) throw new Error(`rules.yaml: ${file} has no dictionary ${path}`);
        for (const place of places) {
          for (const name of keysNamed(rule)) {
            if (!place.keys.some((key) => key.key === name)) {
              throw new Error(`rules.yaml: ${file} ${path} has no key ${name}`);
            }
          }
          place.set([...(place.rules ?? []), rule]);
        }
      }
    }
  }
}
