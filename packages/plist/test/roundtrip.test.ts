// Properties of the codec alone: what is written is read again, and written the same.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, encodeXmlText } from '../src/index.ts';
import { type Flavour, forBinary, forXml, runs, value } from './support/arbitrary.ts';
import { written } from './support/canonical.ts';
import { styled } from './support/styled.ts';

const formats = [
  ['XML', encodeXml, forXml],
  ['binary', encodeBinary, forBinary],
] as const satisfies readonly (readonly [string, typeof encodeXml, Flavour])[];

describe.each(formats)('%s', (_, encode, flavour) => {
  test('decoding gives back what was encoded', () => {
    fc.assert(
      fc.property(value(flavour), (input) => {
        expect(written(decode(encode(input)))).toBe(written(input));
      }),
      runs(2_000, 100_000),
    );
  });

  test('encoding what was decoded gives the same bytes', () => {
    fc.assert(
      fc.property(value(flavour), (input) => {
        const bytes = encode(input);
        expect(Buffer.compare(encode(decode(bytes)), bytes)).toBe(0);
      }),
      runs(1_000, 50_000),
    );
  });

  test('sorted keys do not depend on the order of insertion', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme-ascii' }), fc.integer()), { selector: ([key]) => key }),
        (entries) => {
          const forwards = encode(Object.fromEntries(entries), { sortKeys: true });
          const backwards = encode(Object.fromEntries([...entries].reverse()), { sortKeys: true });
          expect(Buffer.compare(forwards, backwards)).toBe(0);
        },
      ),
      runs(200, 10_000),
    );
  });
});

test('both formats carry the same', () => {
  fc.assert(
    fc.property(value(forXml), (input) => {
      expect(written(decode(encodeBinary(decode(encodeXml(input)))))).toBe(
        written(decode(encodeXml(decode(encodeBinary(input))))),
      );
    }),
    runs(1_000, 50_000),
  );
});

test('every spelling of a document decodes alike, as bytes and as a string', () => {
  fc.assert(
    fc.property(value(forXml), fc.nat(), (input, seed) => {
      const bytes = styled(input, seed);
      expect(written(decode(bytes))).toBe(written(input));
      expect(written(decode(encodeXmlText(input)))).toBe(written(input));
    }),
    runs(1_000, 50_000),
  );
});
