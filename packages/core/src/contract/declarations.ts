// The suite: declarations, sets and members, marks, snapshots and tokens, what devices report.
import type { DeclarationSet, StoredDeclaration } from '../api/declarations.ts';
import type { DeclarationStateRecord } from '../contracts/declarations.ts';
import type { Store } from '../contracts/store.ts';
import { authenticate, enrol, event, eventTypes, HOUR, MINUTE, pinOf, T0, tokenUpdate } from './fixtures.ts';
import type { Suite } from './runner.ts';

function declaration(identifier: string, options: Partial<StoredDeclaration> = {}): StoredDeclaration {
  return {
    identifier,
    type: 'com.apple.configuration.passcode.settings',
    kind: 'configuration',
    description: `about ${identifier}`,
    payload: { MinimumLength: 6, nested: { list: [1, 'two', null, 'ü\u2028'] } },
    serverToken: `token-${identifier}`,
    content: null,
    version: 1,
    createdAt: T0,
    updatedAt: T0,
    ...options,
  };
}

function setOf(id: string, options: Partial<DeclarationSet> = {}): DeclarationSet {
  return {
    id,
    name: `set ${id}`,
    description: '',
    channel: 'device',
    identifiers: [],
    labelIds: [],
    version: 1,
    createdAt: T0,
    updatedAt: T0,
    ...options,
  };
}

function state(
  enrolmentId: string,
  identifier: string,
  options: Partial<DeclarationStateRecord> = {},
): DeclarationStateRecord {
  return {
    enrolmentId,
    identifier,
    kind: 'configuration',
    serverToken: 't',
    active: true,
    valid: 'valid',
    reasons: [{ code: 'Info.Predicate', description: 'no', details: { Predicate: 'x' } }],
    reportedAt: T0,
    ...options,
  };
}

const changed = () => event('declaration-set.changed');
const put = (store: Store, ...identifiers: readonly string[]) =>
  Promise.all(
    identifiers.map((identifier) =>
      store.declarations.put(declaration(identifier), null, {
        concerning: [],
        at: T0,
        event: event('declaration.changed'),
      }),
    ),
  );
const putSet = (store: Store, set: DeclarationSet, expected: number | null = null, at = T0) =>
  store.declarations.putSet(set, expected, at, changed());
const members = (store: Store, setId: string, add: readonly string[], remove: readonly string[] = [], at = T0) =>
  store.declarations.changeMembers({ setId, add, remove, at, event: changed() });

/** Who is marked, and clears the marks. */
async function marked(store: Store, at = T0): Promise<string[]> {
  const marks = await store.declarations.claimMarks({ at, leaseMs: MINUTE, limit: 1_000 });
  await store.declarations.clearMarks(marks);
  return marks.map((mark) => mark.enrolmentId).sort();
}

/** Two devices, one with a user channel, and one that is still pending. */
async function fleet(store: Store): Promise<void> {
  await enrol(store, 'A', 'B');
  await tokenUpdate(store, 'A', { user: 'ann' });
  await authenticate(store, 'C');
}

const label = (id: string) => ({
  id,
  name: `label ${id}`,
  description: '',
  kind: 'manual' as const,
  expression: null,
  createdAt: T0,
  updatedAt: T0,
});

const join = (store: Store, labelId: string, enrolmentId: string, member = true, at = T0) =>
  store.labels.change({ changes: [{ labelId, enrolmentId, member }], at, cause: 'test' });

/** Registers the tests. */
export function declarationTests(suite: Suite): void {
  definitionTests(suite);
  memberTests(suite);
  markTests(suite);
  syncTests(suite);
  reportTests(suite);
}

