// The Apple Business and School Manager API: tokens, pages, activities, audit events, errors.
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, need, run } from '../../../test/support/tools.ts';
import { clientAssertion, importApiKey } from '../src/business/assertion.ts';
import { type BusinessClientOptions, businessEndpoints, businessErrors, tokenErrors } from '../src/index.ts';
import { all, setting as enrolmentSetting } from './apple.ts';
import { apiKey, refusal as refused, businessSetting as setting } from './business-setting.ts';
import { codeOf } from './support.ts';

const { privateKey, pem, publicPem } = apiKey;

describe('the client assertion', () => {
  it('has a signature that openssl verifies', async (context) => {
    need(context, 'openssl');
    const files = folder();
    try {
      const options = {
        clientId: 'BUSINESSAPI.1',
        keyId: 'k',
        audience: 'https://a.example/t',
        now: 1_700_000_000_000,
        id: 'j',
      };
      const [header, claims, signature] = clientAssertion({ ...options, key: importApiKey(pem) }).split('.');
      const raw = Buffer.from(signature!, 'base64url');
      expect(raw).toHaveLength(64);
      // ECDSA-Sig-Value, as openssl reads it: SEQUENCE of two INTEGERs.
      const integer = (bytes: Buffer): Buffer => {
        const trimmed = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
        const body = trimmed[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed;
        return Buffer.concat([Buffer.of(2, body.length), body]);
      };
      const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
      const file = (name: string, content: string | Uint8Array): string => {
        const path = join(files.path, name);
        writeFileSync(path, content);
        return path;
      };
      const result = await run('openssl', [
        'dgst',
        '-sha256',
        '-verify',
        file('key.pem', publicPem),
        '-signature',
        file('signature', Buffer.concat([Buffer.of(0x30, body.length), body])),
        file('text', `${header}.${claims}`),
      ]);
      expect(result.stdout.toString()).toContain('Verified OK');
      const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
      expect(decode(header!)).toEqual({ alg: 'ES256', kid: 'k', typ: 'JWT' });
      expect(decode(claims!)).toEqual({
        iss: 'BUSINESSAPI.1',
        sub: 'BUSINESSAPI.1',
        aud: 'https://a.example/t',
        iat: 1_700_000_000,
        exp: 1_700_000_300,
        jti: 'j',
      });
    } finally {
      files.remove();
    }
  });

  it('is made with the portal’s key in any form, and with no other', () => {
    const sec1 = privateKey.export({ type: 'sec1', format: 'pem' }) as string;
    for (const form of [
      pem,
      sec1,
      privateKey.export({ type: 'pkcs8', format: 'der' }),
      privateKey.export({ type: 'sec1', format: 'der' }),
    ]) {
      expect(importApiKey(form).asymmetricKeyType).toBe('ec');
    }
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const wrong of [publicPem, 'nothing', rsa as string, p384 as string, new Uint8Array(5)]) {
      expect(codeOf(() => importApiKey(wrong))).toBe('ade.business.key');
    }
  });
});

describe('access tokens', () => {
  it('are got once, renewed before they end, and once when they are refused', async () => {
    const { apple, client, clock } = setting({ count: 3 });
    await Promise.all([all(client.servers()), all(client.servers()), all(client.devices())]);
    const tokens = () => apple.counters.get('POST /auth/oauth2/token');
    expect(tokens()).toBe(1);
    clock.move(3_541_000);
    await all(client.servers());
    expect(tokens()).toBe(2);
    apple.endTokens();
    await all(client.servers());
    expect(tokens()).toBe(3);
    apple.respond(() => new Response('', { status: 401 }));
    await expect(all(client.servers())).rejects.toMatchObject({
      code: 'ade.business.unauthorized',
      kind: 'unauthenticated',
    });
    expect(tokens()).toBe(4);
  });

  it('are refused with a reason', async () => {
    const wrong = async (more: Partial<BusinessClientOptions>): Promise<unknown> =>
      all(setting({}, more).client.servers()).catch((error: unknown) => error);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    expect(await wrong({ privateKey: other as string })).toMatchObject({ code: 'ade.business.invalid_client' });
    expect(await wrong({ clientId: 'BUSINESSAPI.other' })).toMatchObject({ code: 'ade.business.invalid_client' });
    expect(await wrong({ keyId: 'other' })).toMatchObject({ code: 'ade.business.invalid_client' });
    expect(await wrong({ manager: 'school' })).toMatchObject({ code: 'ade.business.invalid_scope' });
    expect(await wrong({ clock: { now: () => 0 } })).toMatchObject({ code: 'ade.business.invalid_grant' });
    const { apple, client } = setting();
    apple.revoked = true;
    await expect(all(client.servers())).rejects.toMatchObject({
      code: 'ade.business.invalid_client',
      kind: 'unauthenticated',
      apple: { service: 'business', code: 'invalid_client' },
    });
  });

  it('have all of RFC 6749’s errors', async () => {
    for (const name of Object.keys(tokenErrors)) {
      const { client } = setting({}, { fetch: async () => Response.json({ error: name }, { status: 400 }) });
      await expect(all(client.servers())).rejects.toMatchObject({ code: `ade.business.${name}` });
    }
  });
});

