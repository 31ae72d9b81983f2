// The three example servers, each started, used, stopped and started again; and as the programs that they are.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer, ServerOptions } from '@espalier/host/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { start as startExpress } from '../../express/main.ts';
import { start as startKoa } from '../../koa/main.ts';
import { start as startNode } from '../main.ts';

const examples: Record<string, (options: ServerOptions) => Promise<RunningServer>> = {
  express: startExpress,
  koa: startKoa,
  node: startNode,
};

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-example-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'data');
}

/** One request that trusts only the server's own CA, once it is known. */
function ask(url: string, options: https.RequestOptions, body?: string) {
  return new Promise<{ status: number; text: string; type: string | undefined }>((resolve, reject) => {
    const request = https.request(url, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('latin1'),
          type: response.headers['content-type'],
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

describe.each(Object.keys(examples))('%s', (name) => {
  const start = examples[name] as (typeof examples)[string];

  it('starts on an empty folder, enrols by invitation, and is the same server after a restart', async () => {
    const data = folder();
    const first = await start({ data, port: 0, address: '127.0.0.1', logLevel: 'silent' });
    const { text: ca } = await ask(`${first.url}/ca.pem`, { rejectUnauthorized: false });
    const headers = { authorization: `Bearer ${first.adminToken}`, 'content-type': 'application/json' };
    const made = await ask(`${first.url}/api/v1/invitations`, { method: 'POST', ca, headers }, '{"note":"mine"}');
    expect(made.status).toBe(201);
    const { url } = JSON.parse(made.text) as { url: string };
    expect(url.startsWith(`${first.url}/enrol/`)).toBe(true);
    const profile = await ask(url, { ca });
    expect([profile.status, profile.type]).toEqual([200, 'application/x-apple-aspen-config']);
    expect((await ask(`${first.url}/mdm/connect`, { method: 'PUT', ca }, '<plist/>')).status).toBe(401);
    await first.close();

    const second = await start({ data, port: 0, address: '127.0.0.1', logLevel: 'silent' });
    expect(second.adminToken).toBeNull();
    expect((await ask(`${second.url}/ca.pem`, { ca })).text).toBe(ca);
    const list = await ask(`${second.url}/api/v1/invitations`, { ca, headers });
    expect((JSON.parse(list.text) as { items: { note: string }[] }).items.map(({ note }) => note)).toEqual(['mine']);
    await second.close();
  });

  it('runs as a program, prints where it is, and ends in order', async () => {
    const file = join(import.meta.dirname, '..', '..', name, 'main.ts');
    const args = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', file];
    const child = spawn(process.execPath, [
      ...args,
      '--port',
      '0',
      '--address',
      '127.0.0.1',
      '--data',
      folder(),
      '--log-level',
      'warn',
    ]);
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    while (!/Push/.test(told)) await once(child.stderr, 'data');
    const url = /https:\/\/localhost:\d+/.exec(told)?.[0] as string;
    expect(told).toMatch(/Admin token {3}espalier_admin_/);
    expect((await ask(`${url}/health`, { rejectUnauthorized: false })).text).toBe('{"status":"ok"}');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

it('a program refuses a database that was written with another master key, and ends', async () => {
  const [one, other] = [folder(), folder()];
  for (const data of [one, other]) {
    await (await startNode({ data, port: 0, address: '127.0.0.1', logLevel: 'silent' })).close();
  }
  copyFileSync(join(one, 'espalier.sqlite'), join(other, 'espalier.sqlite'));
  const args = [
    '--conditions=espalier-source',
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, '..', 'main.ts'),
  ];
  const child = spawn(process.execPath, [...args, '--port', '0', '--data', other]);
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(told).toContain('(core.keys.wrong_key)');
  expect(told).toContain('start with the master key');
  expect(told).not.toContain('Status page');
});

it('a program explains its flags, and refuses those that it does not have', async () => {
  const args = ['--conditions=espalier-source', join(import.meta.dirname, '..', 'main.ts')];
  const help = spawn(process.execPath, [...args, '--help']);
  const wrong = spawn(process.execPath, [...args, '--nonsense']);
  const [[text], exit] = await Promise.all([once(help.stdout, 'data') as Promise<[Buffer]>, once(wrong, 'exit')]);
  expect(text.toString()).toContain('--public-url');
  expect(exit).toEqual([1, null]);
});
