// Server tokens: files made by openssl, Apple's own example, and what administrators upload instead.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encryptCms, readCertificate, signCms, toPem } from '@espalier/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folder, need, run } from '../../../test/support/tools.ts';
import { createTokenKeyPair, openServerToken, readServerToken, type TokenKeyPair } from '../src/index.ts';
import { appleExample } from './fixtures/apple-token.ts';
import { clock, codeOf } from './support.ts';

const plain = {
  consumer_key: 'CK_9dcd8190dde27dfddd9272c657e011f7bec9761676b1b11e46a2f61d3cb1e482ef22093c7d54b23252f3bdb4d19b4d49',
  consumer_secret: 'CS_27c083df1ab7271e129cb23325dabaf0de95d087',
  access_token: 'AT_O365587095O8247e0b5288abcdee25642311746d67b5858ea5cO1389734861908',
  access_secret: 'AS_8c3313de9a3462014c6c96f39dd7c3d4342b8cea',
  access_token_expiry: '2027-01-14T21:27:41Z',
};
const expected = {
  consumerKey: plain.consumer_key,
  consumerSecret: plain.consumer_secret,
  accessToken: plain.access_token,
  accessSecret: plain.access_secret,
  accessTokenExpiry: new Date('2027-01-14T21:27:41Z'),
};
const header = 'Content-Type: text/plain;charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n';
const mime = (json: string): string => `${header}-----BEGIN MESSAGE-----\r\n${json}\r\n-----END MESSAGE-----\r\n`;
const smimeHeader = [
  'Content-Type: application/pkcs7-mime; name="smime.p7m"; smime-type=enveloped-',
  'data',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment; filename="smime.p7m"',
  '',
  '',
].join('\n');

let pair: TokenKeyPair;
let other: TokenKeyPair;
const files = folder();
afterAll(() => files.remove());
beforeAll(async () => {
  pair = await createTokenKeyPair({ clock });
  other = await createTokenKeyPair({ clock, name: 'another' });
});

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const base64Lines = (der: Uint8Array): string =>
  Buffer.from(der)
    .toString('base64')
    .replace(/.{1,76}/g, '$&\n');
const smime = (der: Uint8Array): Uint8Array => bytes(smimeHeader + base64Lines(der));
const sealed = (text: string, to = pair): Uint8Array =>
  encryptCms(Buffer.from(text), { recipients: [to.certificate], cipher: 'aes-128-cbc' });

describe('the key pair', () => {
  it('is an RSA certificate that can be encrypted to', () => {
    const certificate = readCertificate(pair.certificate);
    expect(certificate.keyUsage).toContain('keyEncipherment');
    expect(pair.certificatePem).toBe(toPem(pair.certificate));
    expect(certificate.notAfter.getTime()).toBeGreaterThan(clock.now() + 9 * 365 * 86_400_000);
  });

  it('refuses a name that no certificate can have', async () => {
    await expect(createTokenKeyPair({ clock, name: 'x'.repeat(65) })).rejects.toMatchObject({
      code: 'ade.token.key_pair',
    });
  });
});

describe('files made by openssl', () => {
  for (const [tool, cipher, options] of [
    ['cms', '-aes-128-cbc', []],
    ['cms', '-des3', []],
    ['cms', '-aes-256-cbc', []],
    ['cms', '-aes-128-cbc', ['-keyopt', 'rsa_padding_mode:oaep']],
    ['cms', '-aes-128-cbc', ['-keyid']],
    ['cms', '-aes-128-cbc', ['-stream', '-indef']],
    ['smime', '-aes128', []],
    ['smime', '-des3', []],
  ] as const) {
    for (const form of ['SMIME', 'PEM', 'DER'] as const) {
      it(`opens openssl ${tool} ${cipher} ${options.join(' ')} ${form}`, async (context) => {
        need(context, 'openssl');
        const name = createHash('sha1').update(`${tool}${cipher}${options}${form}`).digest('hex');
        const [clear, certificate, out] = ['txt', 'crt', 'p7m'].map((end) => join(files.path, `${name}.${end}`));
        writeFileSync(clear!, mime(JSON.stringify(plain)));
        writeFileSync(certificate!, pair.certificatePem);
        const recipient = tool === 'cms' ? ['-recip', certificate!] : [certificate!];
        const args = [tool, '-encrypt', '-binary', '-in', clear!, '-out', out!, '-outform', form, cipher];
        const made = await run('openssl', [...args, ...recipient, ...options]);
        expect(made.stderr, made.stderr).toBe('');
        const file = await import('node:fs/promises').then(({ readFile }) => readFile(out!));
        expect(openServerToken(file, pair)).toEqual(expected);
      });
    }
  }
});

