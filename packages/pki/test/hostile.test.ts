// Input made to hurt: every case must end in a typed refusal, at once, and failures of secret operations must look alike.
import {
  constants,
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  sign as nativeSign,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { encryptEnvelope } from '../src/cms/enveloped.ts';
import { attribute, signCmsWith } from '../src/cms/signed-write.ts';
import { contentInfo } from '../src/cms/types.ts';
import { normaliseBer } from '../src/der/ber.ts';
import { bitString, explicit, integer, octets, oid, printable, sequence, set, setOf, tlv } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  createCsr,
  createMemoryScepStore,
  createScepServer,
  decryptCms,
  encryptCms,
  fromPem,
  generateKeyPair,
  type Identity,
  localSigner,
  type MemoryScepStore,
  oids,
  PkiError,
  readCertificate,
  readCsr,
  readPem,
  type ScepEvent,
  type ScepServer,
  type ScepServerOptions,
  signCms,
  verifyCms,
  verifyMdmSignature,
  verifyTrust,
} from '../src/index.ts';
import { parseScepMessage } from '../src/scep/message.ts';
import { signCertificate } from '../src/x509/build.ts';
import { encodeName } from '../src/x509/name.ts';
import { clock, codeOf, now, testCa } from './support.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
const url = 'http://scep.test/scep?operation=PKIOperation';
const body = Buffer.from('the body');

let root: Identity;
let ca: CertificateAuthority;
let device: Identity;
let ecDevice: Identity;
let requester: { publicKey: Uint8Array; privateKey: Uint8Array };
let selfSigned: Uint8Array;
beforeAll(async () => {
  ({ root, ca } = await testCa());
  device = await identity('CN=device');
  const pair = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({ publicKey: pair.publicKey, subject: 'CN=ec', template: 'device' });
  ecDevice = { certificate: Uint8Array.from(certificate), privateKey: pair.privateKey };
  requester = await generateKeyPair();
  selfSigned = await selfSign(requester);
  // Warm up: the limit is on the work, not on the first compilation of it.
  verifyMdmSignature(Buffer.from(signCms(body, { ...device, detached: true })).toString('base64'), body);
});

async function identity(subject: string): Promise<Identity> {
  const { publicKey, privateKey } = await generateKeyPair();
  const certificate = await ca.issue({ publicKey, subject, template: 'device' });
  return { certificate: Uint8Array.from(certificate), privateKey };
}

