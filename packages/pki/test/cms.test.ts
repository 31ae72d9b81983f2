import { createHash, createPrivateKey, sign as nativeSign, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  decryptCms,
  encryptCms,
  generateKeyPair,
  type Identity,
  type KeySpec,
  type KeyTransport,
  localSigner,
  signCms,
  signCmsWith,
  verifyCms,
  verifyMdmSignature,
} from '../src/index.ts';
import { attime, clock, codeOf, codeOfAsync, now, openssl, oracle, pemFile, tempFile, testCa } from './support.ts';

const body = Buffer.from('<?xml version="1.0"?><plist><dict><key>Status</key><string>Idle</string></dict></plist>');
let root: Identity;
let ca: CertificateAuthority;
const identities = new Map<string, Identity>();

async function identity(spec: KeySpec, name: string): Promise<Identity> {
  const { publicKey, privateKey } = await generateKeyPair(spec);
  const certificate = await ca.issue({ publicKey, subject: `CN=${name}`, template: 'device' });
  return { certificate: Uint8Array.from(certificate), privateKey };
}

let rsa: Identity;
let ec: Identity;
beforeAll(async () => {
  ({ root, ca } = await testCa());
  rsa = await identity({ type: 'rsa', bits: 2048 }, 'rsa');
  ec = await identity({ type: 'ec', curve: 'P-256' }, 'ec');
  identities.set('rsa', rsa).set('ec', ec);
  identities.set('ec384', await identity({ type: 'ec', curve: 'P-384' }, 'ec384'));
});

