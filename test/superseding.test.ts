// A user who signs in again, on each store: the record before is found by the account, and linked (ABM-28).
import { createMemoryStore, type PushResult, type Store } from '@espalier/core';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { migratePostgres, openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bench, identity } from '../packages/core/test/support.ts';
import { postgresMissing, startPostgres, type TemporaryPostgres } from '../packages/search/test/postgres.ts';

const missing = postgresMissing();
if (missing !== null) console.warn(`PostgreSQL is left out: ${missing}`);
let postgres: TemporaryPostgres | null = null;

beforeAll(async () => {
  if (missing === null) postgres = await startPostgres();
}, 60_000);
afterAll(async () => {
  await postgres?.close();
});

async function scenario(store: Store): Promise<void> {
  const dead = new Set<string>();
  const push = {
    async push({ token }: { readonly token: Uint8Array }): Promise<PushResult> {
      const gone = dead.has(new TextDecoder().decode(token));
      return gone ? { outcome: 'token-dead', reason: 'Unregistered' } : { outcome: 'delivered' };
    },
  };
  const { engine, clock } = bench({ store, push });
  const say = (id: string, message: Record<string, PlistInput>) =>
    engine.protocol.checkin(encodeXml({ EnrollmentID: id, Topic: 't', ...message }), identity(id));
  const enrol = async (id: string, account: string) => {
    clock.advance(60_000);
    await say(id, { MessageType: 'Authenticate', ProductName: 'iPhone15,2', OSVersion: '18.0' });
    await say(id, { MessageType: 'TokenUpdate', Token: new TextEncoder().encode(id), PushMagic: 'm' });
    await engine.devices.learn(id, { 'ios.managed_apple_id': account });
  };
  await engine.tick();
  for (let i = 0; i < 5; i++) await enrol(`OTHER${i}`, `other${i}@example.com`);
  // What a search must not take for anything but a text.
  const account = 'o"b\\ob%_\' OR 1=1@example.com';
  await enrol('A', account);
  dead.add('A');
  await enrol('B', account.toUpperCase());
  clock.advance(86_400_000);
  await engine.tick();
  const found = await engine.devices.list({ expression: '"ios.superseded_by" is not null' });
  expect(found.items.map(({ enrolment, facts }) => [enrolment.id, facts['ios.superseded_by']])).toEqual([['A', 'B']]);
  await store.close();
}

test('in memory', () => scenario(createMemoryStore()));

test('on SQLite', () => scenario(openSqliteStore(':memory:')));

test.skipIf(missing !== null)('on PostgreSQL', async () => {
  const { host, port } = postgres!.client;
  const url = `postgres://search:search@${host}:${port}/postgres`;
  await migratePostgres(url);
  await scenario(await openPostgresStore(url, { maxConnections: 2 }));
});
