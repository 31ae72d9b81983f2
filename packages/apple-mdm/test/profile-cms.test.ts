// Signed and encrypted profiles as another program makes them: openssl is the one that signs, encrypts and decrypts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decryptCms, encryptCms, verifyCms } from '@espalier/pki';
import { decodeDict, encodeXml } from '@espalier/plist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildProfile, payload, readProfile } from '../src/index.ts';

const found = hasOpenssl();
function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log('skipped: openssl is not installed');
    return false;
  }
}

const code = (expected: string) => expect.objectContaining({ name: 'MdmError', code: expected });
const plain = buildProfile({
  identifier: 'com.example.office',
  displayName: 'Office',
  payloads: [
    payload('com.apple.wifi.managed', { SSID_STR: 'Büro', Password: 'secret & <more>', EncryptionType: 'WPA2' }),
    { type: 'com.example.unknown', content: { Key: Uint8Array.of(1, 2), Real: 1.5 } },
  ],
});
const root = decodeDict(plain.bytes);

describe.skipIf(!found)('with openssl', () => {
  let folder = '';
  let certificate: Uint8Array;
  let other: Uint8Array;
  let privateKey: Uint8Array;

  const openssl = (args: readonly string[], input?: Uint8Array): Uint8Array => {
    return new Uint8Array(execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', input: input ?? '' }));
  };
  const identity = (name: string): Uint8Array => {
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
    openssl(['req', '-x509', ...subject, '-keyout', `${name}.key`, '-out', `${name}.pem`]);
    return openssl(['x509', '-in', `${name}.pem`, '-outform', 'DER']);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-cms-'));
    certificate = identity('device');
    other = identity('other');
    privateKey = openssl(['pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', 'device.key']);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const encrypt = (content: Uint8Array, cipher: string): Uint8Array =>
    openssl(['cms', '-encrypt', '-binary', `-${cipher}`, '-outform', 'DER', 'device.pem'], content);
  const decrypt = (cms: Uint8Array): Uint8Array =>
    openssl(['cms', '-decrypt', '-binary', '-inform', 'DER', '-inkey', 'device.key', '-recip', 'device.pem'], cms);

  /** A profile as Apple's format has it: the array of payloads is encrypted, the rest stays readable. */
  const encrypted = (cms: Uint8Array): Uint8Array => {
    const { PayloadContent: _, ...rest } = root;
    return encodeXml({ ...rest, IsEncrypted: true, EncryptedPayloadContent: cms });
  };
  const content = encodeXml(root['PayloadContent'] as never);
  const payloads = () => readProfile(plain.bytes).payloads;

  test.each(['aes-256-cbc', 'aes-128-cbc', 'des-ede3-cbc'])('reads an encrypted profile, %s', (cipher) => {
    const bytes = encrypted(encrypt(content, cipher));
    expect(readProfile(bytes)).toMatchObject({ encrypted: true, payloads: [], identifier: 'com.example.office' });
    expect(new TextDecoder().decode(bytes)).not.toContain('secret');
    const read = readProfile(bytes, { decrypt });
    expect(read).toMatchObject({ encrypted: true, signed: false });
    expect(read.payloads).toEqual(payloads());
    expect(read.raw).toBe(bytes);
  });

  test('reads it with the CMS of @espalier/pki, and openssl reads what that encrypted', () => {
    const own = (cms: Uint8Array): Uint8Array => decryptCms(cms, { certificate, privateKey });
    expect(readProfile(encrypted(encrypt(content, 'aes-256-cbc')), { decrypt: own }).payloads).toEqual(payloads());
    const bytes = encrypted(encryptCms(content, { recipients: [certificate] }));
    expect(readProfile(bytes, { decrypt }).payloads).toEqual(payloads());
  });

  test('reads a profile that is encrypted and then signed', () => {
    writeFileSync(join(folder, 'profile'), encrypted(encrypt(content, 'aes-256-cbc')));
    const signer = ['-signer', 'other.pem', '-inkey', 'other.key'];
    const bytes = openssl(['cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', ...signer, '-in', 'profile']);
    const read = readProfile(bytes, { openSigned: verifyCms, decrypt });
    expect(read).toMatchObject({ encrypted: true, signed: true });
    expect(read.payloads).toEqual(payloads());
    expect(Buffer.from(read.signer!).equals(Buffer.from(other))).toBe(true);
    const broken = bytes.slice();
    const at = Buffer.from(bytes).indexOf('com.example.office');
    broken[at] = 0x43;
    expect(() => readProfile(broken, { openSigned: verifyCms, decrypt })).toThrow(code('mdm.profile.signature'));
  });

  test('refuses what is for another device, or broken', () => {
    const foreign = openssl(['cms', '-encrypt', '-binary', '-aes256', '-outform', 'DER', 'other.pem'], content);
    const own = (cms: Uint8Array): Uint8Array => decryptCms(cms, { certificate, privateKey });
    for (const way of [decrypt, own]) {
      expect(() => readProfile(encrypted(foreign), { decrypt: way })).toThrow(code('mdm.profile.encrypted'));
      const cms = encrypt(content, 'aes-256-cbc');
      expect(() => readProfile(encrypted(cms.slice(0, -20)), { decrypt: way })).toThrow(code('mdm.profile.encrypted'));
    }
    expect(() => readProfile(encrypted(encrypt(encodeXml({}), 'aes-256-cbc')), { decrypt })).toThrow(
      code('mdm.profile.encrypted'),
    );
  });
});
