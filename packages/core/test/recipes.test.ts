// Recipes: flows of several commands, each step decided by the answer to the one before.
import { createRootCa, encryptCms } from '@espalier/pki';
import type { PlistInput } from '@espalier/plist';
import { beforeAll, describe, expect, it } from 'vitest';
import { faultyStore } from '../src/contract/faulty.ts';
import {
  createMemoryStore,
  type EngineInput,
  type EscrowIdentity,
  type RecipeName,
  recipeNames,
  type SoftwareUpdateDeclaration,
} from '../src/index.ts';
import { bench, identity, ScriptedDevice, TestClock } from './support.ts';

type Answer = Readonly<Record<string, PlistInput>>;
type Answers = Readonly<Record<string, Answer | ((payload: Readonly<Record<string, unknown>>) => Answer)>>;

async function enrolled(
  extra: Record<string, string> = {},
  facts: Record<string, PlistInput> = {},
  input: Partial<EngineInput> = {},
) {
  const made = bench(input);
  const device = new ScriptedDevice(made.engine, 'D1', extra);
  await device.enrol();
  await device.session((type) => (type === 'DeviceInformation' ? { QueryResponses: facts } : {}));
  /** Answers what comes; gives the commands that came. */
  const answer = (answers: Answers = {}) =>
    device.session((type, payload) => {
      const given = answers[type] ?? {};
      return typeof given === 'function' ? given(payload) : given;
    });
  const run = async (recipe: RecipeName) => (await made.engine.recipes.get('D1', recipe))!;
  const types = async () =>
    (await made.engine.events.list({ order: 'oldest', limit: 1000 })).items
      .filter(({ type }) => type.startsWith('recipe.'))
      .map(({ type, data }) => [type.slice(7), data['requestType'] ?? data['reason'] ?? null]);
  return { ...made, device, answer, run, types, recipes: made.engine.recipes };
}

const phone = (input?: Partial<EngineInput>) => enrolled({}, { IsSupervised: true }, input);
const mac = (input?: Partial<EngineInput>, version = '13.6') =>
  enrolled({ ProductName: 'Mac14,7', OSVersion: version }, { IsSupervised: true, IsAppleSilicon: true }, input);

let escrowIdentity: EscrowIdentity;
beforeAll(async () => {
  escrowIdentity = await createRootCa({
    subject: 'CN=Escrow',
    key: { type: 'rsa', bits: 2048 },
    clock: new TestClock(),
  });
});
const sealedKey = (key: string): Uint8Array =>
  encryptCms(new TextEncoder().encode(key), { recipients: [escrowIdentity.certificate] });

const KEY_1 = 'AAAA-BBBB-CCCC-DDDD-EEEE-FFFF';
const KEY_2 = 'GGGG-HHHH-JJJJ-KKKK-LLLL-MMMM';

