// Declarative management through the engine: what devices get, when they are told, what becomes of their reports.
import { readDeclarationItems, readTokensResponse } from '@espalier/apple-mdm';
import { describe, expect, test } from 'vitest';
import { declareSoftwareUpdate } from '../src/index.ts';
import { bench, ScriptedDevice, type TestBench } from './support.ts';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parsed = (bytes: Uint8Array | null): unknown => JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
const code = (expected: string) => expect.objectContaining({ code: expected });

const passcode = 'com.apple.configuration.passcode.settings';
const SETTLE = 2_000;

/** A device that speaks declarative management by hand. */
class DeclaringDevice extends ScriptedDevice {
  ask(endpoint: string, data?: unknown): Promise<Uint8Array | null> {
    const message = { MessageType: 'DeclarativeManagement', Endpoint: endpoint };
    return this.checkin(data === undefined ? message : { ...message, Data: json(data) });
  }

  async items(): Promise<string[]> {
    const { items } = readDeclarationItems((await this.ask('declaration-items')) ?? new Uint8Array());
    return items.map((item) => item.identifier);
  }

  report(StatusItems: unknown, more: object = {}): Promise<Uint8Array | null> {
    return this.ask('status', { StatusItems, Errors: [], ...more });
  }
}

interface World extends TestBench {
  readonly device: DeclaringDevice;
  /** Lets changes settle, and does the work that is due. */
  settle(): Promise<void>;
}

async function world(options: Parameters<typeof bench>[0] = {}): Promise<World> {
  const made = bench({ options: { statusItems: [], ...options.options }, ...options });
  const device = new DeclaringDevice(made.engine, 'A');
  await device.enrol();
  await device.session();
  const settle = async () => {
    made.clock.advance(SETTLE);
    await made.engine.tick();
  };
  await settle();
  await device.session();
  return { ...made, device, settle };
}

const syncsOf = (device: ScriptedDevice) =>
  device.received.filter((command) => command.requestType === 'DeclarativeManagement');

/** A set with one passcode configuration, for the device. */
async function withPasscode({ engine, settle }: World) {
  await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength: 6 } });
  const set = await engine.declarations.createSet({ name: 'all', identifiers: ['pass'] });
  await engine.declarations.setMembers(set.id, { add: ['A'] });
  await settle();
  return set;
}

