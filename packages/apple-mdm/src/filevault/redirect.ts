// FileVault recovery keys as Macs before macOS 10.13 hand them over: an XML request to the address of
// `com.apple.security.FDERecoveryRedirect`, and its answer (Apple's Configuration Profile Reference, FileVault Client Request).
import { MdmError } from '../errors.ts';

/** What a Mac sends to the redirect address. */
export interface RecoveryKeyRequest {
  readonly serialNumber: string;
  /** The recovery key, encrypted to the certificate that the payload names: CMS, DER. */
  readonly cms: Uint8Array;
}

/** A key encrypted to one certificate has about a kilobyte. */
const MAX_BYTES = 64 * 1024;

const malformed = (message: string, path = '/'): MdmError =>
  new MdmError('mdm.recovery_key.malformed', message, { at: { path } });

/**
 * Reads the body of a Mac's request.
 *
 * Not a property list, and no XML but this is read: a `FDECaptureRequest` whose members hold text without references.
 * Members that are not known are passed over.
 *
 * @throws MdmError `mdm.recovery_key.malformed`, `mdm.too_large`
 * @example
 * const { serialNumber, cms } = readRecoveryKeyRequest(body);
 */
export function readRecoveryKeyRequest(body: Uint8Array): RecoveryKeyRequest {
  if (body.length > MAX_BYTES) throw new MdmError('mdm.too_large', `a recovery key of more than ${MAX_BYTES} bytes`);
  const members = membersOf(Buffer.from(body).toString('utf8'));
  const serialNumber = members.get('SerialNumber') ?? '';
  if (!/^[A-Za-z0-9]{1,64}$/.test(serialNumber)) throw malformed('there is no serial number', '/SerialNumber');
  const base64 = (members.get('RecoveryKeyCMS64') ?? '').replaceAll(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw malformed('the key is not base64', '/RecoveryKeyCMS64');
  return { serialNumber, cms: new Uint8Array(Buffer.from(base64, 'base64')) };
}

/** The members by name. Each step begins where the one before ended, so that the time is linear. */
function membersOf(text: string): Map<string, string> {
  const take = (pattern: RegExp, from: number): RegExpExecArray | null => {
    pattern.lastIndex = from;
    return pattern.exec(text);
  };
  const head = take(/\s*(?:<\?xml [^<>?]*\?>\s*)?<FDECaptureRequest>\s*/y, 0);
  if (head === null) throw malformed('not a FDECaptureRequest');
  const members = new Map<string, string>();
  let at = head[0].length;
  for (;;) {
    const open = take(/<([A-Za-z0-9]{1,50})>([^<&]*)<\/([A-Za-z0-9]{1,50})>\s*/y, at);
    if (open === null) break;
    const [whole, name = '', value = '', closed] = open;
    if (closed !== name || members.has(name)) throw malformed(`${name} is not one member`, `/${name}`);
    members.set(name, value.trim());
    at += whole.length;
  }
  const tail = take(/<\/FDECaptureRequest>\s*/y, at);
  if (tail === null || at + tail[0].length !== text.length) throw malformed('the FDECaptureRequest does not end');
  return members;
}

/**
 * Makes the answer that tells the Mac that its key is in safe keeping; without it the Mac asks again, up to once an hour. Apple's
 * page names the two members of the answer, and not the element around them: it is named after that of the request.
 *
 * @param answer `serialNumber` as the Mac sent it; `recordNumber` (1 to 64 letters, digits, `.`, `_` and `-`) is shown to the
 * user beside it where the recovery key is asked for.
 * @throws MdmError `mdm.recovery_key.malformed`
 */
export function recoveryKeyResponse(answer: {
  readonly serialNumber: string;
  readonly recordNumber: string;
}): Uint8Array {
  for (const [path, value] of Object.entries(answer)) {
    if (!/^[\w.-]{1,64}$/.test(value)) throw malformed('1 to 64 letters, digits, ., _ and -', `/${path}`);
  }
  const { serialNumber, recordNumber } = answer;
  return new TextEncoder().encode(
    `<?xml version="1.0" encoding="UTF-8"?>\n<FDECaptureResponse>\n<SerialNumber>${serialNumber}</SerialNumber>\n` +
      `<RecordNumber>${recordNumber}</RecordNumber>\n</FDECaptureResponse>\n`,
  );
}