function selfSign(pair: { publicKey: Uint8Array; privateKey: Uint8Array }, publicKey: Uint8Array = pair.publicKey) {
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
function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Runs an action that must fail with a PkiError within 100 ms; gives its code. */
function refused(action: () => unknown): string {
  const started = process.cpuUsage();
  const code = codeOf(action);
  expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
  expect(code).not.toBe('no error');
  return code;
}

const long = (tagOctet: number, length: number): Uint8Array =>
  Uint8Array.of(tagOctet, 0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
const nested = (depth: number, head: number[]): Uint8Array =>
  Uint8Array.from(Array.from({ length: depth }, () => head).flat());

/** An RSA SubjectPublicKeyInfo with any numbers. */
const rsaSpki = (modulus: Uint8Array, exponent: Uint8Array): Uint8Array =>
  sequence(
    sequence(oid(oids.rsaEncryption), Uint8Array.of(5, 0)),
    bitString(sequence(integer(modulus), integer(exponent))),
  );
const odd = (bytes: number): Uint8Array => {
  const out = new Uint8Array(bytes).fill(0xff);
  out[bytes - 1] = 0xfb;
  return out;
};
const e3 = Uint8Array.of(1, 0, 1);

describe('encodings', () => {
  const cases: [string, () => Uint8Array, RegExp][] = [
    ['nothing', () => new Uint8Array(), /^pki\.der\.invalid$/],
    ['one byte', () => Uint8Array.of(0x30), /^pki\.der\.invalid$/],
    ['a length of 4 GiB', () => long(0x30, 0xffffffff), /^pki\.der\.invalid$/],
    ['a length of 2 GiB', () => long(0x30, 0x7fffffff), /^pki\.der\.invalid$/],
    ['a length field of 126 bytes', () => Uint8Array.of(0x30, 0xfe, ...new Uint8Array(126).fill(1)), /invalid$/],
    ['a length field of 8 bytes', () => Uint8Array.of(0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 2, 5, 0), /invalid$/],
    ['a length that is not the shortest', () => Uint8Array.of(0x30, 0x81, 0x00), /^pki\.der\./],
    ['a reserved length', () => Uint8Array.of(0x30, 0xff), /^pki\.der\.invalid$/],
    ['multi-byte tags without end', () => new Uint8Array(60_000).fill(0x9f), /^pki\.der\.invalid$/],
    ['bytes after the end', () => Uint8Array.from([...device.certificate, 0]), /^pki\.der\.invalid$/],
    ['10,000 nested definite values', () => nested(5000, [0x30, 0x80]), /^pki\.der\./],
    ['an indefinite length without end', () => Uint8Array.of(0x30, 0x80, 0x02, 0x01, 0x01), /^pki\.der\./],
    ['an indefinite primitive', () => Uint8Array.of(0x30, 0x80, 0x04, 0x80, 0, 0, 0, 0), /^pki\.der\./],
    ['only end-of-contents', () => new Uint8Array(60_000), /^pki\.der\./],
  ];
  it.each(cases)('refuses %s as certificate, CSR, signature and envelope', (_, make, code) => {
    const input = make();
    expect(refused(() => readCertificate(input))).toMatch(code);
    expect(refused(() => readCsr(input))).toMatch(code);
    expect(refused(() => verifyCms(input))).toMatch(/^pki\.(der|cms)\./);
    expect(refused(() => decryptCms(input, device))).toMatch(/^pki\.(der|cms)\./);
    expect(refused(() => verifyMdmSignature(Buffer.from(input).toString('base64'), body))).toMatch(/^pki\./);
  });

  it('bounds depth, number of values and size when it normalises BER', () => {
    expect(refused(() => normaliseBer(nested(2000, [0x30, 0x80])))).toBe('pki.der.too_deep');
    const wide = new Uint8Array(500_002);
    wide.set([0x30, 0x80]);
    for (let i = 2; i < 500_000; i += 2) wide.set([0x05, 0x00], i);
    expect(refused(() => normaliseBer(wide))).toBe('pki.der.too_large');
    const limits = { maxBytes: 100, maxDepth: 32, maxNodes: 100 };
    expect(refused(() => normaliseBer(new Uint8Array(101), limits))).toBe('pki.der.too_large');
    expect(refused(() => normaliseBer(Uint8Array.of(0x24, 0x80, 0x02, 1, 1, 0, 0)))).toBe('pki.der.invalid');
  });

  it('refuses inputs that are too large before it reads them', () => {
    expect(refused(() => readCertificate(new Uint8Array(70_000)))).toBe('pki.certificate.too_large');
    expect(refused(() => readCsr(new Uint8Array(70_000)))).toBe('pki.csr.too_large');
    expect(refused(() => verifyCms(new Uint8Array(2000), { limits: { maxBytes: 1000 } }))).toBe('pki.cms.too_large');
    expect(refused(() => readPem('-'.repeat(17_000_000)))).toBe('pki.pem.too_large');
  });

  it('refuses what is no bytes at all', () => {
    for (const value of [null, undefined, 'text', 7, {}, []]) {
      // biome-ignore lint/suspicious/noExplicitAny: what a JavaScript caller may pass
      const input = value as any;
      expect(refused(() => readCertificate(input))).toMatch(/^pki\./);
      expect(refused(() => readCsr(input))).toMatch(/^pki\./);
      expect(refused(() => verifyCms(input))).toMatch(/^pki\./);
      expect(refused(() => decryptCms(input, device))).toMatch(/^pki\./);
      expect(refused(() => verifyMdmSignature(input, body))).toMatch(/^pki\./);
    }
  });

  it.each([
    ['-----BEGIN CERTIFICATE-----', 'pki.pem.invalid'],
    ['-----BEGIN CERTIFICATE-----\nAAAA', 'pki.pem.invalid'],
    ['-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----', 'pki.pem.invalid'],
    ['-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----', 'pki.pem.invalid'],
    ['-----BEGIN A-----\nAAAA\n-----END B-----', 'pki.pem.invalid'],
    [`-----BEGIN ${'A'.repeat(1000)}-----`, 'pki.pem.invalid'],
    ['no PEM here', 'pki.pem.missing'],
  ])('refuses the PEM %.30j', (text, code) => {
    expect(refused(() => fromPem(text))).toBe(code);
  });
});

describe('keys', () => {
  const cases: [string, () => Uint8Array, string][] = [
    ['an RSA key of 65,536 bits', () => rsaSpki(odd(8192), e3), 'pki.key.too_large'],
    ['an RSA key of 16,384 bits', () => rsaSpki(odd(2048), e3), 'pki.key.too_large'],
    ['an RSA exponent of 2048 bits', () => rsaSpki(odd(256), odd(256)), 'pki.key.too_large'],
    ['an RSA key of 512 bits', () => rsaSpki(odd(64), e3), 'pki.key.weak'],
    ['an even RSA modulus', () => rsaSpki(new Uint8Array(256).fill(0xfe), e3), 'pki.key.weak'],
    ['the exponent 1', () => rsaSpki(odd(256), Uint8Array.of(1)), 'pki.key.weak'],
    ['an even exponent', () => rsaSpki(odd(256), Uint8Array.of(4)), 'pki.key.weak'],
    ['a modulus of zero', () => rsaSpki(new Uint8Array(1), e3), 'pki.key.weak'],
    [
      'a curve spelled out',
      () => sequence(sequence(oid(oids.ecPublicKey), sequence(integer(1))), bitString(new Uint8Array(65).fill(4))),
      'pki.key.unsupported',
    ],
    [
      'an unknown curve',
      () => sequence(sequence(oid(oids.ecPublicKey), oid('1.3.132.0.10')), bitString(new Uint8Array(65).fill(4))),
      'pki.key.unsupported',
    ],
    [
      'a point that is not on the curve',
      () => sequence(sequence(oid(oids.ecPublicKey), oid(oids.p256)), bitString(new Uint8Array(65).fill(4))),
      'pki.key.invalid',
    ],
    [
      'a compressed point',
      () => sequence(sequence(oid(oids.ecPublicKey), oid(oids.p256)), bitString(new Uint8Array(33).fill(2))),
      'pki.key.invalid',
    ],
    [
      'another algorithm',
      () => sequence(sequence(oid('1.2.840.10040.4.1')), bitString(new Uint8Array(9))),
      'pki.key.unsupported',
    ],
  ];

  it.each(cases)('refuses %s in a signer, a CSR and an issuer', async (_, make, code) => {
    const spki = make();
    const certificate = await selfSign(requester, spki);
    const cms = resign(certificate);
    expect(refused(() => verifyCms(cms))).toBe(code);
    expect(refused(() => verifyTrust(device.certificate, { anchors: [renamed(spki)], now }))).toBe(
      'pki.trust.not_a_ca',
    );
    const csr = sequence(
      sequence(integer(0), encodeName('CN=x'), spki, tlv(0xa0)),
      sequence(oid(oids.sha256WithRsa), Uint8Array.of(5, 0)),
      bitString(new Uint8Array(256)),
    );
    expect(refused(() => readCsr(csr))).toBe(code);
  });

  let renamedCache: Uint8Array;
  function renamed(spki: Uint8Array): Uint8Array {
    renamedCache = sequence(
      sequence(
        explicit(0, integer(2)),
        integer(1),
        sequence(oid(oids.sha256WithRsa), Uint8Array.of(5, 0)),
        readCertificate(root.certificate).subjectDer,
        sequence(tlv(0x17, Buffer.from('250101000000Z')), tlv(0x17, Buffer.from('350101000000Z'))),
        readCertificate(root.certificate).subjectDer,
        spki,
      ),
      sequence(oid(oids.sha256WithRsa), Uint8Array.of(5, 0)),
      bitString(new Uint8Array(256)),
    );
    return renamedCache;
  }

  /** A SignedData that names `certificate` as its signer. */
  function resign(certificate: Uint8Array): Uint8Array {
    const id = sequence(encodeName('CN=self'), integer(1));
    const digest = sequence(oid(oids.sha256), Uint8Array.of(5, 0));
    const info = sequence(
      ...[integer(1), id, digest, sequence(oid(oids.rsaEncryption), Uint8Array.of(5, 0)), octets(new Uint8Array(256))],
    );
    const content = sequence(oid(oids.data), explicit(0, octets(body)));
    return contentInfo(oids.signedData, sequence(integer(1), set(digest), content, tlv(0xa0, certificate), set(info)));
  }
});

describe('signed messages', () => {
  const digest = sequence(oid(oids.sha256), Uint8Array.of(5, 0));
  const rsaAlgorithm = sequence(oid(oids.rsaEncryption), Uint8Array.of(5, 0));
  const signed = (parts: { info?: Uint8Array[]; certificates?: Uint8Array[]; type?: string }): Uint8Array =>
    contentInfo(
      parts.type ?? oids.signedData,
      sequence(
        integer(1),
        set(digest),
        sequence(oid(oids.data), explicit(0, octets(body))),
        tlv(0xa0, ...(parts.certificates ?? [device.certificate])),
        set(...(parts.info ?? [])),
      ),
    );
  const id = (): Uint8Array => {
    const { issuerDer, serialNumber } = readCertificate(device.certificate);
    return sequence(issuerDer, integer(Buffer.from(serialNumber, 'hex')));
  };
  const info = (
    algorithm: Uint8Array = rsaAlgorithm,
    hash: Uint8Array = digest,
    signature = new Uint8Array(256),
  ): Uint8Array => sequence(integer(1), id(), hash, algorithm, octets(signature));
  const pss = (...parameters: Uint8Array[]): Uint8Array => sequence(oid(oids.rsassaPss), sequence(...parameters));

  const cases: [string, () => Uint8Array, string][] = [
    ['no signer', () => signed({}), 'pki.cms.no_signer'],
    ['17 signers', () => signed({ info: Array.from({ length: 17 }, () => info()) }), 'pki.der.invalid'],
    ['a signature of zeros', () => signed({ info: [info()] }), 'pki.cms.bad_signature'],
    [
      'an empty signature',
      () => signed({ info: [info(rsaAlgorithm, digest, new Uint8Array())] }),
      'pki.cms.bad_signature',
    ],
    [
      'a signature of 1 MB',
      () => signed({ info: [info(rsaAlgorithm, digest, new Uint8Array(1e6))] }),
      'pki.cms.bad_signature',
    ],
    ['MD5', () => signed({ info: [info(rsaAlgorithm, sequence(oid(oids.md5)))] }), 'pki.algorithm.unsupported'],
    [
      'an unknown signature algorithm',
      () => signed({ info: [info(sequence(oid('1.2.3')))] }),
      'pki.algorithm.unsupported',
    ],
    [
      'ECDSA for an RSA key',
      () => signed({ info: [info(sequence(oid(oids.ecdsaWithSha256)))] }),
      'pki.cms.bad_signature',
    ],
    [
      'two different hashes',
      () => signed({ info: [info(sequence(oid(oids.sha512WithRsa)))] }),
      'pki.cms.bad_signature',
    ],
    [
      'PSS with a salt of 2 GiB',
      () => signed({ info: [info(pss(explicit(2, integer(0x7fffffff))))] }),
      'pki.algorithm.unsupported',
    ],
    [
      'PSS with another mask',
      () => signed({ info: [info(pss(explicit(1, sequence(oid('1.2.3'), digest))))] }),
      'pki.algorithm.unsupported',
    ],
    ['PSS with SHA-1 by default', () => signed({ info: [info(pss())] }), 'pki.cms.bad_signature'],
    ['an envelope’s type', () => signed({ info: [info()], type: oids.envelopedData }), 'pki.cms.wrong_type'],
    ['an unknown type', () => signed({ info: [info()], type: '1.2.3.4' }), 'pki.cms.wrong_type'],
    ['another certificate', () => signed({ info: [info()], certificates: [root.certificate] }), 'pki.cms.no_signer'],
    [
      '100 certificates',
      () => signed({ info: [info()], certificates: Array.from({ length: 100 }, () => root.certificate) }),
      'pki.der.invalid',
    ],
    [
      'a certificate that is none',
      () => signed({ info: [info()], certificates: [sequence(integer(1))] }),
      'pki.der.invalid',
    ],
    ['an empty SignedData', () => contentInfo(oids.signedData, sequence()), 'pki.der.invalid'],
    [
      'an object identifier without end',
      () => sequence(tlv(6, new Uint8Array(60).fill(0xff)), explicit(0)),
      'pki.der.invalid',
    ],
    [
      'an object identifier of 10,000 bytes',
      () => sequence(tlv(6, new Uint8Array(10_000).fill(1)), explicit(0)),
      'pki.der.invalid',
    ],
  ];
  it.each(cases)('with %s', (_, make, code) => {
    const input = make();
    expect(refused(() => verifyCms(input))).toBe(code);
    expect(refused(() => verifyMdmSignature(Buffer.from(input).toString('base64').slice(0, 60_000), body))).toMatch(
      /^pki\./,
    );
  });

  it('with attributes that lack, repeat or contradict what they must say', async () => {
    const { certificate } = ecDevice;
    const signer = localSigner(ecDevice.privateKey);
    const type = attribute(oids.contentType, oid(oids.data));
    const make = (attributes: Uint8Array[]) => {
      const content = setOf(attributes);
      return signer.sign(content, 'sha256').then((signature) => {
        const { issuerDer, serialNumber } = readCertificate(certificate);
        const own = Uint8Array.from(content);
        own[0] = 0xa0;
        const signerInfo = sequence(
          ...[integer(1), sequence(issuerDer, integer(Buffer.from(serialNumber, 'hex'))), digest, own],
          ...[sequence(oid(oids.ecdsaWithSha256)), octets(signature)],
        );
        return signed({ info: [signerInfo], certificates: [certificate] });
      });
    };
    const wrongDigest = attribute(oids.messageDigest, octets(new Uint8Array(32)));
    expect(refused.bind(null, () => verifyCms(new Uint8Array()))()).toMatch(/der/);
    for (const [attributes, code] of [
      [[], 'pki.cms.bad_signature'],
      [[type], 'pki.cms.bad_signature'],
      [[wrongDigest], 'pki.cms.bad_signature'],
      [[type, wrongDigest], 'pki.cms.bad_signature'],
      [[type, wrongDigest, wrongDigest], 'pki.der.invalid'],
      [[attribute(oids.contentType, oid('1.2.3')), wrongDigest], 'pki.cms.bad_signature'],
      [[sequence(oid(oids.messageDigest), set()), type], 'pki.cms.invalid'],
      [[sequence(oid(oids.messageDigest), set(octets(body), octets(body))), type], 'pki.cms.invalid'],
    ] as [Uint8Array[], string][]) {
      const message = await make(attributes);
      expect(refused(() => verifyCms(message))).toBe(code);
    }
  });
});

describe('envelopes', () => {
  const recipientInfo = (encryptedKey: Uint8Array, algorithm = sequence(oid(oids.rsaEncryption))): Uint8Array => {
    const { issuerDer, serialNumber } = readCertificate(device.certificate);
    const id = sequence(issuerDer, integer(Buffer.from(serialNumber, 'hex')));
    return sequence(integer(0), id, algorithm, octets(encryptedKey));
  };
  const envelope = (
    encryptedKey: Uint8Array,
    ciphertext: Uint8Array,
    cipher: string = oids.aes128Cbc,
    iv = new Uint8Array(16),
  ) =>
    contentInfo(
      oids.envelopedData,
      sequence(
        integer(0),
        set(recipientInfo(encryptedKey)),
        sequence(oid(oids.data), sequence(oid(cipher), octets(iv)), tlv(0x80, ciphertext)),
      ),
    );
  const wrap = (key: Uint8Array): Uint8Array => {
    const spki = Buffer.from(readCertificate(device.certificate).publicKey);
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, key);
  };
  const raw = (block: Uint8Array): Uint8Array => {
    const spki = Buffer.from(readCertificate(device.certificate).publicKey);
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block);
  };
  const key = new Uint8Array(16).fill(9);
  const good = (): Uint8Array => {
    const worker = createCipheriv('aes-128-cbc', key, new Uint8Array(16));
    return Buffer.concat([worker.update(body), worker.final()]);
  };
  const badPadding = (last: number): Uint8Array => {
    const worker = createCipheriv('aes-128-cbc', key, new Uint8Array(16)).setAutoPadding(false);
    const block = new Uint8Array(16).fill(7);
    block[15] = last;
    return Buffer.concat([worker.update(block), worker.final()]);
  };
  const block = (start: number[], separator: number): Uint8Array => {
    const out = new Uint8Array(256).fill(0xaa);
    out.set(start);
    if (separator > 0) out[separator] = 0;
    return out;
  };

  // The shapes that padding-oracle attacks probe: all must give the one error, whatever was wrong.
  const shapes: [string, () => Uint8Array][] = [
    ['wrong RSA padding type', () => envelope(raw(block([0, 1], 239)), good())],
    ['RSA padding without a leading zero', () => envelope(raw(block([0x10, 2], 239)), good())],
    ['RSA padding without a separator', () => envelope(raw(block([0, 2], 0)), good())],
    ['RSA padding that is too short', () => envelope(raw(block([0, 2], 5)), good())],
    ['right RSA padding, a key of 16 other bytes', () => envelope(raw(block([0, 2], 239)), good())],
    ['a key of 15 bytes', () => envelope(wrap(randomBytes(15)), good())],
    ['a key of 32 bytes', () => envelope(wrap(randomBytes(32)), good())],
    ['an empty key', () => envelope(wrap(new Uint8Array()), good())],
    ['an encrypted key of zeros', () => envelope(new Uint8Array(256), good())],
    ['an encrypted key of 255 bytes', () => envelope(new Uint8Array(255).fill(1), good())],
    ['an encrypted key larger than the modulus', () => envelope(new Uint8Array(256).fill(0xff), good())],
    ['an empty encrypted key', () => envelope(new Uint8Array(), good())],
    ['CBC padding of zero', () => envelope(wrap(key), badPadding(0))],
    ['CBC padding of 17', () => envelope(wrap(key), badPadding(17))],
    ['CBC padding that disagrees with itself', () => envelope(wrap(key), badPadding(4))],
    ['CBC padding of 255', () => envelope(wrap(key), badPadding(255))],
    ['a ciphertext of half a block', () => envelope(wrap(key), good().subarray(0, 8))],
    ['an empty ciphertext', () => envelope(wrap(key), new Uint8Array())],
  ];
  it.each(shapes)('give one error for %s', (_, make) => {
    const input = make();
    expect(Buffer.from(decryptCms(envelope(wrap(key), good()), device))).toEqual(body);
    let message = '';
    let remedy: string | undefined;
    // The random key that stands in for a wrong one gives a well-padded last block one time in 256.
    for (let attempt = 0; message === '' && attempt < 5; attempt++) {
      const started = process.cpuUsage();
      try {
        decryptCms(input, device);
      } catch (error) {
        expect(error).toBeInstanceOf(PkiError);
        message = `${(error as PkiError).code} ${(error as Error).message} ${(error as Error).cause ?? ''}`;
        remedy = (error as PkiError).remedy;
      }
      expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
    }
    expect(message).toBe('pki.cms.decrypt_failed decryption failed ');
    expect(remedy).toBeUndefined();
  });

  const malformed: [string, () => Uint8Array, string][] = [
    ['an unknown cipher', () => envelope(wrap(key), good(), '1.2.3'), 'pki.algorithm.unsupported'],
    ['RC2', () => envelope(wrap(key), good(), oids.rc2Cbc), 'pki.algorithm.unsupported'],
    ['single DES', () => envelope(wrap(key), good(), oids.desCbc, new Uint8Array(8)), 'pki.algorithm.weak'],
    ['a wrong IV', () => envelope(wrap(key), good(), oids.aes128Cbc, new Uint8Array(15)), 'pki.cms.invalid'],
    [
      'no recipient',
      () =>
        contentInfo(
          oids.envelopedData,
          sequence(
            integer(0),
            set(),
            sequence(oid(oids.data), sequence(oid(oids.aes128Cbc), octets(new Uint8Array(16))), tlv(0x80)),
          ),
        ),
      'pki.cms.not_a_recipient',
    ],
    [
      '17 recipients',
      () =>
        contentInfo(
          oids.envelopedData,
          sequence(integer(0), set(...Array.from({ length: 17 }, () => recipientInfo(wrap(key)))), sequence()),
        ),
      'pki.der.invalid',
    ],
    [
      'an unknown key transport',
      () =>
        contentInfo(
          oids.envelopedData,
          sequence(integer(0), set(recipientInfo(wrap(key), sequence(oid('1.2.3')))), sequence()),
        ),
      'pki.algorithm.unsupported',
    ],
    [
      'OAEP with a label',
      () =>
        contentInfo(
          oids.envelopedData,
          sequence(
            integer(0),
            set(recipientInfo(wrap(key), sequence(oid(oids.rsaesOaep), sequence(explicit(2, sequence()))))),
            sequence(),
          ),
        ),
      'pki.algorithm.unsupported',
    ],
    [
      'no content',
      () =>
        contentInfo(
          oids.envelopedData,
          sequence(
            integer(0),
            set(recipientInfo(wrap(key))),
            sequence(oid(oids.data), sequence(oid(oids.aes128Cbc), octets(new Uint8Array(16)))),
          ),
        ),
      'pki.cms.no_content',
    ],
    ['a signature’s type', () => signCms(body, device), 'pki.cms.wrong_type'],
  ];
  it.each(malformed)('refuse %s', (_, make, code) => {
    const input = make();
    expect(refused(() => decryptCms(input, device))).toBe(code);
  });
});

