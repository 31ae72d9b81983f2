// CMS EnvelopedData (RFC 5652, 6) with RSA key transport.
import { constants, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import type { RandomSource } from '../clock.ts';
import { contentOf, type DerNode, DerReader, derError, encodingOf, integerOf } from '../der/reader.ts';
import { context, contextPrimitive, INTEGER, OCTET_STRING, SEQUENCE, SET } from '../der/tags.ts';
import { type Bytes, explicit, integer, nullValue, octets, oid, sequence, set, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { digestIdentifier, type HashName, readDigest } from '../keys/algorithms.ts';
import { importPrivateKey, type PrivateKeyInput } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import { parseCertificateCached } from '../x509/cache.ts';
import { extensionOf, type ParsedCertificate } from '../x509/certificate.ts';
import { readSubjectKeyIdentifier } from '../x509/extensions.ts';
import {
  type AnyCipher,
  type CipherChoice,
  type ContentCipher,
  cipherIdentifier,
  ciphers,
  decryptContent,
  decryptionFailed,
  encryptContent,
  readCipher,
} from './ciphers.ts';
import { issuerAndSerial } from './signed-write.ts';
import {
  type CmsLimits,
  contentInfo,
  defaultCmsLimits,
  implicitOctets,
  openContentInfo,
  parseLenient,
} from './types.ts';

/** RSA padding of the content key; OAEP uses the hash for its mask, too. */
export type KeyTransport = 'rsa-pkcs1' | 'rsa-oaep-sha1' | 'rsa-oaep-sha256' | 'rsa-oaep-sha384' | 'rsa-oaep-sha512';

/** How to encrypt. */
export interface EncryptCmsOptions {
  /** Certificates of those who shall be able to read it (RSA keys), DER. */
  readonly recipients: readonly Uint8Array[];
  /** Default `aes-256-cbc`. */
  readonly cipher?: ContentCipher;
  /** Default `rsa-pkcs1`, which every Apple system and SCEP peer reads. */
  readonly keyTransport?: KeyTransport;
  readonly random?: RandomSource;
}

const oaepHash = (transport: KeyTransport): HashName | null =>
  transport === 'rsa-pkcs1' ? null : (transport.slice('rsa-oaep-'.length) as HashName);

/**
 * Encrypts content to the holders of RSA certificates.
 *
 * @returns the ContentInfo, DER.
 * @throws PkiError `pki.cms.no_recipient`, `pki.cms.recipient_key` for a certificate without an RSA key.
 */
export function encryptCms(content: Uint8Array, options: EncryptCmsOptions): Bytes {
  return encryptEnvelope(content, options);
}

/** {@link encryptCms} with any cipher, for replies to clients that chose a weak one. */
export function encryptEnvelope(
  content: Uint8Array,
  options: Omit<EncryptCmsOptions, 'cipher'> & { readonly cipher?: AnyCipher },
): Bytes {
  const { recipients, cipher = 'aes-256-cbc', keyTransport = 'rsa-pkcs1', random = randomBytes } = options;
  if (recipients.length === 0) throw new PkiError('pki.cms.no_recipient', 'there is nobody to encrypt to');
  const key = random(ciphers[cipher].keyBytes);
  const choice: CipherChoice = { cipher, iv: random(ciphers[cipher].block) };
  const infos = recipients.map((der) => recipientInfo(parseCertificateCached(der), key, keyTransport));
  const encrypted = encryptContent(choice, key, content);
  return contentInfo(
    oids.envelopedData,
    sequence(
      integer(0),
      set(...infos),
      sequence(oid(oids.data), cipherIdentifier(choice), tlv(contextPrimitive(0), encrypted)),
    ),
  );
}

function recipientInfo(certificate: ParsedCertificate, contentKey: Uint8Array, transport: KeyTransport): Bytes {
  const facts = certificate.keyFacts();
  if (facts.type !== 'rsa') {
    throw new PkiError('pki.cms.recipient_key', 'only certificates with RSA keys can be encrypted to');
  }
  const hash = oaepHash(transport);
  const key = certificate.key();
  const encrypted = hash
    ? publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, contentKey)
    : publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, contentKey);
  const algorithm = hash
    ? sequence(
        oid(oids.rsaesOaep),
        hash === 'sha1'
          ? sequence()
          : sequence(
              explicit(0, digestIdentifier(hash)),
              explicit(1, sequence(oid(oids.mgf1), digestIdentifier(hash))),
            ),
      )
    : sequence(oid(oids.rsaEncryption), nullValue());
  return sequence(integer(0), issuerAndSerial(certificate), algorithm, octets(encrypted));
}

/** One RSA recipient of an envelope. */
export interface Recipient {
  readonly issuerDer: Uint8Array | null;
  readonly serial: Uint8Array | null;
  readonly keyIdentifier: Uint8Array | null;
  readonly transport: KeyTransport;
  readonly encryptedKey: Uint8Array;
}

/** A parsed EnvelopedData. */
export interface Envelope {
  readonly recipients: readonly Recipient[];
  readonly choice: CipherChoice;
  readonly ciphertext: Uint8Array;
}