function definitionTests({ test, expect }: Suite): void {
  test('declarations are written once for each version', async (store) => {
    expect(await put(store, 'b', 'a')).toEqual(['written', 'written']);
    const options = { concerning: [], at: T0, event: event('declaration.changed') };
    expect(await store.declarations.put(declaration('a'), null, options)).toBe('conflict');
    const content = { contentType: 'text/plain', size: 3, sha256: 'ff' };
    const second = declaration('a', { version: 2, content, serverToken: 'other', payload: { __proto__: null, x: 1 } });
    expect(await store.declarations.put(second, 1, options)).toBe('written');
    expect(await store.declarations.put(second, 1, options)).toBe('conflict');
    expect(await store.declarations.put(declaration('nobody', { version: 2 }), 1, options)).toBe('conflict');
    expect(await store.declarations.getMany(['a', 'nobody'])).toEqual([{ ...second, payload: { x: 1 } }]);
    const first = await store.declarations.list({ limit: 1 });
    expect(first.items.map((one) => one.identifier)).toEqual(['a']);
    const rest = await store.declarations.list({ limit: 5, after: first.next ?? '' });
    expect([rest.items, rest.next]).toEqual([[declaration('b')], null]);
  });

  test('sets name declarations that exist, and have names of their own', async (store) => {
    await put(store, 'a', 'b');
    const set = setOf('s', { identifiers: ['b', 'a'], description: 'd' });
    expect(await putSet(store, set)).toBe('written');
    expect(await putSet(store, set)).toBe('conflict');
    expect(await putSet(store, setOf('t', { name: 'set s' }))).toBe('name-taken');
    expect(await putSet(store, setOf('t', { identifiers: ['a', 'nobody'] }))).toBe('unknown-declaration');
    expect(await putSet(store, setOf('t', { name: 'zebra' }))).toBe('written');
    const next = { ...set, version: 2, identifiers: ['b'], name: 'other' };
    expect(await putSet(store, next, 1)).toBe('written');
    expect(await putSet(store, { ...next, version: 3 }, 1)).toBe('conflict');
    expect(await store.declarations.getSets(['s', 'nobody'])).toEqual([next]);
    expect((await store.declarations.listSets()).map((one) => [one.id, one.memberCount])).toEqual([
      ['s', 0],
      ['t', 0],
    ]);
  });

  test('a declaration in a set is not deleted', async (store) => {
    await put(store, 'a');
    await putSet(store, setOf('s', { identifiers: ['a'] }));
    expect(await store.declarations.delete('a', event('declaration.changed'))).toBe('in-use');
    expect(await store.declarations.delete('nobody', event('declaration.changed'))).toBe('unknown');
    expect(await store.declarations.deleteSet('s', T0, changed())).toBe(true);
    expect(await store.declarations.deleteSet('s', T0, changed())).toBe(false);
    expect(await store.declarations.delete('a', event('declaration.changed'))).toBe('deleted');
    expect(await store.declarations.getMany(['a'])).toEqual([]);
  });
}

function memberTests({ test, expect }: Suite): void {
  test('who is enrolled joins, once, and what changed is counted', async (store) => {
    await fleet(store);
    await putSet(store, setOf('s'));
    expect(await members(store, 'nobody', ['A'])).toBe(null);
    const before = (await eventTypes(store)).length;
    expect(await members(store, 's', ['A', 'C', 'nobody', 'A'])).toEqual({ added: 2, removed: 0 });
    expect(await members(store, 's', ['A'], ['B'])).toEqual({ added: 0, removed: 0 });
    expect(await members(store, 's', ['B'], ['C'])).toEqual({ added: 1, removed: 1 });
    const events = (await store.events.since(0, 1_000)).slice(before);
    expect(events.map((one) => one.data)).toEqual([
      { note: 'contract', added: 2, removed: 0 },
      { note: 'contract', added: 1, removed: 1 },
    ]);
    const first = await store.declarations.members('s', { limit: 1 });
    expect(first.items).toEqual(['A']);
    expect((await store.declarations.members('s', { limit: 9, after: first.next ?? '' })).items).toEqual(['B']);
    expect((await store.declarations.listSets())[0]?.memberCount).toBe(2);
  });

  test('a set concerns members, labels, and the user channels of both', async (store) => {
    await fleet(store);
    await store.labels.create(label('l'));
    await putSet(store, setOf('direct'));
    await putSet(store, setOf('labelled', { labelIds: ['l'] }));
    await putSet(store, setOf('users', { channel: 'user', labelIds: ['l'] }));
    await putSet(store, setOf('ann', { channel: 'user' }));
    await join(store, 'l', 'A');
    await members(store, 'direct', ['B', 'A:ann']);
    await members(store, 'labelled', ['A']);
    await members(store, 'ann', ['A:ann', 'B']);
    const desired = await store.declarations.desired(['A', 'B', 'C', 'A:ann', 'nobody']);
    expect([...desired].sort()).toEqual([
      ['A', ['labelled']],
      ['A:ann', ['ann', 'users']],
      ['B', ['direct']],
    ]);
    await store.labels.delete('l', T0);
    expect([...(await store.declarations.desired(['A', 'A:ann']))].sort()).toEqual([
      ['A', ['labelled']],
      ['A:ann', ['ann']],
    ]);
    expect((await store.declarations.getSets(['users']))[0]?.labelIds).toEqual([]);
  });

  test('who leaves is no member any more, and who enrols anew still is', async (store) => {
    await fleet(store);
    await putSet(store, setOf('s'));
    await members(store, 's', ['A', 'B', 'A:ann']);
    await store.enrolments.checkOut({ id: 'A', certificateFingerprint: pinOf('A'), at: T0, events: [] });
    await authenticate(store, 'B', { pin: 'another' });
    expect((await store.declarations.members('s', { limit: 9 })).items).toEqual(['B']);
  });
}

