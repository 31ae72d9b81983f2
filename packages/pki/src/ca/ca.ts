// A certificate authority over a key behind a Signer.
import { randomBytes } from 'node:crypto';
import { type Clock, DAY_MS, type RandomSource, timeOf } from '../clock.ts';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { defaultHash, type HashName, verifySignature } from '../keys/algorithms.ts';
import { generateKeyPair, type KeySpec, keyIdentifier, type PrivateKeyInput, readPublicKey } from '../keys/keys.ts';
import { localSigner, type Signer } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { signCertificate } from '../x509/build.ts';
import { isSignedBy, type ParsedCertificate, parseCertificate, serialHex } from '../x509/certificate.ts';
import { readCsr } from '../x509/csr.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  readBasicConstraints,
  readKeyUsage,
  readSubjectKeyIdentifier,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extensions.ts';
import { encodeGeneralNames } from '../x509/general-name.ts';
import { encodeName, type NameInput } from '../x509/name.ts';
import type { CertificateAuthority } from './authority.ts';
import { resolveTemplate } from './templates.ts';

/** How far notBefore is set back, so that a device whose clock is a little slow accepts its new certificate. */
const backdateMs = 5 * 60_000;

/** What {@link createRootCa} needs. */
export interface CreateRootCaOptions {
  readonly subject: NameInput;
  /** Default RSA 3072. */
  readonly key?: KeySpec;
  /** Default 10950 (30 years). */
  readonly validityDays?: number;
  /** Default: fits the key. */
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** How many authorities may follow below; absent means no limit. */
  readonly pathLength?: number;
  readonly clock: Clock;
  readonly random?: RandomSource;
}

/** A certificate with its private key, DER (PKCS#8). */
export interface Identity {
  readonly certificate: Bytes;
  readonly privateKey: Bytes;
}

/**
 * Makes a self-signed root authority.
 *
 * @throws PkiError `pki.name.invalid`, `pki.key.unsupported`, `pki.ca.validity`.
 * @example
 * const { certificate, privateKey } = await createRootCa({ subject: 'CN=Device CA,O=Example', clock: Date });
 */
export async function createRootCa(options: CreateRootCaOptions): Promise<Identity> {
  const { privateKey } = await generateKeyPair(options.key ?? { type: 'rsa', bits: 3072 });
  return { certificate: await selfSignCa({ ...options, signer: localSigner(privateKey) }), privateKey };
}

/** Makes the self-signed certificate of a root authority whose key is elsewhere. */
export async function selfSignCa(
  options: Omit<CreateRootCaOptions, 'key'> & { readonly signer: Signer },
): Promise<Bytes> {
  const { signer, validityDays = 10_950 } = options;
  if (!(validityDays >= 1 && validityDays <= 36_500)) {
    throw new PkiError('pki.ca.validity', 'an authority is valid for 1 to 36500 days');
  }
  const name = encodeName(options.subject);
  if (name.length === 2) throw new PkiError('pki.name.invalid', 'an authority needs a name');
  const id = keyIdentifier(signer.publicKey);
  const now = wholeSeconds(timeOf(options.clock));
  const constraints = options.pathLength === undefined ? { ca: true } : { ca: true, pathLength: options.pathLength };
  return signCertificate(
    {
      serial: newSerial(options.random),
      issuerDer: name,
      subjectDer: name,
      publicKey: signer.publicKey,
      notBefore: now - backdateMs,
      notAfter: now + validityDays * DAY_MS,
      extensions: [
        basicConstraints(constraints),
        // keyEncipherment: SCEP clients encrypt their requests to this key (RSA only).
        keyUsage(['digitalSignature', 'keyCertSign', 'cRLSign', ...encipherment(signer)]),
        subjectKeyIdentifier(id),
        authorityKeyIdentifier(id),
      ],
    },
    signer,
    options.hash ?? defaultHash(readPublicKey(signer.publicKey)),
  );
}

const encipherment = (signer: Signer): 'keyEncipherment'[] =>
  readPublicKey(signer.publicKey).type === 'rsa' ? ['keyEncipherment'] : [];

/** What {@link openCa} needs. */
export interface OpenCaOptions {
  readonly certificate: Uint8Array;
  /** PKCS#8 DER. Give this or `signer`. */
  readonly privateKey?: PrivateKeyInput;
  readonly signer?: Signer;
  readonly chain?: readonly Uint8Array[];
  readonly clock: Clock;
  readonly random?: RandomSource;
  /** CRL addresses put into issued certificates, preferred first. */
  readonly crlUrls?: readonly string[];
  readonly ocspUrls?: readonly string[];
  readonly issuerUrls?: readonly string[];
}

