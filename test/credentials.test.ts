// A user's identity from the upload to the device's profile, over HTTP, on SQLite, judged by openssl.
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readCommand, readProfile } from '@espalier/apple-mdm';
import { createEngine, createKeyRing } from '@espalier/core';
import { createAdminToken, createHost, type Host, hashAdminToken } from '@espalier/host';
import { toNodeListener } from '@espalier/host/node';
import { createRootCa, openCa, signCms, verifyCms } from '@espalier/pki';
import { compileConfiguration } from '@espalier/policy';
import { createNodeTransport, createSimulatedDevice, type Transport } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { expect, test } from 'vitest';
import { folder, need, run } from './support/tools.ts';

const clock = { now: () => Date.now() };

test('a file that openssl made reaches the user’s device within a signed profile, and its key is openssl’s', async (context) => {
  need(context, 'openssl');
  const place = folder();
  context.onTestFinished(() => place.remove());
  const at = (name: string) => join(place.path, name);
  const openssl = async (...args: string[]) => {
    const { code, stdout, stderr } = await run('openssl', args);
    expect([args[0], code, code === 0 ? '' : stderr]).toEqual([args[0], 0, '']);
    return stdout.toString();
  };
  const subject = ['-subj', '/O=Example/CN=Ann', '-addext', 'extendedKeyUsage=emailProtection'];
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at('key.pem'), '-out', at('ann.pem'), '-days', '30'];
  await openssl('req', '-x509', ...key, ...subject, '-addext', 'basicConstraints=critical,CA:FALSE');
  const names = ['-in', at('ann.pem'), '-inkey', at('key.pem'), '-out', at('ann.p12'), '-name', 'Ann’s mail'];
  await openssl('pkcs12', '-export', ...names, '-passout', 'pass:correct horse');

  const root = await createRootCa({ subject: 'CN=Test', key: { type: 'rsa', bits: 2048 }, clock });
  const ca = await openCa({ ...root, clock });
  const store = openSqliteStore(at('store.db'));
  context.onTestFinished(() => store.close());
  let host: Host | undefined;
  const engine = createEngine({
    ...{ store, keys: createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(1) } }), clock },
    compile: compileConfiguration,
    signProfile: (bytes) => signCms(bytes, root),
  });
  const server = http.createServer((request, response) => {
    void toNodeListener((one, info) => host!.fetch(one, info))(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token = createAdminToken((length) => crypto.getRandomValues(new Uint8Array(length)));
  host = createHost({
    ...{ engine, ca, publicUrl: url, identity: { anchors: [ca.certificate] }, adminTokens: [hashAdminToken(token)] },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    users: { identify: async (request) => request.headers.get('x-signed-in') },
  });

  const profiles: Uint8Array[] = [];
  const inner = createNodeTransport({});
  const transport: Transport = {
    async send(request, state) {
      const response = await inner.send(request, state);
      if (request.url.endsWith('/mdm/connect') && response.body.length > 0) {
        const { requestType, payload } = readCommand(response.body);
        if (requestType === 'InstallProfile') profiles.push((payload as { Payload: Uint8Array }).Payload);
      }
      return response;
    },
    close: () => inner.close(),
  };
  const device = createSimulatedDevice({ kind: 'iPhone', seed: 'credentials', transport });
  context.onTestFinished(() => device.close());
  const { token: invitation } = await engine.enrolling.invite();
  await device.enrol(`${url}/enrol/${invitation}`);
  await device.poll();
  await engine.devices.learn(device.udid, { 'user.email_address': 'Ann@example.com' });

  const json = { 'content-type': 'application/json' };
  const admin = { ...json, authorization: `Bearer ${token}` };
  const api = async (path: string, body: unknown) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: admin,
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(201);
    return (await response.json()) as { readonly id: string };
  };
  const setting = await api('/credential-settings', { name: 'S/MIME', source: 'user-provided' });
  const label = await api('/labels', { name: 'all', expression: '"common.platform" = "iOS"' });
  const mail = {
    ...{ PayloadType: 'com.apple.mail.managed', EmailAccountType: 'EmailTypeIMAP' },
    ...{ IncomingMailServerAuthentication: 'EmailAuthNone', IncomingMailServerHostName: 'imap.example.com' },
    ...{ OutgoingMailServerAuthentication: 'EmailAuthNone', OutgoingMailServerHostName: 'smtp.example.com' },
    ...{ SMIMESigningEnabled: true, SMIMESigningCertificateUUID: '$IDENTITY:signing$' },
  };
  const settings = { identities: [{ name: 'signing', credential: setting.id }], payloads: [mail] };
  await api('/configurations', { name: 'Mail', type: 'identity', settings, labelIds: [label.id] });
  await engine.tick();
  await device.poll();
  expect(profiles).toEqual([]);

  const upload = { file: readFileSync(at('ann.p12')).toString('base64'), password: 'correct horse' };
  const own = { method: 'PUT', headers: { ...json, 'x-signed-in': 'ann@EXAMPLE.com' }, body: JSON.stringify(upload) };
  expect((await fetch(`${url}/user/v1/credentials/${setting.id}`, own)).status).toBe(200);
  await engine.tick();
  await device.poll();
  expect((await engine.devices.get(device.udid))?.assignments).toMatchObject([{ status: 'applied' }]);

  expect(profiles.length).toBe(1);
  verifyCms(profiles[0]!);
  writeFileSync(at('profile'), profiles[0]!);
  await openssl('cms', '-verify', '-inform', 'DER', '-noverify', '-in', at('profile'), '-out', at('profile.plist'));
  const [identity, account] = readProfile(readFileSync(at('profile.plist'))).payloads;
  const { PayloadContent, Password } = identity!.content as { PayloadContent: Uint8Array; Password: string };
  expect(account?.content).toMatchObject({ SMIMESigningCertificateUUID: identity?.uuid });
  expect(Password).not.toContain('horse');
  writeFileSync(at('delivered.p12'), PayloadContent);
  const read = ['pkcs12', '-legacy', '-in', at('delivered.p12'), '-passin', `pass:${Password}`, '-nodes'];
  await openssl(...read, '-nocerts', '-out', at('delivered.key'));
  await openssl(...read, '-clcerts', '-nokeys', '-out', at('delivered.pem'));
  const publicKey = (file: string) => openssl('pkey', '-in', at(file), '-pubout');
  expect(await publicKey('delivered.key')).toBe(await publicKey('key.pem'));
  const certificate = (file: string) => openssl('x509', '-in', at(file), '-noout', '-fingerprint', '-sha256');
  expect(await certificate('delivered.pem')).toBe(await certificate('ann.pem'));
  // What the user typed is nowhere, and what the user brought is nowhere in clear.
  const database =
    readFileSync(at('store.db')).toString('latin1') + readFileSync(at('store.db-wal')).toString('latin1');
  const pem = readFileSync(at('key.pem'), 'latin1').replaceAll(/-.*-|\s/g, '');
  const secret = Buffer.from(pem, 'base64').subarray(-300, -200).toString('latin1');
  for (const needle of ['correct horse', Password, secret]) expect(database.includes(needle)).toBe(false);
});
