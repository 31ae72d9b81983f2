// Reading resources of the API by the types of their attributes.
import type { JsonObject } from '../http/json.ts';

/** The keys of `T` whose values are `V`. */
type KeysOf<T, V> = { [K in keyof T]-?: Exclude<T[K], undefined> extends V ? K : never }[keyof T] & string;

/** Which attributes a resource has; what has another type in an answer is left out. */
export interface Fields<T> {
  readonly texts?: readonly Exclude<KeysOf<T, string>, 'id'>[];
  readonly numbers?: readonly KeysOf<T, number>[];
  readonly booleans?: readonly KeysOf<T, boolean>[];
  /** Arrays of texts. */
  readonly lists?: readonly KeysOf<T, readonly string[]>[];
}

/** Makes a reader of a resource: its id and attributes; undefined without an id. */
export function readerOf<T extends { readonly id: string }>(fields: Fields<T>): (object: JsonObject) => T | undefined {
  return (object) => {
    const id = object.text('id');
    if (id === undefined) return undefined;
    const attributes = object.object('attributes');
    const found: [string, unknown][] = [
      ...(fields.texts ?? []).map((key): [string, unknown] => [key, attributes?.text(key)]),
      ...(fields.numbers ?? []).map((key): [string, unknown] => [key, attributes?.number(key)]),
      ...(fields.booleans ?? []).map((key): [string, unknown] => [key, attributes?.boolean(key)]),
      ...(fields.lists ?? []).map((key): [string, unknown] => [key, attributes?.texts(key)]),
    ];
    // The types of the fields say that this is a T.
    return Object.fromEntries([...found.filter(([, value]) => value !== undefined), ['id', id]]) as unknown as T;
  };
}

/** The id of a linkage. */
export const readId = (object: JsonObject): string | undefined => object.text('id');
