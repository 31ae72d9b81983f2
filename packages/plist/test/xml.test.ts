// The rules of XML property lists, one by one: what is read, and as what.
import { describe, expect, test } from 'vitest';
import { decode, decodeDict, PlistReal, PlistUid } from '../src/index.ts';
import { errorOf } from './support/place.ts';

const root = (value: string): string => `<plist version="1.0">${value}</plist>`;
const value = (text: string, options = {}): unknown => decode(root(text), options);

describe('the frame', () => {
  test.each([
    ['no prolog', '<plist><true/></plist>'],
    ['a declaration', '<?xml version="1.0"?><plist><true/></plist>'],
    ['single quotes', "<?xml version='1.0' encoding='utf-8' standalone='yes'?><plist version='1.0'><true/></plist>"],
    [
      'spaces wherever they may be',
      '<?xml  version = "1.0"\n?>\n\n<plist  version\t=\r\n"1.0" >\n<true/>\n</plist >\n',
    ],
    ['a document type', '<!DOCTYPE plist><plist><true/></plist>'],
    ['a system id', '<!DOCTYPE plist SYSTEM "a \'b\' <c>"><plist><true/></plist>'],
    ['a public id', "<!DOCTYPE  plist  PUBLIC '-//X//Y' 'z' ><plist><true/></plist>"],
    ['comments all over', '<!--a--><plist><!--b--><true/><!--c--></plist><!-- > < & - -->'],
    ['a comment before and after the document type', '<!--a--><!DOCTYPE plist><!--b--><plist><true/></plist>'],
    ['a byte order mark', '\ufeff<plist><true/></plist>'],
    ['a declared encoding, in a string', '<?xml version="1.0" encoding="ISO-8859-1"?><plist><true/></plist>'],
  ])('%s', (_, document) => {
    expect(decode(document)).toBe(true);
  });

  test.each([
    ['UTF-8', Buffer.from(root('<string>é😀</string>'))],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${root('<string>é😀</string>')}`)],
    [
      'UTF-8 declared in capitals',
      Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${root('<string>é😀</string>')}`),
    ],
    ['little-endian UTF-16', Buffer.from(`\ufeff${root('<string>é😀</string>')}`, 'utf16le')],
    ['big-endian UTF-16', Buffer.from(`\ufeff${root('<string>é😀</string>')}`, 'utf16le').swap16()],
    [
      'UTF-16, declared',
      Buffer.from(`\ufeff<?xml version="1.0" encoding="utf-16"?>${root('<string>é😀</string>')}`, 'utf16le'),
    ],
  ])('%s', (_, document) => {
    expect(decode(document)).toBe('é😀');
    // Other views of the same bytes are read alike, and a shared buffer is.
    expect(decode(new Uint8Array(document))).toBe('é😀');
    const shared = new Uint8Array(new SharedArrayBuffer(document.length));
    shared.set(document);
    expect(decode(shared)).toBe('é😀');
  });

  test('ASCII, declared', () => {
    expect(decode(Buffer.from(`<?xml version="1.0" encoding="US-ASCII"?>${root('<true/>')}`))).toBe(true);
  });
});

