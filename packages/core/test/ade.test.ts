// Automated device enrolment in the engine: accounts, the sync, assignments, what devices get when they enrol.
import { catalogue } from '@espalier/search/catalogue';
import { describe, expect, it } from 'vitest';
import type { AdeCursor, AdeSource, AdeSourceDevice, AdeSourcePage, AdeStaging } from '../src/index.ts';
import { bench, ScriptedDevice } from './support.ts';

const device = (serial_number: string, more: Partial<AdeSourceDevice> = {}): AdeSourceDevice => ({
  serial_number,
  model: 'iPad',
  profile_status: 'empty',
  ...more,
});
const at = (cursor: number): AdeCursor => ({ phase: 'sync', cursor: String(cursor) });
const page = (
  devices: readonly AdeSourceDevice[],
  cursor: number,
  more: Partial<AdeSourcePage> = {},
): AdeSourcePage => ({
  devices,
  complete: false,
  next: at(cursor),
  ...more,
});
/** The first page of a whole list that is its last one, too. */
const whole = { restarted: 'first', complete: true };

/** A source that has these pages, by where they begin. */
function sourceOf(pages: readonly AdeSourcePage[], more: Partial<AdeSource> = {}): AdeSource & { asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    async *sync(from) {
      asked.push(from?.cursor);
      yield* pages.slice(Number(from?.cursor ?? 0));
    },
    ...more,
  };
}
const input = { name: 'School', token: '{"consumerSecret":"CS_hidden"}', tokenExpiresAt: 9 };

async function setting() {
  const made = bench();
  const { id } = await made.engine.ade.createAccount({ ...input, defaultProfileUuid: 'P1' });
  return { ...made, ade: made.engine.ade, id };
}

describe('accounts', () => {
  it('keep their token sealed, are renewed and deleted', async () => {
    const { ade, id, store } = await setting();
    expect(await ade.token(id)).toBe(input.token);
    const blob = await store.secrets.get(`ade:${id}`, 'token');
    expect(Buffer.from(blob!).includes('CS_hidden')).toBe(false);
    expect(JSON.stringify(await store.events.since(0, 100))).not.toContain('CS_hidden');
    const renewed = await ade.updateAccount(id, { token: 'new', tokenExpiresAt: 10 }, { expectedVersion: 1 });
    expect(renewed).toMatchObject({ name: 'School', tokenExpiresAt: 10, defaultProfileUuid: 'P1', version: 2 });
    expect(await ade.token(id)).toBe('new');
    await expect(ade.updateAccount(id, { name: 'x' }, { expectedVersion: 1 })).rejects.toMatchObject({
      code: 'core.ade.changed_meanwhile',
      kind: 'conflict',
    });
    await expect(ade.updateAccount(id, { name: ' ' })).rejects.toMatchObject({ code: 'core.ade.bad_account' });
    expect((await ade.accounts()).map((item) => [item.name, item.sync.pages])).toEqual([['School', 0]]);
    expect(await ade.deleteAccount(id)).toBe(true);
    for (const call of [ade.token(id), ade.updateAccount(id, {}), ade.sync(id, sourceOf([]))]) {
      await expect(call).rejects.toMatchObject({ code: 'core.ade.unknown_account', kind: 'not-found' });
    }
  });
});

