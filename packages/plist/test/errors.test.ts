// What an error tells: the code, the kind, and the place, in every way a document can be given.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, PlistError, type PlistErrorCode, PlistReal, PlistUid } from '../src/index.ts';
import { layOut } from './support/binary.ts';
import { errorOf } from './support/place.ts';

type Row = readonly [
  document: string,
  code: PlistErrorCode,
  offset: number,
  line: number,
  column: number,
  path: string,
];

const table: readonly Row[] = [
  ['', 'plist.truncated', 0, 1, 1, '/'],
  ['\n\n  hello', 'plist.syntax', 4, 3, 3, '/'],
  ['<plist>\n<nope/></plist>', 'plist.type', 8, 2, 1, '/'],
  ['<plist>\n\t<integer>x</integer>\n</plist>', 'plist.value', 18, 2, 11, '/'],
  ['<plist>\r\n<dict>\r\n<key>a</key>\r\n</dict></plist>', 'plist.syntax', 31, 4, 1, '/a'],
  ['<plist>\r<dict>\r<key>a</key>\r<string>&x;</string></dict></plist>', 'plist.forbidden', 36, 4, 9, '/a'],
  [
    '<plist><dict><key>Command</key><dict><key>RequestType</key><string>\u0001</string></dict></dict></plist>',
    'plist.character',
    67,
    1,
    68,
    '/Command/RequestType',
  ],
  ['<plist><array><true/><true/><date>2020-13-01T00:00:00Z</date></array></plist>', 'plist.range', 34, 1, 35, '/2'],
  [
    '<plist><dict><key>Items</key><array><dict/><dict><key>Name</key><real>x</real></dict></array></dict></plist>',
    'plist.value',
    70,
    1,
    71,
    '/Items/1/Name',
  ],
  [
    '<plist><dict><key>é😀</key><array>\n<string>é😀</string><data>AA!A</data></array></dict></plist>',
    'plist.value',
    63,
    2,
    29,
    '/é😀/1',
  ],
  [
    '<plist><dict><key>a</key><true/><key>b</key><true/><key>a</key><true/></dict></plist>',
    'plist.duplicate_key',
    56,
    1,
    57,
    '/a',
  ],
  ['<plist><dict><key>a/b~c</key><nope/></dict></plist>', 'plist.type', 29, 1, 30, '/a~1b~0c'],
  ['<plist><dict><key>a</key><dict/><string/></dict></plist>', 'plist.type', 32, 1, 33, '/'],
  ['<plist><array><array><array></dict></array></array></array></plist>', 'plist.syntax', 28, 1, 29, '/0/0/0'],
  ['<plist><array><true/>', 'plist.truncated', 21, 1, 22, '/1'],
  ['<plist><true/></plist>\n\nmore', 'plist.syntax', 24, 3, 1, '/'],
  ['<!DOCTYPE plist\n[<!ENTITY a "b">]><plist><true/></plist>', 'plist.forbidden', 16, 2, 1, '/'],
  ['<plist><string>a\nb\nc & d</string></plist>', 'plist.syntax', 21, 3, 3, '/'],
];

describe('the place of an error', () => {
  test.each(table)('%j', (document, code, offset, line, column, path) => {
    const inString = errorOf(() => decode(document));
    expect([inString.code, inString.at]).toEqual([code, { offset, line, column, path }]);

    const before = document.slice(0, offset);
    const inUtf8 = errorOf(() => decode(Buffer.from(document)));
    expect([inUtf8.code, inUtf8.at]).toEqual([code, { offset: Buffer.byteLength(before), line, column, path }]);

    const marked = errorOf(() => decode(Buffer.from(`\ufeff${document}`)));
    expect([marked.code, marked.at]).toEqual([code, { offset: 3 + Buffer.byteLength(before), line, column, path }]);

    const wide = errorOf(() => decode(Buffer.from(`\ufeff${document}`, 'utf16le')));
    expect([wide.code, wide.at]).toEqual([code, { offset: 2 + 2 * before.length, line, column, path }]);
  });

  test('of bytes that are not UTF-8 is their offset', () => {
    const error = errorOf(() => decode(Buffer.concat([Buffer.from('<plist><string>é'), Buffer.from([0xc3, 0x28])])));
    expect([error.code, error.at]).toEqual(['plist.encoding', { offset: 17 }]);
  });

  test('in a binary document is the offset of the object, and the path', () => {
    const document = layOut({ objects: [[0xd1, 1, 2], [0x51, 0x61], [0xa2, 3, 4], [0x09], [0x00]] });
    const error = errorOf(() => decode(document));
    expect([error.code, error.at]).toEqual(['plist.type', { offset: 17, path: '/a/1' }]);
    const key = errorOf(() => decode(layOut({ objects: [[0xa1, 1], [0xd1, 2, 2], [0x09]] })));
    expect([key.code, key.at]).toEqual(['plist.type', { offset: 13, path: '/0' }]);
  });
});