describe('lost mode', () => {
  it('goes on, makes a sound and tells where the device is', async () => {
    const { recipes, answer, run, types, engine } = await phone();
    const started = await recipes.start('D1', 'lost-mode-on', {
      message: 'Call',
      phoneNumber: '1',
      sound: true,
      locate: true,
    });
    expect(started).toMatchObject({ status: 'running', step: { number: 1, requestType: 'EnableLostMode' } });
    const place = { Latitude: 37.5, Longitude: -122.25, HorizontalAccuracy: 65, Timestamp: '2026-01-01T10:00:00Z' };
    expect(await answer({ DeviceLocation: place })).toEqual(['EnableLostMode', 'PlayLostModeSound', 'DeviceLocation']);
    expect(await run('lost-mode-on')).toMatchObject({
      status: 'succeeded',
      result: { location: { latitude: 37.5, longitude: -122.25, at: Date.UTC(2026, 0, 1, 10) } },
    });
    expect(await types()).toEqual([
      ['started', 'EnableLostMode'],
      ['step', 'PlayLostModeSound'],
      ['step', 'DeviceLocation'],
      ['succeeded', null],
    ]);
    expect((await engine.devices.get('D1'))?.facts['ios.IsMDMLostModeEnabled']).toBe(true);
    expect(JSON.stringify((await engine.events.list({ limit: 1000 })).items)).not.toContain('37.5');
    await recipes.start('D1', 'lost-mode-locate', {});
    expect(await answer({ DeviceLocation: {} })).toEqual(['DeviceLocation']);
    expect(await run('lost-mode-locate')).toMatchObject({ status: 'failed', reason: 'the device told no place' });
    await recipes.start('D1', 'lost-mode-locate', {});
    await answer({ DeviceLocation: place });
    // The last place that is known is there while the device is asked again.
    const known = { location: { latitude: 37.5, longitude: -122.25 } };
    expect(await recipes.start('D1', 'lost-mode-locate', {})).toMatchObject({ status: 'running', result: known });
    await answer({ DeviceLocation: { ...place, Latitude: 38.5 } });
    expect((await run('lost-mode-locate')).result.location?.latitude).toBe(38.5);
    await recipes.start('D1', 'lost-mode-off', {});
    await answer();
    expect((await engine.devices.get('D1'))?.facts['ios.IsMDMLostModeEnabled']).toBe(false);
  });

  it('tells that it knows a place, and who read it, and forgets it in time', async () => {
    const DAY = 86_400_000;
    const { recipes, answer, engine, store, clock, run } = await phone({ options: { locationRetentionDays: 7 } });
    const began = clock.now();
    const place = () => ({ Latitude: 37.5, Longitude: -122.25, Timestamp: new Date(clock.now()).toISOString() });
    await recipes.start('D1', 'lost-mode-on', { message: 'Call', locate: true });
    await answer({ DeviceLocation: place() });
    const first = (await run('lost-mode-on')).step!.commandUuid;
    clock.advance(3 * DAY);
    await recipes.start('D1', 'lost-mode-locate', {});
    await answer({ DeviceLocation: { ...place(), Latitude: 38.5 } });
    const second = (await run('lost-mode-locate')).step!.commandUuid;
    expect(await engine.locations.read('D1', { actor: 'user:ann' })).toMatchObject({ latitude: 38.5 });
    const told = async () =>
      (await engine.events.list({ order: 'oldest', limit: 1000 })).items
        .filter(({ type }) => type.startsWith('location.'))
        .map(({ type, data }) => [type, data]);
    const known = [
      ['location.received', { commandUuid: first }],
      ['location.received', { commandUuid: second }],
      ['location.read', { actor: 'user:ann' }],
    ];
    expect(await told()).toEqual(known);

    const kept = async (uuid: string) =>
      Buffer.from((await engine.commands.get('D1', uuid))!.response!)
        .toString()
        .includes('Latitude');
    expect([await kept(first), await kept(second)]).toEqual([true, true]);
    clock.advance(began + 7 * DAY + 1 - clock.now());
    // Not told from then on, and gone by the next hour.
    expect((await run('lost-mode-on')).result).toEqual({});
    await engine.tick();
    expect([await kept(first), await kept(second)]).toEqual([false, true]);
    const sealed = await store.secrets.get('D1', 'recipe.lost-mode-on');
    clock.advance(3 * DAY);
    await engine.tick();
    expect([await kept(first), await kept(second)]).toEqual([false, false]);
    expect(await store.secrets.get('D1', 'recipe.lost-mode-on')).toEqual(sealed);
    expect(await engine.locations.read('D1', { actor: 'user:ann' })).toBeNull();
    expect(await told()).toEqual(known);
    // What else the device said stays, and so does how it ended.
    expect(await engine.commands.get('D1', second)).toMatchObject({ state: 'acknowledged' });
    expect(await run('lost-mode-locate')).toMatchObject({ status: 'succeeded', result: {} });
  });

  it('forgets places before the events by which it finds them', async () => {
    const { recipes, answer, engine, clock, run } = await phone({
      options: { locationRetentionDays: 1_000, eventRetentionMs: 10 * 86_400_000 },
    });
    await recipes.start('D1', 'lost-mode-on', { message: 'Call', locate: true });
    await answer({ DeviceLocation: { Latitude: 1, Longitude: 2 } });
    const { commandUuid } = (await run('lost-mode-on')).step!;
    clock.advance(10 * 86_400_000 + 1);
    await engine.tick();
    expect((await engine.events.list()).items).toEqual([]);
    expect(Buffer.from((await engine.commands.get('D1', commandUuid))!.response!).toString()).not.toContain('Latitude');
    expect(await engine.locations.read('D1', { actor: 'user:ann' })).toBeNull();
  });

  it('asks only a device in lost mode where it is', async () => {
    const { recipes, answer } = await phone();
    await recipes.start('D1', 'lost-mode-off', {});
    await answer();
    await expect(recipes.start('D1', 'lost-mode-locate', {})).rejects.toMatchObject({
      ...{ code: 'core.recipe.unavailable', remedy: expect.stringContaining('lost-mode-on') },
    });
    // One of which it is not known may be in it: the device decides.
    const other = await phone();
    expect(await other.recipes.start('D1', 'lost-mode-locate', {})).toMatchObject({ status: 'running' });
  });

  it('does without a sound that the device cannot make, and ends where it cannot be locked', async () => {
    const { recipes, answer, run } = await phone();
    const place = { Latitude: 1.5, Longitude: 2.5 };
    await recipes.start('D1', 'lost-mode-on', { message: 'Call', sound: true, locate: true });
    await answer({ PlayLostModeSound: { Status: 'Error' }, DeviceLocation: place });
    expect((await run('lost-mode-on')).status).toBe('succeeded');
    await recipes.start('D1', 'lost-mode-on', { message: 'Call', locate: true });
    const chain = [{ ErrorCode: 12078, ErrorDomain: 'MCMDMErrorDomain', USEnglishDescription: 'already lost' }];
    expect(await answer({ EnableLostMode: { Status: 'Error', ErrorChain: chain } })).toEqual(['EnableLostMode']);
    expect(await run('lost-mode-on')).toMatchObject({
      status: 'failed',
      reason: 'EnableLostMode: already lost (MCMDMErrorDomain 12078)',
    });
  });

  it('is refused where it cannot be', async () => {
    const { recipes } = await phone();
    await expect(recipes.start('D1', 'lost-mode-on', { sound: true })).rejects.toMatchObject({
      code: 'core.recipe.bad_parameters',
      kind: 'invalid',
    });
    const unsupervised = await enrolled({}, { IsSupervised: false });
    await expect(unsupervised.recipes.start('D1', 'lost-mode-on', { message: 'x' })).rejects.toMatchObject({
      code: 'core.command.unsupported',
    });
    expect(await unsupervised.recipes.list('D1')).toEqual([]);
    const computer = await mac();
    await expect(computer.recipes.start('D1', 'lost-mode-off', {})).rejects.toMatchObject({ kind: 'conflict' });
    await expect(recipes.start('nobody', 'lost-mode-off', {})).rejects.toMatchObject({
      code: 'core.enrolment.unknown',
    });
    await expect(recipes.start('D1', 'no-such-recipe' as 'lost-mode-off', {})).rejects.toMatchObject({
      code: 'core.recipe.unknown',
    });
  });
});