describe('synchronisation', () => {
  test('a device without declarations is left alone', async () => {
    const { engine, device, store } = await world();
    expect(syncsOf(device)).toEqual([]);
    expect(await engine.declarations.sync('A')).toBe(null);
    expect(await engine.declarations.ofDevice('A')).toEqual([]);
    expect(await device.items()).toEqual([]);
    const { declarationsToken } = readTokensResponse((await device.ask('tokens')) ?? new Uint8Array());
    expect(declarationsToken).toMatch(/^[0-9a-f]{64}$/);
    expect((await store.declarations.syncs(['A'])).size).toBe(0);
  });

  test('a set reaches its member: command, tokens, manifest, declarations', async () => {
    const it = await world();
    const { engine, device } = it;
    await withPasscode(it);
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    const [command] = syncsOf(device);
    const told = readTokensResponse(command?.payload['Data'] as Uint8Array);
    const tokens = await device.ask('tokens');
    expect(readTokensResponse(tokens ?? new Uint8Array()).declarationsToken).toBe(told.declarationsToken);
    const manifest = readDeclarationItems((await device.ask('declaration-items')) ?? new Uint8Array());
    expect(manifest.declarationsToken).toBe(told.declarationsToken);
    expect(manifest.items.map(({ kind, identifier }) => [kind, identifier])).toEqual([
      ['activation', 'espalier.activation'],
      ['configuration', 'pass'],
    ]);
    const declaration = await device.ask('declaration/configuration/pass');
    expect(parsed(declaration)).toEqual({
      Type: passcode,
      Identifier: 'pass',
      ServerToken: manifest.items[1]?.serverToken,
      Payload: { MinimumLength: 6 },
    });
    expect(parsed(await device.ask('declaration/activation/espalier.activation'))).toMatchObject({
      Type: 'com.apple.activation.simple',
      ServerToken: manifest.items[0]?.serverToken,
      Payload: { StandardConfigurations: ['pass'] },
    });
    expect(await engine.declarations.sync('A')).toMatchObject({
      token: told.declarationsToken,
      deviceToken: told.declarationsToken,
    });
  });

  test('what is not for the device, or of another kind, is not found', async () => {
    const it = await world();
    await withPasscode(it);
    await it.engine.declarations.put({ identifier: 'other', type: passcode, payload: {} });
    for (const endpoint of [
      'declaration/configuration/other',
      'declaration/asset/pass',
      'declaration/configuration/nobody',
      'declaration/other/pass',
      'nothing',
    ]) {
      await expect(it.device.ask(endpoint), endpoint).rejects.toThrow(expect.objectContaining({ kind: 'not-found' }));
    }
  });

  test('a burst of changes is one synchronisation, and none when nothing is different in the end', async () => {
    const it = await world();
    const { engine, device, settle, clock } = it;
    const set = await withPasscode(it);
    await device.session();
    await device.items();
    for (let i = 0; i < 20; i++) {
      await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength: 7 + (i % 3) } });
      clock.advance(50);
      await engine.tick();
    }
    await settle();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    await device.items();
    await engine.declarations.setMembers(set.id, { remove: ['A'] });
    await engine.declarations.setMembers(set.id, { add: ['A'] });
    await settle();
    expect(await device.session()).toEqual([]);
  });

  test('several changes before the device comes are one command; back where it was, none', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    await withPasscode(it);
    await device.session();
    await device.items();
    for (const MinimumLength of [8, 9, 10]) {
      await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength } });
      await settle();
    }
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    await device.items();
    await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength: 4 } });
    await settle();
    await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength: 10 } });
    await settle();
    expect(await device.session()).toEqual([]);
  });

  test('labels bring sets and take them away, also for user channels', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    await device.tokenUpdate({ UserID: 'U', UserShortName: 'ann', UserLongName: 'Ann' });
    const label = await engine.labels.create({ name: 'l' });
    await engine.declarations.put({ identifier: 'mine', type: passcode, payload: {} });
    await engine.declarations.put({
      identifier: 'theirs',
      type: 'com.apple.configuration.legacy',
      payload: { ProfileURL: 'https://x.example/' },
    });
    await engine.declarations.createSet({ name: 'd', identifiers: ['mine'], labelIds: [label.id] });
    await engine.declarations.createSet({ name: 'u', channel: 'user', identifiers: ['theirs'], labelIds: [label.id] });
    await engine.labels.setMembers(label.id, { add: ['A'] });
    await settle();
    const wanted = async (id: string) => (await engine.declarations.ofDevice(id)).map((one) => one.identifier);
    expect(await wanted('A')).toEqual(['espalier.activation', 'mine']);
    // An iPhone takes legacy profiles on the device channel only; this user channel has nothing that fits.
    expect(await wanted('A:U')).toEqual([]);
    const message = { MessageType: 'DeclarativeManagement', Endpoint: 'declaration-items', UserID: 'U' };
    expect(readDeclarationItems((await device.checkin(message)) ?? new Uint8Array()).items).toEqual([]);
    await engine.labels.delete(label.id);
    await settle();
    expect(await wanted('A')).toEqual([]);
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    expect(await device.items()).toEqual([]);
  });

  test("a Mac's user channel has its own: told, fetched and reported apart from the device's", async () => {
    const made = bench({ options: { statusItems: [] } });
    const { engine } = made;
    const mac = new DeclaringDevice(engine, 'M', { ProductName: 'Mac15,3', OSVersion: '15.3' });
    await mac.enrol();
    await mac.tokenUpdate({ UserID: 'U', UserShortName: 'ann', UserLongName: 'Ann' });
    const settle = async () => {
      made.clock.advance(SETTLE);
      await engine.tick();
    };
    await engine.declarations.put({
      identifier: 'theirs',
      type: 'com.apple.configuration.legacy',
      payload: { ProfileURL: 'https://x.example/' },
    });
    const set = await engine.declarations.createSet({ name: 'u', channel: 'user', identifiers: ['theirs'] });
    await engine.declarations.setMembers(set.id, { add: ['M'] });
    await settle();
    const wanted = async (id: string) => (await engine.declarations.ofDevice(id)).map((one) => one.identifier);
    expect([await wanted('M'), await wanted('M:U')]).toEqual([[], ['espalier.activation', 'theirs']]);
    // The device's own queue has nothing of it; the user's has the command.
    await mac.session();
    expect(syncsOf(mac)).toEqual([]);
    const command = await mac.say('Idle', { UserID: 'U' });
    expect(command).toMatchObject({ requestType: 'DeclarativeManagement' });
    await mac.say('Acknowledged', { UserID: 'U', CommandUUID: command?.commandUuid ?? '' });
    const ask = (Endpoint: string, more: object = {}) =>
      mac.checkin({ MessageType: 'DeclarativeManagement', UserID: 'U', Endpoint, ...more });
    const manifest = readDeclarationItems((await ask('declaration-items')) ?? new Uint8Array());
    expect(manifest.items.map(({ identifier }) => identifier)).toEqual(['espalier.activation', 'theirs']);
    expect(parsed(await ask('declaration/configuration/theirs'))).toMatchObject({ Identifier: 'theirs' });
    await expect(mac.ask('declaration/configuration/theirs')).rejects.toThrow(code('core.declaration.unknown'));
    const configurations = manifest.items
      .filter(({ kind }) => kind === 'configuration')
      .map(({ identifier, serverToken }) => ({
        identifier,
        active: true,
        valid: 'valid',
        'server-token': serverToken,
      }));
    const StatusItems = { management: { declarations: { configurations } } };
    await ask('status', { Data: json({ StatusItems, Errors: [] }) });
    const stands = (await engine.declarations.ofDevice('M:U')).find(({ identifier }) => identifier === 'theirs');
    expect(stands).toMatchObject({ status: 'applied', active: true, enrolmentId: 'M:U' });
    expect(await engine.declarations.sync('M')).toBe(null);
  });

  test('a device that enrols anew is told again, one that left is not', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    const set = await withPasscode(it);
    await device.session();
    await device.items();
    await device.enrol();
    await settle();
    expect((await device.session()).filter((type) => type === 'DeclarativeManagement')).toHaveLength(1);
    await device.checkin({ MessageType: 'CheckOut', Topic: 'com.apple.mgmt.External.test' });
    await settle();
    expect((await engine.declarations.members(set.id)).items).toEqual([]);
    expect(await engine.declarations.sync('A')).toBe(null);
    await expect(device.ask('tokens')).rejects.toThrow(code('core.enrolment.unknown'));
  });

  test('a device that is too old for it is not told', async () => {
    const it = await world();
    const old = new DeclaringDevice(it.engine, 'OLD', { OSVersion: '14.8' });
    await old.enrol();
    await old.session(() => ({ QueryResponses: { OSVersion: '14.8', ProductName: 'iPhone10,2' } }));
    const set = await withPasscode(it);
    await it.engine.declarations.setMembers(set.id, { add: ['OLD'] });
    await it.settle();
    expect(await old.session()).toEqual([]);
    expect(await it.engine.declarations.sync('OLD')).toBe(null);
  });

  test('a device that was told and does not fetch is told again later', async () => {
    const it = await world();
    const { device, clock, engine } = it;
    await withPasscode(it);
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    await it.settle();
    expect(await device.session()).toEqual([]);
    clock.advance(25 * 60 * 60_000);
    await engine.tick();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    await device.items();
    clock.advance(25 * 60 * 60_000);
    await engine.tick();
    expect(await device.session()).toEqual([]);
    expect(await engine.declarations.ask(['A', 'nobody'])).toBe(1);
    expect(await device.session()).toEqual(['DeclarativeManagement']);
  });

  test('what is named goes along, and its changes reach whoever has it', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    const { declarations } = engine;
    const user = (FullName: string) =>
      declarations.put({ identifier: 'user', type: 'com.apple.asset.useridentity', payload: { FullName } });
    await declarations.put({
      identifier: 'act',
      type: 'com.apple.activation.simple',
      payload: { StandardConfigurations: ['mail'], Predicate: "@status(device.model.family) == 'iPhone'" },
    });
    const set = await declarations.createSet({ name: 's', identifiers: ['act'] });
    expect((await declarations.check(set.identifiers)).map((one) => one.code)).toEqual(['missing']);
    await declarations.setMembers(set.id, { add: ['A'] });
    await settle();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    expect(await device.items()).toEqual(['act']);
    await user('Ann');
    await declarations.put({
      identifier: 'mail',
      type: 'com.apple.configuration.account.google',
      payload: { UserIdentityAssetReference: 'user' },
    });
    expect(await declarations.check(set.identifiers)).toEqual([]);
    await settle();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    expect(await device.items()).toEqual(['act', 'user', 'mail']);
    await user('Ann Smith');
    await settle();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    await expect(declarations.delete('user')).rejects.toThrow(code('core.declaration.in_use'));
    await expect(declarations.delete('act')).rejects.toThrow(code('core.declaration.in_use'));
    await declarations.deleteSet(set.id);
    for (const identifier of ['act', 'mail', 'user']) await declarations.delete(identifier);
    expect((await declarations.list()).items).toEqual([]);
    await settle();
    expect(await device.items()).toEqual([]);
    await expect(device.ask('declaration/asset/user')).rejects.toThrow(code('core.declaration.unknown'));
  });

  test('saving what is not different changes nothing', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    const set = await withPasscode(it);
    await device.session();
    const before = await engine.declarations.get('pass');
    expect(
      await engine.declarations.put({ identifier: 'pass', type: passcode, payload: { MinimumLength: 6 } }),
    ).toEqual(before);
    const described = await engine.declarations.put({
      identifier: 'pass',
      type: passcode,
      payload: { MinimumLength: 6 },
      description: 'd',
    });
    expect(described).toMatchObject({ version: 2, serverToken: before?.serverToken, description: 'd' });
    await engine.declarations.updateSet(set.id, { name: 'other' });
    await settle();
    expect(await device.session()).toEqual([]);
  });
});

