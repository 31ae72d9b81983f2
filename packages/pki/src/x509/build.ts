// Building and signing certificates.
import type { Bytes } from '../der/writer.ts';
import type { HashName } from '../keys/algorithms.ts';
import type { Signer } from '../keys/signer.ts';
import { library } from '../library.ts';
import type { Extension } from './extensions.ts';
import {
  encoding,
  extensionObject,
  nameObject,
  publicKeyObject,
  signingWith,
  signValue,
  timeObject,
} from './objects.ts';

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

/** Signs a certificate. */
export async function signCertificate(content: CertificateContent, signer: Signer, hash: HashName): Promise<Bytes> {
  const lib = await library();
  const { pkijs, asn1js } = lib;
  const signing = signingWith(lib, signer, hash);
  const tbs = encoding('the certificate', () =>
    new pkijs.Certificate({
      version: 2,
      serialNumber: asn1js.Integer.fromBigInt(`0x${Buffer.from(content.serial).toString('hex')}`),
      signature: signing.algorithm,
      issuer: nameObject(lib, content.issuerDer),
      notBefore: timeObject(lib, content.notBefore),
      notAfter: timeObject(lib, content.notAfter),
      subject: nameObject(lib, content.subjectDer),
      subjectPublicKeyInfo: publicKeyObject(lib, content.publicKey),
      ...(content.extensions.length > 0
        ? { extensions: content.extensions.map((extension) => extensionObject(lib, extension)) }
        : {}),
    })
      .encodeTBS()
      .toBER(),
  );
  return signValue(tbs, signing);
}
