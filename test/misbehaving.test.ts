// Devices that misbehave, one way at a time: what the host answers, what it notes, and that all ends as it should.
import type { EngineEvent } from '@espalier/core';
import { createRootCa, readCertificate, signCms } from '@espalier/pki';
import { encodeBinary, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import {
  createKeyPool,
  createSimulatedDevice,
  type DeviceRequest,
  type Fault,
  type RequestEvent,
  type Step,
} from '@espalier/simulator';
import { beforeAll, describe, expect, test } from 'vitest';
import { type World, world } from '../packages/host/test/world.ts';

const keyPool = createKeyPool();
type Kind = Step['kind'];
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const without = (message: PlistDict, key: string): PlistDict =>
  Object.fromEntries(Object.entries(message).filter(([name]) => name !== key));

const lie = (change: (message: PlistDict) => PlistInput | Uint8Array): Fault => ({ type: 'lie', change });
const says = (more: { readonly [key: string]: PlistInput }): Fault => lie((message) => ({ ...message, ...more }));
const lacks = (key: string): Fault => lie((message) => without(message, key));
const corrupt = (change: Extract<Fault, { type: 'corrupt' }>['change']): Fault => ({ type: 'corrupt', change });
const header = (name: string, value: string | undefined): Fault =>
  corrupt((request) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([key]) => key !== name));
    return { ...request, headers: value === undefined ? headers : { ...headers, [name]: value } };
  });
const xml = (inside: string): Uint8Array => text(`<?xml version="1.0"?>${inside}`);

let strange: { certificate: Uint8Array; privateKey: Uint8Array };
beforeAll(async () => {
  strange = await createRootCa({ subject: 'CN=Stranger', key: { type: 'ec', curve: 'P-256' }, clock: Date });
});
const stranger = (body: Uint8Array): string =>
  Buffer.from(signCms(body, { ...strange, detached: true })).toString('base64');

interface Scenario {
  /** The message that it happens to; the first of its kind. */
  readonly at: Kind;
  readonly fault: Fault;
  /** The status of the first request of that kind: what misbehaving is answered with. */
  readonly first: number;
  /** What the log has of it: the code of the refusal. Nothing else is stored of what comes through no door. */
  readonly code?: string;
  /** What the event log has of it. */
  readonly event?: string;
  /** What becomes of the command (default: it is acknowledged, once). */
  readonly ends?: readonly string[];
}