describe('what is refused before any device sees it', () => {
  const put = async (input: { identifier?: string; type?: string; payload?: Record<string, unknown> }) => {
    const { engine } = bench();
    return engine.declarations.put({ identifier: 'x', type: passcode, payload: {}, ...input });
  };

  test.each([
    ['no identifier', { identifier: '' }, 'core.declaration.invalid', '/Identifier'],
    ['a long identifier', { identifier: 'é'.repeat(33) }, 'core.declaration.invalid', '/Identifier'],
    ['a control character', { identifier: 'a\u0000b' }, 'core.declaration.invalid', '/Identifier'],
    ['the server’s own', { identifier: 'espalier.x' }, 'core.declaration.reserved', '/Identifier'],
    ['a type of no kind', { type: 'com.apple.passcode' }, 'core.declaration.invalid', '/Type'],
    [
      'a wrong type of value',
      { payload: { MinimumLength: 'six' } },
      'core.declaration.invalid',
      '/Payload/MinimumLength',
    ],
    ['a missing key', { type: 'com.apple.configuration.legacy' }, 'core.declaration.invalid', '/Payload/ProfileURL'],
    [
      'a predicate that is none',
      { type: 'com.apple.activation.simple', payload: { StandardConfigurations: [], Predicate: '1 ==' } },
      'core.declaration.invalid',
      '/Payload/Predicate',
    ],
  ])('%s', async (_name, input, expected, path) => {
    await expect(put(input)).rejects.toThrow(
      expect.objectContaining({ code: expected, kind: 'invalid', at: { path } }),
    );
  });

  test('what JSON has no place for, and what is too large', async () => {
    await expect(put({ payload: { a: Number.NaN } })).rejects.toThrow(code('mdm.declaration.bad_key'));
    const type = 'com.example.configuration.new';
    await expect(put({ type, payload: { a: 'x'.repeat(1024 * 1024) } })).rejects.toThrow(
      expect.objectContaining({ code: 'core.declaration.too_large', kind: 'too-large' }),
    );
    expect(await put({ type, payload: { __proto__: { x: 1 }, a: new Date(0) } })).toMatchObject({
      payload: { a: '1970-01-01T00:00:00Z' },
    });
  });

  test('a reference to something of another type, and sets of what is not there', async () => {
    const { engine } = bench();
    const { declarations } = engine;
    await declarations.put({ identifier: 'pass', type: passcode, payload: {} });
    const wrong = declarations.put({
      identifier: 'g',
      type: 'com.apple.configuration.account.google',
      payload: { UserIdentityAssetReference: 'pass' },
    });
    await expect(wrong).rejects.toThrow(code('core.declaration.invalid'));
    await expect(declarations.createSet({ name: 's', identifiers: ['nobody'] })).rejects.toThrow(
      code('core.declaration.unknown'),
    );
    await expect(declarations.createSet({ name: 's', labelIds: ['nobody'] })).rejects.toThrow(
      code('core.label.unknown'),
    );
    await expect(declarations.createSet({ name: '  ' })).rejects.toThrow(code('core.declaration_set.bad_name'));
    await declarations.createSet({ name: 's' });
    await expect(declarations.createSet({ name: 's' })).rejects.toThrow(code('core.declaration_set.name_taken'));
    for (const action of [
      declarations.updateSet('x', {}),
      declarations.deleteSet('x'),
      declarations.setMembers('x', {}),
      declarations.members('x'),
    ]) {
      await expect(action).rejects.toThrow(code('core.declaration_set.unknown'));
    }
    await expect(declarations.delete('nobody')).rejects.toThrow(code('core.declaration.unknown'));
  });
});

