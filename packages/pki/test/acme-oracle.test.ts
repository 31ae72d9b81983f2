// ACME clients that we did not write, over TLS: lego and certbot order and revoke.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AcmeEvent,
  createAcmeServer,
  createMemoryAcmeStore,
  fromPem,
  generateKeyPair,
  readCertificate,
  readPem,
  toPem,
} from '../src/index.ts';
import { hasTool, openssl, oracle, type Ran, tempDir, testCa } from './support.ts';

const secret = Buffer.alloc(32, 5);

interface Running {
  readonly url: string;
  readonly dir: string;
  readonly rootFile: string;
  readonly store: ReturnType<typeof createMemoryAcmeStore>;
  readonly events: AcmeEvent[];
  readonly server: Server;
}

/** The server behind TLS on a free port, with a policy that believes every name: for tests only. */
async function start(bound: boolean): Promise<Running> {
  const { root, ca } = await testCa({ type: 'ec', curve: 'P-256' }, () => Date.now());
  const keys = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const tls = await ca.issue({
    publicKey: keys.publicKey,
    subject: 'CN=localhost',
    sans: [
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
    ],
    template: 'tls-server',
  });
  const dir = tempDir();
  const rootFile = join(dir, 'root.pem');
  writeFileSync(rootFile, toPem(root.certificate));
  const events: AcmeEvent[] = [];
  const store = createMemoryAcmeStore({ clock: Date });
  let handle: ((request: Request) => Promise<Response>) | undefined;
  const server = createServer(
    { key: toPem(keys.privateKey, 'PRIVATE KEY'), cert: toPem(tls) },
    async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const { method = 'GET', url = '/', headers } = incoming;
      const init = { method, headers: { 'content-type': headers['content-type'] ?? '' } };
      const body = method === 'POST' ? { body: Buffer.concat(chunks) } : {};
      const response = await handle!(new Request(`https://localhost${url}`, { ...init, ...body }));
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      outgoing.end(Buffer.from(await response.arrayBuffer()));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}/acme`;
  const acme = createAcmeServer({
    ...{ ca, store, clock: Date, baseUrl: url, template: 'tls-server', validityDays: 30 },
    ...(bound ? { externalAccounts: { required: true, key: async (id) => (id === 'kid-1' ? secret : null) } } : {}),
    challenges: [{ type: 'http-01', identifierTypes: ['dns'], validate: async () => ({ accept: true }) }],
    onEvent: (event) => void events.push(event),
  });
  handle = acme.handle;
  return { url, dir, rootFile, store, events, server };
}

let running: Running;
let bound: Running;
beforeAll(async () => {
  running = await start(false);
  bound = await start(true);
});
afterAll(() => {
  for (const { server } of [running, bound]) {
    server.closeAllConnections();
    server.close();
  }
});

function run(tool: string, args: string[], env: Record<string, string>): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      tool,
      args,
      { encoding: 'buffer', timeout: 60_000, env: { ...process.env, ...env } },
      (error, out, err) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
        resolve({ code, stdout: out, stderr: err.toString() });
      },
    );
  });
}

async function verified(target: Running, pem: string): Promise<void> {
  const [leaf, ...chain] = readPem(pem);
  const file = join(target.dir, 'leaf.pem');
  writeFileSync(file, toPem(leaf!.der));
  expect(chain.length).toBeGreaterThan(0);
  const output = await openssl(['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', target.rootFile, file]);
  expect(output.toString()).toContain('OK');
}

describe('lego', () => {
  const lego = (target: Running, path: string, args: string[], action: string[]) =>
    run(
      'lego',
      [
        ...['--server', `${target.url}/directory`, '--path', join(target.dir, path), '--email', 'admin@mdm.test'],
        ...['--accept-tos', '--http', '--http.port', '127.0.0.1:0', ...args, ...action],
      ],
      { LEGO_CA_CERTIFICATES: target.rootFile },
    );

  for (const keyType of ['ec256', 'ec384', 'rsa2048']) {
    oracle('lego', `orders two names with a key of ${keyType}, and revokes`, async () => {
      const names = ['--domains', `${keyType}.mdm.test`, '--domains', 'other.mdm.test', '--key-type', keyType];
      const ordered = await lego(running, keyType, names, ['run']);
      expect(ordered.code, ordered.stderr).toBe(0);
      const files = join(running.dir, keyType, 'certificates');
      const pem = readFileSync(join(files, `${keyType}.mdm.test.crt`), 'utf8');
      const certificate = readCertificate(fromPem(pem));
      expect(certificate.sans.map((san) => san.value)).toEqual([`${keyType}.mdm.test`, 'other.mdm.test']);
      await verified(running, pem);
      const stored = () => running.store.findCertificate(certificate.fingerprintSha256);
      expect((await stored())?.revoked).toBeNull();
      const revoked = await lego(running, keyType, names.slice(0, 2), ['revoke', '--reason', '4']);
      expect(revoked.code, revoked.stderr).toBe(0);
      expect((await stored())?.revoked?.reason).toBe('superseded');
      expect(running.events.filter(({ type }) => type === 'error')).toEqual([]);
    });
  }

  oracle('lego', 'binds its account to an external one, and gets nothing without', async () => {
    const names = ['--domains', 'bound.mdm.test'];
    const without = await lego(bound, 'without', names, ['run']);
    expect(without.code).not.toBe(0);
    const wrong = ['--eab', '--kid', 'kid-1', '--hmac', Buffer.alloc(32).toString('base64url'), ...names];
    expect((await lego(bound, 'wrong', wrong, ['run'])).code).not.toBe(0);
    expect(bound.store.issued()).toEqual([]);
    const right = ['--eab', '--kid', 'kid-1', '--hmac', secret.toString('base64url'), ...names];
    const ordered = await lego(bound, 'right', right, ['run']);
    expect(ordered.code, ordered.stderr).toBe(0);
    expect(bound.store.issued().length).toBe(1);
  });
});

describe('certbot', () => {
  // A second opinion: lego is the one that must be there under CI.
  const optional = hasTool('certbot') ? it : it.skip;
  if (!hasTool('certbot')) console.log('skipped (certbot is not installed): certbot orders and revokes');
  optional('orders, revokes with the account and deactivates it', async () => {
    const dir = join(running.dir, 'certbot');
    const dirs = ['config', 'work', 'logs'].flatMap((name) => [`--${name}-dir`, join(dir, name)]);
    const certbot = (...args: string[]) =>
      run('certbot', [...args, '--server', `${running.url}/directory`, '--non-interactive', ...dirs], {
        REQUESTS_CA_BUNDLE: running.rootFile,
      });
    const ordered = await certbot(
      ...['certonly', '--manual', '--manual-auth-hook', 'true', '--preferred-challenges', 'http', '-d', 'certbot.test'],
      ...['--agree-tos', '-m', 'admin@mdm.test', '--no-eff-email', '--key-type', 'ecdsa'],
    );
    expect(ordered.code, ordered.stderr).toBe(0);
    const live = join(dir, 'config', 'live');
    expect(existsSync(live) && readdirSync(live)).toContain('certbot.test');
    const pem = readFileSync(join(live, 'certbot.test', 'fullchain.pem'), 'utf8');
    await verified(running, pem);
    const revoked = await certbot(
      ...['revoke', '--cert-path', join(live, 'certbot.test', 'cert.pem'), '--reason', 'keycompromise'],
      '--no-delete-after-revoke',
    );
    expect(revoked.code, revoked.stderr).toBe(0);
    const { fingerprintSha256 } = readCertificate(fromPem(pem));
    expect((await running.store.findCertificate(fingerprintSha256))?.revoked?.reason).toBe('keyCompromise');
    const gone = await certbot('unregister');
    expect(gone.code, gone.stderr).toBe(0);
    expect(running.events.some(({ type }) => type === 'account-deactivated')).toBe(true);
  });
});
