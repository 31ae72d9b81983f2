// The push certificate's life: request, import, renewal with the same topic, the watch over its end, pushing with it.
import { createPrivateKey } from 'node:crypto';
import { createRootCa, issueIdentity, localSigner, oids, openCa, readCsr, toPem } from '@espalier/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PushIdentity } from '../src/index.ts';
import { bench, ScriptedDevice } from './support.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const TOPIC = 'com.apple.mgmt.External.test';
const OTHER = 'com.apple.mgmt.External.other';

/** Plays Apple's portal. */
let portal: Awaited<ReturnType<typeof openCa>>;
beforeAll(async () => {
  const clock = { now: () => START - DAY };
  portal = await openCa({
    ...(await createRootCa({ subject: 'CN=Portal', key: { type: 'rsa', bits: 2048 }, clock })),
    clock,
  });
});

const subjectOf = (topic: string) => [
  [{ type: oids.userId, value: topic }],
  [{ type: oids.commonName, value: `APSP:${topic.slice(-4)}` }],
];

async function issue(csr: Uint8Array, topic = TOPIC, validityDays = 365): Promise<Uint8Array> {
  const { publicKey } = readCsr(csr);
  const der = await portal.issue({ csr, publicKey, subject: subjectOf(topic), template: 'apns-client', validityDays });
  return new TextEncoder().encode(toPem(der));
}

const refusal = (code: string) => expect.objectContaining({ code: `core.push_certificate.${code}` });