describe('signed messages', () => {
  it('round-trips attached and detached', () => {
    for (const [name, own] of identities) {
      for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
        for (const signerIdentifier of ['issuer-and-serial', 'subject-key-identifier'] as const) {
          const options = { ...own, hash, signerIdentifier, chain: [root.certificate], signingTime: now };
          const attached = verifyCms(signCms(body, options));
          expect(Buffer.from(attached.content), `${name} ${hash}`).toEqual(body);
          expect(attached.signer).toEqual(own.certificate);
          expect(attached.certificates).toHaveLength(2);
          expect(attached.signingTime).toEqual(new Date(now));
          const detached = signCms(body, { ...options, detached: true });
          expect(verifyCms(detached, { content: body }).signer).toEqual(own.certificate);
          expect(codeOf(() => verifyCms(detached))).toBe('pki.cms.no_content');
        }
      }
    }
  });

  it('signs without attributes, and behind a Signer', async () => {
    const plain = signCms(body, { ...rsa, noAttributes: true });
    expect(verifyCms(plain).signingTime).toBeUndefined();
    const { certificate } = ec;
    const remote = await signCmsWith(body, { certificate, signer: localSigner(ec.privateKey), detached: true });
    expect(verifyCms(remote, { content: body }).signer).toEqual(certificate);
  });

  it('refuses a key that is not the certificate’s', async () => {
    const { certificate } = rsa;
    expect(codeOf(() => signCms(body, { certificate, privateKey: ec.privateKey }))).toBe('pki.cms.key_mismatch');
    expect(await codeOfAsync(() => signCmsWith(body, { certificate, signer: localSigner(ec.privateKey) }))).toBe(
      'pki.cms.key_mismatch',
    );
  });

  it('notices every changed byte of the content and of the signature', () => {
    const cms = signCms(body, { ...ec, signingTime: now });
    const intact = Buffer.from(cms).indexOf(body);
    for (let i = 0; i < body.length; i += 7) {
      const changed = Uint8Array.from(cms);
      changed[intact + i]! ^= 0x20;
      expect(codeOf(() => verifyCms(changed))).toBe('pki.cms.bad_signature');
    }
    for (let i = 1; i < 60; i += 5) {
      const changed = Uint8Array.from(cms);
      changed[changed.length - i]! ^= 1;
      expect(codeOf(() => verifyCms(changed))).toMatch(/^pki\.(cms\.bad_signature|der\.)/);
    }
  });

  it('does not take one message’s attributes for another’s content', () => {
    // The signature of `cms` is over its attributes as a SET; offered as content without attributes it must not verify.
    const cms = Buffer.from(signCms(body, { ...rsa, detached: true }));
    const digest = createHash('sha256').update(body).digest();
    const attributesAt = cms.lastIndexOf(0xa0, cms.indexOf(digest));
    const length = cms[attributesAt + 1]!;
    const attributes = Buffer.from(cms.subarray(attributesAt, attributesAt + 2 + length));
    attributes[0] = 0x31;
    const forged = signCms(attributes, { ...rsa, noAttributes: true });
    expect(codeOf(() => verifyCms(forged))).toBe('pki.cms.bad_signature');
  });

  it('imports a key again when its buffer was overwritten', () => {
    const key = Uint8Array.from(rsa.privateKey);
    signCms(body, { ...rsa, privateKey: key });
    key.fill(0);
    expect(codeOf(() => signCms(body, { ...rsa, privateKey: key }))).toBe('pki.key.invalid');
  });

  oracle('openssl', 'is verified by openssl', async () => {
    const caFile = pemFile('ca.pem', root.certificate);
    for (const own of identities.values()) {
      for (const noAttributes of [false, true]) {
        const attached = signCms(body, { ...own, noAttributes, signingTime: now });
        const args = ['cms', '-verify', '-inform', 'der', '-CAfile', caFile, '-purpose', 'any', '-binary', ...attime()];
        expect(await openssl(args, attached)).toEqual(body);
        const ski = { detached: true, signerIdentifier: 'subject-key-identifier', hash: 'sha512' } as const;
        const detached = signCms(body, { ...own, noAttributes, ...ski });
        const content = tempFile('body', body);
        expect(await openssl([...args, '-content', content], detached)).toEqual(body);
      }
    }
  });

  oracle('openssl', 'verifies what openssl signs', async () => {
    for (const [name, own] of identities) {
      const signer = pemFile('c.pem', own.certificate);
      const key = pemFile('k.pem', own.privateKey, 'PRIVATE KEY');
      const base = ['cms', '-sign', '-outform', 'der', '-binary', '-signer', signer, '-inkey', key];
      const variants = [
        ['-nodetach'],
        [],
        ['-keyid', '-nodetach', '-md', 'sha512'],
        ['-noattr', '-nodetach'],
        ['-nodetach', '-stream'], // BER with indefinite lengths
        ['-nosmimecap'],
        ...(name === 'rsa'
          ? [
              ['-nodetach', '-keyopt', 'rsa_padding_mode:pss'],
              ['-nodetach', '-md', 'sha384', '-keyopt', 'rsa_padding_mode:pss', '-keyopt', 'rsa_pss_saltlen:17'],
            ]
          : []),
      ];
      for (const variant of variants) {
        const cms = await openssl([...base, ...variant], body);
        const verified = verifyCms(cms, variant.includes('-nodetach') ? {} : { content: body });
        expect(Buffer.from(verified.content), variant.join(' ')).toEqual(body);
        expect(verified.signer).toEqual(own.certificate);
        expect(codeOf(() => verifyCms(cms, { content: Buffer.from('other') }))).toBe('pki.cms.bad_signature');
      }
      const weak = await openssl([...base, '-md', 'sha1', '-nodetach'], body);
      expect(codeOf(() => verifyCms(weak))).toBe('pki.algorithm.weak');
      expect(verifyCms(weak, { allowSha1: true }).signer).toEqual(own.certificate);
      const bare = await openssl([...base, '-nocerts', '-nodetach'], body);
      expect(codeOf(() => verifyCms(bare))).toBe('pki.cms.no_signer');
      expect(verifyCms(bare, { certificates: [own.certificate] }).signer).toEqual(own.certificate);
    }
  });

  oracle('openssl', 'checks all of several signers', async () => {
    const pair = [rsa, ec].flatMap((own) => [
      ...['-signer', pemFile('c.pem', own.certificate)],
      ...['-inkey', pemFile('k.pem', own.privateKey, 'PRIVATE KEY')],
    ]);
    const cms = await openssl(['cms', '-sign', '-outform', 'der', '-binary', '-nodetach', ...pair], body);
    const { signers } = verifyCms(cms);
    const sorted = (list: readonly Uint8Array[]): string[] =>
      list.map((der) => Buffer.from(der).toString('hex')).sort();
    expect(sorted(signers)).toEqual(sorted([rsa.certificate, ec.certificate]));
    const attributeByte = cms.lastIndexOf(Buffer.from('06092a864886f70d010904', 'hex')) + 20;
    cms[attributeByte]! ^= 1; // the last signer only
    expect(codeOf(() => verifyCms(cms))).toBe('pki.cms.bad_signature');
  });
});

