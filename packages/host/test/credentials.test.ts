// Credentials by HTTP: what administrators set up, and what users upload themselves.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { need } from './tools.ts';
import { type World, world } from './world.ts';

const folder = mkdtempSync(join(tmpdir(), 'espalier-credentials-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach((context) => need(context, 'openssl'));
const files = new Map<string, string>();

/** A PKCS#12 file that openssl made, base64. */
function file(name: string, ...options: string[]): string {
  const known = files.get(name);
  if (known !== undefined) return known;
  const at = (suffix: string) => join(folder, `${name}.${suffix}`);
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = options.includes('rsa:1024') ? ['rsa:1024'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const rest = options.filter((option) => option !== 'rsa:1024');
  const [days] = rest.length > 0 && /^\d+$/.test(rest[0]!) ? rest.splice(0, 1) : ['365'];
  run(
    'req',
    '-x509',
    '-newkey',
    ...key,
    '-nodes',
    '-keyout',
    at('key'),
    '-out',
    at('pem'),
    '-subj',
    `/CN=${name}`,
    ...[...['-days', days!, '-addext', 'basicConstraints=critical,CA:FALSE', ...rest]],
  );
  run('pkcs12', '-export', '-in', at('pem'), '-inkey', at('key'), '-out', at('p12'), '-passout', 'pass:secret');
  const made = readFileSync(at('p12')).toString('base64');
  files.set(name, made);
  return made;
}

async function call(to: World, method: string, path: string, body?: unknown) {
  const response = await to.api(method, path, body);
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}

/** The certificates that openssl make are valid now, and not in the tests' year. */
const today = { now: () => Date.now() };

describe('credentials in the admin API', () => {
  let to: World;
  beforeAll(async () => {
    to = await world({}, { clock: today });
  });

  it('are of settings, which are made, changed, listed and deleted', async () => {
    const input = {
      name: 'S/MIME signing',
      source: 'user-provided',
      displayName: 'Sign mail',
      deleteKeysAfterDays: 30,
    };
    const made = await call(to, 'POST', '/credential-settings', input);
    expect(made).toMatchObject({ status: 201, body: { ...input, scope: 'user', requirePassword: true, version: 1 } });
    const path = `/credential-settings/${made.body['id']}`;
    expect(await call(to, 'POST', '/credential-settings', input)).toMatchObject({ status: 409 });
    expect(await call(to, 'PATCH', path, { deleteKeysAfterDays: null })).toMatchObject({
      ...{ status: 200, body: { deleteKeysAfterDays: null, version: 2 } },
    });
    expect(await call(to, 'PATCH', path, { source: 'issued' })).toMatchObject({ status: 400 });
    expect(await call(to, 'PATCH', path, { expiryWindowDays: 271 })).toMatchObject({ status: 400 });
    expect((await call(to, 'GET', '/credential-settings')).body).toMatchObject([{ name: 'S/MIME signing' }]);
    expect(await call(to, 'GET', path)).toMatchObject({ status: 200, body: { version: 2 } });
    expect((await call(to, 'DELETE', path)).status).toBe(204);
    expect(await call(to, 'GET', path)).toMatchObject({ status: 404 });
  });

  it('are uploaded for users, listed without keys, and their keys deleted', async () => {
    const { body: setting } = await call(to, 'POST', '/credential-settings', { name: 'mail', source: 'user-provided' });
    const path = `/credential-settings/${setting['id']}/users/ann%40example.com`;
    const uploaded = await call(to, 'PUT', path, { file: file('ann'), password: 'secret' });
    expect(uploaded).toMatchObject({
      status: 200,
      body: { holder: 'user:ann@example.com', origin: 'admin', subject: 'CN=ann', issuer: 'CN=ann', status: 'active' },
    });
    expect(JSON.stringify(uploaded.body)).not.toMatch(/sealed|privateKey|password/);
    const serial = execFileSync('openssl', ['x509', '-noout', '-serial', '-in', join(folder, 'ann.pem')]).toString();
    expect(`serial=${String(uploaded.body['serialNumber']).toUpperCase()}\n`).toBe(serial);
    const list = async (query: string) => {
      const { body } = await call(to, 'GET', `/credentials?${query}`);
      return (body['items'] as { subject: string }[]).map(({ subject }) => subject);
    };
    expect(await list('userId=ANN%40example.com')).toEqual(['CN=ann']);
    expect(await list('userId=bob')).toEqual([]);
    expect(await list(`status=active&expiresBefore=${Date.now() + 366 * 86_400_000}`)).toEqual(['CN=ann']);
    expect(await list('status=superseded')).toEqual([]);
    const id = String(uploaded.body['id']);
    expect(await call(to, 'GET', `/credentials/${id}`)).toMatchObject({ status: 200, body: { keyDeletedAt: null } });
    expect((await call(to, 'DELETE', `/credentials/${id}/key`)).body).toEqual({ deleted: true });
    expect((await call(to, 'DELETE', `/credentials/${id}/key`)).body).toEqual({ deleted: false });
    expect(await call(to, 'GET', `/credentials/${id}`)).toMatchObject({ body: { keyDeletedBy: 'admin' } });
    expect(await call(to, 'DELETE', '/credentials/none/key')).toMatchObject({ status: 404 });
    await call(to, 'PUT', path, { file: file('ann'), password: 'secret' });
    expect((await call(to, 'DELETE', '/users/ann%40example.com/credential-keys')).body).toEqual({ deleted: 1 });
  });

  it('are refused with reason and remedy', async () => {
    const { body: setting } = await call(to, 'POST', '/credential-settings', { name: 'bad', source: 'user-provided' });
    const path = `/credential-settings/${setting['id']}/users/ann`;
    const refusal = async (body: unknown, at = path) => {
      const { status, body: problem } = await call(to, 'PUT', at, body);
      return `${status} ${problem['code']} ${problem['path'] ?? ''}`;
    };
    const password = 'secret';
    expect(await refusal({ file: file('ann'), password: 'no' })).toBe('400 core.credential.password /password');
    expect(await refusal({ file: file('ann') })).toBe('400 core.credential.password_required /password');
    const weak = file('weak', 'rsa:1024');
    expect(await refusal({ file: weak, password })).toBe('400 core.credential.weak /file');
    const sha1 = file('sha1', '-sha1');
    expect(await refusal({ file: sha1, password })).toBe('400 core.credential.weak /file');
    const ca = file('ca', '-addext', 'keyUsage=keyCertSign,cRLSign');
    expect(await refusal({ file: ca, password })).toBe('400 core.credential.authority /file');
    expect(await refusal({ file: 'AAAA', password })).toBe('400 core.credential.file /file');
    expect(await refusal({ file: 'not base64', password })).toBe('400 host.input.invalid file');
    expect(await refusal({ file: file('ann'), password }, '/credential-settings/none/users/ann')).toBe(
      '404 core.credential.unknown_setting ',
    );
    const { body: issued } = await call(to, 'POST', '/credential-settings', { name: 'issued', source: 'issued' });
    expect(await refusal({ file: file('ann'), password }, `/credential-settings/${issued['id']}/users/ann`)).toBe(
      '409 core.credential.not_uploaded ',
    );
  });
});

describe('a user’s own credentials', () => {
  it('are seen and changed by that user alone', async () => {
    const to = await world(
      { users: { identify: async (request) => request.headers.get('x-test-user') } },
      { clock: today },
    );
    const { id } = await to.engine.credentials.createSetting({ name: 'mail', source: 'user-provided' });
    await to.engine.credentials.createSetting({ name: 'issued', source: 'issued' });
    const as = async (user: string | null, method: string, path = '', body?: unknown) => {
      const headers = { 'content-type': 'application/json', ...(user === null ? {} : { 'x-test-user': user }) };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const response = await to.fetch(`/user/v1/credentials${path}`, init);
      return { status: response.status, body: (await response.json()) as unknown };
    };
    expect(await as(null, 'GET')).toMatchObject({ status: 401, body: { code: 'host.user.unknown' } });
    expect(await as(null, 'PUT', `/${id}`, 'not even a body')).toMatchObject({ status: 401 });
    expect(await as('ann', 'GET')).toMatchObject({
      status: 200,
      body: [{ settingId: id, displayName: 'mail', state: 'missing', credential: null }],
    });
    const upload = { file: file('ann'), password: 'secret' };
    expect(await as('ann', 'PUT', `/${id}`, upload)).toMatchObject({ status: 200, body: { origin: 'user' } });
    expect(await as('ann', 'PUT', `/${id}`, { ...upload, userId: 'bob' })).toMatchObject({ status: 400 });
    expect(await as('ann', 'GET')).toMatchObject({ body: [{ state: 'stored', credential: { subject: 'CN=ann' } }] });
    expect(await as('bob', 'GET')).toMatchObject({ body: [{ state: 'missing' }] });
    expect(await as('bob', 'DELETE', `/${id}/key`)).toMatchObject({ status: 200, body: { deleted: false } });
    expect(await as('ann', 'DELETE', `/${id}/key`)).toMatchObject({ status: 200, body: { deleted: true } });
    expect(await as('ann', 'GET')).toMatchObject({
      body: [{ state: 'key-deleted', credential: { keyDeletedBy: 'user' } }],
    });
    expect(await as('ann', 'DELETE', '/none/key')).toMatchObject({ status: 404 });
  });

  it('are not served unless the product tells who users are', async () => {
    const to = await world();
    expect((await to.fetch('/user/v1/credentials')).status).toBe(404);
  });
});
