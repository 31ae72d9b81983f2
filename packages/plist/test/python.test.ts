// Comparison with Python's plistlib: every document of a large sample, both formats, both ways.
import { describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, PlistError, PlistReal, PlistUid, type PlistValue } from '../src/index.ts';
import { comparedDocuments, type Flavour, forBinary, forXml, sample } from './support/arbitrary.ts';
import { type Canonical, canonical, contains, isDict, withoutOrder, written } from './support/canonical.ts';
import { mutant } from './support/mutant.ts';
import { askPython, type Question } from './support/python.ts';
import { styled } from './support/styled.ts';
import { toolOrSkip } from './support/tools.ts';

const batch = 2_000;
const batches = Math.ceil(comparedDocuments / batch);
const minutes = 60_000;

/** Calls `compare` with batches that together are the wanted number of documents. */
function eachBatch(flavour: Flavour, compare: (values: PlistValue[]) => void): void {
  for (let index = 0; index < batches; index += 1) compare(sample(flavour, batch, 1000 + index));
}

function expectAll(values: readonly PlistValue[], answers: readonly Buffer[]): void {
  expect(answers.length).toBe(values.length);
  for (const [index, value] of values.entries()) {
    const expected = written(value);
    const answer = answers[index]!.toString('utf8');
    if (answer !== expected) expect(JSON.parse(answer)).toEqual(JSON.parse(expected));
  }
}

function valueOrError(document: Uint8Array): PlistValue | PlistError {
  try {
    return decode(document);
  } catch (error) {
    if (error instanceof PlistError) return error;
    throw error;
  }
}

const isReal = (part: PlistValue): boolean =>
  part instanceof PlistReal || (typeof part === 'number' && !Number.isInteger(part));
const isDate = (part: PlistValue): boolean => part instanceof Date;
const isUid = (part: PlistValue): boolean => part instanceof PlistUid;
/** plistlib takes the two zeros for one value, and stores whichever comes first. */
const isNegativeZero = (part: PlistValue): boolean => part instanceof PlistReal && Object.is(part.value, -0);
/** plistlib writes a carriage return as a line feed; we keep it. */
const hasReturn = (part: PlistValue): boolean =>
  typeof part === 'string' ? part.includes('\r') : isDict(part) && Object.keys(part).some((key) => key.includes('\r'));

describe.skipIf(!toolOrSkip('python3', ['--version']))('plistlib', () => {
  test(
    'reads what we write as XML',
    () => {
      eachBatch(forXml, (values) => {
        const questions = values.map((value): Question => ({ operation: 'D', payload: encodeXml(value) }));
        expectAll(values, askPython(questions));
      });
    },
    30 * minutes,
  );

  test(
    'reads what we write as binary',
    () => {
      eachBatch(forBinary, (values) => {
        const questions = values.map((value): Question => ({ operation: 'D', payload: encodeBinary(value) }));
        expectAll(values, askPython(questions));
      });
    },
    30 * minutes,
  );

  test(
    'writes XML that we read, and that we write alike',
    () => {
      let alike = 0;
      eachBatch(forXml, (values) => {
        const kept = values.filter((value) => !contains(value, hasReturn));
        const documents = askPython(kept.map((value): Question => ({ operation: 'X', payload: written(value) })));
        for (const [index, value] of kept.entries()) {
          const document = documents[index]!;
          expect(written(decode(document))).toBe(written(value));
          // Reals are the one thing that plistlib spells in another way.
          if (contains(value, isReal)) continue;
          expect(Buffer.from(encodeXml(value)).toString()).toBe(document.toString());
          alike += 1;
        }
      });
      expect(alike).toBeGreaterThan(comparedDocuments / 2);
    },
    30 * minutes,
  );

  test(
    'writes binary that we read, and that we write alike',
    () => {
      let alike = 0;
      eachBatch(forBinary, (values) => {
        const kept = values.filter((value) => !contains(value, isNegativeZero));
        const documents = askPython(kept.map((value): Question => ({ operation: 'B', payload: written(value) })));
        for (const [index, value] of kept.entries()) {
          const document = documents[index]!;
          expect(written(decode(document))).toBe(written(value));
          // plistlib writes every real in eight bytes, and does not unify uids.
          if (contains(value, isReal) || contains(value, isUid)) continue;
          expect(Buffer.from(encodeBinary(value)).toString('hex')).toBe(document.toString('hex'));
          alike += 1;
        }
      });
      expect(alike).toBeGreaterThan(comparedDocuments / 2);
    },
    30 * minutes,
  );

  test.each([
    ['XML', (value: PlistValue, index: number) => (index % 2 === 0 ? encodeXml(value) : styled(value, index)), forXml],
    ['binary', (value: PlistValue) => encodeBinary(value), forBinary],
  ] as const)(
    'reads every damaged document that we accept, and as we do: %s',
    (_, make, flavour) => {
      let accepted = 0;
      eachBatch(flavour, (values) => {
        const documents: Uint8Array[] = [];
        const meanings: PlistValue[] = [];
        for (const [index, value] of values.entries()) {
          const document = mutant(make(value, index), index);
          const meaning = valueOrError(document);
          if (meaning instanceof PlistError) continue;
          documents.push(document);
          meanings.push(meaning);
        }
        const answers = askPython(documents.map((payload): Question => ({ operation: 'D', payload })));
        for (const [index, answer] of answers.entries()) {
          // plistlib knows a document by its first bytes, and not when it starts with a comment.
          if (answer.toString() === '!InvalidFileException: Invalid file' && documents[index]![0] !== 0x62) continue;
          // A damaged date may have a fraction of a millisecond, which Python rounds in its own way.
          if (contains(meanings[index]!, isDate)) continue;
          const expected = written(meanings[index]!);
          if (answer.toString() !== expected) {
            expect(answer.toString()).toMatch(/^\[/);
            const theirs = JSON.parse(answer.toString()) as Canonical;
            expect(withoutOrder(theirs)).toEqual(withoutOrder(canonical(meanings[index]!)));
          }
          accepted += 1;
        }
      });
      expect(accepted).toBeGreaterThan(comparedDocuments / 25);
    },
    30 * minutes,
  );

  test(
    'reads unusual spellings of XML as we do',
    () => {
      eachBatch(forXml, (values) => {
        const documents = values.map((value, index) => styled(value, index));
        const answers = askPython(documents.map((payload): Question => ({ operation: 'D', payload })));
        expectAll(values, answers);
        for (const [index, value] of values.entries()) expect(written(decode(documents[index]!))).toBe(written(value));
      });
    },
    30 * minutes,
  );
});
