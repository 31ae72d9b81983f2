// The suite: when labels are evaluated anew, what is refused because it was decided on old facts, and searches.
import { type Expression, parse } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { factRows, toSql } from '@espalier/search/sql';
import type { FactValue } from '../api/common.ts';
import type { LabelDefinition } from '../contracts/labels.ts';
import { FACT_KEY_LENGTH, type SearchStore, type StoreSearch } from '../contracts/search.ts';
import type { Store } from '../contracts/store.ts';
import { authenticate, enrol, HOUR, MINUTE, pinOf, poll, T0, tokenUpdate } from './fixtures.ts';
import type { Suite } from './runner.ts';

const dynamic = (id: string, expression: string): LabelDefinition => ({
  id,
  name: `label ${id}`,
  description: '',
  kind: 'dynamic',
  expression,
  createdAt: T0,
  updatedAt: T0,
});

async function put(store: Store, enrolmentId: string, facts: Readonly<Record<string, FactValue>>): Promise<void> {
  const rows = factRows(facts, catalogue, { keyLength: FACT_KEY_LENGTH });
  await store.inventory.apply({ enrolmentId, at: T0, facts, rows, complete: false, event: null });
}

/** A look as the engine makes it, with what it came to. */
async function lookAt(store: Store, id: string, dueAt: number | null, awaitsContact = false) {
  const [device] = await store.labels.look([id]);
  const { revision = 0, labelsDueAt = null, enrolment } = device ?? {};
  return {
    enrolmentId: id,
    revision,
    labelsDueAt,
    lastSeenAt: enrolment?.lastSeenAt ?? null,
    next: { dueAt, awaitsContact },
  };
}

const change = (store: Store, looks: Parameters<Store['labels']['change']>[0]['looks'], at = T0) =>
  store.labels.change({ changes: [], looks: looks ?? [], at, cause: 'test' });
const take = (store: Store, at: number) => store.labels.takeDue({ at, leaseMs: MINUTE, limit: 10 });

/** Registers the tests. */
export function labelsDueTests(suite: Suite): void {
  evaluationTests(suite);
  dueTests(suite);
  searchTests(suite);
}

function evaluationTests({ test, expect }: Suite): void {
  test('a label is unevaluated until its expression was evaluated', async (store) => {
    const versions = [await store.labels.version()];
    const label = dynamic('a', 'x');
    await store.labels.create(label);
    versions.push(await store.labels.version());
    expect(await store.labels.unevaluated()).toEqual(['a']);
    await store.labels.evaluated('a', 'another');
    expect(await store.labels.unevaluated()).toEqual(['a']);
    await store.labels.evaluated('a', 'x');
    expect(await store.labels.unevaluated()).toEqual([]);
    await store.labels.update({ ...label, name: 'renamed' });
    versions.push(await store.labels.version());
    expect(await store.labels.unevaluated()).toEqual([]);
    await store.labels.update({ ...label, expression: 'y' });
    versions.push(await store.labels.version());
    expect(await store.labels.unevaluated()).toEqual(['a']);
    await store.labels.delete('a', T0);
    versions.push(await store.labels.version());
    expect(await store.labels.unevaluated()).toEqual([]);
    await store.labels.create({ ...dynamic('b', 'x'), kind: 'manual', expression: null });
    expect(await store.labels.unevaluated()).toEqual([]);
    expect(new Set(versions).size).toBe(versions.length);
    const version = await store.labels.version();
    await store.labels.create({ ...dynamic('c', 'x'), name: 'label b' });
    await store.labels.evaluated('b', 'x');
    expect(await store.labels.version()).toBe(version);
  });

  test('a look shows a device, its labels and the state of its facts', async (store) => {
    await enrol(store, 'A', 'B');
    await tokenUpdate(store, 'A', { user: 'ann' });
    for (const id of ['k', 'l']) await store.labels.create(dynamic(id, 'x'));
    const joins = ['l', 'k'].map((labelId) => ({ labelId, enrolmentId: 'A', member: true }));
    await store.labels.change({ changes: joins, at: T0, cause: 'test' });
    await put(store, 'A', { 'common.platform': 'iOS' });
    const looks = await store.labels.look(['A', 'B', 'A:ann', 'nobody']);
    const a = looks.find((look) => look.enrolment.id === 'A');
    expect(looks.map((look) => look.enrolment.id).sort()).toEqual(['A', 'B']);
    expect([a?.labelIds, a?.facts, a?.labelsDueAt, a?.awaitsContact]).toEqual([
      ['k', 'l'],
      { 'common.platform': 'iOS' },
      null,
      false,
    ]);
    await put(store, 'A', { 'common.platform': 'iOS' });
    expect((await store.labels.look(['A']))[0]?.revision).toBe(a?.revision);
    await put(store, 'A', { 'common.platform': 'tvOS' });
    expect((await store.labels.look(['A']))[0]?.revision === a?.revision).toBe(false);
    expect((await store.inventory.rows(['A']))[0]?.revision).toBe((await store.labels.look(['A']))[0]?.revision);
  });

  test('what was decided on old facts is not done, and the device is due', async (store) => {
    await enrol(store, 'A', 'B');
    await store.labels.create(dynamic('l', 'x'));
    const looks = [await lookAt(store, 'A', null), await lookAt(store, 'B', T0 + HOUR)];
    await put(store, 'A', { 'common.platform': 'iOS' });
    const changes = ['A', 'B'].map((enrolmentId) => ({ labelId: 'l', enrolmentId, member: true }));
    const real = await store.labels.change({ changes, looks, at: T0 + 1, cause: 'test' });
    expect(real.map((one) => one.enrolmentId)).toEqual(['B']);
    expect(await take(store, T0)).toEqual([]);
    expect(await take(store, T0 + 1)).toEqual(['A']);
    expect(await take(store, T0 + HOUR)).toEqual(['A', 'B']);
  });
}