describe('clearing the passcode before a restart', () => {
  it('restarts only what was cleared', async () => {
    const { recipes, answer, run, device } = await phone();
    await recipes.start('D1', 'clear-passcode-restart', {});
    expect(await answer({ ClearPasscode: { Status: 'Error' } })).toEqual(['ClearPasscode']);
    expect((await run('clear-passcode-restart')).status).toBe('failed');
    await recipes.start('D1', 'clear-passcode-restart', { operation: 'shutdown' });
    expect(await answer()).toEqual(['ClearPasscode', 'ShutDownDevice']);
    expect((await run('clear-passcode-restart')).status).toBe('succeeded');
    const token = device.received.find(({ requestType }) => requestType === 'ClearPasscode')?.payload['UnlockToken'];
    expect(new TextDecoder().decode(token as Uint8Array)).toBe('unlock token of D1');
  });

  it('needs the token of the device', async () => {
    const made = bench();
    const device = new ScriptedDevice(made.engine, 'D1');
    await device.authenticate();
    const message = { MessageType: 'TokenUpdate', Topic: 't', Token: new Uint8Array([1]), PushMagic: 'm' };
    await device.checkin(message);
    await expect(made.engine.recipes.start('D1', 'clear-passcode-restart', {})).rejects.toMatchObject({
      code: 'core.recipe.unavailable',
    });
  });
});

