// The declarative-management client of a simulated device, against a server of a few lines.

import * as mdm from '@espalier/apple-mdm';
import { type Predicate, parsePredicate, printPredicate, schema, validate } from '@espalier/apple-mdm';
import { decodeDict, encodeXml } from '@espalier/plist';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions, platformOf } from '../src/catalogue.ts';
import { newDeclarativeState } from '../src/device/declarations/state.ts';
import { statusItems } from '../src/device/declarations/status.ts';
import { createState } from '../src/device/factory.ts';
import {
  createRandom,
  createSimulatedDevice,
  type DeviceState,
  type DeviceTraits,
  declarationTypes,
  knownStatusItems,
  PredicateFault,
  predicateHolds,
  restoreDevice,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
  UnreadablePredicate,
} from '../src/index.ts';

interface SchemaScopes {
  readonly introduced: string;
  readonly 'allowed-enrollments'?: readonly string[];
  readonly 'allowed-scopes'?: readonly string[];
  readonly sharedipad?: { readonly 'allowed-scopes'?: readonly string[] };
}

/** What the client reports by itself, what is no item, and the one that is an error. */
const notTold = [
  'any',
  'status-reason',
  'test.error-value',
  'management.client-capabilities',
  'management.declarations',
];

const ofUser = (state: DeviceState): DeviceState => ({
  ...state,
  user: { shortName: 'a' } as NonNullable<DeviceState['user']>,
});
const inUserEnrolment = (state: DeviceState): DeviceState => ({
  ...state,
  mdm: { userEnrolment: true } as NonNullable<DeviceState['mdm']>,
});

function withAccounts(state: DeviceState): DeviceState {
  const payload = { VisibleName: 'Work', HostName: 'h', Port: 1, IncomingServer: { HostName: 'i' }, CalendarURL: 'u' };
  const types = ['caldav', 'carddav', 'exchange', 'google', 'ldap', 'mail', 'subscribed-calendar'];
  const declarations = types.map((name) => {
    const type = `com.apple.configuration.account.${name}`;
    return { kind: 'configuration' as const, identifier: type, serverToken: '1', type, payload };
  });
  return { ...state, declarative: { ...newDeclarativeState(), declarations } };
}

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 500;
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** A device that is enrolled already, as far as this server cares. */
function enrolled(traits: SimulatedDeviceOptions, fetch: (request: Request) => Promise<Response>): SimulatedDevice {
  const state = createSimulatedDevice({ seed: 'ddm', ...traits }).state();
  const base = 'http://mdm.test';
  const settings: DeviceState['mdm'] = {
    profileIdentifier: 'p',
    serverUrl: `${base}/mdm`,
    checkInUrl: `${base}/checkin`,
    topic: 'topic',
    accessRights: 8191,
    signMessage: false,
    checkOutWhenRemoved: false,
    serverCapabilities: [],
    identityUuid: 'i',
    scep: { url: `${base}/scep`, subject: [], keySize: 2048, dnsNames: [], retries: 0, retryDelaySeconds: 0 },
  };
  return restoreDevice({ ...state, phase: 'enrolled', mdm: settings }, { fetch, retry: { attempts: 1 } });
}

interface Served {
  readonly type: string;
  readonly payload: object;
  readonly token: string;
}

/** The server's side: what it has, what it was asked, what it was told. */
class Server {
  readonly declarations = new Map<string, Served>();
  readonly asked: string[] = [];
  readonly reports: { StatusItems: Record<string, never>; Errors: unknown[]; FullReport?: boolean }[] = [];
  readonly device: SimulatedDevice;
  command: Uint8Array | null = null;
  status = 200;

