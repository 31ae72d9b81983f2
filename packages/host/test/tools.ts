// Tools of the system that tests use as oracles: looked for at run time; under CI=true a missing one fails the test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/** Skips the test, with a printed reason, unless the tool is there. */
export function need(context: TestContext, tool: string): void {
  const found = spawnSync('which', [tool], { encoding: 'utf8' });
  if (found.status === 0) return;
  if (process.env['CI'] === 'true') throw new Error(`${tool} is missing, and under CI=true it must be there`);
  console.warn(`skipped: ${tool} is not installed`);
  context.skip(`${tool} is not installed`);
}

/** A folder that goes away with the test. */
export function folder(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-host-'));
  context.onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes a file and gives its path. */
export function put(dir: string, name: string, content: string | Uint8Array): string {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
}

/** Runs a tool; its exit code and what it said. */
export function run(tool: string, args: readonly string[], input?: string | Uint8Array) {
  const { status, stdout, stderr } = spawnSync(tool, args, { input, timeout: 20_000 });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}
