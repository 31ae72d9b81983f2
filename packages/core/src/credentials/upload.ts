// Reading the file that a user uploads: one identity, of a key that protects something, valid now.
import {
  isPkiError,
  type PkiError,
  readCertificate,
  readIdentityFiles,
  readPkcs12,
  readPublicKey,
} from '@espalier/pki';
import type { CredentialSetting } from '../api/credentials.ts';
import { CoreError } from '../errors.ts';
import type { KeptIdentity } from './keep.ts';

/** Largest file; real ones have some kilobytes. */
export const MOST_FILE_BYTES = 256 * 1024;
const MIN_RSA_BITS = 2048;

/** Reads and checks the file. @throws CoreError as `Credentials.upload` */
export async function readUpload(
  setting: CredentialSetting,
  file: Uint8Array,
  password: string | undefined,
  at: number,
): Promise<KeptIdentity> {
  if (file.length > MOST_FILE_BYTES) {
    throw new CoreError('core.credential.too_large', 'too-large', `a file has at most ${MOST_FILE_BYTES} bytes`);
  }
  if (setting.requirePassword && (password === undefined || password === '')) throw passwordRequired();
  const { certificate, privateKey, chain } = await read(file, password);
  check(certificate, at);
  return { certificate, privateKey, chain };
}

/** Reads and checks the files of one identity. @throws CoreError as `Credentials.uploadFiles` */
export async function readFiles(
  files: readonly { readonly file: Uint8Array; readonly password?: string }[],
  at: number,
): Promise<KeptIdentity> {
  if (files.reduce((sum, { file }) => sum + file.length, 0) > MOST_FILE_BYTES) {
    throw new CoreError('core.credential.too_large', 'too-large', `the files have at most ${MOST_FILE_BYTES} bytes`);
  }
  const given = files.map(({ file: content, password }) => ({
    content,
    ...(password === undefined ? {} : { password }),
  }));
  try {
    const { certificate, privateKey, chain } = await readIdentityFiles(given);
    check(certificate, at);
    return { certificate, privateKey, chain };
  } catch (cause) {
    if (!isPkiError(cause)) throw cause;
    if (cause.code !== 'pki.pkcs12.password') throw badFile(cause);
    if (files.every(({ password }) => password === undefined || password === '')) throw passwordRequired();
    throw wrongPassword(cause);
  }
}

async function read(file: Uint8Array, password: string | undefined): ReturnType<typeof readPkcs12> {
  try {
    return await readPkcs12(file, password ?? '', { maxBytes: MOST_FILE_BYTES });
  } catch (cause) {
    if (!isPkiError(cause)) throw cause;
    if (cause.code !== 'pki.pkcs12.password') throw badFile(cause);
    // Without the password nobody could install it either.
    if (password === undefined || password === '') throw passwordRequired();
    throw wrongPassword(cause);
  }
}

const wrongPassword = (cause: PkiError): CoreError =>
  new CoreError('core.credential.password', 'invalid', 'the password is wrong, or the file is damaged', {
    at: { path: '/password' },
    cause,
    remedy: 'Give the password that the file was exported with.',
  });

function check(der: Uint8Array, at: number): void {
  const certificate = readCertificate(der);
  const { notBefore, notAfter, basicConstraints, keyUsage, signatureHash } = certificate;
  const refuse = (code: string, message: string, remedy: string): CoreError =>
    new CoreError(`core.credential.${code}`, 'invalid', message, { at: { path: '/file' }, remedy });
  if (basicConstraints?.ca === true || isForSigningCertificates(keyUsage)) {
    throw refuse('authority', 'the certificate is an authority’s, and no user’s', 'Export the user’s own identity.');
  }
  if (notAfter.getTime() <= at) {
    throw refuse('expired', `the certificate ended on ${notAfter.toISOString()}`, 'Get a new one from its issuer.');
  }
  if (notBefore.getTime() > at) {
    throw refuse('not_yet_valid', `the certificate begins on ${notBefore.toISOString()}`, 'Upload it then.');
  }
  const key = readPublicKey(certificate.publicKey);
  if (key.type === 'rsa' && key.bits < MIN_RSA_BITS) {
    const remedy = `Get one with an RSA key of at least ${MIN_RSA_BITS} bits, or an EC key.`;
    throw refuse('weak', `an RSA key of ${key.bits} bits is too weak`, remedy);
  }
  if (signatureHash === undefined || signatureHash === 'sha1') {
    const remedy = 'Get one that is signed with SHA-256 or better.';
    throw refuse('weak', 'the signature of the certificate is of a kind that is not trusted any more', remedy);
  }
}

/** Of nothing else: some users' certificates name everything. */
function isForSigningCertificates(usage: readonly string[] | undefined): boolean {
  return usage !== undefined && usage.length > 0 && usage.every((use) => use === 'keyCertSign' || use === 'cRLSign');
}

function passwordRequired(): CoreError {
  return new CoreError('core.credential.password_required', 'invalid', 'the file’s password is needed', {
    at: { path: '/password' },
    remedy: 'Give the password that the file was exported with; a file without one has to be exported again.',
  });
}

function badFile(cause: PkiError): CoreError {
  const kind = cause.kind === 'too-large' ? 'too-large' : 'invalid';
  return new CoreError('core.credential.file', kind, `${cause.message} (${cause.code})`, {
    at: { path: '/file' },
    cause,
    remedy: cause.remedy ?? 'Export exactly one identity, with its certificate, as PKCS#12 (.p12, .pfx).',
  });
}
