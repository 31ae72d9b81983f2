// Oracles that are not ours: openssl and Python.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toPem } from '@espalier/pki';

/** Whether a tool is there; under CI its absence is an error. */
export function has(tool: string, ...probe: string[]): boolean {
  try {
    execFileSync(tool, probe, { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log(`skipped: ${tool} is not installed`);
    return false;
  }
}

/** `openssl cms -verify` of a detached signature against a root; gives the signer's certificate as PEM. */
export function opensslVerify(cms: Uint8Array, content: Uint8Array, root: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'simulator-'));
  try {
    const path = (name: string): string => join(folder, name);
    writeFileSync(path('cms'), cms);
    writeFileSync(path('content'), content);
    writeFileSync(path('root'), toPem(root));
    const files = ['-in', path('cms'), '-content', path('content'), '-CAfile', path('root')];
    const options = ['cms', '-verify', '-binary', '-inform', 'DER', '-purpose', 'any', ...files];
    execFileSync('openssl', [...options, '-signer', path('signer'), '-out', '/dev/null'], { stdio: 'pipe' });
    return execFileSync('openssl', ['x509', '-in', path('signer')], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What Python's plistlib reads; data as base64, dates as text. */
export function plistlib(bytes: Uint8Array): Record<string, unknown> {
  const script =
    'import sys,json,plistlib,base64;' +
    'print(json.dumps(plistlib.loads(sys.stdin.buffer.read()),default=lambda v:base64.b64encode(v).decode() if isinstance(v,bytes) else str(v)))';
  return JSON.parse(execFileSync('python3', ['-c', script], { input: bytes, encoding: 'utf8' }));
}