function dueTests({ test, expect }: Suite): void {
  test('due devices are taken once, come back after the lease, and are finished by a look', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await change(store, [await lookAt(store, 'A', T0 + 20), await lookAt(store, 'B', T0 + 10)]);
    expect(await take(store, T0 + 9)).toEqual([]);
    const takers = await Promise.all([take(store, T0 + 20), take(store, T0 + 20), take(store, T0 + 20)]);
    expect(takers.flat().sort()).toEqual(['A', 'B']);
    await change(store, [await lookAt(store, 'A', null)]);
    expect(await take(store, T0 + MINUTE)).toEqual([]);
    expect(await take(store, T0 + 20 + MINUTE)).toEqual(['B']);
    const first = await store.labels.takeDue({ at: T0 + HOUR, leaseMs: MINUTE, limit: 1 });
    expect(first).toEqual(['B']);
  });

  test('a due time that changed meanwhile is only brought forward', async (store) => {
    await enrol(store, 'A');
    const old = await lookAt(store, 'A', T0 + HOUR);
    await change(store, [await lookAt(store, 'A', T0 + 10)]);
    await change(store, [old]);
    expect((await store.labels.look(['A']))[0]?.labelsDueAt).toBe(T0 + 10);
    await change(store, [{ ...old, next: { dueAt: T0 + 5, awaitsContact: false } }]);
    expect((await store.labels.look(['A']))[0]?.labelsDueAt).toBe(T0 + 5);
    await change(store, [await lookAt(store, 'A', null)]);
    expect((await store.labels.look(['A']))[0]?.labelsDueAt).toBe(null);
  });

  test('a device that awaits contact is due when it is heard of', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    for (const id of ['A', 'B']) await change(store, [await lookAt(store, id, null, true)]);
    expect((await store.labels.look(['A']))[0]?.awaitsContact).toBe(true);
    expect(await take(store, T0 + HOUR)).toEqual([]);
    for (const id of ['A', 'C']) await poll(store, id, { at: T0 + MINUTE });
    expect(await take(store, T0 + MINUTE - 1)).toEqual([]);
    expect(await take(store, T0 + MINUTE)).toEqual(['A']);
    expect((await store.labels.look(['A']))[0]?.awaitsContact).toBe(false);
    await change(store, [await lookAt(store, 'A', null)]);
    await poll(store, 'A', { at: T0 + 2 * MINUTE });
    expect(await take(store, T0 + HOUR)).toEqual([]);
    await store.enrolments.verify({ id: 'B', certificateFingerprint: pinOf('B'), at: T0 + MINUTE });
    expect(await take(store, T0 + MINUTE)).toEqual(['B']);
  });

  test('a contact between the look and its result is not missed', async (store) => {
    await enrol(store, 'A');
    const look = await lookAt(store, 'A', T0 + HOUR, true);
    await poll(store, 'A', { at: T0 + MINUTE });
    await change(store, [look], T0 + 2 * MINUTE);
    expect(await take(store, T0 + 2 * MINUTE)).toEqual(['A']);
  });

  test('all active devices can be made due; one that left is not taken', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await authenticate(store, 'D');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await change(store, [await lookAt(store, 'A', T0 + 1)]);
    await store.labels.dueAll(T0 + 5);
    await store.enrolments.checkOut({ id: 'C', certificateFingerprint: pinOf('C'), at: T0, events: [] });
    expect(await take(store, T0 + 1)).toEqual(['A']);
    expect(await take(store, T0 + 5)).toEqual(['B']);
    expect(await take(store, T0 + 2 * HOUR)).toEqual(['A', 'B']);
  });
}

