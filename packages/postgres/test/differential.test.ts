// The same random steps on the memory store and on PostgreSQL give the same answers and leave the same state.
import { createMemoryStore, type NewCommand, type Store } from '@espalier/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { emptySchema, startServer, type TestServer } from './server.ts';
import { answer, backoff, bytes, command, event } from './support.ts';

let server: TestServer;
let postgres: Store;
beforeAll(async () => {
  server = await startServer();
  postgres = await openPostgresStore(server.url, { maxConnections: 2 });
});
afterAll(async () => {
  await postgres?.close();
  await server?.close();
});

const devices = ['A', 'B', 'C'];
const channels = ['A', 'B', 'C', 'A:user', 'B:user'];
const parentOf = (id: string) => (id.includes(':') ? id.slice(0, id.indexOf(':')) : null);
const pins = ['cert-1', 'cert-2', 'cert-3'];
const labels = ['red', 'blue'];

const device = fc.constantFrom(...devices);
const channel = fc.constantFrom(...channels);
const pin = fc.constantFrom(...pins);
const label = fc.constantFrom(...labels);
/** Numbers of commands; their identifiers are `cmd-N`. */
const known = fc.nat({ max: 40 });

interface Model {
  at: number;
  commands: number;
}
type Step = (store: Store, model: Readonly<Model>) => Promise<unknown>;
/** What a step does to the model after it ran on both stores. */
interface Action {
  readonly name: string;
  readonly step: Step;
  readonly wait?: number;
  readonly commands?: number;
}

const commandShape = fc.record({
  priority: fc.constantFrom(0, 0, 0, 5),
  notBefore: fc.constantFrom(null, null, null, 2_000),
  expiresIn: fc.constantFrom(null, null, null, 3_000, 20_000),
  dedupeKey: fc.constantFrom(null, null, 'k1', 'k2'),
  onDuplicate: fc.constantFrom('replace', 'keep'),
  maxAttempts: fc.constantFrom(null, null, 1, 2),
  onError: fc.constantFrom('fail', 'retry', 'drop-chain'),
  push: fc.boolean(),
  followUp: fc.boolean(),
});

const enqueue = fc
  .record({
    ids: fc.uniqueArray(channel, { minLength: 1, maxLength: 5 }),
    shapes: fc.array(commandShape, { minLength: 1, maxLength: 3 }),
    chained: fc.boolean(),
  })
  .map(({ ids, shapes, chained }): Action => {
    const step: Step = (store, { at, commands }) =>
      store.queue.enqueue({
        enrolmentIds: [...ids, 'nobody'],
        at,
        events: [event('command.queued', at, null)],
        commands: shapes.map(({ notBefore, expiresIn, ...shape }, i): NewCommand => {
          const number = commands + i;
          return command(`cmd-${number}`, {
            ...shape,
            notBefore: notBefore === null ? null : at + notBefore,
            expiresAt: expiresIn === null ? null : at + expiresIn,
            // Which of a chain's commands ends first when several die at once is not laid down.
            ...(chained
              ? { dedupeKey: null, chain: { id: `chain-${commands}`, index: i }, maxAttempts: null, expiresAt: null }
              : {}),
          });
        }),
      });
    return { name: 'enqueue', step, commands: shapes.length };
  });

