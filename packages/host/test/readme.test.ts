// The server in the README runs, exactly as it is written there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { folder } from './tools.ts';

it('the server from scratch answers, and hands out a token that works', async (context) => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const code = /```ts\n([\s\S]+?)```/.exec(readme)?.[1] as string;
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(50);
  const port = await freePort();
  const dir = folder(context);
  const args = [
    '--conditions=espalier-source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module-typescript',
    '-e',
    code,
  ];
  const server = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, PORT: String(port), DATA: join(dir, 'data') },
  });
  context.onTestFinished(() => void server.kill('SIGKILL'));
  let told = '';
  server.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  server.stderr.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  while (!told.includes('shown once'))
    await Promise.race([once(server.stdout, 'data'), once(server, 'exit').then(() => Promise.reject(new Error(told)))]);
  const token = /shown once: (\S+)/.exec(told)?.[1] as string;
  expect(await statusOf(`https://localhost:${port}/api/v1/devices`, token)).toBe(200);
  server.kill('SIGKILL');
  await once(server, 'exit');
});

/** A port that was free a moment ago: the README's server wants to know it before it listens. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function statusOf(url: string, token: string): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await new Promise<number>((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}` };
        const request = https.get(url, { headers, rejectUnauthorized: false, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on('error', reject);
      });
    } catch (error) {
      // The token is printed just before the server listens.
      if (attempt === 100) throw error;
      await pause(50);
    }
  }
}
