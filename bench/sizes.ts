// What each package weighs in a bundle, and what it brings along: the table of docs/sizes.md, measured afresh.
import { readFileSync } from 'node:fs';
import { measureSizes, readSizesTable, sizesPage } from '../scripts/sizes.ts';
import type { BenchResult } from './result.ts';

/** Runs the benchmark. */
export async function run(): Promise<BenchResult[]> {
  const committed = new Map(readSizesTable(readFileSync(sizesPage, 'utf8')).map((size) => [size.name, size]));
  return (await measureSizes()).flatMap((size) => {
    const before = committed.get(size.name);
    const row = (what: 'own' | 'ownGzipped' | 'whole' | 'wholeGzipped', label: string): BenchResult => ({
      name: `${size.name}, ${label}`,
      value: size[what] / 1000,
      unit: 'kB',
      // Larger is better: more than 1 means lighter than the page says.
      ...(before === undefined ? {} : { peer: 'docs/sizes.md', ratio: before[what] / size[what] }),
    });
    return [
      row('own', 'own'),
      row('ownGzipped', 'own, gzipped'),
      row('whole', 'whole'),
      row('wholeGzipped', 'whole, gzipped'),
    ];
  });
}
