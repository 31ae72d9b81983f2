// docs/conformance.md says what was measured: it must still be so, and no cell may be empty.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { schema } from '@espalier/apple-mdm';
import { expect, test } from 'vitest';
import { namedTests } from '../scripts/conformance/enrolments.ts';
import { conformancePage, conformanceText } from '../scripts/conformance.ts';

const root = join(import.meta.dirname, '..');

test('the page is what is measured', async () => {
  expect(readFileSync(conformancePage, 'utf8'), 'npm run conformance').toBe(await conformanceText());
}, 180_000);

test('it has a row for everything, and no empty cell', () => {
  const rows = readFileSync(conformancePage, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const line of rows) {
    const cells = line.split('|').slice(1, -1);
    expect(cells).toHaveLength(6);
    for (const cell of cells) expect(cell.trim(), line).not.toMatch(/^(no:?)?\s*$/);
  }
  const names = new Set(rows.map((line) => line.split('`')[1]));
  for (const kind of ['checkin', 'command', 'declaration', 'status'] as const) {
    expect(schema.names(kind).filter((name) => !names.has(name) && !['any', 'status-reason'].includes(name))).toEqual(
      [],
    );
  }
});

test('the tests that it names are there', () => {
  for (const { file, title } of namedTests) {
    expect(readFileSync(join(root, file), 'utf8'), `${file}: ${title}`).toContain(title);
  }
});
