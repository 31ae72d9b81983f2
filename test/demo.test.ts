// `npm run demo`: its command line, its JSON document, and its exit codes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readOptions, UsageError } from '../examples/demo/options.ts';
import { run } from './support/tools.ts';

const root = join(import.meta.dirname, '..');
const main = join(root, 'examples/demo/main.ts');
const demo = (...args: string[]) =>
  run(process.execPath, ['--conditions=espalier-source', main, ...args], { cwd: root });

test('enrols a small fleet and prints one JSON document', async () => {
  const { code, stdout, stderr } = await demo('--devices', '4', '--host', 'koa', '--json');
  expect(stderr).toBe('');
  const summary = JSON.parse(stdout.toString()) as Record<string, unknown>;
  expect(summary).toMatchObject({
    host: 'koa',
    devices: 4,
    enrolled: 4,
    desiredStateReached: 4,
    errors: 0,
    problems: [],
  });
  // Each device answers five inventory queries, and one is locked.
  expect(summary['commandsAcknowledged']).toBeGreaterThan(4 * 5);
  expect(summary['pushes']).toBeGreaterThanOrEqual(4);
  expect(summary['seconds']).toBeGreaterThan(0);
  expect(summary['lock']).toMatchObject({ state: 'acknowledged' });
  expect(code).toBe(0);
});

test('takes a small organisation from its purchase to the release from Setup Assistant', async () => {
  const { code, stdout, stderr } = await demo('--ade', '--devices', '5', '--json');
  expect(stderr).toBe('');
  const summary = JSON.parse(stdout.toString()) as { devices: Record<string, unknown>[] } & Record<string, unknown>;
  const all = { listed: 5, assigned: 5, enrolled: 5, policy: 5, released: 5 };
  expect(summary).toMatchObject({ ...all, forgedRefused: true, problems: [] });
  expect(summary.devices.length).toBe(5);
  for (const device of summary.devices) {
    expect(device).toMatchObject({ profileAtApple: 'pushed', enrolled: true, waited: true, released: true });
  }
  expect(code).toBe(0);
});

test('is what `npm run demo` runs', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts['demo']).toBe('node --conditions=espalier-source examples/demo/main.ts');
});

test('explains itself, and refuses what it does not understand', async () => {
  const help = await demo('--help');
  expect([help.code, help.stdout.toString()]).toEqual([0, expect.stringContaining('--devices N')]);
  const wrong = await demo('--devices', 'many');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("not 'many'")]);
});

test.each([
  ['--devices', '0'],
  ['--devices', '5001'],
  ['--port', '65536'],
  ['--host', 'fastify'],
  ['--nonsense', '1'],
  ['--ade', '--keep'],
])('%s %s is a usage error', (...args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});

test('reads its options', () => {
  expect(readOptions([])).toEqual({
    devices: 25,
    host: 'express',
    data: null,
    port: 0,
    keep: false,
    json: false,
    ade: false,
  });
  expect(
    readOptions(['--devices', '200', '--host', 'node', '--data', 'x', '--port', '8443', '--keep', '--json']),
  ).toEqual({
    devices: 200,
    host: 'node',
    data: 'x',
    port: 8443,
    keep: true,
    json: true,
    ade: false,
  });
});
