// A device against a server that is not ours: enrolment, sessions, and everything that goes wrong in between.
import { fingerprintSha256, readCertificate, toPem } from '@espalier/pki';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createFetchTransport,
  createKeyPool,
  createSimulatedDevice,
  type RequestEvent,
  randomFaults,
  restoreDevice,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
} from '../src/index.ts';
import { startMdm, type TestMdm, topic } from './server.ts';
import { has, opensslVerify, plistlib } from './tools.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

async function start(options: Parameters<typeof startMdm>[0] = {}): Promise<TestMdm> {
  const server = await startMdm(options);
  open.push(server);
  return server;
}

const keyPool = createKeyPool();
const pauses: number[] = [];

function device(server: TestMdm, options: Partial<SimulatedDeviceOptions> = {}): SimulatedDevice {
  const made = createSimulatedDevice({
    kind: 'iPhone',
    seed: 1,
    trustedRoots: [server.root],
    keyPool,
    sleep: async (ms) => {
      pauses.push(ms);
    },
    ...options,
  });
  open.unshift(made);
  return made;
}

async function enrolled(server: TestMdm, options: Partial<SimulatedDeviceOptions> = {}): Promise<SimulatedDevice> {
  const made = device(server, options);
  await made.enrol(`${server.url}/enrol`);
  return made;
}

const code = (expected: string) => expect.objectContaining({ name: 'SimulatorError', code: expected });