describe('FileVault', () => {
  it('keys are escrowed with the inventory, on request, and when they are rotated', async () => {
    const { recipes, answer, run, engine, device } = await mac({ escrowIdentity });
    await engine.devices.refresh(['D1']);
    await answer({ SecurityInfo: { SecurityInfo: { FDE_PersonalRecoveryKeyCMS: sealedKey(KEY_1) } } });
    expect((await engine.escrow.read('D1', 'filevault-key')).map(({ value }) => value)).toEqual([KEY_1]);
    await recipes.start('D1', 'filevault-escrow', {});
    await answer({ SecurityInfo: { SecurityInfo: { FDE_PersonalRecoveryKeyCMS: sealedKey(KEY_1) } } });
    expect((await run('filevault-escrow')).status).toBe('succeeded');
    // The same key is no new entry.
    expect(await engine.escrow.read('D1', 'filevault-key')).toHaveLength(1);
    await recipes.start('D1', 'filevault-rotate', {});
    await answer({ RotateFileVaultKey: { RotateResult: { EncryptedNewRecoveryKey: sealedKey(KEY_2) } } });
    const payload = device.received.find(({ requestType }) => requestType === 'RotateFileVaultKey')?.payload;
    expect(payload).toMatchObject({ KeyType: 'personal', FileVaultUnlock: { Password: KEY_1 } });
    expect(Buffer.from(payload?.['ReplyEncryptionCertificate'] as Uint8Array)).toEqual(
      Buffer.from(escrowIdentity.certificate),
    );
    expect((await engine.escrow.read('D1', 'filevault-key')).map(({ value }) => value)).toEqual([KEY_2, KEY_1]);
    const read = (await engine.events.list({ type: 'escrow.read' })).items;
    expect(read[0]).toMatchObject({ enrolmentId: 'D1', data: { kind: 'filevault-key', found: 2 } });
    expect(JSON.stringify((await engine.events.list({ limit: 1000 })).items)).not.toContain('GGGG');
  });

  it('fails with a reason where there is no key, or one for somebody else', async () => {
    const { recipes, answer, run, engine } = await mac({ escrowIdentity });
    await recipes.start('D1', 'filevault-escrow', {});
    await answer({ SecurityInfo: { SecurityInfo: { FDE_Enabled: false } } });
    expect((await run('filevault-escrow')).reason).toContain('told no recovery key');
    await recipes.start('D1', 'filevault-rotate', { password: 'pw' });
    await answer({ RotateFileVaultKey: { RotateResult: { EncryptedNewRecoveryKey: new Uint8Array([1, 2, 3]) } } });
    expect((await run('filevault-rotate')).reason).toContain('cannot be read');
    expect(await engine.escrow.read('D1', 'filevault-key')).toEqual([]);
    await expect(recipes.start('D1', 'filevault-rotate', {})).rejects.toMatchObject({
      code: 'core.recipe.unavailable',
    });
    const bare = await mac();
    await expect(bare.recipes.start('D1', 'filevault-escrow', {})).rejects.toMatchObject({
      code: 'core.recipe.unavailable',
    });
  });

  it('keys outlive the enrolment, whose own secrets go', async () => {
    const { engine, device, store } = await mac({ escrowIdentity, hooks: { reenrolment: 'allow' } });
    await engine.escrow.store('D1', 'filevault-key', KEY_1);
    await engine.recipes.start('D1', 'recovery-lock-set', { password: 'pw' });
    device.identity = identity('anew');
    await device.enrol();
    expect((await engine.escrow.read('D1', 'filevault-key')).map(({ value }) => value)).toEqual([KEY_1]);
    expect(await engine.recipes.list('D1')).toEqual([]);
    const blob = await store.secrets.get('escrow:D1', 'filevault-key');
    expect(Buffer.from(blob!).includes(KEY_1)).toBe(false);
  });
});

