// Labels that refer to labels, searches that become labels, previews, and the passing of time.
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice } from './support.ts';

const DAY = 86_400_000;
const answer = (OSVersion: string, IsSupervised: boolean) => (requestType: string) =>
  requestType === 'DeviceInformation' ? { QueryResponses: { OSVersion, IsSupervised, ProductName: 'iPhone15,2' } } : {};

const names = (items: readonly { readonly id: string }[]) => items.map((item) => item.id);

async function membersOf(engine: ReturnType<typeof bench>['engine'], id: string) {
  return names((await engine.labels.members(id)).items);
}

describe('labels that refer to labels', () => {
  it('follow in the order of their dependencies, each with an event and the cause', async () => {
    const { engine } = bench();
    const devices = ['U1', 'U2'].map((udid) => new ScriptedDevice(engine, udid));
    for (const device of devices) {
      await device.enrol();
      await device.session(answer('18.3', false));
    }
    const hand = await engine.labels.create({ name: 'by hand' });
    const supervised = await engine.labels.create({ name: 'Supervised', expression: '"ios.Supervised" = true' });
    const both = await engine.labels.create({
      name: 'both',
      expression: '"common.label" = "supervised" AND "common.label" = "by hand"',
    });
    const neither = await engine.labels.create({
      name: 'neither',
      expression: '"common.label" not in ("Supervised", "by hand") AND "common.label" != "both"',
    });
    expect([both.memberCount, neither.memberCount]).toEqual([0, 2]);
    await engine.labels.setMembers(hand.id, { add: ['U1'] });
    expect(await membersOf(engine, neither.id)).toEqual(['U2']);
    await engine.devices.refresh(['U1']);
    await devices[0]!.session(answer('18.3', true));
    expect(await membersOf(engine, supervised.id)).toEqual(['U1']);
    expect(await membersOf(engine, both.id)).toEqual(['U1']);
    // A label that is evaluated for the whole fleet takes along those that refer to it.
    await engine.labels.update(supervised.id, { expression: '"ios.Supervised" = false' });
    expect(await membersOf(engine, both.id)).toEqual([]);
    expect(await membersOf(engine, neither.id)).toEqual([]);
    const { items } = await engine.events.list({ enrolmentId: 'U1', order: 'oldest', limit: 1000 });
    expect(
      items
        .filter((event) => event.type.startsWith('label.'))
        .map(({ type, data }) => `${type} ${String(data['label'])}: ${String(data['cause'])}`),
    ).toEqual([
      'label.joined neither: label created',
      'label.joined by hand: by hand',
      'label.left neither: by hand',
      'label.joined Supervised: DeviceInformation',
      'label.joined both: DeviceInformation',
      'label.left Supervised: label changed',
      'label.left both: label changed',
    ]);
  });

  it('may not lead back to themselves, refer to nothing, or to an open set', async () => {
    const { engine } = bench();
    const a = await engine.labels.create({ name: 'a', expression: '"common.platform" = "iOS"' });
    const b = await engine.labels.create({ name: 'b', expression: '"common.label" != "a"' });
    await engine.labels.create({ name: 'c', expression: '"common.label" in ("b", "a")' });
    await expect(engine.labels.update(a.id, { expression: '"common.label" = "c"' })).rejects.toMatchObject({
      code: 'core.label.cycle',
      kind: 'conflict',
      message: 'the label would refer to itself: "a" → "c" → "b" → "a"',
    });
    await expect(engine.labels.update(b.id, { expression: '"common.label" = "B"' })).rejects.toMatchObject({
      code: 'core.label.cycle',
    });
    await expect(engine.labels.create({ name: 'd', expression: '"common.label" = "x"' })).rejects.toMatchObject({
      code: 'core.label.unknown_reference',
      kind: 'invalid',
    });
    for (const open of ['starts with "a"', 'is null', '= ""', 'does not contain "b"']) {
      await expect(engine.labels.create({ name: 'd', expression: `"common.label" ${open}` })).rejects.toMatchObject({
        code: 'core.label.open_reference',
      });
    }
    expect((await engine.labels.get(a.id))?.expression).toBe('"common.platform" = "iOS"');
  });

  it('keep the names that they use: no renaming, no deleting', async () => {
    const { engine } = bench();
    const a = await engine.labels.create({ name: 'a' });
    const b = await engine.labels.create({ name: 'b', expression: '"common.label" = "a"' });
    const refused = {
      code: 'core.label.in_use',
      kind: 'conflict',
      message: expect.stringContaining('"b" refer to it'),
    };
    await expect(engine.labels.update(a.id, { name: 'z' })).rejects.toMatchObject(refused);
    await expect(engine.labels.delete(a.id)).rejects.toMatchObject(refused);
    await engine.labels.update(a.id, { name: 'a', description: 'new' });
    await engine.labels.delete(b.id);
    expect((await engine.labels.update(a.id, { name: 'z' })).name).toBe('z');
  });

  it('may be searched for with any operator', async () => {
    const { engine } = bench();
    for (const udid of ['U1', 'U2', 'U3']) await new ScriptedDevice(engine, udid).enrol();
    const [x, y] = [await engine.labels.create({ name: 'Xylem' }), await engine.labels.create({ name: 'Yarn' })];
    await engine.labels.setMembers(x.id, { add: ['U1', 'U2'] });
    await engine.labels.setMembers(y.id, { add: ['U2'] });
    const find = async (expression: string) =>
      (await engine.devices.list({ expression })).items.map((row) => row.enrolment.id);
    expect(await find('"common.label" = "xylem"')).toEqual(['U1', 'U2']);
    expect(await find('"common.label" != "xylem"')).toEqual(['U3']);
    expect(await find('"common.label" contains "ar"')).toEqual(['U2']);
    expect(await find('"common.label" does not start with "y"')).toEqual(['U1', 'U3']);
    expect(await find('"common.label" is null')).toEqual(['U3']);
    expect((await engine.devices.list({ labelId: y.id })).total).toBe(1);
    await expect(engine.devices.list({ labelId: 'nobody' })).rejects.toMatchObject({ code: 'core.label.unknown' });
  });
});

