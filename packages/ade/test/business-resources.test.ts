// What the Apple Business API has beside devices and servers: users, groups, units, apps, packages, Blueprints, configurations.
import { describe, expect, it } from 'vitest';
import type { BlueprintPart } from '../src/index.ts';
import { all } from './apple.ts';
import { refusal, businessSetting as setting } from './business-setting.ts';

const profile =
  '<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>PayloadContent</key><array><dict/></array></dict></plist>';

describe('the directory', () => {
  it('has users, groups and organisational units', async () => {
    const { client } = setting({ maxPage: 2 });
    const pages = await all(client.users());
    expect(pages.map((page) => page.length)).toEqual([2, 1]);
    const ada = pages[0]![0]!;
    expect(ada).toEqual({
      id: 'user-1',
      firstName: 'Ada',
      lastName: 'Lovelace',
      email: 'ada@example.com',
      managedAppleAccount: 'ada@example.com',
      status: 'ACTIVE',
      isExternalUser: false,
      department: 'Engineering',
      roleOuList: [{ roleName: 'Organization Administrator', ouId: 'unit-1' }],
      phoneNumbers: [{ phoneNumber: '+44 20 7946 0000', type: 'WORK' }],
      createdDateTime: '2026-03-01T00:00:00.000Z',
      updatedDateTime: '2026-03-01T00:00:00.000Z',
    });
    expect(await client.user('user-1')).toEqual(ada);
    expect(await client.user('nobody')).toBeUndefined();
    const [group] = (await all(client.userGroups())).flat();
    expect(group).toMatchObject({ id: 'group-1', ouId: 'unit-1', type: 'STANDARD', totalMemberCount: 2 });
    expect(await client.userGroup('group-1')).toEqual(group);
    expect((await all(client.userGroupUsers('group-1'))).flat()).toEqual(['user-1', 'user-2']);
    const [unit] = (await all(client.organisationalUnits())).flat();
    expect(unit).toMatchObject({ id: 'unit-1', name: 'Headquarters' });
    expect(await client.organisationalUnit('unit-1')).toEqual(unit);
    expect((await all(client.organisationalUnitUsers('unit-1'))).map((page) => page.length)).toEqual([2, 1]);
    expect(await refusal(() => all(client.userGroupUsers('nothing')))).toBe('ade.business.not_found');
  });

  it('has apps and packages', async () => {
    const { client } = setting();
    const apps = (await all(client.apps())).flat();
    expect(apps).toMatchObject([{ id: '361309726', isCustomApp: false }, { id: '409201541' }]);
    expect(apps[0]!.supportedOS).toEqual(['SUPPORTED_OS_IOS', 'SUPPORTED_OS_MACOS']);
    expect(await client.app('361309726')).toEqual(apps[0]);
    const [agent] = (await all(client.packages())).flat();
    expect(agent).toMatchObject({ id: 'package-1', hash: 'ab12', bundleIds: ['com.example.agent'] });
    expect(await client.package('package-1')).toEqual(agent);
    expect(await client.package('nothing')).toBeUndefined();
  });

  it('has the devices of the built-in device management', async () => {
    const { apple, client } = setting({ count: 3 });
    const { serialNumber, kind, model } = apple.organisation.device(1);
    expect((await all(client.builtInDevices())).flat()).toEqual([]);
    expect(await client.builtInDevice(serialNumber)).toBeUndefined();
    apple.enrolBuiltIn(serialNumber);
    expect((await all(client.builtInDevices())).flat()).toEqual([
      { id: serialNumber, serialNumber, deviceName: model, productFamily: kind, enrolledUserId: 'user-1' },
    ]);
    expect(await client.builtInDevice(serialNumber)).toMatchObject({
      ...{ id: serialNumber, osVersion: '26.1', storageFreeCapacity: 100_000_000_000, lostModeStatus: 'DISABLED' },
      ...{ imei: [], deviceLockStatus: 'UNLOCKED', deviceEraseStatus: 'NOT_ERASED' },
    });
  });
});

