// The layer check itself: the house stands, and an import that points up, sideways or nowhere is found.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLayers } from '../scripts/layers.ts';

const root = join(import.meta.dirname, '..');
let house: string;

beforeEach(() => {
  house = mkdtempSync(join(tmpdir(), 'espalier-house-'));
});
afterEach(() => rmSync(house, { recursive: true, force: true }));

function build(name: string, source: string, dependencies: Record<string, string> = {}): void {
  const folder = join(house, 'packages', name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `@espalier/${name}`, dependencies }));
  writeFileSync(join(folder, 'src/index.ts'), source);
}

test('the repository keeps its floors', () => {
  expect(checkLayers(root)).toEqual([]);
});

test('an import that points down is fine', () => {
  build('plist', 'export {};');
  build('apple-mdm', "export * from '@espalier/plist';", { '@espalier/plist': '1' });
  expect(checkLayers(house)).toEqual([]);
});

test.each([
  ['an import', "import { x } from '@espalier/core';\nconsole.log(x);"],
  ['a type import', "import type { X } from '@espalier/core';\nexport type Y = X;"],
  ['a re-export', "export * from '@espalier/core/contract';"],
  ['a dynamic import', "export const core = () => import('@espalier/core');"],
])('%s that points up is found', (_, source) => {
  build('core', 'export {};');
  build('plist', source, { '@espalier/core': '1' });
  const problems = checkLayers(house).filter((problem) => problem.file.endsWith('index.ts'));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ file: 'packages/plist/src/index.ts', line: 1 });
  expect(problems[0]!.reason).toContain('above');
});

test('an import of a neighbour on the same floor is found', () => {
  build('pki', 'export {};');
  build('apple-mdm', "import '@espalier/pki';", { '@espalier/pki': '1' });
  expect(checkLayers(house).map((problem) => problem.reason)).toContain(
    'apple-mdm and pki stand on the same floor (1)',
  );
});

test('a dependency that points up is found in package.json, even when nothing imports it', () => {
  build('core', 'export {};');
  build('plist', 'export {};', { '@espalier/core': '1' });
  expect(checkLayers(house)).toMatchObject([{ file: 'packages/plist/package.json' }]);
});

test('an undeclared dependency, an escaping path and a package without a floor are found', () => {
  build('plist', "import 'left-pad';\nimport '../../core/src/index.ts';");
  build('attic', 'export {};');
  expect(
    checkLayers(house)
      .map((problem) => problem.reason)
      .sort(),
  ).toEqual([
    'a relative import leaves its package',
    'not among the dependencies of its package.json',
    'the package has no floor in scripts/layers.ts',
  ]);
});
