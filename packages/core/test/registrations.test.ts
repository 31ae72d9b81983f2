// Devices that are expected (ADE-2): added by a list, claimed by the first that enrols, and the PINs of their users (ADE-11).
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice } from './support.ts';

const HOUR = 3_600_000;

async function userOf(to: ReturnType<typeof bench>, id: string): Promise<unknown> {
  return (await to.engine.devices.get(id))?.facts['user.user_id'];
}

describe('registrations', () => {
  it('link the device that enrols to its user, labels and all', async () => {
    const to = bench();
    const { engine } = to;
    const label = await engine.labels.create({ name: 'Ann', expression: '"user.user_id" = "ann"' });
    expect(await engine.registrations.add([{ serialNumber: ' sone ', user: ' ann ' }])).toBe(1);
    await new ScriptedDevice(engine, 'ONE').enrol();
    await new ScriptedDevice(engine, 'TWO').enrol();
    expect(await userOf(to, 'ONE')).toBe('ann');
    expect(await userOf(to, 'TWO')).toBeUndefined();
    expect((await engine.devices.get('ONE'))?.labels.map(({ id }) => id)).toEqual([label.id]);
    const { items } = await engine.registrations.list({ awaited: false });
    expect(items).toMatchObject([{ serialNumber: 'SONE', user: 'ann', enrolmentId: 'ONE', pin: null }]);
    const events = await engine.events.list({ type: 'registration.claimed' });
    expect(events.items).toMatchObject([{ enrolmentId: 'ONE', data: { serialNumber: 'SONE' } }]);
  });

  it('are claimed once, kept by a device that enrols again, and made anew for the next owner', async () => {
    const to = bench();
    const { engine } = to;
    await engine.registrations.add([{ serialNumber: 'SAME', user: 'ann' }]);
    const first = new ScriptedDevice(engine, 'ONE', { SerialNumber: 'SAME' });
    await first.enrol();
    await first.enrol();
    expect(await userOf(to, 'ONE')).toBe('ann');
    await new ScriptedDevice(engine, 'TWO', { SerialNumber: 'SAME' }).enrol();
    expect(await userOf(to, 'TWO')).toBeUndefined();
    expect((await engine.events.list({ type: 'registration.claimed' })).items.length).toBe(1);
    await engine.registrations.add([{ serialNumber: 'SAME', user: 'bob' }]);
    await new ScriptedDevice(engine, 'THREE', { SerialNumber: 'SAME' }).enrol();
    expect(await userOf(to, 'THREE')).toBe('bob');
  });

  it('give PINs for automated enrolment alone, which end with the registration', async () => {
    const to = bench();
    const { engine, clock } = to;
    const add = (user: string, serialNumber = 'SONE') =>
      engine.registrations.add([{ serialNumber, user, registrationPin: true }], { ttlHours: 2 });
    const pinOf = async () => (await engine.registrations.list()).items[0]?.pin ?? null;
    const redeem = (pin: string) => engine.enrolling.redeem({ pin }, { automated: true });
    await add('ann');
    const pin = (await pinOf())!;
    expect(pin).toMatch(/^\d{6}$/);
    await expect(engine.enrolling.redeem({ pin })).rejects.toMatchObject({
      code: 'core.invitation.ade_only',
      kind: 'forbidden',
    });
    expect((await redeem(pin)).binding).toEqual({ serialNumber: 'SONE', user: 'ann', only: 'ade' });
    await expect(engine.enrolling.bind((await redeem(pin)).id, { serialNumber: 'OTHER' })).rejects.toMatchObject({
      code: 'core.invitation.bound',
    });
    await add('bob');
    await expect(redeem(pin)).rejects.toMatchObject({ code: 'core.invitation.unknown' });
    const next = (await pinOf())!;
    clock.advance(2 * HOUR);
    await expect(redeem(next)).rejects.toMatchObject({ code: 'core.invitation.expired' });
    expect(await pinOf()).toBeNull();
    await add('carl');
    const last = (await pinOf())!;
    expect(await engine.registrations.remove(['sone', 'nothing'])).toBe(1);
    await expect(redeem(last)).rejects.toMatchObject({ code: 'core.invitation.unknown' });
    expect((await engine.registrations.list()).items).toEqual([]);
  });

  it('and invitations of one’s own exclude each other, both ways', async () => {
    const { engine, clock } = bench();
    await engine.registrations.add([{ serialNumber: 'SONE', user: 'ann' }]);
    await expect(engine.enrolling.invite({ user: 'ann' })).rejects.toMatchObject({
      code: 'core.registration.exists',
      kind: 'conflict',
    });
    const invited = await engine.enrolling.invite({ user: 'bob', ttlHours: 1 });
    const both = [
      { serialNumber: 'STWO', user: 'carl' },
      { serialNumber: 'STHREE', user: 'bob' },
    ];
    await expect(engine.registrations.add(both)).rejects.toMatchObject({
      code: 'core.registration.single_device',
      kind: 'conflict',
      at: { path: '/1/user' },
    });
    expect((await engine.registrations.list()).items.length).toBe(1);
    expect([...(await engine.registrations.singleDeviceUsers(['ann', 'bob', 'carl']))]).toEqual(['bob']);
    clock.advance(HOUR);
    expect(await engine.registrations.add(both)).toBe(2);
    await engine.enrolling.revoke(invited.id);
    // Whoever signs in to automated enrolment is let in with any device.
    expect((await engine.enrolling.invite({ user: 'ann', only: 'ade' })).binding).toEqual({ user: 'ann', only: 'ade' });
  });

  it('are refused with their place', async () => {
    const { engine } = bench();
    const bad = [
      [{ serialNumber: '', user: 'ann' }, '/0/serialNumber'],
      [{ serialNumber: 'A B', user: 'ann' }, '/0/serialNumber'],
      [{ serialNumber: 'A'.repeat(31), user: 'ann' }, '/0/serialNumber'],
      [{ serialNumber: 'A', user: ' ' }, '/0/user'],
      [{ serialNumber: 'A', user: 'x'.repeat(321) }, '/0/user'],
    ] as const;
    for (const [registration, path] of bad) {
      await expect(engine.registrations.add([registration])).rejects.toMatchObject({
        code: 'core.registration.bad_option',
        kind: 'invalid',
        at: { path },
      });
    }
    expect((await engine.registrations.list()).items).toEqual([]);
  });
});
