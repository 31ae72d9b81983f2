// Reads the levels (folders of Apple's YAML), lays each on top of the one before, and counts and hashes what was read.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { type SchemaKind, schemaKinds } from '../../packages/apple-mdm/src/schema/model.ts';
import { applyChanges, type Changes } from './changes.ts';
import type { Item, Key } from './model.ts';
import { kindOf, normaliseItem } from './normalise.ts';
import { applyRules, type FileRules } from './rules.ts';

export interface LevelProvenance {
  name: string;
  /** Files of each kind in this level. */
  counts: Record<SchemaKind, number>;
  /** SHA-256 of the recorded changes that no file of the level carries, if there are any. */
  changes?: string;
  /** SHA-256 by path inside the level. */
  files: Record<string, string>;
}

export interface Catalogue {
  items: Item[];
  levels: LevelProvenance[];
  /** SHA-256 of the combination rules. */
  rules: string;
}

const changesFolder = join(import.meta.dirname, 'changes');
const rulesFile = join(import.meta.dirname, 'rules.yaml');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function listYaml(root: string, folder = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listYaml(root, path));
    else if (path.endsWith('.yaml') && kindOf(path) !== null) found.push(path);
  }
  return found.sort(byName);
}

/** Keys that only the older text lists stay, marked with the last level that had them. */
function mergeKeys(newer: Key[], older: Key[], olderLevel: string): Key[] {
  const merged = newer.map((key) => {
    const before = older.find((candidate) => candidate.key === key.key);
    if (before?.subkeys === undefined || key.subkeys === undefined) return key;
    // An array's item name is a placeholder: a renamed item is the same item.
    if (key.type === 'array' && key.subkeys.length === 1 && before.subkeys.length === 1) {
      const [item, itemBefore] = [key.subkeys[0] as Key, before.subkeys[0] as Key];
      if (item.subkeys === undefined || itemBefore.subkeys === undefined) return key;
      return { ...key, subkeys: [{ ...item, subkeys: mergeKeys(item.subkeys, itemBefore.subkeys, olderLevel) }] };
    }
    return { ...key, subkeys: mergeKeys(key.subkeys, before.subkeys, olderLevel) };
  });
  for (const key of older) {
    if (!newer.some((candidate) => candidate.key === key.key)) merged.push({ ...key, until: key.until ?? olderLevel });
  }
  return merged;
}

function mergeItems(newer: Item, older: Item): Item {
  const merged: Item = { ...newer, keys: mergeKeys(newer.keys, older.keys, older.level) };
  if (newer.replies !== undefined || older.replies !== undefined) {
    merged.replies = mergeKeys(newer.replies ?? [], older.replies ?? [], older.level);
  }
  return merged;
}

/** The same schema under another file name: same kind and type, and the same title (`com.apple.MCX(Mobililty)`). */
function findRenamed(items: Map<string, Item>, item: Item): string | undefined {
  for (const [path, other] of items) {
    if (other.level !== item.level && other.kind === item.kind && other.id === item.id && other.title === item.title) {
      return path;
    }
  }
  return undefined;
}

/** Lays the given level folders on top of each other, oldest first: items in the catalogue's order. */
export function layLevels(folders: readonly string[]): Omit<Catalogue, 'rules'> {
  const items = new Map<string, Item>();
  const levels: LevelProvenance[] = [];
  for (const folder of folders) {
    const name = basename(folder);
    const counts = Object.fromEntries(schemaKinds.map((kind) => [kind, 0])) as Record<SchemaKind, number>;
    const files: Record<string, string> = {};
    for (const path of listYaml(folder)) {
      const bytes = readFileSync(join(folder, path));
      files[path] = sha256(bytes);
      const item = normaliseItem(parse(bytes.toString('utf8')), path, name);
      counts[item.kind]++;
      const older = items.has(path) ? path : findRenamed(items, item);
      const before = older === undefined ? undefined : items.get(older);
      if (older !== undefined) items.delete(older);
      items.set(path, before === undefined ? item : mergeItems(item, before));
    }
    const level: LevelProvenance = { name, counts, files };
    const changes = join(changesFolder, `${name}.yaml`);
    if (existsSync(changes)) {
      const bytes = readFileSync(changes);
      level.changes = sha256(bytes);
      applyChanges(items, parse(bytes.toString('utf8')) as Changes, `changes/${name}.yaml`);
    }
    levels.push(level);
  }
  const ordered = [...items.values()].sort(
    (a, b) => schemaKinds.indexOf(a.kind) - schemaKinds.indexOf(b.kind) || byName(a.id, b.id) || byName(a.file, b.file),
  );
  return { items: ordered, levels };
}

/** Reads the given level folders, oldest first, and adds the combination rules. */
export function readLevels(folders: readonly string[]): Catalogue {
  const laid = layLevels(folders);
  const rules = readFileSync(rulesFile);
  applyRules(new Map(laid.items.map((item) => [item.file, item])), parse(rules.toString('utf8')) as FileRules[]);
  return { ...laid, rules: sha256(rules) };
}
