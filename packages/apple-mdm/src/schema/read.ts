// Reads the facts' text: an index of the names at first use of a kind, an item's keys when that item is asked for.
import { facts } from '../generated/facts.ts';
import { extraLetters, itemLetters, typeLetters } from './letters.ts';
import type { KeyType, SchemaItem, SchemaKey, SchemaKind, Support } from './model.ts';

type KeyLine = [name: string, code: string, extras?: Record<string, unknown>];
type ItemLine = [
  id: string,
  file: string,
  title: string,
  extras: Record<string, unknown>,
  keys: KeyLine[],
  replies?: KeyLine[],
];

const typeOfLetter = new Map(Object.entries(typeLetters).map(([type, letter]) => [letter, type as KeyType]));
const keyAttributes = new Map<string, string>(Object.entries(extraLetters));
const itemAttributes = new Map<string, string>(Object.entries(itemLetters));

type Building = Record<string, unknown>;

function readKey(line: KeyLine, supports: readonly Support[]): SchemaKey {
  const code = line[1];
  const key: Building = { key: line[0], type: typeOfLetter.get(code.charAt(0)) };
  const mark = code.charAt(1);
  if (mark !== '') key['presence'] = mark === '!' ? 'required' : 'optional';
  const extras = line[2];
  if (extras === undefined) return key as unknown as SchemaKey;
  for (const letter of Object.keys(extras)) {
    const value = extras[letter];
    if (letter === 'o') key['supportedOS'] = supports[value as number];
    else if (letter === 'k') key['subkeys'] = (value as KeyLine[]).map((sub) => readKey(sub, supports));
    else key[keyAttributes.get(letter) as string] = value;
  }
  return key as unknown as SchemaKey;
}

function readItem(kind: SchemaKind, text: string, supports: readonly Support[]): SchemaItem {
  const [id, file, title, extras, keys, replies] = JSON.parse(text) as ItemLine;
  const item: Building = { kind, id, file, title };
  for (const letter of Object.keys(extras)) {
    if (letter === 'o') item['supportedOS'] = supports[extras[letter] as number];
    else item[itemAttributes.get(letter) as string] = extras[letter];
  }
  item['keys'] = keys.map((key) => readKey(key, supports));
  if (replies !== undefined) item['replies'] = replies.map((key) => readKey(key, supports));
  return item as unknown as SchemaItem;
}

interface Table {
  /** Names in the catalogue's order. */
  readonly names: readonly string[];
  /** The items of one name: several when several files describe it. */
  get(name: string): readonly SchemaItem[];
}

function openTable(kind: SchemaKind): Table {
  const text = facts[kind];
  const end = text.indexOf('\n\n');
  const supports = JSON.parse(text.slice(0, end)) as Support[];
  const lines = new Map<string, string[]>();
  for (const line of text.slice(end + 2).split('\n')) {
    if (line === '') continue;
    // A line starts `["name",`; no name holds a quote.
    const name = line.slice(2, line.indexOf('"', 2));
    const same = lines.get(name);
    if (same === undefined) lines.set(name, [line]);
    else same.push(line);
  }
  const items = new Map<string, readonly SchemaItem[]>();
  return {
    names: [...lines.keys()],
    get(name) {
      let found = items.get(name);
      if (found === undefined) {
        found = lines.get(name)?.map((line) => readItem(kind, line, supports)) ?? [];
        if (found.length > 0) items.set(name, found);
      }
      return found;
    },
  };
}

const tables = new Map<SchemaKind, Table>();

/** The table of one kind, opened at first use. */
export function table(kind: SchemaKind): Table {
  let found = tables.get(kind);
  if (found === undefined) {
    found = openTable(kind);
    tables.set(kind, found);
  }
  return found;
}
