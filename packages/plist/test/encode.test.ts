// The layout of the XML that is written.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, encodeXmlText, type PlistInput, PlistReal, PlistUid } from '../src/index.ts';

const head = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`;

function lines(value: PlistInput, options = {}): string {
  const text = encodeXmlText(value, options);
  expect(text.startsWith(head)).toBe(true);
  expect(text.endsWith('</plist>\n')).toBe(true);
  expect(Buffer.from(encodeXml(value, options)).toString()).toBe(text);
  return text.slice(head.length, -'</plist>\n'.length);
}

test.each<[PlistInput, string]>([
  ['', '<string></string>\n'],
  ['a < b & c > d "e" \'f\'', '<string>a &lt; b &amp; c &gt; d "e" \'f\'</string>\n'],
  ['a\rb\nc\td', '<string>a&#13;b\nc\td</string>\n'],
  ['é😀\u0085\ufffd', '<string>é😀\u0085\ufffd</string>\n'],
  [`${'&'.repeat(100)}é\r`, `<string>${'&amp;'.repeat(100)}é&#13;</string>\n`],
  [true, '<true/>\n'],
  [false, '<false/>\n'],
  [0, '<integer>0</integer>\n'],
  [-0, '<integer>0</integer>\n'],
  [-5, '<integer>-5</integer>\n'],
  [2n ** 64n - 1n, '<integer>18446744073709551615</integer>\n'],
  [-(2n ** 63n), '<integer>-9223372036854775808</integer>\n'],
  [1.5, '<real>1.5</real>\n'],
  [1e-7, '<real>1e-7</real>\n'],
  [new PlistReal(1), '<real>1</real>\n'],
  [new PlistReal(-0), '<real>-0</real>\n'],
  [new PlistReal(1e21), '<real>1e+21</real>\n'],
  [Number.NaN, '<real>nan</real>\n'],
  [Number.POSITIVE_INFINITY, '<real>+infinity</real>\n'],
  [Number.NEGATIVE_INFINITY, '<real>-infinity</real>\n'],
  [new Date('2024-02-29T12:34:56Z'), '<date>2024-02-29T12:34:56Z</date>\n'],
  [new Date('2024-02-29T12:34:56.999Z'), '<date>2024-02-29T12:34:56Z</date>\n'],
  [new Date(-1), '<date>1969-12-31T23:59:59Z</date>\n'],
  [new Date('0000-01-01T00:00:00Z'), '<date>0000-01-01T00:00:00Z</date>\n'],
  [new Date('9999-12-31T23:59:59Z'), '<date>9999-12-31T23:59:59Z</date>\n'],
  [new Uint8Array(0), '<data>\n</data>\n'],
  [new Uint8Array([1, 2, 3]), '<data>\nAQID\n</data>\n'],
  [Buffer.from('ab'), '<data>\nYWI=\n</data>\n'],
  [new PlistUid(5), '<dict>\n\t<key>CF$UID</key>\n\t<integer>5</integer>\n</dict>\n'],
  [[], '<array/>\n'],
  [{}, '<dict/>\n'],
  [{ a: undefined }, '<dict/>\n'],
  [[1, []], '<array>\n\t<integer>1</integer>\n\t<array/>\n</array>\n'],
  [
    { a: { '<b>': [true] }, c: undefined, d: 'e' },
    '<dict>\n\t<key>a</key>\n\t<dict>\n\t\t<key>&lt;b&gt;</key>\n\t\t<array>\n\t\t\t<true/>\n\t\t</array>\n\t</dict>\n\t<key>d</key>\n\t<string>e</string>\n</dict>\n',
  ],
])('%o', (value, expected) => expect(lines(value)).toBe(expected));

