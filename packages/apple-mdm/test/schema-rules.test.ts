// The combination rules against the descriptions that they restate: each has to be said in Apple's own words somewhere.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../../..');
const levels = join(root, '../shared/apple-schema');
const present = existsSync(levels);
if (!present) console.log(`Apple's schema is not at ${levels}: the rules are not compared with its descriptions`);

interface RawKey {
  key: string;
  content?: string;
  subkeys?: RawKey[];
}
type RawRule = { at: string[]; when?: Record<string, unknown> } & Record<string, unknown>;

const files = parse(readFileSync(join(root, 'scripts/schema/rules.yaml'), 'utf8')) as {
  file: string;
  rules?: RawRule[];
}[];

function read(file: string): RawKey[] {
  const path = ['os27', 'os18.3'].map((level) => join(levels, level, file)).find((candidate) => existsSync(candidate));
  return (parse(readFileSync(path as string, 'utf8')) as { payloadkeys: RawKey[] }).payloadkeys;
}

function dictionaries(keys: RawKey[], path: string): RawKey[][] {
  let found: RawKey[][] = [keys];
  for (const name of path === '' ? [] : path.split('/')) {
    found = found.flatMap((list) =>
      list.filter((key) => name === '*' || key.key === name).map((key) => key.subkeys ?? []),
    );
  }
  return found;
}

const listed = (rule: RawRule): string[] =>
  Object.entries(rule)
    .filter(([name]) => name !== 'at' && name !== 'when')
    .flatMap(([, names]) => names as string[]);

/** Descriptions that tell the two kinds of Xsan volume apart by name, not by key. */
const kinds = ['Xsan SANs', 'StorNext SANs'];

const flatten = (keys: RawKey[]): RawKey[] => keys.flatMap((key) => [key, ...flatten(key.subkeys ?? [])]);

/** The words that a description has to have one of: the rule's other keys, and the values that it looks at. */
function wordsOf(rule: RawRule): string[] {
  const values = Object.values(rule.when ?? {}).flatMap((wanted) => (Array.isArray(wanted) ? wanted : []));
  return [...listed(rule), ...Object.keys(rule.when ?? {}), ...values.filter((v) => v !== null).map(String)];
}

test.skipIf(!present)('every rule is stated by a description of its dictionary', () => {
  for (const { file, rules = [] } of files) {
    const keys = read(file);
    for (const rule of rules) {
      // Any key of the dictionary, or below it, may be where it is said.
      for (const path of rule.at) {
        for (const dictionary of dictionaries(keys, path)) {
          const stated = flatten(dictionary).some((key) => {
            const words = [...wordsOf(rule), ...kinds].filter((word) => word !== key.key);
            const text = (key.content ?? '').toLowerCase();
            return words.some((word) => text.includes(word.toLowerCase()));
          });
          expect(stated, `${file} ${path}: ${JSON.stringify(rule)}`).toBe(true);
        }
      }
    }
  }
});
