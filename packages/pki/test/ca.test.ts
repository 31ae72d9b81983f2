import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { oid, sequence, set, tlv, utf8 } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  createCsr,
  createRootCa,
  generateKeyPair,
  type Identity,
  type KeySpec,
  localSigner,
  microsoftSid,
  oids,
  openCa,
  publicKeyOf,
  readCertificate,
  readCsr,
  requestIntermediateCa,
  type Signer,
  selfSignCa,
  templates,
  verifyTrust,
} from '../src/index.ts';
import { attime, clock, codeOf, codeOfAsync, now, openssl, oracle, pemFile, tempFile, testCa } from './support.ts';

const day = 86_400_000;
const keys: KeySpec[] = [
  { type: 'rsa', bits: 2048 },
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-384' },
  { type: 'ec', curve: 'P-521' },
];

let root: Identity;
let ca: CertificateAuthority;
let device: Awaited<ReturnType<typeof generateKeyPair>>;
beforeAll(async () => {
  ({ root, ca } = await testCa());
  device = await generateKeyPair({ type: 'rsa', bits: 2048 });
});

describe('a certificate authority', () => {
  it('makes a root with the constraints of one', () => {
    const certificate = readCertificate(root.certificate);
    expect(certificate.subject).toBe('CN=Test Root,O=Espalier');
    expect(certificate.issuer).toBe(certificate.subject);
    expect(certificate.basicConstraints).toEqual({ ca: true });
    expect(certificate.keyUsage).toEqual(['digitalSignature', 'keyEncipherment', 'keyCertSign', 'cRLSign']);
    expect(certificate.subjectKeyIdentifier).toBe(certificate.authorityKeyIdentifier);
    expect(certificate.notAfter.getTime()).toBe(now + 10_950 * day);
    expect(publicKeyOf(root.privateKey)).toEqual(certificate.publicKey);
  });

  it('issues a device certificate', async () => {
    const der = await ca.issue({
      publicKey: device.publicKey,
      subject: 'CN=device 1,O=Espalier',
      template: 'device',
      validityDays: 30,
    });
    const certificate = readCertificate(der);
    expect(certificate.subjectCn).toBe('device 1');
    expect(certificate.issuer).toBe('CN=Test Root,O=Espalier');
    expect(certificate.keyUsage).toEqual(['digitalSignature', 'keyEncipherment']);
    expect(certificate.extendedKeyUsage).toEqual([oids.clientAuth]);
    expect(certificate.basicConstraints).toEqual({ ca: false });
    expect(certificate.authorityKeyIdentifier).toBe(readCertificate(root.certificate).subjectKeyIdentifier);
    expect(certificate.notAfter.getTime()).toBe(now + 30 * day);
    expect(certificate.publicKey).toEqual(device.publicKey);
    verifyTrust(der, { anchors: [root.certificate], now, purpose: 'client-auth' });
  });

  it('gives every certificate another positive serial number of at most 127 bits', async () => {
    const serials = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const der = await ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device' });
      const { serialNumber } = readCertificate(der);
      expect(BigInt(`0x${serialNumber}`)).toBeGreaterThan(0n);
      expect(BigInt(`0x${serialNumber}`)).toBeLessThan(1n << 127n);
      serials.add(serialNumber);
    }
    expect(serials.size).toBe(20);
  });

  it('refuses a random source that gives only zeros, and bad serial numbers', async () => {
    const broken = await openCa({ ...root, clock, random: (size) => new Uint8Array(size) });
    const request = { publicKey: device.publicKey, subject: 'CN=x', template: 'device' } as const;
    expect(await codeOfAsync(() => broken.issue(request))).toBe('pki.random.broken');
    expect(await codeOfAsync(() => ca.issue({ ...request, serial: new Uint8Array(4) }))).toBe('pki.ca.serial');
    expect(await codeOfAsync(() => ca.issue({ ...request, serial: randomBytes(21) }))).toBe('pki.ca.serial');
  });

  it('clamps validity to its own, and stops when it has expired', async () => {
    const short = await createRootCa({ subject: 'CN=Short', key: keys[1]!, validityDays: 10, clock });
    const shortCa = await openCa({ ...short, clock });
    const request = { publicKey: device.publicKey, subject: 'CN=x', template: 'device', validityDays: 365 } as const;
    expect(readCertificate(await shortCa.issue(request)).notAfter.getTime()).toBe(now + 10 * day);
    const strict = { ...templates.device, clampToCa: false };
    expect(await codeOfAsync(() => shortCa.issue({ ...request, template: strict }))).toBe('pki.ca.validity');
    const late = await openCa({ ...short, clock: () => now + 11 * day });
    expect(await codeOfAsync(() => late.issue(request))).toBe('pki.ca.expired');
  });

  it('keeps to its template', async () => {
    const weak = await generateKeyPair({ type: 'rsa', bits: 1024 });
    const subject = 'CN=x';
    expect(await codeOfAsync(() => ca.issue({ publicKey: weak.publicKey, subject, template: 'device' }))).toBe(
      'pki.key.weak',
    );
    expect(await codeOfAsync(() => ca.issue({ publicKey: device.publicKey, subject, template: 'tls-server' }))).toBe(
      'pki.san.missing',
    );
    expect(await codeOfAsync(() => ca.issue({ publicKey: device.publicKey, template: 'device' }))).toBe(
      'pki.name.invalid',
    );
    const extensions = [{ oid: oids.basicConstraints, critical: true, value: new Uint8Array([0x30, 0]) }];
    const request = { publicKey: device.publicKey, subject, template: 'device', extensions } as const;
    expect(await codeOfAsync(() => ca.issue(request))).toBe('pki.ca.extension');
    expect(await codeOfAsync(() => ca.issue({ ...request, template: '__proto__' as never }))).toBe(
      'pki.template.unknown',
    );
  });

  it('leaves keyEncipherment out for EC keys', async () => {
    const pair = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const der = await ca.issue({ publicKey: pair.publicKey, subject: 'CN=ec', template: 'device' });
    expect(readCertificate(der).keyUsage).toEqual(['digitalSignature']);
  });

  it('issues from a CSR, whose signature it checks', async () => {
    const csr = await createCsr({ subject: 'CN=from csr', signer: localSigner(device.privateKey) });
    const der = await ca.issue({ csr, template: 'device' });
    expect(readCertificate(der).subject).toBe('CN=from csr');
    const forged = Uint8Array.from(csr);
    forged[forged.length - 5]! ^= 1;
    expect(await codeOfAsync(() => ca.issue({ csr: forged, template: 'device' }))).toBe('pki.csr.bad_signature');
  });

  it('writes and reads every kind of alternative name', async () => {
    const sans = [
      { type: 'dns', value: 'mdm.example.com' },
      { type: 'dns', value: '*.example.com' },
      { type: 'ip', value: '192.0.2.7' },
      { type: 'ip', value: '2001:db8::7' },
      { type: 'email', value: 'a@example.com' },
      { type: 'uri', value: 'tag:microsoft.com,2022-09-14:sid:S-1-5-21-1' },
      { type: 'upn', value: 'jörg@example.com' },
      { type: 'dn', value: 'CN=x,O=y' },
    ] as const;
    const der = await ca.issue({ publicKey: device.publicKey, subject: 'CN=s', template: 'tls-server', sans });
    expect(readCertificate(der).sans).toEqual(sans);
    for (const bad of [
      { type: 'dns', value: 'a b' },
      { type: 'ip', value: '300.1.1.1' },
      { type: 'ip', value: 'fe80::1%eth0' },
      { type: 'uri', value: 'no scheme' },
      { type: 'email', value: 'nobody' },
    ] as const) {
      const request = { publicKey: device.publicKey, subject: 'CN=s', template: 'tls-server', sans: [bad] } as const;
      expect(await codeOfAsync(() => ca.issue(request))).toBe('pki.san.invalid');
    }
  });

  it('works with keys that only sign, elsewhere', async () => {
    for (const spec of [
      { type: 'rsa', bits: 2048 },
      { type: 'ec', curve: 'P-384' },
    ] as const) {
      const { publicKey, privateKey } = await generateKeyPair(spec);
      const local = localSigner(privateKey);
      let signatures = 0;
      const sign: Signer['sign'] = (data, hash) => {
        signatures++;
        return local.sign(data, hash);
      };
      const signer: Signer = { publicKey, sign };
      const certificate = await selfSignCa({ subject: 'CN=HSM', signer, clock });
      const authority = await openCa({ certificate, signer, clock });
      const csr = await createCsr({ subject: 'CN=own', signer, challengePassword: 'p' });
      const der = await authority.issue({ csr, template: 'device' });
      verifyTrust(der, { anchors: [certificate], now });
      expect(signatures).toBe(3);
    }
  });

  it('tries its key without issuing', async () => {
    const signer = localSigner(root.privateKey);
    const open = (more: object) => openCa({ certificate: root.certificate, signer, clock, ...more });
    await (await open({})).test();
    const lost = { ...signer, sign: () => Promise.reject(new Error('HSM: session closed')) };
    expect(await codeOfAsync(async () => (await open({ signer: lost })).test())).toBe('pki.ca.signer');
    const other = { ...localSigner((await generateKeyPair()).privateKey), publicKey: signer.publicKey };
    expect(await codeOfAsync(async () => (await open({ signer: other })).test())).toBe('pki.ca.signer');
    expect(await codeOfAsync(async () => (await open({ clock: () => now - 86_400_000 })).test())).toBe(
      'pki.ca.expired',
    );
  });

  it('copies names from requests byte for byte, at once', async () => {
    const attribute = (value: Uint8Array): Uint8Array => sequence(oid(oids.commonName), value);
    const name = (...rdns: Uint8Array[]): Uint8Array => sequence(...rdns);
    const issue = (subject: Uint8Array) =>
      ca.issue({ publicKey: device.publicKey, subject, template: 'device' }).then(readCertificate);
    const texts: [number, string][] = [
      [0x0c, 'c3bc'],
      [0x13, '61'],
      [0x14, 'fce4'],
      [0x16, '61'],
      [0x1a, '61'],
      [0x1c, '00000061'],
      [0x1e, '00fc'],
      [0x03, '0780'],
      [0x01, '01'],
      [0x0a, '7f'],
      [0x09, '80'],
      [0x80, '01'],
      [0xa3, '020101'],
      [0x05, ''],
    ];
    for (const [tagOctet, hex] of texts) {
      const subject = name(set(attribute(tlv(tagOctet, Buffer.from(hex, 'hex')))), set(attribute(utf8('last'))));
      expect(Buffer.from((await issue(subject)).subjectDer), hex).toEqual(Buffer.from(subject));
    }
    const wide = name(
      ...Array.from({ length: 64 }, () => set(...Array.from({ length: 30 }, () => attribute(utf8('x'))))),
    );
    let deep: Uint8Array = utf8('x');
    for (let i = 0; i < 1000; i++) deep = sequence(deep);
    for (const subject of [wide, name(set(attribute(deep))), name(set(attribute(tlv(0x30, Buffer.from('ff')))))]) {
      const started = process.cpuUsage();
      const der = await ca.issue({ publicKey: device.publicKey, subject, template: 'device' });
      expect(process.cpuUsage(started).user).toBeLessThan(100_000);
      expect(Buffer.compare(readCertificate(der).subjectDer, subject)).toBe(0);
    }
  });

  it('refuses to open with what does not fit', async () => {
    const other = await testCa();
    const leaf = await ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device' });
    const open = (options: Parameters<typeof openCa>[0]): Promise<string> => codeOfAsync(() => openCa(options));
    expect(await open({ certificate: root.certificate, privateKey: other.root.privateKey, clock })).toBe(
      'pki.ca.key_mismatch',
    );
    expect(await open({ certificate: leaf, privateKey: device.privateKey, clock })).toBe('pki.ca.not_a_ca');
    expect(await open({ certificate: root.certificate, clock })).toBe('pki.ca.no_key');
    expect(await open({ ...root, chain: [other.root.certificate], clock })).toBe('pki.ca.chain');
    expect(await open({ certificate: root.certificate, privateKey: randomBytes(50), clock })).toBe('pki.key.invalid');
    expect(await codeOfAsync(() => createRootCa({ subject: '', clock }))).toBe('pki.name.invalid');
    expect(await codeOfAsync(() => createRootCa({ subject: 'CN=x', key: { type: 'rsa', bits: 512 }, clock }))).toBe(
      'pki.key.unsupported',
    );
  });

  oracle('openssl', 'is what openssl accepts, for RSA and every curve', async () => {
    for (const key of keys) {
      const { root: anchor, ca: authority } = await testCa(key);
      const der = await authority.issue({
        publicKey: device.publicKey,
        subject: 'CN=host,O=E',
        template: 'tls-server',
        sans: [
          { type: 'dns', value: 'host.example' },
          { type: 'ip', value: '127.0.0.1' },
        ],
      });
      const rootFile = pemFile('root.pem', anchor.certificate);
      const verified = await openssl([
        ...['verify', '-x509_strict', '-check_ss_sig', '-purpose', 'sslserver', ...attime()],
        ...['-verify_hostname', 'host.example', '-CAfile', rootFile, pemFile('leaf.pem', der)],
      ]);
      expect(verified.toString()).toContain('OK');
    }
  });

  oracle('openssl', 'describes certificates as openssl does', async () => {
    const der = await ca.issue({
      publicKey: device.publicKey,
      subject: 'CN=described',
      template: 'device',
      extensions: [microsoftSid('S-1-5-21-7')],
    });
    const certificate = readCertificate(der);
    const file = pemFile('c.pem', der);
    const args = ['-noout', '-serial', '-fingerprint', '-sha256', '-dates', '-ext', 'keyUsage,extendedKeyUsage'];
    const text = (await openssl(['x509', '-in', file, ...args])).toString();
    expect(text).toContain(`serial=${certificate.serialNumber.toUpperCase()}`);
    expect(text.replaceAll(':', '').toLowerCase()).toContain(certificate.fingerprintSha256);
    expect(text).toContain('Digital Signature, Key Encipherment');
    expect(text).toContain('TLS Web Client Authentication');
    const ends = /notAfter=(.*)/.exec(text)![1]!;
    expect(Date.parse(ends)).toBe(certificate.notAfter.getTime());
    const dump = (await openssl(['asn1parse', '-in', file])).toString();
    expect(dump).toContain('1.3.6.1.4.1.311.25.2');
  });

  oracle('openssl', 'exchanges CSRs with openssl', async () => {
    const csr = await createCsr({
      subject: 'CN=asked,O=E',
      signer: localSigner(device.privateKey),
      challengePassword: 'sesame',
      sans: [{ type: 'dns', value: 'asked.example' }],
    });
    const text = (await openssl(['req', '-inform', 'der', '-verify', '-noout', '-text'], csr)).toString();
    expect(text).toContain('DNS:asked.example');
    expect(text).toContain('sesame');
    const keyFile = pemFile('key.pem', device.privateKey, 'PRIVATE KEY');
    const config = tempFile(
      'req.cnf',
      '[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\nreq_extensions=v3\n[dn]\nC=DE\nCN=by openssl\n[at]\nchallengePassword=open sesame\n[v3]\nsubjectAltName=DNS:x.example,IP:192.0.2.1\n',
    );
    const theirs = readCsr(await openssl(['req', '-new', '-key', keyFile, '-config', config, '-outform', 'der']));
    expect(theirs.subject).toBe('CN=by openssl,C=DE');
    expect(theirs.challengePassword).toBe('open sesame');
    expect(theirs.sans).toEqual([
      { type: 'dns', value: 'x.example' },
      { type: 'ip', value: '192.0.2.1' },
    ]);
    expect(theirs.publicKey).toEqual(device.publicKey);
  });

  oracle('openssl', 'works as an intermediate below an enterprise root that openssl runs', async () => {
    const { csr, privateKey } = await requestIntermediateCa({
      subject: 'CN=Sub,O=E',
      key: { type: 'rsa', bits: 2048 },
    });
    const dates = ['-days', '300'];
    const rootKey = tempFile('root.key', await openssl(['genrsa', '2048']));
    const rootCert = tempFile(
      'root.pem',
      await openssl([
        'req',
        '-x509',
        '-new',
        '-key',
        rootKey,
        '-subj',
        '/CN=Enterprise',
        ...dates,
        '-addext',
        'keyUsage=critical,keyCertSign,cRLSign',
      ]),
    );
    const ext = tempFile(
      'ext.cnf',
      'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n',
    );
    const sub = await openssl(
      [
        'x509',
        '-req',
        '-inform',
        'der',
        '-CA',
        rootCert,
        '-CAkey',
        rootKey,
        ...dates,
        '-extfile',
        ext,
        '-outform',
        'der',
        '-set_serial',
        '77',
      ],
      csr,
    );
    const rootDer = await openssl(['x509', '-in', rootCert, '-outform', 'der']);
    const authority = await openCa({ certificate: sub, privateKey, chain: [rootDer], clock: Date });
    const leaf = await authority.issue({ publicKey: device.publicKey, subject: 'CN=leaf', template: 'device' });
    const out = await openssl([
      ...['verify', '-x509_strict', '-CAfile', rootCert, '-untrusted', pemFile('sub.pem', sub), pemFile('l.pem', leaf)],
    ]);
    expect(out.toString()).toContain('OK');
    const chain = verifyTrust(leaf, { anchors: [rootDer], intermediates: [sub], now: Date.now() });
    expect(chain).toHaveLength(3);
    expect(
      await codeOfAsync(() =>
        authority.issue({ publicKey: device.publicKey, subject: 'CN=sub sub', template: 'intermediate-ca' }),
      ),
    ).toBe('pki.ca.path_length');
  });
});

