// Values that are meant to harm, and how long validation takes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validate, validateKinds } from '../src/index.ts';

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 300;

const evil = JSON.parse(
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1,"hasOwnProperty":2}',
) as object;

describe('prototype keys', () => {
  test.each([
    ['command', { RequestType: '__proto__' }],
    ['command', { RequestType: 'DeviceLock', ...evil }],
    ['command', { RequestType: 'Settings', Settings: [evil, { Item: '__proto__' }, { Item: 'constructor' }] }],
    ['checkin', { MessageType: 'constructor', ...evil }],
    ['payload', { PayloadType: 'toString', ...evil }],
    ['profile', { PayloadType: 'Configuration', PayloadContent: [evil, { PayloadType: '__proto__' }] }],
    ['declaration', { Type: 'hasOwnProperty', Payload: evil }],
    ['status', { StatusItems: evil }],
    ['status', { StatusItems: { device: evil } }],
  ] as const)('%s %#', (kind, value) => {
    const own = JSON.parse(JSON.stringify(value).replace('"toString":1', '"__proto__":{"x":1}')) as object;
    for (const given of [value, own]) expect(Array.isArray(validate(kind, given))).toBe(true);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('an own __proto__ key is an unknown key like any other', () => {
    const value = JSON.parse('{"RequestType":"DeviceLock","__proto__":{"PIN":1}}') as object;
    expect(validate('command', value).map((issue) => `${issue.code} ${issue.path}`)).toEqual([
      'key.unknown /__proto__',
    ]);
  });

  test('inherited keys are not there', () => {
    const value = Object.create({ Payload: new Uint8Array() }) as Record<string, unknown>;
    value['RequestType'] = 'InstallProfile';
    expect(validate('command', value).map((issue) => issue.code)).toEqual(['key.missing']);
  });
});

describe('shapes without end', () => {
  test('cycles end', () => {
    const cycle: Record<string, unknown> = { RequestType: 'Settings', PayloadType: 'Configuration' };
    cycle['Settings'] = [cycle];
    cycle['PayloadContent'] = [cycle];
    cycle['StatusItems'] = cycle;
    cycle['device'] = cycle;
    cycle['Command'] = cycle;
    cycle['Payload'] = cycle;
    for (const kind of validateKinds) expect(validate(kind, cycle).length, kind).toBeLessThan(1001);
  });

  test('depth is bounded by the schema', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = { a: [deep], StatusItems: deep, Configuration: deep };
    for (const kind of validateKinds)
      validate(kind, { RequestType: 'InstallApplication', Configuration: deep, ...(deep as object) });
  });

  test('the number of issues is bounded', () => {
    const Queries = Array.from({ length: 200_000 }, () => 1);
    expect(validate('command', { RequestType: 'DeviceInformation', Queries })).toHaveLength(1000);
    expect(validate('command', { RequestType: 'DeviceInformation', Queries }, null, { limit: 5 })).toHaveLength(5);
  });

  test('long names and texts do not slow the suggestions down', () => {
    const long = 'DeviceLock'.repeat(100_000);
    const started = performance.now();
    validate('command', { RequestType: long });
    validate('command', { RequestType: 'DeviceLock', [long]: 1 });
    validate('payload', { PayloadType: 'com.apple.wifi.managed', EncryptionType: long, PayloadCertificateUUID: long });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

test('the path of the whole value is /', () => {
  for (const kind of validateKinds) {
    for (const value of [5, null, undefined, [], 'x', new Uint8Array(), () => 1]) {
      const paths = validate(kind, value).map((issue) => issue.path);
      expect(paths, kind).toEqual(['/']);
    }
  }
  // What speaks against an item as a whole is said of the whole, too.
  const tv = { platform: 'tvOS', osVersion: '17.0' } as const;
  expect(validate('command', { RequestType: 'DeviceLock' }, tv)).toMatchObject([
    { path: '/', code: 'target.platform' },
  ]);
  expect(validate('payload', { PayloadType: 'com.apple.MCX.FileVault2' }, tv)[0]).toMatchObject({ path: '/' });
  expect(validate('status', 1, tv, { name: 'passcode.is-present' })[0]).toMatchObject({ path: '/' });
  expect(validate('status', 1, null, { name: 'passcode.is-there' })[0]).toMatchObject({ path: '/' });
});

test('no value makes it throw', () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withTypedArray: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    key: fc.oneof(
      fc.string(),
      fc.constantFrom(
        'RequestType',
        'PayloadType',
        'PayloadContent',
        'Settings',
        'Item',
        'Type',
        'Payload',
        '__proto__',
      ),
    ),
    values: [
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constantFrom('Settings', 'com.apple.MCX', 'Configuration'),
    ],
  });
  fc.assert(
    fc.property(fc.constantFrom(...validateKinds), value, (kind, given) => {
      for (const issue of validate(kind, given, given as never)) expect(issue.path.startsWith('/')).toBe(true);
    }),
    { seed: 3, numRuns },
  );
});

test('a profile of 100 payloads is validated within 5 ms (median)', () => {
  const PayloadContent = Array.from({ length: 100 }, (_, i) => ({
    PayloadType: i % 2 === 0 ? 'com.apple.wifi.managed' : 'com.apple.applicationaccess',
    PayloadVersion: 1,
    PayloadIdentifier: `com.example.${i}`,
    PayloadUUID: `${i}`,
    ...(i % 2 === 0
      ? { SSID_STR: 'Lobby', EncryptionType: 'WPA2', EAPClientConfiguration: { AcceptEAPTypes: [13, 25] } }
      : { allowCamera: true, allowAirDrop: false, allowAssistant: true, allowScreenShot: false }),
  }));
  const profile = {
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example',
    PayloadUUID: 'x',
    PayloadContent,
  };
  const target = { platform: 'iOS', osVersion: '18.0', supervised: true } as const;
  const times = Array.from({ length: 51 }, () => {
    const started = performance.now();
    expect(validate('profile', profile, target)).toEqual([]);
    return performance.now() - started;
  }).sort((a, b) => a - b);
  expect(times[25]).toBeLessThan(5);
});
