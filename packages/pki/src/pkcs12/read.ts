// Reading PKCS#12 files (RFC 7292).
import { timingSafeEqual } from 'node:crypto';
import { implicitOctets, parseLenient } from '../cms/types.ts';
import { type DerNode, DerReader, encodingOf, expectTag, openRoot, readRoot } from '../der/reader.ts';
import { isStringTag, stringOf } from '../der/strings.ts';
import { context, contextPrimitive, INTEGER, OCTET_STRING, SEQUENCE, SET } from '../der/tags.ts';
import { PkiError } from '../errors.ts';
import { readDigest } from '../keys/algorithms.ts';
import { importPrivateKey, publicKeyOf } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { bmpPassword, type IterationBudget, pkcs12Mac, spend } from './kdf.ts';
import { pbeDecrypt, wrongPassword } from './pbe.ts';

/** How much a file may cost. */
export interface Pkcs12Limits {
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** Hash iterations in all (ten of PBKDF2 count as one). Default 300,000. */
  readonly maxIterations?: number;
}

/** An identity out of a PKCS#12 file. */
export interface Pkcs12Identity {
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
  /** The certificate of that key, DER. */
  readonly certificate: Uint8Array;
  /** All other certificates in the file, DER. */
  readonly chain: readonly Uint8Array[];
  readonly friendlyName: string | undefined;
}

const maxBags = 128;

interface Found {
  readonly keys: { readonly der: Uint8Array; readonly name: string | undefined }[];
  readonly certificates: Uint8Array[];
}

/**
 * Reads a PKCS#12 file that holds exactly one private key. PBES2 (AES), and the older triple DES and RC2 are understood.
 *
 * @throws PkiError `pki.pkcs12.password` (wrong password, or damaged), `pki.pkcs12.no_key`, `pki.pkcs12.many_keys`,
 * `pki.pkcs12.no_certificate`, `pki.pkcs12.no_mac`, `pki.pkcs12.too_costly`, `pki.algorithm.unsupported`, `pki.der.*`.
 */
export async function readPkcs12(
  pfx: Uint8Array,
  password: string,
  limits: Pkcs12Limits = {},
): Promise<Pkcs12Identity> {
  const { maxBytes = 1024 * 1024, maxIterations = 300_000 } = limits;
  const budget: IterationBudget = { left: maxIterations };
  const { authSafe, mac } = parseLenient(pfx, maxBytes, readFrame);
  if (!mac) {
    throw new PkiError('pki.pkcs12.no_mac', 'the file is not protected by its password', {
      remedy: 'Export it again with password integrity.',
    });
  }
  spend(budget, mac.iterations * 2);
  // Some programs take an empty password for no bytes, others for the final zero alone.
  const secrets = password === '' ? [bmpPassword(''), new Uint8Array()] : [bmpPassword(password)];
  const right = secrets.some((secret) => {
    const actual = pkcs12Mac(mac.hash, secret, mac.salt, mac.iterations, authSafe);
    return actual.length === mac.digest.length && timingSafeEqual(actual, mac.digest);
  });
  if (!right) throw wrongPassword();

  const found: Found = { keys: [], certificates: [] };
  const contents = parseLenient(authSafe, maxBytes, (der) => openRoot(der).rest(16));
  for (const node of contents) {
    const safe = await openSafe(node, password, budget);
    const bags = parseLenient(safe, maxBytes, (der) => new DerReader(readRoot(der, SEQUENCE)).rest(maxBags));
    for (const bag of bags) await readBag(bag, password, budget, found);
  }
  return pair(found);
}

interface Frame {
  readonly authSafe: Uint8Array;
  readonly mac: ReturnType<typeof readMac> | null;
}

function readFrame(der: Uint8Array): Frame {
  const reader = openRoot(der);
  if (reader.smallInt() !== 3) throw new PkiError('pki.pkcs12.invalid', 'an unknown version of PKCS#12');
  const content = reader.sequence();
  if (content.oid() !== oids.data) {
    throw new PkiError('pki.algorithm.unsupported', 'only password integrity is supported, not signatures');
  }
  const box = content.enter(context(0));
  const authSafe = box.octets();
  const macNode = reader.optional(SEQUENCE);
  reader.finish();
  return { authSafe, mac: macNode && readMac(macNode) };
}

