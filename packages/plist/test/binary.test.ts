// The rules of binary property lists: what is read, and which bytes are written.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, PlistReal, PlistUid } from '../src/index.ts';
import { layOut } from './support/binary.ts';
import { errorOf } from './support/place.ts';

const hex = (text: string): number[] => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];
const read = (object: string): unknown => decode(layOut({ objects: [hex(object)] }));

/** The bytes of the objects alone. */
function objectsOf(value: Parameters<typeof encodeBinary>[0]): string {
  const bytes = Buffer.from(encodeBinary(value));
  return bytes.subarray(8, Number(bytes.readBigUInt64BE(bytes.length - 8))).toString('hex');
}

describe('reads', () => {
  test.each([
    ['08', false],
    ['09', true],
    ['10 ff', 255],
    ['11 ffff', 65_535],
    ['12 ffffffff', 2 ** 32 - 1],
    ['13 0000000000000001', 1],
    ['13 ffffffffffffffff', -1],
    ['13 001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['13 0020000000000000', 2n ** 53n],
    ['13 8000000000000000', -(2n ** 63n)],
    ['14 0000000000000000 0000000000000005', 5],
    ['14 0000000000000000 ffffffffffffffff', 2n ** 64n - 1n],
    ['14 ffffffffffffffff ffffffffffffffff', -1],
    ['14 ffffffffffffffff 8000000000000000', -(2n ** 63n)],
    ['22 3fc00000', 1.5],
    ['22 3f800000', new PlistReal(1)],
    ['23 3ff8000000000000', 1.5],
    ['23 8000000000000000', new PlistReal(-0)],
    ['23 7ff8000000000000', Number.NaN],
    ['23 fff0000000000000', Number.NEGATIVE_INFINITY],
    ['33 0000000000000000', new Date('2001-01-01T00:00:00Z')],
    ['33 bff0000000000000', new Date('2000-12-31T23:59:59Z')],
    ['33 3fe0000000000000', new Date('2001-01-01T00:00:00.500Z')],
    ['40', new Uint8Array(0)],
    ['42 0102', new Uint8Array([1, 2])],
    ['4f 10 03 010203', new Uint8Array([1, 2, 3])],
    ['4f 11 0001 07', new Uint8Array([7])],
    ['50', ''],
    ['53 616263', 'abc'],
    ['5f 10 03 616263', 'abc'],
    ['5f 13 0000000000000003 616263', 'abc'],
    ['51 00', '\0'],
    ['60', ''],
    ['61 00e9', 'é'],
    ['62 d83d de00', '😀'],
    ['80 07', new PlistUid(7)],
    ['82 010000', new PlistUid(65_536)],
    ['87 ffffffffffffffff', new PlistUid(2n ** 64n - 1n)],
    ['8f 0000000000000000 0000000000000007', new PlistUid(7)],
    ['a0', []],
    ['d0', {}],
  ])('%s', (object, expected) => {
    expect(read(object)).toEqual(expected);
  });

  test('reals as plain numbers, when asked', () => {
    expect(decode(layOut({ objects: [hex('22 3f800000')] }), { reals: 'number' })).toBe(1);
  });

  test('strings longer than any piece', () => {
    const long = 'aé'.repeat(5_000);
    expect(decode(encodeBinary([long, 'x'.repeat(100_000)]))).toEqual([long, 'x'.repeat(100_000)]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('offsets of %i bytes and references of as many', (size) => {
    const reference = (object: number): number[] => [...new Array<number>(size - 1).fill(0), object];
    const objects = [
      [0xd1, ...reference(1), ...reference(2)],
      [0x51, 0x61],
      [0xa2, ...reference(3), ...reference(1)],
      [0x09],
    ];
    expect(decode(layOut({ objects, offsetSize: size, referenceSize: size }))).toEqual({ a: [true, 'a'] });
  });

  test('a document wherever it lies in its buffer, also in a Buffer and in shared memory', () => {
    const bytes = encodeBinary({ a: [1.25, 2n ** 40n, 'é'] });
    const around = new Uint8Array(bytes.length + 20);
    around.set(bytes, 7);
    const expected = { a: [1.25, 2 ** 40, 'é'] };
    expect(decode(around.subarray(7, 7 + bytes.length))).toEqual(expected);
    expect(decode(Buffer.from(bytes))).toEqual(expected);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(decode(shared)).toEqual(expected);
  });

  test('data as a copy of its own', () => {
    const bytes = Buffer.from(encodeBinary([new Uint8Array([1, 2, 3])]));
    const [data] = decode(bytes) as [Uint8Array];
    bytes.fill(0);
    expect(data).toEqual(new Uint8Array([1, 2, 3]));
    expect(data.constructor).toBe(Uint8Array);
    expect(data.buffer.byteLength).toBe(3);
  });

  test('a container that is referred to twice as two containers', () => {
    const [first, second] = decode(layOut({ objects: [[0xa2, 1, 1], [0xa1, 2], [0x09]] })) as [unknown[], unknown[]];
    expect(first).toEqual([true]);
    expect(second).toEqual([true]);
    expect(first).not.toBe(second);
  });

  test('keys twice as told', () => {
    const document = layOut({ objects: [[0xd2, 1, 1, 2, 3], [0x51, 0x61], [0x08], [0x09]] });
    expect(errorOf(() => decode(document)).code).toBe('plist.duplicate_key');
    expect(decode(document, { duplicateKeys: 'first' })).toEqual({ a: false });
    expect(decode(document, { duplicateKeys: 'last' })).toEqual({ a: true });
  });

  test('objects that nothing refers to', () => {
    expect(decode(layOut({ objects: [[0x09], [0xff], [0xa1, 0]] }))).toBe(true);
  });
});

describe('writes', () => {
  test.each([
    [false, '08'],
    [true, '09'],
    [0, '1000'],
    [-0, '1000'],
    [255, '10ff'],
    [256, '110100'],
    [65_535, '11ffff'],
    [65_536, '1200010000'],
    [2 ** 32 - 1, '12ffffffff'],
    [2 ** 32, '130000000100000000'],
    [-1, '13ffffffffffffffff'],
    [5n, '1005'],
    [2n ** 63n - 1n, '137fffffffffffffff'],
    [2n ** 63n, '1400000000000000008000000000000000'],
    [-(2n ** 63n), '138000000000000000'],
    [1.5, '223fc00000'],
    [0.1, '233fb999999999999a'],
    [new PlistReal(1), '223f800000'],
    [new PlistReal(-0), '2280000000'],
    [Number.NaN, '227fc00000'],
    [Number.POSITIVE_INFINITY, '227f800000'],
    [new PlistReal(1e300), '237e37e43c8800759c'],
    [new Date('2001-01-01T00:00:01.500Z'), '333ff8000000000000'],
    ['', '50'],
    ['abc', '53616263'],
    ['\0\u007f', '52007f'],
    ['fifteen letters', '5f100f66696674656e206c657474657273'.replace('66696674656e', '6669667465656e')],
    ['é', '6100e9'],
    ['aé', '62006100e9'],
    ['😀', '62d83dde00'],
    [new Uint8Array([1, 2]), '420102'],
    [new Uint8Array(15), `4f100f${'00'.repeat(15)}`],
    [new PlistUid(255), '80ff'],
    [new PlistUid(256), '810100'],
    [new PlistUid(65_536), '8300010000'],
    [new PlistUid(2n ** 40n), '870000010000000000'],
    [[], 'a0'],
    [{}, 'd0'],
    [{ a: undefined }, 'd0'],
  ])('%s', (value, expected) => {
    expect(objectsOf(value)).toBe(expected);
  });

  test('equal scalars once, and other ones apart', () => {
    expect(objectsOf(['a', 'a'])).toBe('a20101' + '5161');
    expect(objectsOf({ a: 'a' })).toBe('d10101' + '5161');
    expect(objectsOf([1, 1n, new PlistReal(1), new PlistReal(1), true, true])).toBe(
      'a6010102020303' + '1001' + '223f800000' + '09',
    );
    expect(objectsOf([new PlistReal(0), new PlistReal(-0), new PlistReal(-0)])).toBe(
      'a3010202' + '2200000000' + '2280000000',
    );
    expect(objectsOf([new Uint8Array([1]), new Uint8Array([1]), new Uint8Array([128])])).toBe(
      'a3010102' + '4101' + '4180',
    );
    expect(objectsOf([new Date(0), new Date(0)])).toHaveLength((3 + 9) * 2);
    expect(objectsOf([new PlistUid(1), new PlistUid(1), 1])).toBe('a3010102' + '8001' + '1001');
    expect(objectsOf([[], []])).toBe('a20102' + 'a0' + 'a0');
  });

  test('a container once for each place it has', () => {
    const shared = [true];
    expect(objectsOf([shared, shared])).toBe('a20103' + 'a102' + '09' + 'a102');
  });

  test('the sizes of offsets and references that fit, with room for one more', () => {
    const sizes = (value: Parameters<typeof encodeBinary>[0]): [number, number] => {
      const bytes = encodeBinary(value);
      return [bytes.at(-26)!, bytes.at(-25)!];
    };
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
    expect(sizes(numbers(10))).toEqual([1, 1]);
    expect(sizes(numbers(254))).toEqual([2, 1]);
    // 256 objects: CoreFoundation wants the number 256 to fit too.
    expect(sizes(numbers(255))).toEqual([2, 2]);
    expect(sizes(numbers(30_000))).toEqual([4, 2]);
    expect(sizes(numbers(70_000))).toEqual([4, 4]);
    expect(decode(encodeBinary(numbers(70_000)))).toEqual(numbers(70_000));
  });

  test('keys in insertion order, or sorted when asked', () => {
    expect(objectsOf({ b: 1, a: 2 })).toBe('d201020304' + '5162' + '5161' + '1001' + '1002');
    expect(Buffer.from(encodeBinary({ b: 1, a: 2 }, { sortKeys: true }))).toEqual(
      Buffer.from(encodeBinary({ a: 2, b: 1 })),
    );
  });
});