describe('SCEP', () => {
  let store: MemoryScepStore;
  let events: ScepEvent[];
  let server: ScepServer;

  function setUp(options: Partial<ScepServerOptions> = {}): void {
    store = createMemoryScepStore({ clock });
    events = [];
    server = createScepServer({ ca, store, clock, onEvent: (event) => events.push(event), ...options });
  }

  interface Craft {
    messageType?: string;
    transactionId?: Uint8Array | null;
    nonce?: Uint8Array | null;
    content?: Uint8Array;
    envelope?: Uint8Array | null;
    certificate?: Uint8Array;
    key?: Uint8Array;
    extra?: Uint8Array[];
  }

  async function craft(parts: Craft): Promise<Uint8Array> {
    const attributes: Uint8Array[] = [...(parts.extra ?? [])];
    if (parts.messageType !== '')
      attributes.push(attribute(oids.scepMessageType, printable(parts.messageType ?? '19')));
    if (parts.transactionId !== null) {
      attributes.push(attribute(oids.scepTransactionId, parts.transactionId ?? printable('transaction')));
    }
    if (parts.nonce !== null)
      attributes.push(attribute(oids.scepSenderNonce, parts.nonce ?? octets(new Uint8Array(16))));
    const envelope =
      parts.envelope === undefined
        ? encryptCms(parts.content ?? (await csr()), { recipients: [root.certificate], cipher: 'aes-128-cbc' })
        : parts.envelope;
    return signCmsWith(envelope, {
      certificate: parts.certificate ?? selfSigned,
      signer: localSigner(parts.key ?? requester.privateKey),
      attributes,
    });
  }

  const csr = (challengePassword = store.createChallenge({ reference: 'r' }), key = requester.privateKey) =>
    createCsr({ subject: 'CN=x', signer: localSigner(key), challengePassword });

  /** What the server answers: an HTTP status, or the failInfo of a CertRep. */
  async function answer(message: Uint8Array): Promise<string> {
    const started = process.cpuUsage();
    const response = await server.handle(new Request(url, { method: 'POST', body: Uint8Array.from(message) }));
    expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
    if (response.status !== 200) return `HTTP ${response.status}`;
    const reply = parseScepMessage(new Uint8Array(await response.arrayBuffer()), 100_000);
    reply.verify({});
    expect(reply.signer.der).toEqual(root.certificate);
    if (reply.pkiStatus === 0) return 'SUCCESS';
    expect(reply.envelope).toBeNull();
    return ['badAlg', 'badMessageCheck', 'badRequest', 'badTime', 'badCertId'][reply.failInfo!]!;
  }

  const http: [string, () => Promise<Uint8Array>][] = [
    ['text', async () => Buffer.from('hello')],
    ['HTML', async () => Buffer.from('<html></html>')],
    ['an indefinite length without end', async () => nested(1000, [0x30, 0x80])],
    ['a certificate', async () => device.certificate],
    ['an envelope', async () => encryptCms(body, { recipients: [root.certificate] })],
    ['a plain signature', async () => signCms(body, device)],
    ['no attributes', async () => signCms(body, { ...device, noAttributes: true })],
    ['no messageType', () => craft({ messageType: '' })],
    ['a messageType that is text', () => craft({ messageType: 'PKCSReq' })],
    ['no transactionID', () => craft({ transactionId: null })],
    ['an empty transactionID', () => craft({ transactionId: printable('') })],
    ['a transactionID of 10,000 characters', () => craft({ transactionId: printable('x'.repeat(10_000)) })],
    ['a transactionID that is a number', () => craft({ transactionId: integer(1) })],
    ['no senderNonce', () => craft({ nonce: null })],
    ['an empty senderNonce', () => craft({ nonce: octets(new Uint8Array()) })],
    ['a senderNonce of 1,000 bytes', () => craft({ nonce: octets(new Uint8Array(1000)) })],
    ['two transactionIDs', () => craft({ extra: [attribute(oids.scepTransactionId, printable('2'))] })],
  ];
  it.each(http)('answers HTTP 400 to %s', async (_, make) => {
    setUp();
    expect(await answer(await make())).toBe('HTTP 400');
    expect(events).toEqual([expect.objectContaining({ type: 'malformed' })]);
    expect(store.issued()).toEqual([]);
  });

  const failures: [string, string, () => Promise<Uint8Array>][] = [
    ['badRequest', 'an unknown messageType', () => craft({ messageType: '99' })],
    ['badRequest', 'a CertRep', () => craft({ messageType: '3' })],
    ['badRequest', 'no content', () => craft({ envelope: null })],
    ['badMessageCheck', 'content that is not encrypted', async () => craft({ envelope: await csr() })],
    ['badMessageCheck', 'content that is text', () => craft({ content: body })],
    ['badMessageCheck', 'empty content', () => craft({ content: new Uint8Array() })],
    ['badMessageCheck', 'a certificate for a CSR', () => craft({ content: device.certificate })],
    [
      'badMessageCheck',
      'a CSR with a wrong signature',
      async () => {
        const content = await csr();
        content[content.length - 1]! ^= 1;
        return craft({ content });
      },
    ],
    [
      'badMessageCheck',
      'a CSR for another key than the message is signed with',
      async () => craft({ content: await csr(undefined, device.privateKey) }),
    ],
    [
      'badMessageCheck',
      'an envelope to somebody else',
      async () => craft({ envelope: encryptCms(await csr(), { recipients: [device.certificate] }) }),
    ],
    [
      'badMessageCheck',
      'a broken envelope',
      async () => {
        const envelope = encryptCms(await csr(), { recipients: [root.certificate] });
        envelope[envelope.length - 1]! ^= 1;
        return craft({ envelope });
      },
    ],
    [
      'badMessageCheck',
      'a changed signature',
      async () => {
        const message = await craft({});
        message[message.length - 1]! ^= 1;
        return message;
      },
    ],
    [
      'badAlg',
      'OAEP key transport',
      async () =>
        craft({
          envelope: encryptCms(await csr(), { recipients: [root.certificate], keyTransport: 'rsa-oaep-sha256' }),
        }),
    ],
    ['badAlg', 'a signer with an EC key', () => craft({ certificate: ecDevice.certificate, key: ecDevice.privateKey })],
    ['badRequest', 'a wrong challenge', async () => craft({ content: await csr('wrong') })],
    ['badRequest', 'an empty challenge', async () => craft({ content: await csr('') })],
    ['badRequest', 'a challenge of 10,000 characters', async () => craft({ content: await csr('x'.repeat(10_000)) })],
    ['badRequest', 'a renewal where none are allowed', () => craft({ messageType: '17' })],
    ['badCertId', 'a poll for no transaction', () => craft({ messageType: '20' })],
    ['badRequest', 'GetCert by a stranger', () => craft({ messageType: '21' })],
    ['badRequest', 'GetCRL by a stranger', () => craft({ messageType: '22' })],
  ];
  it.each(failures)('answers %s to %s', async (failInfo, _, make) => {
    setUp();
    const message = await make();
    expect(await answer(message)).toBe(failInfo);
    expect(events).toEqual([expect.objectContaining({ type: 'refused', failInfo })]);
    expect(store.issued()).toEqual([]);
  });

  it('answers badAlg to weak keys and to single DES where it is refused', async () => {
    setUp({ allowDes: false });
    const envelope = encryptEnvelope(await csr(), { recipients: [root.certificate], cipher: 'des' });
    expect(await answer(await craft({ envelope }))).toBe('badAlg');
    setUp();
    const weak = await generateKeyPair({ type: 'rsa', bits: 1024 });
    const certificate = await selfSign(weak);
    const content = await csr(undefined, weak.privateKey);
    expect(await answer(await craft({ certificate, key: weak.privateKey, content }))).toBe('badAlg');
    expect(store.issued()).toEqual([]);
  });

  it('takes SHA-1 from old clients only where that is allowed, and never answers with it', async () => {
    const key = createPrivateKey({ key: Buffer.from(requester.privateKey), format: 'der', type: 'pkcs8' });
    const sha1Signer = {
      publicKey: requester.publicKey,
      sign: async (data: Uint8Array) => Uint8Array.from(nativeSign('sha1', data, key)),
    };
    const request = async (): Promise<Uint8Array> =>
      signCmsWith(encryptCms(await csr(), { recipients: [root.certificate] }), {
        certificate: selfSigned,
        signer: sha1Signer,
        hash: 'sha1' as never, // our own writer has no such choice
        attributes: [
          attribute(oids.scepMessageType, printable('19')),
          attribute(oids.scepTransactionId, printable('old')),
          attribute(oids.scepSenderNonce, octets(new Uint8Array(16))),
        ],
      });
    setUp({ allowSha1: false });
    expect(await answer(await request())).toBe('badAlg');
    setUp();
    expect(await answer(await request())).toBe('SUCCESS'); // `answer` verifies the reply without allowing SHA-1
  });

  it('gives nothing for a captured request that somebody else signs again', async () => {
    setUp();
    const envelope = encryptCms(await csr(), { recipients: [root.certificate], cipher: 'aes-128-cbc' });
    const certificate = await selfSign({ ...(await thief()) });
    expect(await answer(await craft({ envelope, certificate, key: (await thief()).privateKey }))).toBe(
      'badMessageCheck',
    );
    // Every change to it looks the same as well: no oracle for the challenge inside.
    const seen = new Set<string>();
    for (let i = 1; i <= 48; i++) {
      const changed = Uint8Array.from(envelope);
      changed[changed.length - i]! ^= 1;
      seen.add(await answer(await craft({ envelope: changed, certificate, key: (await thief()).privateKey })));
    }
    expect([...seen]).toEqual(['badMessageCheck']);
    expect(store.issued()).toEqual([]);
  });

  let thiefKey: Awaited<ReturnType<typeof generateKeyPair>> | undefined;
  const thief = async () => (thiefKey ??= await generateKeyPair());

  it('gives a replayed message its one certificate, and a replayed challenge nothing', async () => {
    setUp();
    const challenge = store.createChallenge({ reference: 'r' });
    const message = await craft({ content: await csr(challenge) });
    expect(await answer(message)).toBe('SUCCESS');
    expect(await answer(message)).toBe('SUCCESS');
    expect(await answer(await craft({ content: await csr(challenge), transactionId: printable('2') }))).toBe(
      'badRequest',
    );
    expect(store.issued()).toHaveLength(1);
  });

  it('answers changed messages, whatever was changed, and issues at most once (property)', async () => {
    setUp();
    const message = await craft({});
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      kind: fc.constantFrom('flip', 'cut', 'insert'),
      value: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, kind, value }) => {
        const position = Math.floor(at * message.length);
        let changed = Uint8Array.from(message);
        if (kind === 'flip') changed[position]! ^= value;
        else if (kind === 'cut') changed = changed.subarray(0, position);
        else changed = Uint8Array.from([...changed.subarray(0, position), value, ...changed.subarray(position)]);
        expect(await answer(changed)).toMatch(/^(HTTP 400|bad[A-Z]\w+|SUCCESS)$/);
        expect(store.issued().length).toBeLessThanOrEqual(1);
      }),
      { seed: 13, numRuns: nightly ? 20_000 : 300 },
    );
    expect(events.filter((event) => event.type === 'error')).toEqual([]);
  });

  it('serves GetCert and GetCRL to holders of its certificates', async () => {
    setUp({ crl: async () => sequence(integer(1)) });
    const enrolled = await craft({});
    expect(await answer(enrolled)).toBe('SUCCESS');
    const issued = store.issued()[0]!;
    const { issuerDer, serialNumber } = readCertificate(issued);
    const content = sequence(issuerDer, integer(Buffer.from(serialNumber, 'hex')));
    const asked = { certificate: issued, key: requester.privateKey };
    expect(await answer(await craft({ ...asked, content, messageType: '21' }))).toBe('SUCCESS');
    expect(await answer(await craft({ ...asked, content, messageType: '22' }))).toBe('SUCCESS');
    const unknown = sequence(issuerDer, integer(12_345));
    expect(await answer(await craft({ ...asked, content: unknown, messageType: '21' }))).toBe('badCertId');
    expect(await answer(await craft({ ...asked, content: body, messageType: '21' }))).toBe('badMessageCheck');
  });
});