describe('the content', () => {
  it('may have BEGIN MESSAGE lines, wrapped JSON, more fields, or be bare', () => {
    const wrapped = JSON.stringify(plain).replace(/.{76}/g, '$&\r\n');
    for (const text of [
      mime(JSON.stringify(plain)),
      header + wrapped,
      JSON.stringify({ ...plain, more: { deep: [1] } }),
      mime(JSON.stringify(plain)).replaceAll('\r', ''),
    ]) {
      expect(readServerToken(text)).toEqual(expected);
      expect(openServerToken(smime(sealed(text)), pair)).toEqual(expected);
    }
  });

  it('keeps secrets out of messages', () => {
    const broken = JSON.stringify(plain).replace('","access_token"', '"access_token"');
    try {
      readServerToken(broken);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('CS_27');
      expect(String((error as Error).cause ?? '')).not.toContain('CS_27');
    }
  });

  it('names the field that is wrong', () => {
    for (const name of Object.keys(plain)) {
      for (const value of [undefined, 7, '', 'a b', 'x'.repeat(2000)]) {
        const error = codeOf(() => readServerToken(JSON.stringify({ ...plain, [name]: value })), 'at');
        expect(error, name).toEqual({ path: name });
      }
    }
    expect(codeOf(() => readServerToken(JSON.stringify({ ...plain, access_token_expiry: '2027' })))).toBe(
      'ade.token.expiry',
    );
  });
});

describe('Apple’s example', () => {
  it('is understood as a token for another key', () => {
    expect(codeOf(() => openServerToken(bytes(appleExample), pair))).toBe('ade.token.wrong_key');
  });
});

describe('files that are no token of this account', () => {
  const cases: readonly (readonly [string, () => Uint8Array, code: string, message: RegExp])[] = [
    ['an empty file', () => bytes(''), 'ade.token.empty', /empty/],
    ['two megabytes', () => new Uint8Array(2 * 1024 * 1024), 'ade.token.too_large', /larger/],
    ['the uploaded certificate', () => bytes(pair.certificatePem), 'ade.token.not_smime', /a certificate, not/],
    ['a certificate as DER', () => pair.certificate, 'ade.token.damaged', /damaged/],
    ['a private key', () => bytes(toPem(pair.privateKey, 'PRIVATE KEY')), 'ade.token.not_smime', /a private key/],
    ['a login page', () => bytes('<!DOCTYPE html><html></html>'), 'ade.token.not_smime', /web page/],
    ['a decrypted token', () => bytes(JSON.stringify(plain)), 'ade.token.not_smime', /JSON/],
    ['a content token', () => bytes('eyJleHBEYXRlIjoiMjAyNyJ9'), 'ade.token.not_smime', /Apps and Books/],
    ['a letter', () => bytes('Dear Sir,\n\nyours'), 'ade.token.not_smime', /no S\/MIME/],
    ['a plain mail', () => bytes('Content-Type: text/plain\n\nhello'), 'ade.token.not_smime', /not an encrypted one/],
    ['a header alone', () => bytes(smimeHeader.trimEnd()), 'ade.token.encoding', /cut off/],
    ['a header and nothing', () => bytes(`${smimeHeader}\n\n`), 'ade.token.encoding', /no content/],
    [
      'a file cut off in base64',
      () => smime(sealed(mime(JSON.stringify(plain)))).slice(0, -43),
      'ade.token.encoding',
      /cut off/,
    ],
    [
      'a file cut off at a line',
      () =>
        bytes(
          smimeHeader +
            base64Lines(sealed(mime(JSON.stringify(plain))))
              .split('\n')
              .slice(0, -3)
              .join('\n'),
        ),
      'ade.token.damaged',
      /damaged/,
    ],
    [
      'changed letters',
      () =>
        bytes(
          Buffer.from(smime(sealed(JSON.stringify(plain))))
            .toString('latin1')
            .replace('\nMI', '\n!!'),
        ),
      'ade.token.encoding',
      /not base64/,
    ],
    [
      'a changed byte in the middle',
      () => {
        const der = Uint8Array.from(sealed(mime(JSON.stringify(plain))));
        der[der.length - 200]! ^= 1;
        return smime(der);
      },
      'ade.token.',
      /./,
    ],
    ['another key', () => smime(sealed(mime(JSON.stringify(plain)), other)), 'ade.token.wrong_key', /another cert/],
    ['a signed message', () => smime(signCms(Buffer.from('x'), pair)), 'ade.token.not_encrypted', /not an encrypted/],
    ['something else in it', () => smime(sealed('hello')), 'ade.token.content', /holds no token/],
    ['broken JSON in it', () => smime(sealed('{"consumer_key": }')), 'ade.token.content', /not JSON/],
    ['an array in it', () => smime(sealed('[{}]')), 'ade.token.field', /consumer_key is missing/],
  ];
  for (const [name, make, code, message] of cases) {
    it(`refuses ${name}`, () => {
      const file = make();
      expect(codeOf(() => openServerToken(file, pair))).toContain(code);
      expect(codeOf(() => openServerToken(file, pair), 'message')).toMatch(message);
    });
  }

  it('refuses the right certificate with another private key', () => {
    const file = smime(sealed(mime(JSON.stringify(plain))));
    const mixed = { certificate: pair.certificate, privateKey: other.privateKey };
    expect(codeOf(() => openServerToken(file, mixed))).toMatch(/^ade\.token\.(?:damaged|content)$/);
  });

  it('throws nothing but its own errors, whatever byte is changed', () => {
    const der = sealed(mime(JSON.stringify(plain)));
    for (let at = 0; at < der.length; at += 3) {
      const changed = Uint8Array.from(der);
      changed[at]! ^= 0x41;
      try {
        openServerToken(changed, pair);
      } catch (error) {
        expect(error).toMatchObject({ name: 'AdeError' });
      }
    }
  });
});
