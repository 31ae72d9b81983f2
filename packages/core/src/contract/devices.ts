// The suite: facts and inventory, labels, configurations, assignments.
import type { Configuration } from '../api/records.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import type { LabelDefinition, MembershipChange } from '../contracts/labels.ts';
import type { Store } from '../contracts/store.ts';
import { authenticate, codeOf, enrol, event, eventTypes, HOUR, MINUTE, T0, tokenUpdate } from './fixtures.ts';
import type { Suite } from './runner.ts';

function label(id: string, options: Partial<LabelDefinition> = {}): LabelDefinition {
  return {
    id,
    name: `label ${id}`,
    description: '',
    kind: 'manual',
    expression: null,
    createdAt: T0,
    updatedAt: T0,
    ...options,
  };
}

function configuration(id: string, options: Partial<Configuration> = {}): Configuration {
  return {
    id,
    name: `configuration ${id}`,
    type: 'passcode',
    description: '',
    settings: { minLength: 6, nested: { list: [1, 'two', null] } },
    version: 1,
    labelIds: [],
    createdAt: T0,
    updatedAt: T0,
    ...options,
  };
}

function assignment(
  enrolmentId: string,
  configurationId: string,
  options: Partial<AssignmentRecord> = {},
): AssignmentRecord {
  return {
    enrolmentId,
    configurationId,
    configurationName: `configuration ${configurationId}`,
    profileIdentifier: `profile.${configurationId}`,
    profileUuid: 'uuid',
    verifiable: true,
    status: 'pending',
    version: 1,
    commandUuid: 'c1',
    detail: null,
    updatedAt: T0,
    ...options,
  };
}

const join = (store: Store, labelId: string, ...enrolmentIds: readonly string[]) =>
  store.labels.change({
    changes: enrolmentIds.map((enrolmentId) => ({ labelId, enrolmentId, member: true })),
    at: T0,
    cause: 'test',
  });

const changed = () => event('configuration.changed');
const marks = async (store: Store, at = T0, limit = 100) =>
  (await store.configurations.claimMarks({ at, leaseMs: MINUTE, limit })).map((mark) => mark.enrolmentId);

/** Registers the tests. */
export function deviceTests(suite: Suite): void {
  inventoryTests(suite);
  labelTests(suite);
  configurationTests(suite);
}

function inventoryTests({ test, expect }: Suite): void {
  const report = { enrolmentId: 'A', at: T0 + 1, complete: false, event: null } as const;

  test('merges facts and tells which changed', async (store) => {
    await enrol(store, 'A');
    const facts = { 'common.os_version': '18.3', 'ios.Supervised': true, 'ios.Languages': ['en', 'de'], n: 1.5 };
    expect(await store.inventory.apply({ ...report, facts })).toEqual({
      changed: Object.keys(facts),
      listsChanged: false,
    });
    expect(await store.inventory.apply({ ...report, facts })).toEqual({ changed: [], listsChanged: false });
    const later = {
      'common.os_version': '18.4',
      'ios.Supervised': null,
      'ios.Languages': ['de', 'en'],
      absent: null,
      n: 1.5,
    };
    expect((await store.inventory.apply({ ...report, facts: later }))?.changed).toEqual([
      'common.os_version',
      'ios.Supervised',
      'ios.Languages',
    ]);
    expect((await store.inventory.get('A'))?.facts).toEqual({
      'common.os_version': '18.4',
      'ios.Languages': ['de', 'en'],
      n: 1.5,
    });
    expect(await store.inventory.apply({ ...report, enrolmentId: 'nobody', facts })).toBe(null);
    expect(await store.inventory.get('nobody')).toBe(null);
  });

  test('facts may have any names', async (store) => {
    await enrol(store, 'A');
    const facts = JSON.parse('{"__proto__":"x","constructor":1,"a\\"b\\u0000 ü":"\\u2028😀"}') as Record<
      string,
      string
    >;
    await store.inventory.apply({ ...report, facts });
    const kept = (await store.inventory.get('A'))?.facts ?? {};
    expect(Object.entries(kept).sort()).toEqual(Object.entries(facts).sort());
  });

  test('replaces lists, and appends an event only when something changed', async (store) => {
    await enrol(store, 'A');
    const before = (await eventTypes(store)).length;
    const apps = [{ identifier: 'a', name: 'A', version: '1', shortVersion: null, bundleSize: 5, managed: null }];
    const profiles = [{ identifier: 'p', uuid: 'u', displayName: 'P', organisation: null, managed: true }];
    const certificates = [{ commonName: 'c', isIdentity: true, fingerprint: 'f' }];
    const full = {
      ...report,
      facts: {},
      apps,
      profiles,
      certificates,
      complete: true,
      event: event('inventory.updated', 'A'),
    };
    expect(await store.inventory.apply(full)).toEqual({ changed: [], listsChanged: true });
    expect(await store.inventory.apply(full)).toEqual({ changed: [], listsChanged: false });
    expect(await store.inventory.get('A')).toEqual({ facts: {}, apps, profiles, certificates, inventoryAt: T0 + 1 });
    expect((await store.inventory.apply({ ...report, facts: {}, apps: [] }))?.listsChanged).toBe(true);
    expect(await store.inventory.get('A')).toMatchObject({ apps: [], profiles, certificates });
    expect((await eventTypes(store)).length).toBe(before + 1);
    const lists = await store.inventory.profiles(['A', 'nobody']);
    expect([lists.get('A'), lists.get('nobody')]).toEqual([profiles, []]);
  });

  test('gives rows by id and in pages', async (store) => {
    await enrol(store, 'A', 'B');
    await authenticate(store, 'C');
    await store.inventory.apply({ ...report, facts: { x: 1 } });
    const rows = await store.inventory.rows(['A', 'nobody']);
    expect(rows.map((row) => [row.enrolment.id, row.facts])).toEqual([['A', { x: 1 }]]);
    const filter = { channel: 'device', statuses: ['active'] } as const;
    const first = await store.inventory.scan(filter, { limit: 1 });
    expect(first.items.map((row) => row.enrolment.id)).toEqual(['A']);
    const second = await store.inventory.scan(filter, { limit: 5, after: first.next ?? '' });
    expect(second.items.map((row) => [row.enrolment.id, row.facts])).toEqual([['B', {}]]);
    expect(second.next).toBe(null);
  });
}

