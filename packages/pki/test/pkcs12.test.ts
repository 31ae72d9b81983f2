import * as pkijs from 'pkijs';
import { beforeAll, describe, expect, it } from 'vitest';
import { contentInfo } from '../src/cms/types.ts';
import { integer, octets, oid, sequence, tlv } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  createPkcs12,
  generateKeyPair,
  type Identity,
  readCertificate,
  readPkcs12,
} from '../src/index.ts';
import { digestIdentifier } from '../src/keys/algorithms.ts';
import { oids } from '../src/oids.ts';
import { bmpPassword, pkcs12Derive, pkcs12Mac } from '../src/pkcs12/kdf.ts';
import { codeOfAsync, openssl, oracle, pemFile, run, tempFile, testCa } from './support.ts';

let root: Identity;
let ca: CertificateAuthority;
const identities: Identity[] = [];
const password = 'Pässwörd 1';
beforeAll(async () => {
  ({ root, ca } = await testCa());
  for (const spec of [{ type: 'rsa', bits: 2048 } as const, { type: 'ec', curve: 'P-256' } as const]) {
    const { publicKey, privateKey } = await generateKeyPair(spec);
    const certificate = await ca.issue({ publicKey, subject: 'CN=p12', template: 'device' });
    identities.push({ certificate: Uint8Array.from(certificate), privateKey });
  }
});

