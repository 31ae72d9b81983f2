// Check-in messages made or completed from what a server kept apart from them.
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { CliError } from '../errors.ts';

/** Bytes of a base64 text. @throws CliError `cli.file` */
export function fromBase64(text: string, what: string): Uint8Array {
  const plain = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) throw new CliError('cli.file', `${what} is not base64`);
  return new Uint8Array(Buffer.from(plain, 'base64'));
}

/** Bytes of a hexadecimal text. @throws CliError `cli.file` */
export function fromHex(text: string, what: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new CliError('cli.file', `${what} is not hexadecimal`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** A `TokenUpdate` with the unlock token that an earlier one brought: devices send it once, servers keep it apart. */
export function withUnlockToken(tokenUpdate: Uint8Array, unlockToken: Uint8Array | undefined): Uint8Array {
  if (unlockToken === undefined || unlockToken.length === 0) return tokenUpdate;
  const message = decodeDict(tokenUpdate);
  return message['UnlockToken'] === undefined ? encodeXml({ ...message, UnlockToken: unlockToken }) : tokenUpdate;
}

/** A `SetBootstrapToken` of the device that sent another message. */
export function bootstrapTokenMessage(other: Uint8Array, token: Uint8Array): Uint8Array {
  return encodeXml({ MessageType: 'SetBootstrapToken', ...idsOf(decodeDict(other)), BootstrapToken: token });
}

function idsOf({ UDID, EnrollmentID }: PlistDict): Record<string, PlistInput> {
  return {
    ...(typeof UDID === 'string' ? { UDID } : {}),
    ...(typeof EnrollmentID === 'string' ? { EnrollmentID } : {}),
  };
}

/** A message of the given keys, without those that are empty. */
export function messageOf(keys: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  return encodeXml(Object.fromEntries(Object.entries(keys).filter(([, value]) => value.length > 0)));
}
