// No document takes more than linear time. Each hostile shape is measured at a size and at eight times that size: were
// the work quadratic, it would take 64 times as long; the test allows 40 times, since larger documents also cost more in
// the caches and the garbage collector. Processor time of this thread is measured, not time on the clock, so that a busy
// machine makes no difference.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, PlistError } from '../src/index.ts';
import { layOut } from './support/binary.ts';

const growth = 8;
const allowed = 40;
const leastTime = 4;
const largest = 4_000_000;

const limits = { maxBytes: 256 * 1024 * 1024, maxElements: 50_000_000, maxDepth: 50_000_000 };

function attempt(document: Uint8Array): void {
  try {
    decode(document, { limits });
  } catch (error) {
    if (!(error instanceof PlistError)) throw error;
  }
}

function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Shortest of a few measurements, in milliseconds. */
function time(work: () => void): number {
  let shortest = Number.POSITIVE_INFINITY;
  // A short measurement is repeated; of a long one, neither the clock's tick nor a collection is a large part.
  for (let turn = 0; turn < 3 && (turn === 0 || shortest < 100); turn += 1) {
    const start = cpu();
    work();
    shortest = Math.min(shortest, cpu() - start);
  }
  return shortest;
}

/**
 * Holds that eight times the size takes less than `allowed` times as long. A collection or a late compilation may spoil
 * a measurement, so it is taken again before it counts: work that really is quadratic fails every time.
 */
function expectGrowth(small: () => void, large: () => void, what: string): void {
  let ratio = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 5 && ratio >= allowed; turn += 1) {
    ratio = Math.min(ratio, time(large) / Math.max(time(small), leastTime));
  }
  expect(ratio, what).toBeLessThan(allowed);
}

/** Finds a size that takes a measurable time, then compares with eight times that size. */
function expectLinear(make: (size: number) => Uint8Array): void {
  attempt(make(1_000));
  let size = 2_000;
  let document = make(size);
  let base = time(() => attempt(document));
  while (base < leastTime && size * growth < largest) {
    size *= 2;
    document = make(size);
    base = time(() => attempt(document));
  }
  const large = make(size * growth);
  expectGrowth(
    () => attempt(document),
    () => attempt(large),
    `${size} took ${base} ms`,
  );
}

const xml = (value: string, end = '</plist>'): Uint8Array => Buffer.from(`<plist version="1.0">${value}${end}`);
const many = (text: string, size: number): string => text.repeat(Math.ceil(size / text.length));
const numbered = (size: number, each: (index: number) => string): string =>
  Array.from({ length: Math.ceil(size / 20) }, (_, index) => each(index)).join('');

