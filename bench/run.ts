// `npm run bench -- NAME [--json] [options]`: runs bench/NAME.ts and prints its results.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchResult } from './result.ts';

const shared = new Set(['run', 'result']);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .filter((name) => !shared.has(name));

const args = process.argv.slice(2);
const json = args.includes('--json');
const name = args.find((arg) => !arg.startsWith('-'));

if (args.includes('--help') || name === undefined) {
  console.log(`usage: npm run bench -- NAME [--json]

Runs one benchmark and prints a table, or one JSON document with --json.
Exits with 1 when a required ratio is not reached.

NAME: ${names.join(', ')}`);
  process.exit(name === undefined && !args.includes('--help') ? 2 : 0);
}
const file = join(import.meta.dirname, `${name}.ts`);
if (!names.includes(name) || !existsSync(file)) {
  console.error(`there is no benchmark '${name}'; there are: ${names.join(', ')}`);
  process.exit(2);
}

const bench = (await import(pathToFileURL(file).href)) as { run(args: readonly string[]): Promise<BenchResult[]> };
const results = await bench.run(args.filter((arg) => arg !== name && arg !== '--json'));
if (json) console.log(JSON.stringify({ results }, null, 2));
else printTable(results);
process.exitCode = results.every((result) => result.ok !== false) ? 0 : 1;

function printTable(rows: readonly BenchResult[]): void {
  const timed = rows.some((row) => row.p50 !== undefined);
  const cells = rows.map((row) => [
    row.name,
    format(row.value),
    row.unit,
    ...(timed ? [row.p50, row.p99].map((ms) => (ms === undefined ? '' : format(ms))) : []),
    row.peer ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}x`,
    row.required === undefined ? '' : `${row.required}`,
    row.ok === undefined ? '' : row.ok ? 'ok' : 'NOT REACHED',
  ]);
  const times = timed ? ['p50 ms', 'p99 ms'] : [];
  const table = [['name', 'value', 'unit', ...times, 'peer', 'ratio', 'required', ''], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const numeric = new Set(['value', 'p50 ms', 'p99 ms', 'ratio', 'required']);
  for (const row of table) {
    const line = row.map((cell, i) =>
      numeric.has(table[0]![i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
    );
    console.log(line.join('  ').trimEnd());
  }
}

function format(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
