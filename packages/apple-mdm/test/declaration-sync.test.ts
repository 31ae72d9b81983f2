// Declarative management's messages, references, states and status.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkReferences,
  clientCapabilities,
  type DeclarationItem,
  declarationItemsResponse,
  declarationKind,
  declarationReferences,
  declarationStates,
  declarationsToken,
  mergeStatus,
  readDeclarationItems,
  readStatusReport,
  readTokensResponse,
  schema,
  statusFacts,
  subscribableStatusItems,
  takesDeclaration,
  takesDeclarativeManagement,
  takesStatusItem,
  tokensResponse,
  validate,
} from '../src/index.ts';
import { reportedByIphone } from './fixtures/status-report.ts';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decoded = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });

const item = (kind: DeclarationItem['kind'], identifier: string, serverToken = '1'): DeclarationItem => ({
  kind,
  identifier,
  serverToken,
});

describe('tokens and manifest', () => {
  const items = [item('configuration', 'c'), item('activation', 'a'), item('asset', 's'), item('management', 'm')];

  test('the token depends on what is in the set, not on its order', () => {
    const token = declarationsToken(items);
    expect(declarationsToken(items.toReversed())).toBe(token);
    // Pinned: with another token every device would synchronise at the next release.
    expect(token).toBe(
      createHash('sha256')
        .update('["activation","a","1"]\n["asset","s","1"]\n["configuration","c","1"]\n["management","m","1"]\n')
        .digest('hex'),
    );
    expect(token.length <= 256).toBe(true);
    const others = [
      items.slice(1),
      [...items, item('asset', 't')],
      [item('configuration', 'c', '2'), ...items.slice(1)],
    ];
    expect(new Set([token, ...others.map(declarationsToken)]).size).toBe(4);
  });

  test('are what the schema says, and read back', () => {
    const tokens = tokensResponse({ declarationsToken: 'T', timestamp: Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
    expect(decoded(tokens)).toEqual({ SyncTokens: { DeclarationsToken: 'T', Timestamp: '2026-01-02T03:04:05Z' } });
    expect(readTokensResponse(tokens)).toEqual({ declarationsToken: 'T', timestamp: Date.UTC(2026, 0, 2, 3, 4, 5) });
    const manifest = declarationItemsResponse(items);
    expect(decoded(manifest)).toEqual({
      Declarations: {
        Activations: [{ Identifier: 'a', ServerToken: '1' }],
        Assets: [{ Identifier: 's', ServerToken: '1' }],
        Configurations: [{ Identifier: 'c', ServerToken: '1' }],
        Management: [{ Identifier: 'm', ServerToken: '1' }],
      },
      DeclarationsToken: declarationsToken(items),
    });
    const read = readDeclarationItems(manifest);
    expect(read.declarationsToken).toBe(declarationsToken(read.items));
    const keys = schema.protocol('DeclarationItemsResponse')?.keys.find((key) => key.key === 'Declarations')?.subkeys;
    expect(keys?.map((key) => key.key).sort()).toEqual(['Activations', 'Assets', 'Configurations', 'Management']);
  });

  test('are refused when they are not as they must be', () => {
    expect(() => readTokensResponse(json({}))).toThrow(code('mdm.declaration.missing_key', '/SyncTokens'));
    const noDate = json({ SyncTokens: { DeclarationsToken: 'T', Timestamp: 'now' } });
    expect(() => readTokensResponse(noDate)).toThrow(code('mdm.declaration.bad_key', '/SyncTokens/Timestamp'));
    const noList = json({ Declarations: { Activations: [] }, DeclarationsToken: 'T' });
    expect(() => readDeclarationItems(noList)).toThrow(code('mdm.declaration.missing_key', '/Declarations/Assets'));
    expect(() => readDeclarationItems(json([]))).toThrow(code('mdm.declaration.not_json'));
  });
});

describe('kinds and references', () => {
  test('the kind is in the type, for every type of the schema', () => {
    for (const name of schema.names('declaration')) expect(declarationKind(name), name).not.toBe(null);
    expect(declarationKind('com.example.asset.new')).toBe('asset');
    expect(declarationKind('com.example.new')).toBe(null);
    expect(declarationKind('com.apple.configuration.management.test')).toBe('configuration');
    expect(declarationKind('com.example.management.asset')).toBe('management');
  });

  test('are found at every depth', () => {
    expect(declarationReferences('com.apple.activation.simple', { StandardConfigurations: ['a', 'b'] })).toEqual([
      { path: '/Payload/StandardConfigurations/0', identifier: 'a', kind: 'configuration' },
      { path: '/Payload/StandardConfigurations/1', identifier: 'b', kind: 'configuration' },
    ]);
    const password = ['com.apple.asset.credential.userpassword'];
    expect(
      declarationReferences('com.apple.configuration.account.mail', {
        UserIdentityAssetReference: 'u',
        IncomingServer: { AuthenticationCredentialsAssetReference: 'p' },
      }),
    ).toEqual([
      {
        path: '/Payload/UserIdentityAssetReference',
        identifier: 'u',
        kind: 'asset',
        types: ['com.apple.asset.useridentity'],
      },
      {
        path: '/Payload/IncomingServer/AuthenticationCredentialsAssetReference',
        identifier: 'p',
        kind: 'asset',
        types: password,
      },
    ]);
    const tasks = declarationReferences('com.apple.configuration.services.background-tasks', {
      LaunchdConfigurations: [{ FileAssetReference: 'f' }],
    });
    expect(tasks).toMatchObject([{ path: '/Payload/LaunchdConfigurations/0/FileAssetReference', identifier: 'f' }]);
    const anchors = { AnchorCertificateAssetReferences: ['x', 'y'] };
    expect(declarationReferences('com.apple.configuration.watch.enrollment', anchors)).toHaveLength(2);
    const app = { ExtensionConfigs: { 'com.example.ext': { DataAssetReference: 'd' } } };
    expect(declarationReferences('com.apple.configuration.app.managed', app)).toMatchObject([{ identifier: 'd' }]);
    expect(declarationReferences('com.example.unknown', anchors)).toEqual([]);
  });

  test('are checked within a set', () => {
    const activation = {
      type: 'com.apple.activation.simple',
      identifier: 'a',
      payload: { StandardConfigurations: ['mail', 'gone', 'user'] },
    };
    const mail = {
      type: 'com.apple.configuration.account.google',
      identifier: 'mail',
      payload: { UserIdentityAssetReference: 'other' },
    };
    const user = { type: 'com.apple.asset.useridentity', identifier: 'user', payload: {} };
    const other = { type: 'com.apple.asset.data', identifier: 'other', payload: {} };
    const lonely = { type: 'com.apple.configuration.passcode.settings', identifier: 'lonely', payload: {} };
    expect(
      checkReferences([activation, mail, user, other, lonely, lonely]).map((one) => [
        one.identifier,
        one.code,
        one.path,
      ]),
    ).toEqual([
      ['lonely', 'duplicate', '/Identifier'],
      ['a', 'missing', '/Payload/StandardConfigurations/1'],
      ['a', 'wrong-type', '/Payload/StandardConfigurations/2'],
      ['mail', 'wrong-type', '/Payload/UserIdentityAssetReference'],
      ['lonely', 'not-referenced', '/Identifier'],
      ['lonely', 'not-referenced', '/Identifier'],
    ]);
    const whole = [
      { ...activation, payload: { StandardConfigurations: ['mail'] } },
      { ...mail, payload: { UserIdentityAssetReference: 'user' } },
      user,
    ];
    expect(checkReferences(whole)).toEqual([]);
  });
});

describe('status', () => {
  const report = readStatusReport(json(reportedByIphone));

  test('a report of an iPhone gives states, capabilities and facts', () => {
    expect(validate('status', reportedByIphone).filter((issue) => issue.severity === 'error')).toEqual([]);
    const states = declarationStates(report.items);
    expect(states?.removed).toEqual([]);
    expect(states?.states.map((state) => [state.kind, state.active, state.valid, state.reasons[0]?.code])).toEqual([
      ['activation', true, 'valid', undefined],
      ['configuration', true, 'invalid', 'Error.ConfigurationCannotBeApplied'],
      ['configuration', true, 'valid', undefined],
      ['management', false, 'valid', undefined],
    ]);
    const capabilities = clientCapabilities(report.items);
    expect(capabilities?.versions).toEqual(['1.0.0']);
    expect(capabilities?.declarations).toContain('com.apple.management.properties');
    expect(capabilities?.statusItems).toContain('passcode.is-present');
    expect(statusFacts(report.items)).toEqual({
      'common.os_version': '16.0',
      'common.platform': 'iOS',
      'common.platform_name': 'iOS 16.0',
      'ios.BuildVersion': '20A5303i',
      'ios.iPhone VERSION': '20A5303i',
      'ios.ProductName': 'iPhone10,2',
      'ios.iPhone PRODUCT': 'iPhone10,2',
    });
  });

  test('malformed parts are left out, the rest counts', () => {
    const items = new Map<string, unknown>([
      [
        'management.declarations',
        {
          configurations: [null, {}, { identifier: 'a', valid: 'maybe', reasons: [1, { code: 'X', details: 3 }] }],
          assets: 7,
          activations: [{ identifier: 'gone', _removed: true }],
        },
      ],
      ['management.client-capabilities', { 'supported-payloads': 1 }],
      ['device.operating-system.version', 17],
    ]);
    expect(declarationStates(items)).toEqual({
      states: [
        {
          kind: 'configuration',
          identifier: 'a',
          serverToken: '',
          active: false,
          valid: 'unknown',
          reasons: [{ code: 'X' }],
        },
      ],
      removed: ['gone'],
    });
    expect(clientCapabilities(items)).toBe(null);
    expect(statusFacts(items)).toEqual({});
    expect(declarationStates(new Map())).toBe(null);
  });

  test('a fact of two items is told when one of them changes', () => {
    const known = new Map([
      ['device.operating-system.family', 'iPadOS'],
      ['device.operating-system.version', '18.1'],
    ]);
    const now = new Map([['device.operating-system.version', '18.1']]);
    expect(statusFacts(now, known)).toMatchObject({ 'common.platform': 'iOS', 'common.platform_name': 'iOS 18.1' });
    expect(statusFacts(new Map([['passcode.is-present', true]]), known)).toEqual({ 'ios.PasscodePresent': true });
  });

  const read = (StatusItems: object, more: object = {}) => readStatusReport(json({ StatusItems, Errors: [], ...more }));
  // Apple's documentation of StatusMDMApp, StatusAccountListCardDAV and StatusReport: `_removed`, `FullReport`.
  test('lists change by identifier, `_removed` takes an item out, a full report replaces all', () => {
    const app = (identifier: string, state: string) => ({ identifier, state });
    let status = mergeStatus(
      new Map(),
      read({ mdm: { app: [app('a', 'installing'), app('b', 'managed')] }, passcode: { 'is-present': true } }),
    );
    status = mergeStatus(
      status,
      read({ mdm: { app: [app('a', 'managed'), { identifier: 'b', _removed: true }, app('c', 'queued')] } }),
    );
    expect([...status]).toEqual([
      ['mdm.app', [app('a', 'managed'), app('c', 'queued')]],
      ['passcode.is-present', true],
    ]);
    const failed = { Errors: [{ StatusItem: 'passcode.is-present', Reasons: [{ Code: 'Error.Unknown' }] }] };
    expect(mergeStatus(status, read({}, failed)).has('passcode.is-present')).toBe(false);
    expect([...mergeStatus(status, read({ mdm: { app: [app('z', 'managed')] } }, { FullReport: true }))]).toEqual([
      ['mdm.app', [app('z', 'managed')]],
    ]);
    expect(mergeStatus(status, read({ test: { 'array-value': [1, 2] } })).get('test.array-value')).toEqual([1, 2]);
  });

  test('incremental reports lead to the same status as a full one', () => {
    const change = fc.record({
      identifier: fc.constantFrom('a', 'b', 'c', 'd'),
      value: fc.option(fc.integer(), { nil: null }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 20 }), (reports) => {
        const model = new Map<string, object>();
        let status: ReadonlyMap<string, unknown> = new Map();
        for (const changes of reports) {
          const unique = [...new Map(changes.map((one) => [one.identifier, one])).values()];
          for (const { identifier, value } of unique) {
            if (value === null) model.delete(identifier);
            else model.set(identifier, { identifier, value });
          }
          const app = unique.map(({ identifier, value }) =>
            value === null ? { identifier, _removed: true } : { identifier, value },
          );
          status = mergeStatus(status, read({ mdm: { app } }));
        }
        expect(status.get('mdm.app') ?? []).toEqual([...model.values()]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test('secrets are not kept, and names are names whatever they are', () => {
    const status = mergeStatus(new Map(), read({ mdm: { 'push-magic': 'secret', 'push-token': 'AA==' } }));
    expect([...status]).toEqual([]);
    const evil = new TextEncoder().encode('{"StatusItems":{"__proto__":{"x":1}},"Errors":[]}');
    expect([...mergeStatus(new Map(), readStatusReport(evil))]).toEqual([['__proto__', { x: 1 }]]);
  });
});

describe('what a device takes', () => {
  const target = { platform: 'iOS', osVersion: '16.0' } as const;
  const passcode = 'com.apple.configuration.passcode.settings';

  test('is judged by the schema until the device has told', () => {
    const device = { target, capabilities: null };
    expect(takesDeclaration(passcode, device)).toBe(true);
    expect(takesDeclaration('com.apple.asset.data', device)).toBe(false);
    expect(takesDeclaration('com.apple.configuration.diskmanagement.settings', device)).toBe(false);
    expect(takesDeclaration('com.example.configuration.new', device)).toBe(true);
    expect(takesStatusItem('passcode.is-present', device)).toBe(true);
    expect(takesStatusItem('package.list', device)).toBe(false);
    expect(takesDeclaration('com.apple.asset.data', { target: null, capabilities: null })).toBe(true);
    const capabilities = clientCapabilities(readStatusReport(json(reportedByIphone)).items);
    expect(takesDeclaration('com.apple.asset.data', { target: null, capabilities })).toBe(false);
    expect(takesStatusItem('package.list', { target: null, capabilities })).toBe(false);
    expect(takesStatusItem('mdm.app', { target: null, capabilities })).toBe(true);
  });

  test('declarative management itself has its first versions', () => {
    expect(takesDeclarativeManagement(target)).toBe(true);
    expect(takesDeclarativeManagement({ platform: 'iOS', osVersion: '14.8' })).toBe(false);
    expect(takesDeclarativeManagement({ platform: 'macOS', osVersion: '12.7' })).toBe(false);
  });

  test('subscriptions leave out tests, secrets and what is reported unasked', () => {
    const items = subscribableStatusItems();
    expect(items).toContain('passcode.is-compliant');
    expect(items.filter((name) => /^(test|management)\.|push|token/.test(name))).toEqual([]);
  });
});
