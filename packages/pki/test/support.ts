// Shared by the tests: a fixed clock, temporary files, and the Debian tools that serve as oracles.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, it } from 'vitest';
import { createRootCa, type Identity, type KeySpec, openCa, PkiError, toPem } from '../src/index.ts';

/** 2026-03-01T00:00:00Z, for everything that no other program's clock judges. */
export const now = Date.UTC(2026, 2, 1);
export const clock = (): number => now;

const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-pki-'));
  dirs.push(dir);
  return dir;
}

export function tempFile(name: string, content: Uint8Array | string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, content);
  return path;
}

export const pemFile = (name: string, der: Uint8Array, label = 'CERTIFICATE'): string =>
  tempFile(name, toPem(der, label));

const found = new Map<string, boolean>();
export function hasTool(tool: string): boolean {
  let known = found.get(tool);
  if (known === undefined) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore' });
      known = true;
    } catch {
      known = false;
    }
    found.set(tool, known);
  }
  return known;
}

/** A test with a foreign program as oracle: skipped with a reason where it is missing, failed there under CI. */
export function oracle(tool: string, name: string, run: () => Promise<void> | void, present = hasTool(tool)): void {
  if (present) it(name, run);
  else if (process.env['CI'] === 'true') {
    it(name, () => {
      throw new Error(`${tool} is not installed`);
    });
  } else {
    console.log(`skipped (${tool} is not installed): ${name}`);
    it.skip(name, () => {});
  }
}

export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program without blocking this process (a server here may have to answer it). */
export function run(tool: string, args: string[], input?: Uint8Array | string): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      tool,
      args,
      { encoding: 'buffer', timeout: 20_000, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
        resolve({ code, stdout, stderr: stderr.toString() });
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Runs openssl; throws with what it said unless it succeeds. */
export async function openssl(args: string[], input?: Uint8Array | string): Promise<Buffer> {
  const { code, stdout, stderr } = await run('openssl', args, input);
  if (code !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}${stdout.toString()}`);
  return stdout;
}

export const attime = (ms = now): string[] => ['-attime', String(Math.floor(ms / 1000) + 3600)];

/** An authority and its identity at the fixed time (or another). */
export async function testCa(key: KeySpec = { type: 'rsa', bits: 2048 }, at = clock) {
  const root: Identity = await createRootCa({ subject: 'CN=Test Root,O=Espalier', key, clock: at });
  return { root, ca: await openCa({ ...root, clock: at }) };
}

/** Runs a fetch handler behind node:http on a free port, for foreign clients. */
export async function serve(handler: (request: Request) => Promise<Response>): Promise<{ url: string; close(): void }> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const method = incoming.method ?? 'GET';
    const body = method === 'POST' ? { body: Buffer.concat(chunks) } : {};
    const response = await handler(new Request(`http://127.0.0.1${incoming.url}`, { method, ...body }));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/scep`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The code of the PkiError that `action` throws; anything else thrown fails the test. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return 'no error';
}

export async function codeOfAsync(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return 'no error';
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createNetServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** Resolves once the port accepts connections. */
export async function reachable(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => setTimeout(() => resolve(false), 25));
    });
    if (open) return;
  }
  throw new Error('the server did not start');
}