/** One way of misbehaving each. */
const scenarios: { readonly [name: string]: Scenario } = {
  'no signature': { first: 401, code: 'host.identity.missing', at: 'idle', fault: header('Mdm-Signature', undefined) },
  'a signature that is none': {
    first: 401,
    code: 'host.identity.bad_signature',
    at: 'idle',
    fault: header('Mdm-Signature', 'nonsense'),
  },
  'a signature of another body': {
    first: 401,
    code: 'host.identity.bad_signature',
    at: 'idle',
    fault: corrupt((r) => ({ ...r, body: encodeXml({ Status: 'Idle', UDID: 'ONE', More: true }) })),
  },
  'a signature by a stranger': {
    first: 401,
    code: 'host.identity.untrusted',
    at: 'idle',
    fault: corrupt((r) => ({ ...r, headers: { ...r.headers, 'Mdm-Signature': stranger(r.body!) } })),
  },
  'half of the body': {
    first: 401,
    code: 'host.identity.bad_signature',
    at: 'idle',
    fault: corrupt((r) => ({ ...r, body: r.body!.subarray(0, r.body!.length >> 1) })),
  },
  'half of the body, signed': {
    first: 400,
    code: 'mdm.not_plist',
    at: 'idle',
    fault: lie((m) => {
      const b = encodeXml(m);
      return b.subarray(0, b.length >> 1);
    }),
  },
  nothing: { first: 400, code: 'mdm.not_plist', at: 'idle', fault: lie(() => new Uint8Array()) },
  zeros: { first: 400, code: 'mdm.not_plist', at: 'idle', fault: lie(() => new Uint8Array(64)) },
  JSON: { first: 400, code: 'mdm.not_plist', at: 'idle', fault: lie((m) => text(JSON.stringify(m))) },
  'a list': { first: 400, code: 'mdm.not_plist', at: 'idle', fault: lie((m) => [m]) },
  'a binary property list': { first: 200, at: 'idle', fault: lie((m) => encodeBinary(m)) },
  'more than a message may be': {
    first: 413,
    code: 'host.body.too_large',
    at: 'idle',
    fault: lie(() => new Uint8Array(9 * 1024 * 1024)),
  },
  'a thousand levels': {
    first: 400,
    code: 'mdm.too_complex',
    at: 'idle',
    fault: lie(() => xml(`<plist>${'<array>'.repeat(1000)}${'</array>'.repeat(1000)}</plist>`)),
  },
  'entities that multiply': {
    first: 400,
    code: 'mdm.not_plist',
    at: 'idle',
    fault: lie(() =>
      xml(
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><dict><key>UDID</key><string>&b;</string></dict></plist>',
      ),
    ),
  },
  'an entity from a file': {
    first: 400,
    code: 'mdm.not_plist',
    at: 'idle',
    fault: lie(() =>
      xml(
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><plist><dict><key>UDID</key><string>&a;</string></dict></plist>',
      ),
    ),
  },
  'the same key twice': {
    first: 400,
    code: 'mdm.not_plist',
    at: 'idle',
    fault: lie(() =>
      xml(
        '<plist><dict><key>UDID</key><string>OTHER</string><key>UDID</key><string>ONE</string><key>Status</key><string>Idle</string></dict></plist>',
      ),
    ),
  },
  'a wrong content type': { first: 200, at: 'idle', fault: header('content-type', 'text/html') },
  'no content type': { first: 200, at: 'idle', fault: header('content-type', undefined) },
  'a wrong method': { first: 200, at: 'idle', fault: corrupt((r) => ({ ...r, method: 'POST' })) },
  'a wrong address': {
    first: 404,
    code: 'host.route.unknown',
    at: 'idle',
    fault: corrupt((r) => ({ ...r, url: `${r.url}/../nowhere` })),
  },
  'a poll at the check-in address': {
    first: 400,
    code: 'mdm.checkin.missing_key',
    at: 'idle',
    fault: corrupt((r) => ({ ...r, url: r.url.replace('connect', 'checkin') })),
  },
  "another device's UDID": {
    first: 403,
    code: 'core.enrolment.identity_mismatch',
    event: 'enrolment.identity-refused',
    at: 'idle',
    fault: says({ UDID: 'OTHER' }),
  },
  'a UDID that nobody has': { first: 403, code: 'core.enrolment.unknown', at: 'idle', fault: says({ UDID: 'NOBODY' }) },
  'no UDID': { first: 400, code: 'mdm.enrolment.unidentified', at: 'idle', fault: lacks('UDID') },
  'a UDID that is a number': { first: 400, code: 'mdm.response.bad_key', at: 'idle', fault: says({ UDID: 1 }) },
  'a UDID of a million characters': {
    first: 403,
    code: 'core.enrolment.unknown',
    at: 'idle',
    fault: says({ UDID: 'x'.repeat(1_000_000) }),
  },
  'a user that there is not': {
    first: 403,
    code: 'core.enrolment.unknown',
    at: 'idle',
    fault: says({ UserID: 'U', UserShortName: 'u' }),
  },
  'an enrolment ID beside the UDID': { first: 200, at: 'idle', fault: says({ EnrollmentID: 'E' }) },
  'keys that pollute prototypes': {
    first: 200,
    at: 'idle',
    fault: lie((m) => ({ ...m, constructor: { prototype: { polluted: true } }, ['__proto__']: { polluted: true } })),
  },
  'a status that there is not': {
    first: 400,
    code: 'mdm.response.unknown_status',
    at: 'idle',
    fault: says({ Status: 'Perhaps' }),
  },
  'no status': { first: 400, code: 'mdm.response.missing_key', at: 'idle', fault: lacks('Status') },
  'a poll that is lost': { first: 200, at: 'idle', fault: { type: 'drop-request' } },
  'a poll whose answer is lost': { first: 200, at: 'idle', fault: { type: 'drop-response' } },
  'a poll that arrives twice': { first: 200, at: 'idle', fault: { type: 'duplicate' } },
  'a result that is lost': { first: 200, at: 'result', fault: { type: 'drop-request' } },
  'a result whose answer is lost': { first: 200, at: 'result', fault: { type: 'drop-response' } },
  'a result that arrives twice': { first: 200, at: 'result', fault: { type: 'duplicate' } },
  'a result that arrives late': { first: 200, at: 'result', fault: { type: 'reorder' } },
  'an earlier message before the result': { first: 200, at: 'result', fault: { type: 'replay' } },
  'a result of a command that there is not': {
    first: 200,
    event: 'command.unknown-response',
    at: 'result',
    fault: says({ CommandUUID: 'nobody' }),
  },
  'a result without its command': {
    first: 400,
    code: 'mdm.response.missing_key',
    at: 'result',
    fault: lacks('CommandUUID'),
  },
  'a result in the name of another device': {
    first: 403,
    code: 'core.enrolment.identity_mismatch',
    event: 'enrolment.identity-refused',
    at: 'result',
    fault: says({ UDID: 'OTHER' }),
  },
  'a poll in place of the result': { first: 200, at: 'result', fault: says({ Status: 'Idle' }) },
  'first not now, then the result': {
    first: 200,
    event: 'command.not-now',
    ends: ['command.not-now', 'command.acknowledged'],
    at: 'result',
    fault: says({ Status: 'NotNow' }),
  },
  'first an error, then the result': {
    first: 200,
    event: 'command.failed',
    ends: ['command.failed'],
    at: 'result',
    fault: says({ Status: 'Error', ErrorChain: [{ ErrorCode: 1, ErrorDomain: 'x', LocalizedDescription: 'x' }] }),
  },
  'a format error, then the result': {
    first: 200,
    event: 'command.failed',
    ends: ['command.failed'],
    at: 'result',
    fault: lie((m) => ({ UDID: 'ONE', CommandUUID: m['CommandUUID']!, Status: 'CommandFormatError' })),
  },
  'an error chain of nonsense': {
    first: 400,
    code: 'mdm.response.bad_key',
    at: 'result',
    fault: says({ Status: 'Error', ErrorChain: 'x' }),
  },
  'a list where there is none': { first: 200, at: 'result', fault: says({ ProfileList: 'x' }) },
  'Authenticate that is lost': { first: 200, at: 'authenticate', fault: { type: 'drop-request' } },
  'Authenticate whose answer is lost': { first: 200, at: 'authenticate', fault: { type: 'drop-response' } },
  'Authenticate twice': { first: 200, at: 'authenticate', fault: { type: 'duplicate' } },
  'TokenUpdate before Authenticate': {
    first: 403,
    code: 'core.enrolment.unknown',
    at: 'authenticate',
    fault: lie((m) => ({
      MessageType: 'TokenUpdate',
      Topic: m['Topic']!,
      UDID: 'ONE',
      Token: new Uint8Array(32),
      PushMagic: 'x',
    })),
  },
  'Authenticate for another topic': {
    first: 200,
    at: 'authenticate',
    fault: says({ Topic: 'com.apple.mgmt.External.other' }),
  },
  "TokenUpdate with another device's UDID": {
    first: 403,
    code: 'core.enrolment.identity_mismatch',
    event: 'enrolment.identity-refused',
    at: 'token-update',
    fault: says({ UDID: 'OTHER' }),
  },
  'a check-in that there is not': {
    first: 400,
    code: 'mdm.checkin.unknown_type',
    at: 'authenticate',
    fault: says({ MessageType: 'Surprise' }),
  },
  'TokenUpdate whose answer is lost': { first: 200, at: 'token-update', fault: { type: 'drop-response' } },
  'TokenUpdate twice': { first: 200, at: 'token-update', fault: { type: 'duplicate' } },
  'TokenUpdate after its Authenticate again': { first: 200, at: 'token-update', fault: { type: 'replay' } },
  'a token that is no data': {
    first: 400,
    code: 'mdm.checkin.bad_key',
    at: 'token-update',
    fault: says({ Token: 'x' }),
  },
  'no push magic': { first: 400, code: 'mdm.checkin.missing_key', at: 'token-update', fault: lacks('PushMagic') },
  'CheckOut whose answer is lost': { first: 200, at: 'check-out', fault: { type: 'drop-response' } },
  'CheckOut of another device': {
    first: 403,
    code: 'core.enrolment.identity_mismatch',
    event: 'enrolment.identity-refused',
    at: 'check-out',
    fault: says({ UDID: 'OTHER' }),
  },
};