describe('an enrolment', () => {
  test('goes from the profile to TokenUpdate, over TLS, with the identity from SCEP', async () => {
    const server = await start();
    const phone = device(server);
    const { certificate, signer } = await phone.enrol(`${server.url}/enrol`);
    expect(phone.phase).toBe('enrolled');
    expect(signer).toMatchObject({ subject: 'CN=localhost', trusted: true });
    expect(server.issued()).toEqual([certificate]);
    expect(readCertificate(certificate).subject).toBe('CN=device,O=Example');
    expect(server.arrived.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /enrol',
      'GET /scep?operation=GetCACert',
      'GET /scep?operation=GetCACaps',
      'POST /scep?operation=PKIOperation',
      'PUT /checkin',
      'PUT /checkin',
    ]);
    const [authenticate, tokenUpdate] = server.arrived.slice(4);
    expect(authenticate!.headers).toMatchObject({
      'content-type': 'application/x-apple-aspen-mdm-checkin',
      'user-agent': 'MDM/1.0',
      'mdm-signature': expect.any(String),
    });
    expect(authenticate!.clientCertificate).toEqual(certificate);
    const state = phone.state();
    expect(authenticate!.message).toEqual({
      MessageType: 'Authenticate',
      UDID: phone.udid,
      SerialNumber: phone.serialNumber,
      Topic: topic,
      ProductName: state.productName,
      OSVersion: state.osVersion,
      BuildVersion: state.buildVersion,
      IMEI: state.imei,
      MEID: state.meid,
    });
    expect(tokenUpdate!.message).toEqual({
      MessageType: 'TokenUpdate',
      UDID: phone.udid,
      Topic: topic,
      Token: new Uint8Array(Buffer.from(state.pushToken, 'hex')),
      PushMagic: state.pushMagic,
      UnlockToken: new Uint8Array(Buffer.from(state.unlockToken, 'base64')),
      AwaitingConfiguration: false,
    });
  });

  test('signs so that openssl agrees, and writes what Python reads', {
    skip: !has('openssl', 'version') || !has('python3', '-c', 'import plistlib'),
  }, async () => {
    const server = await start();
    const phone = device(server);
    const { certificate } = await phone.enrol(`${server.url}/enrol`);
    await phone.poll();
    for (const { headers, body } of server.arrived.slice(4)) {
      const signature = Buffer.from(String(headers['mdm-signature']), 'base64');
      expect(opensslVerify(signature, body, server.root).trim()).toBe(toPem(certificate).trim());
      expect(plistlib(body)['UDID']).toBe(phone.udid);
    }
    expect(plistlib(server.arrived[5]!.body)).toMatchObject({
      MessageType: 'TokenUpdate',
      Token: Buffer.from(phone.state().pushToken, 'hex').toString('base64'),
    });
    const changed = Buffer.from(server.arrived[4]!.body);
    changed[100]! ^= 1;
    const signature = Buffer.from(String(server.arrived[4]!.headers['mdm-signature']), 'base64');
    expect(() => opensslVerify(signature, changed, server.root)).toThrow();
  });

  test('of a Mac and an Apple TV says what those say', async () => {
    const server = await start({ tls: false });
    const mac = await enrolled(server, { kind: 'Mac', seed: 2, model: 'Mac14,2', osVersion: '15.3' });
    const [authenticate, tokenUpdate] = server.messagesOf(mac.udid);
    expect(authenticate).toMatchObject({ Model: 'Mac14,2', ModelName: 'MacBook Air', DeviceName: expect.any(String) });
    expect(tokenUpdate).toMatchObject({ NotOnConsole: false });
    expect(tokenUpdate).not.toHaveProperty('UnlockToken');
    expect(server.arrived.at(-1)!.headers['user-agent']).toMatch(/^MDM-OSX\/1\.0 /);
    const tv = await enrolled(server, { kind: 'AppleTV', seed: 3 });
    expect(server.messagesOf(tv.udid)[0]).toMatchObject({ ProductName: expect.stringMatching(/^AppleTV/) });
  });

  test('works from bytes, signed or not, and without a signature on each message', async () => {
    const server = await start();
    const phone = device(server);
    const { signer } = await phone.enrol(server.profile({ SignMessage: false }));
    expect(signer).toBeUndefined();
    const last = server.arrived.at(-1)!;
    expect(last.headers['mdm-signature']).toBeUndefined();
    expect(fingerprintSha256(last.clientCertificate!)).toBe(fingerprintSha256(server.issued()[0]!));
  });

  test('knows a signer that it does not trust, and refuses a forged profile', async () => {
    const server = await start();
    const trusting = device(server, { trustedRoots: [server.root] });
    const signed = server.sign(server.profile());
    const forged = Uint8Array.from(signed);
    const at = Buffer.from(signed).indexOf('com.apple.mgmt');
    forged[at]! ^= 1;
    await expect(trusting.enrol(forged)).rejects.toThrow(code('simulator.signature'));
    expect(trusting.phase).toBe('none');
    const plain = await start({ tls: false });
    const { signer } = await device(plain, { trustedRoots: [] }).enrol(plain.sign(plain.profile()));
    expect(signer).toMatchObject({ trusted: false });
  });

  test('over TLS with an unknown root fails', async () => {
    const server = await start();
    const phone = device(server, { trustedRoots: [], retry: { attempts: 2 } });
    await expect(phone.enrol(`${server.url}/enrol`)).rejects.toThrow(code('simulator.unreachable'));
    expect(server.arrived).toEqual([]);
  });

  test('is undone when the server refuses it', async () => {
    const server = await start({ tls: false });
    const phone = device(server);
    server.intercept = ({ path }) => (path === '/checkin' ? { status: 403 } : undefined);
    await expect(phone.enrol(`${server.url}/enrol`)).rejects.toMatchObject({ code: 'simulator.refused', status: 403 });
    expect(phone.state()).toMatchObject({ phase: 'none', mdm: null, profiles: [], certificate: null });
    server.intercept = undefined;
    await phone.enrol(`${server.url}/enrol`);
    expect(phone.phase).toBe('enrolled');
  });

  test('with a challenge that was used is refused by SCEP', async () => {
    const server = await start({ tls: false });
    const profile = server.profile();
    await device(server, { seed: 1 }).enrol(profile);
    await expect(device(server, { seed: 2 }).enrol(profile)).rejects.toThrow(code('simulator.scep'));
  });

  test.each<[string, Uint8Array, string]>([
    ['no property list', new TextEncoder().encode('hello'), 'simulator.profile'],
    ['no profile', new TextEncoder().encode('<plist version="1.0"><dict/></plist>'), 'simulator.profile'],
    ['DER that is no CMS', Uint8Array.from([0x30, 0x01, 0x00]), 'simulator.signature'],
  ])('with %s fails', async (_name, bytes, expected) => {
    await expect(createSimulatedDevice({ kind: 'iPad' }).enrol(bytes)).rejects.toThrow(code(expected));
  });

  test('tries again after 5xx and broken connections, with growing pauses and the same SCEP transaction', async () => {
    const server = await start({ tls: false });
    const phone = device(server);
    pauses.length = 0;
    const seen = new Map<string, number>();
    server.intercept = ({ path, body }) => {
      const key = `${path} ${body.length}`;
      const times = (seen.get(key) ?? 0) + 1;
      seen.set(key, times);
      return times === 1 ? { status: 503 } : times === 2 ? 'hang-up' : undefined;
    };
    await phone.enrol(`${server.url}/enrol`);
    expect(phone.phase).toBe('enrolled');
    expect(server.issued()).toHaveLength(1);
    const posts = server.arrived.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(3);
    expect(new Set(posts.map(({ body }) => body.toString('base64'))).size).toBe(1);
    expect(pauses.length).toBeGreaterThanOrEqual(8);
    expect(pauses[1]!).toBeGreaterThan(pauses[0]!);
  });

  test('that was interrupted goes on after a restart of the process, with the same key and certificate', async () => {
    const server = await start({ tls: false });
    const phone = device(server, { retry: { attempts: 2 } });
    server.intercept = ({ path }) => (path === '/checkin' ? { status: 502 } : undefined);
    await expect(phone.enrol(`${server.url}/enrol`)).rejects.toThrow(code('simulator.unreachable'));
    expect(phone.phase).toBe('identity');
    const saved = JSON.parse(JSON.stringify(phone.state()));
    server.intercept = undefined;
    const restored = restoreDevice(saved, { keyPool });
    await restored.enrol(`${server.url}/enrol`);
    expect(restored.phase).toBe('enrolled');
    expect(server.issued()).toHaveLength(1);
    expect(server.arrived.filter(({ path }) => path === '/enrol')).toHaveLength(1);
    await restored.enrol('https://nowhere.invalid/'); // nothing to do any more
    expect(() => restoreDevice({} as never)).toThrow(code('simulator.state'));
  });

  test('whose answer to SCEP was lost gets the same certificate again, also after a restart', async () => {
    const server = await start({ tls: false });
    const phone = device(server, { retry: { attempts: 1 } });
    const fetch = async (request: Request): Promise<Response> => {
      const response = await globalThis.fetch(request);
      if (request.method === 'POST') throw new Error('the answer got lost');
      return response;
    };
    const unlucky = device(server, { retry: { attempts: 1 }, transport: createFetchTransport(fetch) });
    await expect(unlucky.enrol(`${server.url}/enrol`)).rejects.toThrow(code('simulator.unreachable'));
    expect(server.issued()).toHaveLength(1);
    const { certificate } = await restoreDevice(unlucky.state()).enrol(`${server.url}/enrol`);
    expect(server.issued()).toEqual([certificate]);
    expect(phone.phase).toBe('none');
  });
});

