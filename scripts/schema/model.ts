// The generator's view of the schema: the catalogue's own shapes, writable while they are put together.
import type { SchemaItem, SchemaKey } from '../../packages/apple-mdm/src/schema/model.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export interface Key extends Writable<Omit<SchemaKey, 'subkeys'>> {
  subkeys?: Key[];
}
export interface Item extends Writable<Omit<SchemaItem, 'keys' | 'replies'>> {
  keys: Key[];
  replies?: Key[];
}