describe('strings', () => {
  test.each([
    ['nothing', '<string></string>', ''],
    ['an empty element', '<string/>', ''],
    ['an empty element with a space', '<string />', ''],
    ['spaces, which are kept', '<string> a\n\tb </string>', ' a\n\tb '],
    ['the five entities', '<string>&lt;&gt;&amp;&quot;&apos;</string>', '<>&"\''],
    ['character references', '<string>&#65;&#x42;&#x1F600;&#00067;</string>', 'AB😀C'],
    ['a reference to a carriage return', '<string>a&#13;b&#xD;c</string>', 'a\rb\rc'],
    ['line endings', '<string>a\r\nb\rc\nd\r\r\ne</string>', 'a\nb\nc\nd\n\ne'],
    ['CDATA', '<string>a<![CDATA[<b> & ]] >]]>c</string>', 'a<b> & ]] >c'],
    ['empty CDATA', '<string><![CDATA[]]></string>', ''],
    ['line endings in CDATA', '<string><![CDATA[a\r\nb\rc]]></string>', 'a\nb\nc'],
    ['a comment', '<string>a<!-- b -->c</string>', 'ac'],
    ['> and quotes as they are', '<string>a > b "c" \'d\' ]] ]></string>', 'a > b "c" \'d\' ]] ]>'],
    ['a space before the end tag', '<string >a</string\n>', 'a'],
    ['every plane of Unicode', '<string>aé€\u{10000}\u{10ffff}\ufffd</string>', 'aé€\u{10000}\u{10ffff}\ufffd'],
    ['C1 controls and DEL', '<string>\u007f\u0085\u009f</string>', '\u007f\u0085\u009f'],
    ['a mark inside', '<string>\ufeffa</string>', '\ufeffa'],
  ])('%s', (_, text, expected) => {
    expect(value(text)).toBe(expected);
    expect(decode(Buffer.from(root(text)))).toBe(expected);
  });

  test('long ones, ASCII and not, beyond a window of the scanner', () => {
    for (const length of [1_000, 16_384, 100_000]) {
      const plain = 'abcdefghij'.repeat(length / 10);
      const wide = 'äö€😀'.repeat(length / 4);
      const document = root(
        `<array><string>${plain}</string><string>${wide}</string><string>x&amp;${plain}</string></array>`,
      );
      expect(decode(Buffer.from(document))).toEqual([plain, wide, `x&${plain}`]);
    }
  });
});

describe('booleans', () => {
  test.each([
    ['<true/>', true],
    ['<false/>', false],
    ['<true></true>', true],
    ['<false></false>', false],
    ['<true />', true],
    ['<false\n></false >', false],
    ['<true> <!-- still --> </true>', true],
  ])('%s', (text, expected) => expect(value(text)).toBe(expected));
});