describe('a session', () => {
  test('asks, works and reports until there is no more', async () => {
    const server = await start();
    const phone = await enrolled(server);
    const first = server.enqueue(phone.udid, { RequestType: 'DeviceInformation', Queries: ['UDID', 'OSVersion'] });
    const second = server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    const result = await phone.poll();
    expect(result).toEqual({
      ended: 'idle',
      status: 200,
      commands: [
        { commandUuid: first, requestType: 'DeviceInformation', status: 'Acknowledged' },
        { commandUuid: second, requestType: 'ProfileList', status: 'Acknowledged' },
      ],
    });
    const [idle] = server.messagesOf(phone.udid).slice(2);
    expect(idle).toEqual({ Status: 'Idle', UDID: phone.udid });
    expect(server.results[0]!.value).toEqual({
      CommandUUID: first,
      QueryResponses: { UDID: phone.udid, OSVersion: phone.state().osVersion },
      Status: 'Acknowledged',
      UDID: phone.udid,
    });
    expect(server.arrived.at(-1)!.headers['content-type']).toBe('application/x-apple-aspen-mdm');
  });

  test('never overlaps another of the same device', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    for (let i = 0; i < 5; i++) server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    const results = await Promise.all([phone.poll(), phone.poll(), phone.poll()]);
    expect(results.map((result) => result.commands.length)).toEqual([5, 0, 0]);
    const statuses = server
      .messagesOf(phone.udid)
      .slice(2)
      .map((message) => message['Status']);
    expect(statuses).toEqual(['Idle', ...Array(5).fill('Acknowledged'), 'Idle', 'Idle']);
  });

  test('of a device that is not enrolled is an error', async () => {
    await expect(createSimulatedDevice({ kind: 'iPad' }).poll()).rejects.toThrow(code('simulator.not_enrolled'));
  });

  test.each([
    [401, undefined, 'unenrolled'],
    [
      403,
      '<plist version="1.0"><dict><key>code</key><string>com.apple.unrecognized.device</string></dict></plist>',
      'unenrolled',
    ],
    [403, undefined, 'refused'],
    [400, undefined, 'refused'],
    [200, 'garbage', 'garbage'],
  ] as const)('that is answered %s %s ends as %s', async (status, body, ended) => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    server.intercept = () => ({ status, ...(body === undefined ? {} : { body }) });
    expect(await phone.poll()).toMatchObject({ ended, status });
    expect(phone.phase).toBe(ended === 'unenrolled' ? 'unenrolled' : 'enrolled');
  });

  test('that never ends is ended', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server, { maxCommandsPerSession: 3 });
    for (let i = 0; i < 5; i++) server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    expect(await phone.poll()).toMatchObject({ ended: 'too-many' });
  });

  test('tries again through a restart of the server', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    const { port } = new URL(server.url);
    open.splice(open.indexOf(server), 1);
    await server.close();
    let again: TestMdm | undefined;
    const patient = restoreDevice(phone.state(), {
      sleep: async () => {
        again ??= await start({ tls: false, port: Number(port) });
      },
    });
    expect(await patient.poll()).toMatchObject({ ended: 'idle' });
    expect(again!.messagesOf(phone.udid)).toHaveLength(1);
  });

  test('is measured, request by request', async () => {
    const server = await start({ tls: false });
    const events: RequestEvent[] = [];
    let time = 0;
    const phone = await enrolled(server, { onRequest: (event) => events.push(event), stopwatch: () => (time += 5) });
    server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    await phone.poll();
    expect(events.map(({ kind, requestType }) => [kind, requestType])).toEqual([
      ['profile', undefined],
      ['scep', undefined],
      ['scep', undefined],
      ['scep', undefined],
      ['authenticate', undefined],
      ['token-update', undefined],
      ['idle', undefined],
      ['result', 'ProfileList'],
    ]);
    expect(events[4]).toMatchObject({ udid: phone.udid, status: 200, ms: 5, attempt: 1 });
  });
});

