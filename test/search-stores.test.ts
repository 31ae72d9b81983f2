// The same searches over the same devices: by the evaluator (memory store), in SQLite and in PostgreSQL, each through its
// own tables, with labels and with what the server knows of an enrolment.
import {
  createEngine,
  createKeyRing,
  createMemoryStore,
  type Engine,
  FACT_KEY_LENGTH,
  type Facts,
  type Store,
} from '@espalier/core';
import { migratePostgres, openPostgresStore } from '@espalier/postgres';
import { and, compare, type Expression, not, or, print } from '@espalier/search';
import { catalogue as apple } from '@espalier/search/catalogue';
import { factRows } from '@espalier/search/sql';
import { openSqliteStore } from '@espalier/sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expression, catalogue as generated, NOW, nightly, record } from '../packages/search/test/generate.ts';
import { postgresMissing, startPostgres, type TemporaryPostgres } from '../packages/search/test/postgres.ts';

const CASES = nightly ? 20_000 : 300;
const PER_POPULATION = nightly ? 200 : 100;
const DEVICES = 30;
const DAY = 86_400_000;

const server = ['common.status', 'common.retired', 'common.mdm_managed', 'common.registration_date'];
const contact = ['common.last_connected_at', 'common.mdm_last_checkin', 'common.label'];
const catalogue = generated.extend([...server, ...contact].map((token) => apple.get(token)!));

const labelName = fc.constantFrom('Red', 'red ', 'BLUE', 'Grün', 'none');
/** Conditions on what the server knows. */
const serverCondition: fc.Arbitrary<Expression> = fc.oneof(
  fc
    .tuple(fc.constantFrom('=', '!=', 'contains', 'does not start with'), fc.constantFrom('active', 'Re', 'Wiped', 'x'))
    .map(([operator, value]) => compare('common.status', operator as '=', value)),
  fc
    .tuple(fc.constantFrom('common.retired', 'common.mdm_managed'), fc.boolean())
    .map(([field, value]) => compare(field, '=', value)),
  fc
    .tuple(fc.constantFrom('common.last_connected_at', 'common.registration_date'), fc.nat(20), fc.boolean())
    .map(([field, amount, negated]) =>
      compare(field, negated ? 'not within the last' : 'within the last', { amount, unit: 'day' }),
    ),
  fc.constantFrom('<', '>=').map((operator) => compare('common.last_connected_at', operator as '<', '2024-03-25')),
  fc.constantFrom('is null', 'is not null').map((operator) => compare('common.label', operator as 'is null')),
  fc
    .tuple(fc.constantFrom('=', '!=', 'starts with', 'does not contain', 'ends with'), labelName)
    .map(([operator, value]) => compare('common.label', operator as '=', value)),
  fc.array(labelName, { minLength: 1, maxLength: 3 }).map((names) => compare('common.label', 'not in', names)),
);
const mixed: fc.Arbitrary<Expression> = fc
  .tuple(expression, serverCondition, serverCondition, fc.nat(4))
  .map(([facts, one, two, how]) => {
    if (how === 0) return and(facts, one, two);
    if (how === 1) return or(facts, and(one, two));
    if (how === 2) return and(or(one, two), facts);
    if (how === 3) return one.kind === 'everything' ? facts : and(facts, not(one));
    return facts;
  });

const missing = postgresMissing();
if (missing !== null) console.warn(`PostgreSQL is left out of the comparison: ${missing}`);
let postgres: TemporaryPostgres | null = null;
const stores: { readonly name: string; readonly store: Store; readonly engine: Engine }[] = [];
const clock = { time: NOW - 30 * DAY, now: () => clock.time };

function open(name: string, store: Store): void {
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(1) } });
  stores.push({ name, store, engine: createEngine({ store, keys, catalogue, clock, random: randomBytes() }) });
}

/** The same bytes for each engine, so that labels have the same ids. */
function randomBytes(): (length: number) => Uint8Array {
  let state = 1;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
}

const id = (i: number): string => `D${String(i).padStart(2, '0')}`;

