// What the server keeps for the world outside (webhooks' secrets and cursors, the push certificate, migrated pins), on SQLite:
// over a restart, and over a change of the master key.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApnsClient } from '@espalier/apple-mdm';
import { createEngine, createKeyRing, type KeyRing, type PushIdentity, type Store } from '@espalier/core';
import { createWebhooks, signWebhook } from '@espalier/host';
import { createRootCa, issueIdentity, oids, openCa, toPem } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'outside-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOPIC = 'com.apple.mgmt.External.outside';
const start = Date.UTC(2026, 0, 1);
const clock = { now: () => start };
const older = { id: 'older', key: new Uint8Array(32).fill(1) };
const newer = { id: 'newer', key: new Uint8Array(32).fill(2) };

function server(store: Store, keys: KeyRing) {
  const opened: PushIdentity[] = [];
  const sent: { id: string; timestamp: number; body: string; signature: string }[] = [];
  const engine = createEngine({
    store,
    keys,
    clock,
    openPush: (identity) => {
      opened.push(identity);
      createApnsClient(identity); // takes the pair as it is
      return { push: async () => ({ outcome: 'delivered' }), close: async () => {} };
    },
  });
  const receive = (async (_url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    sent.push({
      id: headers.get('webhook-id') ?? '',
      timestamp: Number(headers.get('webhook-timestamp')),
      body: String(init.body),
      signature: headers.get('webhook-signature') ?? '',
    });
    return new Response(null, { status: 204 });
  }) as typeof fetch;
  return { engine, opened, sent, webhooks: createWebhooks({ engine, store, keys, fetch: receive }) };
}

test('webhooks, the push certificate and told certificates outlive the process and the master key', async () => {
  const file = join(folder, 'espalier.sqlite');
  const ca = await openCa({
    ...(await createRootCa({ subject: 'CN=Portal', key: { type: 'ec', curve: 'P-256' }, clock })),
    clock,
  });
  const pair = await issueIdentity(ca, {
    subject: [[{ type: oids.userId, value: TOPIC }], [{ type: oids.commonName, value: 'APSP:outside' }]],
    template: 'apns-client',
    validityDays: 30,
  });
  const bytes = (pem: string) => new TextEncoder().encode(pem);

  let store = openSqliteStore(file);
  const first = server(store, createKeyRing({ current: older }));
  const { secret } = await first.webhooks.create({ url: 'https://hooks.example.com/', types: ['enrolment.*'] });
  await first.engine.pushCertificates.import({
    certificate: bytes(toPem(pair.certificate)),
    privateKey: bytes(toPem(pair.privateKey, 'PRIVATE KEY')),
  });
  await first.engine.migration.associate([{ enrolmentId: 'OLD-1', fingerprint: 'ab'.repeat(32) }]);
  await store.close();

  // The master key changes, and the earlier one goes.
  store = openSqliteStore(file);
  const between = server(store, createKeyRing({ current: newer, earlier: [older] }));
  expect(await between.engine.rewrap()).toBeGreaterThanOrEqual(4);
  await store.close();

  store = openSqliteStore(file);
  const last = server(store, createKeyRing({ current: newer }));
  const message = (type: string, more: object) =>
    encodeXml({ MessageType: type, UDID: 'OLD-1', Topic: TOPIC, ...more });
  await last.engine.migration.checkin(message('Authenticate', { SerialNumber: 'S1' }));
  await last.engine.migration.checkin(message('TokenUpdate', { Token: new Uint8Array(32), PushMagic: 'magic' }));
  await last.engine.tick();
  expect(last.opened).toMatchObject([{ topic: TOPIC }]);
  expect((await last.engine.events.list({ type: 'push.sent' })).items).toHaveLength(1);
  expect((await last.engine.events.list({ type: 'push-certificate.expiring' })).items).toMatchObject([
    { data: { topic: TOPIC } },
  ]);
  expect(await last.webhooks.run()).toBeGreaterThan(0);
  expect(last.sent.map(({ body }) => JSON.parse(body).type)).toEqual(['enrolment.authenticated', 'enrolment.active']);
  for (const { signature, ...rest } of last.sent) expect(signature).toBe(signWebhook(rest, secret));
  expect(await last.webhooks.run()).toBe(0);
  await last.engine.stop();
  await store.close();
});