/** Parses an EnvelopedData ContentInfo (DER or BER). */
export function parseEnvelope(input: Uint8Array, limits: CmsLimits = {}): Envelope {
  const { maxBytes, maxParties } = { ...defaultCmsLimits, ...limits };
  return parseLenient(input, maxBytes, (der) => {
    const reader = openContentInfo(der, oids.envelopedData);
    if (reader.smallInt() > 4) throw derError('an unknown version of EnvelopedData', reader.offset);
    reader.optional(context(0)); // originatorInfo
    const recipients: Recipient[] = [];
    for (const node of new DerReader(reader.next(SET)).rest(maxParties)) {
      // Other kinds (key agreement, passwords) carry context tags; they are not for us.
      if (node.tag === SEQUENCE) recipients.push(readRecipient(node));
    }
    const content = reader.sequence();
    content.oid();
    const choice = readCipher(content.next(SEQUENCE));
    const node = content.optional(contextPrimitive(0)) ?? content.optional(context(0));
    content.finish();
    if (!node) throw new PkiError('pki.cms.no_content', 'the encrypted content is not in the message');
    reader.optional(context(1));
    reader.finish();
    return { recipients, choice, ciphertext: implicitOctets(node) };
  });
}

function readRecipient(node: DerNode): Recipient {
  const reader = new DerReader(node);
  reader.smallInt();
  const byKey = reader.optional(contextPrimitive(0));
  let issuerDer: Uint8Array | null = null;
  let serial: Uint8Array | null = null;
  if (!byKey) {
    const id = reader.sequence();
    issuerDer = encodingOf(id.next(SEQUENCE));
    serial = integerOf(id.next(INTEGER));
    id.finish();
  }
  const transport = readTransport(reader.next(SEQUENCE));
  const encryptedKey = contentOf(reader.next(OCTET_STRING));
  reader.finish();
  return { issuerDer, serial, keyIdentifier: byKey && contentOf(byKey), transport, encryptedKey };
}

function readTransport(node: DerNode): KeyTransport {
  const reader = new DerReader(node);
  const id = reader.oid();
  if (id === oids.rsaEncryption) return 'rsa-pkcs1';
  const unsupported = (what: string): PkiError =>
    new PkiError('pki.algorithm.unsupported', what, { at: { offset: node.start } });
  if (id !== oids.rsaesOaep) throw unsupported(`key transport ${id} is not supported`);
  let hash: HashName = 'sha1';
  let mask: HashName = 'sha1';
  if (!reader.done) {
    const parameters = reader.sequence();
    const hashField = parameters.optional(context(0));
    if (hashField) hash = readDigest(new DerReader(hashField).next(SEQUENCE));
    const maskField = parameters.optional(context(1));
    if (maskField) {
      const algorithm = new DerReader(maskField).sequence();
      if (algorithm.oid() !== oids.mgf1) throw unsupported('an OAEP mask other than MGF1');
      mask = readDigest(algorithm.next(SEQUENCE));
    }
    if (!parameters.done) throw unsupported('OAEP with a label');
  }
  if (hash !== mask) throw unsupported('OAEP with two different hashes');
  return `rsa-oaep-${hash}`;
}

/** The recipient that a certificate stands for. */
export function findRecipient(envelope: Envelope, certificate: ParsedCertificate): Recipient {
  const found = recipientOf(envelope, certificate);
  if (found !== undefined) return found;
  throw new PkiError('pki.cms.not_a_recipient', 'the message is not encrypted to this certificate');
}

/** The entry for a certificate, where there is one. */
export function recipientOf(envelope: Envelope, certificate: ParsedCertificate): Recipient | undefined {
  const id = extensionOf(certificate, oids.subjectKeyIdentifier);
  const own = id && readSubjectKeyIdentifier(id);
  return envelope.recipients.find((recipient) =>
    recipient.keyIdentifier
      ? own !== undefined && Buffer.compare(own, recipient.keyIdentifier) === 0
      : Buffer.compare(recipient.serial!, certificate.serial) === 0 &&
        Buffer.compare(recipient.issuerDer!, certificate.issuerDer) === 0,
  );
}

/**
 * Decrypts an envelope's content once its key was (or was not) recovered. A missing key, or one of a wrong length, is
 * replaced by a random one, so that all failures take the same way to the same error (RFC 3218).
 */
export function openEnvelope(
  envelope: Envelope,
  contentKey: Uint8Array | null,
  random: RandomSource = randomBytes,
): Bytes {
  const size = ciphers[envelope.choice.cipher].keyBytes;
  const substitute = random(size);
  const key = contentKey?.length === size ? contentKey : substitute;
  return decryptContent(envelope.choice, key, envelope.ciphertext);
}

/** Recovers the content key natively; null when that fails. */
function unwrapKey(recipient: Recipient, privateKey: PrivateKeyInput): Uint8Array | null {
  const key = importPrivateKey(privateKey);
  if (key.asymmetricKeyType !== 'rsa') throw decryptionFailed();
  const hash = oaepHash(recipient.transport);
  try {
    return hash
      ? privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, recipient.encryptedKey)
      : privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, recipient.encryptedKey);
  } catch {
    return null;
  }
}

/**
 * Decrypts a CMS EnvelopedData with an RSA identity.
 *
 * @throws PkiError `pki.cms.not_a_recipient`, `pki.cms.wrong_type`, `pki.algorithm.unsupported`, `pki.der.*`; and one
 * `pki.cms.decrypt_failed` for whatever fails in the cryptography, so that the error is no oracle.
 */
export function decryptCms(
  cms: Uint8Array,
  options: {
    readonly certificate: Uint8Array;
    readonly privateKey: PrivateKeyInput;
    readonly limits?: CmsLimits;
    /** Accept single DES. Default false. */
    readonly allowDes?: boolean;
  },
): Bytes {
  const envelope = parseEnvelope(cms, options.limits);
  if (envelope.choice.cipher === 'des' && options.allowDes !== true) {
    throw new PkiError('pki.algorithm.weak', 'the message is encrypted with single DES');
  }
  const recipient = findRecipient(envelope, parseCertificateCached(options.certificate));
  return openEnvelope(envelope, unwrapKey(recipient, options.privateKey));
}
