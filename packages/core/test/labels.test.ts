// Labels: by expression, by hand, and what a change of facts does to them.
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice } from './support.ts';

const answer = (OSVersion: string, IsSupervised: boolean) => (requestType: string) =>
  requestType === 'DeviceInformation' ? { QueryResponses: { OSVersion, IsSupervised, ProductName: 'iPhone15,2' } } : {};

describe('dynamic labels', () => {
  it('take in devices that are there, and follow facts as they change, with the cause', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session(answer('18.3', false));
    const ios = await engine.labels.create({ name: 'iOS', expression: '"common.platform" = "iOS"' });
    const supervised = await engine.labels.create({ name: 'supervised', expression: '"ios.Supervised" = true' });
    expect([ios.memberCount, supervised.memberCount]).toEqual([1, 0]);
    expect(ios.kind).toBe('dynamic');
    await engine.devices.refresh(['U1']);
    await device.session(answer('18.3', true));
    expect((await engine.labels.get(supervised.id))?.memberCount).toBe(1);
    expect((await engine.devices.get('U1'))?.labels.map((label) => label.name)).toEqual(['iOS', 'supervised']);
    await engine.devices.refresh(['U1']);
    await device.session(answer('18.3', false));
    expect((await engine.labels.members(supervised.id)).items).toEqual([]);
    const { items } = await engine.events.list({ enrolmentId: 'U1', order: 'oldest', limit: 1000 });
    expect(
      items
        .filter((event) => event.type.startsWith('label.'))
        .map(({ type, data }) => [type, data['label'], data['cause']]),
    ).toEqual([
      ['label.joined', 'iOS', 'label created'],
      ['label.joined', 'supervised', 'DeviceInformation'],
      ['label.left', 'supervised', 'DeviceInformation'],
    ]);
  });

  it('are evaluated only when a fact that they read changed', async () => {
    const { engine, store } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session(answer('18.3', true));
    await engine.labels.create({ name: 'supervised', expression: '"ios.Supervised" = true' });
    await engine.labels.create({ name: 'of one model', expression: '"common.model_name" = "iPhone 15"' });
    const look = store.labels.look.bind(store.labels);
    let evaluated = 0;
    Object.assign(store.labels, {
      look: (ids: readonly string[]) => {
        evaluated++;
        return look(ids);
      },
    });
    await engine.devices.refresh(['U1']);
    await device.session(answer('18.4', true));
    expect(evaluated).toBe(0);
    await engine.devices.refresh(['U1']);
    await device.session(answer('18.4', false));
    expect(evaluated).toBe(1);
  });

  it('take in a device when it enrols, and lose it when it checks out', async () => {
    const { engine } = bench();
    const label = await engine.labels.create({ name: 'iOS', expression: '"common.platform" = "iOS"' });
    const device = new ScriptedDevice(engine, 'U1');
    await device.authenticate();
    expect((await engine.labels.get(label.id))?.memberCount).toBe(0);
    await device.tokenUpdate();
    expect((await engine.labels.get(label.id))?.memberCount).toBe(1);
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    expect((await engine.labels.get(label.id))?.memberCount).toBe(0);
  });

  it('follow the time', async () => {
    const { engine, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const expression = '"common.last_connected_at" within the last 7 days';
    const label = await engine.labels.create({ name: 'seen lately', expression });
    expect(label.memberCount).toBe(1);
    clock.advance(8 * 86_400_000);
    await engine.tick();
    expect((await engine.labels.get(label.id))?.memberCount).toBe(0);
  });

  it('are evaluated anew when their expression changes', async () => {
    const { engine } = bench();
    await new ScriptedDevice(engine, 'U1').enrol();
    const label = await engine.labels.create({ name: 'x', expression: '"common.platform" = "macOS"' });
    expect(label.memberCount).toBe(0);
    expect((await engine.labels.update(label.id, { expression: '"common.platform" = "iOS"' })).memberCount).toBe(1);
    expect((await engine.labels.update(label.id, { name: 'y', description: 'd' })).name).toBe('y');
  });

  it('refuse expressions that are none, with the place, and change nothing', async () => {
    const { engine } = bench();
    await expect(engine.labels.create({ name: 'x', expression: '"common.platform" =' })).rejects.toMatchObject({
      name: 'SearchSyntaxError',
      kind: 'invalid',
    });
    await expect(engine.labels.create({ name: 'x', expression: '"common.plattform" = "iOS"' })).rejects.toMatchObject({
      code: 'core.search.unknown_field',
      kind: 'invalid',
    });
    expect(await engine.labels.list()).toEqual([]);
  });
});

