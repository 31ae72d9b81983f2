// Refusals of SCEP requests, and the checks of message and CSR that end in one.
import { PkiError } from '../errors.ts';
import { type CertificateRequest, readCsr } from '../x509/csr.ts';
import type { ScepFailInfo, ScepMessage } from './message.ts';

/** A request that gets a CertRep FAILURE. `code` and `message` go to the log, `failInfo` to the requester. */
export class Refusal extends Error {
  readonly failInfo: ScepFailInfo;
  readonly code: string;

  constructor(failInfo: ScepFailInfo, code: string, message: string) {
    super(message);
    this.failInfo = failInfo;
    this.code = code;
  }
}

/** Signature and key of the message itself. */
export function checkMessage(message: ScepMessage, allowSha1: boolean): void {
  const facts = refusing('badAlg', () => message.signer.keyFacts());
  if (facts.type !== 'rsa') {
    throw new Refusal('badAlg', 'pki.scep.signer_key', 'replies are encrypted to the signer: that needs an RSA key');
  }
  try {
    message.verify({ allowSha1 });
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    const weak = error.code === 'pki.algorithm.weak' || error.code === 'pki.algorithm.unsupported';
    throw new Refusal(weak ? 'badAlg' : 'badMessageCheck', error.code, error.message);
  }
}

/** Reads the CSR. Whatever is wrong with it looks like a failed decryption. */
export function readRequest(content: Uint8Array, message: ScepMessage, sameKey: boolean): CertificateRequest {
  const csr = refusing('badMessageCheck', () => readCsr(content), false);
  if (sameKey && Buffer.compare(Buffer.from(csr.publicKey), message.signer.spki) !== 0) {
    throw new Refusal(
      'badMessageCheck',
      'pki.scep.key_mismatch',
      'the request is for another key than it is signed with',
    );
  }
  return csr;
}

/** Runs a reader; its PkiError becomes a refusal, `badAlg` for an unknown algorithm unless that would tell too much. */
export function refusing<T>(failInfo: ScepFailInfo, read: () => T, tellAlgorithm = true): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    const algorithm = tellAlgorithm && error.code === 'pki.algorithm.unsupported';
    throw new Refusal(algorithm ? 'badAlg' : failInfo, error.code, error.message);
  }
}