  constructor(traits: SimulatedDeviceOptions = { kind: 'iPhone', osVersion: '18.3' }) {
    this.device = enrolled(traits, (request) => this.#answer(request));
  }

  set(identifier: string, type: string, payload: object, token = '1'): void {
    this.declarations.set(identifier, { type, payload, token });
  }

  get token(): string {
    return JSON.stringify([...this.declarations].map(([identifier, { token }]) => [identifier, token]));
  }

  /** Sends the command, with or without tokens, and lets the device work. */
  async sync(withTokens = true): Promise<void> {
    const tokens = encode({ SyncTokens: { DeclarationsToken: this.token, Timestamp: '2026-01-01T00:00:00Z' } });
    this.command = encodeXml({
      CommandUUID: 'c',
      Command: { RequestType: 'DeclarativeManagement', ...(withTokens ? { Data: tokens } : {}) },
    });
    this.asked.length = 0;
    await this.device.poll();
  }

  async states(): Promise<Record<string, readonly [string, boolean, ...string[]]>> {
    const verdicts = await this.device.declarations();
    return Object.fromEntries(
      verdicts.map(({ identifier, valid, active, reasons = [] }) => [
        identifier,
        [valid, active, ...reasons.map((reason) => reason.code)] as const,
      ]),
    );
  }

  async #answer(request: Request): Promise<Response> {
    if (request.method === 'GET') {
      this.asked.push(new URL(request.url).pathname);
      return new Response(profile, { status: request.url.endsWith('gone') ? 404 : 200 });
    }
    const message = decodeDict(new Uint8Array(await request.arrayBuffer()));
    if (message['MessageType'] === undefined) {
      const command = this.command;
      this.command = null;
      return new Response(command === null ? null : Buffer.from(command));
    }
    const { Endpoint: endpoint, Data: data } = message;
    this.asked.push(String(endpoint));
    if (this.status !== 200) return new Response(null, { status: this.status });
    if (endpoint === 'status') {
      const report = JSON.parse(Buffer.from(data as Uint8Array).toString()) as (typeof this.reports)[number];
      expect(validate('status', report).filter((issue) => issue.severity === 'error')).toEqual([]);
      this.reports.push(report);
      return new Response(null);
    }
    if (endpoint === 'tokens') {
      return Response.json({ SyncTokens: { DeclarationsToken: this.token, Timestamp: '2026-01-01T00:00:00Z' } });
    }
    if (endpoint === 'declaration-items') return Response.json(this.#manifest());
    const [, , identifier = ''] = String(endpoint).split('/');
    const served = this.declarations.get(identifier);
    if (served === undefined || served.type === 'gone') return new Response(null, { status: 404 });
    const { type: Type, payload: Payload, token: ServerToken } = served;
    return Response.json(Type === 'broken' ? [] : { Type, Identifier: identifier, ServerToken, Payload });
  }

  #manifest(): object {
    const list = (kind: string) =>
      [...this.declarations]
        .filter(
          ([, { type }]) =>
            type.startsWith(`com.apple.${kind}.`) || (kind === 'configuration' && !type.startsWith('com.')),
        )
        .map(([Identifier, { token: ServerToken }]) => ({ Identifier, ServerToken }));
    const Declarations = {
      Activations: list('activation'),
      Assets: list('asset'),
      Configurations: list('configuration'),
      Management: list('management'),
    };
    return { Declarations, DeclarationsToken: this.token };
  }
}

const profile = Buffer.from(
  encodeXml({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example.profile',
    PayloadUUID: '00000000-0000-4000-8000-000000000001',
    PayloadDisplayName: 'Profile',
    PayloadContent: [
      {
        PayloadType: 'com.apple.mobiledevice.passwordpolicy',
        PayloadVersion: 1,
        PayloadIdentifier: 'com.example.profile.passcode',
        PayloadUUID: '00000000-0000-4000-8000-000000000002',
        forcePIN: true,
      },
    ],
  }),
);

const passcode = 'com.apple.configuration.passcode.settings';
const subscriptions = 'com.apple.configuration.management.status-subscriptions';
const simple = 'com.apple.activation.simple';

