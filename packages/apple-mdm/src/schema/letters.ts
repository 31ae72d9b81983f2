// The short names in the facts' text, shared by the generator that writes it and the reader.
import type { KeyType, SchemaItem, SchemaKey } from './model.ts';

/** One letter per value type. */
export const typeLetters: Readonly<Record<KeyType, string>> = {
  string: 's',
  integer: 'i',
  real: 'r',
  boolean: 'b',
  date: 't',
  data: 'd',
  array: 'a',
  dictionary: 'k',
  any: '*',
};

/** Attributes of a key that are written only where they are stated. */
export const extraLetters = {
  l: 'rangelist',
  r: 'range',
  d: 'default',
  f: 'format',
  n: 'repetition',
  c: 'combinetype',
  v: 'valuetype',
  y: 'subkeytype',
  a: 'assettypes',
  m: 'contenttypes',
  z: 'valuesfrom',
  u: 'until',
  g: 'listed',
  w: 'rules',
} as const satisfies Readonly<Record<string, keyof SchemaKey>>;

/** Attributes of an item that are written only where they are stated. */
export const itemLetters = {
  x: 'variant',
  e: 'level',
  p: 'apply',
  b: 'beta',
  w: 'rules',
  q: 'reasons',
  t: 'related',
} as const satisfies Readonly<Record<string, keyof SchemaItem>>;