describe('the push certificate', () => {
  it('is asked for, imported, and kept with its key sealed', async () => {
    const { engine, store, clock } = bench();
    expect(await engine.pushCertificates.get()).toBeNull();
    const { csr } = await engine.pushCertificates.request({
      commonName: 'Push',
      email: 'it@example.com',
      country: 'FI',
    });
    const request = readCsr(csr);
    expect(request.subjectCn).toBe('Push');
    expect(request.key).toMatchObject({ type: 'rsa', bits: 2048 });
    // The request that waits is the same one until another is wanted.
    expect((await engine.pushCertificates.request()).csr).toEqual(csr);
    const info = await engine.pushCertificates.import({ certificate: await issue(csr) });
    expect(info).toMatchObject({ topic: TOPIC, importedAt: clock.now() });
    expect(await engine.pushCertificates.get()).toEqual(info);
    expect((await engine.events.list({ order: 'oldest' })).items).toMatchObject([
      { type: 'push-certificate.requested' },
      { type: 'push-certificate.imported', data: { topic: TOPIC, replaces: null } },
    ]);
    const blob = await store.secrets.get('push-certificate', 'current');
    expect(Buffer.from(blob!).includes('privateKey')).toBe(false);
    // The key of a request is used once.
    expect((await engine.pushCertificates.request()).csr).not.toEqual(csr);
  });

  it('is refused when its key is another one, when it is none, and when it is not valid', async () => {
    const { engine, clock } = bench();
    const { csr } = await engine.pushCertificates.request();
    const certificate = await issue(csr);
    await engine.pushCertificates.request({ fresh: true });
    await expect(engine.pushCertificates.import({ certificate })).rejects.toEqual(refusal('key'));
    const next = (await engine.pushCertificates.request()).csr;
    await expect(engine.pushCertificates.import({ certificate: await issue(next, 'com.example.app') })).rejects.toEqual(
      refusal('topic'),
    );
    clock.advance(400 * DAY);
    await expect(engine.pushCertificates.import({ certificate: await issue(next) })).rejects.toEqual(refusal('dates'));
    await expect(engine.pushCertificates.import({ certificate: new Uint8Array([1, 2, 3]) })).rejects.toMatchObject({
      kind: 'invalid',
    });
    expect(await engine.pushCertificates.get()).toBeNull();
  });

  it('comes with its key from elsewhere', async () => {
    const { engine } = bench();
    const { certificate, privateKey } = await issueIdentity(portal, {
      subject: subjectOf(TOPIC),
      template: 'apns-client',
      validityDays: 365,
    });
    const file = { certificate: new TextEncoder().encode(toPem(certificate)) };
    await expect(engine.pushCertificates.import(file)).rejects.toEqual(refusal('key'));
    const key = new TextEncoder().encode(toPem(privateKey, 'PRIVATE KEY'));
    expect(await engine.pushCertificates.import({ ...file, privateKey: key })).toMatchObject({ topic: TOPIC });
    // Apple's portal also renews for the key that there is.
    const { publicKey } = localSigner(
      createPrivateKey(Buffer.from(key).toString()).export({ format: 'der', type: 'pkcs8' }),
    );
    const again = await portal.issue({
      publicKey,
      subject: subjectOf(TOPIC),
      template: 'apns-client',
      validityDays: 365,
    });
    const renewed = { certificate: new TextEncoder().encode(toPem(again)) };
    expect(await engine.pushCertificates.import(renewed)).toMatchObject({ topic: TOPIC });
  });

  it('keeps its topic when it is renewed, since devices would be lost', async () => {
    const { engine } = bench();
    const first = await engine.pushCertificates.request();
    await engine.pushCertificates.import({ certificate: await issue(first.csr) });
    const second = await engine.pushCertificates.request();
    const other = await issue(second.csr, OTHER);
    await expect(engine.pushCertificates.import({ certificate: other })).rejects.toEqual(refusal('other_topic'));
    expect((await engine.pushCertificates.get())?.topic).toBe(TOPIC);
    expect(await engine.pushCertificates.import({ certificate: other, replaceTopic: true })).toMatchObject({
      topic: OTHER,
    });
  });

  it('must have the topic of the devices that there are, even the first time', async () => {
    const { engine } = bench();
    await new ScriptedDevice(engine, 'U1').enrol();
    const { csr } = await engine.pushCertificates.request();
    await expect(engine.pushCertificates.import({ certificate: await issue(csr, OTHER) })).rejects.toEqual(
      refusal('other_topic'),
    );
    expect(await engine.pushCertificates.import({ certificate: await issue(csr) })).toMatchObject({ topic: TOPIC });
  });

  it('tells before it ends, once at each threshold, and again after a renewal', async () => {
    const { engine, clock } = bench();
    const { csr } = await engine.pushCertificates.request();
    const { notAfter } = await engine.pushCertificates.import({ certificate: await issue(csr, TOPIC, 60) });
    const told: [string, unknown][] = [];
    engine.events.subscribe(({ type, data }) => {
      if (/^push-certificate\.expir/.test(type)) told.push([type.slice(17), data['daysLeft']]);
    });
    const gauge = async () =>
      (await engine.metrics.collect()).find(({ name }) => name === 'espalier_push_certificate_expiry_seconds');
    expect(await gauge()).toMatchObject({ points: [{ value: (notAfter - clock.now()) / 1000 }] });
    for (let day = 0; day < 62; day++) {
      await engine.tick();
      await engine.tick();
      clock.advance(DAY);
    }
    expect(told.map(([type]) => type)).toEqual([...Array(5).fill('expiring'), 'expired']);
    expect(told.map(([, days]) => days)).toEqual([30, 14, 7, 3, 1, 0]);
    const renewal = await engine.pushCertificates.request();
    await engine.pushCertificates.import({ certificate: await issue(renewal.csr, TOPIC, 85) });
    await engine.tick();
    expect(told).toHaveLength(7);
    expect(told[6]?.[0]).toBe('expiring');
  });

  it('is used for pushes, and its successor in the place of it', async () => {
    const opened: PushIdentity[] = [];
    const log: string[] = [];
    const { engine, clock } = bench({
      openPush: (identity) => {
        const name = `client ${opened.push(identity)}`;
        return {
          push: async () => {
            log.push(name);
            return { outcome: 'delivered' };
          },
          close: async () => {
            log.push(`${name} closed`);
          },
        };
      },
    });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await engine.tick();
    expect((await engine.events.list({ type: 'push.failed' })).items).toMatchObject([
      { data: { reason: 'there is no push certificate' } },
    ]);
    const first = await engine.pushCertificates.request();
    await engine.pushCertificates.import({ certificate: await issue(first.csr) });
    clock.advance(15 * 60_000);
    await engine.tick();
    expect(log).toEqual(['client 1']);
    expect(opened[0]).toMatchObject({ topic: TOPIC, certificate: expect.stringContaining('BEGIN CERTIFICATE') });
    expect(createPrivateKey(opened[0]!.privateKey).asymmetricKeyType).toBe('rsa');
    const second = await engine.pushCertificates.request();
    await engine.pushCertificates.import({ certificate: await issue(second.csr) });
    clock.advance(60 * 60_000);
    await engine.tick();
    expect(log).toEqual(['client 1', 'client 1 closed', 'client 2']);
    // Under another topic Apple would call the token dead, so it is not asked.
    const third = await engine.pushCertificates.request();
    await engine.pushCertificates.import({ certificate: await issue(third.csr, OTHER), replaceTopic: true });
    clock.advance(DAY);
    await engine.tick();
    expect(log).toEqual(['client 1', 'client 1 closed', 'client 2', 'client 2 closed']);
    expect((await engine.devices.get('U1'))?.enrolment.pushable).toBe(true);
    await engine.stop();
    expect(log.at(-1)).toBe('client 3 closed');
  });
});
