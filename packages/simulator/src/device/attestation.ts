// A simulated Managed Device Attestation: an authority of its own that vouches for devices with Apple's OIDs.
import { type CertificateAuthority, type CertificateTemplate, createRootCa, openCa, templates } from '@espalier/pki';

/** What is attested. Left out: a device that its user enrolled, of which Apple names no identifiers. */
export interface AttestationRequest {
  /** SubjectPublicKeyInfo DER of the key that is bound to the hardware. */
  readonly publicKey: Uint8Array;
  /** 32 bytes. */
  readonly freshness: Uint8Array;
  readonly serialNumber?: string;
  readonly udid?: string;
  readonly osVersion?: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Whoever attests devices. A test may wrap one to lie. */
export interface AttestationService {
  /** The certificates, leaf first, DER, without the root. */
  attest(request: AttestationRequest): Promise<readonly Uint8Array[]>;
}

/** A simulated Apple that attests. */
export interface SimulatedAttestation extends AttestationService {
  /** The root that a server must be told to trust, DER. */
  readonly root: Uint8Array;
}

const apple = '1.2.840.113635.100.8.';

/**
 * Makes an attestation authority: a root, an intermediate one below it, and a certificate for each request with Apple's
 * OIDs for serial number, UDID, OS version and freshness.
 *
 * @example
 * const attestation = await createSimulatedAttestation();
 * const phone = createSimulatedDevice({ kind: 'iPhone', attestation });
 * const host = createHost({ ...options, acme: { roots: [attestation.root] } });
 */
export async function createSimulatedAttestation(
  options: { readonly clock?: { now(): number } } = {},
): Promise<SimulatedAttestation> {
  const { clock = Date } = options;
  const key = { type: 'ec', curve: 'P-384' } as const;
  const root = await createRootCa({ subject: 'CN=Simulated Attestation Root CA', key, clock });
  const upper = await openCa({ ...root, clock });
  const sub = await createRootCa({ subject: 'CN=Simulated Attestation Sub CA', key, clock });
  const { signer } = await openCa({ ...sub, clock });
  const certificate = await upper.issue({
    publicKey: signer.publicKey,
    subject: 'CN=Simulated Attestation Sub CA',
    template: templates['intermediate-ca'],
  });

  return {
    root: root.certificate,
    async attest(request) {
      const at = { now: () => request.now };
      const ca: CertificateAuthority = await openCa({ certificate, signer, clock: at });
      const values: readonly (readonly [string, Uint8Array | string | undefined])[] = [
        ['9.1', request.serialNumber],
        ['9.2', request.udid],
        ['10.1', request.osVersion],
        ['10.2', request.osVersion],
        ['11.1', request.freshness],
      ];
      const template: CertificateTemplate = {
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: [],
        validityDays: 365,
        // Apple writes the bare value, no DER around it.
        extensions: values.flatMap(([oid, value]) =>
          value === undefined ? [] : [{ oid: apple + oid, critical: false, value: new Uint8Array(Buffer.from(value)) }],
        ),
      };
      const leaf = await ca.issue({ publicKey: request.publicKey, subject: 'CN=attested device', template });
      return [leaf, certificate];
    },
  };
}

/** The attestation object of `device-attest-01`: CBOR `{ fmt: "apple", attStmt: { x5c: [bytes, …] } }`. */
export function attestationObject(x5c: readonly Uint8Array[]): Uint8Array {
  const statement = Buffer.concat([head(5, 1), text('x5c'), head(4, x5c.length), ...x5c.map(bytes)]);
  return Buffer.concat([head(5, 2), text('fmt'), text('apple'), text('attStmt'), statement]);
}

/** Major type and length (RFC 8949, 3). */
function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
}

const text = (value: string): Buffer => Buffer.concat([head(3, value.length), Buffer.from(value)]);
const bytes = (value: Uint8Array): Buffer => Buffer.concat([head(2, value.length), value]);