describe('Blueprints', () => {
  it('are made, changed and deleted; what nobody knows is dropped', async () => {
    const { apple, client } = setting({ count: 3 });
    const serial = apple.organisation.device(0).serialNumber;
    const made = await client.createBlueprint({
      name: 'Onboarding',
      description: 'For all',
      parts: { apps: ['361309726', 'unknown'], users: ['user-1', 'user-2'], orgDevices: [serial] },
    });
    expect(made).toMatchObject({ name: 'Onboarding', status: 'ACTIVE', appLicenseDeficient: false });
    expect(await client.blueprint(made.id)).toEqual(made);
    expect((await all(client.blueprintParts(made.id, 'apps'))).flat()).toEqual(['361309726']);
    expect((await all(client.blueprintParts(made.id, 'orgDevices'))).flat()).toEqual([serial]);
    const changed = await client.updateBlueprint(made.id, { description: 'For some', parts: { users: ['user-3'] } });
    expect(changed).toMatchObject({ id: made.id, name: 'Onboarding', description: 'For some' });
    expect((await all(client.blueprintParts(made.id, 'users'))).flat()).toEqual(['user-3']);
    expect((await all(client.blueprintParts(made.id, 'apps'))).flat()).toEqual(['361309726']);
    expect((await all(client.blueprints())).flat().map((item) => item.id)).toEqual([made.id]);
    await client.deleteBlueprint(made.id);
    expect(await client.blueprint(made.id)).toBeUndefined();
    expect(await refusal(() => client.deleteBlueprint(made.id))).toBe('ade.business.not_found');
    expect(await refusal(() => client.createBlueprint({ name: '' }))).toBe('ade.business.unprocessable');
  });

  it('get and lose each of their parts', async () => {
    const { apple, client } = setting({ count: 3 });
    const { id } = await client.createBlueprint({ name: 'Parts' });
    const [configuration] = (await all(client.configurations())).flat();
    const known: Readonly<Record<BlueprintPart, string>> = {
      apps: '361309726',
      configurations: configuration!.id,
      packages: 'package-1',
      orgDevices: apple.organisation.device(2).serialNumber,
      users: 'user-2',
      userGroups: 'group-1',
    };
    for (const [part, one] of Object.entries(known) as [BlueprintPart, string][]) {
      const held = async () => (await all(client.blueprintParts(id, part))).flat();
      await client.addToBlueprint(id, part, [one]);
      await client.addToBlueprint(id, part, [one]);
      expect(await held()).toEqual([one]);
      expect(await refusal(() => client.addToBlueprint(id, part, ['unknown']))).toBe('ade.business.conflict');
      expect(await refusal(() => client.removeFromBlueprint(id, part, []))).toBe('ade.business.unprocessable');
      await client.removeFromBlueprint(id, part, [one]);
      expect(await held()).toEqual([]);
      const requests = `/v1/blueprints/${id}/relationships/${part}`;
      expect(['GET', 'POST', 'DELETE'].map((method) => apple.counters.get(`${method} ${requests}`))).toEqual([2, 3, 2]);
    }
  });

  it('and configurations are not made twice when an answer is lost', async () => {
    const { apple, client } = setting({}, { retry: { attempts: 2 } });
    apple.respond(() => new Response('', { status: 503 }));
    expect(await refusal(() => client.createBlueprint({ name: 'x' }))).toBe('ade.business.unavailable');
    expect(apple.counters.get('POST /v1/blueprints')).toBe(1);
    const configuration = { name: 'x', configurationProfile: profile };
    expect(await refusal(() => client.createConfiguration(configuration))).toBe('ade.business.unavailable');
    expect(apple.counters.get('POST /v1/configurations')).toBe(1);
  });
});

