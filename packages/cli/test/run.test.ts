// The command line as a whole: help, usage, and the program that npm installs.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { espalier } from './io.ts';

describe('usage', () => {
  test('help is on standard output, and every command has its own', async () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, out } = await espalier(args);
      expect(code).toBe(0);
      expect(out).toContain('usage: espalier COMMAND');
    }
    for (const name of ['explain', 'lint', 'plist', 'search', 'store']) {
      const { code, out } = await espalier([name, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`usage: espalier ${name}`);
      for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });

  test.each([
    [[]],
    [['prune']],
    [['__proto__']],
    [['constructor']],
    [['explain']],
    [['explain', 'DeviceLock', '--colour']],
    [['explain', 'DeviceLock', '--target']],
    [['explain', 'DeviceLock', '--target', 'android']],
    [['lint']],
    [['lint', 'missing.mobileconfig']],
    [['lint', 'x', '--kind', 'poem']],
    [['plist']],
    [['plist', 'burn', 'x']],
    [['plist', 'print']],
    [['plist', 'convert', 'x', '--to', 'yaml']],
    [['plist', 'convert', 'x']],
    [['plist', 'print', 'a', 'b']],
  ])('%j is exit 2, and says why on standard error', async (args) => {
    const { code, out, err } = await espalier(args, { x: '{}' });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^espalier/);
  });
});

test('the installed program runs in a checkout', { timeout: 60_000 }, () => {
  const bin = join(import.meta.dirname, '../bin/espalier.js');
  const lock = spawnSync(process.execPath, [bin, 'explain', 'DeviceLock', '--json'], { encoding: 'utf8' });
  expect(lock.stderr).toBe('');
  expect(lock.status).toBe(0);
  expect(JSON.parse(lock.stdout)).toMatchObject([{ name: 'DeviceLock', matches: [{ kind: 'command' }] }]);
  const none = spawnSync(process.execPath, [bin, 'explain', 'DeviceLok'], { encoding: 'utf8' });
  expect(none.status).toBe(1);
  expect(none.stderr).toContain('DeviceLock');
});

test('on a Node too old for the sources, it runs on the one of the workspace', { timeout: 60_000 }, () => {
  const bin = join(import.meta.dirname, '../bin/espalier.js');
  const old = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' }); process.execPath = '/nowhere/node';`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(old)}`, bin, 'explain', 'DeviceLock', '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([{ name: 'DeviceLock' }]);
});
