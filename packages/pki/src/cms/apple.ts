// Apple's own uses of CMS: machine information signed by a device, FileVault recovery keys encrypted to the server.
import { PkiError } from '../errors.ts';
import type { PrivateKeyInput } from '../keys/keys.ts';
import { parseCertificateCached } from '../x509/cache.ts';
import { verifyTrust } from '../x509/trust.ts';
import { appleIphoneDeviceCa } from './apple-device-ca.ts';
import { decryptCms } from './enveloped.ts';
import { verifyCms } from './verify.ts';

/** How machine information is verified. */
export interface MachineInfoOptions {
  /** Issuers of device certificates, DER. Default: Apple iPhone Device CA. */
  readonly anchors?: readonly Uint8Array[];
  /** Check that the device's own certificate is valid then: epoch milliseconds, or a Date. Default: not looked at. */
  readonly now?: number | Date;
}

/** Machine information whose signature was checked. */
export interface VerifiedMachineInfo {
  /** The property list, as the device wrote it. */
  readonly content: Uint8Array;
  /** The device's certificate, DER. */
  readonly certificate: Uint8Array;
  /** From the device's certificate to the anchor. */
  readonly chain: readonly Uint8Array[];
}

/** Largest machine information accepted, in bytes of CMS. Real ones have three to six thousand. */
const maxMachineInfo = 64 * 1024;

const untrusted = (code: string, message: string, cause?: unknown): PkiError =>
  new PkiError(code, message, { kind: 'unauthenticated', ...(cause === undefined ? {} : { cause }) });

/**
 * Verifies what a device sends of itself when it asks for its enrolment profile: a property list in a CMS signed by the
 * device, as the body of the request, or as base64 in the header `x-apple-aspen-deviceinfo`.
 *
 * The dates of the issuers are not looked at and SHA-1 is accepted: the authority that Apple documents ended in 2014, and
 * devices sign with certificates of it all the same. So this tells an Apple device (or one whose key leaked) from anybody
 * else; that it is THIS device only an attestation proves.
 *
 * @param message the CMS as bytes (DER), or base64 text of it.
 * @throws PkiError kind `unauthenticated`: `pki.machine_info.malformed`, `pki.machine_info.untrusted` (cause: the reason),
 * `pki.cms.bad_signature`, `pki.cms.no_signer`, …; `pki.machine_info.too_large` (kind `too-large`).
 * @example
 * const { content } = verifyMachineInfo(request.headers.get('x-apple-aspen-deviceinfo') ?? body);
 */
export function verifyMachineInfo(message: string | Uint8Array, options: MachineInfoOptions = {}): VerifiedMachineInfo {
  if (message.length > maxMachineInfo * (typeof message === 'string' ? 4 / 3 : 1) + 4) {
    throw new PkiError('pki.machine_info.too_large', `machine information of more than ${maxMachineInfo} bytes`, {
      kind: 'too-large',
    });
  }
  const bytes = typeof message === 'string' ? fromBase64(message) : message;
  try {
    const { content, signer, signers, certificates } = verifyCms(bytes, { allowSha1: true });
    if (signers.length !== 1) throw untrusted('pki.cms.no_signer', 'machine information has exactly one signer');
    return { content, certificate: signer, chain: chainOf(signer, certificates, options) };
  } catch (error) {
    if (!(error instanceof PkiError) || error.kind === 'unauthenticated') throw error;
    throw untrusted(error.code, `machine information: ${error.message}`, error);
  }
}

function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || !/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(text)) {
    throw untrusted('pki.machine_info.malformed', 'the machine information is not base64');
  }
  return bytes;
}

function chainOf(
  signer: Uint8Array,
  intermediates: readonly Uint8Array[],
  { anchors = [appleIphoneDeviceCa], now }: MachineInfoOptions,
): Uint8Array[] {
  const at = now ?? parseCertificateCached(signer).notBefore;
  try {
    return verifyTrust(signer, { anchors, intermediates, now: at, allowSha1: true, issuerDates: 'ignore' });
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw untrusted('pki.machine_info.untrusted', `not signed by one of Apple's devices: ${error.message}`, error);
  }
}

/**
 * Decrypts a FileVault personal recovery key: `FDE_PersonalRecoveryKeyCMS` of `SecurityInfo`, or the new key in the response
 * to `RotateFileVaultKey`. The identity is the one whose certificate the escrow payload names (`EncryptCertPayloadUUID`).
 * The key is a secret: keep it sealed, and show it to those who are allowed to see it only.
 *
 * @returns the key as the user would type it, e.g. `ABCD-EFGH-IJKL-MNOP-QRST-UVWX`.
 * @throws PkiError `pki.recovery_key.malformed` when what was encrypted is no recovery key, and as {@link decryptCms}.
 */
export function decryptRecoveryKey(
  cms: Uint8Array,
  identity: { readonly certificate: Uint8Array; readonly privateKey: PrivateKeyInput },
): string {
  const content = decryptCms(cms, { ...identity, limits: { maxBytes: 64 * 1024 } });
  const text = Buffer.from(content)
    .toString('latin1')
    .replace(/[\0\s]+$/, '');
  content.fill(0);
  if (!/^[A-Z0-9]{4}(?:-[A-Z0-9]{4}){5}$/.test(text)) {
    // Without the text: it may be the key in another form.
    throw new PkiError('pki.recovery_key.malformed', 'what was decrypted does not have the form of a recovery key');
  }
  return text;
}
