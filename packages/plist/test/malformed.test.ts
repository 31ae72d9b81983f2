// Malformed documents: the corpus written by hand, and mutations of valid documents, give typed errors and nothing else.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, PlistError } from '../src/index.ts';
import { malformedBinary } from './corpus/binary.ts';
import { malformedXml } from './corpus/xml.ts';
import { comparedDocuments, forBinary, forXml, sample } from './support/arbitrary.ts';
import { mutant } from './support/mutant.ts';
import { errorOf } from './support/place.ts';
import { styled } from './support/styled.ts';

describe('the XML corpus', () => {
  test('is not small', () => expect(malformedXml.length).toBeGreaterThan(150));

  test.each(malformedXml)('%s', (_, document, code) => {
    const error = errorOf(() => decode(document));
    expect(error.code, error.message).toBe(code);
    expect(error.kind).toBe('invalid');
    expect(error.at.offset).toBeTypeOf('number');
    expect(error.at.offset).toBeLessThanOrEqual(document.length);
    // What is wrong as a string is as wrong as bytes.
    if (typeof document === 'string' && !/\p{Surrogate}/u.test(document)) {
      const inBytes = errorOf(() => decode(Buffer.from(document)));
      expect([inBytes.code, inBytes.message.replace(/ \(.*/, '')]).toEqual([code, error.message.replace(/ \(.*/, '')]);
      expect([inBytes.at.line, inBytes.at.column, inBytes.at.path]).toEqual([
        error.at.line,
        error.at.column,
        error.at.path,
      ]);
    }
  });
});

describe('the binary corpus', () => {
  test('is not small', () => expect(malformedBinary.length).toBeGreaterThan(70));

  test.each(malformedBinary)('%s', (_, document, code) => {
    const error = errorOf(() => decode(document));
    expect(error.code, error.message).toBe(code);
    expect(error.at.offset).toBeTypeOf('number');
  });
});

/** Decodes; anything but a value or a PlistError is a failure. */
function attempt(document: Uint8Array): 'value' | 'error' {
  try {
    decode(document);
    return 'value';
  } catch (error) {
    if (error instanceof PlistError) return 'error';
    throw error;
  }
}

describe.each([
  [
    'XML',
    (index: number, of: number) =>
      index % 2 === 0 ? encodeXml(xmlValues[index % of]!) : styled(xmlValues[index % of]!, index),
  ],
  ['binary', (index: number, of: number) => encodeBinary(binaryValues[index % of]!)],
])('mutants of %s documents', (_, make) => {
  test('give a value or a PlistError', () => {
    const outcomes = { value: 0, error: 0 };
    for (let index = 0; index < comparedDocuments * 3; index += 1) {
      outcomes[attempt(mutant(make(index, xmlValues.length), index))] += 1;
    }
    // Both must happen, or the mutations do not test what they should.
    expect(outcomes.error).toBeGreaterThan(comparedDocuments);
    expect(outcomes.value).toBeGreaterThan(comparedDocuments / 20);
  });

  test('cut short anywhere give a PlistError', () => {
    for (let index = 0; index < 40; index += 1) {
      const document = make(index, xmlValues.length);
      const end = document.length - (document[0] === 0x62 ? 1 : trailingSpace(document) + 1);
      for (let length = 0; length <= end; length += 1) expect(attempt(document.slice(0, length))).toBe('error');
    }
  });
});

const xmlValues = sample(forXml, 500, 7);
const binaryValues = sample(forBinary, 500, 8);

/** Bytes at the end that a document does without: white space and comments after `</plist>`. */
function trailingSpace(document: Uint8Array): number {
  const end = Math.max(Buffer.from(document).lastIndexOf('</plist'), Buffer.from(document).lastIndexOf('\0/\0p\0l\0'));
  return document.length - end;
}
