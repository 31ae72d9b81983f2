// No secret in clear: secrets of every sort go in by the front doors of a whole server, and are looked for in what reaches
// the store, in every byte of the database, in the data folder, the log, the events and the metrics.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApnsClient } from '@espalier/apple-mdm';
import { createEngine, createMemoryStore, prometheusText, type Store } from '@espalier/core';
import { createHost, createLogger, type DataFolder, type Host, openDataFolder } from '@espalier/host';
import { createRootCa, scepEnrol, signCms, toPem } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistInput } from '@espalier/plist';
import { compileConfiguration } from '@espalier/policy';
import { openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { startServer as startPostgres, type TestServer } from '../packages/postgres/test/server.ts';
import { everyByte, leaks, type Planted, recordingStore } from './support/secrets.ts';
import { folder } from './support/tools.ts';

const URL_ROOT = 'https://mdm.example.com';
const TOPIC = 'com.apple.mgmt.External.test';
const text = (value: string) => new TextEncoder().encode(value);

const place = folder();
let postgres: TestServer | undefined;
afterAll(async () => {
  await postgres?.close();
  place.remove();
});

interface Place {
  open(): Promise<Store>;
  /** Every byte and every row that the database has; nothing for a store in memory. */
  contents(): Promise<Buffer>;
}

const stores: Record<string, () => Promise<Place>> = {
  memory: async () => ({ open: async () => createMemoryStore(), contents: async () => Buffer.alloc(0) }),
  sqlite: async () => {
    const own = folder();
    return {
      open: async () => openSqliteStore(join(own.path, 'espalier.sqlite')),
      contents: async () => everyByte(own.path),
    };
  },
  postgres: async () => {
    const server = await startPostgres();
    postgres = server;
    const started = Date.now();
    return {
      open: () => openPostgresStore(server.url),
      contents: async () => {
        const client = new pg.Client(server.url);
        await client.connect();
        const { rows } = await client.query<{ name: string }>(
          `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'espalier'`,
        );
        const dump: string[] = [];
        for (const { name } of rows) {
          const table = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
          dump.push(...table.rows.map(({ row }) => row));
        }
        await client.query('CHECKPOINT');
        await client.end();
        return Buffer.concat([Buffer.from(dump.join('\n')), everyByte(server.dataDir, started)]);
      },
    };
  },
};

/** What the log was told, as a person reads it. */
function capture() {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } }) };
}

/** A device that speaks through the host. */
async function enrolDevice(host: Host, challenge: string, udid: string, told: Readonly<Record<string, PlistInput>>) {
  const { certificate, privateKey } = await scepEnrol({
    url: `${URL_ROOT}/scep`,
    subject: `CN=${udid}`,
    challenge,
    clock: Date,
    fetch: (request) => host.fetch(request),
  });
  const send = async (path: string, message: Readonly<Record<string, PlistInput>>) => {
    const body = encodeXml({ UDID: udid, ...message });
    const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
    const headers = { 'mdm-signature': signature };
    const request = new Request(URL_ROOT + path, { method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> });
    const response = await host.fetch(request);
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
  };
  const checkin = (message: Readonly<Record<string, PlistInput>>) => send('/mdm/checkin', { Topic: TOPIC, ...message });
  /** One session; `answer` says what comes with the acknowledgement of a command. */
  async function session(answer: (requestType: string) => Readonly<Record<string, PlistInput>>): Promise<string[]> {
    const seen: string[] = [];
    let { body } = await send('/mdm/connect', { Status: 'Idle' });
    while (body.length > 0) {
      const command = decodeDict(body);
      const requestType = String((command['Command'] as Record<string, unknown>)['RequestType']);
      seen.push(requestType);
      const message = { Status: 'Acknowledged', CommandUUID: String(command['CommandUUID']), ...answer(requestType) };
      ({ body } = await send('/mdm/connect', message));
    }
    return seen;
  }
  await checkin({ MessageType: 'Authenticate', SerialNumber: `IN-CLEAR-${udid}`, OSVersion: '15.0', ...told });
  return { send, checkin, session };
}