function labelTests({ test, expect }: Suite): void {
  test('labels have unique names', async (store) => {
    expect(await store.labels.create(label('a'))).toBe('created');
    expect(await store.labels.create(label('b', { name: 'label a' }))).toBe('name-taken');
    expect(await store.labels.create(label('b', { kind: 'dynamic', expression: 'x = 1' }))).toBe('created');
    expect(await store.labels.update(label('b', { name: 'label a' }))).toBe('name-taken');
    expect(await store.labels.update(label('b', { name: 'zebra', description: 'd' }))).toBe('updated');
    expect(await store.labels.update(label('nobody'))).toBe('unknown');
    expect(await store.labels.list()).toEqual([
      { ...label('a'), memberCount: 0 },
      { ...label('b', { name: 'zebra', description: 'd' }), memberCount: 0 },
    ]);
    expect((await store.labels.definitions()).map((definition) => definition.id)).toEqual(['a', 'b']);
    expect(await store.labels.get('nobody')).toBe(null);
  });

  test('a record with an id that is taken is refused and changes nothing', async (store) => {
    await enrol(store, 'A');
    await store.labels.create(label('a'));
    await join(store, 'a', 'A');
    expect(await store.labels.create(label('a', { description: 'again' }))).toBe('name-taken');
    expect(await codeOf(store.labels.create(label('a', { name: 'other' })))).toBe('core.store.duplicate_id');
    expect(await store.labels.list()).toEqual([{ ...label('a'), memberCount: 1 }]);
    await store.configurations.create(configuration('c'), T0, changed());
    expect(await store.configurations.create(configuration('c', { version: 9 }), T0, changed())).toBe('name-taken');
    const other = configuration('c', { name: 'other', labelIds: ['a'] });
    expect(await codeOf(store.configurations.create(other, T0, changed()))).toBe('core.store.duplicate_id');
    expect(await store.configurations.list()).toEqual([{ ...configuration('c'), applied: 0, waiting: 0 }]);
    expect(await store.configurations.claimMarks({ at: T0, leaseMs: 1, limit: 10 })).toEqual([]);
    expect((await eventTypes(store)).filter((type) => type === 'configuration.changed').length).toBe(1);
  });

  test('only real changes of membership count, each with an event', async (store) => {
    await enrol(store, 'A', 'B');
    await authenticate(store, 'C');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await store.labels.create(label('l'));
    const changes: MembershipChange[] = [
      ...['A', 'B', 'A', 'C', 'A:ann', 'nobody'].map((enrolmentId) => ({ labelId: 'l', enrolmentId, member: true })),
      { labelId: 'nothing', enrolmentId: 'A', member: true },
      { labelId: 'l', enrolmentId: 'C', member: false },
    ];
    const real = await store.labels.change({ changes, at: T0, cause: 'test' });
    expect(real.map((change) => change.enrolmentId)).toEqual(['A', 'B']);
    expect(await store.labels.change({ changes, at: T0, cause: 'test' })).toEqual([]);
    expect((await store.labels.get('l'))?.memberCount).toBe(2);
    expect((await store.events.list({ type: 'label.joined', order: 'oldest' }, { limit: 10 })).items).toMatchObject([
      { enrolmentId: 'A', data: { labelId: 'l', label: 'label l', cause: 'test' } },
      { enrolmentId: 'B' },
    ]);
    await store.labels.change({ changes: [{ labelId: 'l', enrolmentId: 'A', member: false }], at: T0, cause: 'test' });
    expect((await store.events.list({ type: 'label.left', order: 'oldest' }, { limit: 10 })).items.length).toBe(1);
    expect(await store.labels.memberIds('l')).toEqual(['B']);
  });

  test('tells the members of a label and the labels of a device', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    for (const id of ['k', 'l']) await store.labels.create(label(id));
    await join(store, 'l', 'C', 'A', 'B');
    await join(store, 'k', 'B');
    const first = await store.labels.members('l', { limit: 2 });
    expect(first.items.map((item) => item.id)).toEqual(['A', 'B']);
    const second = await store.labels.members('l', { limit: 2, after: first.next ?? '' });
    expect(second.items.map((item) => item.id)).toEqual(['C']);
    expect((await store.labels.of('B')).map((definition) => definition.id)).toEqual(['k', 'l']);
    const many = await store.labels.ofMany(['A', 'B', 'nobody']);
    expect([many.get('A'), [...(many.get('B') ?? [])].sort(), many.get('nobody')]).toEqual([['l'], ['k', 'l'], []]);
  });

  test('a device that checks out leaves its labels', async (store) => {
    await enrol(store, 'A', 'B');
    await store.labels.create(label('l'));
    await join(store, 'l', 'A', 'B');
    await store.enrolments.checkOut({ id: 'A', certificateFingerprint: 'pin-of-A', at: T0, events: [] });
    expect(await store.labels.memberIds('l')).toEqual(['B']);
    const { items } = await store.events.list({ type: 'label.left', order: 'oldest' }, { limit: 9 });
    expect(items.map(({ at, enrolmentId, data }) => ({ at, enrolmentId, data }))).toEqual([
      { at: T0, enrolmentId: 'A', data: { labelId: 'l', label: 'label l', cause: 'check-out' } },
    ]);
  });

  test('a deleted label leaves configurations and marks its members', async (store) => {
    await enrol(store, 'A', 'B');
    for (const id of ['k', 'l']) await store.labels.create(label(id));
    await join(store, 'k', 'B');
    await join(store, 'l', 'A');
    await store.configurations.create(configuration('c', { labelIds: ['k', 'l'] }), T0, changed());
    await store.configurations.clearMarks(await store.configurations.claimMarks({ at: T0, leaseMs: 1, limit: 9 }));
    expect(await store.labels.delete('l', T0)).toBe(true);
    expect(await store.labels.delete('l', T0)).toBe(false);
    expect((await store.configurations.get('c'))?.labelIds).toEqual(['k']);
    expect(await store.labels.of('A')).toEqual([]);
    expect(await marks(store)).toEqual(['A']);
  });

  test('the members of a deleted label leave it, each with an event', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    for (const id of ['k', 'l']) await store.labels.create(label(id));
    await join(store, 'l', 'B', 'A');
    await join(store, 'k', 'C');
    await store.labels.delete('l', T0 + 1);
    const { items } = await store.events.list({ type: 'label.left', order: 'oldest' }, { limit: 9 });
    const data = { labelId: 'l', label: 'label l', cause: 'label-deleted' };
    expect(items.map(({ at, enrolmentId, data: told }) => [at, enrolmentId, told])).toEqual([
      [T0 + 1, 'A', data],
      [T0 + 1, 'B', data],
    ]);
  });
}

