import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseBer } from '../src/der/ber.ts';
import { contentOf, DerReader, integerOf, namedBitsOf, oidOf, readRoot, smallIntOf } from '../src/der/reader.ts';
import { stringOf, timeOfNode } from '../src/der/strings.ts';
import { integer, namedBits, octets, oid, sequence, setOf, time, tlv, utf8 } from '../src/der/writer.ts';
import { fromPem, readPem, toPem } from '../src/index.ts';
import { codeOf, openssl, oracle } from './support.ts';

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 200;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('DER', () => {
  it('writes integers in their shortest form', () => {
    expect(hex(integer(0))).toBe('020100');
    expect(hex(integer(127))).toBe('02017f');
    expect(hex(integer(128))).toBe('02020080');
    expect(hex(integer(65_537))).toBe('0203010001');
    expect(hex(integer(Uint8Array.of(0, 0, 0x80)))).toBe('02020080');
    expect(codeOf(() => integerOf(readRoot(Uint8Array.of(2, 2, 0, 1))))).toBe('pki.der.invalid');
    expect(codeOf(() => smallIntOf(readRoot(Uint8Array.of(2, 1, 0xff))))).toBe('pki.der.invalid');
  });

  it('round-trips numbers, OIDs, bits, times, texts and long contents (property)', () => {
    const arcs = fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(
        fc.nat(),
        arcs,
        fc.uniqueArray(fc.nat(15)),
        fc.string(),
        fc.nat(70_000),
        (n, tail, bits, text, size) => {
          expect(smallIntOf(readRoot(integer(n)))).toBe(n);
          const dotted = `1.3.${tail.join('.')}`;
          expect(oidOf(readRoot(oid(dotted)))).toBe(dotted);
          expect(namedBitsOf(readRoot(namedBits(bits)))).toEqual([...bits].sort((a, b) => a - b));
          expect(stringOf(readRoot(utf8(text)))).toBe(text);
          expect(contentOf(readRoot(octets(new Uint8Array(size))))).toHaveLength(size);
          const ms = n * 1000;
          expect(timeOfNode(readRoot(time(ms)))).toBe(ms);
        },
      ),
      { seed: 3, numRuns },
    );
  });

  it('changes from UTCTime to GeneralizedTime in 2050', () => {
    expect(time(Date.UTC(2049, 11, 31, 23, 59, 59))[0]).toBe(0x17);
    expect(time(Date.UTC(2050, 0, 1))[0]).toBe(0x18);
    const utc = (text: string) => timeOfNode(readRoot(tlv(0x17, Buffer.from(text))));
    expect(utc('500101000000Z')).toBe(Date.UTC(1950, 0, 1));
    expect(utc('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
    expect(codeOf(() => utc('260230000000Z'))).toBe('pki.der.invalid');
    expect(codeOf(() => utc('260201000000+0100'))).toBe('pki.der.invalid');
    expect(codeOf(() => time(Number.NaN))).toBe('pki.time.range');
  });

  it('reads every string type', () => {
    const read = (tag: number, content: Uint8Array): string => stringOf(readRoot(tlv(tag, content)));
    expect(read(0x1e, Buffer.from('00470065', 'hex'))).toBe('Ge');
    expect(read(0x1c, Buffer.from('0001f600', 'hex'))).toBe('😀');
    expect(read(0x14, Buffer.from('e9', 'hex'))).toBe('é');
    expect(codeOf(() => read(0x0c, Uint8Array.of(0xff)))).toBe('pki.der.invalid');
    expect(codeOf(() => read(0x16, Uint8Array.of(0x80)))).toBe('pki.der.invalid');
    expect(codeOf(() => read(0x1e, Uint8Array.of(1)))).toBe('pki.der.invalid');
  });

  it('sorts SET OF by encoding', () => {
    expect(hex(setOf([integer(3), octets(Uint8Array.of(1)), integer(1)]))).toBe('3109020101020103040101');
  });

  it('turns BER into the DER of the same value', () => {
    const ber = Buffer.from('3080 2480 04020102 040103 0000 3080 02810101 0000 0000'.replaceAll(' ', ''), 'hex');
    expect(hex(normaliseBer(ber))).toBe(hex(sequence(octets(Uint8Array.of(1, 2, 3)), sequence(integer(1)))));
    const der = sequence(octets(new Uint8Array(300)), sequence(integer(5)));
    expect(normaliseBer(der)).toEqual(der);
    expect(new DerReader(readRoot(der)).octets()).toHaveLength(300);
  });
});

describe('PEM', () => {
  it('round-trips (property)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (bytes) => {
        expect(Buffer.from(fromPem(toPem(bytes, 'X'), 'X'))).toEqual(Buffer.from(bytes));
      }),
      { seed: 5, numRuns },
    );
  });

  it('finds blocks among other text', () => {
    const text = `subject=x\r\n${toPem(Uint8Array.of(1)).replaceAll('\n', '\r\n')}\nmore\n${toPem(Uint8Array.of(2), 'PRIVATE KEY')}`;
    expect(readPem(text).map(({ label, der }) => [label, ...der])).toEqual([
      ['CERTIFICATE', 1],
      ['PRIVATE KEY', 2],
    ]);
    expect([...fromPem(text, 'PRIVATE KEY')]).toEqual([2]);
    expect(codeOf(() => fromPem(text, 'X509 CRL'))).toBe('pki.pem.missing');
  });

  oracle('openssl', 'is what openssl writes', async () => {
    const pem = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).toString();
    expect(toPem(fromPem(pem), 'PRIVATE KEY')).toBe(pem);
    const der = await openssl(['pkey', '-outform', 'der'], pem);
    expect(createHash('sha256').update(fromPem(pem)).digest('hex')).toBe(
      createHash('sha256')
        .update(await openssl(['pkcs8', '-topk8', '-nocrypt', '-inform', 'der', '-outform', 'der'], der))
        .digest('hex'),
    );
  });
});