describe('integers', () => {
  test.each([
    ['0', 0],
    ['-0', 0],
    ['+0', 0],
    ['7', 7],
    ['-7', -7],
    ['+7', 7],
    ['007', 7],
    ['0x1F', 31],
    ['0XfF', 255],
    ['-0x10', -16],
    [' 5 ', 5],
    ['\n\t5\r\n', 5],
    ['5<!-- five -->', 5],
    ['&#53;', 5],
    ['<![CDATA[5]]>', 5],
    ['999999999999999', 999_999_999_999_999],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    ['9007199254740992', 2n ** 53n],
    ['-9007199254740992', -(2n ** 53n)],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['9223372036854775808', 2n ** 63n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['0xFFFFFFFFFFFFFFFF', 2n ** 64n - 1n],
    [`${'0'.repeat(100)}1`, 1],
  ])('%s', (text, expected) => {
    const read = value(`<integer>${text}</integer>`);
    expect(read).toBe(expected);
    expect(Object.is(read, -0)).toBe(false);
  });
});

describe('reals', () => {
  test.each([
    ['1.5', 1.5],
    ['-1.5', -1.5],
    ['+1.5', 1.5],
    ['.5', 0.5],
    ['1.5e-7', 1.5e-7],
    ['1.5E+3', new PlistReal(1500)],
    ['1.', new PlistReal(1)],
    ['1', new PlistReal(1)],
    ['0', new PlistReal(0)],
    ['-0.0', new PlistReal(-0)],
    ['1e300', new PlistReal(1e300)],
    ['5e-324', 5e-324],
    ['1e-400', new PlistReal(0)],
    ['0.1', 0.1],
    ['nan', Number.NaN],
    ['NaN', Number.NaN],
    ['inf', Number.POSITIVE_INFINITY],
    ['+infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    [' 2.5 ', 2.5],
  ])('%s', (text, expected) => {
    const read = value(`<real>${text}</real>`);
    expect(read).toEqual(expected);
    if (expected instanceof PlistReal) expect(Object.is((read as PlistReal).value, expected.value)).toBe(true);
  });

  test('as plain numbers, when asked', () => {
    expect(value('<array><real>1</real><real>1.5</real></array>', { reals: 'number' })).toEqual([1, 1.5]);
  });

  test('behave as numbers', () => {
    const real = value('<real>2</real>') as PlistReal;
    expect(Number(real) + 1).toBe(3);
    expect(`${real}`).toBe('2');
    expect(JSON.stringify({ real })).toBe('{"real":2}');
  });
});

describe('dates', () => {
  test.each([
    '1970-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '2001-01-01T00:00:00Z',
    '2024-02-29T12:34:56Z',
    '2000-02-29T00:00:00Z',
    '1900-02-28T23:59:59Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '0099-12-31T23:59:59Z',
    '4001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ])('%s', (text) => {
    expect(value(`<date>${text}</date>`)).toEqual(new Date(text));
    expect(value(`<date>\n\t${text} </date>`)).toEqual(new Date(text));
  });

  test('every day of four centuries', () => {
    for (let time = Date.UTC(1800, 0, 1, 1, 2, 3); time < Date.UTC(2200, 0, 1); time += 86_400_000) {
      const text = `${new Date(time).toISOString().slice(0, 19)}Z`;
      expect((value(`<date>${text}</date>`) as Date).getTime()).toBe(time);
    }
  });
});

describe('data', () => {
  test.each([
    ['', ''],
    ['AA==', '00'],
    ['AAE=', '0001'],
    ['AAEC', '000102'],
    ['/+/+', 'ffeffe'],
    ['\n\tAAEC\n\tAwQ=\n\t', '0001020304'],
    ['A A E C', '000102'],
    ['AA = = ', '00'],
    ['AA<!-- a comment -->EC', '000102'],
    ['<![CDATA[AAEC]]>', '000102'],
    ['AA&#69;C', '000102'],
  ])('%j', (text, hex) => {
    const read = value(`<data>${text}</data>`) as Uint8Array;
    expect(Buffer.from(read).toString('hex')).toBe(hex);
    expect(read.constructor).toBe(Uint8Array);
    expect(read.buffer.byteLength).toBe(read.length);
  });

  test('of every length up to 100, and of some large ones', () => {
    for (const length of [...Array(100).keys(), 12_287, 12_288, 12_289, 16_384, 30_000, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 255);
      const text = Buffer.from(bytes).toString('base64');
      expect(value(`<data>${text}</data>`)).toEqual(bytes);
      expect(value(`<data>\n\t${text.replace(/.{1,68}/g, '$&\n\t')}</data>`)).toEqual(bytes);
    }
  });

  test('as <data/>', () => expect(value('<data/>')).toEqual(new Uint8Array(0)));
});

describe('uids', () => {
  test('are dictionaries with the one key CF$UID', () => {
    expect(value('<dict><key>CF$UID</key><integer>5</integer></dict>')).toEqual(new PlistUid(5));
    expect(value('<array><dict><key>CF$UID</key><integer>5</integer></dict></array>')).toEqual([new PlistUid(5)]);
    expect(value('<dict><key>CF$UID</key><integer>18446744073709551615</integer></dict>')).toEqual(
      new PlistUid(2n ** 64n - 1n),
    );
    expect(JSON.stringify(new PlistUid(5))).toBe('{"CF$UID":5}');
    expect(JSON.stringify(new PlistUid(2n ** 60n))).toBe(`{"CF$UID":"${2n ** 60n}"}`);
  });

  test.each([
    '<key>CF$UID</key><string>5</string>',
    '<key>CF$UID</key><integer>-5</integer>',
    '<key>CF$UID</key><real>5</real>',
    '<key>CF$UID</key><integer>5</integer><key>b</key><true/>',
  ])('but not %s', (content) => {
    expect(decodeDict(root(`<dict>${content}</dict>`))).toHaveProperty('CF$UID');
  });
});

describe('dictionaries and arrays', () => {
  test('keep their order', () => {
    const dict = decodeDict(root('<dict><key>b</key><true/><key>a</key><true/><key>C</key><true/></dict>'));
    expect(Object.keys(dict)).toEqual(['b', 'a', 'C']);
  });

  test('may be empty, in each spelling', () => {
    expect(value('<dict/>')).toEqual({});
    expect(value('<dict />')).toEqual({});
    expect(value('<dict></dict>')).toEqual({});
    expect(value('<dict > <!-- nothing --> </dict >')).toEqual({});
    expect(value('<array/>')).toEqual([]);
    expect(value('<array></array>')).toEqual([]);
  });

  test('nest', () => {
    expect(
      value('<dict><key>a</key><array><dict><key>b</key><array/></dict><dict/></array><key>c</key><true/></dict>'),
    ).toEqual({
      a: [{ b: [] }, {}],
      c: true,
    });
  });

  test('take keys in each spelling', () => {
    const keys = [
      '<key></key>',
      '<key/>',
      '<key>a&amp;b</key>',
      '<key>ä</key>',
      '<key ><![CDATA[<c>]]></key >',
      '<key>a\nb</key>',
      `<key>${'k'.repeat(100)}</key>`,
    ];
    const names = keys.map((key) => Object.keys(decodeDict(root(`<dict>${key}<true/></dict>`)))[0]);
    expect(names).toEqual(['', '', 'a&b', 'ä', '<c>', 'a\nb', 'k'.repeat(100)]);
  });

  test('tell keys with one hash apart', () => {
    // 31 * 'a' + 'b' equals 31 * 'b' + 'C': any string of such pairs has many of the same hash.
    const keys = Array.from({ length: 64 }, (_, bits) =>
      Array.from({ length: 6 }, (_, bit) => ((bits >> bit) & 1 ? 'bC' : 'ab')).join(''),
    );
    const text = keys.map((key) => `<key>${key}</key><string>${key}</string>`).join('');
    for (let turn = 0; turn < 3; turn += 1) {
      expect(Object.entries(decodeDict(root(`<dict>${text}</dict>`)))).toEqual(keys.map((key) => [key, key]));
    }
  });

  test('with a key twice are an error, or take one of the two when asked', () => {
    const document = root('<dict><key>a</key><integer>1</integer><key>b</key><dict/><key>a</key><array/></dict>');
    expect(errorOf(() => decode(document)).code).toBe('plist.duplicate_key');
    expect(decode(document, { duplicateKeys: 'last' })).toEqual({ a: [], b: {} });
    expect(decode(document, { duplicateKeys: 'first' })).toEqual({ a: 1, b: {} });
    const nested = root('<dict><key>a</key><dict/><key>a</key><dict><key>x</key><true/></dict></dict>');
    expect(decode(nested, { duplicateKeys: 'first' })).toEqual({ a: {} });
    expect(decode(nested, { duplicateKeys: 'last' })).toEqual({ a: { x: true } });
  });
});

describe('decodeDict', () => {
  test('gives the dictionary', () => {
    expect(decodeDict(root('<dict><key>a</key><true/></dict>')).a).toBe(true);
    expect(decodeDict(root('<dict/>'))).toEqual({});
  });

  test.each([
    ['<array/>', 'an array'],
    ['<string/>', 'a string'],
    ['<true/>', 'a boolean'],
    ['<integer>1</integer>', 'a number'],
    ['<integer>18446744073709551615</integer>', 'a number'],
    ['<real>1</real>', 'a real'],
    ['<date>2020-01-01T00:00:00Z</date>', 'a date'],
    ['<data/>', 'data'],
    ['<dict><key>CF$UID</key><integer>1</integer></dict>', 'a uid'],
  ])('refuses %s', (text, kind) => {
    const error = errorOf(() => decodeDict(root(text)));
    expect(error.code).toBe('plist.type');
    expect(error.message).toBe(`the root must be a dictionary, not ${kind} (path /)`);
  });
});