describe('manual labels', () => {
  it('have the members that are put into them', async () => {
    const { engine } = bench();
    for (const udid of ['U1', 'U2']) await new ScriptedDevice(engine, udid).enrol();
    const label = await engine.labels.create({ name: 'by hand' });
    await engine.labels.setMembers(label.id, { add: ['U1', 'U2', 'nobody'] });
    await engine.labels.setMembers(label.id, { add: ['U1'], remove: ['U2'] });
    expect((await engine.labels.members(label.id)).items.map((item) => item.id)).toEqual(['U1']);
    await expect(engine.labels.update(label.id, { expression: '"common.platform" = "iOS"' })).rejects.toMatchObject({
      code: 'core.label.manual',
    });
    const dynamic = await engine.labels.create({ name: 'd', expression: '"common.platform" = "iOS"' });
    await expect(engine.labels.setMembers(dynamic.id, { add: ['U1'] })).rejects.toMatchObject({
      code: 'core.label.dynamic',
    });
  });

  it('have names that are unique and not blank', async () => {
    const { engine } = bench();
    const label = await engine.labels.create({ name: 'a' });
    await expect(engine.labels.create({ name: 'a' })).rejects.toMatchObject({
      code: 'core.label.name_taken',
      kind: 'conflict',
    });
    await expect(engine.labels.create({ name: ' ' })).rejects.toMatchObject({ code: 'core.label.bad_name' });
    await expect(engine.labels.update('nobody', { name: 'b' })).rejects.toMatchObject({ code: 'core.label.unknown' });
    await engine.labels.delete(label.id);
    await engine.labels.delete(label.id);
    expect(await engine.labels.get(label.id)).toBeNull();
  });

  it('are a target for commands, as searches are', async () => {
    const { engine } = bench();
    for (const udid of ['U1', 'U2', 'U3']) await new ScriptedDevice(engine, udid).enrol();
    const label = await engine.labels.create({ name: 'by hand' });
    await engine.labels.setMembers(label.id, { add: ['U1', 'U2'] });
    const { enqueue } = engine.commands;
    expect((await enqueue({ labelId: label.id }, 'RestartDevice', {})).queued).toBe(2);
    expect((await enqueue({ search: '"common.serial_number" = "SU3"' }, 'RestartDevice', {})).queued).toBe(1);
    await expect(enqueue({ labelId: 'nobody' }, 'RestartDevice', {})).rejects.toMatchObject({
      code: 'core.label.unknown',
    });
    await expect(enqueue({ enrolmentIds: ['nobody'] }, 'RestartDevice', {})).rejects.toMatchObject({
      code: 'core.enrolment.unknown',
      kind: 'not-found',
    });
  });
});

describe('searching devices', () => {
  it('lists, searches and pages', async () => {
    const { engine } = bench();
    for (let i = 0; i < 7; i++) await new ScriptedDevice(engine, `U${i}`).enrol();
    await new ScriptedDevice(engine, 'M1', { ProductName: 'Mac14,7' }).enrol();
    const all = await engine.devices.list({ limit: 3 });
    expect([all.total, all.items.length]).toEqual([8, 3]);
    const first = await engine.devices.list({ expression: '"common.platform" = "iOS"', limit: 4 });
    expect([first.total, first.items.map((row) => row.enrolment.id)]).toEqual([7, ['U0', 'U1', 'U2', 'U3']]);
    const second = await engine.devices.list({ expression: '"common.platform" = "iOS"', limit: 4, after: first.next! });
    expect([second.total, second.next, second.items.length]).toEqual([7, null, 3]);
    expect((await engine.devices.list({ basic: 'sn:SU3' })).items.map((row) => row.enrolment.id)).toEqual(['U3']);
    expect((await engine.devices.list({ basic: ' ' })).total).toBe(8);
    await expect(engine.devices.list({ expression: 'x', basic: 'y' })).rejects.toMatchObject({
      code: 'core.search.two_queries',
    });
    await expect(engine.devices.list({ limit: 0 })).rejects.toMatchObject({ code: 'core.page.bad_limit' });
  });
});