describe('the Recovery Lock', () => {
  it('is set with a password of its own making, verified, and cleared with the one in escrow', async () => {
    const { recipes, answer, run, engine } = await mac();
    let inForce = '';
    const lock: Answers = {
      SetRecoveryLock: ({ CurrentPassword = '', NewPassword }) => {
        if (CurrentPassword !== inForce) return { Status: 'Error' };
        inForce = NewPassword as string;
        return {};
      },
      VerifyRecoveryLock: ({ Password }) => ({ PasswordVerified: Password === inForce }),
    };
    await recipes.start('D1', 'recovery-lock-set', {});
    expect(await answer(lock)).toEqual(['SetRecoveryLock', 'VerifyRecoveryLock']);
    expect(inForce).toMatch(/^[A-HJ-NP-Z2-9]{20}$/);
    const first = inForce;
    await recipes.start('D1', 'recovery-lock-set', { password: 'second' });
    await answer(lock);
    expect(inForce).toBe('second');
    expect((await engine.escrow.read('D1', 'recovery-lock')).map(({ value }) => value)).toEqual(['second', first]);
    await recipes.start('D1', 'recovery-lock-verify', {});
    await answer(lock);
    expect((await run('recovery-lock-verify')).status).toBe('succeeded');
    inForce = 'changed by hand';
    await recipes.start('D1', 'recovery-lock-verify', {});
    await answer(lock);
    expect((await run('recovery-lock-verify')).reason).toContain('another Recovery Lock password');
    inForce = 'second';
    await recipes.start('D1', 'recovery-lock-clear', {});
    await answer(lock);
    expect([inForce, (await run('recovery-lock-clear')).status]).toEqual(['', 'succeeded']);
    await expect(recipes.start('D1', 'recovery-lock-verify', {})).rejects.toMatchObject({
      code: 'core.recipe.unavailable',
    });
    await expect(recipes.start('D1', 'recovery-lock-set', { password: '' })).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('leaves no password in the open: not in the run, the events, or the store', async () => {
    const { recipes, run, engine, store, answer } = await mac();
    await recipes.start('D1', 'recovery-lock-set', { password: 'sesame' });
    const kept = await store.secrets.get('D1', 'recipe.recovery-lock-set');
    expect(Buffer.from(kept!).includes('sesame')).toBe(false);
    const { step } = await run('recovery-lock-set');
    expect(await store.queue.body(step!.commandUuid)).toMatchObject({ sealed: true });
    await answer({ VerifyRecoveryLock: { PasswordVerified: true } });
    const told = JSON.stringify([await run('recovery-lock-set'), (await engine.events.list({ limit: 1000 })).items]);
    expect(told).not.toContain('sesame');
  });
});

describe('a software update', () => {
  const offered = {
    AvailableOSUpdates: [
      { ProductKey: 'k1', Version: '13.6.1', HumanReadableName: 'macOS 13.6.1' },
      { ProductKey: 'k2', Version: '13.7', HumanReadableName: 'macOS 13.7' },
    ],
  };
  const taken = { UpdateResults: [{ ProductKey: 'k2', InstallAction: 'InstallASAP', Status: 'Downloading' }] };

  it('goes by commands on systems before the declaration: scan, choose, schedule, status', async () => {
    const { recipes, answer, run, device } = await mac();
    await recipes.start('D1', 'software-update', { maxDeferrals: 3, action: 'InstallLater' });
    const status = { OSUpdateStatus: [{ ProductKey: 'k2', Status: 'Installing' }] };
    expect(await answer({ AvailableOSUpdates: offered, ScheduleOSUpdate: taken, OSUpdateStatus: status })).toEqual([
      'ScheduleOSUpdateScan',
      'AvailableOSUpdates',
      'ScheduleOSUpdate',
      'OSUpdateStatus',
    ]);
    expect(await run('software-update')).toMatchObject({
      status: 'succeeded',
      result: { method: 'command', productKey: 'k2', version: '13.7', updateStatus: 'Installing' },
    });
    expect(device.received.find(({ requestType }) => requestType === 'ScheduleOSUpdate')?.payload['Updates']).toEqual([
      { ProductKey: 'k2', ProductVersion: '13.7', InstallAction: 'InstallLater', MaxUserDeferrals: 3 },
    ]);
  });

  it('installs the version that was named, or nothing', async () => {
    const { recipes, answer, run, device } = await mac();
    await recipes.start('D1', 'software-update', { version: '13.6.1' });
    await answer({ AvailableOSUpdates: offered, ScheduleOSUpdate: taken, ScheduleOSUpdateScan: { Status: 'Error' } });
    expect(
      device.received.find(({ requestType }) => requestType === 'ScheduleOSUpdate')?.payload['Updates'],
    ).toMatchObject([{ ProductKey: 'k1' }]);
    await recipes.start('D1', 'software-update', { version: '13.9' });
    await answer({ AvailableOSUpdates: offered });
    expect(await run('software-update')).toMatchObject({ status: 'failed', reason: 'the device is not offered 13.9' });
    await recipes.start('D1', 'software-update', { version: '13.5' });
    await answer({ AvailableOSUpdates: { AvailableOSUpdates: [] } });
    expect(await run('software-update')).toMatchObject({ status: 'succeeded', result: { upToDate: true } });
    await recipes.start('D1', 'software-update', {});
    const full = { UpdateResults: [{ ProductKey: 'k2', InstallAction: 'Error', Status: 'DownloadInsufficientSpace' }] };
    await answer({ AvailableOSUpdates: offered, ScheduleOSUpdate: full });
    expect(await run('software-update')).toMatchObject({
      status: 'failed',
      reason: 'the device did not take the update: DownloadInsufficientSpace',
    });
  });

  it('goes by declaration where device and server have it', async () => {
    const declared: SoftwareUpdateDeclaration[] = [];
    const declareSoftwareUpdate = async (declaration: SoftwareUpdateDeclaration) => {
      declared.push(declaration);
    };
    const { recipes, answer } = await mac({ declareSoftwareUpdate }, '14.4');
    const start = (parameters = {}) => recipes.start('D1', 'software-update', parameters);
    await expect(start({ version: '15.0' })).rejects.toMatchObject({ at: { path: '/deadline' } });
    await expect(start({ deadline: '2026-12-24T18:00:00' })).rejects.toMatchObject({ at: { path: '/version' } });
    const run = await start({ version: '15.0', deadline: '2026-12-24T18:00:00', build: '24A335' });
    expect(run).toMatchObject({ status: 'succeeded', result: { method: 'declaration', version: '15.0' }, step: null });
    expect(declared).toEqual([
      {
        enrolmentId: 'D1',
        type: 'com.apple.configuration.softwareupdate.enforcement.specific',
        payload: { TargetOSVersion: '15.0', TargetLocalDateTime: '2026-12-24T18:00:00', TargetBuildVersion: '24A335' },
      },
    ]);
    expect(await answer()).toEqual([]);
    const older = await mac({ declareSoftwareUpdate }, '13.6');
    expect((await older.recipes.start('D1', 'software-update', {})).step?.requestType).toBe('ScheduleOSUpdateScan');
    const newest = await mac({}, '27.0');
    await expect(newest.recipes.start('D1', 'software-update', {})).rejects.toMatchObject({ kind: 'conflict' });
  });
});

describe('a device that waits in Setup Assistant', () => {
  it('is let go on after its commands, where the product says so', async () => {
    const made = bench({
      hooks: {
        awaitingConfiguration: async ({ id }) => ({
          commands: id === 'D1' ? [{ requestType: 'RemoveProfile', payload: { Identifier: 'a' } }] : [],
        }),
      },
    });
    const device = new ScriptedDevice(made.engine, 'D1');
    await device.authenticate();
    for (let i = 0; i < 2; i++) await device.tokenUpdate({ AwaitingConfiguration: true });
    const seen = await device.session();
    // Everything else first.
    expect(seen.slice(-3)).toEqual(['CertificateList', 'RemoveProfile', 'DeviceConfigured']);
    expect(seen.filter((type) => type === 'DeviceConfigured')).toHaveLength(1);
    expect((await made.engine.devices.get('D1'))?.facts['ios.AwaitingConfiguration']).toBe(false);
    expect((await made.engine.events.list({ type: 'enrolment.awaiting-configuration' })).items).toHaveLength(1);
    await device.tokenUpdate({
      UserID: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
      UserShortName: 'ann@example.com',
      AwaitingConfiguration: true,
    });
    const user = { UserID: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', UserShortName: 'ann@example.com' };
    expect((await device.say('Idle', user))?.requestType).toBe('UserConfigured');
  });

  it('is let go on where it refuses one of the commands, and not where they are withdrawn', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'D1');
    await device.authenticate();
    await device.tokenUpdate({ AwaitingConfiguration: true });
    await device.session();
    const commands = [
      { requestType: 'Settings', payload: { Settings: [{ Item: 'SharedDeviceConfiguration', ResidentUsers: 5 }] } },
      { requestType: 'RemoveProfile', payload: { Identifier: 'a' } },
    ];
    await engine.recipes.start('D1', 'release-awaiting', { commands }, { force: true });
    const refused = [{ Item: 'SharedDeviceConfiguration', Status: 'Error' }];
    expect(
      await device.session((type) =>
        type === 'Settings' ? { Settings: refused } : type === 'RemoveProfile' ? { Status: 'CommandFormatError' } : {},
      ),
    ).toEqual(['Settings', 'RemoveProfile', 'DeviceConfigured']);
    expect((await engine.recipes.get('D1', 'release-awaiting'))?.status).toBe('succeeded');
    expect((await engine.events.list({ type: 'command.failed' })).items).toHaveLength(2);
    const { step } = await engine.recipes.start('D1', 'release-awaiting', { commands }, { force: true });
    await engine.commands.cancel('D1', step!.commandUuid);
    expect(await device.session()).toEqual([]);
    expect((await engine.recipes.get('D1', 'release-awaiting'))?.status).toBe('cancelled');
  });

  it('waits on where nobody said so', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'D1');
    await device.authenticate();
    await device.tokenUpdate({ AwaitingConfiguration: true });
    expect(await device.session()).not.toContain('DeviceConfigured');
    await engine.recipes.start('D1', 'release-awaiting', {});
    expect(await device.session()).toEqual(['DeviceConfigured']);
  });
});

