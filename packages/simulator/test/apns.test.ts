// The simulated APNs with a real client, and devices that it wakes.
import { connect } from 'node:http2';
import { type ApnsClient, createApnsClient } from '@espalier/apple-mdm';
import { toPem } from '@espalier/pki';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createKeyPool,
  createSimulatedApns,
  createSimulatedDevice,
  type SimulatedApns,
  type SimulatedDevice,
} from '../src/index.ts';
import { startMdm, type TestMdm, topic } from './server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

const keyPool = createKeyPool();
const token = 'ab'.repeat(32);

interface World {
  readonly mdm: TestMdm;
  readonly apns: SimulatedApns;
  readonly client: ApnsClient;
  readonly pem: { readonly certificate: string; readonly privateKey: string };
  time: number;
}

async function world(): Promise<World> {
  const mdm = await startMdm({ tls: false });
  const result = { time: Date.UTC(2026, 0, 1) };
  const clock = { now: () => result.time };
  const apns = await createSimulatedApns({ ...mdm.serverPem, clientCa: toPem(mdm.root), clock });
  const pem = await mdm.pushPem(topic);
  const client = createApnsClient({ origin: apns.origin, topic, ...pem, ca: toPem(mdm.root), clock });
  open.push(client, apns, mdm);
  return Object.assign(result, { mdm, apns, client, pem });
}

async function enrolled({ mdm, apns }: World, seed = 1): Promise<SimulatedDevice> {
  const device = createSimulatedDevice({ kind: 'iPhone', seed, apns, keyPool });
  await device.enrol(`${mdm.url}/enrol`);
  return device;
}

const target = (device: SimulatedDevice) => ({ token: device.state().pushToken, pushMagic: device.state().pushMagic });

/** Waits until a push has reached the device and its session is over. */
async function awake(device: SimulatedDevice): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await device.settled();
}

describe('a push', () => {
  test('wakes the device, which polls', async () => {
    const all = await world();
    const phone = await enrolled(all);
    all.mdm.enqueue(phone.udid, { RequestType: 'ProfileList' });
    expect(await all.client.push(target(phone))).toMatchObject({ outcome: 'delivered' });
    await awake(phone);
    expect(all.mdm.results).toHaveLength(1);
    expect(all.apns.counters).toMatchObject({ received: 1, accepted: 1, delivered: 1, refused: 0, connections: 1 });
    expect(all.apns.pushes).toMatchObject([{ token: phone.state().pushToken, topic, mdm: phone.state().pushMagic }]);
  });

  test('with the wrong magic is no reason to poll', async () => {
    const all = await world();
    const phone = await enrolled(all);
    expect(await all.client.push({ ...target(phone), pushMagic: 'other' })).toMatchObject({ outcome: 'delivered' });
    await awake(phone);
    expect(all.mdm.messagesOf(phone.udid)).toHaveLength(2);
  });

  test('and another before the device has begun are one poll', async () => {
    const all = await world();
    const phone = await enrolled(all);
    const busy = phone.poll(); // both pushes arrive while this session runs
    await Promise.all([all.client.push(target(phone)), all.client.push(target(phone)), all.client.push(target(phone))]);
    await busy;
    await awake(phone);
    const idles = all.mdm.messagesOf(phone.udid).filter((message) => message['Status'] === 'Idle');
    expect(idles.length).toBeGreaterThanOrEqual(2);
    expect(idles.length).toBeLessThanOrEqual(4);
  });

  test('to an unknown token, a dead one and one of another topic is refused', async () => {
    const all = await world();
    expect(await all.client.push({ token, pushMagic: 'm' })).toMatchObject({
      outcome: 'token-dead',
      reason: 'BadDeviceToken',
    });
    const phone = await enrolled(all);
    const before = target(phone);
    await phone.checkOut();
    expect(await all.client.push(before)).toEqual({ outcome: 'token-dead', reason: 'Unregistered', since: all.time });
    all.apns.register({ token, topic: 'com.apple.mgmt.External.other', onPush: () => expect.unreachable() });
    expect(await all.client.push({ token, pushMagic: 'm' })).toMatchObject({
      outcome: 'token-dead',
      reason: 'DeviceTokenNotForTopic',
    });
  });

  test("to a topic that is not the certificate's is refused", async () => {
    const all = await world();
    expect(await all.client.push({ token, pushMagic: 'm', topic: 'com.apple.mgmt.x' })).toMatchObject({
      outcome: 'refused',
      reason: 'BadTopic',
    });
  });

  test('waits for a device that is away, until it expires', async () => {
    const all = await world();
    const phone = await enrolled(all);
    phone.close();
    await all.client.push(target(phone));
    await all.client.push(target(phone));
    expect(all.apns.counters).toMatchObject({ delivered: 0, stored: 2 });
    const { register } = all.apns;
    const heard: string[] = [];
    const registration = {
      token: target(phone).token,
      topic,
      onPush: (payload: { mdm: string }) => heard.push(payload.mdm),
    };
    register(registration);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([phone.state().pushMagic]); // of several, the last one
    all.apns.disconnect(registration.token);
    await all.client.push(target(phone));
    all.time += 8 * 86_400_000;
    register(registration);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toHaveLength(1);
  });

  test('reports what goes wrong in the session that it began', async () => {
    const all = await world();
    const phone = createSimulatedDevice({ kind: 'iPhone', seed: 5, apns: all.apns, keyPool, retry: { attempts: 1 } });
    await phone.enrol(`${all.mdm.url}/enrol`);
    all.mdm.intercept = () => ({ status: 500 });
    await all.client.push(target(phone));
    await expect(awake(phone)).rejects.toThrow(expect.objectContaining({ code: 'simulator.unreachable' }));
  });
});