function configurationTests({ test, expect }: Suite): void {
  test('configurations are kept as they are, with unique names', async (store) => {
    expect(await store.configurations.create(configuration('c'), T0, changed())).toBe('created');
    const twin = configuration('d', { name: 'configuration c' });
    expect(await store.configurations.create(twin, T0, changed())).toBe('name-taken');
    expect(await store.configurations.get('c')).toEqual(configuration('c'));
    expect(await store.configurations.get('d')).toBe(null);
    expect(await store.configurations.list()).toEqual([{ ...configuration('c'), applied: 0, waiting: 0 }]);
    expect(await eventTypes(store)).toEqual(['configuration.changed']);
  });

  test('an update needs the version that it was made from', async (store) => {
    await store.configurations.create(configuration('c'), T0, changed());
    const update = (version: number, expected: number) =>
      store.configurations.update(configuration('c', { version }), expected, T0, changed());
    const outcomes = await Promise.all([update(2, 1), update(2, 1), update(2, 1)]);
    expect(outcomes.filter((outcome) => outcome === 'updated').length).toBe(1);
    expect(outcomes.filter((outcome) => outcome === 'conflict').length).toBe(2);
    expect(await update(3, 1)).toBe('conflict');
    expect((await store.configurations.get('c'))?.version).toBe(2);
    expect(await store.configurations.update(configuration('x'), 1, T0, changed())).toBe('unknown');
  });

  test('marks the devices that a change concerns', async (store) => {
    await enrol(store, 'A', 'B', 'C', 'D');
    for (const id of ['k', 'l']) await store.labels.create(label(id));
    await join(store, 'k', 'A');
    await join(store, 'l', 'B');
    expect(await marks(store)).toEqual([]);
    await store.configurations.create(configuration('c', { labelIds: ['k'] }), T0, changed());
    expect(await marks(store)).toEqual(['A']);
    const at = T0 + HOUR;
    await store.configurations.clearMarks(await store.configurations.claimMarks({ at, leaseMs: 1, limit: 9 }));
    await store.configurations.putAssignments({ put: [assignment('C', 'c')], remove: [], events: [] });
    const moved = configuration('c', { labelIds: ['l'] });
    await store.configurations.update({ ...moved, description: 'new' }, 1, at, changed());
    expect((await marks(store, at)).sort()).toEqual(['A', 'B', 'C']);
    await store.configurations.clearMarks(
      await store.configurations.claimMarks({ at: at + HOUR, leaseMs: 1, limit: 9 }),
    );
    await store.configurations.update({ ...moved, description: 'newer' }, 1, at, changed());
    expect(await marks(store, at + HOUR)).toEqual([]);
    await join(store, 'l', 'D');
    expect(await marks(store, at + HOUR)).toEqual(['D']);
    expect(await store.configurations.delete('c', at, changed())).toBe(true);
    expect(await store.configurations.delete('c', at, changed())).toBe(false);
    expect((await marks(store, at + 2 * HOUR)).sort()).toEqual(['C', 'D']);
  });

  test('a mark is leased, comes back, and is cleared only if it is the same', async (store) => {
    await enrol(store, 'A', 'B');
    await store.configurations.mark({ enrolmentIds: ['A', 'B', 'nobody'], at: T0 });
    const claims = await Promise.all([marks(store, T0, 1), marks(store, T0, 1), marks(store, T0, 1)]);
    expect(claims.flat().sort()).toEqual(['A', 'B']);
    const again = await store.configurations.claimMarks({ at: T0 + MINUTE, leaseMs: MINUTE, limit: 9 });
    expect(again.length).toBe(2);
    await store.configurations.mark({ enrolmentIds: ['A'], at: T0 + MINUTE });
    await store.configurations.clearMarks(again);
    expect(await marks(store, T0 + HOUR)).toEqual(['A']);
    const only = { at: T0 + 2 * HOUR, leaseMs: MINUTE, limit: 9, enrolmentIds: ['B'] };
    expect(await store.configurations.claimMarks(only)).toEqual([]);
  });

  test('a change of facts marks whom configurations concern, by their labels or by what they have', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await store.labels.create(label('l'));
    await store.labels.create(label('other'));
    await join(store, 'l', 'A');
    await join(store, 'other', 'C');
    await store.configurations.create(configuration('c', { labelIds: ['l'] }), T0, changed());
    /** Who is marked; their marks are cleared. */
    const marked = async () => {
      const found = await store.configurations.claimMarks({ at: T0 + HOUR, leaseMs: MINUTE, limit: 99 });
      await store.configurations.clearMarks(found);
      return found.map(({ enrolmentId }) => enrolmentId).sort();
    };
    await marked();
    const concern = (...enrolmentIds: string[]) =>
      store.configurations.markConcerned({ enrolmentIds, at: T0 + MINUTE });
    expect(await concern('A', 'B', 'C', 'A', 'nobody')).toBe(true);
    expect(await marked()).toEqual(['A']);
    expect(await concern('B', 'C', 'nobody')).toBe(false);
    expect(await marked()).toEqual([]);
    await store.configurations.putAssignments({ put: [assignment('B', 'c')], remove: [], events: [] });
    expect(await concern('B', 'C')).toBe(true);
    expect(await marked()).toEqual(['B']);
  });

  test('desired configurations follow from labels, each once', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    for (const id of ['k', 'l']) await store.labels.create(label(id));
    await join(store, 'k', 'A', 'B');
    await join(store, 'l', 'A');
    await store.configurations.create(configuration('c', { labelIds: ['k', 'l'] }), T0, changed());
    await store.configurations.create(configuration('d', { labelIds: ['l'] }), T0, changed());
    const desired = await store.configurations.desired(['A', 'B', 'C', 'nobody']);
    expect([...(desired.get('A') ?? [])].sort()).toEqual(['c', 'd']);
    expect(desired.get('B')).toEqual(['c']);
    expect([desired.has('C'), desired.has('nobody')]).toEqual([false, false]);
  });

  test('assignments are put, overwritten, counted and removed', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await store.configurations.create(configuration('c'), T0, changed());
    const put = [
      assignment('A', 'c'),
      assignment('B', 'c', { status: 'applied' }),
      assignment('C', 'c', { status: 'not-applicable', profileUuid: null, commandUuid: null, detail: 'no' }),
    ];
    await store.configurations.putAssignments({ put, remove: [], events: [event('assignment.changed', 'A')] });
    expect((await store.configurations.list())[0]).toMatchObject({ applied: 1, waiting: 1 });
    const first = await store.configurations.assignments('c', { limit: 2 });
    expect(first.items).toEqual(put.slice(0, 2));
    expect((await store.configurations.assignments('c', { limit: 2, after: first.next ?? '' })).items).toEqual(
      put.slice(2),
    );
    const better = assignment('A', 'c', { status: 'applied', version: 2 });
    const remove = [{ enrolmentId: 'B', configurationId: 'c' }];
    await store.configurations.putAssignments({ put: [better], remove, events: [] });
    const of = await store.configurations.assignmentsOf(['A', 'B', 'nobody']);
    expect([of.get('A'), of.has('B'), of.has('nobody')]).toEqual([[better], false, false]);
  });

  test('a transition happens only from the command that it is about', async (store) => {
    await enrol(store, 'A');
    await store.configurations.putAssignments({ put: [assignment('A', 'c')], remove: [], events: [] });
    const move = (expectedCommandUuid: string | null, to: AssignmentRecord | null) =>
      store.configurations.transition({
        enrolmentId: 'A',
        configurationId: 'c',
        expectedCommandUuid,
        to,
        events: [event('assignment.changed', 'A')],
      });
    const before = (await eventTypes(store)).length;
    expect(await move('other', null)).toBe(false);
    expect(await move(null, null)).toBe(false);
    const to = assignment('A', 'c', { status: 'sent', commandUuid: null });
    expect(await move('c1', to)).toBe(true);
    expect((await store.configurations.assignmentsOf(['A'])).get('A')).toEqual([to]);
    expect(await move(null, null)).toBe(true);
    expect(await move(null, null)).toBe(false);
    expect((await eventTypes(store)).length).toBe(before + 2);
  });

  test('a device that checks out has no assignments any more', async (store) => {
    await enrol(store, 'A');
    await store.configurations.putAssignments({ put: [assignment('A', 'c')], remove: [], events: [] });
    await store.configurations.mark({ enrolmentIds: ['A'], at: T0 });
    await store.enrolments.checkOut({ id: 'A', certificateFingerprint: 'pin-of-A', at: T0, events: [] });
    expect((await store.configurations.assignmentsOf(['A'])).has('A')).toBe(false);
    expect(await marks(store)).toEqual([]);
  });
}