function markTests({ test, expect }: Suite): void {
  test('changes of a set mark whom it concerns, at their time', async (store) => {
    await fleet(store);
    await put(store, 'a', 'b');
    await store.labels.create(label('l'));
    await join(store, 'l', 'B');
    await putSet(store, setOf('s'));
    expect(await marked(store)).toEqual([]);
    await members(store, 's', ['A', 'C']);
    expect((await marked(store)).filter((id) => !id.includes(':'))).toEqual(['A', 'C']);
    await putSet(store, setOf('s', { identifiers: ['a'], version: 2 }), 1, T0 + MINUTE);
    expect(await marked(store)).toEqual([]);
    expect((await marked(store, T0 + MINUTE)).filter((id) => !id.includes(':'))).toEqual(['A', 'C']);
    await putSet(store, setOf('s', { identifiers: ['a'], version: 3, description: 'more' }), 2);
    expect(await marked(store)).toEqual([]);
    await putSet(store, setOf('s', { identifiers: ['a'], version: 4, labelIds: ['l'] }), 3);
    expect((await marked(store)).filter((id) => !id.includes(':'))).toEqual(['A', 'B', 'C']);
    const options = { at: T0, event: event('declaration.changed') };
    await store.declarations.put(declaration('b', { version: 2 }), 1, { ...options, concerning: ['b'] });
    expect(await marked(store)).toEqual([]);
    await store.declarations.put(declaration('b', { version: 3 }), 2, { ...options, concerning: ['b', 'a'] });
    expect((await marked(store)).filter((id) => !id.includes(':'))).toEqual(['A', 'B', 'C']);
    await store.declarations.deleteSet('s', T0, changed());
    expect((await marked(store)).filter((id) => !id.includes(':'))).toEqual(['A', 'B', 'C']);
  });

  test('labels of sets mark who joins and leaves, user channels too', async (store) => {
    await fleet(store);
    await store.labels.create(label('l'));
    await store.labels.create(label('other'));
    await putSet(store, setOf('s', { labelIds: ['l'], channel: 'user' }));
    await join(store, 'other', 'A');
    expect(await marked(store)).toEqual([]);
    await join(store, 'l', 'A');
    expect((await marked(store)).includes('A:ann')).toBe(true);
    await join(store, 'l', 'A', false);
    expect((await marked(store)).includes('A:ann')).toBe(true);
    await join(store, 'l', 'A');
    await marked(store);
    await store.labels.delete('l', T0);
    expect((await marked(store)).includes('A:ann')).toBe(true);
  });

  test('marks are leased, cleared when they are the same, and kept when made anew', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await store.declarations.mark({ enrolmentIds: ['B'], at: T0 });
    await store.declarations.mark({ enrolmentIds: ['A', 'nobody'], at: T0 + 1 });
    await store.declarations.mark({ enrolmentIds: ['C'], at: T0 + HOUR });
    const claim = (at: number, limit = 10) => store.declarations.claimMarks({ at, leaseMs: MINUTE, limit });
    const [first] = await claim(T0 + 1, 1);
    expect(first?.enrolmentId).toBe('B');
    expect((await claim(T0 + 1)).map((mark) => mark.enrolmentId)).toEqual(['A']);
    expect(await claim(T0 + 1)).toEqual([]);
    await store.declarations.mark({ enrolmentIds: ['B'], at: T0 + 2 });
    await store.declarations.clearMarks([first!]);
    expect((await claim(T0 + 2)).map((mark) => mark.enrolmentId)).toEqual(['B']);
    expect((await claim(T0 + 2 + MINUTE)).map((mark) => mark.enrolmentId).sort()).toEqual(['A', 'B']);
  });

  test('a set of 100,000 members changes in one step', async (store) => {
    // Only some are enrolled; the others are known by nothing but their names.
    const enrolled = Array.from({ length: 100 }, (_, i) => `D${i}`);
    await enrol(store, ...enrolled);
    const all = [...enrolled, ...Array.from({ length: 99_900 }, (_, i) => `nobody-${i}`)];
    await put(store, 'a');
    await putSet(store, setOf('s'));
    expect(await members(store, 's', all)).toEqual({ added: 100, removed: 0 });
    expect((await marked(store)).length).toBe(100);
    await putSet(store, setOf('s', { identifiers: ['a'], version: 2 }), 1);
    expect((await marked(store)).length).toBe(100);
    expect((await store.declarations.desired(enrolled)).size).toBe(100);
    expect(await members(store, 's', [], all)).toEqual({ added: 0, removed: 100 });
  });
}

