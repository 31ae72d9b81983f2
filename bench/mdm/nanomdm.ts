// NanoMDM as a peer, where somebody has it: the same devices, the same messages, its own in-memory store.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toPem } from '@espalier/pki';
import { commandBytes, udidOf, type Work } from './messages.ts';
import { FORWARDED, type Target } from './modes.ts';

/** A NanoMDM that runs. */
export interface NanoMdm {
  readonly pid: number;
  readonly target: Target;
  enqueue(work: Work, commandUuid: string, devices: number): Promise<void>;
  end(): Promise<void>;
}

const KEY = 'bench';

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((done) => probe.close(() => done()));
  return port;
}

/** Starts the program at `path`, which trusts the authority of the devices; it takes one kind of proof, as it is started. */
export async function startNanoMdm(path: string, ca: Uint8Array, signed: boolean): Promise<NanoMdm> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, toPem(ca));
  const port = await freePort();
  const options = [
    '-ca',
    caFile,
    '-api',
    KEY,
    '-storage',
    'inmem',
    '-storage-dsn',
    '',
    '-listen',
    `127.0.0.1:${port}`,
    ...(signed ? [] : ['-cert-header', FORWARDED]),
  ];
  const child: ChildProcess = spawn(path, options, { stdio: 'ignore' });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const up = await fetch(`${url}/version`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) break;
    if (ended || attempt > 100) throw new Error(`${path} does not run`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    pid: child.pid ?? 0,
    target: { port, checkinPath: '/mdm', connectPath: '/mdm' },
    async enqueue(work, commandUuid, devices) {
      const authorization = `Basic ${btoa(`nanomdm:${KEY}`)}`;
      // It takes a command's UUID once: all devices in one request.
      const ids = Array.from({ length: devices }, (_, i) => udidOf(i)).join(',');
      const response = await fetch(`${url}/v1/enqueue/${ids}?nopush=1`, {
        method: 'PUT',
        headers: { authorization },
        body: Buffer.from(commandBytes(work, commandUuid)),
      });
      if (!response.ok) throw new Error(`NanoMDM answered ${response.status}: ${await response.text()}`);
      await response.body?.cancel();
    },
    async end() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (!ended) {
        child.kill();
        await gone;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
