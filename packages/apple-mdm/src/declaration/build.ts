// Writes declarations: payloads typed by Apple's schema, the server token from the content.
import { MdmError } from '../errors.ts';
import type { Declarations } from '../generated/types-declarations.ts';
import { uuidFrom } from '../profile/uuid.ts';
import { canonicalJson, type JsonInput } from './json.ts';

/** A payload that no type describes. */
export type RawDeclarationPayload = { readonly [key: string]: JsonInput | undefined };

/** A declaration, ready to be served. */
export interface Declaration {
  readonly type: string;
  readonly identifier: string;
  /** Changes exactly when the declaration does. */
  readonly serverToken: string;
  /** What the device gets: JSON, UTF-8. */
  readonly bytes: Uint8Array;
}

/** What a declaration may have besides its payload. */
export interface DeclarationOptions {
  /** `ServerToken`; default: from type, identifier and payload. */
  readonly serverToken?: string;
}

/**
 * Writes a declaration of Apple's schema; the payload is typed by `type`. The same input gives the same bytes, whatever
 * the order of keys, and another input another `ServerToken`, by which devices tell that there is something new. Bytes
 * are written as base64, dates as ISO 8601.
 *
 * @throws MdmError `mdm.declaration.bad_key` when type or identifier is empty, or the payload holds what JSON cannot
 * @example
 * const { serverToken, bytes } = declaration('com.apple.configuration.passcode.settings', 'com.example.passcode', {
 *   RequirePasscode: true,
 *   MinimumLength: 6,
 * });
 */
export function declaration<T extends keyof Declarations & string>(
  type: T,
  identifier: string,
  payload: Declarations[T],
  options?: DeclarationOptions,
): Declaration {
  // Generated payload types are interfaces, which TypeScript does not take for index types although they are.
  return rawDeclaration(type, identifier, payload as RawDeclarationPayload, options);
}

/**
 * Writes any declaration, also one that the schema does not know.
 *
 * @throws MdmError `mdm.declaration.bad_key`
 * @example
 * rawDeclaration('com.example.configuration.new', 'com.example.new', { Key: 1 });
 */
export function rawDeclaration(
  type: string,
  identifier: string,
  payload: RawDeclarationPayload,
  options: DeclarationOptions = {},
): Declaration {
  if (type === '') throw new MdmError('mdm.declaration.bad_key', 'type is empty', { at: { path: '/Type' } });
  if (identifier === '') {
    throw new MdmError('mdm.declaration.bad_key', 'identifier is empty', { at: { path: '/Identifier' } });
  }
  const content = canonicalJson(payload, '/Payload', 1);
  const serverToken = options.serverToken ?? uuidFrom('declaration', type, identifier, content);
  if (serverToken === '') {
    throw new MdmError('mdm.declaration.bad_key', 'serverToken is empty', { at: { path: '/ServerToken' } });
  }
  const [Type, Identifier, ServerToken] = [type, identifier, serverToken].map((text) => JSON.stringify(text));
  const text = `{"Identifier":${Identifier},"Payload":${content},"ServerToken":${ServerToken},"Type":${Type}}`;
  return { type, identifier, serverToken, bytes: new TextEncoder().encode(text) };
}