describe('the Activation Lock bypass code', () => {
  it('is escrowed', async () => {
    const { recipes, answer, run, engine } = await phone();
    await recipes.start('D1', 'activation-lock-escrow', {});
    await answer({ ActivationLockBypassCode: { ActivationLockBypassCode: 'ABCDE-12345-AAAA-BBBB-CCCC-DDDD' } });
    expect((await engine.escrow.read('D1', 'activation-lock-bypass'))[0]?.value).toBe(
      'ABCDE-12345-AAAA-BBBB-CCCC-DDDD',
    );
    await recipes.start('D1', 'activation-lock-escrow', {});
    await answer();
    expect((await run('activation-lock-escrow')).reason).toBe('the device told no bypass code');
  });

  it('is cleared on the device once it is in escrow, which keeps it', async () => {
    const { recipes, device, answer, run, engine } = await phone();
    await recipes.start('D1', 'activation-lock-clear', {});
    await answer();
    expect(await run('activation-lock-clear')).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('none is in escrow'),
    });
    await recipes.start('D1', 'activation-lock-clear', { withoutEscrow: true });
    expect(await answer()).toEqual(['ActivationLockBypassCode', 'ClearActivationLockBypassCode']);
    await recipes.start('D1', 'activation-lock-clear', {});
    await answer({ ActivationLockBypassCode: { ActivationLockBypassCode: 'ABCDE-12345-AAAA-BBBB-CCCC-DDDD' } });
    expect((await run('activation-lock-clear')).status).toBe('succeeded');
    expect(device.received.at(-1)?.requestType).toBe('ClearActivationLockBypassCode');
    // Some days later the device tells it no more.
    await recipes.start('D1', 'activation-lock-clear', {});
    await device.session((requestType) =>
      requestType === 'ActivationLockBypassCode' ? { Status: 'Error', ErrorChain: [] } : {},
    );
    expect((await run('activation-lock-clear')).status).toBe('succeeded');
    expect(await engine.escrow.read('D1', 'activation-lock-bypass')).toMatchObject([
      { value: 'ABCDE-12345-AAAA-BBBB-CCCC-DDDD' },
    ]);
  });
});