const actions: fc.Arbitrary<Action>[] = [
  enqueue,
  enqueue,
  // A device's session: Idle, then an answer to whatever came, again and again.
  fc
    .record({
      id: channel,
      pin,
      statuses: fc.array(fc.constantFrom('acknowledged', 'acknowledged', 'not-now', 'error', 'format-error'), {
        maxLength: 4,
      }),
    })
    .map(({ id, pin: certificateFingerprint, statuses }) => ({
      name: 'session',
      wait: 500,
      step: async (store: Store, { at }: Model) => {
        const input = { enrolmentId: id, certificateFingerprint, at, backoff };
        const seen: unknown[] = [];
        let last = await store.queue.poll(input);
        seen.push(last);
        for (const status of statuses) {
          if (last.outcome !== 'ok' || last.command === null) break;
          // At the time of the step: which events of another order of times are pruned is not laid down.
          const told = { event: event('command.acknowledged', at, null) };
          last = await store.queue.poll({
            ...input,
            result: answer(last.command.commandUuid, status as 'error', told),
          });
          seen.push(last);
        }
        return seen;
      },
    })),
  // An answer out of the blue: late, repeated, or never asked for.
  fc
    .record({ id: channel, pin, known, status: fc.constantFrom('acknowledged', 'not-now', 'error') })
    .map(({ id, pin: certificateFingerprint, known: number, status }) => ({
      name: 'stray answer',
      step: (store: Store, { at }: Model) =>
        store.queue.poll({
          enrolmentId: id,
          certificateFingerprint,
          at,
          backoff,
          result: answer(`cmd-${number}`, status as 'error', { event: null }),
        }),
    })),
  fc
    .record({
      ids: fc.uniqueArray(channel, { minLength: 1 }),
      which: fc.oneof(
        known.map((n) => ({ commandUuid: `cmd-${n}` })),
        fc.constantFrom('k1', 'k2').map((dedupeKey) => ({ dedupeKey })),
        fc.constant({}),
      ),
      state: fc.constantFrom('cancelled', 'superseded'),
    })
    .map(({ ids, which, state }) => ({
      name: 'end',
      step: async (store: Store, { at }: Model) =>
        sorted(await store.queue.end({ enrolmentIds: ids, ...which, state: state as 'cancelled', at })),
    })),
  fc.record({ id: channel, known }).map(({ id, known: n }) => ({
    name: 'requeue',
    step: (store: Store, { at }: Model) => store.queue.requeue({ enrolmentId: id, commandUuid: `cmd-${n}`, at }),
  })),
  fc.constant({
    name: 'sweep',
    wait: 1_000,
    step: async (store: Store, { at }: Model) => sorted(await store.queue.sweep({ at, limit: 100 })),
  }),
  fc.constant({
    name: 'prune',
    step: async (store: Store, { at }: Model) => [
      await store.queue.prune({ before: at - 10_000, limit: 100 }),
      await store.events.prune({ before: at - 50_000, limit: 1_000 }),
      await store.queue.body('cmd-0'),
    ],
  }),
  fc.record({ id: channel, known }).map(({ id, known: n }) => ({
    name: 'follow-up done',
    step: (store: Store) => store.queue.followUpDone(id, `cmd-${n}`),
  })),
  fc.nat({ max: 30_000 }).map((wait) => ({ name: 'wait', wait, step: async () => null })),
  fc.record({ id: device, pin }).map(({ id, pin: certificateFingerprint }) => ({
    name: 'authenticate',
    step: (store: Store, { at }: Model) =>
      store.enrolments.authenticate({
        id,
        kind: 'device',
        certificateFingerprint,
        at,
        details: { udid: id, deviceName: `${id}'s` },
        secrets: [{ name: 'unlock', blob: bytes(`secret of ${id}`) }],
        events: [event('enrolment.authenticated', at, id)],
      }),
  })),
  fc.record({ id: channel, pin }).map(({ id, pin: certificateFingerprint }) => ({
    name: 'tokenUpdate',
    step: (store: Store, { at }: Model) =>
      store.enrolments.tokenUpdate({
        id,
        channel: parentOf(id) === null ? 'device' : 'user',
        kind: parentOf(id) === null ? 'device' : 'user',
        parent: parentOf(id),
        certificateFingerprint,
        at,
        token: bytes(`token ${id} ${at}`),
        pushMagic: bytes(`magic ${id}`),
        topic: 'topic',
        details: { osVersion: '18.3' },
        secrets: [{ name: 'unlock', blob: bytes(`new secret of ${id}`) }],
        firstEvents: [event('enrolment.active', at, id)],
        laterEvents: [event('enrolment.token-updated', at, id)],
      }),
  })),
  fc.record({ id: channel, pin }).map(({ id, pin: certificateFingerprint }) => ({
    name: 'checkOut',
    step: (store: Store, { at }: Model) =>
      store.enrolments.checkOut({
        id,
        certificateFingerprint,
        at,
        events: [event('enrolment.checked-out', at, id)],
      }),
  })),
  fc.record({ id: channel, pin }).map(({ id, pin: certificateFingerprint }) => ({
    name: 'verify',
    step: (store: Store, { at }: Model) =>
      store.enrolments.verify({
        id,
        certificateFingerprint,
        at,
        secrets: [{ name: 'bootstrap', blob: bytes(`${at}`) }],
      }),
  })),
  fc.constantFrom('sent', 'failed', 'token-dead').map((outcome) => ({
    name: 'push',
    step: async (store: Store, { at }: Model) => {
      const targets = await store.push.claim({ lease: `lease ${at}`, at, leaseMs: 1_000, limit: 10 });
      // One lease is left to run out. Which of several that are due at once comes first is not laid down.
      const settlements = sortedBy(targets, (one) => one.enrolmentId)
        .slice(1)
        .map(({ enrolmentId }) => ({
          enrolmentId,
          lease: `lease ${at}`,
          outcome: outcome as 'sent',
          dueAt: at + 5_000,
        }));
      await store.push.settle({ at, settlements });
      return targets.map((target) => target.attempts).sort();
    },
  })),
  fc.uniqueArray(channel).map((ids) => ({
    name: 'request push',
    step: (store: Store, { at }: Model) => store.push.request({ enrolmentIds: ids, at }),
  })),
  fc
    .array(fc.record({ labelId: label, enrolmentId: channel, member: fc.boolean() }), { minLength: 1, maxLength: 4 })
    .map((changes) => ({
      name: 'label change',
      step: (store: Store, { at }: Model) => store.labels.change({ changes, at, cause: 'test' }),
    })),
  fc.uniqueArray(label).map((labelIds) => ({
    name: 'configuration',
    step: async (store: Store, { at }: Model) => {
      const old = await store.configurations.get('conf');
      const next = {
        id: 'conf',
        name: 'Conf',
        type: 'passcode',
        description: '',
        settings: { at },
        version: (old?.version ?? 0) + 1,
        labelIds,
        createdAt: 1,
        updatedAt: at,
      };
      const changed = event('configuration.changed', at, null);
      return old === null
        ? store.configurations.create(next, at, changed)
        : store.configurations.update(next, old.version, at, changed);
    },
  })),
  fc.constant({
    name: 'unconfigure',
    step: (store: Store, { at }: Model) =>
      store.configurations.delete('conf', at, event('configuration.changed', at, null)),
  }),
  fc.boolean().map((clear) => ({
    name: 'reconcile',
    step: async (store: Store, { at }: Model) => {
      const marks = await store.configurations.claimMarks({ at, leaseMs: 2_000, limit: 10 });
      if (clear) await store.configurations.clearMarks(marks);
      return marks.map((mark) => mark.enrolmentId).sort();
    },
  })),
  fc
    .record({ id: channel, value: fc.constantFrom(1, 'x', null, true), complete: fc.boolean() })
    .map(({ id, value, complete }) => ({
      name: 'inventory',
      step: (store: Store, { at }: Model) =>
        store.inventory.apply({
          enrolmentId: id,
          at,
          facts: { 'common.test': value, ['__proto__']: 'x', 'common.list': ['a', 'b\u0000'] },
          profiles: [{ identifier: 'p', uuid: String(value), displayName: 'P', organisation: null, managed: true }],
          complete,
          event: event('inventory.updated', at, id),
        }),
    })),
];

