// The vendor's signature on requests for push certificates, checked with openssl and Python's plistlib.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MdmError, signPushRequest } from '../src/index.ts';

const missing = ['openssl', 'python3'].filter((tool) => {
  try {
    execFileSync(tool, [tool === 'openssl' ? 'version' : '--version'], { stdio: 'ignore' });
    return false;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log(`skipped: ${tool} is not installed`);
    return true;
  }
});

describe.skipIf(missing.length > 0)('a signed request', () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'push-vendor-'));
    const rsa = ['-newkey', 'rsa:2048', '-nodes'];
    openssl('req', '-x509', ...rsa, '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/CN=Root', '-days', '9');
    writeFileSync(file('ca.ext'), 'basicConstraints=critical,CA:TRUE\n');
    const certify = (name: string, issuer: string, ...more: string[]): void => {
      openssl('req', ...rsa, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const signer = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial', '-days', '9'];
      openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signer, ...more);
    };
    certify('wwdr', 'root', '-extfile', 'ca.ext');
    certify('vendor', 'wwdr');
    certify('stranger', 'wwdr');
    openssl(
      'req',
      ...rsa,
      '-keyout',
      'customer.key',
      '-outform',
      'DER',
      '-out',
      'customer.der',
      '-subj',
      '/CN=Customer',
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const pem = (name: string): string => readFileSync(file(`${name}.pem`), 'utf8');
  const key = (name: string): string => readFileSync(file(`${name}.key`), 'utf8');
  const vendor = () => ({ certificate: pem('vendor'), privateKey: key('vendor'), chain: [pem('wwdr'), pem('root')] });

  test('is what Apple’s portal takes: request, signature and the whole chain', () => {
    const csr = readFileSync(file('customer.der'));
    writeFileSync(file('request'), signPushRequest(csr, vendor()));
    // Nothing of ours reads it back.
    const script = `
import base64, plistlib, sys
d = plistlib.loads(base64.b64decode(open('request', 'rb').read(), validate=True))
assert sorted(d) == ['PushCertCertificateChain', 'PushCertRequestCSR', 'PushCertSignature'], d.keys()
assert all(isinstance(v, str) for v in d.values())
open('out.der', 'wb').write(base64.b64decode(d['PushCertRequestCSR'], validate=True))
open('out.sig', 'wb').write(base64.b64decode(d['PushCertSignature'], validate=True))
open('out.chain', 'w').write(d['PushCertCertificateChain'])
lines = d['PushCertCertificateChain'].splitlines()
assert max(map(len, lines)) == 64, max(map(len, lines))
parts = d['PushCertCertificateChain'].split('-----END CERTIFICATE-----\\n')
assert len(parts) == 4 and parts[3] == ''
open('out.leaf', 'w').write(parts[0] + '-----END CERTIFICATE-----\\n')
`;
    execFileSync('python3', ['-c', script], { cwd: folder });
    expect(readFileSync(file('out.der')).equals(csr)).toBe(true);
    writeFileSync(file('vendor.pub'), openssl('x509', '-in', 'out.leaf', '-pubkey', '-noout'));
    const verified = openssl('dgst', '-sha256', '-verify', 'vendor.pub', '-signature', 'out.sig', 'out.der');
    expect(String(verified)).toContain('Verified OK');
    const chain = openssl('verify', '-CAfile', 'root.pem', '-untrusted', 'out.chain', 'out.leaf');
    expect(String(chain)).toContain('OK');
  });

  test('is not made with a key, a chain or a request that Apple would refuse', () => {
    const csr = readFileSync(file('customer.der'));
    for (const bad of [
      { ...vendor(), privateKey: key('stranger') },
      { ...vendor(), privateKey: 'nonsense' },
      { ...vendor(), certificate: 'nonsense' },
      { ...vendor(), chain: [pem('wwdr')] },
      { ...vendor(), chain: [pem('root')] },
      { ...vendor(), chain: [pem('root'), pem('wwdr')] },
    ]) {
      expect(() => signPushRequest(csr, bad)).toThrow(MdmError);
      expect(() => signPushRequest(csr, bad)).toThrow(expect.objectContaining({ code: 'mdm.push_certificate.vendor' }));
    }
    for (const bad of [new Uint8Array(), new TextEncoder().encode(`-----BEGIN${' '.repeat(200)}`)]) {
      expect(() => signPushRequest(bad, vendor())).toThrow(
        expect.objectContaining({ code: 'mdm.push_certificate.request' }),
      );
    }
  });
});