describe('configurations', () => {
  it('are profiles that are made, changed and deleted', async () => {
    const { client } = setting();
    const made = await client.createConfiguration({
      name: 'AirPlay',
      configuredForPlatforms: ['PLATFORM_IOS'],
      configurationProfile: profile,
    });
    expect(made).toMatchObject({ type: 'CUSTOM_SETTING', name: 'AirPlay', configurationProfile: profile });
    expect(made.filename).toMatch(/\.mobileconfig$/);
    expect(await client.configuration(made.id)).toEqual(made);
    const changed = await client.updateConfiguration(made.id, { name: 'AirPlay 2', filename: 'a.mobileconfig' });
    expect(changed).toEqual({ ...made, name: 'AirPlay 2', filename: 'a.mobileconfig' });
    const other = await client.updateConfiguration(made.id, { configuredForPlatforms: ['PLATFORM_MACOS'] });
    expect(other.configuredForPlatforms).toEqual(['PLATFORM_MACOS']);
    expect((await all(client.configurations())).flat().map((item) => item.type)).toEqual(['WIFI', 'CUSTOM_SETTING']);
    const { id } = await client.createBlueprint({ name: 'B', parts: { configurations: [made.id] } });
    await client.deleteConfiguration(made.id);
    expect(await client.configuration(made.id)).toBeUndefined();
    expect((await all(client.blueprintParts(id, 'configurations'))).flat()).toEqual([]);
  });

  it('that do not fit are refused', async () => {
    const { client } = setting();
    const create = (change: object): Promise<string> =>
      refusal(() => client.createConfiguration({ name: 'x', configurationProfile: profile, ...change }));
    expect(await create({ configurationProfile: 'hello' })).toBe('ade.business.bad_request');
    expect(await create({ filename: 'x.txt' })).toBe('ade.business.unprocessable');
    expect(await create({ configuredForPlatforms: ['PLATFORM_WATCH'] })).toBe('ade.business.unprocessable');
    const [wifi] = (await all(client.configurations())).flat();
    expect(wifi).not.toHaveProperty('configurationProfile');
    expect(await refusal(() => client.updateConfiguration(wifi!.id, { name: 'x' }))).toBe('ade.business.conflict');
    expect(await refusal(() => client.updateConfiguration('nothing', { name: 'x' }))).toBe('ade.business.not_found');
  });
});

describe('devices', () => {
  const day = 86_400_000;

  it('are migrated by a date, which can be changed and taken back', async () => {
    const { apple, client, clock } = setting({ count: 4, servers: ['Old', 'New'] });
    const [old, next] = apple.servers.map((server) => server.id) as [string, string];
    const serials = [0, 1].map((number) => apple.organisation.device(number).serialNumber) as [string, string];
    await client.finished((await client.assign(old, serials)).id);
    expect(await client.device(serials[0])).toMatchObject({ isMdmMigrationCapable: true });
    const first = new Date(clock.now() + 10 * day);
    await client.finished((await client.assign(next, serials, { migrateBy: first })).id);
    expect(await client.assignedServerId(serials[0])).toBe(next);
    const migration = async (serial: string) => {
      const device = await client.device(serial);
      return [device?.mdmMigrationStatus, device?.mdmMigrationDeadlineDateTime];
    };
    expect(await migration(serials[0])).toEqual(['REQUESTED', first.toISOString()]);
    const past = new Date(clock.now() - day);
    await client.finished((await client.changeMigrationDeadline([serials[0]], past)).id);
    expect(await migration(serials[0])).toEqual(['REQUESTED', past.toISOString()]);
    expect((await client.finished((await client.cancelMigration([serials[1]])).id)).subStatus).toBe(
      'COMPLETED_WITH_SUCCESS',
    );
    expect(await migration(serials[1])).toEqual([undefined, undefined]);
    apple.migrated(serials[0]);
    expect((await migration(serials[0]))[0]).toBe('SUCCESS');
    const late = await client.finished((await client.cancelMigration(serials)).id);
    expect(late).toMatchObject({ status: 'COMPLETED', subStatus: 'COMPLETED_WITH_ERROR' });
  });

  it('are not migrated by a date that Apple does not take', async () => {
    const { apple, client, clock } = setting({ count: 1 });
    const assign = (migrateBy: Date): Promise<string> =>
      refusal(() => client.assign(apple.servers[0]!.id, [apple.organisation.device(0).serialNumber], { migrateBy }));
    expect(await assign(new Date(clock.now() + 91 * day))).toBe('ade.business.conflict');
    expect(await assign(new Date(clock.now() - 1))).toBe('ade.business.conflict');
    expect(await assign(new Date('never'))).toBe('ade.option');
    expect(await refusal(() => client.changeMigrationDeadline(['X'], new Date(Number.NaN)))).toBe('ade.option');
    const query = { start: new Date(Number.NaN), end: new Date(0) };
    expect(await refusal(async () => client.auditEvents(query))).toBe('ade.option');
  });

  it('are released only when that is allowed and confirmed, and are gone then', async () => {
    const heard: unknown[] = [];
    const options = { count: 3, onAssigned: (...event: unknown[]) => heard.push(event) };
    const { apple, client, clock } = setting(options, { allowRelease: true });
    const serial = apple.organisation.device(1).serialNumber;
    await client.finished((await client.assign(apple.servers[0]!.id, [serial])).id);
    apple.enrolBuiltIn(serial);
    const blueprint = await client.createBlueprint({ name: 'B', parts: { orgDevices: [serial] } });
    const careful = setting(options).client;
    expect(await refusal(() => careful.release([serial], { irreversible: true }))).toBe('ade.release.not_allowed');
    const unconfirmed = {} as unknown as { readonly irreversible: true };
    expect(await refusal(() => client.release([serial], unconfirmed))).toBe('ade.release.unconfirmed');
    const { id } = await client.release([serial], { irreversible: true });
    expect(await client.finished(id)).toMatchObject({ subStatus: 'COMPLETED_WITH_SUCCESS' });
    expect(heard.at(-1)).toEqual([[serial], null]);
    expect((await all(client.devices())).flat().map((device) => device.id)).not.toContain(serial);
    expect(await client.device(serial)).toMatchObject({ status: 'UNASSIGNED', releaserEntityType: 'API' });
    expect((await client.device(serial))?.releasedFromOrgDateTime).toMatch(/^2026-03-01T/);
    expect(await client.assignedServer(serial)).toBeUndefined();
    expect((await all(client.builtInDevices())).flat()).toEqual([]);
    expect((await all(client.blueprintParts(blueprint.id, 'orgDevices'))).flat()).toEqual([]);
    const type = 'DEVICE_REMOVED_FROM_ORG';
    const events = await all(client.auditEvents({ start: new Date(0), end: new Date(clock.now()), type }));
    expect(events.flat()).toMatchObject([{ subjectId: serial, data: { releaseEntityType: 'API' } }]);
    expect(await refusal(() => client.assign(apple.servers[0]!.id, [serial]))).toBe('ade.business.conflict');
  });
});