/** This package's own authority: its key is at hand. */
export type LocalAuthority = CertificateAuthority & Required<Pick<CertificateAuthority, 'signer' | 'test'>>;

/**
 * Opens an authority: a root or an intermediate one.
 *
 * @throws PkiError `pki.ca.not_a_ca`, `pki.ca.key_mismatch`, `pki.ca.chain`, `pki.ca.no_key`.
 */
export async function openCa(options: OpenCaOptions): Promise<LocalAuthority> {
  const { clock, random } = options;
  const own = parseCertificate(options.certificate);
  const signer = options.signer ?? (options.privateKey === undefined ? null : localSigner(options.privateKey));
  if (!signer) throw new PkiError('pki.ca.no_key', 'an authority needs its private key or a signer');
  if (Buffer.compare(Buffer.from(signer.publicKey), own.spki) !== 0) {
    throw new PkiError('pki.ca.key_mismatch', 'the private key does not belong to the certificate of the authority');
  }
  const ownExtension = (id: string): Uint8Array | undefined => own.extensions.find((item) => item.oid === id)?.value;
  const constraints = ownExtension(oids.basicConstraints);
  const ownConstraints = constraints ? readBasicConstraints(constraints) : { ca: false };
  const usage = ownExtension(oids.keyUsage);
  if (!ownConstraints.ca || (usage && !readKeyUsage(usage).includes('keyCertSign'))) {
    throw new PkiError('pki.ca.not_a_ca', 'the certificate is not one of a certificate authority');
  }
  const chain = (options.chain ?? []).map((der) => Uint8Array.from(der));
  checkChain(
    own,
    chain.map((der) => parseCertificate(der)),
  );
  const skid = ownExtension(oids.subjectKeyIdentifier);
  const issuerKeyId = skid ? readSubjectKeyIdentifier(skid) : keyIdentifier(own.spki);
  const ownKey = readPublicKey(signer.publicKey);

  return {
    certificate: Uint8Array.from(own.der),
    chain,
    signer,
    test: () => probe(own, signer, timeOf(clock)),
    async issue(request) {
      const template = resolveTemplate(request.template);
      // With a public key the CSR was read before, by whoever is asking.
      const csr = request.csr === undefined || request.publicKey ? null : readCsr(request.csr);
      const publicKey = csr?.publicKey ?? request.publicKey;
      if (!publicKey) throw new PkiError('pki.ca.no_public_key', 'a request needs a public key or a CSR');
      const key = readPublicKey(publicKey);
      if (key.type === 'rsa' && key.bits < (template.minRsaBits ?? 2048)) {
        throw new PkiError('pki.key.weak', `the template asks for RSA keys of ${template.minRsaBits ?? 2048} bits`);
      }
      const subject = request.subject ?? csr?.subjectDer;
      if (subject === undefined) throw new PkiError('pki.name.invalid', 'a request needs a subject');
      const sans = request.sans ?? [];
      if (template.requireSans && sans.length === 0) {
        throw new PkiError('pki.san.missing', 'the template asks for at least one alternative name');
      }
      const subjectDer = encodeName(subject);
      if (subjectDer.length === 2 && sans.length === 0) {
        throw new PkiError('pki.name.invalid', 'a certificate needs a subject or an alternative name');
      }
      if (template.basicConstraints?.ca && ownConstraints.pathLength === 0) {
        throw new PkiError('pki.ca.path_length', 'this authority may not issue authorities');
      }
      const validity = validityOf(
        own,
        timeOf(clock),
        request.validityDays ?? template.validityDays ?? 365,
        template.clampToCa ?? true,
      );
      const wantedDays = request.validityDays ?? template.validityDays ?? 365;
      const left = (own.notAfter - timeOf(clock)) / DAY_MS;
      if (left < Math.min(template.minValidityDays ?? 0, wantedDays)) {
        throw new PkiError('pki.ca.ending', `the authority ends in ${Math.floor(left)} days`, {
          kind: 'unavailable',
          remedy: 'Let the next authority take over; see rolloverPlan.',
        });
      }
      // keyEncipherment means key transport: only RSA keys can do it.
      const usages = template.keyUsage.filter((name) => key.type === 'rsa' || name !== 'keyEncipherment');
      const extensions: Extension[] = [
        basicConstraints(template.basicConstraints ?? { ca: false }),
        keyUsage(usages),
        subjectKeyIdentifier(keyIdentifier(publicKey)),
        authorityKeyIdentifier(issuerKeyId),
      ];
      if (template.extendedKeyUsage.length > 0) extensions.push(extendedKeyUsage(template.extendedKeyUsage));
      if (sans.length > 0) extensions.push(subjectAltName(encodeGeneralNames(sans), subjectDer.length === 2));
      if (options.crlUrls?.length) extensions.push(crlDistributionPoints(options.crlUrls));
      if (options.ocspUrls?.length || options.issuerUrls?.length) {
        extensions.push(authorityInfoAccess(options.ocspUrls ?? [], options.issuerUrls ?? []));
      }
      for (const extra of [...(template.extensions ?? []), ...(request.extensions ?? [])]) {
        if (extensions.some((item) => item.oid === extra.oid)) {
          throw new PkiError('pki.ca.extension', `the extension ${extra.oid} is already set`);
        }
        extensions.push(extra);
      }
      return signCertificate(
        {
          serial: request.serial === undefined ? newSerial(random) : checkedSerial(request.serial),
          issuerDer: own.subjectDer,
          subjectDer,
          publicKey,
          ...validity,
          extensions,
        },
        signer,
        template.hash ?? defaultHash(ownKey),
      );
    },
  };
}

