// Tools that we did not write: looked for at run time; where CI=true a missing one fails the test.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/** Skips the test, with a printed reason, unless the tool is there. */
export function need(context: TestContext, tool: string): void {
  if (spawnSync('which', [tool]).status === 0) return;
  if (process.env['CI'] === 'true') throw new Error(`${tool} is missing, and where CI=true it must be there`);
  console.warn(`skipped: ${tool} is not installed`);
  context.skip(`${tool} is not installed`);
}

/** What a program printed, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program; the event loop goes on meanwhile, so that it may talk to a server of this process. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly input?: Uint8Array; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env }, cwd: options.cwd });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(stdout), stderr }));
    child.stdin.on('error', () => {}); // a program may end without reading what it is given
    child.stdin.end(options.input);
  });
}

/** A fresh folder, and how to remove it. */
export function folder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
