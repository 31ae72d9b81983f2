#!/usr/bin/env node
// The `espalier` command. Installed, it runs the built dist/main.js; in a checkout, the TypeScript sources.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = dirname(fileURLToPath(import.meta.url));
const source = join(bin, '../src/main.ts');
const installed = /[\\/]node_modules[\\/]/.test(bin);

if (installed || !existsSync(source)) {
  await import('../dist/main.js');
} else {
  // Sources run on Node 24; the workspace has one, whichever Node runs this file.
  const own = join(bin, '../../../node_modules/.bin/node');
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const runsTypeScript = major > 22 || (major === 22 && minor >= 18);
  const node = runsTypeScript || !existsSync(own) ? process.execPath : own;
  const flags = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(node, [...flags, source, ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself: this one only waits for it. A request to end is passed on.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
    process.removeAllListeners('SIGINT');
    process.removeAllListeners('SIGTERM');
  });
}
