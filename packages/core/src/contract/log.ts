// The suite: events, settings, leases, and the store as a whole.
import { codeOf, event, HOUR, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

/** Registers the tests. */
export function logTests({ test, expect }: Suite): void {
  test('events get growing numbers and are listed from either end', async (store) => {
    expect(await store.events.lastSeq()).toBe(0);
    const stored = await store.events.append([event('push.sent', 'A'), event('push.failed', 'B'), event('push.sent')]);
    const seqs = stored.map((item) => item.seq);
    expect(seqs.every((seq, i) => seq > (seqs[i - 1] ?? 0))).toBe(true);
    expect(await store.events.lastSeq()).toBe(seqs[2]);
    const newest = await store.events.list({ order: 'newest' }, { limit: 2 });
    expect(newest.items.map((item) => item.seq)).toEqual([seqs[2], seqs[1]]);
    const rest = await store.events.list({ order: 'newest' }, { limit: 2, after: newest.next ?? '' });
    expect(rest.items).toEqual([{ seq: seqs[0], ...event('push.sent', 'A') }]);
    expect(rest.next).toBe(null);
    const oldest = await store.events.list({ order: 'oldest' }, { limit: 2 });
    expect(oldest.items.map((item) => item.seq)).toEqual([seqs[0], seqs[1]]);
    const after = await store.events.list({ order: 'oldest' }, { limit: 2, after: oldest.next ?? '' });
    expect(after.items.map((item) => item.seq)).toEqual([seqs[2]]);
  });

  test('events are filtered by enrolment and type', async (store) => {
    await store.events.append([
      event('push.sent', 'A'),
      event('push.failed', 'A'),
      event('push.sent', 'B'),
      event('push.sent'),
    ]);
    const list = async (query: object) =>
      (await store.events.list({ order: 'oldest', ...query }, { limit: 10 })).items.map((item) => [
        item.type,
        item.enrolmentId,
      ]);
    expect(await list({ enrolmentId: 'A' })).toEqual([
      ['push.sent', 'A'],
      ['push.failed', 'A'],
    ]);
    expect(await list({ type: 'push.sent' })).toEqual([
      ['push.sent', 'A'],
      ['push.sent', 'B'],
      ['push.sent', null],
    ]);
    expect(await list({ type: 'push.failed', enrolmentId: 'B' })).toEqual([]);
  });

  test('events are followed and pruned', async (store) => {
    await store.events.append([event('push.sent', 'A', T0), event('push.sent', 'B', T0 + HOUR)]);
    expect((await store.events.since(0, 1)).map((item) => item.enrolmentId)).toEqual(['A']);
    expect((await store.events.since(await store.events.lastSeq(), 10)).length).toBe(0);
    expect(await store.events.prune({ before: T0 + MINUTE, limit: 10 })).toBe(1);
    expect((await store.events.since(0, 10)).map((item) => item.enrolmentId)).toEqual(['B']);
    const last = await store.events.lastSeq();
    expect(await store.events.prune({ before: T0 + 2 * HOUR, limit: 10 })).toBe(1);
    const [next] = await store.events.append([event('push.sent')]);
    expect((next?.seq ?? 0) > last).toBe(true);
  });

  test('concurrent appends all get numbers of their own', async (store) => {
    const stored = await Promise.all(Array.from({ length: 30 }, () => store.events.append([event('push.sent')])));
    expect(new Set(stored.flat().map((item) => item.seq)).size).toBe(30);
  });

  test('settings are set, read, and set where absent', async (store) => {
    expect(await store.settings.get('a')).toBe(null);
    const values = await Promise.all(['x', 'y', 'z'].map((value) => store.settings.setIfAbsent('a', value)));
    expect(new Set(values).size).toBe(1);
    expect(await store.settings.get('a')).toBe(values[0]);
    await store.settings.set('a', 'other');
    expect(await store.settings.setIfAbsent('a', 'x')).toBe('other');
    expect(await store.settings.replace('a', 'x', 'y')).toBe(false);
    expect(await store.settings.replace('a', null, 'y')).toBe(false);
    expect(await store.settings.replace('none', 'x', 'y')).toBe(false);
    const replaced = await Promise.all(['1', '2', '3'].map((value) => store.settings.replace('a', 'other', value)));
    expect(replaced.filter(Boolean).length).toBe(1);
    expect(await store.settings.get('a')).toBe(String(replaced.indexOf(true) + 1));
    const added = await Promise.all(['1', '2'].map((value) => store.settings.replace('b', null, value)));
    expect(added.filter(Boolean).length).toBe(1);
  });

  test('a lease has one owner at a time, who may prolong it', async (store) => {
    const lease = (owner: string, at: number) => store.settings.lease({ name: 'l', owner, at, until: at + MINUTE });
    const first = await Promise.all(['a', 'b', 'c'].map((owner) => lease(owner, T0)));
    expect(first.filter((held) => held).length).toBe(1);
    const owner = ['a', 'b', 'c'][first.indexOf(true)] ?? '';
    expect(await lease(owner, T0 + 1)).toBe(true);
    expect(await lease('other', T0 + MINUTE)).toBe(false);
    expect(await lease('other', T0 + 1 + MINUTE)).toBe(true);
    expect(await lease(owner, T0 + 2 + MINUTE)).toBe(false);
  });

  test('a closed store says so', async (store) => {
    await store.close();
    expect(await codeOf(store.settings.get('a'))).toBe('core.store.closed');
    expect(await codeOf(store.settings.set('a', 'b'))).toBe('core.store.closed');
    await store.close();
  });
}
