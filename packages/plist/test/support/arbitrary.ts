// Generators of property lists for property tests and for comparison with other implementations.
import fc from 'fast-check';
import { PlistReal, PlistUid, type PlistValue } from '../../src/index.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';

/** Runs of a property: a fixed seed and few runs by day, many more by night. */
export function runs(byDay: number, byNight: number): { seed: number; numRuns: number } {
  return { seed: 20_250_601, numRuns: nightly ? byNight : byDay };
}

/** How many documents to compare with other implementations. */
export const comparedDocuments = nightly ? 100_000 : 2_000;

/** What the two formats cannot both hold. */
export interface Flavour {
  /** Control characters in strings. */
  readonly controls: boolean;
  /** Milliseconds in dates. */
  readonly milliseconds: boolean;
}

export const forXml: Flavour = { controls: false, milliseconds: false };
export const forBinary: Flavour = { controls: true, milliseconds: true };

// Anything XML allows; a control character becomes a space.
const clean = (text: string): string =>
  text.replace(/[\p{Cc}\ufffe\uffff]/gu, (char) => (/[\t\n\r]/.test(char) ? char : ' '));

function text(flavour: Flavour): fc.Arbitrary<string> {
  const any = fc.oneof(
    { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    { weight: 1, arbitrary: fc.string({ minLength: 60, maxLength: 140 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 60, maxLength: 90 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '',
        ' ',
        '\n\t ',
        '<&>"\'',
        ']]>',
        '\r\n',
        '\r',
        '&amp;',
        '\u00a0',
        'é',
        '😀',
        '\u0085\u2028',
      ),
    },
  );
  return flavour.controls ? any : any.map(clean);
}

const integer: fc.Arbitrary<number | bigint> = fc
  .oneof(
    fc.integer({ min: -300, max: 300 }).map(BigInt),
    fc.maxSafeInteger().map(BigInt),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(...[8n, 16n, 31n, 32n, 53n, 63n].flatMap((bits) => [2n ** bits - 1n, 2n ** bits, -(2n ** bits)])),
    fc.constantFrom(2n ** 64n - 1n),
  )
  .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));

const real: fc.Arbitrary<number | PlistReal> = fc
  .oneof(
    fc.double(),
    fc.float(),
    fc.integer({ min: -1000, max: 1000 }).map((value) => value / 4),
    fc.constantFrom(
      0,
      -0,
      1,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      1e21,
      1e-7,
    ),
  )
  .map((value) => (Number.isInteger(value) ? new PlistReal(value) : value));

function date(flavour: Flavour): fc.Arbitrary<Date> {
  const between = fc.oneof(
    fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    fc.date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2040-01-01T00:00:00Z'), noInvalidDate: true }),
  );
  return flavour.milliseconds ? between : between.map((each) => new Date(Math.floor(each.getTime() / 1000) * 1000));
}

const uid: fc.Arbitrary<PlistUid> = fc
  .oneof(fc.nat(300), fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
  .map((value) => new PlistUid(value));

const data: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.uint8Array({ minLength: 50, maxLength: 200 }),
);

/** Any value; dictionaries are plain objects, with `__proto__` and its like among the keys. */
export function value(flavour: Flavour): fc.Arbitrary<PlistValue> {
  const string = text(flavour);
  const key = fc.oneof(
    { weight: 8, arbitrary: string },
    { weight: 4, arbitrary: fc.constantFrom('UDID', 'MessageType', 'PayloadContent', 'Command', 'Name') },
    { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', '17') },
  );
  return fc.letrec<{ value: PlistValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: string },
      { weight: 3, arbitrary: integer },
      { weight: 2, arbitrary: fc.boolean() },
      { weight: 2, arbitrary: real },
      { weight: 1, arbitrary: date(flavour) },
      { weight: 1, arbitrary: data },
      { weight: 1, arbitrary: uid },
      { weight: 3, arbitrary: fc.array(tie('value'), { maxLength: 6 }) },
      {
        weight: 4,
        arbitrary: fc
          .uniqueArray(fc.tuple(key, tie('value')), { selector: ([name]) => name, maxLength: 6 })
          .map((entries) => Object.fromEntries(entries)),
      },
    ),
  })).value;
}

/** A fixed sample of values. */
export function sample(flavour: Flavour, count: number, seed: number): PlistValue[] {
  return fc.sample(value(flavour), { seed, numRuns: count });
}