function readMac(node: DerNode) {
  const reader = new DerReader(node);
  const info = reader.sequence();
  const hash = readDigest(info.next(SEQUENCE));
  const digest = info.octets();
  const salt = reader.octets();
  const iterations = reader.peek() === INTEGER ? reader.smallInt() : 1;
  reader.finish();
  return { hash, digest, salt, iterations };
}

/** The SafeContents of one ContentInfo: plain or encrypted. */
async function openSafe(node: DerNode, password: string, budget: IterationBudget): Promise<Uint8Array> {
  const reader = new DerReader(node);
  const type = reader.oid();
  const box = reader.enter(context(0));
  if (type === oids.data) return box.octets();
  if (type !== oids.encryptedData) {
    throw new PkiError('pki.algorithm.unsupported', `content of type ${type} in a PKCS#12 file`);
  }
  const data = box.sequence();
  data.smallInt();
  const content = data.sequence();
  content.oid();
  const algorithm = content.next(SEQUENCE);
  const encrypted = content.optional(contextPrimitive(0)) ?? content.next(context(0));
  return pbeDecrypt(algorithm, password, implicitOctets(encrypted), budget);
}

async function readBag(node: DerNode, password: string, budget: IterationBudget, found: Found): Promise<void> {
  const reader = new DerReader(node);
  const type = reader.oid();
  const value = reader.enter(context(0));
  const name = friendlyName(reader.optional(SET));
  if (type === oids.pkcs12CertBag) {
    const bag = value.sequence();
    if (bag.oid() !== oids.x509Certificate) return; // SDSI certificates are history
    found.certificates.push(Uint8Array.from(bag.enter(context(0)).octets()));
  } else if (type === oids.pkcs12KeyBag) {
    found.keys.push({ der: Uint8Array.from(encodingOf(value.next(SEQUENCE))), name });
  } else if (type === oids.pkcs12ShroudedKeyBag) {
    const shrouded = value.sequence();
    const algorithm = shrouded.next(SEQUENCE);
    const ciphertext = shrouded.next();
    if ((ciphertext.tag & ~0x20) !== OCTET_STRING) expectTag(ciphertext, OCTET_STRING);
    // pkijs, for one, cuts long keys into pieces.
    const der = await pbeDecrypt(algorithm, password, implicitOctets(ciphertext), budget);
    found.keys.push({ der: Uint8Array.from(der), name });
  }
  if (found.keys.length + found.certificates.length > maxBags) {
    throw new PkiError('pki.pkcs12.invalid', `more than ${maxBags} keys and certificates`);
  }
}

function friendlyName(attributes: DerNode | null): string | undefined {
  if (!attributes) return undefined;
  for (const node of new DerReader(attributes).rest(32)) {
    const attribute = new DerReader(node);
    if (attribute.oid() !== oids.friendlyName) continue;
    const values = attribute.set();
    if (values.done || !isStringTag(values.peek())) continue;
    return stringOf(values.next());
  }
  return undefined;
}

function pair({ keys, certificates }: Found): Pkcs12Identity {
  const [key, ...others] = keys;
  if (!key) throw new PkiError('pki.pkcs12.no_key', 'there is no private key in the file');
  if (others.length > 0) {
    throw new PkiError('pki.pkcs12.many_keys', `there are ${keys.length} private keys in the file`, {
      remedy: 'Export one identity at a time.',
    });
  }
  const publicKey = publicKeyOf(importPrivateKey(key.der));
  const index = certificates.findIndex((der) => Buffer.compare(parseCertificate(der).spki, publicKey) === 0);
  const certificate = certificates[index];
  if (!certificate) {
    throw new PkiError('pki.pkcs12.no_certificate', 'there is no certificate for the private key in the file');
  }
  const chain = certificates.filter((_, i) => i !== index);
  return { privateKey: key.der, certificate, chain, friendlyName: key.name };
}
