// The main job, end to end, through each example host: real TLS, SCEP, MDM and push traffic, checked by outside tools.
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { Assignment, CommandOutcome, Invitation } from '@espalier/core';
import type { RunningServer } from '@espalier/host/node';
import { fromPem, toPem } from '@espalier/pki';
import { createKeyPool, createSimulatedDevice, type SimulatedDevice } from '@espalier/simulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminApi, createAdminApi } from '../examples/demo/api.ts';
import { type SimulatedApple, startApple } from '../examples/demo/apple.ts';
import { start as startExpress } from '../examples/express/main.ts';
import { start as startKoa } from '../examples/koa/main.ts';
import { start as startNode } from '../examples/node/main.ts';
import { folder, need, run } from './support/tools.ts';

const keyPool = createKeyPool();
const hosts = { express: startExpress, koa: startKoa, node: startNode };

describe.each(Object.entries(hosts))('the example on %s', (_name, start) => {
  const place = folder();
  const devices: SimulatedDevice[] = [];
  let apple: SimulatedApple;
  let server: RunningServer;
  let api: AdminApi;
  let rootPem: string;
  let rootFile: string;

  beforeAll(async () => {
    apple = await startApple(place.path);
    const data = join(place.path, 'server');
    const files = apple.files;
    server = await start({
      data,
      port: 0,
      address: '127.0.0.1',
      logLevel: 'silent',
      organisation: 'Example Ltd',
      apns: {
        certificate: readFileSync(files.certificate, 'utf8'),
        privateKey: readFileSync(files.privateKey, 'utf8'),
        ca: readFileSync(files.ca, 'utf8'),
        origin: files.origin,
        topic: 'com.apple.mgmt.External.00000000-0000-4000-8000-00000000de70',
      },
    });
    rootFile = join(data, 'ca.pem');
    rootPem = readFileSync(rootFile, 'utf8');
    api = createAdminApi(server.url, server.adminToken!, rootPem);
  });
  afterAll(async () => {
    for (const device of devices) device.close();
    api?.close();
    await server?.close();
    await apple?.apns.close();
    place.remove();
  });

  function invite(): Promise<Invitation & { url: string }> {
    return api.post('/invitations', { note: 'a test device' });
  }

  async function enrol(traits: Parameters<typeof createSimulatedDevice>[0]): Promise<SimulatedDevice> {
    const trustedRoots = [fromPem(rootPem, 'CERTIFICATE')];
    const device = createSimulatedDevice({ ...traits, trustedRoots, keyPool, apns: apple.apns });
    devices.push(device);
    await device.enrol((await invite()).url);
    return device;
  }

  /** Waits for an event of the engine that fits. */
  function event(type: string, enrolmentId: string, fits: (data: Record<string, unknown>) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const stop = server.engine.events.subscribe((seen) => {
        if (seen.type !== type || seen.enrolmentId !== enrolmentId || !fits(seen.data)) return;
        stop();
        resolve();
      });
    });
  }

  test('enrols a phone, learns what it is, gives it its policy by label, and takes the policy away again', async () => {
    const label = await api.post<{ id: string }>('/labels', {
      name: 'Supervised phones',
      expression: '"common.platform" = "iOS" AND "ios.Supervised" = true',
    });
    const configuration = await api.post<{ id: string }>('/configurations', {
      name: 'Passcode',
      type: 'passcode',
      settings: { forcePIN: true, minLength: 8 },
      labelIds: [label.id],
    });
    const phone = createSimulatedDevice({
      kind: 'iPhone',
      seed: `phone ${_name}`,
      supervised: true,
      trustedRoots: [fromPem(rootPem, 'CERTIFICATE')],
      keyPool,
      apns: apple.apns,
    });
    devices.push(phone);
    const applied = event('assignment.changed', phone.udid, ({ status }) => status === 'applied');
    await phone.enrol((await invite()).url);
    await applied;
    await phone.settled();

    const identifier = `org.espalier.configuration.${configuration.id}`;
    expect(phone.state().profiles.map((profile) => profile.identifier)).toContain(identifier);
    const detail = await server.engine.devices.get(phone.udid);
    expect(detail?.enrolment).toMatchObject({ status: 'active', serialNumber: phone.serialNumber });
    expect(detail?.facts).toMatchObject({ 'common.platform': 'iOS', 'ios.Supervised': true });
    expect(detail?.apps.length).toBeGreaterThan(0);
    expect(detail?.certificates.some((certificate) => certificate.isIdentity)).toBe(true);
    expect(detail?.labels.map(({ name }) => name)).toEqual(['Supervised phones']);
    const [assignment] = await api.all<Assignment>(`/configurations/${configuration.id}/assignments`);
    expect(assignment).toMatchObject({ enrolmentId: phone.udid, status: 'applied', profileIdentifier: identifier });

    const gone = new Promise<void>((resolve) => {
      const stop = server.engine.events.subscribe(async (seen) => {
        if (seen.type !== 'inventory.updated' || seen.enrolmentId !== phone.udid) return;
        if (phone.state().profiles.some((profile) => profile.identifier === identifier)) return;
        stop();
        resolve();
      });
    });
    await server.engine.configurations.update(configuration.id, { labelIds: [] });
    await gone;
    expect((await server.engine.devices.get(phone.udid))?.assignments).toEqual([]);
  });

  test('locks a Mac with a PIN that it keeps', async () => {
    const mac = await enrol({ kind: 'Mac', seed: `mac ${_name}` });
    await mac.settled();
    let commandUuid = '';
    const locked = event('command.acknowledged', mac.udid, (data) => data['commandUuid'] === commandUuid);
    ({ commandUuid } = await server.engine.devices.lock(mac.udid));
    await locked;
    expect(await api.get<CommandOutcome>(`/devices/${mac.udid}/commands/${commandUuid}`)).toMatchObject({
      requestType: 'DeviceLock',
      state: 'acknowledged',
    });
    const { pin } = await api.get<{ pin: string }>(`/devices/${mac.udid}/lock-pin`);
    expect(pin).toMatch(/^\d{6}$/);
    expect(mac.unlock('not the PIN')).toBe(false);
    expect(mac.unlock(pin)).toBe(true);
  });

  test('lets a device go that checks out', async () => {
    const tv = await enrol({ kind: 'AppleTV', seed: `tv ${_name}`, supervised: true });
    await tv.settled();
    expect(await tv.checkOut()).toEqual({ told: true });
    expect((await server.engine.devices.get(tv.udid))?.enrolment.status).toBe('checked-out');
  });

  test('serves a profile that openssl verifies and Python reads', async (context) => {
    need(context, 'openssl');
    need(context, 'python3');
    const { url } = await invite();
    const signed = join(place.path, 'enrol.mobileconfig');
    writeFileSync(signed, await download(url));
    const verified = await run('openssl', [
      ...['cms', '-verify', '-inform', 'DER', '-in', signed, '-CAfile', rootFile, '-purpose', 'any'],
    ]);
    expect(verified.code, verified.stderr).toBe(0);
    const script =
      'import plistlib,sys,json; p=plistlib.loads(sys.stdin.buffer.read());' +
      'print(json.dumps([c["PayloadType"] for c in p["PayloadContent"]]))';
    const read = await run('python3', ['-c', script], { input: verified.stdout });
    expect(read.stderr).toBe('');
    expect(JSON.parse(read.stdout.toString()).sort()).toEqual([
      'com.apple.mdm',
      'com.apple.security.root',
      'com.apple.security.scep',
    ]);
  });

  test('issues device certificates that openssl verifies', async (context) => {
    need(context, 'openssl');
    const pad = await enrol({ kind: 'iPad', seed: `pad ${_name}` });
    await pad.settled();
    const file = join(place.path, 'pad.pem');
    writeFileSync(file, toPem(Buffer.from(pad.state().certificate!, 'base64')));
    const verified = await run('openssl', [
      ...['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', rootFile, file],
    ]);
    expect(verified.code, verified.stderr).toBe(0);
  });

  test('gives scepclient a certificate for a challenge, once', async (context) => {
    need(context, 'scepclient');
    need(context, 'openssl');
    const { challenge } = await api.post<{ challenge: string }>('/scep/challenges', {});
    const client = (name: string) =>
      run(
        'scepclient',
        [
          ...['-server-url', `${server.url}/scep`, '-challenge', challenge, '-cn', 'scep test'],
          ...['-private-key', join(place.path, `${name}.key`), '-certificate', join(place.path, `${name}.pem`)],
        ],
        { env: { SSL_CERT_FILE: rootFile } },
      );
    const first = await client('first');
    expect(first.code, first.stderr).toBe(0);
    const verified = await run('openssl', ['verify', '-CAfile', rootFile, join(place.path, 'first.pem')]);
    expect(verified.stdout.toString()).toContain('OK');
    const second = await client('second');
    expect(second.code).not.toBe(0);
    expect(() => readFileSync(join(place.path, 'second.pem'))).toThrow();
  });

  async function download(url: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      request(url, { ca: rootPem }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => resolve(Buffer.concat(chunks)));
        incoming.on('error', reject);
      })
        .on('error', reject)
        .end();
    });
  }
});