describe('status reports', () => {
  const stateOf = (identifier: string, serverToken: string, more: object = {}) => ({
    identifier,
    'server-token': serverToken,
    active: true,
    valid: 'valid',
    ...more,
  });
  const declared = (configurations: readonly object[]) => ({
    management: { declarations: { activations: [], configurations, assets: [], management: [] } },
  });

  test('become facts, and facts become labels', async () => {
    const { engine, device } = await world();
    const label = await engine.labels.create({ name: 'old', expression: '"common.os_version" = "17.0"' });
    await device.report({
      device: { 'operating-system': { version: '17.0', family: 'iOS' } },
      passcode: { 'is-present': true },
    });
    const detail = await engine.devices.get('A');
    expect(detail?.facts).toMatchObject({ 'common.os_version': '17.0', 'ios.PasscodePresent': true });
    expect(detail?.labels.map((one) => one.id)).toEqual([label.id]);
    expect(await engine.declarations.status('A')).toEqual({
      'device.operating-system.version': '17.0',
      'device.operating-system.family': 'iOS',
      'passcode.is-present': true,
    });
    await device.report({ passcode: { 'is-present': false } });
    expect((await engine.devices.get('A'))?.facts).toMatchObject({ 'ios.PasscodePresent': false });
    expect(await engine.declarations.status('A')).toMatchObject({ 'device.operating-system.version': '17.0' });
  });

  test('tell how each declaration stands, with an event for each change', async () => {
    const it = await world();
    const { engine, device } = it;
    await withPasscode(it);
    await device.session();
    const states = async () => (await engine.declarations.ofDevice('A')).map((one) => [one.identifier, one.status]);
    expect(await states()).toEqual([
      ['espalier.activation', 'waiting'],
      ['pass', 'waiting'],
    ]);
    const token = (await engine.declarations.get('pass'))?.serverToken ?? '';
    const reasons = [{ code: 'Error.ConfigurationCannotBeApplied', description: 'no', details: { Error: 'x' } }];
    await device.report(declared([stateOf('pass', token, { valid: 'invalid', reasons }), stateOf('foreign', 't')]));
    expect(await states()).toEqual([
      ['espalier.activation', 'waiting'],
      ['foreign', 'leaving'],
      ['pass', 'failed'],
    ]);
    await device.report(declared([stateOf('pass', token)]));
    expect(await states()).toEqual([
      ['espalier.activation', 'waiting'],
      ['pass', 'applied'],
    ]);
    await device.report(declared([stateOf('pass', token)]));
    await device.report(declared([stateOf('pass', token, { active: false })]));
    expect((await states())[1]).toEqual(['pass', 'inactive']);
    await device.report(declared([stateOf('pass', 'an older one')]));
    expect((await states())[1]).toEqual(['pass', 'waiting']);
    expect((await engine.declarations.onDevices('pass')).items).toMatchObject([
      { enrolmentId: 'A', status: 'waiting', wantedToken: token, serverToken: 'an older one' },
    ]);
    const events = (await engine.events.list({ type: 'declaration.reported', order: 'oldest' })).items;
    expect(events.map(({ data }) => [data['identifier'], data['valid'], data['active'], data['reasons']])).toEqual([
      ['pass', 'invalid', true, ['Error.ConfigurationCannotBeApplied']],
      ['foreign', 'valid', true, []],
      ['pass', 'valid', true, []],
      ['pass', 'valid', false, []],
      ['pass', 'valid', true, []],
    ]);
  });

  test('are kept as they were sent, the last ten, sealed', async () => {
    const { engine, device, store } = await world();
    for (let i = 0; i < 13; i++) await device.report({ mdm: { 'push-magic': `secret ${i}` } });
    const reports = await engine.declarations.reports('A');
    expect(reports.map(({ bytes }) => (parsed(bytes) as { StatusItems: object }).StatusItems)).toEqual(
      Array.from({ length: 10 }, (_, i) => ({ mdm: { 'push-magic': `secret ${12 - i}` } })),
    );
    const blob = await store.secrets.get('A', 'status-report.0');
    expect(Buffer.from(blob ?? []).includes('secret')).toBe(false);
    expect(await engine.declarations.status('A')).toEqual({});
    expect(await engine.declarations.reports('nobody')).toEqual([]);
  });

  test('say what the device takes, and the rest is left out', async () => {
    const it = await world({ options: { statusItems: ['passcode.is-present', 'package.list', 'mdm.app'] } });
    const { engine, device, settle } = it;
    await engine.declarations.put({ identifier: 'math', type: 'com.apple.configuration.math.settings', payload: {} });
    const set = await withPasscode(it);
    await engine.declarations.updateSet(set.id, { identifiers: ['pass', 'math'] });
    await settle();
    await device.session();
    const wanted = ['espalier.activation', 'espalier.status-subscriptions', 'math', 'pass'];
    expect(await device.items()).toEqual(wanted);
    const subscription = await device.ask('declaration/configuration/espalier.status-subscriptions');
    // Not `package.list`: iPhones do not have it.
    expect(parsed(subscription)).toMatchObject({
      Payload: { StatusItems: [{ Name: 'mdm.app' }, { Name: 'passcode.is-present' }] },
    });
    const capabilities = {
      'supported-versions': ['1.0.0'],
      'supported-features': {},
      'supported-payloads': {
        declarations: {
          activations: ['com.apple.activation.simple'],
          configurations: [passcode, 'com.apple.configuration.management.status-subscriptions'],
        },
        'status-items': ['passcode.is-present'],
      },
    };
    await device.report({ management: { 'client-capabilities': capabilities } });
    await settle();
    expect(await device.session()).toEqual(['DeclarativeManagement']);
    expect(await device.items()).toEqual(wanted.filter((identifier) => identifier !== 'math'));
    expect(parsed(await device.ask('declaration/configuration/espalier.status-subscriptions'))).toMatchObject({
      Payload: { StatusItems: [{ Name: 'passcode.is-present' }] },
    });
    await device.report({ management: { 'client-capabilities': capabilities } });
    await settle();
    expect(await device.session()).toEqual([]);
  });

  test('that are none are refused, and change nothing', async () => {
    const { engine, device } = await world();
    await expect(device.ask('status')).rejects.toThrow(code('core.declaration.no_data'));
    await expect(device.ask('status', [])).rejects.toThrow(code('mdm.declaration.not_json'));
    await expect(device.ask('status', {})).rejects.toThrow(code('mdm.declaration.missing_key'));
    expect(await engine.declarations.reports('A')).toEqual([]);
  });

  test('arriving at once are all taken', async () => {
    const { engine, device } = await world();
    await Promise.all(
      ['a', 'b', 'c'].map((identifier) => device.report({ mdm: { app: [{ identifier, state: 'managed' }] } })),
    );
    const { 'mdm.app': apps } = await engine.declarations.status('A');
    expect((apps as readonly { identifier: string }[]).map((app) => app.identifier).sort()).toEqual(['a', 'b', 'c']);
    expect(await engine.declarations.reports('A')).toHaveLength(3);
  });
});

