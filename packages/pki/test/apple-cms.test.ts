// Machine information and recovery keys, against messages that openssl made.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  appleIphoneDeviceCa,
  type CertificateAuthority,
  decryptRecoveryKey,
  encryptCms,
  fromPem,
  generateKeyPair,
  type Identity,
  openCa,
  PkiError,
  readCertificate,
  signCms,
  verifyMachineInfo,
} from '../src/index.ts';
import { codeOf, now, openssl, oracle, pemFile, tempDir, tempFile, testCa } from './support.ts';

const year = 365 * 86_400_000;
const info = Buffer.from(
  '<?xml version="1.0"?><plist version="1.0"><dict><key>SERIAL</key><string>C02TEST1</string></dict></plist>',
);

let root: Identity;
let ca: CertificateAuthority;
let device: Identity;
async function issued(by: CertificateAuthority): Promise<Identity> {
  const { publicKey, privateKey } = await generateKeyPair();
  const certificate = await by.issue({ publicKey, subject: 'CN=a device', template: 'device' });
  return { certificate: Uint8Array.from(certificate), privateKey };
}
beforeAll(async () => {
  ({ root, ca } = await testCa());
  device = await issued(ca);
});

describe('machine information', () => {
  const signed = (identity: Identity = device, content: Uint8Array = info) => signCms(content, identity);

  it('is read from the body and from the header', () => {
    const anchors = [root.certificate];
    const message = signed();
    for (const form of [message, Buffer.from(message).toString('base64')]) {
      const { content, certificate, chain } = verifyMachineInfo(form, { anchors });
      expect(Buffer.from(content).toString()).toContain('C02TEST1');
      expect(readCertificate(certificate).subjectCn).toBe('a device');
      expect(chain).toHaveLength(2);
    }
  });

  it('is not Apple’s unless its authority is', () => {
    expect(codeOf(() => verifyMachineInfo(signed()))).toBe('pki.machine_info.untrusted');
    const own = readCertificate(appleIphoneDeviceCa);
    expect(own.subject).toBe('CN=Apple iPhone Device CA,OU=Apple iPhone,O=Apple Inc.,C=US');
    expect(own.fingerprintSha256).toBe('76f27d00e1333bc88de0e2916c38c9a7f2b75774c25a794c092a80e3c4c66cce');
    expect(own.basicConstraints?.ca).toBe(true);
  });

  it('is believed from an authority that ended, but its own dates are looked at on demand', async () => {
    const anchors = [root.certificate];
    const late = now + 40 * year;
    expect(verifyMachineInfo(signed(), { anchors }).chain).toHaveLength(2);
    expect(codeOf(() => verifyMachineInfo(signed(), { anchors, now: late }))).toBe('pki.machine_info.untrusted');
    expect(verifyMachineInfo(signed(), { anchors, now }).chain).toHaveLength(2);
    // As with Apple's: a young device below an authority that ended long ago.
    const ended = await testCa(undefined, () => now - 31 * year);
    const alive = await openCa({ ...ended.root, clock: () => now - 31 * year });
    const old = await issued(alive);
    expect(verifyMachineInfo(signed(old), { anchors: [ended.root.certificate] }).chain).toHaveLength(2);
  });

  it('refuses everything else as unauthenticated', () => {
    const anchors = [root.certificate];
    const message = signed();
    const changed = Uint8Array.from(message);
    changed[Buffer.from(message).indexOf('C02TEST1')]! ^= 1;
    const bad: [string | Uint8Array, string][] = [
      [changed, 'pki.cms.bad_signature'],
      [message.subarray(0, 200), 'pki.der.invalid'],
      [info, 'pki.der.invalid'],
      ['', 'pki.machine_info.malformed'],
      ['not base64!', 'pki.machine_info.malformed'],
      [signCms(info, { ...device, detached: true }), 'pki.cms.no_content'],
    ];
    for (const [input, code] of bad) {
      let error: unknown;
      try {
        verifyMachineInfo(input, { anchors });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(PkiError);
      expect(error).toMatchObject({ code, kind: 'unauthenticated' });
    }
    expect(codeOf(() => verifyMachineInfo('A'.repeat(100_000), { anchors }))).toBe('pki.machine_info.too_large');
    expect(codeOf(() => verifyMachineInfo(new Uint8Array(70_000), { anchors }))).toBe('pki.machine_info.too_large');
  });

  oracle('openssl', 'is read when openssl signs it with SHA-1 below an old authority of 1024 bits', async () => {
    const dir = tempDir();
    const file = (name: string): string => join(dir, name);
    const subject = (name: string): string[] => ['-subj', `/CN=${name}/O=Apple Inc.`];
    await openssl([
      ...['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-sha1', '-days', '1', '-keyout', file('ca.key')],
      ...['-out', file('ca.pem'), ...subject('Old Device CA'), '-addext', 'keyUsage=critical,keyCertSign'],
    ]);
    await openssl([
      ...['req', '-newkey', 'rsa:1024', '-nodes', '-keyout', file('leaf.key'), '-out', file('leaf.csr')],
      ...subject('leaf'),
    ]);
    await openssl([
      ...['x509', '-req', '-in', file('leaf.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-sha1'],
      ...['-CAcreateserial', '-days', '3000', '-out', file('leaf.pem')],
    ]);
    const content = tempFile('info.plist', info);
    const message = await openssl([
      ...['cms', '-sign', '-binary', '-nodetach', '-md', 'sha1', '-in', content, '-outform', 'DER'],
      ...['-signer', file('leaf.pem'), '-inkey', file('leaf.key')],
    ]);
    const anchors = [fromPem(readFileSync(file('ca.pem'), 'utf8'))];
    const verified = verifyMachineInfo(message.toString('base64'), { anchors });
    expect(Buffer.from(verified.content)).toEqual(info);
    expect(readCertificate(verified.certificate).subjectCn).toBe('leaf');
    expect(codeOf(() => verifyMachineInfo(message, { anchors: [root.certificate] }))).toBe(
      'pki.machine_info.untrusted',
    );
  });
});

describe('a FileVault recovery key', () => {
  const key = 'ABCD-EFGH-1JKL-MN0P-QRST-UVWX';

  it('is decrypted with the escrow identity, and is nothing else', async () => {
    const recipients = [device.certificate];
    const cms = encryptCms(Buffer.from(key), { recipients });
    expect(decryptRecoveryKey(cms, device)).toBe(key);
    expect(decryptRecoveryKey(encryptCms(Buffer.from(`${key}\n`), { recipients, cipher: '3des' }), device)).toBe(key);
    const other = await issued(ca);
    expect(codeOf(() => decryptRecoveryKey(cms, other))).toBe('pki.cms.not_a_recipient');
    for (const text of ['', 'password', key.toLowerCase(), `${key}-ABCD`, key.slice(5)]) {
      let message = '';
      try {
        decryptRecoveryKey(encryptCms(Buffer.from(text), { recipients }), device);
      } catch (error) {
        expect(error).toMatchObject({ code: 'pki.recovery_key.malformed' });
        message = (error as Error).message;
      }
      expect(message).not.toBe('');
      if (text !== '') expect(message).not.toContain(text);
    }
  });

  oracle('openssl', 'is decrypted from what openssl encrypts, with every cipher and by key identifier', async () => {
    const recipient = pemFile('escrow.pem', device.certificate);
    for (const options of [['-aes256'], ['-aes128'], ['-des3'], ['-aes256', '-keyid']]) {
      const cms = await openssl(['cms', '-encrypt', '-binary', '-outform', 'DER', ...options, recipient], key);
      expect(decryptRecoveryKey(cms, device)).toBe(key);
    }
    // As a streaming encoder writes it: indefinite lengths.
    const ber = await openssl(['cms', '-encrypt', '-binary', '-stream', '-outform', 'DER', '-aes256', recipient], key);
    expect(decryptRecoveryKey(ber, device)).toBe(key);
  });
});