describe('synchronisation', () => {
  test('fetches what is new or changed, and nothing else', async () => {
    const server = new Server();
    server.set('pass', passcode, { MinimumLength: 4 });
    server.set('act', simple, { StandardConfigurations: ['pass'] });
    await server.sync();
    expect(server.asked).toEqual([
      'declaration-items',
      'declaration/activation/act',
      'declaration/configuration/pass',
      'status',
    ]);
    expect(await server.states()).toEqual({ act: ['valid', true], pass: ['valid', true] });
    await server.sync();
    expect(server.asked).toEqual([]);
    await server.sync(false);
    expect(server.asked).toEqual(['tokens']);
    server.set('pass', passcode, { MinimumLength: 5 }, '2');
    await server.sync(false);
    expect(server.asked).toEqual(['tokens', 'declaration-items', 'declaration/configuration/pass', 'status']);
    server.declarations.clear();
    await server.sync();
    expect(server.asked).toEqual(['declaration-items', 'status']);
    expect(await server.states()).toEqual({});
    expect(server.device.state().declarative?.counts).toEqual({ syncs: 3, fetched: 3, reports: 3 });
  });

  test('what fails is done later, in another process too', async () => {
    const server = new Server();
    server.set('pass', passcode, {});
    server.status = 503;
    await expect(server.sync()).rejects.toMatchObject({ code: 'simulator.unreachable' });
    expect(server.device.state().declarative).toMatchObject({ token: null, declarations: [] });
    expect(JSON.parse(JSON.stringify(server.device.state()))).toEqual(server.device.state());
    server.status = 200;
    await server.device.poll();
    expect(await server.states()).toEqual({ pass: ['valid', false, 'Info.NotReferencedByActivation'] });
    expect(server.reports).toHaveLength(1);
  });

  test('without the command nothing is done', async () => {
    const server = new Server();
    await server.device.poll();
    await server.device.reportStatus({ full: true });
    expect(server.asked).toEqual([]);
    expect(await server.device.declarations()).toEqual([]);
  });
});

describe('what becomes of declarations', () => {
  test('reasons, as the schema names them', async () => {
    const server = new Server();
    server.set('unknown', 'com.apple.configuration.unheard', {});
    server.set('mac', 'com.apple.configuration.diskmanagement.settings', {});
    server.set('wrong', passcode, { MinimumLength: 'six' });
    server.set('extra', passcode, { Extra: 1 });
    server.set('broken', 'broken', {});
    server.set('gone', 'gone', {});
    server.set('google', 'com.apple.configuration.account.google', { UserIdentityAssetReference: 'nobody' });
    server.set('ann', 'com.apple.asset.useridentity', {});
    server.set('act', simple, { StandardConfigurations: ['pass', 'google'] });
    server.set('pass', passcode, {});
    server.set('lost', simple, { StandardConfigurations: ['nobody'] });
    server.set('false', simple, { StandardConfigurations: ['pass'], Predicate: 'FALSEPREDICATE' });
    server.set('unread', simple, { StandardConfigurations: ['pass'], Predicate: '1 ==' });
    server.set('fault', simple, { StandardConfigurations: ['pass'], Predicate: "@property(a) < 'x'" });
    server.set('properties', 'com.apple.management.properties', { a: 1 });
    await server.sync();
    const unreferenced = 'Info.NotReferencedByActivation';
    expect(await server.states()).toEqual({
      act: ['valid', true],
      ann: ['valid', false, 'Info.NotReferencedByConfiguration'],
      broken: ['invalid', false, 'Error.InvalidPayload', unreferenced],
      extra: ['invalid', false, 'Error.UnknownPayloadKeys', unreferenced],
      false: ['valid', false, 'Info.Predicate'],
      fault: ['invalid', false, 'Error.UnableToEvaluatePredicate'],
      google: ['invalid', true, 'Error.MissingAssets'],
      lost: ['invalid', false, 'Error.MissingConfigurations'],
      mac: ['invalid', false, 'Error.ConfigurationNotSupported', unreferenced],
      pass: ['valid', true],
      properties: ['valid', false],
      unknown: ['invalid', false, 'Error.ConfigurationNotSupported', unreferenced],
      unread: ['invalid', false, 'Error.UnableToParsePredicate'],
      wrong: ['invalid', false, 'Error.ConfigurationCannotBeDeserialized', unreferenced],
    });
    const known = schema.declarationBase().reasons?.map((reason) => reason.value) ?? [];
    for (const [, , ...codes] of Object.values(await server.states())) {
      for (const code of codes) expect(known).toContain(code);
    }
  });

  test('an asset is active with its configuration, a predicate follows the properties', async () => {
    const server = new Server();
    server.set('google', 'com.apple.configuration.account.google', { UserIdentityAssetReference: 'ann' });
    server.set('ann', 'com.apple.asset.useridentity', { FullName: 'Ann' });
    server.set('act', simple, { StandardConfigurations: ['google'], Predicate: '"staff" IN @property(roles)' });
    server.set('who', 'com.apple.management.properties', { roles: ['guest'] });
    await server.sync();
    expect(await server.states()).toMatchObject({
      act: ['valid', false, 'Info.Predicate'],
      google: ['valid', false],
      ann: ['valid', false],
    });
    server.set('who', 'com.apple.management.properties', { roles: ['staff'] }, '2');
    await server.sync();
    expect(await server.states()).toMatchObject({
      act: ['valid', true],
      google: ['valid', true],
      ann: ['valid', true],
    });
  });

  test('a legacy profile is installed, replaced and removed', async () => {
    const server = new Server();
    const legacy = (url: string, token: string) =>
      server.set('legacy', 'com.apple.configuration.legacy', { ProfileURL: `http://mdm.test${url}` }, token);
    server.set('act', simple, { StandardConfigurations: ['legacy'] });
    legacy('/profile', '1');
    await server.sync();
    const installed = () => server.device.state().profiles.map((one) => one.identifier);
    expect(server.asked).toContain('/profile');
    expect(installed()).toEqual(['com.example.profile']);
    legacy('/gone', '2');
    await server.sync();
    expect(await server.states()).toMatchObject({ legacy: ['invalid', true, 'Error.ConfigurationCannotBeApplied'] });
    expect(installed()).toEqual([]);
    legacy('/profile', '3');
    await server.sync();
    expect(installed()).toEqual(['com.example.profile']);
    server.declarations.delete('act');
    await server.sync();
    expect(installed()).toEqual([]);
  });
});

