// Bad signed and encrypted messages: typed refusals, at once, and failures of secret operations must look alike.
import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { attribute } from '../src/cms/signed-write.ts';
import { contentInfo } from '../src/cms/types.ts';
import { explicit, integer, octets, oid, sequence, set, setOf, tlv } from '../src/der/writer.ts';
import {
  decryptCms,
  localSigner,
  oids,
  PkiError,
  readCertificate,
  signCms,
  verifyCms,
  verifyMdmSignature,
} from '../src/index.ts';
import { body, cpuSince, type HostileWorld, hostileWorld, refused } from './hostile-support.ts';

let { root, device, ecDevice } = {} as HostileWorld;
beforeAll(async () => {
  ({ root, device, ecDevice } = await hostileWorld());
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