/** Two devices enrol and work, of which one misbehaves once. */
async function play(scenario: Scenario, prepare: (to: World) => void = () => {}) {
  const to = await world();
  prepare(to);
  const requests: RequestEvent[] = [];
  let done = false;
  const common = {
    keyPool,
    clock: to.clock,
    sleep: async () => {},
    fetch: (request: Request) => to.host.fetch(request, { remoteAddress: '192.0.2.10' }),
  };
  const invite = async (): Promise<string> => {
    const answer = await to.api('POST', '/invitations', {});
    return ((await answer.json()) as { url: string }).url;
  };
  const other = createSimulatedDevice({ ...common, kind: 'iPad', seed: 'other', udid: 'OTHER' });
  await other.enrol(await invite());
  await other.poll();
  const device = createSimulatedDevice({
    ...common,
    kind: 'iPhone',
    seed: 'one',
    udid: 'ONE',
    onRequest: (event) => requests.push(event),
    faults: ({ kind }) => {
      if (done || kind !== scenario.at) return undefined;
      done = true;
      return scenario.fault;
    },
  });
  await device.enrol(await invite());
  const { commandUuid } = await to.engine.commands.enqueue(
    { enrolmentIds: ['ONE'] },
    'ProfileList',
    {},
    { priority: 100 },
  );
  await device.poll();
  const last = await device.poll();
  if (scenario.at === 'check-out') await device.checkOut();
  const { items } = await to.engine.events.list({ limit: 500 });
  const events: readonly EngineEvent[] = items;
  return { to, device, other, commandUuid, events, requests, last };
}