/** The configuration types in a report's capabilities. */
function capabilitiesIn(report: unknown): unknown {
  let value = report;
  for (const key of [
    'StatusItems',
    'management',
    'client-capabilities',
    'supported-payloads',
    'declarations',
    'configurations',
  ]) {
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

describe('reports', () => {
  test('first what the device is, then what changed, on request everything', async () => {
    const server = new Server({ kind: 'iPhone', osVersion: '18.3', passcode: '123456' });
    const items = ['device.model.family', 'passcode.is-present', 'passcode.is-compliant', 'mdm.app', 'not.there'];
    server.set('sub', subscriptions, { StatusItems: items.map((Name) => ({ Name })) });
    server.set('act', simple, { StandardConfigurations: ['sub'] });
    await server.sync();
    expect(server.reports[0]).toMatchObject({
      StatusItems: {
        device: { model: { family: 'iPhone' } },
        passcode: { 'is-present': true, 'is-compliant': true },
        management: { declarations: { activations: [{ identifier: 'act', active: true, valid: 'valid' }] } },
      },
      Errors: [{ StatusItem: 'not.there' }],
    });
    const told = capabilitiesIn(server.reports[0]);
    expect(told).toContain(passcode);
    expect(told).not.toContain('com.apple.configuration.diskmanagement.settings');
    await server.device.poll();
    expect(server.reports).toHaveLength(1);
    server.device.setPasscode(null);
    await server.device.poll();
    expect(server.reports[1]).toMatchObject({ StatusItems: { passcode: { 'is-present': false } } });
    expect(Object.keys(server.reports[1]?.StatusItems ?? {})).toEqual(['passcode']);
    await server.device.reportStatus({ full: true });
    expect(server.reports[2]).toMatchObject({
      FullReport: true,
      StatusItems: { device: { model: { family: 'iPhone' } } },
    });
  });

  test('lists change by their items', async () => {
    const server = new Server({ kind: 'iPad', osVersion: '18.3', apps: [] });
    server.set('sub', subscriptions, { StatusItems: [{ Name: 'mdm.app' }] });
    server.set('act', simple, { StandardConfigurations: ['sub'] });
    await server.sync();
    const command = (payload: { RequestType: string; Identifier: string }) => {
      server.command = encodeXml({ CommandUUID: 'x', Command: payload });
      return server.device.poll();
    };
    await command({ RequestType: 'InstallApplication', Identifier: 'com.example.a' });
    expect(server.reports[1]?.StatusItems).toMatchObject({
      mdm: { app: [{ identifier: 'com.example.a', state: 'managed' }] },
    });
    await command({ RequestType: 'InstallApplication', Identifier: 'com.example.b' });
    expect(server.reports[2]?.StatusItems).toMatchObject({ mdm: { app: [{ identifier: 'com.example.b' }] } });
    await command({ RequestType: 'RemoveApplication', Identifier: 'com.example.a' });
    expect(server.reports[3]?.StatusItems).toEqual({ mdm: { app: [{ identifier: 'com.example.a', _removed: true }] } });
  });

  test('one that was not taken is sent again', async () => {
    const server = new Server({ kind: 'Mac', osVersion: '15.3' });
    server.set('sub', subscriptions, { StatusItems: [{ Name: 'diskmanagement.filevault.enabled' }] });
    server.set('act', simple, { StandardConfigurations: ['sub'] });
    await server.sync();
    server.status = 500;
    await expect(server.device.reportStatus({ full: true })).rejects.toMatchObject({ code: 'simulator.unreachable' });
    server.status = 200;
    expect(server.reports).toHaveLength(1);
    await server.device.reportStatus({ full: true });
    expect(server.reports).toHaveLength(2);
  });
});

describe('facts and predicates', () => {
  test('the table of types is Apple’s schema', () => {
    expect([...declarationTypes().keys()]).toEqual(schema.names('declaration'));
    for (const { name, keys, os } of declarationTypes().values()) {
      const item = schema.declaration(name);
      const named = item?.keys.filter((key) => !key.key.startsWith('ANY')) ?? [];
      expect(
        keys.map((key) => [key.name, key.type, key.required]),
        name,
      ).toEqual(named.map((key) => [key.key, key.type, key.presence === 'required']));
      const supported = item?.supportedOS ?? {};
      for (const platform of ['iOS', 'macOS', 'tvOS'] as const) {
        const first = supported[platform]?.introduced;
        expect(os[platform], `${name} ${platform}`).toBe(first === 'n/a' ? undefined : first);
      }
    }
  });

  test('the status items are Apple’s schema, all but the one that is an error', () => {
    const all = schema.names('status').filter((name) => !['any', 'status-reason'].includes(name));
    expect(all.filter((name) => !Object.hasOwn(knownStatusItems, name))).toEqual(['test.error-value']);
    for (const [name, os] of Object.entries(knownStatusItems)) {
      for (const platform of ['iOS', 'macOS', 'tvOS', 'visionOS', 'watchOS'] as const) {
        const since = schema.status(name)?.supportedOS?.[platform]?.introduced;
        expect(os[platform], `${name} ${platform}`).toBe(since === 'n/a' ? undefined : since);
      }
    }
  });

  const tellers: readonly (readonly [
    what: string,
    traits: DeviceTraits,
    change?: (state: DeviceState) => DeviceState,
  ])[] = [
    ['an iPhone', { kind: 'iPhone', osVersion: '18.3' }],
    ['a supervised iPhone with iOS 27', { kind: 'iPhone', osVersion: '27.0', supervised: true }, withAccounts],
    ['an iPhone in a User Enrolment', { kind: 'iPhone', osVersion: '27.0' }, inUserEnrolment],
    ['a Shared iPad', { kind: 'iPad', osVersion: '27.0', supervised: true, sharedIpad: true }],
    ['the user of a Shared iPad', { kind: 'iPad', osVersion: '27.0', supervised: true, sharedIpad: true }, ofUser],
    ['a Mac', { kind: 'Mac', osVersion: '27.0' }],
    ['the user of a Mac', { kind: 'Mac', osVersion: '27.0' }, (state) => ofUser(withAccounts(state))],
    ['a Mac in a User Enrolment', { kind: 'Mac', osVersion: '27.0' }, inUserEnrolment],
    ['an Apple TV', { kind: 'AppleTV', osVersion: '27.0', supervised: true }],
    ['an Apple Vision Pro', { kind: 'VisionPro', osVersion: '27.0' }],
    ['a watch', { kind: 'Watch', osVersion: '27.0', supervised: true }],
  ];
  const rows = tellers.map(([what, traits, change = (same) => same]) => ({ what, traits, change }));
  test.each(rows)('$what tells the status items that the schema gives it, with valid values', ({ traits, change }) => {
    const state = change(createState(traits, createRandom('status')));
    const platform = platformOf(state.kind);
    const byUser = state.mdm?.userEnrolment === true;
    const enrolment = byUser ? 'user' : state.supervised || platform === 'macOS' ? 'supervised' : 'device';
    const scope = state.user === undefined ? 'system' : 'user';
    const wanted = schema.all('status').flatMap(({ id, supportedOS = {} }) => {
      const os = supportedOS[platform] as SchemaScopes | undefined;
      if (os === undefined || os.introduced === 'n/a' || notTold.includes(id)) return [];
      if (compareVersions(traits.osVersion!, os.introduced) < 0) return [];
      if (!(os['allowed-enrollments'] ?? [enrolment]).includes(enrolment)) return [];
      const scopes = state.sharedIpad ? os.sharedipad?.['allowed-scopes'] : os['allowed-scopes'];
      return (scopes ?? ['system']).includes(scope) ? [id] : [];
    });
    const items = statusItems(state);
    expect(Object.keys(items).sort()).toEqual(wanted.sort());
    for (const [name, value] of Object.entries(items)) {
      expect([name, validate('status', value(state), null, { name })]).toEqual([name, []]);
    }
  });

  test('a predicate means what the other reader of predicates says', () => {
    const value = fc.oneof(
      fc.constantFrom('a', 'B', 'é', 'É', '', 'x*y', "o'h", '\\'),
      fc.integer({ min: -3, max: 3 }),
      fc.boolean(),
      fc.constant(null),
    );
    const literal = fc.record({ type: fc.constant('literal' as const), value });
    const name = fc.constantFrom('text', 'number', 'flag', 'list', 'objects', 'none');
    const plain = fc.oneof(literal, fc.record({ type: fc.constantFrom('status' as const, 'property' as const), name }));
    const expression = fc.oneof(
      plain,
      fc.record({ type: fc.constant('list' as const), items: fc.array(plain, { maxLength: 3 }) }),
      fc.record({ type: fc.constant('count' as const), collection: plain }),
      fc.record({ type: fc.constant('key' as const), object: plain, name: fc.constantFrom('id', 'no') }),
    );
    const comparison = fc.record({
      type: fc.constant('comparison' as const),
      left: expression,
      operator: fc.constantFrom(
        '==',
        '!=',
        '<',
        '<=',
        '>',
        '>=',
        'IN',
        'CONTAINS',
        'BEGINSWITH',
        'ENDSWITH',
        'LIKE',
        'BETWEEN',
      ),
      right: expression,
      ignore: fc.record({ case: fc.boolean(), diacritics: fc.boolean() }),
      quantifier: fc.constantFrom('any', 'all', 'none', null),
    });
    const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => ({
      predicate: fc.oneof(
        { maxDepth: 3 },
        comparison as fc.Arbitrary<Predicate>,
        fc.record({ type: fc.constant('not' as const), part: tie('predicate') }),
        fc.record({
          type: fc.constantFrom('and' as const, 'or' as const),
          parts: fc.array(tie('predicate'), { minLength: 2, maxLength: 3 }),
        }) as fc.Arbitrary<Predicate>,
      ),
    }));
    const values = new Map<string, unknown>([
      ['text', 'aÉ'],
      ['number', 2],
      ['flag', true],
      ['list', ['a', 2, null]],
      ['objects', [{ id: 'a' }, { id: 2 }, {}]],
    ]);
    const answers = { status: (key: string) => values.get(key), property: (key: string) => values.get(key) };
    const outcome = (evaluate: () => boolean): string => {
      try {
        return String(evaluate());
      } catch (error) {
        if (error instanceof PredicateFault) return 'fault';
        if (error instanceof UnreadablePredicate) return 'unreadable';
        const { code } = error as { readonly code?: string };
        if (code === 'mdm.predicate.evaluation') return 'fault';
        if (code === 'mdm.predicate.syntax') return 'unreadable';
        throw error;
      }
    };
    fc.assert(
      fc.property(predicate, (tree) => {
        const text = printPredicate(tree)
          .replaceAll('BETWEEN[c]', 'BETWEEN')
          .replaceAll('BETWEEN[d]', 'BETWEEN')
          .replaceAll('BETWEEN[cd]', 'BETWEEN');
        const theirs = outcome(() => predicateHolds(text, answers));
        expect([text, theirs]).toEqual([text, outcome(() => mdm.evaluatePredicate(parsePredicate(text), answers))]);
      }),
      { seed: 9, numRuns },
    );
  });

  test.each([
    '',
    '1 ==',
    '@status(a',
    'SUBQUERY(@status(a), x, TRUEPREDICATE).@count == 1',
    '@status == 1',
    'name == 1',
    '1 == 1 2',
    '"open == 1',
  ])('cannot be read: %s', (text) => {
    expect(() => predicateHolds(text, { status: () => 1, property: () => 1 })).toThrow(UnreadablePredicate);
  });
});