describe('searches and labels', () => {
  it('a search becomes a label, also over one that nothing uses', async () => {
    const { engine } = bench();
    for (const udid of ['U1', 'U2']) await new ScriptedDevice(engine, udid).enrol();
    const saved = await engine.labels.saveSearch({ name: 'found', basic: 'sn: SU2', description: 'd' });
    expect([saved.expression, saved.kind, saved.memberCount, saved.description]).toEqual([
      '"common.serial_number" = "SU2"',
      'dynamic',
      1,
      'd',
    ]);
    const expression = '"common.platform" = "iOS"';
    await expect(engine.labels.saveSearch({ name: 'found', expression })).rejects.toMatchObject({
      code: 'core.label.name_taken',
    });
    const over = await engine.labels.saveSearch({ name: 'found', expression, overwrite: true });
    expect([over.id, over.memberCount]).toEqual([saved.id, 2]);
    await engine.configurations.create({ name: 'c', type: 'passcode', settings: {}, labelIds: [over.id] });
    await expect(engine.labels.saveSearch({ name: 'found', expression, overwrite: true })).rejects.toMatchObject({
      code: 'core.label.in_use',
      message: expect.stringContaining('"c"'),
    });
    const none = { code: 'core.search.two_queries' };
    await expect(engine.labels.saveSearch({ name: 'x' })).rejects.toMatchObject(none);
    await expect(engine.labels.saveSearch({ name: 'x', expression, basic: 'y' })).rejects.toMatchObject(none);
  });

  it('a preview tells who would join and who would leave, and changes nothing', async () => {
    const { engine, store } = bench();
    for (const udid of ['U1', 'U2', 'U3', 'U4']) await new ScriptedDevice(engine, udid).enrol();
    const first = '"common.serial_number" in ("SU1", "SU2")';
    const label = await engine.labels.create({ name: 'some', expression: first });
    const other = await engine.labels.create({ name: 'other', expression: '"common.label" = "some"' });
    const seq = await store.events.lastSeq();
    const preview = await engine.labels.preview({
      labelId: label.id,
      expression: '"common.serial_number" in ("SU2", "SU3", "SU4")',
      limit: 1,
    });
    expect([preview.joining.count, names(preview.joining.items)]).toEqual([2, ['U3']]);
    expect([preview.leaving.count, names(preview.leaving.items), preview.staying]).toEqual([1, ['U1'], 1]);
    expect(preview.dependants).toEqual([{ id: other.id, name: 'other' }]);
    expect(await membersOf(engine, label.id)).toEqual(['U1', 'U2']);
    expect((await engine.labels.get(label.id))?.expression).toBe(first);
    expect(await store.events.lastSeq()).toBe(seq);
    const fresh = await engine.labels.preview({ expression: '' });
    expect([fresh.joining.count, fresh.leaving.count, fresh.staying]).toEqual([4, 0, 0]);
    await expect(
      engine.labels.preview({ labelId: label.id, expression: '"common.label" = "other"' }),
    ).rejects.toMatchObject({ code: 'core.label.cycle' });
    await expect(engine.labels.preview({ expression: '"common.platform" =' })).rejects.toMatchObject({
      name: 'SearchSyntaxError',
    });
  });

  it('retired devices are left out of searches unless they are wanted; secrets are not compared unless allowed', async () => {
    const { engine } = bench();
    for (const udid of ['U1', 'U2']) await new ScriptedDevice(engine, udid).enrol();
    await new ScriptedDevice(engine, 'U2').checkin({ MessageType: 'CheckOut', Topic: 't' });
    const find = async (query: Parameters<typeof engine.devices.list>[0]) => (await engine.devices.list(query)).total;
    const expression = '"common.platform" = "iOS"';
    expect([await find({ expression }), await find({ expression, excludeRetired: false })]).toEqual([1, 2]);
    expect([await find({ basic: 'sn:SU2' }), await find({ basic: 'sn:SU2', excludeRetired: false })]).toEqual([0, 1]);
    expect(await find({ expression: '"common.retired" = true' })).toBe(0);
    expect(await find({ expression: '"common.retired" = true', excludeRetired: false })).toBe(1);
    expect([await find({}), await find({ excludeRetired: true })]).toEqual([2, 1]);
    const secret = '"common.pending_device_passcode" starts with "1"';
    await expect(find({ expression: secret })).rejects.toMatchObject({ code: 'search.sensitive', kind: 'forbidden' });
    expect(await find({ expression: secret, sensitive: true })).toBe(0);
    await expect(engine.labels.create({ name: 'x', expression: secret })).rejects.toMatchObject({
      code: 'search.sensitive',
    });
  });
});

