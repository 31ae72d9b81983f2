// Query plans: no statement that a device waits for, and none of the background work, scans a table.
import { expect, it } from 'vitest';
import { Database } from '../src/database.ts';
import { migrate } from '../src/migrate.ts';
import { storeOver } from '../src/store.ts';
import { backoff, command, enrol, T0 } from './support.ts';

/** What may be scanned: temporary tables of targets, lists passed in, and the places where everything is asked for. */
const allowed = [
  /^SCAN (t|targets|chosen|temp\.targets|json_each)\b/,
  /VIRTUAL TABLE/,
  // Partial indexes that hold only the few rows in question.
  // One row: an aggregate.
  /^SCAN [dw]$/,
  /USING INDEX (pending_used_up|enrolments_without_inventory)$/,
  /^SCAN CONSTANT ROW/,
  /^SCAN \(subquery-\d+\)/,
];

const details = (db: Database, sql: string): string[] => {
  const marks =
    (sql.match(/\?(?!\d)/g) ?? []).length || Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map((m) => Number(m[1])));
  return db
    .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...Array.from({ length: marks }, () => null))
    .map((row) => row.detail);
};

it('the hot statements search by index', async () => {
  const db = new Database(':memory:', { durability: 'normal', busyTimeoutMs: 100 });
  migrate(db);
  const store = storeOver(db);
  const before = new Set(db.statementTexts);
  for (const id of ['A', 'B']) await enrol(store, id);
  await store.queue.enqueue({
    commands: [
      command('c1', { followUp: true }),
      command('c2', { dedupeKey: 'k', onDuplicate: 'keep' }),
      command('c3', { dedupeKey: 'k' }),
    ],
    enrolmentIds: ['A', 'B'],
    at: T0,
    events: [],
  });
  const poll = (commandUuid?: string, status: 'acknowledged' | 'not-now' | 'error' = 'acknowledged') =>
    store.queue.poll({
      enrolmentId: 'A',
      certificateFingerprint: 'A',
      at: T0,
      backoff,
      ...(commandUuid === undefined
        ? {}
        : { result: { commandUuid, status, response: null, errorChain: [], event: null } }),
    });
  await poll();
  await poll('c1');
  await poll('c1');
  await poll('c3', 'not-now');
  await poll('nothing');
  await store.queue.end({ enrolmentIds: ['B'], commandUuid: 'c1', state: 'cancelled', at: T0 });
  await store.queue.requeue({ enrolmentId: 'B', commandUuid: 'c1', at: T0 });
  await store.queue.sweep({ at: T0, limit: 10 });
  await store.queue.prune({ before: T0 + 1, limit: 10 });
  await store.queue.followUps({ before: T0, limit: 10 });
  await store.queue.followUpDone('A', 'c1');
  await store.queue.list('A', { limit: 10 });
  await store.queue.list('A', { limit: 10, pendingOnly: true });
  await store.queue.get('A', 'c3');
  await store.push.claim({ lease: 'l', at: T0, leaseMs: 1, limit: 10 });
  await store.push.settle({ at: T0, settlements: [{ enrolmentId: 'A', lease: 'l', outcome: 'sent', dueAt: T0 }] });
  await store.push.nextDueAt();
  await store.enrolments.verify({ id: 'A', certificateFingerprint: 'A', at: T0 });
  await store.enrolments.withoutInventory({ dedupeKey: 'k', limit: 10 });
  await store.certificates.findTransaction('t', 'k');
  await store.certificates.findChallenge('h', T0);
  await store.certificates.findBySerial('01', 'ca');
  const due = { at: T0, windowMs: 1, endsAfter: 0, retryBefore: 0, limit: 10 };
  await store.certificates.dueForRenewal(due);
  await store.certificates.dueOnDevices({ ...due, credentialId: 'configuration:c' });
  await store.certificates.untold({ at: T0, limit: 10 });
  await store.certificates.settleOnDevice({ deviceId: 'A', credentialId: 'configuration:c', installed: true });
  await store.certificates.expire({ at: T0, limit: 10 });
  await store.certificates.purge({ before: T0, limit: 10 });
  await store.enrolments.adopt({ id: 'A', certificateFingerprint: 'x', at: T0, events: [] });
  await store.scepRequests.find('t', 'k', T0);
  await store.scepRequests.get('r');
  await store.scepRequests.list({ state: 'pending' }, { limit: 10 });
  await store.scepRequests.prune({ before: T0, limit: 10 });
  await store.acme.takeNonce('n', T0);
  await store.acme.findAccount('a');
  await store.acme.findAccountByThumbprint('t');
  await store.acme.findIdentifier('h', T0);
  await store.acme.findOrder('o');
  await store.acme.findOrders('a', 10);
  await store.acme.findAuthorization('p');
  await store.acme.findIssuance('f');
  await store.acme.prune({ at: T0, idleBefore: T0, limit: 10 });
  await store.ade.findDevice('S');
  await store.ade.staged('S');
  await store.ade.counts('a');
  await store.ade.acquire({ accountId: 'a', at: T0, until: T0 });
  await store.ade.dueAssignments({ accountId: 'a', at: T0, limit: 10 });
  await store.ade.devices({ accountId: 'a' }, { limit: 10 });
  await store.invitations.findByPin('h');
  await store.invitations.findByToken('h');
  await store.invitations.sweep({ at: T0, limit: 10 });
  await store.inventory.apply({ enrolmentId: 'A', at: T0, facts: { x: 1 }, apps: [], complete: true, event: null });
  await store.labels.change({ changes: [{ labelId: 'l', enrolmentId: 'A', member: true }], at: T0, cause: 'x' });
  await store.labels.of('A');
  await store.labels.ofMany(['A']);
  await store.configurations.desired(['A']);
  await store.configurations.assignmentsOf(['A']);
  await store.configurations.claimMarks({ at: T0, leaseMs: 1, limit: 10 });
  const changed = { type: 'declaration-set.changed', at: T0, enrolmentId: null, data: {} } as const;
  const times = { version: 1, createdAt: T0, updatedAt: T0 };
  const set = { id: 's', name: 's', description: '', channel: 'device', identifiers: [], labelIds: ['l'] } as const;
  await store.declarations.putSet({ ...set, ...times }, null, T0, changed);
  await store.declarations.changeMembers({ setId: 's', add: ['A'], remove: ['B'], at: T0, event: changed });
  await store.declarations.mark({ enrolmentIds: ['A'], at: T0 });
  const marks = await store.declarations.claimMarks({ at: T0, leaseMs: 1, limit: 10 });
  await store.declarations.clearMarks(marks);
  await store.declarations.desired(['A']);
  const put = [{ enrolmentId: 'A', token: 't' }];
  await store.declarations.assign({ snapshots: [{ token: 't', items: '[]' }], put, at: T0 });
  await store.declarations.asked({ put, at: T0 });
  await store.declarations.syncs(['A']);
  await store.declarations.snapshot('t');
  const fetched = { type: 'declarations.fetched', at: T0, enrolmentId: 'A', data: {} } as const;
  await store.declarations.fetched({ enrolmentId: 'A', token: 't', at: T0, event: fetched });
  await store.declarations.status('A');
  await store.declarations.statesOf('A');
  await store.declarations.statesOn('x', { limit: 10 });
  await store.declarations.outdated({ before: T0, limit: 10 });
  await store.declarations.holders('A');
  await store.declarations.getMany(['x']);
  await store.events.list({ enrolmentId: 'A', order: 'newest' }, { limit: 10 });
  await store.events.list({ type: 'push.sent', order: 'newest' }, { limit: 10 });
  await store.events.since(0, 10);
  const found: string[] = [];
  const texts = db.statementTexts.filter(
    (sql) => !before.has(sql) && /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)/.test(sql),
  );
  expect(texts.length).toBeGreaterThan(60);
  for (const sql of texts) {
    for (const detail of details(db, sql)) {
      if (!detail.startsWith('SCAN ') || allowed.some((pattern) => pattern.test(detail))) continue;
      found.push(`${detail}: ${sql.replace(/\s+/g, ' ')}`);
    }
  }
  expect(found).toEqual([]);
  // The check itself: a scan is found.
  expect(details(db, 'SELECT * FROM pending WHERE attempts = 3').some((detail) => detail.startsWith('SCAN '))).toBe(
    true,
  );
  db.close();
});