describe('Mdm-Signature', () => {
  const sign = (own: Identity, content: Uint8Array = body): string =>
    Buffer.from(signCms(content, { ...own, detached: true, signingTime: now })).toString('base64');

  it('gives the certificate of the device', () => {
    expect(verifyMdmSignature(sign(rsa), body)).toEqual(rsa.certificate);
    expect(verifyMdmSignature(sign(ec), body)).toEqual(ec.certificate);
    expect(verifyMdmSignature(sign(ec).replace(/.{64}/g, '$&\r\n'), body)).toEqual(ec.certificate);
  });

  it('refuses everything else as unauthenticated', () => {
    const cases: [string, string, Uint8Array][] = [
      ['pki.cms.bad_signature', sign(rsa), Buffer.from(`${body} `)],
      ['pki.cms.bad_signature', sign(rsa), new Uint8Array()],
      ['pki.mdm_signature.malformed', '', body],
      ['pki.mdm_signature.malformed', 'not base64!', body],
      ['pki.mdm_signature.malformed', 'A'.repeat(70_000), body],
      ['pki.der.invalid', 'AAAA', body],
      ['pki.cms.bad_signature', Buffer.from(signCms(Buffer.from('other'), rsa)).toString('base64'), body],
    ];
    for (const [code, header, content] of cases) {
      let kind = '';
      expect(
        codeOf(() => {
          try {
            verifyMdmSignature(header, content);
          } catch (error) {
            kind = (error as { kind: string }).kind;
            throw error;
          }
        }),
      ).toBe(code);
      expect(kind).toBe('unauthenticated');
    }
  });

  oracle('openssl', 'reads signatures in BER as streaming encoders make them', async () => {
    const signer = pemFile('c.pem', rsa.certificate);
    const key = pemFile('k.pem', rsa.privateKey, 'PRIVATE KEY');
    const args = ['smime', '-sign', '-outform', 'der', '-binary', '-stream', '-signer', signer, '-inkey', key];
    const attached = await openssl([...args, '-nodetach'], body);
    expect(attached[1]).toBe(0x80); // it is indefinite
    expect(verifyMdmSignature(attached.toString('base64'), body)).toEqual(rsa.certificate);
    const detached = await openssl(args, body);
    expect(verifyMdmSignature(detached.toString('base64'), body)).toEqual(rsa.certificate);
  });
});

describe('encrypted messages', () => {
  const ciphers = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', '3des'] as const;
  const transports: KeyTransport[] = ['rsa-pkcs1', 'rsa-oaep-sha1', 'rsa-oaep-sha256', 'rsa-oaep-sha512'];

  it('round-trips with every cipher and key transport, of any size', () => {
    for (const cipher of ciphers) {
      for (const keyTransport of transports) {
        for (const size of [0, 1, 15, 16, 17, 10_000]) {
          const content = randomBytes(size);
          const cms = encryptCms(content, { recipients: [rsa.certificate], cipher, keyTransport });
          expect(Buffer.from(decryptCms(cms, rsa))).toEqual(content);
        }
      }
    }
  });

  it('has several recipients, and nobody else', async () => {
    const other = await identity({ type: 'rsa', bits: 2048 }, 'other');
    const cms = encryptCms(body, { recipients: [rsa.certificate, other.certificate] });
    expect(Buffer.from(decryptCms(cms, rsa))).toEqual(body);
    expect(Buffer.from(decryptCms(cms, other))).toEqual(body);
    const stranger = await identity({ type: 'rsa', bits: 2048 }, 'stranger');
    expect(codeOf(() => decryptCms(cms, stranger))).toBe('pki.cms.not_a_recipient');
    const { certificate } = rsa;
    expect(codeOf(() => decryptCms(cms, { certificate, privateKey: other.privateKey }))).toBe('pki.cms.decrypt_failed');
    expect(codeOf(() => encryptCms(body, { recipients: [ec.certificate] }))).toBe('pki.cms.recipient_key');
    expect(codeOf(() => encryptCms(body, { recipients: [] }))).toBe('pki.cms.no_recipient');
  });

  oracle('openssl', 'is decrypted by openssl, and decrypts what openssl encrypts', async () => {
    const cert = pemFile('c.pem', rsa.certificate);
    const key = pemFile('k.pem', rsa.privateKey, 'PRIVATE KEY');
    for (const cipher of ciphers) {
      for (const keyTransport of ['rsa-pkcs1', 'rsa-oaep-sha256'] as const) {
        const cms = encryptCms(body, { recipients: [rsa.certificate], cipher, keyTransport });
        const out = await openssl(['cms', '-decrypt', '-inform', 'der', '-recip', cert, '-inkey', key], cms);
        expect(out).toEqual(body);
      }
      const flag =
        cipher === '3des' ? '-des3' : `-${cipher.replaceAll('-', '').replace('cbc', '-cbc').replace('aes', 'aes-')}`;
      const base = ['cms', '-encrypt', '-binary', '-outform', 'der', flag];
      for (const variant of [
        ['-recip', cert],
        ['-stream', '-recip', cert],
        ['-keyid', '-recip', cert],
        ['-recip', cert, '-keyopt', 'rsa_padding_mode:oaep'],
        ['-recip', cert, '-keyopt', 'rsa_padding_mode:oaep', '-keyopt', 'rsa_oaep_md:sha256'],
      ]) {
        const cms = await openssl([...base, ...variant], body);
        expect(Buffer.from(decryptCms(cms, rsa)), `${flag} ${variant.join(' ')}`).toEqual(body);
      }
    }
  });
});

describe('a signature made elsewhere', () => {
  it('verifies with the native primitive over the bytes that were sent', () => {
    // Independent of our writer: the content alone, signed by node:crypto, wrapped by hand in signCms without attributes.
    const key = createPrivateKey({ key: Buffer.from(rsa.privateKey), format: 'der', type: 'pkcs8' });
    const cms = Buffer.from(signCms(body, { ...rsa, noAttributes: true }));
    expect(cms.includes(nativeSign('sha256', body, key))).toBe(true);
    expect(clock()).toBe(now);
  });
});
