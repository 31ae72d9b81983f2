// package-lock.json serves every platform, and names no registry.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Locked, missingEntries } from '../scripts/complete-lock.ts';

const text = readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8');
const { packages } = JSON.parse(text) as { packages: Record<string, Locked> };

test('the lock file has the platform packages of every platform', () => {
  expect([...missingEntries(packages).keys()]).toEqual([]);
});

test('the lock file names no registry', () => {
  expect(text).not.toMatch(/"resolved": "https?:/);
});

test('a platform package that is left out is found, with what it is for', () => {
  const tool: Record<string, Locked> = {
    '': {},
    'node_modules/tool': {
      version: '1.2.3',
      dev: true,
      optionalDependencies: { '@tool/linux-arm64-musl': '1.2.3', colours: '^1.0.0' },
    },
  };
  expect([...missingEntries(tool)]).toEqual([
    [
      'node_modules/@tool/linux-arm64-musl',
      { version: '1.2.3', cpu: ['arm64'], dev: true, libc: ['musl'], optional: true, os: ['linux'] },
    ],
  ]);
});