/** Signs something that is no certificate: an HSM may have lost the key since the authority was opened. */
async function probe(own: ParsedCertificate, signer: Signer, now: number): Promise<void> {
  if (!(now >= own.notBefore && now < own.notAfter)) throw notValidNow();
  const data = Buffer.from('espalier: is the key of this authority at hand?');
  const key = readPublicKey(signer.publicKey);
  const hash = defaultHash(key);
  let signature: Uint8Array;
  try {
    signature = await signer.sign(data, hash);
  } catch (cause) {
    throw new PkiError('pki.ca.signer', 'the key of the authority cannot be used now', { kind: 'unavailable', cause });
  }
  const family = key.type === 'rsa' ? 'rsa' : 'ecdsa';
  if (!verifySignature({ family, hash }, own.key(), data, signature)) {
    throw new PkiError('pki.ca.signer', 'the signer does not sign with the key of the authority', { kind: 'internal' });
  }
}

const notValidNow = (): PkiError =>
  new PkiError('pki.ca.expired', 'the certificate of the authority is not valid now', { kind: 'unavailable' });

/** A root (or any chain's last member) may be left out; what is given must fit together. */
function checkChain(own: ParsedCertificate, chain: readonly ParsedCertificate[]): void {
  let last = own;
  for (const issuer of chain) {
    if (Buffer.compare(last.issuerDer, issuer.subjectDer) !== 0 || !isSignedBy(last, issuer, { allowSha1: true })) {
      throw new PkiError('pki.ca.chain', 'the chain is not in order: each certificate must be issued by the next one');
    }
    last = issuer;
  }
}

const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

function validityOf(
  ca: ParsedCertificate,
  nowMs: number,
  days: number,
  clamp: boolean,
): { notBefore: number; notAfter: number } {
  if (!(days > 0 && days <= 36_500)) {
    throw new PkiError('pki.ca.validity', 'a certificate is valid for more than 0 and at most 36500 days');
  }
  const now = wholeSeconds(nowMs);
  if (!(now >= ca.notBefore && now < ca.notAfter)) throw notValidNow();
  const wanted = now + Math.round((days * DAY_MS) / 1000) * 1000;
  if (!clamp && wanted > ca.notAfter) {
    throw new PkiError('pki.ca.validity', 'the certificate would outlive its authority', { kind: 'unavailable' });
  }
  return { notBefore: Math.max(now - backdateMs, ca.notBefore), notAfter: Math.min(wanted, ca.notAfter) };
}

/** A random positive serial number of 127 bits. */
function newSerial(random: RandomSource = randomBytes): Uint8Array {
  for (let attempt = 0; attempt < 8; attempt++) {
    const serial = Uint8Array.from(random(16));
    serial[0]! &= 0x7f;
    if (serial.length === 16 && serial.some((byte) => byte !== 0)) return serial;
  }
  throw new PkiError('pki.random.broken', 'the random source gives only zeros', { kind: 'internal' });
}

function checkedSerial(serial: Uint8Array): Uint8Array {
  const hex = serialHex(serial);
  if (serial.length < 1 || serial.length > 20 || /^0*$/.test(hex) || serial[0]! >= 0x80) {
    throw new PkiError('pki.ca.serial', 'a serial number is positive and has at most 159 bits');
  }
  return serial;
}
