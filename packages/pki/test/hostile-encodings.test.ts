import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { contentInfo } from '../src/cms/types.ts';
import { normaliseBer } from '../src/der/ber.ts';
import { bitString, explicit, integer, octets, oid, sequence, set, tlv } from '../src/der/writer.ts';
import {
  bundleCertificates,
  checkSanTemplates,
  checkSubjectTemplate,
  createCsr,
  decryptCms,
  decryptRecoveryKey,
  encryptCms,
  fromPem,
  localSigner,
  oids,
  readCertificate,
  readCertificateFile,
  readCsr,
  readPem,
  signCms,
  toPem,
  verifyCms,
  verifyMachineInfo,
  verifyMdmSignature,
  verifyTrust,
} from '../src/index.ts';
import { encodeName } from '../src/x509/name.ts';
import {
  body,
  cpuSince,
  e3,
  type HostileWorld,
  hostileWorld,
  long,
  nested,
  nightly,
  odd,
  refused,
  rsaSpki,
  selfSign,
} from './hostile-support.ts';
import { codeOf, now } from './support.ts';

let { root, device, ecDevice, requester } = {} as HostileWorld;
beforeAll(async () => {
  ({ root, device, ecDevice, requester } = await hostileWorld());
});

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
      // What a JavaScript caller may pass.
      const input = value as never;
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

describe('templates and files', () => {
  const cases: [string, () => unknown][] = [
    ['a name of nothing but commas', () => checkSubjectTemplate(','.repeat(4096))],
    ['a name of nothing but dollars', () => checkSubjectTemplate('$'.repeat(4096))],
    ['a name of a thousand variables', () => checkSubjectTemplate(`CN=${'$EMAIL$'.repeat(1000)}`)],
    ['a name of a thousand parts', () => checkSubjectTemplate('CN=x,'.repeat(800))],
    ['a value that goes on and on', () => checkSubjectTemplate(`CN=${'a,b+c;'.repeat(680)}`)],
    ['a thousand alternative names', () => checkSanTemplates(Array(1000).fill({ type: 'dns', value: 'a.example' }))],
    ['a file of nothing but PEM markers', () => readCertificateFile(Buffer.from('-----BEGIN '.repeat(90_000)))],
    ['a file of nested sequences', () => readCertificateFile(nested(100_000, [0x30, 0x80]))],
    ['a megabyte of zeros', () => readCertificateFile(new Uint8Array(1024 * 1024))],
    ['machine information that is no base64', () => verifyMachineInfo(`${'A'.repeat(60_000)}!`)],
    ['machine information of nested sequences', () => verifyMachineInfo(nested(30_000, [0x30, 0x80]))],
  ];
  it.each(cases)('refuse %s at once', (_, action) => {
    expect(refused(action)).toMatch(/^pki\./);
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
      [device.certificate, readCertificateFile],
      [bundleCertificates([device.certificate, root.certificate]), readCertificateFile],
      [Buffer.from(toPem(device.certificate)), readCertificateFile],
      [cms, (input) => verifyMachineInfo(input, { anchors: [root.certificate] })],
      [envelope, (input) => decryptRecoveryKey(input, device)],
      [Buffer.from('CN=$EMAIL$,O=A, B+OU="c"\\2C'), (input) => checkSubjectTemplate(Buffer.from(input).toString())],
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