describe('trust', () => {
  const trust = (der: Uint8Array, options: Partial<Parameters<typeof verifyTrust>[1]> = {}): string =>
    codeOf(() => verifyTrust(der, { anchors: [root.certificate], now, ...options }));

  it('accepts what the authority issued, and nothing else', async () => {
    const other = await testCa();
    const mine = await ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device' });
    // Same names, other key.
    const theirs = await other.ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device' });
    expect(trust(mine)).toBe('no error');
    expect(trust(theirs)).toBe('pki.trust.bad_signature');
    expect(trust(mine, { anchors: [] })).toBe('pki.trust.unknown_issuer');
    expect(trust(mine, { anchors: [mine] })).toBe('no error');
    const forged = Uint8Array.from(mine);
    forged[forged.length - 3]! ^= 1;
    expect(trust(forged)).toBe('pki.trust.bad_signature');
  });

  it('looks at time, purpose and grace', async () => {
    const der = await ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device', validityDays: 10 });
    expect(trust(der, { now: now - day })).toBe('pki.trust.not_yet_valid');
    expect(trust(der, { now: now + 11 * day })).toBe('pki.trust.expired');
    expect(trust(der, { now: now + 11 * day, graceMs: 2 * day })).toBe('no error');
    expect(trust(der, { now: new Date(now + 13 * day), graceMs: 2 * day })).toBe('pki.trust.expired');
    expect(trust(der, { now: Number.NaN })).toBe('pki.trust.expired');
    expect(trust(der, { purpose: 'client-auth' })).toBe('no error');
    expect(trust(der, { purpose: 'server-auth' })).toBe('pki.trust.purpose');
    expect(trust(der, { purpose: oids.smartCardLogon })).toBe('pki.trust.purpose');
  });

  it('refuses critical extensions that nobody understands', async () => {
    const mark = '1.2.840.113635.100.6.99';
    const extensions = [{ oid: mark, critical: true, value: new Uint8Array([5, 0]) }];
    const der = await ca.issue({ publicKey: device.publicKey, subject: 'CN=x', template: 'device', extensions });
    expect(trust(der)).toBe('pki.trust.critical_extension');
    expect(trust(der, { criticalExtensions: [mark] })).toBe('no error');
  });

  it('does not let a leaf act as an authority', async () => {
    const leaf = await ca.issue({ publicKey: device.publicKey, subject: 'CN=leaf', template: 'device' });
    const { signCertificate } = await import('../src/x509/build.ts');
    const fake = await signCertificate(
      {
        serial: new Uint8Array([9]),
        issuerDer: readCertificate(leaf).subjectDer,
        subjectDer: readCertificate(leaf).subjectDer,
        publicKey: device.publicKey,
        notBefore: now - day,
        notAfter: now + day,
        extensions: [],
      },
      localSigner(device.privateKey),
      'sha256',
    );
    expect(trust(fake, { intermediates: [leaf] })).toBe('pki.trust.not_a_ca');
  });

  it('keeps to path lengths', async () => {
    const subKey = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const subDer = await ca.issue({ publicKey: subKey.publicKey, subject: 'CN=Sub', template: 'intermediate-ca' });
    const subSubKey = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const { signCertificate } = await import('../src/x509/build.ts');
    const sub = readCertificate(subDer);
    const subSubDer = await signCertificate(
      {
        serial: new Uint8Array([5]),
        issuerDer: sub.subjectDer,
        subjectDer: new Uint8Array([0x30, 0]),
        publicKey: subSubKey.publicKey,
        notBefore: now - day,
        notAfter: now + day,
        extensions: sub.extensions.filter((item) => item.oid === oids.basicConstraints || item.oid === oids.keyUsage),
      },
      localSigner(subKey.privateKey),
      'sha256',
    );
    const leafDer = await signCertificate(
      {
        serial: new Uint8Array([6]),
        issuerDer: new Uint8Array([0x30, 0]),
        subjectDer: readCertificate(root.certificate).subjectDer,
        publicKey: device.publicKey,
        notBefore: now - day,
        notAfter: now + day,
        extensions: [],
      },
      localSigner(subSubKey.privateKey),
      'sha256',
    );
    expect(trust(subSubDer, { intermediates: [subDer] })).toBe('no error');
    expect(trust(leafDer, { intermediates: [subDer, subSubDer] })).toBe('pki.trust.path_length');
  });

  it('does not get lost among many candidates with one name', async () => {
    const key = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const many: Uint8Array[] = [];
    for (let i = 0; i < 70; i++) {
      many.push(await ca.issue({ publicKey: key.publicKey, subject: 'CN=Sub', template: 'intermediate-ca' }));
    }
    const { signCertificate } = await import('../src/x509/build.ts');
    const name = readCertificate(many[0]!).subjectDer;
    const leaf = await signCertificate(
      {
        serial: new Uint8Array([6]),
        issuerDer: name,
        subjectDer: name,
        publicKey: device.publicKey,
        notBefore: now - day,
        notAfter: now + day,
        extensions: [],
      },
      localSigner(device.privateKey),
      'sha256',
    );
    const started = process.cpuUsage();
    expect(trust(leaf, { anchors: [], intermediates: many })).toBe('pki.trust.too_complex');
    expect(process.cpuUsage(started).user).toBeLessThan(500_000);
  });
});
