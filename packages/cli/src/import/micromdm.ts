// MicroMDM's enrolments: its Bolt database. It keeps no messages, so they are made of what it knows, as `llorne` does.
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type BoltFile, openBolt } from './bolt.ts';
import { fromHex, messageOf } from './messages.ts';
import { type ProtobufFields, readProtobuf, textField } from './protobuf.ts';
import type { ImportSource, SourceEnrolment, SourceFault } from './types.ts';

/** Numbers of the fields in MicroMDM's records. */
const device = {
  udid: 2,
  SerialNumber: 3,
  OSVersion: 4,
  BuildVersion: 5,
  ProductName: 6,
  IMEI: 7,
  MEID: 8,
  unlockToken: 12,
  enrolled: 13,
  DeviceName: 15,
  Model: 16,
  ModelName: 17,
  /** As it came, since MicroMDM 1.9: the other tokens are hexadecimal texts. */
  bootstrapToken: 30,
} as const;
const push = { token: 2, pushMagic: 3, topic: 4 } as const;
const user = { udid: 2, userId: 3, shortName: 4, longName: 5 } as const;
/** What goes into `Authenticate` under the same name. */
const facts = [
  ...['BuildVersion', 'DeviceName', 'IMEI', 'MEID', 'Model', 'ModelName', 'OSVersion', 'ProductName', 'SerialNumber'],
] as (keyof typeof device)[];

/**
 * Opens a MicroMDM's database (`micromdm.db`).
 * @throws CliError `cli.file`
 */
export function openMicroMdm(path: string, io: Pick<Io, 'readFile'>): ImportSource {
  const file = openBolt(io.readFile(path), path);
  const count = (name: string): number => [...file.bucket(name)].length;
  const total = count('mdm.Devices') + count('mdm.Users');
  if (total === 0) throw new CliError('cli.file', `${path} holds no devices of MicroMDM`);
  return {
    total,
    *read() {
      const pushes = byKey(file, 'mdm.PushInfo');
      const hashes = byKey(file, 'mdm.UDIDCertAuth');
      const enrolled = new Set<string>();
      for (const [key, value] of file.bucket('mdm.Devices')) {
        const place = `mdm.Devices/${textOf(key)}`;
        yield attempt(place, () => {
          const found = deviceOf(readProtobuf(value), place, pushes, hashes);
          if (found.fault === undefined) enrolled.add(found.id);
          return found;
        });
      }
      for (const [key, value] of file.bucket('mdm.Users')) {
        const place = `mdm.Users/${textOf(key)}`;
        yield attempt(place, () => userOf(readProtobuf(value), place, pushes, enrolled));
      }
    },
  };
}

type Found = (SourceEnrolment & { readonly fault?: undefined }) | SourceFault;
type Values = ReadonlyMap<string, Uint8Array>;

function attempt(place: string, read: () => Found): Found {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { place, fault: error.message };
  }
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function byKey(file: BoltFile, bucket: string): Values {
  return new Map([...file.bucket(bucket)].map(([key, value]) => [textOf(key), value]));
}

function deviceOf(record: ProtobufFields, place: string, pushes: Values, hashes: Values): Found {
  const udid = textField(record, device.udid);
  // One that Apple's service knows and that has never come has no UDID.
  if (udid === '' || record.get(device.enrolled) !== 1n) return { place, fault: null };
  const { token, pushMagic, topic } = pushOf(pushes, udid);
  const hash = hashes.get(udid);
  const known = Object.fromEntries(facts.map((name) => [name, textField(record, device[name])]));
  const unlockToken = fromHex(textField(record, device.unlockToken), 'the unlock token');
  const bootstrapToken = record.get(device.bootstrapToken);
  const common = { UDID: udid, Topic: topic };
  return {
    id: udid,
    channel: 'device',
    ...(hash === undefined ? {} : { fingerprint: Buffer.from(hash).toString('hex') }),
    messages: [
      { place, bytes: messageOf({ MessageType: 'Authenticate', ...common, ...known }) },
      {
        place,
        bytes: messageOf({
          MessageType: 'TokenUpdate',
          ...common,
          PushMagic: pushMagic,
          Token: token,
          UnlockToken: unlockToken,
        }),
      },
      ...(bootstrapToken instanceof Uint8Array && bootstrapToken.length > 0
        ? [
            {
              place,
              bytes: messageOf({ MessageType: 'SetBootstrapToken', ...common, BootstrapToken: bootstrapToken }),
            },
          ]
        : []),
    ],
  };
}

function userOf(record: ProtobufFields, place: string, pushes: Values, enrolled: ReadonlySet<string>): Found {
  const udid = textField(record, user.udid);
  const userId = textField(record, user.userId);
  // Made by an administrator, and not yet on any Mac; or of a device that has gone.
  if (userId === '' || !enrolled.has(udid) || !pushes.has(userId)) return { place, fault: null };
  const { token, pushMagic, topic } = pushOf(pushes, userId);
  const bytes = messageOf({
    MessageType: 'TokenUpdate',
    UDID: udid,
    UserID: userId,
    UserShortName: textField(record, user.shortName),
    UserLongName: textField(record, user.longName),
    Topic: topic,
    PushMagic: pushMagic,
    Token: token,
  });
  return { id: `${udid}:${userId}`, channel: 'user', messages: [{ place, bytes }] };
}

/** @throws CliError `cli.file` */
function pushOf(pushes: Values, id: string) {
  const bytes = pushes.get(id);
  if (bytes === undefined) throw new CliError('cli.file', 'there is no push token of it');
  const record = readProtobuf(bytes);
  return {
    token: fromHex(textField(record, push.token), 'the push token'),
    pushMagic: textField(record, push.pushMagic),
    topic: textField(record, push.topic),
  };
}
