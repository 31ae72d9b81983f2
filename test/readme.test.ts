// The server in the README is run exactly as it is written there, and a device gets its policy from it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Invitation } from '@espalier/core';
import { fromPem } from '@espalier/pki';
import { createSimulatedDevice } from '@espalier/simulator';
import { afterAll, expect, test } from 'vitest';
import { createAdminApi } from '../examples/demo/api.ts';
import { startApple } from '../examples/demo/apple.ts';
import { folder } from './support/tools.ts';

const root = join(import.meta.dirname, '..');
const place = folder();
let child: ChildProcess | undefined;
afterAll(async () => {
  if (child !== undefined && child.exitCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  place.remove();
});

test('the server from scratch enrols a device and gives it its policy', async () => {
  const [, code] = /```ts server\n([\s\S]+?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];
  const lines = code!
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('//') && !line.startsWith('import'));
  expect(lines.length).toBeLessThanOrEqual(40);

  const apple = await startApple(place.path);
  const { certificate, privateKey, origin, ca } = apple.files;
  const both = join(place.path, 'both.pem');
  writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(privateKey, 'utf8'));
  const port = await freePort();
  const data = join(place.path, 'data');
  const flags = [
    '--conditions=espalier-source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module-typescript',
  ];
  const server = spawn(process.execPath, [...flags, '--eval', code!], {
    cwd: root,
    env: {
      ...process.env,
      ...{ PORT: String(port), DATA: data, PUSH_CERTIFICATE: both, PUSH_URL: origin, PUSH_CA: ca },
      PUSH_TOPIC: 'com.apple.mgmt.External.00000000-0000-4000-8000-00000000de70',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = server;
  const token = await new Promise<string>((resolve, reject) => {
    let said = '';
    server.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /shown once: (\S+)\n/.exec(said)?.[1];
      if (found) resolve(found);
    });
    server.once('exit', (code) => reject(new Error(`the server ended with code ${code}: ${said}`)));
  });

  const rootPem = readFileSync(join(data, 'ca.pem'), 'utf8');
  const api = createAdminApi(`https://localhost:${port}`, token, rootPem);
  const installed = Promise.withResolvers<void>();
  const phone = createSimulatedDevice({
    kind: 'iPhone',
    seed: 'readme',
    trustedRoots: [fromPem(rootPem, 'CERTIFICATE')],
    apns: apple.apns,
    onRequest: ({ requestType, status }) => {
      if (requestType === 'InstallProfile' && status === 200) installed.resolve();
    },
  });
  try {
    const { url } = await whenUp(() => api.post<Invitation & { url: string }>('/invitations', {}));
    await phone.enrol(url);
    await installed.promise;
    await phone.settled();
    const types = phone.state().profiles.flatMap((profile) => profile.payloads.map(({ type }) => type));
    expect(types).toContain('com.apple.mobiledevice.passwordpolicy');
  } finally {
    phone.close();
    api.close();
    await apple.apns.close();
  }
});

/** The token is printed before the server listens. */
async function whenUp<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED' || attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A port that was free a moment ago: this server wants to know it before it listens. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
