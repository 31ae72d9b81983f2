// `npm run packages`: publint and "are the types wrong" on every package as it would be published.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const publint = join(root, 'node_modules/publint/src/cli.js');
const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');

function run(command: string, args: readonly string[], cwd: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

let failed = false;
const out = mkdtempSync(join(tmpdir(), 'espalier-pack-'));
try {
  const names = readdirSync(join(root, 'packages'));
  const packed = await run(
    'npm',
    ['pack', '--json', '--pack-destination', out, ...names.flatMap((name) => ['-w', `packages/${name}`])],
    root,
  );
  if (packed.code !== 0) throw new Error(`npm pack failed:\n${packed.output}`);
  for (const name of names) {
    const tarball = readdirSync(out).find(
      (file) => file.startsWith(`espalier-${name}-`) && /-\d/.test(file.slice(`espalier-${name}`.length)),
    );
    if (tarball === undefined) throw new Error(`npm pack made no archive for ${name}`);
    const [lint, types] = await Promise.all([
      run(process.execPath, [publint, 'run', join(out, tarball), '--strict'], root),
      // ES modules only: CommonJS callers use `import()`, or `require(esm)` on the Node versions that we support.
      run(process.execPath, [attw, join(out, tarball), '--profile', 'esm-only', '--no-emoji'], root),
    ]);
    for (const [tool, result] of [
      ['publint', lint],
      ['attw', types],
    ] as const) {
      if (result.code === 0) continue;
      failed = true;
      console.error(`${tool}: packages/${name}\n${result.output}`);
    }
  }
  if (!failed) console.log(`publint and attw: ${names.length} packages are fit to publish`);
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
