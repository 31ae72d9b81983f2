// Strict base64url and JSON objects, for input that nobody has authenticated yet.
import { malformed } from './problem.ts';

/** Bytes of unpadded base64url in its one canonical form, or null. */
export function fromBase64url(text: string): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

/** An object whose members were put there by JSON; read them with {@link member}. */
export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses a JSON object. */
export function parseObject(text: string | Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(typeof text === 'string' ? text : new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch {
    throw malformed(`the ${what} is not JSON`);
  }
  if (!isObject(value)) throw malformed(`the ${what} is not a JSON object`);
  return value;
}

/** An own member of a parsed object: names like `constructor` find nothing that JSON did not hold. */
export const member = (object: JsonObject, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** A member that must be a string of bounded length. */
export function stringMember(object: JsonObject, name: string, what: string, max = 4096): string {
  const value = member(object, name);
  if (typeof value !== 'string' || value.length > max) throw malformed(`the ${what} has no ${name} string`);
  return value;
}

/** A member that may be absent, but is true or false otherwise. */
export function flagMember(object: JsonObject, name: string): boolean {
  const value = member(object, name);
  if (value !== undefined && typeof value !== 'boolean') throw malformed(`${name} is neither true nor false`);
  return value === true;
}