describe('XML', () => {
  test.each<[string, (size: number) => Uint8Array]>([
    ['entities', (size) => xml(`<string>${many('&amp;', size)}</string>`)],
    ['numeric references', (size) => xml(`<string>${many('&#x41;', size)}</string>`)],
    ['a run of &', (size) => xml(`<string>${many('&', size)}</string>`)],
    ['a reference without an end', (size) => xml(`<string>&${many('a', size)}</string>`)],
    ['unknown entities, one a string', (size) => xml(`<array>${many('<string>&a;</string>', size)}</array>`)],
    ['a run of <', (size) => xml(many('<', size))],
    ['a run of < in a string', (size) => xml(`<string>${many('<', size)}`)],
    ['a run of <!', (size) => xml(many('<!', size))],
    ['arrays in arrays', (size) => xml(many('<array>', size))],
    ['arrays in arrays, closed', (size) => xml(many('<array>', size / 2) + many('</array>', (size / 2 / 7) * 8))],
    ['dictionaries in dictionaries', (size) => xml(many('<dict><key>a</key>', size))],
    ['a tag that never ends', (size) => xml(`<${many('a', size)}`, '')],
    ['a tag full of space', (size) => xml(`<true${many(' ', size)}/>`)],
    ['an unterminated comment', (size) => xml(`<!-- ${many('- ', size)}`, '')],
    ['comment starts', (size) => xml(many('<!--', size), '')],
    ['comments', (size) => xml(`${many('<!-- a -->', size)}<true/>`)],
    ['comments in a string', (size) => xml(`<string>${many('a<!---->', size)}</string>`)],
    ['an unterminated CDATA section', (size) => xml(`<string><![CDATA[${many(']', size)}`, '')],
    ['CDATA sections', (size) => xml(`<string>${many('<![CDATA[]]]]>', size)}</string>`)],
    ['CDATA starts', (size) => xml(`<string>${many('<![CDATA[', size)}`, '')],
    ['white space before the document', (size) => Buffer.from(`${many(' ', size)}<plist><true/></plist>`)],
    ['white space only', (size) => Buffer.from(many(' \n', size))],
    ['white space between values', (size) => xml(`<array>${many('<true/>         \n', size)}</array>`)],
    ['white space in an integer', (size) => xml(`<integer>1${many(' ', size)}x</integer>`)],
    ['white space around an integer', (size) => xml(`<integer>${many(' ', size)}1${many(' ', size)}</integer>`)],
    ['white space in data', (size) => xml(`<data>${many('A \n\t', size)}</data>`)],
    ['white space after an end tag', (size) => xml(`<string>a</string${many(' ', size)}`, '')],
    ['a long integer', (size) => xml(`<integer>${many('9', size)}</integer>`)],
    ['an integer of zeros', (size) => xml(`<integer>${many('0', size)}1</integer>`)],
    ['a long hexadecimal integer', (size) => xml(`<integer>0x${many('f', size)}</integer>`)],
    ['a long real', (size) => xml(`<real>0.${many('1', size)}</real>`)],
    ['a real that goes wrong at its end', (size) => xml(`<real>${many('1', size)}x</real>`)],
    ['a long date', (size) => xml(`<date>${many('2', size)}</date>`)],
    ['base64', (size) => xml(`<data>${many('AAAA', size)}</data>`)],
    ['base64 that goes wrong at its end', (size) => xml(`<data>${many('AAAA', size)}!</data>`)],
    ['base64 with a comment at its end', (size) => xml(`<data>${many('AAAA', size)}<!-- --></data>`)],
    ['pieces of data', (size) => xml(`<array>${many('<data>AA<!-- -->AA</data>', size)}</array>`)],
    ['one key again and again', (size) => xml(`<dict>${many('<key>a</key><true/>', size)}</dict>`)],
    [
      'keys of one hash',
      (size) => {
        const bits = Math.ceil(Math.log2(size / 20));
        const key = (index: number): string =>
          Array.from({ length: bits }, (_, bit) => ((index >> bit) & 1 ? 'bC' : 'ab')).join('');
        return xml(`<dict>${numbered(size, (index) => `<key>${key(index)}</key><true/>`)}</dict>`);
      },
    ],
    [
      'keys that are numbers',
      (size) => xml(`<dict>${numbered(size, (index) => `<key>${index * 1_000_003}</key><true/>`)}</dict>`),
    ],
    ['different keys', (size) => xml(`<dict>${numbered(size, (index) => `<key>key ${index}</key><true/>`)}</dict>`)],
    [
      'keys with an entity',
      (size) => xml(`<dict>${numbered(size, (index) => `<key>&lt;${index}</key><true/>`)}</dict>`),
    ],
    ['carriage returns', (size) => xml(`<string>${many('\r', size)}</string>`)],
    ['strings past ASCII', (size) => xml(`<array>${many('<string>é</string>', size)}</array>`)],
    ['one string past ASCII', (size) => xml(`<string>${many('é', size)}</string>`)],
    ['] in a string', (size) => xml(`<string>${many(']', size)}></string>`)],
    ['a DOCTYPE that never ends', (size) => Buffer.from(`<!DOCTYPE plist ${many(' ', size)}`)],
    ['a DOCTYPE full of quotes', (size) => Buffer.from(`<!DOCTYPE plist PUBLIC ${many('"', size)}`)],
    ['an XML declaration that never ends', (size) => Buffer.from(`<?xml version="1.0" ${many(' ', size)}`)],
    ['a <plist> tag that never ends', (size) => Buffer.from(`<plist ${many(' ', size)}`)],
    ['UTF-16', (size) => Buffer.from(`\ufeff<plist><string>${many('é', size)}</string></plist>`, 'utf16le')],
    [
      'an error far into the document, on a line of its own',
      (size) => xml(`<array>${many('<true/>\n', size)}<nope/></array>`),
    ],
    [
      'invalid UTF-8 far into the document',
      (size) => Buffer.concat([xml(`<string>${many('é', size)}`, ''), Buffer.from([0xff])]),
    ],
  ])('%s', (_, make) => expectLinear(make));
});