describe('the passing of time', () => {
  const seen = { name: 'seen', expression: '"common.last_connected_at" within the last 7 days' };

  it('moves devices when their time has come, with the cause, and looks at no other', async () => {
    const { engine, store, clock } = bench();
    const [first, second] = ['U1', 'U2'].map((udid) => new ScriptedDevice(engine, udid));
    await first!.enrol();
    clock.advance(2 * DAY);
    await second!.enrol();
    const label = await engine.labels.create(seen);
    await engine.tick();
    const look = store.labels.look.bind(store.labels);
    const looked: string[] = [];
    Object.assign(store.labels, {
      look: (ids: readonly string[]) => {
        looked.push(...ids);
        return look(ids);
      },
    });
    clock.advance(5 * DAY);
    await engine.tick();
    expect([looked, await membersOf(engine, label.id)]).toEqual([[], ['U1', 'U2']]);
    clock.advance(1);
    await engine.tick();
    expect([looked, await membersOf(engine, label.id)]).toEqual([['U1'], ['U2']]);
    const { items } = await engine.events.list({ enrolmentId: 'U1', type: 'label.left' });
    expect(items.map((event) => event.data['cause'])).toEqual(['time']);
    clock.advance(2 * DAY);
    await engine.tick();
    expect(looked).toEqual(['U1', 'U2']);
    clock.advance(100 * DAY);
    await engine.tick();
    expect(looked).toEqual(['U1', 'U2']);
  });

  it('a device that was silent joins again when it is heard of', async () => {
    const { engine, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const label = await engine.labels.create(seen);
    const silent = await engine.labels.create({
      name: 'silent',
      expression: '"common.last_connected_at" not within the last 7 days',
    });
    await engine.tick();
    clock.advance(8 * DAY);
    await engine.tick();
    expect([await membersOf(engine, label.id), await membersOf(engine, silent.id)]).toEqual([[], ['U1']]);
    await device.idle();
    await engine.tick();
    expect([await membersOf(engine, label.id), await membersOf(engine, silent.id)]).toEqual([['U1'], []]);
    clock.advance(6 * DAY);
    await device.idle();
    clock.advance(6 * DAY);
    await engine.tick();
    expect(await membersOf(engine, label.id)).toEqual(['U1']);
  });

  it('fixed dates turn at a contact', async () => {
    const { engine, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const label = await engine.labels.create({ name: 'x', expression: '"common.last_connected_at" >= "2026-01-05"' });
    await engine.tick();
    clock.advance(3 * DAY);
    await device.idle();
    await engine.tick();
    expect(await membersOf(engine, label.id)).toEqual([]);
    clock.advance(2 * DAY);
    await device.idle();
    await engine.tick();
    expect(await membersOf(engine, label.id)).toEqual(['U1']);
  });

  it('takes along the labels that refer to one that time moves', async () => {
    const { engine, clock } = bench();
    await new ScriptedDevice(engine, 'U1').enrol();
    await engine.labels.create(seen);
    const lost = await engine.labels.create({ name: 'lost', expression: 'NOT "common.label" = "seen"' });
    expect(lost.memberCount).toBe(0);
    await engine.tick();
    clock.advance(8 * DAY);
    await engine.tick();
    expect(await membersOf(engine, lost.id)).toEqual(['U1']);
  });
});

describe('what a crash leaves behind', () => {
  it('a label whose evaluation was cut off is evaluated later', async () => {
    const { engine, store } = bench();
    await new ScriptedDevice(engine, 'U1').enrol();
    const change = store.labels.change.bind(store.labels);
    Object.assign(store.labels, { change: () => Promise.reject(new Error('cut off')) });
    await expect(engine.labels.create({ name: 'x', expression: '' })).rejects.toThrow('cut off');
    Object.assign(store.labels, { change });
    await engine.tick();
    expect((await engine.labels.list())[0]?.memberCount).toBe(1);
    expect(await store.labels.unevaluated()).toEqual([]);
  });

  it('facts whose labels were not evaluated are evaluated when the result is applied again', async () => {
    const { engine, store, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session(answer('18.3', false));
    const label = await engine.labels.create({ name: 'x', expression: '"ios.Supervised" = true' });
    await engine.devices.refresh(['U1']);
    const change = store.labels.change.bind(store.labels);
    const done = store.queue.followUpDone.bind(store.queue);
    Object.assign(store.labels, { change: async () => [] });
    Object.assign(store.queue, { followUpDone: async () => undefined });
    await device.session(answer('18.3', true));
    Object.assign(store.labels, { change });
    Object.assign(store.queue, { followUpDone: done });
    clock.advance(60_000);
    await engine.tick();
    expect(await membersOf(engine, label.id)).toEqual(['U1']);
  });
});