describe('software updates by declaration', () => {
  test('devices of the same version and deadline share one set, an earlier update goes', async () => {
    const it = await world();
    const { engine, device, settle } = it;
    const other = new DeclaringDevice(engine, 'B');
    await other.enrol();
    const update = (enrolmentId: string, TargetOSVersion: string) =>
      declareSoftwareUpdate(engine.declarations, {
        enrolmentId,
        type: 'com.apple.configuration.softwareupdate.enforcement.specific',
        payload: { TargetOSVersion, TargetLocalDateTime: '2026-12-24T18:00:00' },
      });
    await update('A', '18.4');
    await update('B', '18.4');
    expect(await engine.declarations.listSets()).toMatchObject([{ memberCount: 2 }]);
    await update('A', '18.5');
    await settle();
    const versions = async () => {
      const [identifier] = (await device.items()).filter((one) => one.startsWith('softwareupdate.'));
      return parsed(await device.ask(`declaration/configuration/${identifier}`));
    };
    expect(await versions()).toMatchObject({ Payload: { TargetOSVersion: '18.5' } });
    expect((await engine.declarations.listSets()).map((set) => set.memberCount)).toEqual([1, 1]);
    await expect(update('A', 18 as never)).rejects.toThrow(code('core.declaration.invalid'));
  });
});

