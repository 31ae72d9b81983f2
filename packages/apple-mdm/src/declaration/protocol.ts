// The messages by which a device finds out what to fetch: synchronisation tokens and the manifest of declarations.
import { crypto } from '../builtins.ts';
import { MdmError } from '../errors.ts';
import type { MessageLimits } from '../keys.ts';
import { isObject, type JsonObject, readObject } from './json.ts';
import { type DeclarationKind, declarationKinds } from './kinds.ts';

/** One line of a manifest. */
export interface DeclarationItem {
  readonly kind: DeclarationKind;
  readonly identifier: string;
  readonly serverToken: string;
}

/** The keys of the manifest's lists, by kind. */
const lists: Readonly<Record<DeclarationKind, string>> = {
  activation: 'Activations',
  asset: 'Assets',
  configuration: 'Configurations',
  management: 'Management',
};

const orderOf = (a: DeclarationItem, b: DeclarationItem): number =>
  declarationKinds.indexOf(a.kind) - declarationKinds.indexOf(b.kind) ||
  (a.identifier < b.identifier ? -1 : a.identifier > b.identifier ? 1 : 0);

/**
 * The `DeclarationsToken` of a set of declarations: equal sets have equal tokens, in whatever order they are given, and
 * any other set has another one. SHA-256 in hex, 64 characters of the 256 octets that Apple allows.
 */
export function declarationsToken(items: readonly DeclarationItem[]): string {
  const hash = crypto().createHash('sha256');
  for (const { kind, identifier, serverToken } of items.toSorted(orderOf)) {
    hash.update(`${JSON.stringify([kind, identifier, serverToken])}\n`);
  }
  return hash.digest('hex');
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Apple's `SynchronizationTokens`. */
export interface SyncTokens {
  readonly declarationsToken: string;
  /** When the token came to be, epoch milliseconds. */
  readonly timestamp: number;
}

/**
 * Writes a `TokensResponse`: the answer to the endpoint `tokens`, and the `Data` of a `DeclarativeManagement` command.
 * The timestamp is RFC 3339 with whole seconds.
 *
 * @example
 * command('DeclarativeManagement', { Data: tokensResponse({ declarationsToken, timestamp: clock.now() }) });
 */
export function tokensResponse({ declarationsToken: token, timestamp }: SyncTokens): Uint8Array {
  const Timestamp = `${new Date(timestamp).toISOString().slice(0, 19)}Z`;
  return encode({ SyncTokens: { DeclarationsToken: token, Timestamp } });
}

/**
 * Reads a `TokensResponse`, as a device does.
 * @throws MdmError `mdm.declaration.not_json`, `mdm.too_large`, `mdm.too_complex`, `mdm.declaration.missing_key`,
 *   `mdm.declaration.bad_key`
 */
export function readTokensResponse(bytes: Uint8Array, limits?: MessageLimits): SyncTokens {
  const tokens = dictionary(readObject(bytes, limits), 'SyncTokens', '');
  const timestamp = Date.parse(string(tokens, 'Timestamp', '/SyncTokens'));
  if (Number.isNaN(timestamp)) throw bad('/SyncTokens/Timestamp', 'a date');
  return { declarationsToken: string(tokens, 'DeclarationsToken', '/SyncTokens'), timestamp };
}

/** Writes a `DeclarationItemsResponse`, the manifest: the answer to the endpoint `declaration-items`. */
export function declarationItemsResponse(
  items: readonly DeclarationItem[],
  token: string = declarationsToken(items),
): Uint8Array {
  const sorted = items.toSorted(orderOf);
  const list = (kind: DeclarationKind) =>
    sorted
      .filter((item) => item.kind === kind)
      .map(({ identifier: Identifier, serverToken: ServerToken }) => ({ Identifier, ServerToken }));
  const Declarations = Object.fromEntries(declarationKinds.map((kind) => [lists[kind], list(kind)]));
  return encode({ Declarations, DeclarationsToken: token });
}

/** A manifest that was read. */
export interface DeclarationItems {
  readonly items: readonly DeclarationItem[];
  readonly declarationsToken: string;
}

/**
 * Reads a manifest, as a device does.
 * @throws MdmError as {@link readTokensResponse}
 */
export function readDeclarationItems(bytes: Uint8Array, limits?: MessageLimits): DeclarationItems {
  const value = readObject(bytes, limits);
  const declarations = dictionary(value, 'Declarations', '');
  const items = declarationKinds.flatMap((kind) => {
    const path = `/Declarations/${lists[kind]}`;
    const list = own(declarations, lists[kind]);
    if (list === undefined) throw missing(path);
    if (!Array.isArray(list)) throw bad(path, 'an array');
    return list.map((item: unknown, index): DeclarationItem => {
      const at = `${path}/${index}`;
      if (!isObject(item)) throw bad(at, 'an object');
      return { kind, identifier: string(item, 'Identifier', at), serverToken: string(item, 'ServerToken', at) };
    });
  });
  return { items, declarationsToken: string(value, 'DeclarationsToken', '') };
}

const own = (value: JsonObject, key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);

function dictionary(value: JsonObject, key: string, path: string): JsonObject {
  const found = own(value, key);
  if (found === undefined) throw missing(`${path}/${key}`);
  if (!isObject(found)) throw bad(`${path}/${key}`, 'an object');
  return found;
}

function string(value: JsonObject, key: string, path: string): string {
  const found = own(value, key);
  if (found === undefined) throw missing(`${path}/${key}`);
  if (typeof found !== 'string') throw bad(`${path}/${key}`, 'a string');
  return found;
}

function bad(path: string, wanted: string): MdmError {
  return new MdmError('mdm.declaration.bad_key', `${path} is not ${wanted}`, { at: { path } });
}

function missing(path: string): MdmError {
  return new MdmError('mdm.declaration.missing_key', `${path} is missing`, { at: { path } });
}
