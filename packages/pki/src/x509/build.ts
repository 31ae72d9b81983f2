// Building and signing certificates.
import { type Bytes, bitString, explicit, integer, sequence, time } from '../der/writer.ts';
import { type HashName, signatureIdentifier } from '../keys/algorithms.ts';
import { readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { type Extension, encodeExtension } from './extensions.ts';

/** A certificate to be signed. */
export interface CertificateContent {
  /** Unsigned big-endian bytes. */
  readonly serial: Uint8Array;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly Extension[];
}

/** DER of the part that gets signed. */
function encodeTbsCertificate(content: CertificateContent, algorithm: Uint8Array): Bytes {
  return sequence(
    explicit(0, integer(2)),
    integer(content.serial),
    algorithm,
    content.issuerDer,
    sequence(time(content.notBefore), time(content.notAfter)),
    content.subjectDer,
    content.publicKey,
    ...(content.extensions.length > 0 ? [explicit(3, sequence(...content.extensions.map(encodeExtension)))] : []),
  );
}

/** Signs a certificate. */
export async function signCertificate(content: CertificateContent, signer: Signer, hash: HashName): Promise<Bytes> {
  const algorithm = signatureIdentifier(readPublicKey(signer.publicKey).type, hash);
  const tbs = encodeTbsCertificate(content, algorithm);
  return sequence(tbs, algorithm, bitString(await signer.sign(tbs, hash)));
}
