// The lookup API over Apple's schema: every command, check-in, payload, declaration, status item and error.
import type { SchemaItem, SchemaKey, SchemaKind } from './model.ts';
import { schemaKinds } from './model.ts';
import { table } from './read.ts';

const commonFile = 'CommonPayloadKeys';
const topLevelFile = 'TopLevel';
const declarationBase = 'any';
const statusReason = 'status-reason';

/** Several files that describe one payload type, as one item: the first one's facts, with the keys of all. */
function merge(items: readonly SchemaItem[]): SchemaItem | undefined {
  const [first, ...rest] = items;
  if (first === undefined || rest.length === 0) return first;
  const keys = new Map<string, SchemaKey>(first.keys.map((key) => [key.key, key]));
  for (const item of rest) for (const key of item.keys) if (!keys.has(key.key)) keys.set(key.key, key);
  return { ...first, keys: [...keys.values()] };
}

const find = (kind: SchemaKind, name: string): SchemaItem | undefined => merge(table(kind).get(name));

/** An item found by name, with the kind that it was found as. */
export interface SchemaMatch {
  readonly kind: SchemaKind;
  readonly item: SchemaItem;
}

/**
 * The schema catalogue. Its tables are read when they are first asked for; what it returns is shared: do not change it.
 *
 * @example
 * schema.command('DeviceLock')?.keys.map((key) => key.key); // ['Message', 'PhoneNumber', 'PIN']
 */
export const schema = {
  /** The command with this RequestType. */
  command: (name: string): SchemaItem | undefined => find('command', name),

  /** The response to the command with this RequestType: the item with the response's keys as its `keys`. */
  response(name: string): SchemaItem | undefined {
    const item = find('command', name);
    return item === undefined ? undefined : { ...item, keys: item.replies ?? [] };
  },

  /** The check-in message with this MessageType (`replies` are the keys of the server's answer). */
  checkin: (name: string): SchemaItem | undefined => find('checkin', name),

  /** The profile payload with this PayloadType; when several files describe it, the keys of all of them. */
  payload(type: string): SchemaItem | undefined {
    return type === commonFile || type === topLevelFile ? undefined : find('profile', type);
  },

  /** Every file that describes this PayloadType (`com.apple.MCX` has six). */
  payloadVariants: (type: string): readonly SchemaItem[] =>
    type === commonFile || type === topLevelFile ? [] : table('profile').get(type),

  /** The keys that every payload has. */
  commonPayloadKeys: (): SchemaItem => find('profile', commonFile) as SchemaItem,

  /** The keys of the profile itself. */
  profileKeys: (): SchemaItem => find('profile', topLevelFile) as SchemaItem,

  /** The declaration of this type (its `keys` are those of `Payload`). */
  declaration: (type: string): SchemaItem | undefined =>
    type === declarationBase ? undefined : find('declaration', type),

  /** The keys around every declaration: Type, Identifier, ServerToken, Payload. */
  declarationBase: (): SchemaItem => find('declaration', declarationBase) as SchemaItem,

  /** The credential asset data of this type. */
  credential: (type: string): SchemaItem | undefined => find('credential', type),

  /** The declarative-management message of this name: `StatusReport`, `TokensResponse`, `DeclarationItemsResponse`. */
  protocol: (name: string): SchemaItem | undefined => find('protocol', name),

  /** The status item of this name; the one key in `keys` is its value. */
  status: (name: string): SchemaItem | undefined => (name === statusReason ? undefined : find('status', name)),

  /** The body of a server's 403 response with this error code. */
  error: (code: string): SchemaItem | undefined => find('error', code),

  /** All error bodies. */
  errors: (): readonly SchemaItem[] => schema.all('error'),

  /** `MachineInfo`, `SkipKeys`, `ManifestURL`, `ESSO`, `passwordHash`. */
  other: (name: string): SchemaItem | undefined => find('other', name),

  /** The names of one kind, in the catalogue's order. */
  names(kind: SchemaKind): readonly string[] {
    const hidden = [commonFile, topLevelFile, declarationBase, statusReason];
    return table(kind).names.filter((name) => !hidden.includes(name));
  },

  /** Every file of one kind, in the catalogue's order. */
  all: (kind: SchemaKind): readonly SchemaItem[] => table(kind).names.flatMap((name) => table(kind).get(name)),

  /** Whatever has this name, in any kind. */
  find(name: string): readonly SchemaMatch[] {
    return schemaKinds.flatMap((kind) => {
      const item = find(kind, name);
      return item === undefined ? [] : [{ kind, item }];
    });
  },
};