describe('binary', () => {
  test.each<[string, (size: number) => Uint8Array]>([
    ['strings', (size) => encodeBinary(Array.from({ length: size / 20 }, (_, index) => `string ${index}`))],
    [
      'references to one object',
      (size) => layOut({ objects: [[0xaf, 0x12, 0, ...threeBytes(size), ...new Array<number>(size).fill(1)], [0x09]] }),
    ],
    [
      'references to an empty array',
      (size) => layOut({ objects: [[0xaf, 0x12, 0, ...threeBytes(size), ...new Array<number>(size).fill(1)], [0xa0]] }),
    ],
    [
      'arrays in arrays',
      (size) => {
        let value: unknown[] = [];
        for (let depth = 0; depth < size / 20; depth += 1) value = [value];
        return encodeBinary(value as string[], { maxDepth: size });
      },
    ],
    [
      'different keys',
      (size) =>
        encodeBinary(Object.fromEntries(Array.from({ length: size / 20 }, (_, index) => [`key ${index}`, true]))),
    ],
    ['data', (size) => encodeBinary(new Uint8Array(size))],
    ['a string of UTF-16', (size) => encodeBinary('é'.repeat(size))],
  ])('%s', (_, make) => expectLinear(make));
});

function threeBytes(value: number): number[] {
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

describe('encoding', () => {
  const encodeLinear = (make: (size: number) => unknown, encoders: readonly (typeof encodeXml)[]): void => {
    for (const encode of encoders) {
      const work = (size: number): (() => void) => {
        const value = make(size);
        return () => {
          encode(value as string, { maxDepth: largest });
        };
      };
      time(work(1_000));
      let size = 2_000;
      let base = time(work(size));
      while (base < leastTime && size * growth < largest / 4) {
        size *= 2;
        base = time(work(size));
      }
      expectGrowth(work(size), work(size * growth), `${size} took ${base} ms`);
    }
  };

  test.each<[string, (size: number) => unknown]>([
    ['text to escape', (size) => '&<>\r'.repeat(size / 4)],
    ['strings', (size) => Array.from({ length: size }, (_, index) => `string ${index}`)],
    [
      'data of the same beginning',
      (size) =>
        Array.from({ length: size / 100 }, (_, index) =>
          Uint8Array.from({ length: 100 }, (_, at) => (at > 96 ? index >> (8 * (99 - at)) : 0)),
        ),
    ],
    ['keys', (size) => Object.fromEntries(Array.from({ length: size / 2 }, (_, index) => [`key ${index}`, index]))],
    [
      'entries without a value',
      (size) =>
        Object.fromEntries(Array.from({ length: size / 2 }, (_, index) => [`key ${index}`, index % 2 ? 1 : undefined])),
    ],
  ])('%s', (_, make) => encodeLinear(make, [encodeXml, encodeBinary]));

  // In XML each level is indented by one tab more: there the output itself grows with the square of the depth.
  test('arrays in arrays, as binary', () => {
    const nested = (size: number): unknown => {
      let value: unknown[] = [];
      for (let depth = 0; depth < size / 20; depth += 1) value = [value];
      return value;
    };
    encodeLinear(nested, [encodeBinary]);
  });
});