/** A search as the engine makes it, without labels in it. */
function searchOf(text: string, options: Omit<StoreSearch, 'sql'> = {}): StoreSearch {
  const expression: Expression = parse(text);
  return { ...options, sql: (target) => toSql(expression, { ...target, catalogue, now: T0 + HOUR }) };
}

function searchTests({ test, expect }: Suite): void {
  /** A store that does not search by itself has nothing to prove here. */
  const searching = (name: string, body: (store: Store, search: SearchStore) => Promise<void>) =>
    test(name, async (store) => {
      if (store.search !== undefined) await body(store, store.search);
    });

  searching('finds devices by facts and by what the server knows', async (store, search) => {
    await enrol(store, 'A', 'B', 'C');
    await authenticate(store, 'D');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await put(store, 'A', { 'common.platform': 'iOS', 'common.os_version': '18.3', 'ios.Languages': ['en', 'De'] });
    await put(store, 'B', { 'common.platform': 'macOS', 'common.os_version': '9.1', 'common.battery_level': 5 });
    await put(store, 'A:ann', { 'user.email_address': 'ann@example.com' });
    await store.enrolments.checkOut({ id: 'C', certificateFingerprint: pinOf('C'), at: T0, events: [] });
    const find = async (text: string, options?: Omit<StoreSearch, 'sql'>) => {
      const { items, total } = await search.page(searchOf(text, options), { limit: 10 });
      expect(total).toBe(items.length);
      return items.map((row) => row.enrolment.id);
    };
    expect(await find('')).toEqual(['A', 'B', 'C', 'D']);
    expect(await find('"common.platform" = "IOS"')).toEqual(['A']);
    expect(await find('"common.platform" != "iOS"')).toEqual(['B', 'C', 'D']);
    expect(await find('"common.os_version" < "17"')).toEqual(['B']);
    expect(await find('"ios.Languages" = "de"')).toEqual(['A']);
    expect(await find('"common.battery_level" < 20')).toEqual(['B']);
    expect(await find('"user.email_address" is not null')).toEqual([]);
    expect(await find('"common.status" = "Retired"')).toEqual(['C']);
    expect(await find('"common.status" != "Active" AND "common.retired" = false')).toEqual(['D']);
    expect(await find('"common.mdm_managed" = true')).toEqual(['A', 'B']);
    expect(await find('"common.registration_date" is null')).toEqual(['D']);
    expect(await find('"common.last_connected_at" within the last 2 hours')).toEqual(['A', 'B', 'C', 'D']);
    expect(await find('', { statuses: ['active', 'pending'] })).toEqual(['A', 'B', 'D']);
    await store.labels.create(dynamic('l', 'x'));
    const changes = [{ labelId: 'l', enrolmentId: 'A', member: true }];
    await store.labels.change({ changes, at: T0, cause: 'test' });
    expect(await find('', { label: { id: 'l', member: true } })).toEqual(['A']);
    expect(await find('', { statuses: ['active'], label: { id: 'l', member: false } })).toEqual(['B']);
  });

  searching('follows every change of a fact, and takes texts of any length', async (store, search) => {
    await enrol(store, 'A');
    const long = 'Ä'.repeat(3_000);
    const has = async (text: string) => (await search.page(searchOf(text), { limit: 1 })).total === 1;
    await put(store, 'A', { 'ios.DeviceName': `${long}x`, 'ios.Languages': ['en', 'de'], 'common.comment': 'c' });
    expect(await has(`"ios.DeviceName" starts with "${long.toLowerCase()}"`)).toBe(true);
    expect(await has(`"ios.DeviceName" = "${long}x"`)).toBe(true);
    expect(await has(`"ios.DeviceName" = "${long}"`)).toBe(false);
    expect(await has(`"ios.DeviceName" ends with "äx"`)).toBe(true);
    await put(store, 'A', { 'ios.DeviceName': 'short', 'ios.Languages': ['de'], 'common.comment': null });
    expect(await has(`"ios.DeviceName" starts with "ä"`)).toBe(false);
    expect(await has('"ios.DeviceName" = "SHORT"')).toBe(true);
    expect(await has('"ios.Languages" = "en"')).toBe(false);
    expect(await has('"common.comment" is null')).toBe(true);
    const hostile = `'; DROP TABLE facts; -- \\" %_`;
    await put(store, 'A', { 'common.comment': hostile });
    expect(await has(`"common.comment" = "'; drop table facts; -- \\\\\\" %_"`)).toBe(true);
  });

  test('finds devices by the text of a fact, whatever its case', async (store) => {
    await enrol(store, 'A', 'B', 'C', 'D');
    const field = 'ios.managed_apple_id';
    const find = async (text: string) => {
      if (store.search === undefined) {
        // Whoever has neither has all devices read.
        const found = await store.inventory.holders?.({ token: field, text, limit: 10 });
        return [...(found ?? [])].sort();
      }
      const { items } = await store.search.ids(searchOf(`"${field}" = "${text}"`), { limit: 10 });
      return items.map(({ enrolmentId }) => enrolmentId);
    };
    if (store.search === undefined && store.inventory.holders === undefined) return;
    await put(store, 'A', { [field]: 'Ann@Example.com' });
    expect(await find('ann@example.com')).toEqual(['A']);
    await put(store, 'B', { [field]: 'ANN@example.com' });
    await put(store, 'C', { [field]: 'bob@example.com' });
    expect(await find('ann@example.com')).toEqual(['A', 'B']);
    await put(store, 'A', { [field]: 'bob@example.com' });
    await put(store, 'B', { [field]: null });
    expect([await find('ann@example.com'), await find('BOB@example.com')]).toEqual([[], ['A', 'C']]);
    expect(await find('constructor')).toEqual([]);
  });

  searching('pages, and gives ids with the state of the facts', async (store, search) => {
    const ids = ['A', 'B', 'C', 'D', 'E'];
    await enrol(store, ...ids);
    for (const id of ids) await put(store, id, { 'common.platform': 'iOS' });
    const asked = searchOf('"common.platform" = "iOS"');
    const seen: string[] = [];
    let after: string | null = '';
    while (after !== null) {
      const page: Awaited<ReturnType<SearchStore['page']>> = await search.page(asked, { after, limit: 2 });
      expect(page.total).toBe(5);
      seen.push(...page.items.map((row) => row.enrolment.id));
      after = page.next;
    }
    expect(seen).toEqual(ids);
    expect((await search.page(asked, { after: 'E', limit: 2 })).total).toBe(5);
    const first = await search.ids(asked, { limit: 3 });
    const rest = await search.ids(asked, { limit: 3, after: first.next ?? '' });
    expect([...first.items, ...rest.items].map((item) => item.enrolmentId)).toEqual(ids);
    expect(rest.next).toBe(null);
    const [row] = await store.inventory.rows(['A']);
    expect(first.items[0]?.revision).toBe(row?.revision);
  });

  searching('makes rows anew, but not of facts that are no longer those', async (store, search) => {
    await enrol(store, 'A', 'B');
    const facts = { 'common.platform': 'iOS' };
    for (const enrolmentId of ['A', 'B']) {
      await store.inventory.apply({ enrolmentId, at: T0, facts, complete: false, event: null });
    }
    const find = async () =>
      (await search.page(searchOf('"common.platform" = "iOS"'), { limit: 9 })).items.map((row) => row.enrolment.id);
    expect(await find()).toEqual([]);
    const devices = (await store.inventory.rows(['A', 'B'])).map((row) => ({
      enrolmentId: row.enrolment.id,
      revision: row.revision,
      rows: factRows(row.facts, catalogue),
    }));
    await put(store, 'B', { 'common.platform': 'tvOS' });
    const gone = { enrolmentId: 'nobody', revision: 1, rows: [] };
    expect(await search.reindex([...devices, gone])).toEqual(['B']);
    expect(await find()).toEqual(['A']);
    const [again] = await store.inventory.rows(['A']);
    expect(await search.reindex([{ enrolmentId: 'A', revision: again?.revision ?? 0, rows: [] }])).toEqual([]);
    expect(await find()).toEqual([]);
  });
}
