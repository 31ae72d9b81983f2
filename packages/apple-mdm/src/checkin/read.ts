// Reads a check-in message: bytes to a typed message, required keys and types checked, bytes kept.
import { type EnrolmentIds, readIds, resolveEnrolment } from '../enrolment.ts';
import { MdmError } from '../errors.ts';
import { decodeMessage, Keys, type MessageLimits } from '../keys.ts';
import { optional } from '../optional.ts';
import type { PlistDict } from '../plist.ts';
import type {
  Authenticate,
  Checkin,
  CheckinType,
  DeclarativeEndpoint,
  DeclarativeManagement,
  GetToken,
  SetBootstrapToken,
  TokenUpdate,
} from './messages.ts';

interface Envelope {
  readonly ids: EnrolmentIds;
  readonly value: PlistDict;
  readonly raw: Uint8Array;
}

const codes = { missing: 'mdm.checkin.missing_key', bad: 'mdm.checkin.bad_key' } as const;

type Readers = {
  readonly [T in CheckinType]: (keys: Keys, envelope: Envelope) => Extract<Checkin, { messageType: T }>;
};

const readers: Readers = {
  Authenticate: readAuthenticate,
  TokenUpdate: readTokenUpdate,
  CheckOut: (keys, envelope) => ({
    messageType: 'CheckOut',
    ...envelope,
    ...optional('topic', keys.string('Topic')),
  }),
  UserAuthenticate: (keys, envelope) => ({
    messageType: 'UserAuthenticate',
    ...envelope,
    userId: keys.requiredString('UserID'),
    digestResponse: keys.string('DigestResponse') ?? '',
  }),
  SetBootstrapToken: readSetBootstrapToken,
  GetBootstrapToken: (keys, envelope) => ({
    messageType: 'GetBootstrapToken',
    ...envelope,
    awaitingConfiguration: keys.boolean('AwaitingConfiguration') ?? false,
  }),
  GetToken: readGetToken,
  DeclarativeManagement: readDeclarativeManagement,
  ReturnToService: (_keys, envelope) => ({ messageType: 'ReturnToService', ...envelope }),
};

/** The check-in messages that {@link readCheckin} knows. */
export const checkinTypes: readonly CheckinType[] = Object.freeze(Object.keys(readers) as CheckinType[]);

/**
 * Reads a check-in message as a device sends it with `PUT` to the check-in URL.
 *
 * Required keys are those that every supported system sends. The schema marks some more as required although devices
 * leave them out (`ModelName` on iOS, `NotOnConsole` on the device channel), so these stay optional.
 *
 * @param bytes The request's body: a property list, XML or binary.
 * @param limits Limits that differ from `defaultMessageLimits`.
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`, `mdm.checkin.unknown_type`,
 *   `mdm.checkin.missing_key`, `mdm.checkin.bad_key`, `mdm.enrolment.unidentified`
 * @example
 * const message = readCheckin(new Uint8Array(await request.arrayBuffer()));
 * if (message.messageType === 'TokenUpdate') save(resolveEnrolment(message.ids).id, message.token, message.pushMagic);
 */
export function readCheckin(bytes: Uint8Array, limits?: MessageLimits): Checkin {
  const value = decodeMessage(bytes, limits);
  const keys = new Keys(value, codes);
  const type = keys.requiredString('MessageType');
  if (!Object.hasOwn(readers, type)) {
    throw new MdmError('mdm.checkin.unknown_type', `unknown MessageType ${JSON.stringify(type.slice(0, 64))}`, {
      at: { path: '/MessageType' },
      remedy: `known are ${checkinTypes.join(', ')}`,
    });
  }
  const ids = readIds(keys);
  resolveEnrolment(ids); // a message that identifies nobody is of no use to anyone
  return readers[type as CheckinType](keys, { ids, value, raw: bytes });
}

function readAuthenticate(keys: Keys, envelope: Envelope): Authenticate {
  return {
    messageType: 'Authenticate',
    ...envelope,
    topic: keys.requiredString('Topic'),
    ...optional('osVersion', keys.string('OSVersion')),
    ...optional('buildVersion', keys.string('BuildVersion')),
    ...optional('productName', keys.string('ProductName')),
    ...optional('serialNumber', keys.string('SerialNumber')),
    ...optional('imei', keys.string('IMEI')),
    ...optional('meid', keys.string('MEID')),
    ...optional('deviceName', keys.string('DeviceName')),
    ...optional('model', keys.string('Model')),
    ...optional('modelName', keys.string('ModelName')),
  };
}

function readTokenUpdate(keys: Keys, envelope: Envelope): TokenUpdate {
  const token = keys.requiredData('Token');
  if (token.length === 0) throw new MdmError(codes.bad, '/Token is empty', { at: { path: '/Token' } });
  return {
    messageType: 'TokenUpdate',
    ...envelope,
    topic: keys.requiredString('Topic'),
    token,
    pushMagic: keys.requiredString('PushMagic'),
    ...optional('unlockToken', keys.data('UnlockToken')),
    awaitingConfiguration: keys.boolean('AwaitingConfiguration') ?? false,
  };
}

function readSetBootstrapToken(keys: Keys, envelope: Envelope): SetBootstrapToken {
  return {
    messageType: 'SetBootstrapToken',
    ...envelope,
    ...optional('bootstrapToken', keys.data('BootstrapToken')),
    awaitingConfiguration: keys.boolean('AwaitingConfiguration') ?? false,
  };
}

function readGetToken(keys: Keys, envelope: Envelope): GetToken {
  const parameters = keys.nested('TokenParameters');
  return {
    messageType: 'GetToken',
    ...envelope,
    tokenServiceType: keys.requiredString('TokenServiceType'),
    ...optional('securityToken', parameters?.string('SecurityToken')),
    ...optional('phoneUdid', parameters?.string('PhoneUDID')),
    ...optional('watchUdid', parameters?.string('WatchUDID')),
  };
}

function readDeclarativeManagement(keys: Keys, envelope: Envelope): DeclarativeManagement {
  const endpoint = keys.requiredString('Endpoint');
  return {
    messageType: 'DeclarativeManagement',
    ...envelope,
    endpoint,
    target: readEndpoint(endpoint),
    ...optional('data', keys.data('Data')),
  };
}

const declarationPath = /^declaration\/(configuration|asset|activation|management)\/(.+)$/s;

function readEndpoint(endpoint: string): DeclarativeEndpoint {
  if (endpoint === 'tokens' || endpoint === 'declaration-items' || endpoint === 'status') return { kind: endpoint };
  const match = declarationPath.exec(endpoint);
  if (match === null) return { kind: 'unknown' };
  const type = match[1] as 'configuration' | 'asset' | 'activation' | 'management';
  return { kind: 'declaration', type, identifier: match[2]! };
}