describe('erasing', () => {
  it('gives a Mac a PIN, which is in escrow before the Mac can have it', async () => {
    const { recipes, engine, device, answer, run } = await mac();
    await expect(recipes.start('D1', 'erase', { pin: '12' })).rejects.toMatchObject({
      code: 'core.recipe.bad_parameters',
    });
    await expect(recipes.start('D1', 'erase', { preserveDataPlan: true })).rejects.toMatchObject({
      code: 'core.command.unsupported',
    });
    await recipes.start('D1', 'erase', { obliterationBehavior: 'DoNotObliterate' });
    const [entry] = await engine.escrow.read('D1', 'erase-pin');
    expect(entry?.value).toMatch(/^[0-9]{6}$/);
    expect(await answer()).toEqual(['EraseDevice']);
    expect(device.received.at(-1)?.payload).toEqual({
      RequestType: 'EraseDevice',
      PIN: entry?.value,
      ObliterationBehavior: 'DoNotObliterate',
    });
    expect((await run('erase')).status).toBe('succeeded');
    await expect(recipes.start('D1', 'erase', {})).rejects.toMatchObject({ code: 'core.recipe.unavailable' });
  });

  it('can be withdrawn until the device has it', async () => {
    const { recipes, device, answer, run } = await phone();
    await expect(recipes.start('D1', 'erase', { pin: '123456' })).rejects.toMatchObject({ kind: 'invalid' });
    await recipes.start('D1', 'erase', {});
    expect(await recipes.cancel('D1', 'erase')).toBe(true);
    expect(await answer()).toEqual([]);
    await recipes.start('D1', 'erase', { preserveDataPlan: true });
    const command = await device.idle();
    expect(await recipes.cancel('D1', 'erase')).toBe(false);
    await device.say('Acknowledged', { CommandUUID: command!.commandUuid });
    expect((await run('erase')).status).toBe('succeeded');
  });

  it('returns to service, with the apps where the system can keep them', async () => {
    for (const [version, keeps] of [
      ['18.3', false],
      ['26.0', true],
    ] as const) {
      const { recipes, device } = await enrolled({ OSVersion: version }, { IsSupervised: true });
      await device.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: new Uint8Array([7]) });
      await recipes.start('D1', 'erase', { returnToService: { wifiProfile: new Uint8Array([1]) } });
      const service = (await device.idle())?.payload['ReturnToService'] as Record<string, unknown>;
      expect([service['Enabled'], 'WiFiProfileData' in service, 'BootstrapToken' in service]).toEqual([
        true,
        true,
        keeps,
      ]);
    }
  });
});

