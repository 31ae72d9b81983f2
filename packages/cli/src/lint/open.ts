// Reads a file and tells what it is: a profile, a command, a check-in, a declaration, a status report.
import type { ValidateKind } from '@espalier/apple-mdm';
import { decode } from '@espalier/plist';

/** A file that was read. */
export interface Opened {
  readonly kind: ValidateKind | null;
  readonly value: unknown;
  readonly signed: boolean;
  /** Whether the signature holds; absent when there is none. */
  readonly signatureProblem?: string;
}

/** Takes the content out of a signed file. */
export type OpenSigned = (cms: Uint8Array) => { readonly content: Uint8Array };

const derSequence = 0x30;

function isDictionary(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

const has = (value: Record<string, unknown>, ...names: string[]): boolean =>
  names.some((name) => Object.hasOwn(value, name));

/** What a value is, by the keys that only it has; null when it cannot be told. */
export function kindOfValue(value: unknown, json: boolean): ValidateKind | null {
  if (!isDictionary(value)) return null;
  if (has(value, 'StatusItems')) return 'status';
  if (json && has(value, 'code') && typeof value['code'] === 'string') return 'error';
  if (has(value, 'Type', 'Payload') && !has(value, 'PayloadType')) return 'declaration';
  if (has(value, 'PayloadType')) return value['PayloadType'] === 'Configuration' ? 'profile' : 'payload';
  if (has(value, 'PayloadContent', 'EncryptedPayloadContent')) return 'profile';
  if (has(value, 'Command', 'RequestType')) return has(value, 'Status') ? 'response' : 'command';
  if (has(value, 'MessageType')) return 'checkin';
  if (has(value, 'Status')) return 'response';
  return null;
}

/** True for the text of a JSON object or array. */
export function isJson(bytes: Uint8Array): boolean {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && [0x20, 0x09, 0x0a, 0x0d].includes(bytes[at] as number)) at++;
  return bytes[at] === 0x7b || bytes[at] === 0x5b;
}

/**
 * Reads the values in a file: one, or the elements of a JSON array.
 *
 * @throws PlistError, SyntaxError (JSON), or what `openSigned` throws
 */
export async function openFile(bytes: Uint8Array, loadSigned: () => Promise<OpenSigned>): Promise<Opened[]> {
  if (isJson(bytes)) {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const values = Array.isArray(value) ? (value as unknown[]) : [value];
    return values.map((one) => ({ kind: kindOfValue(one, true), value: one, signed: false }));
  }
  const signed = bytes[0] === derSequence;
  const content = signed ? (await loadSigned())(bytes).content : bytes;
  const value = decode(content);
  return [{ kind: kindOfValue(value, false), value, signed }];
}
