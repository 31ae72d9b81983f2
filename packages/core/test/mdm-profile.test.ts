// The default MDM profile (CFG-3): its settings, what each device holds, and how the devices are brought along.
import { encodeXml } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import type { Engine, EngineInput } from '../src/index.ts';
import { bench, identity, ScriptedDevice } from './support.ts';

const DAY = 86_400_000;
const LOCK = 4;
const ERASE = 8;
const ALL = 8191;

async function fleet(input: Partial<EngineInput> = {}) {
  const ref: { engine?: Engine } = {};
  const defaults = { accessRights: ALL, checkOutWhenRemoved: true };
  const sent: { accessRights: number; checkOutWhenRemoved: boolean }[] = [];
  const made = bench({
    renewal: {
      profile: async ({ enrolment }) => {
        const content = await ref.engine!.mdmProfile.content({ enrolmentId: enrolment.id }, defaults);
        sent.push(content);
        return encodeXml({ ...content });
      },
    },
    ...input,
  });
  ref.engine = made.engine;
  const { engine, store, clock } = made;
  /** Enrols with a profile of an invitation, as a host makes it. */
  const enter = async (udid: string, name = udid) => {
    const invitation = await engine.enrolling.invite();
    const content = await engine.mdmProfile.content({ invitationId: invitation.id }, defaults);
    const device = new ScriptedDevice(engine, udid);
    device.identity = identity(`certificate of ${name}`);
    const { fingerprint, certificate } = device.identity;
    const at = clock.now();
    await store.certificates.register(
      {
        ...{
          fingerprint,
          certificate,
          serialNumber: name,
          subject: `CN=${udid}`,
          notBefore: at,
          notAfter: at + 365 * DAY,
        },
        ...{
          authorityKeyId: null,
          enrolmentId: null,
          attestation: null,
          deliveredAt: null,
          credentialId: null,
          deviceId: null,
        },
        invitationId: invitation.id,
      },
      { type: 'certificate.issued', at, enrolmentId: null, data: {} },
    );
    await device.enrol();
    await device.session();
    return { device, content };
  };
  const state = async (id: string) => (await engine.mdmProfile.of(id)).state;
  const events = async (type: Parameters<Engine['events']['list']>[0]) => (await engine.events.list(type)).items;
  return { ...made, enter, state, sent, events };
}

describe('the settings', () => {
  it('are checked, versioned and told', async () => {
    const { engine, events } = await fleet();
    expect(await engine.mdmProfile.get()).toBe(null);
    expect(await engine.mdmProfile.set({ accessRights: 3 })).toMatchObject({
      accessRights: 3,
      checkOutWhenRemoved: true,
      notifyUsers: false,
      version: 1,
    });
    expect(await engine.mdmProfile.set({ notifyUsers: true })).toMatchObject({ accessRights: 3, version: 2 });
    for (const accessRights of [0, 2, 128, 8192, 1.5]) {
      await expect(engine.mdmProfile.set({ accessRights })).rejects.toMatchObject({
        code: 'core.mdm_profile.bad_rights',
        at: { path: '/accessRights' },
      });
    }
    expect(await engine.mdmProfile.get()).toMatchObject({ version: 2 });
    expect(await events({ type: 'mdm-profile.changed' })).toHaveLength(2);
  });
});

describe('what a device holds', () => {
  it('is what its profile said, and commands follow it', async () => {
    const { engine, enter, state } = await fleet();
    await engine.mdmProfile.set({ accessRights: ALL & ~ERASE });
    const { content } = await enter('U1');
    expect(content).toEqual({ accessRights: ALL & ~ERASE, checkOutWhenRemoved: true });
    expect(await state('U1')).toBe('up-to-date');
    await expect(engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'EraseDevice', {})).rejects.toMatchObject({
      code: 'core.command.unsupported',
    });
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'DeviceLock', {});
    const erase = (await engine.commands.capabilities('U1')).find(({ requestType }) => requestType === 'EraseDevice');
    expect(erase?.reasons).not.toEqual([]);
    // The settings are another matter: the device holds what it holds.
    await engine.mdmProfile.set({ accessRights: ALL });
    await expect(engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'EraseDevice', {})).rejects.toThrow();
  });

  it('is unknown of who came without an invitation, and none of ours under User Enrolment', async () => {
    const { engine, state } = await fleet();
    await engine.mdmProfile.set({ accessRights: 3 });
    await new ScriptedDevice(engine, 'U1').enrol();
    expect(await state('U1')).toBe('unknown');
    const byod = {
      MessageType: 'Authenticate',
      EnrollmentID: 'E1',
      Topic: 't',
      ProductName: 'iPhone15,2',
      OSVersion: '18.0',
    };
    await engine.protocol.checkin(encodeXml(byod), identity('byod'));
    expect(await state('E1')).toBe('not-applicable');
    await expect(engine.mdmProfile.of('nobody')).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
  });

  it('begins anew when the device enrols anew', async () => {
    const { engine, enter, store } = await fleet();
    await engine.mdmProfile.set({ accessRights: 3 });
    const { device } = await enter('U1');
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    device.identity = identity('without an invitation');
    await device.enrol();
    expect((await store.inventory.get('U1'))?.facts).not.toHaveProperty(['ios.mdm_access_rights']);
  });
});