describe('devices and servers', () => {
  it('come in pages', async () => {
    const { apple, client } = setting({ count: 250, maxPage: 100, servers: ['A', 'B'] });
    const pages = await all(client.devices());
    expect(pages.map((page) => page.length)).toEqual([100, 100, 50]);
    const first = apple.organisation.device(0);
    expect(pages[0]![0]).toMatchObject({
      id: first.serialNumber,
      orderNumber: first.orderNumber,
      status: 'UNASSIGNED',
    });
    expect((await all(client.servers())).flat().map((server) => server.serverName)).toEqual(['A', 'B']);
    expect(await client.device(first.serialNumber)).toMatchObject({ productFamily: first.kind });
    expect(await client.device('STRANGER')).toBeUndefined();
    expect(await client.assignedServer(first.serialNumber)).toBeUndefined();
  });

  it('are assigned by activities, which take their time', async () => {
    const heard: unknown[] = [];
    const { apple, client, waits, clock } = setting({ count: 5, onAssigned: (...event) => heard.push(event) });
    const serials = [0, 1].map((number) => apple.organisation.device(number).serialNumber);
    const server = apple.servers[0]!;
    const started = await client.assign(server.id, serials);
    expect(started).toMatchObject({ status: 'IN_PROGRESS', subStatus: 'SUBMITTED' });
    expect(heard).toEqual([]);
    expect(await client.finished(started.id, { pollMs: 4000 })).toMatchObject({
      status: 'COMPLETED',
      subStatus: 'COMPLETED_WITH_SUCCESS',
    });
    expect(waits).toEqual([4000, 4000, 4000]);
    expect(heard).toEqual([[serials, 'Simulated server']]);
    expect((await all(client.serverDevices(server.id))).flat()).toEqual(serials);
    expect(await client.assignedServer(serials[0]!)).toMatchObject({ id: server.id });
    await client.finished((await client.unassign(server.id, [serials[0]!])).id);
    expect((await all(client.serverDevices(server.id))).flat()).toEqual([serials[1]]);
    const again = await client.assign(server.id, serials);
    await expect(client.finished(again.id, { pollMs: 2000, timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'ade.business.activity_timeout',
    });
    clock.move(60_000);
    await client.finished(again.id);
    const query = { start: new Date(0), end: new Date(clock.now()) };
    const events = (await all(client.auditEvents(query))).flat();
    expect(events.map((event) => event.type)).toEqual([
      'DEVICE_ASSIGNED_TO_SERVER',
      'DEVICE_ASSIGNED_TO_SERVER',
      'DEVICE_UNASSIGNED_FROM_SERVER',
      'DEVICE_ASSIGNED_TO_SERVER',
      'DEVICE_ASSIGNED_TO_SERVER',
    ]);
    expect(events[0]).toMatchObject({ subjectId: serials[0], outcome: 'SUCCESS', data: { serialNumber: serials[0] } });
    const some = { ...query, type: 'DEVICE_UNASSIGNED_FROM_SERVER', subjectId: serials[0]! };
    expect((await all(client.auditEvents(some))).flat()).toHaveLength(1);
  });

  it('show Activation Lock', async () => {
    const { apple, client } = setting({ count: 2 });
    const serial = apple.organisation.device(1).serialNumber;
    expect(await client.activationLock(serial)).toEqual({ isLocked: false, lockType: 'NONE' });
    apple.lock(serial, 'USER');
    expect(await client.activationLock(serial)).toEqual({ isLocked: true, lockType: 'USER' });
  });

  it('have a server and a warranty that can be looked up', async () => {
    const { apple, client } = setting({ count: 1 });
    expect(await client.server(apple.servers[0]!.id)).toMatchObject({
      serverName: 'Simulated server',
      serverType: 'MDM',
    });
    expect(await client.server('nobody')).toBeUndefined();
    const serial = apple.organisation.device(0).serialNumber;
    expect((await all(client.appleCare(serial))).flat()).toMatchObject([
      { description: 'Limited Warranty', status: 'INACTIVE', startDateTime: '2025-01-01T00:00:00.000Z' },
    ]);
    await expect(all(client.appleCare('STRANGER'))).rejects.toMatchObject({ code: 'ade.business.not_found' });
  });

  it('of Apple School Manager are the same, without audit events', async () => {
    const { client } = setting({ manager: 'school', count: 2 });
    expect((await all(client.devices())).flat()).toHaveLength(2);
    expect(codeOf(() => client.auditEvents({ start: new Date(0), end: new Date(1) }))).toBe('ade.business.not_there');
  });
});

describe('the portal and the device enrolment service', () => {
  it('are about the same devices: what is assigned by the API comes with the next sync', async () => {
    const enrolment = await enrolmentSetting({ count: 10, assigned: false });
    const { apple, client } = setting(
      {
        clock: enrolment.clock,
        organisation: enrolment.apple.organisation,
        onAssigned: (serials, server) =>
          server === null ? enrolment.apple.remove(serials) : enrolment.apple.restore(serials),
      },
      { clock: enrolment.clock, sleep: async (ms) => enrolment.clock.move(ms) },
    );
    const [first] = await all(enrolment.client.sync());
    expect(first!.devices).toEqual([]);
    const serials = [2, 3, 5].map((number) => apple.organisation.device(number).serialNumber);
    await client.finished((await client.assign(apple.servers[0]!.id, serials)).id);
    const [added] = await all(enrolment.client.sync(first!.next));
    expect(added!.devices.map((device) => [device.serial_number, device.op_type])).toEqual(
      serials.map((serial) => [serial, 'added']),
    );
    await client.finished((await client.unassign(apple.servers[0]!.id, serials.slice(0, 1))).id);
    const [deleted] = await all(enrolment.client.sync(added!.next));
    expect(deleted!.devices).toMatchObject([{ serial_number: serials[0], op_type: 'deleted' }]);
  });
});

describe('errors', () => {
  it('have a code for each status that Apple documents', async () => {
    const { apple, client } = setting({}, { retry: { attempts: 1 } });
    for (const [status, facts] of Object.entries(businessErrors)) {
      apple.respond(() =>
        Response.json({ errors: [{ code: 'SOME_CODE.X', detail: 'secret' }] }, { status: Number(status) }),
      );
      const error = await client.activity('x').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: `ade.business.${facts.code}`,
        kind: facts.kind,
        apple: { service: 'business', status: Number(status), code: 'SOME_CODE.X' },
      });
      expect(String(error)).not.toContain('secret');
    }
    const used = new Set(businessEndpoints.flatMap((endpoint) => endpoint.statuses));
    expect([...used].sort()).toEqual(Object.keys(businessErrors).map(Number).sort());
  });

  it('come from what is wrong', async () => {
    const { apple, client } = setting({ count: 1 });
    const server = apple.servers[0]!.id;
    await expect(client.assign('nobody', ['X'])).rejects.toMatchObject({
      code: 'ade.business.conflict',
      kind: 'conflict',
    });
    await expect(client.assign(server, ['STRANGER'])).rejects.toMatchObject({ code: 'ade.business.conflict' });
    await expect(client.assign(server, [])).rejects.toMatchObject({ code: 'ade.business.unprocessable' });
    await expect(client.activity('nobody')).rejects.toMatchObject({ code: 'ade.business.not_found' });
    await expect(all(client.serverDevices('nobody'))).rejects.toMatchObject({ code: 'ade.business.not_found' });
  });

  it('that pass are waited for', async () => {
    const { apple, client, waits } = setting();
    apple.respond(({ number }) =>
      number <= 2 ? new Response('', { status: 429, headers: { 'Retry-After': '20' } }) : undefined,
    );
    await all(client.servers());
    expect(waits).toEqual([20_000, 20_000]);
  });

  it('of the service’s own are no loop and no leak', async () => {
    const { apple, client } = setting();
    apple.respond(() => Response.json({ data: [], meta: { paging: { nextCursor: 'same' } } }));
    await expect(all(client.devices())).rejects.toMatchObject({ code: 'ade.business.cursor_loop' });
    apple.respond(() => Response.json({ data: {} }));
    await expect(client.activity('x')).rejects.toMatchObject({ code: 'ade.http.answer' });
    apple.respond(() => Response.json({ nothing: true }));
    await expect(all(client.devices())).rejects.toMatchObject({ code: 'ade.http.answer', at: { path: 'data' } });
  });
});

