// Verifying CMS messages, and the Mdm-Signature header.
import { PkiError } from '../errors.ts';
import type { VerifyPolicy } from '../keys/algorithms.ts';
import type { ParsedCertificate } from '../x509/certificate.ts';
import { checkSignature, findSigner, parseSignedData, signingTimeOf } from './signed-read.ts';
import type { CmsLimits } from './types.ts';

/** How to verify. */
export interface VerifyCmsOptions extends VerifyPolicy {
  /** The content of a detached signature. */
  readonly content?: Uint8Array;
  /** Certificates that may hold the signer, besides those in the message, DER. */
  readonly certificates?: readonly Uint8Array[];
  readonly limits?: CmsLimits;
}

/** A message whose signatures are right. Trust in `signer` is for `verifyTrust`. */
export interface VerifiedCms {
  readonly content: Uint8Array;
  /** Dotted OID. */
  readonly contentType: string;
  /** Certificate of the (first) signer, DER. */
  readonly signer: Uint8Array;
  /** Certificates of all signers, in order. */
  readonly signers: readonly Uint8Array[];
  /** All certificates in the message, DER. */
  readonly certificates: readonly Uint8Array[];
  /** The time the first signer claims. */
  readonly signingTime: Date | undefined;
}

/**
 * Verifies every signature of a CMS SignedData: attached, or detached with `options.content`. Only the signatures are
 * checked: who the signer is, and whether to believe it, is for the caller (`verifyTrust`).
 *
 * @throws PkiError `pki.cms.bad_signature`, `pki.cms.no_signer`, `pki.cms.no_content`, `pki.cms.wrong_type`,
 * `pki.algorithm.weak`, `pki.der.*`.
 * @example
 * const { content, signer } = verifyCms(message);
 * verifyTrust(signer, { anchors: [root], now: Date.now() });
 */
export function verifyCms(cms: Uint8Array, options: VerifyCmsOptions = {}): VerifiedCms {
  const data = parseSignedData(cms, options.limits);
  if (data.content && options.content && Buffer.compare(data.content, options.content) !== 0) {
    throw new PkiError('pki.cms.bad_signature', 'the message holds another content than the one given', {
      kind: 'unauthenticated',
    });
  }
  const content = data.content ?? options.content;
  if (!content) {
    throw new PkiError('pki.cms.no_content', 'a detached signature needs its content', {
      remedy: 'Pass the signed bytes as options.content.',
    });
  }
  if (data.signers.length === 0) {
    throw new PkiError('pki.cms.no_signer', 'the message is not signed', { kind: 'unauthenticated' });
  }
  const candidates = options.certificates ? [...data.certificates, ...options.certificates] : data.certificates;
  const signers: ParsedCertificate[] = [];
  for (const info of data.signers) {
    const certificate = findSigner(info, candidates);
    checkSignature(data, info, certificate, content, options);
    signers.push(certificate);
  }
  const time = signingTimeOf(data.signers[0]!);
  return {
    content: Uint8Array.from(content),
    contentType: data.contentType,
    signer: Uint8Array.from(signers[0]!.der),
    signers: signers.map((item) => Uint8Array.from(item.der)),
    certificates: data.certificates.map((der) => Uint8Array.from(der)),
    signingTime: time === undefined ? undefined : new Date(time),
  };
}

/** Largest `Mdm-Signature` accepted, in characters of base64. Real ones have two to eight thousand. */
const maxHeader = 64 * 1024;

/**
 * Verifies Apple's `Mdm-Signature` header: base64 of a detached CMS over the request body, made with the device's
 * identity. Only the signature is checked; compare the certificate with the enrolment's, and see `verifyTrust`.
 *
 * @param header value of the header.
 * @param body the request body, byte for byte.
 * @returns the signer's certificate, DER.
 * @throws PkiError `pki.mdm_signature.malformed` (not base64), else as {@link verifyCms}; every refusal of a signature
 * has the kind `unauthenticated`.
 */
export function verifyMdmSignature(header: string, body: Uint8Array, options: VerifyPolicy = {}): Uint8Array {
  if (typeof header !== 'string' || header.length > maxHeader) {
    throw new PkiError('pki.mdm_signature.malformed', 'the Mdm-Signature header is too long', {
      kind: 'unauthenticated',
    });
  }
  const der = Buffer.from(header, 'base64');
  if (der.length === 0 || !/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(header)) {
    throw new PkiError('pki.mdm_signature.malformed', 'the Mdm-Signature header is not base64', {
      kind: 'unauthenticated',
    });
  }
  try {
    const data = parseSignedData(der);
    if (data.content && Buffer.compare(data.content, body) !== 0) {
      throw new PkiError('pki.cms.bad_signature', 'the signature holds another content than the body', {
        kind: 'unauthenticated',
      });
    }
    if (data.signers.length !== 1) {
      throw new PkiError('pki.cms.no_signer', 'an Mdm-Signature has exactly one signer', { kind: 'unauthenticated' });
    }
    const info = data.signers[0]!;
    const certificate = findSigner(info, data.certificates);
    checkSignature(data, info, certificate, body, options);
    return Uint8Array.from(certificate.der);
  } catch (error) {
    if (!(error instanceof PkiError) || error.kind === 'unauthenticated') throw error;
    throw new PkiError(error.code, `Mdm-Signature: ${error.message}`, { kind: 'unauthenticated', cause: error });
  }
}