async function prepare({ store, engine }: (typeof stores)[number]): Promise<void> {
  for (let i = 0; i < DEVICES; i++) {
    clock.time = NOW - (29 - i) * DAY;
    const common = { id: id(i), kind: 'device', certificateFingerprint: id(i), at: clock.time, secrets: [] } as const;
    await store.enrolments.authenticate({ ...common, details: {}, events: [] });
    if (i % 7 === 0) continue;
    const token = new Uint8Array(4);
    const update = { channel: 'device', parent: null, token, pushMagic: token, topic: 't', details: {} } as const;
    await store.enrolments.tokenUpdate({ ...common, ...update, firstEvents: [], laterEvents: [] });
    if (i % 5 === 0) await store.enrolments.checkOut({ ...common, events: [] });
  }
  clock.time = NOW;
  for (const [n, name] of ['Red', 'Blue', 'Grün'].entries()) {
    const label = await engine.labels.create({ name });
    const add = Array.from({ length: DEVICES }, (_, i) => i).filter((i) => (i + n) % (n + 2) === 0);
    await engine.labels.setMembers(label.id, { add: add.map(id) });
  }
}

async function put(store: Store, records: readonly Facts[]): Promise<void> {
  for (const [i, given] of records.entries()) {
    const before = (await store.inventory.get(id(i)))?.facts ?? {};
    const gone = Object.keys(before).map((token) => [token, null] as const);
    // As it comes back from JSON: there a number that is none is null.
    const facts = JSON.parse(JSON.stringify({ ...Object.fromEntries(gone), ...given })) as Facts;
    const rows = factRows(facts, catalogue, { keyLength: FACT_KEY_LENGTH });
    await store.inventory.apply({ enrolmentId: id(i), at: NOW, facts, rows, complete: false, event: null });
  }
}

beforeAll(async () => {
  open('memory', createMemoryStore());
  open('SQLite', openSqliteStore(':memory:'));
  if (missing === null) {
    postgres = await startPostgres();
    const { host, port } = postgres.client;
    const url = `postgres://search:search@${host}:${port}/postgres`;
    await migratePostgres(url);
    open('PostgreSQL', await openPostgresStore(url, { maxConnections: 2 }));
  }
  for (const one of stores) await prepare(one);
});

afterAll(async () => {
  for (const { store } of stores) await store.close();
  await postgres?.close();
});

test(`evaluator, SQLite and PostgreSQL find the same devices in ${CASES} searches of their own tables`, async () => {
  let found = 0;
  for (let done = 0; done < CASES; done += PER_POPULATION) {
    const seed = 31_000 + done;
    const records = fc.sample(record, { seed, numRuns: DEVICES }) as readonly Facts[];
    const searches = fc.sample(mixed, { seed, numRuns: PER_POPULATION });
    for (const { store, engine } of stores) {
      await put(store, records);
      // The first time the rows are made ready here.
      if (done === 0) await engine.tick();
    }
    for (const [i, tree] of searches.entries()) {
      const text = print(tree);
      const query = { expression: text, excludeRetired: i % 4 === 0, limit: 1000, sensitive: true };
      const [wanted, ...others] = await Promise.all(stores.map(({ engine }) => engine.devices.list(query)));
      const ids = wanted!.items.map((row) => row.enrolment.id);
      found += ids.length;
      for (const [n, other] of others.entries()) {
        const said = `${stores[n + 1]!.name}: ${text} (seed ${seed}, ${i})`;
        expect([other.total, other.items.map((row) => row.enrolment.id)], said).toEqual([ids.length, ids]);
      }
    }
  }
  // Of no use if everything or nothing matched, or if the stores had not searched by themselves.
  expect(found / (CASES * DEVICES)).toBeGreaterThan(0.1);
  expect(found / (CASES * DEVICES)).toBeLessThan(0.9);
  for (const { store } of stores.slice(1)) expect(await store.settings.get('core.search-index')).not.toBeNull();
});

test('labels that the stores evaluate have the members that the evaluator gives', async () => {
  const trees = fc.sample(mixed, { seed: 77, numRuns: nightly ? 300 : 25 });
  let members = 0;
  for (const [i, tree] of trees.entries()) {
    const text = print(tree).replaceAll('"common.label"', '"t.text"');
    const made = await Promise.all(
      stores.map(async ({ engine }) => {
        const label = await engine.labels.create({ name: `label ${i}`, expression: text });
        const page = await engine.labels.members(label.id, { limit: 1000 });
        await engine.labels.delete(label.id);
        return page.items.map((item) => item.id);
      }),
    );
    members += made[0]!.length;
    for (const other of made.slice(1)) expect(other, text).toEqual(made[0]);
  }
  expect(members).toBeGreaterThan(trees.length);
});