describe('mutations (property)', () => {
  it('end in a PkiError or in a correct answer, never in anything else', async () => {
    const cms = signCms(body, { ...ecDevice, signingTime: now });
    const envelope = encryptCms(body, { recipients: [device.certificate] });
    const request = await createCsr({
      subject: 'CN=x',
      signer: localSigner(ecDevice.privateKey),
      challengePassword: 'c',
    });
    const targets: [Uint8Array, (input: Uint8Array) => unknown][] = [
      [device.certificate, readCertificate],
      [request, readCsr],
      [cms, (input) => verifyCms(input)],
      [cms, (input) => normaliseBer(input)],
      [envelope, (input) => decryptCms(input, device)],
      [device.certificate, (input) => verifyTrust(input, { anchors: [root.certificate], now })],
    ];
    const change = fc.record({
      target: fc.nat(targets.length - 1),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      kind: fc.constantFrom('flip', 'cut', 'insert', 'length'),
      value: fc.nat(255),
    });
    fc.assert(
      fc.property(change, ({ target, at, kind, value }) => {
        const [input, read] = targets[target]!;
        const position = Math.floor(at * input.length);
        let changed = Uint8Array.from(input);
        if (kind === 'flip') changed[position]! ^= value || 1;
        else if (kind === 'cut') changed = changed.subarray(0, position);
        else if (kind === 'length') changed[position] = value;
        else changed = Uint8Array.from([...changed.subarray(0, position), value, ...changed.subarray(position)]);
        const started = process.cpuUsage();
        codeOf(() => read(changed)); // rethrows whatever is not a PkiError
        expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
      }),
      { seed: 11, numRuns: nightly ? 200_000 : 4000 },
    );
  });
});