describe('a device sends', () => {
  test.each(Object.entries(scenarios))('%s', async (_name, scenario) => {
    const { to, device, other, commandUuid, events, requests, last } = await play(scenario);
    expect(requests.find(({ kind }) => kind === scenario.at)?.status).toBe(scenario.first);
    const codes = to.lines.flatMap(({ fields }) => fields['code'] ?? []);
    expect(codes).toEqual(scenario.code === undefined ? [] : [scenario.code]);
    if (scenario.event !== undefined) expect(events.map(({ type }) => type)).toContain(scenario.event);
    const ofCommand = events.filter(({ data }) => data['commandUuid'] === commandUuid).map(({ type }) => type);
    expect(ofCommand.toReversed()).toEqual(['command.queued', ...(scenario.ends ?? ['command.acknowledged'])]);
    // The device is where it would be without all that, and has nothing left to do …
    const state = scenario.at === 'check-out' ? 'checked-out' : 'enrolled';
    expect([device.phase, last.ended]).toEqual([state, 'idle']);
    expect(await to.engine.devices.get('ONE')).toMatchObject({
      enrolment: { id: 'ONE', status: scenario.at === 'check-out' ? 'checked-out' : 'active' },
    });
    // … and the other device has not noticed.
    expect(await to.engine.devices.get('OTHER')).toMatchObject({ enrolment: { id: 'OTHER', status: 'active' } });
    expect(await other.poll()).toMatchObject({ ended: 'idle' });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('with a certificate that has ended: it may still fetch its renewal, no more, and is turned away after that', async () => {
    const { to, device, requests } = await play({ at: 'idle', fault: { type: 'slow', ms: 1 }, first: 200 });
    const { notAfter } = readCertificate(Buffer.from(device.state().certificate!, 'base64'));
    to.clock.advance(notAfter.getTime() - to.clock.now() + 86_400_000);
    expect(await device.poll()).toMatchObject({ ended: 'idle', status: 200 });
    await expect(device.updateToken()).rejects.toMatchObject({ code: 'simulator.refused', status: 403 });
    expect(to.lines.at(-1)?.fields['code']).toBe('core.enrolment.certificate_expired');
    to.clock.advance(10 * 365 * 86_400_000);
    expect(await device.poll()).toMatchObject({ ended: 'unenrolled', status: 401 });
    expect(to.lines.at(-1)?.fields['code']).toBe('host.identity.untrusted');
    expect(device.phase).toBe('unenrolled');
    expect((await to.engine.devices.get('ONE'))?.enrolment.status).toBe('active');
    expect(requests.at(-1)?.kind).toBe('idle');
  });

  test('ten polls at once: each is answered, and the command is done once', async () => {
    let storm: Promise<unknown> = Promise.resolve();
    const flood: Fault = corrupt((request) => {
      storm = Promise.all(Array.from({ length: 10 }, () => flooding!(request)));
      return request;
    });
    let flooding: ((request: DeviceRequest) => Promise<number>) | undefined;
    const { commandUuid, events, last } = await play({ at: 'idle', fault: flood, first: 200 }, (to) => {
      flooding = async ({ url, method, headers, body }) =>
        (await to.host.fetch(new Request(url, { method, headers, body: Uint8Array.from(body!) }), {})).status;
    });
    expect(await storm).toEqual(Array<number>(10).fill(200));
    expect(last.ended).toBe('idle');
    const ofCommand = events.filter(({ data }) => data['commandUuid'] === commandUuid).map(({ type }) => type);
    expect(ofCommand).toEqual(['command.acknowledged', 'command.queued']);
  });
});
