// Comparison with libplist through Debian's `plistutil`, which turns each format into the other. It takes one file a
// run, so each file is an array of many documents. What libplist is known to do differently is left out, by name.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { decode, encodeBinary, encodeXml, PlistReal, PlistUid, type PlistValue } from '../src/index.ts';
import { comparedDocuments, forXml, sample } from './support/arbitrary.ts';
import { contains, isDict, written } from './support/canonical.ts';
import { toolOrSkip } from './support/tools.ts';

const inFile = 50;
const batch = 2_000;
const minutes = 60_000;

/** It reads `CF$UID` in XML as a dictionary, and writes no uid past 32 bits as XML. */
const isUid = (part: PlistValue): boolean => part instanceof PlistUid;
const isWideUid = (part: PlistValue): boolean => part instanceof PlistUid && part.value > 2 ** 32 - 1;
/** It writes a carriage return as itself, which every reader takes for a line feed. */
const hasReturn = (part: PlistValue): boolean =>
  typeof part === 'string' ? part.includes('\r') : isDict(part) && Object.keys(part).some((key) => key.includes('\r'));
/** It writes years before 1000 with fewer than four digits. */
const isOldDate = (part: PlistValue): boolean => part instanceof Date && part.getUTCFullYear() < 1000;
/** It writes negative zero as `0.0`. */
const isNegativeZero = (part: PlistValue): boolean => part instanceof PlistReal && Object.is(part.value, -0);

const folder = mkdtempSync(join(tmpdir(), 'plist-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function convert(document: Uint8Array, format: 'xml' | 'bin'): Buffer {
  const input = join(folder, 'in');
  const output = join(folder, 'out');
  writeFileSync(input, document);
  const { status, stderr } = spawnSync('plistutil', ['-i', input, '-o', output, '-f', format]);
  if (status !== 0) throw new Error(`plistutil failed: ${stderr.toString()}`);
  return readFileSync(output);
}

function compare(
  encode: (value: PlistValue) => Uint8Array,
  format: 'xml' | 'bin',
  differs: (part: PlistValue) => boolean,
): void {
  let compared = 0;
  for (let index = 0; index * batch < comparedDocuments; index += 1) {
    const values = sample(forXml, batch, 5000 + index).filter((value) => !contains(value, differs));
    for (let at = 0; at < values.length; at += inFile) {
      const documents = values.slice(at, at + inFile);
      const answer = decode(convert(encode(documents), format));
      if (written(answer) !== written(documents)) expect(answer).toEqual(documents);
      compared += documents.length;
    }
  }
  expect(compared).toBeGreaterThan(comparedDocuments * 0.7);
}

describe.skipIf(!toolOrSkip('plistutil', ['--version']))('libplist', () => {
  test('turns our XML into binary that we read', () => compare(encodeXml, 'bin', isUid), 30 * minutes);

  test(
    'turns our binary into XML that we read',
    () => {
      const differs = (part: PlistValue): boolean =>
        isWideUid(part) || hasReturn(part) || isOldDate(part) || isNegativeZero(part);
      compare(encodeBinary, 'xml', differs);
    },
    30 * minutes,
  );

  test('writes binary that we write alike', () => {
    const value = { A: ['x', 'x', 1, 300, 70_000, 2n ** 40n, -1], B: true, C: new Uint8Array([1, 2]), D: 'é' };
    expect(decode(convert(encodeBinary(value), 'bin'))).toEqual(decode(encodeBinary(value)));
  });
});