function syncTests({ test, expect }: Suite): void {
  const items = '[{"identifier":"a"}]';
  const snapshots = [
    { token: 't1', items },
    { token: 't2', items: '[]' },
  ];
  const fetched = (store: Store, enrolmentId: string, token: string, at: number) =>
    store.declarations.fetched({ enrolmentId, token, at, event: event('declarations.fetched', enrolmentId) });

  test('tokens are assigned, told and fetched', async (store) => {
    await enrol(store, 'A', 'B');
    const sync = async (id: string) => (await store.declarations.syncs([id, 'nobody'])).get(id);
    expect(await sync('A')).toBe(undefined);
    const put = [
      { enrolmentId: 'A', token: 't1' },
      { enrolmentId: 'nobody', token: 't1' },
    ];
    await store.declarations.assign({ snapshots, put, at: T0 });
    const fresh = {
      token: 't1',
      tokenAt: T0,
      deviceToken: null,
      fetchedAt: null,
      askedToken: null,
      askedAt: null,
      reports: 0,
      reportedAt: null,
      capabilities: null,
    };
    expect(await sync('A')).toEqual(fresh);
    expect([await store.declarations.snapshot('t1'), await store.declarations.snapshot('none')]).toEqual([items, null]);
    await store.declarations.assign({ snapshots, put, at: T0 + 1 });
    expect(await sync('A')).toEqual(fresh);
    await store.declarations.asked({ put, at: T0 + 2 });
    const before = (await eventTypes(store)).length;
    await fetched(store, 'A', 't1', T0 + 3);
    await fetched(store, 'A', 't1', T0 + 4);
    await fetched(store, 'B', 't1', T0 + 4);
    expect((await eventTypes(store)).slice(before)).toEqual(['declarations.fetched']);
    const told = { ...fresh, askedToken: 't1', askedAt: T0 + 2, deviceToken: 't1', fetchedAt: T0 + 4 };
    expect(await sync('A')).toEqual(told);
    await store.declarations.assign({ snapshots, put: [{ enrolmentId: 'A', token: 't2' }], at: T0 + 5 });
    expect(await sync('A')).toEqual({ ...told, token: 't2', tokenAt: T0 + 5 });
  });

  test('an enrolment that begins anew or leaves has no token', async (store) => {
    await enrol(store, 'A', 'B');
    const put = ['A', 'B'].map((enrolmentId) => ({ enrolmentId, token: 't1' }));
    await store.declarations.assign({ snapshots, put, at: T0 });
    for (const id of ['A', 'B']) {
      const states = [state(id, 'a')];
      const taken = {
        enrolmentId: id,
        expectedReports: 0,
        at: T0,
        status: '{}',
        capabilities: null,
        states,
        events: [],
      };
      expect(await store.declarations.report(taken)).toBe(true);
      await store.declarations.mark({ enrolmentIds: [id], at: T0 });
    }
    await authenticate(store, 'A', { pin: 'another' });
    await store.enrolments.checkOut({ id: 'B', certificateFingerprint: pinOf('B'), at: T0, events: [] });
    expect((await store.declarations.syncs(['A', 'B'])).size).toBe(0);
    expect(await marked(store)).toEqual([]);
    expect((await store.declarations.statesOn('a', { limit: 9 })).items).toEqual([]);
  });

  test('who was told long ago and has not fetched is found', async (store) => {
    await fleet(store);
    const ids = ['A', 'A:ann', 'B', 'C'];
    const put = ids.map((enrolmentId) => ({ enrolmentId, token: 't1' }));
    await store.declarations.assign({ snapshots, put, at: T0 });
    expect(await store.declarations.outdated({ before: T0 + HOUR, limit: 9 })).toEqual([]);
    await store.declarations.asked({ put, at: T0 });
    expect(await store.declarations.outdated({ before: T0, limit: 9 })).toEqual([]);
    // C is pending: nobody to talk to.
    expect(await store.declarations.outdated({ before: T0 + 1, limit: 9 })).toEqual(['A', 'A:ann', 'B']);
    await fetched(store, 'A', 't1', T0);
    expect(await store.declarations.outdated({ before: T0 + 1, limit: 1 })).toEqual(['A:ann']);
  });

  test('the holders of a certificate are the device and its users', async (store) => {
    await fleet(store);
    const put = ['A', 'A:ann', 'B'].map((enrolmentId) => ({ enrolmentId, token: 't1' }));
    await store.declarations.assign({ snapshots, put, at: T0 });
    const holders = async (pin: string) =>
      (await store.declarations.holders(pin)).map((one) => `${one.enrolmentId} ${one.token}`).sort();
    expect(await holders(pinOf('A'))).toEqual(['A t1', 'A:ann t1']);
    expect(await holders(pinOf('C'))).toEqual([]);
    expect(await holders('nobody')).toEqual([]);
    await store.enrolments.checkOut({ id: 'A', certificateFingerprint: pinOf('A'), at: T0, events: [] });
    expect(await holders(pinOf('A'))).toEqual([]);
  });

  test('snapshots that nobody has are forgotten', async (store) => {
    await enrol(store, 'A');
    await store.declarations.assign({ snapshots, put: [{ enrolmentId: 'A', token: 't1' }], at: T0 });
    expect(await store.declarations.prune({ before: T0, limit: 9 })).toBe(0);
    expect(await store.declarations.prune({ before: T0 + 1, limit: 9 })).toBe(1);
    expect([await store.declarations.snapshot('t1'), await store.declarations.snapshot('t2')]).toEqual([items, null]);
  });
}

