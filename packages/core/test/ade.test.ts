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
  const { id } = await made.engine.ade.createAccount({ ...input, defaultProfile: 'P1' });
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
    expect(renewed).toMatchObject({ name: 'School', tokenExpiresAt: 10, defaultProfile: 'P1', version: 2 });
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

describe('enrolment profiles', () => {
  const definition = { apple: { profile_name: 'x', is_supervised: true } };

  /** A source that remembers what Apple would, and lists what it is given once. */
  function apple(devices: readonly AdeSourceDevice[], refuse: (profile: object) => string | null = () => null) {
    const defined: object[] = [];
    const calls: [uuid: string | null, serials: string][] = [];
    const done = async function* (uuid: string | null, serials: Iterable<string>) {
      const list = [...serials];
      calls.push([uuid, list.join(' ')]);
      yield { outcomes: new Map(list.map((serial) => [serial, 'SUCCESS'])) };
    };
    const source = sourceOf([page(devices, 1, whole)], {
      assignProfile: done,
      removeProfile: (serials) => done(null, serials),
      async defineProfile(profile) {
        const code = refuse(profile);
        if (code !== null) throw Object.assign(new Error('refused'), { code, kind: 'invalid' });
        defined.push(profile);
        return { profileUuid: `U${defined.length}` };
      },
    });
    return { ...source, asked: source.asked, defined, calls };
  }

  async function withProfile() {
    const made = await setting();
    const profile = await made.ade.createProfile(made.id, { name: 'Teachers', definition });
    await made.ade.updateAccount(made.id, { defaultProfile: profile.id });
    return { ...made, profile };
  }

  it('go to Apple with the sync, and from there to the devices; a change goes the same way', async () => {
    const { ade, id, profile, store } = await withProfile();
    const source = apple([device('S1'), device('S2'), device('S3')]);
    const compile = ({ definition: given }: { definition: object }) => ({
      ...given,
      url: 'https://mdm.example/enrol/ade',
    });
    const first = await ade.sync(id, source, { compile });
    expect(first).toMatchObject({ outcome: 'done', defined: 1, assigned: 3, removed: 0 });
    expect(source.defined).toEqual([{ ...definition, url: 'https://mdm.example/enrol/ade' }]);
    expect(source.calls).toEqual([['U1', 'S1 S2 S3']]);
    expect(await ade.profile(profile.id)).toMatchObject({ version: 1, appleUuid: 'U1', appleVersion: 1 });
    // Nothing new: nothing is done.
    expect(await ade.sync(id, source, { compile })).toMatchObject({ defined: 0, assigned: 0 });
    const changed = await ade.updateProfile(profile.id, { name: 'All teachers' }, { expectedVersion: 1 });
    expect(changed).toMatchObject({ name: 'All teachers', definition, version: 2, appleVersion: 1 });
    expect(await ade.sync(id, source)).toMatchObject({ defined: 1, assigned: 3 });
    expect(source.calls.at(-1)).toEqual(['U2', 'S1 S2 S3']);
    expect(await ade.profiles(id)).toEqual([{ ...changed, appleUuid: 'U2', appleVersion: 2, devices: 3, setUp: 0 }]);
    expect((await ade.find('S1'))[0]).toMatchObject({
      profileId: profile.id,
      profileUuid: 'U2',
      profileStatus: 'assigned',
    });
    const types = (await store.events.since(0, 100))
      .map((one) => one.type)
      .filter((type) => type.startsWith('ade.profile'));
    expect(types).toEqual(['ade.profile-changed', 'ade.profile-defined', 'ade.profile-changed', 'ade.profile-defined']);
  });

  it('that Apple does not take hold up nobody, and are tried again when they change', async () => {
    const { ade, id, profile } = await withProfile();
    const other = await ade.createProfile(id, { name: 'Other', definition: {} });
    let wrong = true;
    const source = apple([device('S1')], (given) =>
      wrong && 'apple' in given ? 'ade.enrolment.config_url_required' : null,
    );
    expect(await ade.sync(id, source)).toMatchObject({ outcome: 'done', defined: 1, added: 1, assigned: 0 });
    expect(await ade.profile(profile.id)).toMatchObject({
      appleUuid: null,
      failure: 'ade.enrolment.config_url_required',
    });
    expect(await ade.profile(other.id)).toMatchObject({ appleUuid: 'U1', failure: null });
    wrong = false;
    expect(await ade.sync(id, source)).toMatchObject({ defined: 0 });
    await ade.updateProfile(profile.id, { description: 'with an address' });
    expect(await ade.sync(id, source)).toMatchObject({ defined: 1, assigned: 1 });
    // Another failure than of this profile ends the sync, as any failure does.
    const down = {
      ...source,
      defineProfile: () => Promise.reject(Object.assign(new Error('away'), { code: 'ade.http.unreachable' })),
    };
    await ade.updateProfile(profile.id, {});
    await expect(ade.sync(id, down)).rejects.toThrow('away');
    expect((await ade.profile(profile.id))?.failure).toBe(null);
  });

  it('are deleted with consequences: the default needs a successor, a rule holds them', async () => {
    const { ade, id, profile } = await withProfile();
    const source = apple([device('S1'), device('S2')]);
    await ade.sync(id, source);
    const next = await ade.createProfile(id, { name: 'Next', definition });
    await expect(ade.deleteProfile(profile.id)).rejects.toMatchObject({
      code: 'core.ade.default_profile',
      kind: 'conflict',
    });
    await expect(ade.deleteProfile(profile.id, { newDefault: profile.id })).rejects.toMatchObject({
      code: 'core.ade.default_profile',
    });
    await expect(ade.deleteProfile(profile.id, { newDefault: 'nothing' })).rejects.toMatchObject({
      code: 'core.ade.unknown_profile',
    });
    await ade.updateAccount(id, { rules: [{ profileId: profile.id, models: ['iPad'] }] });
    await expect(ade.deleteProfile(profile.id, { newDefault: next.id })).rejects.toMatchObject({
      code: 'core.ade.profile_in_rules',
    });
    await ade.updateAccount(id, { rules: [] });
    expect(await ade.deleteProfile(profile.id, { newDefault: next.id })).toEqual({ devices: 2 });
    expect((await ade.accounts())[0]?.defaultProfile).toBe(next.id);
    expect(await ade.sync(id, source)).toMatchObject({ defined: 1, assigned: 2 });
    expect(source.calls.at(-1)).toEqual(['U2', 'S1 S2']);
    expect(await ade.deleteProfile(next.id, { newDefault: null })).toEqual({ devices: 2 });
    expect(await ade.sync(id, source)).toMatchObject({ removed: 2, assigned: 0 });
    expect(source.calls.at(-1)).toEqual([null, 'S1 S2']);
    expect((await ade.find('S1'))[0]).toMatchObject({ profileUuid: null, profileStatus: 'removed', profileId: null });
    for (const call of [ade.deleteProfile(next.id), ade.updateProfile(next.id, {}), ade.assign(id, null, ['S9'])]) {
      await expect(call).rejects.toMatchObject({ kind: 'not-found' });
    }
  });

  it('are chosen by rule and given by hand; bad ones are refused', async () => {
    const { ade, id, profile } = await withProfile();
    const macs = await ade.createProfile(id, { name: 'Macs', definition });
    const source = apple([device('S1'), device('S2', { device_family: 'Mac' })]);
    const choose = ({ device_family }: AdeSourceDevice) => (device_family === 'Mac' ? macs.id : profile.id);
    expect(await ade.sync(id, source, { choose })).toMatchObject({ defined: 2, assigned: 2 });
    expect((await ade.find('S2'))[0]?.profileId).toBe(macs.id);
    expect(await ade.assign(id, macs.id, ['s1'])).toEqual({ devices: 1 });
    expect(await ade.assign(id, null, ['S2'])).toEqual({ devices: 1 });
    // Without a way to remove it stays due.
    const { removeProfile: _, ...unable } = source;
    expect(await ade.sync(id, unable)).toMatchObject({ assigned: 1, removed: 0, refused: 1 });
    expect((await ade.find('S1'))[0]).toMatchObject({ profileId: macs.id, assignAt: null });
    expect((await ade.find('S2'))[0]).toMatchObject({ profileId: null, assignOutcome: 'NOT_SUPPORTED' });
    for (const bad of [{ name: ' ' }, { name: 'x'.repeat(126) }, { definition: { x: 'x'.repeat(600_000) } }]) {
      const call = ade.createProfile(id, { name: 'Good', definition, ...bad });
      await expect(call).rejects.toMatchObject({ code: 'core.ade.bad_profile', kind: 'invalid' });
    }
    await expect(ade.createProfile('nobody', { name: 'Good', definition })).rejects.toMatchObject({
      code: 'core.ade.unknown_account',
    });
    await expect(ade.updateProfile(macs.id, { name: 'x' }, { expectedVersion: 7 })).rejects.toMatchObject({
      code: 'core.ade.changed_meanwhile',
    });
  });
});