describe('the sync', () => {
  it('reads the list, then what changes, and tells how far it is', async () => {
    const { ade, id, store } = await setting();
    const seen: number[] = [];
    const first = [device('S1'), device('S2'), device('bad serial'), device('S2', { model: 'iPad Air' })];
    const changes = [device('S1', { op_type: 'deleted', op_date: '2026-01-02T00:00:00Z' }), device('S3')];
    const source = sourceOf([page(first, 1, whole), page(changes, 2)]);
    const result = await ade.sync(id, source, { onProgress: (progress) => seen.push(progress.pages) });
    expect(result).toMatchObject({ outcome: 'done', pages: 2, added: 3, deleted: 1, unusable: 1, gone: 0 });
    expect(seen).toEqual([1, 2]);
    expect(
      (await ade.devices({ accountId: id })).items.map((item) => [item.serialNumber, item.record['model']]),
    ).toEqual([
      ['S2', 'iPad Air'],
      ['S3', 'iPad'],
    ]);
    expect((await ade.find('s1'))[0]?.goneAt).toBeTypeOf('number');
    expect(await ade.counts(id)).toEqual({ listed: 2, due: 2 });
    expect((await ade.sync(id, source)).pages).toBe(0);
    expect(source.asked).toEqual([undefined, '2']);
    const types = (await store.events.since(0, 100)).map((event) => event.type);
    expect(types).toEqual(['ade.account-changed', 'ade.page-synced', 'ade.page-synced']);
  });

  it('a list that begins anew takes away what it does not have', async () => {
    const { ade, id } = await setting();
    await ade.sync(id, sourceOf([page([device('S1'), device('S2')], 1, whole)]));
    const again = {
      ...sourceOf([]),
      async *sync() {
        yield page([device('S2')], 1, { restarted: 'expired_cursor', complete: true });
      },
    };
    expect(await ade.sync(id, again)).toMatchObject({ gone: 1, unchanged: 1, added: 0 });
    expect((await ade.devices()).items.map((item) => item.serialNumber)).toEqual(['S2']);
  });

  it('is one process’s at a time; whoever was overtaken changes nothing more', async () => {
    const { ade, id, clock } = await setting();
    const outcomes: string[] = [];
    const slow: AdeSource = {
      async *sync() {
        yield page([device('S1')], 1, { ...whole, complete: false });
        outcomes.push((await ade.sync(id, sourceOf([]))).outcome);
        clock.advance(60_000);
        outcomes.push((await ade.sync(id, sourceOf([]))).outcome);
        yield page([device('S2')], 2);
      },
    };
    expect((await ade.sync(id, slow)).outcome).toBe('overtaken');
    expect(outcomes).toEqual(['busy', 'done']);
    expect((await ade.devices()).items.map((item) => item.serialNumber)).toEqual(['S1']);
  });

  it('notes a failure, gives the account back, and goes on from the last page', async () => {
    const { ade, id, store } = await setting();
    const failure = Object.assign(new Error('the service is away'), { code: 'ade.http.unavailable' });
    const failing: AdeSource = {
      async *sync() {
        yield page([device('S1')], 1, whole);
        throw failure;
      },
    };
    await expect(ade.sync(id, failing)).rejects.toBe(failure);
    expect((await ade.accounts())[0]?.sync).toMatchObject({
      failure: 'ade.http.unavailable',
      leasedUntil: 0,
      pages: 1,
    });
    expect((await store.events.since(0, 100)).at(-1)).toMatchObject({ type: 'ade.sync-failed' });
    const source = sourceOf([page([], 1), page([device('S2')], 2)]);
    expect(await ade.sync(id, source)).toMatchObject({ outcome: 'done', added: 1 });
    expect((await ade.accounts())[0]?.sync).toMatchObject({ failure: null });
    for (const options of [{ limit: 0 }, { limit: 1001 }, { leaseMs: 10 }, { leaseMs: Number.NaN }]) {
      await expect(ade.sync(id, source, options)).rejects.toMatchObject({ code: 'core.ade.bad_option' });
    }
  });

  it('assigns the default, the chosen and the wanted profile, and tries again what Apple did not take', async () => {
    const { ade, id, clock } = await setting();
    const asked: [string, string[]][] = [];
    let throttled = true;
    const assignProfile: NonNullable<AdeSource['assignProfile']> = async function* (uuid, serials) {
      const list = [...serials];
      asked.push([uuid, list]);
      const outcome = (serial: string) => (serial === 'S2' && throttled ? 'THROTTLED' : 'SUCCESS');
      yield { outcomes: new Map(list.map((serial) => [serial, outcome(serial)])), retryAfterMs: 5_000 };
    };
    const list = [device('S1'), device('S2'), device('S3', { model: 'Mac' }), device('S4', { profile_uuid: 'P1' })];
    const source = sourceOf([page(list, 1, whole)], { assignProfile });
    const choose = (one: AdeSourceDevice) => (one.model === 'Mac' ? 'P2' : 'P1');
    expect(await ade.sync(id, source, { choose })).toMatchObject({ assigned: 2, refused: 1 });
    expect(asked).toEqual([
      ['P1', ['S1', 'S2']],
      ['P2', ['S3']],
    ]);
    expect(await ade.sync(id, source)).toMatchObject({ assigned: 0, refused: 0 });
    throttled = false;
    clock.advance(5_000);
    expect(await ade.sync(id, source)).toMatchObject({ assigned: 1 });
    expect((await ade.find('S2'))[0]).toMatchObject({ profileUuid: 'P1', profileStatus: 'assigned', assignAt: null });
    await expect(ade.assign(id, 'P9', ['S1', 'S9'])).rejects.toMatchObject({ code: 'core.ade.unlisted_device' });
    expect(await ade.assign(id, 'P9', ['s1'])).toEqual({ devices: 1 });
    await ade.sync(id, source);
    expect(asked.at(-1)).toEqual(['P9', ['S1']]);
    const many = Array.from({ length: 5_001 }, (_, i) => `S${i}`);
    await expect(ade.assign(id, 'P9', many)).rejects.toMatchObject({ code: 'core.ade.too_many', kind: 'too-large' });
  });
});