it('an account that may not, or asks too often, is refused', async () => {
  const { apple, client, waits } = setting({ requestsPerMinute: 3 });
  for (let time = 0; time < 4; time++) await client.user('user-1');
  expect(waits).toEqual([60_000]);
  apple.allowed = false;
  expect(await refusal(() => client.user('user-1'))).toBe('ade.business.forbidden');
  const other = setting();
  other.apple.mayGetTokens = false;
  expect(await refusal(() => other.client.user('user-1'))).toBe('ade.business.unauthorized_client');
});

it('an id that would make another path of it is refused', async () => {
  const { apple, client } = setting();
  for (const id of ['', '.', '..']) {
    expect(await refusal(() => client.deleteBlueprint(id))).toBe('ade.option');
    expect(await refusal(async () => client.userGroupUsers(id))).toBe('ade.option');
  }
  expect(await client.user('../users')).toBeUndefined();
  expect([...apple.counters.keys()]).toEqual(['POST /auth/oauth2/token', 'GET /v1/users/..%2Fusers']);
});

it('Apple School Manager has devices and their migration, and nothing else of this', async () => {
  const { apple, client, clock } = setting({ manager: 'school', count: 1 }, { allowRelease: true });
  const serial = apple.organisation.device(0).serialNumber;
  const migrateBy = new Date(clock.now() + 1000);
  await client.finished((await client.assign(apple.servers[0]!.id, [serial], { migrateBy })).id);
  expect(await client.device(serial)).toMatchObject({ mdmMigrationStatus: 'REQUESTED' });
  const calls: (() => Promise<unknown>)[] = [
    () => client.release([serial], { irreversible: true }),
    () => all(client.users()),
    () => client.user('x'),
    () => all(client.userGroups()),
    () => client.userGroup('x'),
    () => all(client.userGroupUsers('x')),
    () => all(client.organisationalUnits()),
    () => client.organisationalUnit('x'),
    () => all(client.organisationalUnitUsers('x')),
    () => all(client.apps()),
    () => client.app('x'),
    () => all(client.packages()),
    () => client.package('x'),
    () => all(client.builtInDevices()),
    () => client.builtInDevice('x'),
    () => all(client.blueprints()),
    () => client.blueprint('x'),
    () => client.createBlueprint({ name: 'x' }),
    () => client.updateBlueprint('x', {}),
    () => client.deleteBlueprint('x'),
    () => all(client.blueprintParts('x', 'apps')),
    () => client.addToBlueprint('x', 'apps', ['y']),
    () => client.removeFromBlueprint('x', 'apps', ['y']),
    () => all(client.configurations()),
    () => client.configuration('x'),
    () => client.createConfiguration({ name: 'x', configurationProfile: profile }),
    () => client.updateConfiguration('x', {}),
    () => client.deleteConfiguration('x'),
  ];
  for (const call of calls) expect(await refusal(call), String(call)).toBe('ade.business.not_there');
});