describe('a change', () => {
  it('takes rights away by itself, once for each device', async () => {
    const { engine, enter, state, sent, events, clock } = await fleet();
    const { device } = await enter('U1');
    const { device: other } = await enter('U2');
    await engine.mdmProfile.set({ accessRights: ALL & ~ERASE, checkOutWhenRemoved: false });
    expect(await engine.mdmProfile.of('U1')).toMatchObject({ state: 'updating', missing: 0, surplus: ERASE });
    await engine.tick();
    await engine.tick();
    expect(sent).toHaveLength(2);
    expect(await device.session()).toEqual(['InstallProfile']);
    expect(await state('U1')).toBe('up-to-date');
    expect(await state('U2')).toBe('updating');
    expect(await events({ type: 'mdm-profile.updated' })).toMatchObject([
      { enrolmentId: 'U1', data: { accessRights: ALL & ~ERASE, checkOutWhenRemoved: false } },
    ]);
    await expect(engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'EraseDevice', {})).rejects.toThrow();
    // One that refuses it stays as it is, and is asked again after a while.
    await other.session(() => ({ Status: 'Error', ErrorChain: [] }));
    expect(await state('U2')).toBe('updating');
    await engine.tick();
    expect(sent).toHaveLength(2);
    clock.advance(8 * DAY);
    await engine.tick();
    expect(sent).toHaveLength(3);
    await other.session();
    expect(await engine.mdmProfile.summary()).toMatchObject({ 'up-to-date': 2, updating: 0 });
  });

  it('adds no right to a device that is enrolled, and says so', async () => {
    const { engine, enter, state, sent, events } = await fleet();
    await engine.mdmProfile.set({ accessRights: ALL & ~ERASE });
    const { device } = await enter('U1');
    await engine.mdmProfile.set({ accessRights: ALL & ~LOCK });
    await engine.tick();
    // The part that takes away goes through; what a renewal says is never more than the device has.
    expect(sent).toEqual([{ accessRights: ALL & ~ERASE & ~LOCK, checkOutWhenRemoved: true }]);
    await device.session();
    expect(await engine.mdmProfile.of('U1')).toMatchObject({
      state: 'blocked-until-reenrolment',
      missing: ERASE,
      surplus: 0,
    });
    await engine.mdmProfile.set({ notifyUsers: true });
    await engine.tick();
    expect(await state('U1')).toBe('awaiting-user');
    expect(await events({ type: 'mdm-profile.user-needed' })).toMatchObject([
      { enrolmentId: 'U1', data: { missing: ERASE } },
    ]);
    // Enrolling anew gives it all.
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    await enter('U1', 'U1 again');
    expect(await state('U1')).toBe('up-to-date');
    expect(sent).toHaveLength(1);
  });

  it('is known to have arrived by the identity that came with it, when its answer is lost', async () => {
    const { engine, enter, state, store, clock } = await fleet();
    const { device } = await enter('U1');
    await engine.mdmProfile.set({ accessRights: ALL & ~ERASE });
    await engine.tick();
    const { fingerprint, certificate } = identity('renewed');
    const at = clock.now();
    await store.certificates.register(
      {
        ...{ fingerprint, certificate, serialNumber: 'r', subject: 'CN=r', notBefore: at, notAfter: at + 365 * DAY },
        ...{
          authorityKeyId: null,
          attestation: null,
          deliveredAt: null,
          credentialId: null,
          deviceId: null,
          invitationId: null,
        },
        enrolmentId: 'U1',
      },
      { type: 'certificate.issued', at, enrolmentId: 'U1', data: {} },
    );
    device.identity = identity('renewed');
    await device.idle();
    expect(await state('U1')).toBe('up-to-date');
    expect((await engine.mdmProfile.of('U1')).held).toEqual({ accessRights: ALL & ~ERASE, checkOutWhenRemoved: true });
  });

  it('goes through a fleet in parts, and goes on in another process', async () => {
    const { engine, enter, sent, store } = await fleet();
    for (let i = 0; i < 205; i++) await enter(`U${String(i).padStart(3, '0')}`);
    await engine.mdmProfile.set({ accessRights: ALL & ~ERASE });
    await engine.tick();
    expect(sent).toHaveLength(200);
    expect(JSON.parse((await store.settings.get('core.mdm-profile-progress'))!)).toMatchObject({ after: 'U199' });
    await engine.tick();
    expect(sent).toHaveLength(205);
    await engine.tick();
    expect(sent).toHaveLength(205);
  });
});