describe('devices that enrol', () => {
  it('get what was staged for them, and are known as listed', async () => {
    const { ade, id, engine } = await setting();
    expect(catalogue.get('ios.dep_device')?.displayName).toBe('DEP Device');
    await ade.sync(id, sourceOf([page([device('SD1'), device('SD2')], 1, whole)]));
    const staging: AdeStaging = {
      serialNumber: 'sd1',
      set: { ManagedAppleID: 'j@school.example', Year: 7 },
      clear: ['Cart'],
    };
    await ade.assign(id, 'P1', [staging]);
    const first = new ScriptedDevice(engine, 'D1');
    await first.enrol();
    const facts = (await engine.devices.get('D1'))?.facts;
    expect(facts).toMatchObject({
      'ios.dep_device': true,
      'device.custom.ManagedAppleID': 'j@school.example',
      'device.custom.Year': 7,
    });
    expect(facts).not.toHaveProperty('device.custom.Cart');
    expect((await ade.find('SD1'))[0]?.enrolmentId).toBe('D1');
    const stranger = new ScriptedDevice(engine, 'X');
    await stranger.enrol();
    expect((await engine.devices.get('X'))?.facts).not.toHaveProperty('ios.dep_device');
  });

  it('are known as not listed once Apple takes them away, unless another account has them', async () => {
    const { ade, id, engine } = await setting();
    const other = await ade.createAccount({ ...input, name: 'Other' });
    const label = await engine.labels.create({ name: 'Listed', expression: '"ios.dep_device" = true' });
    const enrolled = new ScriptedDevice(engine, 'D1');
    await enrolled.enrol();
    const listed = async () => [
      (await engine.devices.get('D1'))?.facts['ios.dep_device'],
      (await engine.devices.list({ labelId: label.id })).total,
    ];
    const source = sourceOf([page([device('SD1')], 1, whole), page([device('SD1', { op_type: 'deleted' })], 2)]);
    await ade.sync(id, {
      sync: async function* () {
        yield page([device('SD1')], 1, whole);
      },
    });
    expect(await listed()).toEqual([true, 1]);
    await ade.sync(other.id, {
      sync: async function* () {
        yield page([device('SD1')], 1, whole);
      },
    });
    await ade.sync(id, source);
    expect(await listed()).toEqual([true, 1]);
    await ade.sync(other.id, {
      sync: async function* () {
        yield page([], 2, whole);
      },
    });
    expect(await listed()).toEqual([false, 0]);
  });
});