function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
const sorted = <T>(items: readonly T[]): T[] => sortedBy(items, (item) => JSON.stringify(item));

/** Everything that a store tells of itself, in an order that does not depend on the store. */
async function picture(store: Store): Promise<unknown> {
  const perChannel = [];
  for (const id of channels) {
    perChannel.push({
      id,
      enrolment: await store.enrolments.get(id),
      list: await store.queue.list(id, { limit: 1_000 }),
      push: await store.push.get(id),
      secrets: [await store.secrets.get(id, 'unlock'), await store.secrets.get(id, 'bootstrap')],
      inventory: await store.inventory.get(id),
      labels: (await store.labels.of(id)).map((one) => one.id),
    });
  }
  const events = await store.events.list({ order: 'oldest' }, { limit: 10_000 });
  return {
    perChannel,
    stats: await store.queue.stats(),
    followUps: sorted(await store.queue.followUps({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 })),
    work: await store.queue.withWork({ limit: 1_000 }),
    nextDueAt: await store.push.nextDueAt(),
    events: sorted(events.items.map(({ seq: _, ...rest }) => rest)),
    desired: await store.configurations.desired(channels),
    withoutInventory: sorted(await store.enrolments.withoutInventory({ dedupeKey: 'k1', limit: 100 })),
    labels: await store.labels.list(),
    active: await store.enrolments.count({ channel: 'device', statuses: ['active'] }),
  };
}

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';

test('random steps', { timeout: nightly ? 1_200_000 : 120_000 }, async () => {
  const property = fc.asyncProperty(fc.array(fc.oneof(...actions), { minLength: 20, maxLength: 70 }), async (steps) => {
    const memory = createMemoryStore();
    await emptySchema(server.url);
    const model: Model = { at: 1_000, commands: 0 };
    for (const store of [memory, postgres]) {
      for (const id of labels) {
        const made = {
          name: id,
          description: '',
          kind: 'manual',
          expression: null,
          createdAt: 1,
          updatedAt: 1,
        } as const;
        await store.labels.create({ id, ...made });
      }
      for (const [i, id] of devices.entries()) {
        await store.enrolments.authenticate({
          id,
          kind: 'device',
          certificateFingerprint: pins[i]!,
          at: 1,
          details: {},
          secrets: [],
          events: [],
        });
      }
    }
    for (const [i, action] of steps.entries()) {
      const expected = await action.step(memory, model);
      const got = await action.step(postgres, model);
      expect(got, `step ${i}: ${action.name}`).toEqual(expected);
      model.at += action.wait ?? 10;
      model.commands += action.commands ?? 0;
    }
    expect(await picture(postgres)).toEqual(await picture(memory));
  });
  await fc.assert(property, { seed: 20_240_917, numRuns: nightly ? 2_000 : 60, endOnFailure: false });
});
