// docs/architecture.md shows the imports as they are.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('the picture in docs/architecture.md has exactly the dependencies of the packages', () => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const drawn = [...text.matchAll(/^ {2}([a-z-]+) --> ([a-z-]+)$/gm)].map(([, from, to]) => `${from} --> ${to}`);
  const declared = readdirSync(join(root, 'packages')).flatMap((name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    return Object.keys(manifest.dependencies ?? {})
      .filter((dependency) => dependency.startsWith('@espalier/'))
      .map((dependency) => `${name} --> ${dependency.slice('@espalier/'.length)}`);
  });
  expect(drawn.sort()).toEqual(declared.sort());
});

test('the table of floors in docs/architecture.md names every package', () => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  for (const name of readdirSync(join(root, 'packages'))) expect(text).toContain(`| \`${name}\` |`);
});
