// Commands are checked before they are queued: against the schema, and against what is known of the device.
import { accessRights } from '@espalier/apple-mdm';
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice, type TestBench } from './support.ts';

type Extra = ConstructorParameters<typeof ScriptedDevice>[2];

async function enrolled(made: TestBench, udid: string, facts: Record<string, boolean | string>, extra: Extra = {}) {
  const device = new ScriptedDevice(made.engine, udid, extra);
  await device.enrol();
  await device.session((type) => (type === 'DeviceInformation' ? { QueryResponses: facts } : {}));
  return device;
}

describe('a command that is wrong', () => {
  it('is refused with the path, and not queued', async () => {
    const made = bench();
    await enrolled(made, 'U1', {});
    const enqueue = (requestType: string, payload = {}, options = {}) =>
      made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, requestType, payload, options);
    const before = await made.engine.commands.stats();
    const invalid = { code: 'core.command.invalid', kind: 'invalid' };
    await expect(enqueue('InstallProfile')).rejects.toMatchObject({ ...invalid, at: { path: '/Payload' } });
    await expect(enqueue('DeviceLock', { PIN: 123456 })).rejects.toMatchObject({ ...invalid, at: { path: '/PIN' } });
    await expect(enqueue('BrandNew')).rejects.toMatchObject({ ...invalid, at: { path: '/RequestType' } });
    await expect(
      made.engine.commands.enqueueChain(
        ['U1'],
        [
          { requestType: 'ProfileList', payload: {} },
          { requestType: 'No', payload: {} },
        ],
      ),
    ).rejects.toMatchObject(invalid);
    expect(await made.engine.commands.stats()).toEqual(before);
    expect(await enqueue('BrandNew', { Key: 1 }, { allowUnknown: true })).toMatchObject({ queued: 1 });
  });
});

describe('a command that the device would refuse', () => {
  it('is refused with the reason, unless forced', async () => {
    const made = bench();
    const device = await enrolled(made, 'U1', { IsSupervised: false });
    const restart = (options = {}) =>
      made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {}, options);
    await expect(restart()).rejects.toMatchObject({
      code: 'core.command.unsupported',
      kind: 'conflict',
      message: expect.stringContaining('needs a supervised device'),
    });
    expect(await device.idle()).toBeNull();
    expect(await restart({ force: true })).toMatchObject({ queued: 1, refused: { count: 0 } });
    expect((await device.idle())?.requestType).toBe('RestartDevice');
  });

  it('is left out for that device alone where there are many', async () => {
    const made = bench();
    await enrolled(made, 'U1', { IsSupervised: false });
    const two = await enrolled(made, 'U2', { IsSupervised: true });
    await enrolled(made, 'TV', { IsSupervised: true }, { ProductName: 'AppleTV14,1' });
    await enrolled(made, 'U3', {});
    const lock = await made.engine.commands.enqueue({ enrolmentIds: ['U1', 'U2', 'TV', 'U3'] }, 'ShutDownDevice', {});
    expect(lock.queued).toBe(2);
    expect(lock.refused.count).toBe(2);
    expect(lock.refused.devices.map(({ enrolmentId, reasons }) => [enrolmentId, reasons[0]?.code])).toEqual([
      ['U1', 'target.supervised'],
      ['TV', 'target.platform'],
    ]);
    expect((await two.idle())?.commandUuid).toBe(lock.commandUuid);
    const links = ['ProfileList', 'ShutDownDevice'].map((requestType) => ({ requestType, payload: {} }));
    const chain = await made.engine.commands.enqueueChain(['U1', 'U3'], links);
    expect(chain.refused.devices.map(({ enrolmentId }) => enrolmentId)).toEqual(['U1']);
    expect((await made.engine.commands.history('U1')).items.map((entry) => entry.requestType)).not.toContain(
      'ShutDownDevice',
    );
  });

  it('is judged by the enrolment and the channel', async () => {
    const made = bench();
    const byod = new ScriptedDevice(made.engine, '');
    const send = (message: object) => byod.checkin({ UDID: '', EnrollmentID: 'E1', ...message });
    await send({ MessageType: 'Authenticate', Topic: 't', ProductName: 'iPhone15,2', OSVersion: '18.3' });
    await send({ MessageType: 'TokenUpdate', Topic: 't', Token: new Uint8Array([1]), PushMagic: 'm' });
    const erase = (id: string) => made.engine.commands.enqueue({ enrolmentIds: [id] }, 'EraseDevice', {});
    await expect(erase('E1')).rejects.toMatchObject({ message: expect.stringContaining('User Enrolment') });
    expect(
      (await made.engine.commands.capabilities('E1')).find((row) => row.requestType === 'EraseDevice'),
    ).toMatchObject({
      supported: false,
      reasons: [{ code: 'target.user_enrolment' }],
    });
    const mac = await enrolled(made, 'M1', {}, { ProductName: 'Mac14,7', OSVersion: '14.4' });
    await mac.tokenUpdate({ UserID: 'ANN', UserShortName: 'ann' });
    // The user's channel has no platform of its own: the Mac's counts.
    await expect(erase('M1:ANN')).rejects.toMatchObject({ message: expect.stringContaining('user channel') });
    expect(await erase('M1')).toMatchObject({ queued: 1 });
    await expect(made.engine.commands.capabilities('nobody')).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
  });

  it('is judged by the access rights, where they are known', async () => {
    const made = bench({ accessRights: accessRights('AllowInspection') });
    await enrolled(made, 'U1', {});
    await expect(made.engine.devices.lock('U1')).rejects.toMatchObject({
      code: 'core.command.unsupported',
      message: expect.stringContaining('AllowPasscodeRemovalAndLock'),
    });
    const open = bench({ accessRights: () => null });
    await enrolled(open, 'U1', {});
    await open.engine.devices.lock('U1');
  });
});

describe('the answers to queries', () => {
  it('become facts, and the answer is kept as it was sent', async () => {
    const made = bench();
    const device = await enrolled(made, 'U1', { IsSupervised: true });
    const { commandUuid } = await made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'AvailableOSUpdates', {});
    await device.session(() => ({
      AvailableOSUpdates: [{ ProductKey: 'k', Version: '18.4', HumanReadableName: 'iOS 18.4' }],
    }));
    const detail = await made.engine.devices.get('U1');
    expect(detail?.facts).toMatchObject({ 'ios.osUpdateProductVersion': '18.4', 'ios.osUpdateName': 'iOS 18.4' });
    const kept = await made.engine.commands.get('U1', commandUuid);
    expect(new TextDecoder().decode(kept!.response!)).toContain('iOS 18.4');
  });

  it('keep where a device is out of the facts', async () => {
    const made = bench();
    const device = await enrolled(made, 'U1', { IsSupervised: true });
    await made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'DeviceLocation', {});
    await device.session(() => ({ Latitude: 37.5, Longitude: -122.5, Timestamp: '2026-01-01T00:00:00Z' }));
    const facts = (await made.engine.devices.get('U1'))!.facts;
    expect(facts['common.location_last_captured_at']).toBe(Date.UTC(2026, 0, 1));
    expect(JSON.stringify(facts)).not.toContain('37.5');
  });
});