describe('leaving', () => {
  test('by the user tells the server, if the profile says so', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    expect(await phone.checkOut()).toEqual({ told: true });
    expect(server.messagesOf(phone.udid).at(-1)).toEqual({ MessageType: 'CheckOut', Topic: topic, UDID: phone.udid });
    expect(phone.phase).toBe('checked-out');
    await expect(phone.poll()).rejects.toThrow(code('simulator.not_enrolled'));
    const silent = device(server, { seed: 2 });
    await silent.enrol(server.profile({ CheckOutWhenRemoved: false }));
    expect(await silent.checkOut()).toEqual({ told: false });
  });

  test('leaves nothing behind, and a new enrolment has a new key and a new token', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    const before = phone.state();
    await phone.checkOut();
    expect(phone.state()).toMatchObject({ mdm: null, profiles: [], certificate: null, privateKey: null });
    await phone.enrol(`${server.url}/enrol`);
    const after = phone.state();
    expect(after.certificate).not.toBe(before.certificate);
    expect(after.pushToken).not.toBe(before.pushToken);
  });

  test('a new push token is told', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server);
    const before = phone.state().pushToken;
    await phone.updateToken({ newToken: true });
    expect(phone.state().pushToken).not.toBe(before);
    expect(server.messagesOf(phone.udid).at(-1)).toMatchObject({
      MessageType: 'TokenUpdate',
      Token: new Uint8Array(Buffer.from(phone.state().pushToken, 'hex')),
    });
  });
});

describe('faults', () => {
  const statuses = (server: TestMdm, udid: string) =>
    server.messagesOf(udid).map((message) => message['MessageType'] ?? message['Status']);

  test('drop a request or its answer, and the device sends again', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server, {
      faults: ({ kind }) =>
        kind === 'authenticate'
          ? { type: 'drop-response' }
          : kind === 'token-update'
            ? { type: 'drop-request' }
            : undefined,
    });
    expect(phone.phase).toBe('enrolled');
    expect(statuses(server, phone.udid)).toEqual(['Authenticate', 'Authenticate', 'TokenUpdate']);
  });

  test('duplicate and replay messages', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server, {
      faults: ({ kind }) =>
        kind === 'token-update' ? { type: 'duplicate' } : kind === 'idle' ? { type: 'replay' } : undefined,
    });
    await phone.poll();
    expect(statuses(server, phone.udid)).toEqual(['Authenticate', 'TokenUpdate', 'TokenUpdate', 'TokenUpdate', 'Idle']);
  });

  test('hold a result back, and send it in the end', async () => {
    const server = await start({ tls: false });
    const phone = await enrolled(server, {
      faults: ({ kind }) => (kind === 'result' ? { type: 'reorder' } : undefined),
    });
    server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    expect(await phone.poll()).toMatchObject({ ended: 'idle' });
    expect(statuses(server, phone.udid).slice(2)).toEqual(['Idle', 'Idle', 'Acknowledged', 'Acknowledged']);
  });

  test('by chance are the same for the same seed, and the device gets through', async () => {
    const run = async (): Promise<unknown[]> => {
      const server = await start({ tls: false });
      const shares = {
        dropRequest: 0.1,
        dropResponse: 0.1,
        duplicate: 0.1,
        replay: 0.1,
        reorder: 0.2,
        slow: { share: 0.1, ms: 3 },
      };
      const phone = await enrolled(server, { seed: 9, faults: randomFaults(shares) });
      for (let i = 0; i < 20; i++) server.enqueue(phone.udid, { RequestType: 'SecurityInfo' });
      expect(await phone.poll()).toMatchObject({ ended: 'idle' });
      expect(new Set(server.results.map((result) => result.commandUuid)).size).toBe(20);
      return statuses(server, phone.udid);
    };
    const first = await run();
    expect(first.length).toBeGreaterThan(24);
    expect(await run()).toEqual(first);
  });
});