describe('content', () => {
  const url = ({ identifier, sha256 }: { identifier: string; sha256: string }) =>
    `https://mdm.example.com/content/${identifier}/${sha256}`;
  const profile = (text: string) => ({
    bytes: new TextEncoder().encode(text),
    contentType: 'application/x-apple-aspen-config',
    url,
  });

  test('is served to devices that have the declaration, and to nobody else', async () => {
    const it = await world();
    const { engine, device, settle, store } = it;
    const { declarations } = engine;
    const stranger = new DeclaringDevice(engine, 'B');
    await stranger.enrol();
    const legacy = { identifier: 'legacy', type: 'com.apple.configuration.legacy', payload: {} };
    const first = await declarations.put({ ...legacy, content: profile('first') });
    const sha256 = first.content?.sha256 ?? '';
    expect(first).toMatchObject({
      payload: { ProfileURL: url({ identifier: 'legacy', sha256 }) },
      content: { size: 5 },
    });
    const at = { identifier: 'legacy', sha256 };
    await expect(declarations.content(device.identity.fingerprint, at)).rejects.toThrow(
      code('core.declaration.unknown'),
    );
    const set = await declarations.createSet({ name: 's', identifiers: ['legacy'] });
    await declarations.setMembers(set.id, { add: ['A'] });
    await settle();
    const served = await declarations.content(device.identity.fingerprint, at);
    expect([Buffer.from(served.bytes).toString(), served.contentType]).toEqual([
      'first',
      'application/x-apple-aspen-config',
    ]);
    for (const fingerprint of [stranger.identity.fingerprint, 'nobody']) {
      await expect(declarations.content(fingerprint, at)).rejects.toThrow(code('core.declaration.unknown'));
    }
    const second = await declarations.put({ ...legacy, content: profile('second') });
    expect(second.serverToken).not.toBe(first.serverToken);
    await expect(declarations.content(device.identity.fingerprint, at)).rejects.toThrow(
      code('core.declaration.unknown'),
    );
    expect(await store.secrets.get('declaration:legacy', sha256)).toBe(null);
  });

  test('of an asset has its hash and size in the reference', async () => {
    const { engine } = bench();
    const asset = await engine.declarations.put({
      identifier: 'data',
      type: 'com.apple.asset.data',
      payload: {},
      content: { bytes: new TextEncoder().encode('abc'), contentType: 'text/plain', url },
    });
    // The SHA-256 of `abc` is in FIPS 180-2, appendix B.1.
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(asset.payload).toEqual({
      Reference: {
        ContentType: 'text/plain',
        DataURL: url({ identifier: 'data', sha256 }),
        'Hash-SHA-256': sha256,
        Size: 3,
      },
    });
    const other = engine.declarations.put({ identifier: 'x', type: passcode, payload: {}, content: profile('x') });
    await expect(other).rejects.toThrow(code('core.declaration.invalid'));
  });
});