describe('a run', () => {
  it('is one at a time, and can be withdrawn', async () => {
    const { recipes, answer, run, types } = await phone();
    await recipes.start('D1', 'lost-mode-on', { message: 'x', locate: true });
    await expect(recipes.start('D1', 'lost-mode-on', { message: 'y' })).rejects.toMatchObject({
      code: 'core.recipe.running',
    });
    expect(await recipes.cancel('D1', 'lost-mode-on')).toBe(true);
    expect(await recipes.cancel('D1', 'lost-mode-on')).toBe(false);
    expect(await answer()).toEqual([]);
    expect((await run('lost-mode-on')).status).toBe('cancelled');
    expect((await types()).at(-1)).toEqual(['cancelled', 'withdrawn']);
    await recipes.start('D1', 'lost-mode-on', { message: 'y' });
  });

  it('ends with its command, and waits while the device says NotNow', async () => {
    const { recipes, engine, run, device, clock } = await phone();
    const { step } = await recipes.start('D1', 'lost-mode-on', { message: 'x' });
    await device.idle();
    expect(await device.say('NotNow', { CommandUUID: step!.commandUuid })).toBeNull();
    expect((await run('lost-mode-on')).status).toBe('running');
    clock.advance(24 * 3_600_000);
    await engine.commands.cancel('D1', step!.commandUuid);
    await engine.tick();
    expect(await run('lost-mode-on')).toMatchObject({
      status: 'cancelled',
      reason: 'EnableLostMode: the command ended as cancelled',
    });
  });

  it('needs an enrolled device', async () => {
    const { recipes, device } = await phone();
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    await expect(recipes.start('D1', 'lost-mode-off', {})).rejects.toMatchObject({ code: 'core.recipe.unavailable' });
  });

  it('knows its name', () => {
    expect(recipeNames).toHaveLength(18);
  });

  // Every store call from the answer to the end: what a crash there leaves behind is mended by the next tick.
  it.each(['secrets.put', 'queue.enqueue', 'events.append', 'queue.followUpDone'])(
    'survives a crash in %s',
    async (at) => {
      for (const when of ['before', 'after'] as const) {
        const store = createMemoryStore();
        let armed = false;
        const crashing = faultyStore(store, ({ name }) => {
          if (!armed || name !== at) return 'none';
          armed = false;
          return when;
        });
        const made = bench({ store: crashing });
        const device = new ScriptedDevice(made.engine, 'D1');
        await device.enrol();
        await device.session((type) =>
          type === 'DeviceInformation' ? { QueryResponses: { IsSupervised: true } } : {},
        );
        await made.engine.recipes.start('D1', 'lost-mode-on', { message: 'x', sound: true, locate: true });
        const first = await device.idle();
        armed = true;
        await expect(device.say('Acknowledged', { CommandUUID: first!.commandUuid })).rejects.toMatchObject({
          code: 'core.store.injected',
        });
        await made.engine.tick();
        const seen = await device.session((type) =>
          type === 'DeviceLocation' ? { Latitude: 1.5, Longitude: 2.5 } : {},
        );
        expect([at, when, seen]).toEqual([at, when, ['PlayLostModeSound', 'DeviceLocation']]);
        expect((await made.engine.recipes.get('D1', 'lost-mode-on'))?.status).toBe('succeeded');
      }
    },
  );
});