function reportTests({ test, expect }: Suite): void {
  test('a report replaces what is known, if it is the next one', async (store) => {
    await enrol(store, 'A', 'B');
    const report = {
      enrolmentId: 'A',
      expectedReports: 0,
      at: T0 + 1,
      status: '{"__proto__":1,"passcode.is-present":true}',
      capabilities: '{"versions":["1.0.0"]}',
      states: [state('A', 'b', { active: false, valid: 'invalid' }), state('A', 'a', { reasons: [] })],
      events: [event('declaration.reported', 'A')],
    } as const;
    expect(await store.declarations.report(report)).toBe(false);
    const put = ['A', 'B'].map((enrolmentId) => ({ enrolmentId, token: 't' }));
    await store.declarations.assign({ snapshots: [{ token: 't', items: '[]' }], put, at: T0 });
    expect(await store.declarations.status('A')).toBe(null);
    expect(await store.declarations.report({ ...report, expectedReports: 1 })).toBe(false);
    const before = (await eventTypes(store)).length;
    expect(await store.declarations.report(report)).toBe(true);
    expect(await store.declarations.report(report)).toBe(false);
    expect((await eventTypes(store)).slice(before)).toEqual(['declaration.reported']);
    expect(await store.declarations.status('A')).toBe(report.status);
    expect(await store.declarations.statesOf('A')).toEqual([report.states[1], report.states[0]]);
    const sync = async () => (await store.declarations.syncs(['A'])).get('A');
    expect(await sync()).toMatchObject({ reports: 1, reportedAt: T0 + 1, capabilities: report.capabilities });
    const next = {
      ...report,
      expectedReports: 1,
      at: T0 + 2,
      capabilities: null,
      states: [state('A', 'c')],
      events: [],
    };
    expect(await store.declarations.report(next)).toBe(true);
    expect(await sync()).toMatchObject({ reports: 2, reportedAt: T0 + 2, capabilities: report.capabilities });
    expect((await store.declarations.statesOf('A')).map((one) => one.identifier)).toEqual(['c']);
  });

  test('what devices say of one declaration is listed by device', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    const put = ['A', 'B', 'C'].map((enrolmentId) => ({ enrolmentId, token: 't' }));
    await store.declarations.assign({ snapshots: [{ token: 't', items: '[]' }], put, at: T0 });
    for (const id of ['C', 'A', 'B']) {
      const states = id === 'B' ? [state(id, 'y')] : [state(id, 'x'), state(id, 'y')];
      await store.declarations.report({
        enrolmentId: id,
        expectedReports: 0,
        at: T0,
        status: '{}',
        capabilities: null,
        states,
        events: [],
      });
    }
    const first = await store.declarations.statesOn('x', { limit: 1 });
    expect(first.items).toEqual([state('A', 'x')]);
    const rest = await store.declarations.statesOn('x', { limit: 9, after: first.next ?? '' });
    expect([rest.items, rest.next]).toEqual([[state('C', 'x')], null]);
  });
}
