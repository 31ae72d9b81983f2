// The command service and locking.
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice } from './support.ts';

async function enrolled(extra = {}, udid = 'U1') {
  const made = bench();
  const device = new ScriptedDevice(made.engine, udid, extra);
  await device.enrol();
  await device.session();
  return { ...made, device };
}

describe('commands', () => {
  it('have random UUIDs, version 4, and a history newest first', async () => {
    const { engine, device } = await enrolled();
    const { commandUuid } = await engine.commands.enqueue(
      { enrolmentIds: ['U1'] },
      'RestartDevice',
      {},
      { origin: 'user:ann' },
    );
    expect(commandUuid).toMatch(/^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/);
    expect(await device.idle()).toMatchObject({ requestType: 'RestartDevice', commandUuid });
    const page = await engine.commands.history('U1', { limit: 1 });
    expect(page.items).toMatchObject([{ commandUuid, state: 'sent', origin: 'user:ann', attempts: 1 }]);
    expect(page.next).not.toBeNull();
  });

  it('are cancelled, cleared and requeued', async () => {
    const { engine, device } = await enrolled();
    const one = await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'ShutDownDevice', {}, { dedupeKey: 'power' });
    expect(await engine.commands.cancel('U1', one.commandUuid)).toBe(true);
    expect(await engine.commands.cancel('U1', one.commandUuid)).toBe(false);
    expect(await engine.commands.clear('U1', 'other')).toBe(0);
    expect(await engine.commands.clear('U1', 'power')).toBe(1);
    expect(await device.idle()).toBeNull();
    expect(await engine.commands.requeue('U1', one.commandUuid)).toBe(true);
    expect(await engine.commands.requeue('U1', one.commandUuid)).toBe(false);
    expect(await device.session()).toEqual(['RestartDevice']);
    expect((await engine.events.list({ type: 'command.cancelled' })).items).toHaveLength(2);
  });

  it('go one after the other in a chain', async () => {
    const { engine, device } = await enrolled();
    const links = ['RestartDevice', 'ShutDownDevice', 'ProfileList'].map((requestType) => ({
      requestType,
      payload: {},
    }));
    const { commandUuids } = await engine.commands.enqueueChain(['U1'], links);
    expect(await device.session((type) => (type === 'ShutDownDevice' ? { Status: 'Error' } : {}))).toEqual([
      'RestartDevice',
      'ShutDownDevice',
    ]);
    expect((await engine.commands.get('U1', commandUuids[2]!))?.state).toBe('cancelled');
    const held = await engine.commands.enqueueChain(['U1'], links.slice(0, 2), { onError: 'fail' });
    await device.session(() => ({ Status: 'Error' }));
    expect((await engine.commands.get('U1', held.commandUuids[1]!))?.state).toBe('queued');
    await engine.commands.requeue('U1', held.commandUuids[0]!);
    expect(await device.session()).toEqual(['RestartDevice', 'ShutDownDevice']);
  });

  it('refuse options that make no sense', async () => {
    const { engine } = await enrolled();
    for (const options of [{ priority: 1.5 }, { maxAttempts: 0 }, { notBefore: Number.NaN }, { expiresAt: 1.5 }]) {
      await expect(
        engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {}, options),
      ).rejects.toMatchObject({
        code: 'core.command.bad_option',
        kind: 'invalid',
      });
    }
    for (const options of [{}, { allowUnknown: true }]) {
      await expect(engine.commands.enqueue({ enrolmentIds: ['U1'] }, '', {}, options)).rejects.toMatchObject({
        kind: 'invalid',
      });
    }
  });
});

describe('locking', () => {
  it('sends message and phone number to a phone, without a PIN', async () => {
    const { engine, device } = await enrolled();
    await engine.devices.lock('U1', { message: 'Lost', phoneNumber: '555' });
    expect((await device.idle())?.payload).toEqual({ RequestType: 'DeviceLock', Message: 'Lost', PhoneNumber: '555' });
    expect(await engine.devices.lockPin('U1')).toBeNull();
  });

  it('makes a PIN for a Mac, and keeps the one that is in force', async () => {
    const { engine, device } = await enrolled({ ProductName: 'Mac14,7' });
    await engine.devices.lock('U1');
    const first = await engine.devices.lockPin('U1');
    expect(first).toMatch(/^\d{6}$/);
    const command = await device.idle();
    expect(command?.payload['PIN']).toBe(first);
    await device.say('Acknowledged', { CommandUUID: command!.commandUuid });
    await engine.devices.lock('U1', { pin: '654321' });
    // Not taken by the Mac yet: the first still unlocks it.
    expect(await engine.devices.lockPin('U1')).toBe(first);
    await device.session();
    expect(await engine.devices.lockPin('U1')).toBe('654321');
  });

  it('refuses what cannot be', async () => {
    const { engine } = await enrolled({ ProductName: 'AppleTV14,1' });
    await expect(engine.devices.lock('U1')).rejects.toMatchObject({ code: 'core.lock.unsupported' });
    await expect(engine.devices.lock('nobody')).rejects.toMatchObject({
      code: 'core.enrolment.unknown',
      kind: 'not-found',
    });
    const phone = (await enrolled()).engine;
    await expect(phone.devices.lock('U1', { message: 'x'.repeat(501) })).rejects.toMatchObject({
      code: 'core.lock.message_too_long',
    });
    await expect(phone.devices.lock('U1', { pin: '12345' })).rejects.toMatchObject({ code: 'core.lock.bad_pin' });
  });
});