describe('an error', () => {
  test('is an Error with a code, a kind, a place and sometimes a remedy', () => {
    const error = errorOf(() => decode(Buffer.from('<plist><true/></plist>', 'utf16le')));
    expect(error).toBeInstanceOf(PlistError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('PlistError');
    expect(error.kind).toBe('invalid');
    expect(error.remedy).toBe('Send the document as UTF-8, or as UTF-16 with a byte order mark.');
    expect((error as unknown as Record<symbol, unknown>)[Symbol.for('espalier.error')]).toBe(true);
  });

  test('says in its message what and where', () => {
    const error = errorOf(() => decode('<plist>\n<dict><key>a</key><integer>x</integer></dict></plist>'));
    expect(error.message).toBe('malformed integer (line 2, column 28, path /a)');
  });

  test('is as the README shows it', () => {
    const error = errorOf(() =>
      decode('<plist><dict><key>Items</key><array><integer>x</integer></array></dict></plist>'),
    );
    expect(error.code).toBe('plist.value');
    expect(error.message).toBe('malformed integer (line 1, column 46, path /Items/0)');
    expect(error.at).toEqual({ offset: 45, line: 1, column: 46, path: '/Items/0' });
  });

  test('shortens and escapes what the document put in it', () => {
    const key = `a\n\u2028${'k'.repeat(500)}`;
    const deep = '<array>'.repeat(100);
    const error = errorOf(() => decode(`<plist><dict><key>${key}</key>${deep}<nope/>`));
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(error.at.path).toMatch(/^\/a\\u000a\\u2028k+…\/0\/0.*\/…$/);
  });

  test('is given for what is no document at all', () => {
    for (const input of [undefined, null, 5, {}, [], new ArrayBuffer(8), new Uint16Array(8)]) {
      expect(errorOf(() => decode(input as unknown as Uint8Array)).code).toBe('plist.type');
    }
    expect(errorOf(() => decode('bplist00…')).code).toBe('plist.type');
  });

  test.each([
    { limits: { maxBytes: -1 } },
    { limits: { maxBytes: Number.NaN } },
    { limits: { maxBytes: 2 ** 31 } },
    { limits: { maxDepth: '5' as unknown as number } },
    { limits: { maxElements: -1 } },
    { reals: 'float' as 'number' },
    { duplicateKeys: 'merge' as 'first' },
  ])('is given for the option %j', (options) => {
    expect(errorOf(() => decode('<plist><true/></plist>', options)).code).toBe('plist.option');
  });
});

describe('encoding', () => {
  class Point {
    x = 1;
  }
  const cyclic: Record<string, unknown> = { a: {} };
  (cyclic.a as Record<string, unknown>).b = [1, cyclic];
  const deepCycle: unknown[] = [];
  let inner = deepCycle;
  for (let depth = 0; depth < 40; depth += 1) {
    const next: unknown[] = [];
    inner.push(next);
    inner = next;
  }
  inner.push(deepCycle);

  const rows: readonly (readonly [string, unknown, PlistErrorCode, string])[] = [
    ['null', { a: null }, 'plist.type', '/a'],
    ['undefined as the root', undefined, 'plist.type', '/'],
    ['undefined in an array', [1, undefined], 'plist.type', '/1'],
    ['a hole in an array', new Array(1), 'plist.type', '/0'],
    ['a function', { a: [() => 1] }, 'plist.type', '/a/0'],
    ['a symbol', [Symbol('x')], 'plist.type', '/0'],
    ['a Map', { a: new Map() }, 'plist.type', '/a'],
    ['an instance of a class', { a: { b: new Point() } }, 'plist.type', '/a/b'],
    ['another typed array', [new Uint16Array(2)], 'plist.type', '/0'],
    ['an ArrayBuffer', [new ArrayBuffer(2)], 'plist.type', '/0'],
    ['a cycle', cyclic, 'plist.cycle', '/a/b/1'],
    ['a cycle far down', deepCycle, 'plist.cycle', `${'/0'.repeat(32)}/…`],
    ['2^53 as a number', { n: 2 ** 53 }, 'plist.range', '/n'],
    ['2^64', { n: 2n ** 64n }, 'plist.range', '/n'],
    ['-2^63-1', { n: -(2n ** 63n) - 1n }, 'plist.range', '/n'],
    ['1e300 as a number', { n: 1e300 }, 'plist.range', '/n'],
    ['an invalid date', { d: new Date(Number.NaN) }, 'plist.range', '/d'],
    ['half of a surrogate pair', { s: 'a\ud800' }, 'plist.character', '/s'],
    ['half of a surrogate pair in a long string', { s: `${'x'.repeat(100)}\udc00` }, 'plist.character', '/s'],
    ['half of a surrogate pair in a key', { a: { '\udc00': 1 } }, 'plist.character', '/a/\ufffd'],
  ];

  test.each(rows)('%s', (_, value, code, path) => {
    for (const encode of [encodeXml, encodeBinary]) {
      const error = errorOf(() => encode(value as string));
      expect([error.code, error.at.path, error.kind]).toEqual([code, path, 'invalid']);
    }
  });

  const xmlOnly: typeof rows = [
    ['a control character', { s: 'a\u0001' }, 'plist.character', '/s'],
    ['a control character in a long string', { s: `\u001b${'x'.repeat(100)}` }, 'plist.character', '/s'],
    ['NUL', ['\0'], 'plist.character', '/0'],
    ['U+FFFE', ['a\ufffe'], 'plist.character', '/0'],
    ['U+FFFF in a long string', [`${'é'.repeat(100)}\uffff`], 'plist.character', '/0'],
    ['a control character in a key', { a: [{ 'x\u0007': 1 }] }, 'plist.character', '/a/0/x\\u0007'],
    ['a year past 9999', { d: new Date(253_402_300_800_000) }, 'plist.range', '/d'],
    ['a year before 0', { d: new Date(-62_167_219_200_001) }, 'plist.range', '/d'],
  ];

  test.each(xmlOnly)('%s, in XML only', (_, value, code, path) => {
    const error = errorOf(() => encodeXml(value as string));
    expect([error.code, error.at.path]).toEqual([code, path]);
    expect(encodeBinary(value as string).length).toBeGreaterThan(0);
  });

  test('names what it cannot hold', () => {
    expect(errorOf(() => encodeXml({ a: new Map() } as never)).message).toBe(
      'a property list cannot hold a Map (path /a)',
    );
    expect(errorOf(() => encodeXml({ a: null } as never)).message).toBe('a property list cannot hold null (path /a)');
  });

  test('works again after an error', () => {
    const before = encodeXml({ a: 'b' });
    errorOf(() => encodeXml({ a: 'x'.repeat(10_000), b: null } as never));
    expect(encodeXml({ a: 'b' })).toEqual(before);
  });
});

describe('the wrappers', () => {
  test('hold only what they can', () => {
    expect(errorOf(() => new PlistReal('1' as unknown as number)).code).toBe('plist.type');
    for (const value of [-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 64n, '1' as unknown as number]) {
      expect(errorOf(() => new PlistUid(value)).code).toBe('plist.range');
    }
    expect(new PlistUid(5n).value).toBe(5);
    expect(new PlistUid(2n ** 64n - 1n).value).toBe(2n ** 64n - 1n);
  });
});
