// Reads declarations: what a server serves, as the device reads it, and what an administrator brings as a file.
import { MdmError } from '../errors.ts';
import type { Declarations } from '../generated/types-declarations.ts';
import type { MessageLimits } from '../keys.ts';
import { optional } from '../optional.ts';
import { schema } from '../schema/catalogue.ts';
import { typedDictionary } from '../typed.ts';
import { compileItem } from '../validate/compile.ts';
import { validate } from '../validate/validate.ts';
import { isObject, type JsonObject, readObject } from './json.ts';

/** A declaration that was read; its type may be one that the schema does not know. */
export interface ReadDeclaration {
  readonly type: string;
  readonly identifier: string;
  /** Absent in a declaration that no server has served yet. */
  readonly serverToken?: string;
  /** `Payload` as decoded: bytes and dates are strings. */
  readonly payload: JsonObject;
  /** The whole as decoded. */
  readonly value: JsonObject;
  /** The bytes as they were given. */
  readonly raw: Uint8Array;
}

/** A string that may be absent, but neither empty nor anything else. */
function text(value: JsonObject, key: string): string | undefined {
  const found = Object.hasOwn(value, key) ? value[key] : undefined;
  if (found === undefined || (typeof found === 'string' && found !== '')) return found;
  throw new MdmError('mdm.declaration.bad_key', `/${key} is no text`, { at: { path: `/${key}` } });
}

function missing(key: string): MdmError {
  return new MdmError('mdm.declaration.missing_key', `/${key} is missing`, { at: { path: `/${key}` } });
}

/**
 * Reads a declaration (JSON). Only the frame is checked: a type that the schema does not know passes untouched.
 *
 * @throws MdmError `mdm.declaration.not_json`, `mdm.too_large`, `mdm.too_complex`, `mdm.declaration.missing_key`,
 *   `mdm.declaration.bad_key`
 * @example
 * const { type, payload } = readDeclaration(bytes);
 */
export function readDeclaration(bytes: Uint8Array, limits?: MessageLimits): ReadDeclaration {
  const value = readObject(bytes, limits);
  const type = text(value, 'Type');
  if (type === undefined) throw missing('Type');
  const identifier = text(value, 'Identifier');
  if (identifier === undefined) throw missing('Identifier');
  const payload = Object.hasOwn(value, 'Payload') ? value['Payload'] : undefined;
  if (payload === undefined) throw missing('Payload');
  if (!isObject(payload)) {
    throw new MdmError('mdm.declaration.bad_key', '/Payload is no object', { at: { path: '/Payload' } });
  }
  return { type, identifier, ...optional('serverToken', text(value, 'ServerToken')), payload, value, raw: bytes };
}

/**
 * The payload of a declaration, typed by its type and checked first: bytes and dates are what the types say.
 *
 * @throws MdmError `mdm.declaration.bad_key` (the declaration is of another type, or a key is not as the schema has it),
 *   `mdm.declaration.missing_key`
 * @example
 * const { MinimumLength } = declarationPayload('com.apple.configuration.passcode.settings', readDeclaration(bytes));
 */
export function declarationPayload<T extends keyof Declarations & string>(
  type: T,
  given: ReadDeclaration,
): Declarations[T] {
  const item = schema.declaration(type);
  if (item === undefined || given.type !== type) {
    throw new MdmError('mdm.declaration.bad_key', `the declaration is a ${given.type}, not a ${type}`, {
      at: { path: '/Type' },
    });
  }
  const wrong = validate('declaration', given.value).find((issue) => issue.severity === 'error');
  if (wrong !== undefined) {
    const code = wrong.code === 'key.missing' ? 'mdm.declaration.missing_key' : 'mdm.declaration.bad_key';
    throw new MdmError(code, `${wrong.path} ${wrong.message}`, { at: { path: wrong.path }, remedy: wrong.remedy });
  }
  return typedDictionary(compileItem(item).fields, given.payload, 'json') as unknown as Declarations[T];
}
