// Shared by the hostile tests: a world with keys and certificates, the limit on work, and building blocks of bad input.
import { expect } from 'vitest';
import { bitString, integer, oid, sequence } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  generateKeyPair,
  type Identity,
  localSigner,
  oids,
  signCms,
  verifyMdmSignature,
} from '../src/index.ts';
import { signCertificate } from '../src/x509/build.ts';
import { encodeName } from '../src/x509/name.ts';
import { codeOf, now, testCa } from './support.ts';

export const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
export const body = Buffer.from('the body');

export interface HostileWorld {
  readonly root: Identity;
  readonly ca: CertificateAuthority;
  readonly device: Identity;
  readonly ecDevice: Identity;
  readonly requester: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  readonly selfSigned: Uint8Array;
  /** A further device with an RSA key. */
  identity(subject: string): Promise<Identity>;
}

export async function hostileWorld(): Promise<HostileWorld> {
  const { root, ca } = await testCa();
  async function identity(subject: string): Promise<Identity> {
    const { publicKey, privateKey } = await generateKeyPair();
    const certificate = await ca.issue({ publicKey, subject, template: 'device' });
    return { certificate: Uint8Array.from(certificate), privateKey };
  }
  const device = await identity('CN=device');
  const pair = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({ publicKey: pair.publicKey, subject: 'CN=ec', template: 'device' });
  const ecDevice = { certificate: Uint8Array.from(certificate), privateKey: pair.privateKey };
  const requester = await generateKeyPair();
  const selfSigned = await selfSign(requester);
  // Warm up: the limit is on the work, not on the first compilation of it.
  verifyMdmSignature(Buffer.from(signCms(body, { ...device, detached: true })).toString('base64'), body);
  return { root, ca, device, ecDevice, requester, selfSigned, identity };
}

export function selfSign(
  pair: { publicKey: Uint8Array; privateKey: Uint8Array },
  publicKey: Uint8Array = pair.publicKey,
) {
  return signCertificate(
    {
      serial: new Uint8Array([1]),
      issuerDer: encodeName('CN=self'),
      subjectDer: encodeName('CN=self'),
      publicKey,
      notBefore: now - 1000,
      notAfter: now + 1_000_000,
      extensions: [],
    },
    localSigner(pair.privateKey),
    'sha256',
  );
}

/** Work of this process since `start`, in milliseconds: unlike the wall clock it does not count a busy machine. */
export function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Runs an action that must fail with a PkiError within 100 ms; gives its code. */
export function refused(action: () => unknown): string {
  const started = process.cpuUsage();
  const code = codeOf(action);
  expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
  expect(code).not.toBe('no error');
  return code;
}

export const long = (tagOctet: number, length: number): Uint8Array =>
  Uint8Array.of(tagOctet, 0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
export const nested = (depth: number, head: number[]): Uint8Array =>
  Uint8Array.from(Array.from({ length: depth }, () => head).flat());

/** An RSA SubjectPublicKeyInfo with any numbers. */
export const rsaSpki = (modulus: Uint8Array, exponent: Uint8Array): Uint8Array =>
  sequence(
    sequence(oid(oids.rsaEncryption), Uint8Array.of(5, 0)),
    bitString(sequence(integer(modulus), integer(exponent))),
  );
export const odd = (bytes: number): Uint8Array => {
  const out = new Uint8Array(bytes).fill(0xff);
  out[bytes - 1] = 0xfb;
  return out;
};
export const e3 = Uint8Array.of(1, 0, 1);