const refusal = (call: Promise<unknown>): Promise<string> => refused(() => call);

describe('servers of the organisation', () => {
  const certificate = Uint8Array.from(Buffer.from('MIIDXTCCAkWgAwIBAgIJALx0', 'base64'));

  it('are added, changed and deleted, but not while they have devices', async () => {
    const { client, apple } = setting({ count: 5 });
    const made = await client.createServer({
      serverName: 'Marketing',
      certificate,
      enableMdmDisownFlag: true,
      defaultProductFamilies: ['IPAD'],
    });
    expect(made).toMatchObject({
      ...{ serverName: 'Marketing', serverType: 'MDM', status: 'ACTIVE', deviceCount: 0, enableMdmDisownFlag: true },
      defaultProductFamilies: ['IPAD'],
    });
    expect(await client.server(made.id)).toEqual(made);
    const changed = await client.updateServer(made.id, { serverName: 'Sales', defaultProductFamilies: [] });
    expect(changed).toMatchObject({ id: made.id, serverName: 'Sales', enableMdmDisownFlag: true });
    expect(changed.defaultProductFamilies).toEqual([]);
    expect((await all(client.servers())).flat().map((server) => server.serverName)).toEqual([
      'Simulated server',
      'Sales',
    ]);
    const { serialNumber } = apple.organisation.device(1);
    expect(await client.assignedServerId(serialNumber)).toBe(undefined);
    await client.finished((await client.assign(made.id, [serialNumber])).id);
    expect(await client.assignedServerId(serialNumber)).toBe(made.id);
    expect((await client.server(made.id))?.deviceCount).toBe(1);
    expect(await refusal(client.deleteServer(made.id))).toBe('ade.business.conflict');
    await client.finished((await client.unassign(made.id, [serialNumber])).id);
    await client.deleteServer(made.id);
    expect(await client.server(made.id)).toBe(undefined);
    expect(await refusal(client.deleteServer(made.id))).toBe('ade.business.not_found');
    expect(await refusal(client.updateServer(made.id, { serverName: 'x' }))).toBe('ade.business.not_found');
  });

  it('that do not fit are refused, and nothing is added twice', async () => {
    const { client, apple } = setting();
    const server = { serverName: 'Marketing', certificate };
    expect(await refusal(client.createServer({ ...server, serverName: 'Simulated server' }))).toBe(
      'ade.business.conflict',
    );
    expect(await refusal(client.createServer({ ...server, defaultProductFamilies: ['PHONE'] }))).toBe(
      'ade.business.unprocessable',
    );
    apple.respond(({ number }) => (number === 1 ? new Response('', { status: 503 }) : undefined));
    expect(await refusal(client.createServer(server))).toMatch(/^ade\./);
    expect(apple.counters.get('POST /v1/mdmServers')).toBe(3);
    const school = setting({ manager: 'school' }).client;
    for (const call of [school.createServer(server), school.updateServer('x', {}), school.deleteServer('x')]) {
      expect(await refusal(call)).toBe('ade.business.not_there');
    }
  });
});
