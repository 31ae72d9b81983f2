// Builds every package: JavaScript with tsup (in parallel), then all declarations with one `tsc -b`.
import { spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const packages = readdirSync(join(root, 'packages'));
const tsup = join(root, 'node_modules/tsup/dist/cli-default.js');
const tsc = join(root, 'node_modules/typescript/bin/tsc');

function run(args: string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')} in ${cwd} failed`))));
  });
}

// `tsc -b` believes its own notes, which lie in dist too: what is there must be all from one build.
for (const name of packages) rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true });

const started = performance.now();
const waiting = [...packages];
async function worker(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    await run([tsup, '--config', join(root, 'tsup.config.ts')], join(root, 'packages', name));
  }
}
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
await run([tsc, '-b'], root);
console.log(`built ${packages.length} packages in ${((performance.now() - started) / 1000).toFixed(1)} s`);