/** The private keys of the data folder's files, opened with its master key. */
function keysOf(data: DataFolder): Record<string, Uint8Array> {
  const sealed = (name: string, field: string): Uint8Array =>
    Buffer.from(JSON.parse(readFileSync(data.file(`${name}.json`), 'utf8'))[field], 'base64');
  const key = (name: string) => data.keys.open(sealed(name, 'sealedKey'), ['data-folder', name]);
  // The secret part: what stands before it in PKCS#8 is the same for every key.
  return {
    'CA key': key('ca').subarray(-200),
    'TLS key': key('tls').subarray(36, 68),
    'profile signing key': key('profile-signing').subarray(36, 68),
    'session secret': data.sessionSecret,
  };
}

describe.each(Object.keys(stores))('on %s', (kind) => {
  test('no secret is in clear anywhere', { timeout: 120_000 }, async () => {
    const at = await stores[kind]!();
    const dataDir = join(place.path, kind);
    const data = await openDataFolder(dataDir, { publicUrl: URL_ROOT });
    const { lines, logger } = capture();
    const { store, recorded } = recordingStore(await at.open());

    // A push service that is not there: every push fails, and the log says why.
    const pushRoot = await createRootCa({ subject: 'CN=push', clock: Date, key: { type: 'ec', curve: 'P-256' } });
    const push = createApnsClient({
      certificate: toPem(pushRoot.certificate),
      privateKey: toPem(pushRoot.privateKey, 'PRIVATE KEY'),
      topic: TOPIC,
      origin: 'https://127.0.0.1:1',
    });
    const engine = createEngine({ store, keys: data.keys, push, compile: compileConfiguration, logger });
    const host = createHost({
      engine,
      ca: data.ca,
      identity: { anchors: [data.ca.certificate] },
      profile: { organisation: 'Example', topic: TOPIC, sign: data.signProfile },
      adminTokens: [data.adminTokenHash],
      sessionSecret: data.sessionSecret,
      publicUrl: URL_ROOT,
      metrics: {},
      logger,
    });
    const call = async (method: string, path: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${data.adminToken!}`, 'content-type': 'application/json' };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      return await host.fetch(new Request(`${URL_ROOT}/api/v1${path}`, init));
    };
    const api = async <T>(path: string, body: unknown): Promise<T> => {
      const response = await call('POST', path, body);
      expect([path, response.status, response.ok ? '' : await response.text()]).toEqual([path, response.status, '']);
      return (await response.json()) as T;
    };

    const invitation = await api<{ pin: string; token: string }>('/invitations', { pinLength: 12 });
    const { challenge } = await api<{ challenge: string }>('/scep/challenges', {});
    const other = await api<{ challenge: string }>('/scep/challenges', {});
    await host.fetch(new Request(`${URL_ROOT}/enrol/${invitation.token}`));
    await host.fetch(new Request(`${URL_ROOT}/enrol?pin=${invitation.pin}`));
    // Signed in to the page, and not signed in with a wrong token.
    for (const token of [data.adminToken!, 'PLANTED-wrong-admin-token-of-forty-characters']) {
      const body = new URLSearchParams({ token });
      await host.fetch(new Request(`${URL_ROOT}/login`, { method: 'POST', body }));
      await host.fetch(new Request(`${URL_ROOT}/api/v1/devices`, { headers: { authorization: `Bearer ${token}` } }));
    }

    const mac = await enrolDevice(host, challenge, 'MAC', {
      ProductName: 'Mac14,7',
      Extra: 'PLANTED-raw-authenticate',
    });
    await mac.checkin({
      MessageType: 'TokenUpdate',
      Token: text('token-of-the-mac'),
      PushMagic: 'PLANTED-push-magic',
      UnlockToken: text('PLANTED-unlock-token'),
    });
    await mac.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: text('PLANTED-bootstrap-token') });
    const phone = await enrolDevice(host, other.challenge, 'PHONE', { ProductName: 'iPhone15,2' });
    await phone.checkin({
      MessageType: 'TokenUpdate',
      Token: text('token-of-the-phone'),
      PushMagic: 'PLANTED-phone-magic',
      UnlockToken: text('PLANTED-phone-unlock-token'),
    });

    const profile = encodeXml({ PayloadContent: [{ Password: 'PLANTED-wifi-password' }] });
    const commands: readonly (readonly [string, string, Record<string, unknown>])[] = [
      ['MAC', 'InstallProfile', { Payload: Buffer.from(profile).toString('base64') }],
      ['MAC', 'SetFirmwarePassword', { NewPassword: 'PLANTED-firmware-password' }],
      [
        'MAC',
        'RotateFileVaultKey',
        { KeyType: 'personal', FileVaultUnlock: { Password: 'PLANTED-filevault-password' } },
      ],
      ['PHONE', 'ClearPasscode', { UnlockToken: Buffer.from('PLANTED-phone-unlock-token').toString('base64') }],
    ];
    for (const [id, requestType, payload] of commands) {
      await api('/commands', { target: { enrolmentIds: [id] }, requestType, payload });
    }
    // Faults whose reasons must not quote what was given.
    await call('POST', '/commands', {
      target: { enrolmentIds: ['MAC'] },
      requestType: 'InstallProfile',
      payload: { Payload: ['PLANTED-in-a-fault'] },
    });
    await call('POST', '/commands', {
      target: { enrolmentIds: ['NOBODY'] },
      requestType: 'SetFirmwarePassword',
      payload: { NewPassword: 'PLANTED-for-nobody' },
    });
    await mac.send('/mdm/connect', { Status: 'Nonsense', Token: 'PLANTED-in-a-refused-message' });
    await engine.devices.lock('MAC', { pin: '918273', message: 'PLANTED-lock-message' });
    await engine.tick();
    const seen = await mac.session((requestType) => {
      if (requestType === 'SecurityInfo') {
        return { SecurityInfo: { FDE_Enabled: true, FDE_PersonalRecoveryKeyCMS: text('PLANTED-escrowed-key') } };
      }
      if (requestType === 'RotateFileVaultKey') {
        return { RotateResult: { EncryptedNewRecoveryKey: text('PLANTED-new-recovery-key') } };
      }
      if (requestType === 'SetFirmwarePassword') {
        const ErrorChain = [{ ErrorCode: 1, ErrorDomain: 'D', LocalizedDescription: 'no', USEnglishDescription: 'no' }];
        return { Status: 'Error', ErrorChain };
      }
      return {};
    });
    expect(seen).toEqual(
      expect.arrayContaining(['InstallProfile', 'RotateFileVaultKey', 'SecurityInfo', 'DeviceLock']),
    );
    await phone.session(() => ({}));
    await engine.tick();
    // What may see it does.
    expect(await engine.devices.lockPin('MAC')).toBe('918273');
    const { body: bootstrap } = await mac.checkin({ MessageType: 'GetBootstrapToken' });
    expect(Buffer.from(bootstrap).toString()).toContain(Buffer.from('PLANTED-bootstrap-token').toString('base64'));

    const planted: Planted = {
      PLANTED: 'PLANTED',
      'lock PIN as text': '>918273<',
      'lock PIN in JSON': '"918273"',
      'invitation PIN': invitation.pin,
      'invitation token': invitation.token,
      'SCEP challenge': challenge,
      'admin token': data.adminToken!,
      'admin token without its mark': data.adminToken!.replace('espalier_admin_', ''),
      'push key': pushRoot.privateKey.subarray(36, 68),
      'master key': Buffer.from(readFileSync(data.file('master.key'), 'utf8').trim(), 'base64'),
      ...keysOf(data),
    };
    // The search finds what is there.
    const certain = { serial: 'IN-CLEAR-MAC' };
    expect(leaks(planted, Buffer.from(`x${Buffer.from('a PLANTED thing').toString('base64')}`))).toEqual(['PLANTED']);

    const events = await engine.events.list({ limit: 1_000 });
    expect(events.items.length).toBeGreaterThan(20);
    const { 'master key': _, ...inFolder } = planted;
    const files = everyByte(dataDir);
    const contents = await at.contents();
    expect({
      store: leaks(planted, recorded()),
      open: leaks(planted, contents),
      events: leaks(planted, JSON.stringify(events.items)),
      metrics: leaks(planted, prometheusText(await engine.metrics.collect())),
      log: leaks(planted, lines.join('')),
      folder: leaks(inFolder, files),
    }).toEqual({ store: [], open: [], events: [], metrics: [], log: [], folder: [] });
    expect(leaks(certain, recorded())).toEqual(['serial']);
    if (kind !== 'memory') expect(leaks(certain, contents)).toEqual(['serial']);
    expect(lines.join('')).toContain('mdm.response.unknown_status');
    expect(events.items.map(({ type }) => type)).toContain('push.failed');
    // After the end, too: what was in the write-ahead log is in the main file now.
    await engine.stop();
    await push.close();
    await store.close();
    await data.close();
    if (kind === 'sqlite') expect(leaks(planted, await at.contents())).toEqual([]);
  });
});
