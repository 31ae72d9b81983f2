// docs/sizes.md says what the packages weigh: it must still be so.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { measureSizes, readSizesTable, sizesPage, sizesTable } from '../scripts/sizes.ts';

/** How far a row may be off before the page has to be written anew; and in bytes, for what is tiny. */
const tolerance = 0.15;
const slack = 500;

test('the table of docs/sizes.md is not stale', async () => {
  const measured = await measureSizes();
  const committed = readSizesTable(readFileSync(sizesPage, 'utf8'));
  const remedy = 'node scripts/sizes.ts --write';
  expect(
    committed.map((size) => `${size.name} ${size.floor}`),
    remedy,
  ).toEqual(measured.map((size) => `${size.name} ${size.floor}`));
  for (const [index, now] of measured.entries()) {
    const then = committed[index]!;
    for (const what of ['own', 'ownGzipped', 'whole', 'wholeGzipped'] as const) {
      const off = Math.abs(now[what] - then[what]);
      expect(off, `${now.name}, ${what}: ${then[what]} -> ${now[what]}; ${remedy}`).toBeLessThan(
        then[what] * tolerance + slack,
      );
    }
    expect(then.brings, `${now.name}; ${remedy}`).toEqual(now.brings);
  }
  // The reader reads what the writer writes.
  const [first] = readSizesTable(sizesTable(measured));
  expect(first!.own / measured[0]!.own).toBeCloseTo(1, 2);
}, 120_000);

test('the packages of the lowest floor bring nothing along', () => {
  for (const size of readSizesTable(readFileSync(sizesPage, 'utf8'))) {
    if (size.floor === 0) expect(size.brings, size.name).toEqual([]);
  }
});