test('data is wrapped at 76 columns, a tab taking eight, but never under 16', () => {
  const bytes = new Uint8Array(100);
  const widths = (value: PlistInput): number[] =>
    lines(value)
      .split('\n')
      .filter((line) => /^\t*A/.test(line))
      .map((line) => line.trim().length);
  expect(widths(bytes)).toEqual([76, 60]);
  expect(widths([bytes])).toEqual([68, 68]);
  expect(widths([[[[[[[[[[bytes]]]]]]]]]])[0]).toBe(16);
});

test('every kind of date is written as Date writes it', () => {
  const check = (time: number): void => {
    const date = new Date(time);
    expect(lines(date)).toBe(`<date>${date.toISOString().slice(0, 19)}Z</date>\n`);
  };
  for (let time = Date.UTC(1890, 0, 1, 23, 59, 58); time < Date.UTC(2110, 0, 1); time += 86_400_000) check(time);
  // All centuries, around the ends of February and of the year.
  for (let year = 0; year < 10_000; year += 100) {
    for (const day of ['01-01', '02-28', '03-01', '12-31']) {
      check(Date.parse(`${String(year).padStart(4, '0')}-${day}T12:34:56.789Z`));
    }
    if (year % 400 === 0) check(Date.parse(`${String(year).padStart(4, '0')}-02-29T00:00:00Z`));
  }
});

test('integers of every length', () => {
  for (let power = 1n; power < 2n ** 53n; power *= 10n) {
    for (const value of [power - 1n, power, -power, power + 7n]) {
      expect(lines(Number(value))).toBe(`<integer>${value}</integer>\n`);
    }
  }
});

describe('keys', () => {
  test('come in insertion order, or sorted by code unit', () => {
    const value = { b: 1, a: 2, B: 3, é: 4, '': 5 };
    const names = (options: object): string[] =>
      [...lines(value, options).matchAll(/<key>(.*)<\/key>/g)].map((match) => match[1]!);
    expect(names({})).toEqual(['b', 'a', 'B', 'é', '']);
    expect(names({ sortKeys: true })).toEqual(['', 'B', 'a', 'b', 'é']);
    expect(Object.keys(value)[0]).toBe('b');
  });

  test('of every kind', () => {
    const keys = ['', 'a\rb', 'x'.repeat(65), '&'.repeat(70), 'é', '__proto__', '😀', ']]>'];
    for (const encode of [encodeXml, encodeBinary]) {
      const value = Object.fromEntries(keys.map((key) => [key, true]));
      expect(Object.keys(decode(encode(value)))).toEqual(keys);
    }
  });

  test('more of them than are remembered', () => {
    const value = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key${index}`, index]));
    expect(decode(encodeXml(value))).toEqual(value);
    expect(decode(encodeXml(value))).toEqual(value);
  });
});

test('objects of another realm and without a prototype are dictionaries', async () => {
  const { runInNewContext } = await import('node:vm');
  expect(decode(encodeXml(runInNewContext('({ a: [1] })')))).toEqual({ a: [1] });
  expect(decode(encodeXml(Object.assign(Object.create(null), { a: 1 })))).toEqual({ a: 1 });
  expect(decode(encodeBinary(Object.assign(Object.create(null), { a: 1 })))).toEqual({ a: 1 });
});

test('the same value may stand in several places', () => {
  const shared = { a: [1] };
  const value = [shared, { shared }, shared];
  expect(decode(encodeXml(value))).toEqual(value);
  expect(decode(encodeBinary(value))).toEqual(value);
});

test('an encoding may start another, and results stay as they are', () => {
  const inner = (): Uint8Array => encodeXml({ inner: 'x'.repeat(50) });
  const value = {
    before: 1,
    get data() {
      return inner();
    },
    after: 2,
  };
  const first = encodeXml(value);
  const copy = first.slice();
  encodeXml({ other: 'y'.repeat(1000) });
  expect(first).toEqual(copy);
  expect(decode(first)).toEqual({ before: 1, data: inner(), after: 2 });
  expect(first.buffer.byteLength).toBe(first.length);
});