describe('a script', () => {
  test('answers, resets, says GOAWAY, hangs up and loses', async () => {
    const all = await world();
    const phone = await enrolled(all);
    const script = [
      { status: 503, reason: 'ServiceUnavailable', retryAfter: 7 },
      { reset: true },
      { goaway: true },
      undefined, // the client sends that one again by itself
      { disconnect: true },
      { lost: true },
    ] as const;
    all.apns.respond((push) => script[push.number - 1]);
    const outcomes = [];
    for (let i = 0; i < 5; i++) outcomes.push(await all.client.push(target(phone)));
    expect(outcomes).toMatchObject([
      { outcome: 'retry', afterMs: 7000 },
      { outcome: 'retry', mayHaveBeenDelivered: true },
      { outcome: 'delivered' },
      { outcome: 'retry', mayHaveBeenDelivered: true },
      { outcome: 'delivered' },
    ]);
    await awake(phone);
    expect(all.apns.counters).toMatchObject({ received: 6, accepted: 2, delivered: 1 });
  });
});

// Reasons: Apple, "Handling notification responses from APNs".
describe('a request that is not in order', () => {
  const good = { ':method': 'POST', ':path': `/3/device/${token}`, 'apns-topic': topic, 'apns-push-type': 'mdm' };
  test.each<[string, Record<string, string>, string, number, string]>([
    ['another method', { ':method': 'PUT' }, '{"mdm":"m"}', 405, 'MethodNotAllowed'],
    ['another path', { ':path': '/4/device/ab' }, '{"mdm":"m"}', 404, 'BadPath'],
    ['no token', { ':path': '/3/device/' }, '{"mdm":"m"}', 400, 'MissingDeviceToken'],
    ['no hexadecimal token', { ':path': '/3/device/xyz' }, '{"mdm":"m"}', 400, 'BadDeviceToken'],
    ['no topic', { 'apns-topic': '' }, '{"mdm":"m"}', 400, 'MissingTopic'],
    ['another push type', { 'apns-push-type': 'alert' }, '{"mdm":"m"}', 400, 'InvalidPushType'],
    ['a bad expiration', { 'apns-expiration': 'soon' }, '{"mdm":"m"}', 400, 'BadExpirationDate'],
    ['a bad priority', { 'apns-priority': '11' }, '{"mdm":"m"}', 400, 'BadPriority'],
    ['a bad id', { 'apns-id': 'x' }, '{"mdm":"m"}', 400, 'BadMessageId'],
    ['no payload', {}, '', 400, 'PayloadEmpty'],
    ['a payload without magic', {}, '{"aps":{}}', 400, 'PayloadEmpty'],
    ['a payload that is too large', {}, `{"mdm":"${'m'.repeat(5000)}"}`, 413, 'PayloadTooLarge'],
  ])('for %s is refused', async (_name, headers, body, status, reason) => {
    const { apns, mdm, pem } = await world();
    const session = connect(apns.origin, { cert: pem.certificate, key: pem.privateKey, ca: toPem(mdm.root) });
    const stream = session.request({ ...good, ...headers });
    stream.end(body);
    const answer = await new Promise((resolve, reject) => {
      let text = '';
      let answered: unknown;
      stream.on('error', reject);
      stream.on('response', (response) => {
        answered = response[':status'];
      });
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      stream.on('end', () => resolve([answered, JSON.parse(text)]));
    });
    session.destroy();
    expect(answer).toEqual([status, { reason }]);
    expect(apns.counters).toMatchObject({ received: 1, accepted: 0, refused: 1 });
  });

  test('without a client certificate does not even get through', async () => {
    const { apns, mdm } = await world();
    const session = connect(apns.origin, { ca: toPem(mdm.root) });
    await new Promise<void>((resolve) => session.socket.once('error', () => resolve()));
    session.destroy();
    expect(apns.counters).toMatchObject({ received: 0 });
  });
});