describe('PKCS#12', () => {
  it('round-trips', async () => {
    for (const own of identities) {
      for (const encryption of ['modern', 'legacy'] as const) {
        const chain = [root.certificate];
        const pfx = await createPkcs12({ ...own, chain, password, encryption, friendlyName: 'Gerät 1' });
        expect(await readPkcs12(pfx, password)).toEqual({ ...own, chain, friendlyName: 'Gerät 1' });
        expect(await codeOfAsync(() => readPkcs12(pfx, 'wrong'))).toBe('pki.pkcs12.password');
        expect(await codeOfAsync(() => readPkcs12(pfx, ''))).toBe('pki.pkcs12.password');
      }
    }
  });

  it('reads what pkijs writes by itself, with the key in pieces', async () => {
    const own = identities[0]!;
    const secret = Uint8Array.from(Buffer.from(password, 'utf8')).buffer;
    const parameters = {
      password: secret,
      contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256 },
      hmacHashAlgorithm: 'SHA-256',
      iterationCount: 2000,
    };
    const keyBag = new pkijs.PKCS8ShroudedKeyBag({ parsedValue: pkijs.PrivateKeyInfo.fromBER(own.privateKey) });
    await keyBag.makeInternalValues(parameters);
    const certificate = new pkijs.CertBag({ parsedValue: pkijs.Certificate.fromBER(own.certificate) });
    const safe = new pkijs.AuthenticatedSafe({
      parsedValue: {
        safeContents: [
          {
            privacyMode: 0,
            value: new pkijs.SafeContents({
              safeBags: [new pkijs.SafeBag({ bagId: oids.pkcs12ShroudedKeyBag, bagValue: keyBag })],
            }),
          },
          {
            privacyMode: 1,
            value: new pkijs.SafeContents({
              safeBags: [new pkijs.SafeBag({ bagId: oids.pkcs12CertBag, bagValue: certificate })],
            }),
          },
        ],
      },
    });
    await safe.makeInternalValues({ safeContents: [{}, parameters] });
    const pfx = new pkijs.PFX({ parsedValue: { integrityMode: 0, authenticatedSafe: safe } });
    await pfx.makeInternalValues({
      password: secret,
      iterations: 2000,
      pbkdf2HashAlgorithm: 'SHA-256',
      hmacHashAlgorithm: 'SHA-256',
    });
    const read = await readPkcs12(new Uint8Array(pfx.toSchema().toBER()), password);
    expect(read.certificate).toEqual(own.certificate);
    expect(read.privateKey).toEqual(own.privateKey);
  });

  it('takes its randomness from the caller', async () => {
    const own = identities[1]!;
    for (const encryption of ['modern', 'legacy'] as const) {
      const make = () => createPkcs12({ ...own, password, encryption, random: (size) => new Uint8Array(size).fill(7) });
      expect(await make()).toEqual(await make());
    }
  });

  it('derives as the published test vectors say', () => {
    // Vectors that Bouncy Castle and others share (password "smeg", SHA-1).
    const derive = (salt: string, purpose: 1 | 2 | 3, size: number): string =>
      Buffer.from(pkcs12Derive('sha1', bmpPassword('smeg'), Buffer.from(salt, 'hex'), 1, purpose, size)).toString(
        'hex',
      );
    expect(derive('0a58cf64530d823f', 1, 24)).toBe('8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3');
    expect(derive('0a58cf64530d823f', 2, 8)).toBe('79993dfe048d3b76');
    expect(derive('3d83c0e4546ac140', 3, 20)).toBe('8d967d88f6caa9d714800ab3d48051d63f73a312');
  });

  it('wants the key of the certificate and a password', async () => {
    const [a, b] = identities as [Identity, Identity];
    const mixed = { certificate: a.certificate, privateKey: b.privateKey, password };
    expect(await codeOfAsync(() => createPkcs12(mixed))).toBe('pki.pkcs12.key_mismatch');
    expect(await codeOfAsync(() => createPkcs12({ ...a, password: '' }))).toBe('pki.pkcs12.password');
    expect(await codeOfAsync(() => createPkcs12({ ...a, password, iterations: 0 }))).toBe('pki.pkcs12.invalid');
  });

  oracle('openssl', 'is read by openssl', async () => {
    for (const own of identities) {
      for (const encryption of ['modern', 'legacy'] as const) {
        const pfx = await createPkcs12({ ...own, chain: [root.certificate], password, encryption });
        const file = tempFile('own.p12', pfx);
        const args = ['pkcs12', '-in', file, '-passin', `pass:${password}`, '-nodes'];
        const text = (await openssl(args)).toString();
        expect(text).toContain('BEGIN PRIVATE KEY');
        expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
        expect((await run('openssl', ['pkcs12', '-in', file, '-passin', 'pass:wrong', '-nodes'])).code).not.toBe(0);
      }
    }
  });

  oracle('openssl', 'reads what openssl writes, modern and legacy with RC2', async () => {
    for (const own of identities) {
      const base = [
        ...['pkcs12', '-export', '-in', pemFile('c.pem', own.certificate), '-name', 'by openssl'],
        ...['-inkey', pemFile('k.pem', own.privateKey, 'PRIVATE KEY'), '-passout', `pass:${password}`],
        ...['-certfile', pemFile('root.pem', root.certificate)],
      ];
      for (const variant of [
        [],
        ['-legacy'], // RC2 with 40 bits for the certificates
        ['-legacy', '-certpbe', 'PBE-SHA1-RC2-128', '-keypbe', 'PBE-SHA1-2DES'],
        ['-certpbe', 'PBE-SHA1-3DES', '-keypbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
        ['-certpbe', 'NONE', '-keypbe', 'aes-128-cbc', '-macalg', 'sha512'],
        ['-keypbe', 'NONE', '-certpbe', 'aes-256-cbc', '-iter', '50000'],
      ]) {
        const read = await readPkcs12(await openssl([...base, ...variant]), password);
        expect(read.certificate, variant.join(' ')).toEqual(own.certificate);
        expect(read.chain).toEqual([root.certificate]);
        expect(read.friendlyName).toBe('by openssl');
        expect(read.privateKey).toEqual(own.privateKey);
      }
      const empty = [...base];
      empty[empty.indexOf(`pass:${password}`)] = 'pass:';
      expect(readCertificate((await readPkcs12(await openssl(empty), '')).certificate).subjectCn).toBe('p12');
      const bare = await openssl([...base, '-nomac']);
      expect(await codeOfAsync(() => readPkcs12(bare, password))).toBe('pki.pkcs12.no_mac');
      const keyless = await openssl([...base.filter((_, i) => i < 4), '-nokeys', '-passout', `pass:${password}`]);
      expect(await codeOfAsync(() => readPkcs12(keyless, password))).toBe('pki.pkcs12.no_key');
    }
  });

  describe('made to hurt', () => {
    const frame = (safe: Uint8Array, iterations = 1): Uint8Array => {
      const mac =
        iterations > 1000
          ? new Uint8Array(20)
          : pkcs12Mac('sha1', bmpPassword('p'), new Uint8Array(8), iterations, safe);
      return sequence(
        integer(3),
        contentInfo(oids.data, octets(safe)),
        sequence(sequence(digestIdentifier('sha1'), octets(mac)), octets(new Uint8Array(8)), integer(iterations)),
      );
    };
    const encrypted = (algorithm: Uint8Array): Uint8Array =>
      sequence(
        contentInfo(
          oids.encryptedData,
          sequence(integer(0), sequence(oid(oids.data), algorithm, tlv(0x80, new Uint8Array(16)))),
        ),
      );
    const pbkdf2 = (iterations: number, salt = 8): Uint8Array =>
      sequence(
        oid(oids.pbes2),
        sequence(
          sequence(oid(oids.pbkdf2), sequence(octets(new Uint8Array(salt)), integer(iterations))),
          sequence(oid(oids.aes128Cbc), octets(new Uint8Array(16))),
        ),
      );
    const own3des = (iterations: number): Uint8Array =>
      sequence(oid('1.2.840.113549.1.12.1.3'), sequence(octets(new Uint8Array(8)), integer(iterations)));
    const bag = (type: string, value: Uint8Array): Uint8Array =>
      sequence(contentInfo(oids.data, octets(sequence(sequence(oid(type), tlv(0xa0, value))))));

    const cases: [string, () => Uint8Array, string][] = [
      ['nothing', () => new Uint8Array(), 'pki.der.invalid'],
      ['text', () => Buffer.from('hello'), 'pki.der.invalid'],
      ['more than a megabyte', () => new Uint8Array(2_000_000), 'pki.cms.too_large'],
      [
        'another version',
        () => sequence(integer(1), contentInfo(oids.data, octets(new Uint8Array()))),
        'pki.pkcs12.invalid',
      ],
      ['two thousand million MAC iterations', () => frame(sequence(), 2_000_000_000), 'pki.pkcs12.too_costly'],
      ['no MAC iterations', () => frame(sequence(), 0), 'pki.pkcs12.invalid'],
      [
        'two thousand million PBKDF2 iterations',
        () => frame(encrypted(pbkdf2(2_000_000_000))),
        'pki.pkcs12.too_costly',
      ],
      ['no PBKDF2 iterations', () => frame(encrypted(pbkdf2(0))), 'pki.pkcs12.invalid'],
      [
        'two thousand million iterations of the old scheme',
        () => frame(encrypted(own3des(2_000_000_000))),
        'pki.pkcs12.too_costly',
      ],
      ['content that does not decrypt', () => frame(encrypted(pbkdf2(1))), 'pki.pkcs12.password'],
      ['content that does not decrypt in the old scheme', () => frame(encrypted(own3des(1))), 'pki.pkcs12.password'],
      [
        'RC4',
        () =>
          frame(encrypted(sequence(oid('1.2.840.113549.1.12.1.1'), sequence(octets(new Uint8Array(8)), integer(1))))),
        'pki.algorithm.unsupported',
      ],
      [
        'scrypt',
        () =>
          frame(
            encrypted(
              sequence(oid(oids.pbes2), sequence(sequence(oid('1.3.6.1.4.1.11591.4.11'), sequence()), sequence())),
            ),
          ),
        'pki.algorithm.unsupported',
      ],
      [
        'a signature for a MAC',
        () => sequence(integer(3), contentInfo(oids.signedData, octets(new Uint8Array()))),
        'pki.algorithm.unsupported',
      ],
      ['nothing inside', () => frame(sequence()), 'pki.pkcs12.no_key'],
      [
        '17 contents',
        () => frame(sequence(...Array.from({ length: 17 }, () => contentInfo(oids.data, octets(sequence()))))),
        'pki.der.invalid',
      ],
      [
        '129 bags',
        () =>
          frame(
            sequence(
              contentInfo(
                oids.data,
                octets(sequence(...Array.from({ length: 129 }, () => sequence(oid(oids.pkcs12KeyBag))))),
              ),
            ),
          ),
        'pki.der.invalid',
      ],
      ['a key that is none', () => frame(bag(oids.pkcs12KeyBag, sequence(integer(0)))), 'pki.key.invalid'],
      [
        'a certificate that is none',
        () => frame(bag(oids.pkcs12CertBag, sequence(oid(oids.x509Certificate), tlv(0xa0, octets(new Uint8Array(9)))))),
        'pki.pkcs12.no_key',
      ],
      ['a file cut short', () => frame(sequence()).subarray(0, 20), 'pki.der.invalid'],
    ];
    it.each(cases)('%s', async (_, make, code) => {
      const input = make();
      const started = process.cpuUsage();
      expect(await codeOfAsync(() => readPkcs12(input, 'p'))).toBe(code);
      const { user, system } = process.cpuUsage(started);
      expect((user + system) / 1000).toBeLessThan(100);
    });
  });
});
