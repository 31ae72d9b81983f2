// Declarations and status reports: written, read, and typed by the schema.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  canonicalJson,
  type Declarations,
  declaration,
  declarationPayload,
  type JsonInput,
  rawDeclaration,
  readDeclaration,
  readStatusReport,
  type StatusReportMessage,
  statusValue,
  validate,
} from '../src/index.ts';

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 10_000 : 200;
const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const type = 'com.apple.configuration.passcode.settings';
const passcode = declaration(type, 'com.example.passcode', { RequirePasscode: true, MinimumLength: 6 });

describe('declaration', () => {
  test('writes what the schema has nothing against', () => {
    const value: unknown = JSON.parse(text(passcode.bytes));
    expect(value).toEqual({
      Type: type,
      Identifier: 'com.example.passcode',
      ServerToken: passcode.serverToken,
      Payload: { RequirePasscode: true, MinimumLength: 6 },
    });
    expect(validate('declaration', value, { platform: 'iOS', osVersion: '18.0' })).toEqual([]);
  });

  test('gives the same bytes for the same input, whatever the order of keys', () => {
    const turned = declaration(type, 'com.example.passcode', { MinimumLength: 6, RequirePasscode: true });
    expect(turned).toEqual(passcode);
    // Pinned: a token that changed with a release would make every device fetch everything again.
    expect(passcode.serverToken).toBe('7D08CF24-9E03-8BA8-8895-3843D3F46020');
  });

  test('gives another server token for anything else', () => {
    const tokens = [
      passcode,
      declaration(type, 'com.example.passcode', { RequirePasscode: true, MinimumLength: 7 }),
      declaration(type, 'com.example.other', { RequirePasscode: true, MinimumLength: 6 }),
      rawDeclaration('com.example.other', 'com.example.passcode', { RequirePasscode: true, MinimumLength: 6 }),
    ].map((one) => one.serverToken);
    expect(new Set(tokens).size).toBe(4);
    expect(declaration(type, 'i', {}, { serverToken: 'mine' }).serverToken).toBe('mine');
  });

  test('is typed by the schema', () => {
    expectTypeOf(declaration<'com.apple.activation.simple'>)
      .parameter(2)
      .toEqualTypeOf<Declarations['com.apple.activation.simple']>();
    // @ts-expect-error no such key
    declaration(type, 'i', { MinLength: 6 });
    // @ts-expect-error no such type
    declaration('com.apple.configuration.passcode', 'i', {});
    // @ts-expect-error a required key is missing
    declaration('com.apple.activation.simple', 'i', {});
    declaration('com.apple.asset.data', 'i', {
      Reference: { DataURL: 'https://example.com/' },
      // @ts-expect-error a wrong literal
      Authentication: { Type: 'Basic' },
    });
  });

  test('passes on what the schema does not know', () => {
    const { bytes } = rawDeclaration('com.example.new', 'i', { Key: [1, null, { a: 'ä\u2028' }], Absent: undefined });
    const read = readDeclaration(bytes);
    expect(read).toMatchObject({ type: 'com.example.new', payload: { Key: [1, null, { a: 'ä\u2028' }] } });
    expect(read.raw).toBe(bytes);
    expect(Object.keys(read.payload)).toEqual(['Key']);
  });

  test('writes bytes and dates as JSON can have them', () => {
    const when = new Date('2026-01-02T03:04:05Z');
    const { bytes } = rawDeclaration('t', 'i', { Data: Uint8Array.from([1, 2, 3]), When: when });
    expect(readDeclaration(bytes).payload).toEqual({ Data: 'AQID', When: '2026-01-02T03:04:05Z' });
  });

  test('refuses what no device could read', () => {
    const bad = code('mdm.declaration.bad_key');
    expect(() => rawDeclaration('', 'i', {})).toThrow(bad);
    expect(() => rawDeclaration('t', '', {})).toThrow(bad);
    expect(() => rawDeclaration('t', 'i', {}, { serverToken: '' })).toThrow(bad);
    for (const value of [Number.NaN, Infinity, 1n, () => 1, Symbol('s'), new Date(Number.NaN)]) {
      expect(() => rawDeclaration('t', 'i', { Key: [value as never] })).toThrow(
        code('mdm.declaration.bad_key', '/Payload/Key/0'),
      );
    }
    const cycle: { [key: string]: JsonInput } = {};
    cycle['self'] = cycle;
    expect(() => rawDeclaration('t', 'i', cycle)).toThrow(bad);
  });
});

describe('canonicalJson', () => {
  test('is what Python writes with sorted keys and no spaces', ({ skip }) => {
    try {
      execFileSync('python3', ['-c', 'import json'], { stdio: 'ignore' });
    } catch (error) {
      if (process.env['CI'] === 'true') throw error;
      skip('python3 is not installed');
    }
    const values = fc.sample(
      fc.dictionary(
        fc.string({ unit: fc.constantFrom('a', 'B', 'é', '"', '\\', '_', '1', '中') }),
        fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string(), { maxLength: 3 })),
      ),
      { seed: 7, numRuns },
    );
    const script =
      'import sys,json\nfor v in json.load(sys.stdin): print(json.dumps(v, sort_keys=True, separators=(",",":"), ensure_ascii=False))';
    const output = execFileSync('python3', ['-c', script], {
      input: JSON.stringify(values),
      encoding: 'utf8',
      env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
    });
    expect(output.split('\n').slice(0, -1)).toEqual(values.map((value) => canonicalJson(value)));
  });

  test('reads back as the value, and own __proto__ keys are keys like any other', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(JSON.parse(canonicalJson(value as JsonInput))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 11, numRuns },
    );
    const evil = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}') as JsonInput;
    expect(canonicalJson(evil)).toBe('{"__proto__":{"polluted":1},"constructor":2}');
  });
});

describe('readDeclaration', () => {
  test('reads one that was not served yet', () => {
    const read = readDeclaration(json({ Type: type, Identifier: 'i', Payload: {} }));
    expect(read).toMatchObject({ type, identifier: 'i', payload: {} });
    expect('serverToken' in read).toBe(false);
    expect(readDeclaration(passcode.bytes).serverToken).toBe(passcode.serverToken);
  });

  test.each([
    ['no type', { Identifier: 'i', Payload: {} }, 'mdm.declaration.missing_key', '/Type'],
    ['a number for a type', { Type: 1, Identifier: 'i', Payload: {} }, 'mdm.declaration.bad_key', '/Type'],
    ['no identifier', { Type: 't', Payload: {} }, 'mdm.declaration.missing_key', '/Identifier'],
    ['an empty identifier', { Type: 't', Identifier: '', Payload: {} }, 'mdm.declaration.bad_key', '/Identifier'],
    ['no payload', { Type: 't', Identifier: 'i' }, 'mdm.declaration.missing_key', '/Payload'],
    ['a list for a payload', { Type: 't', Identifier: 'i', Payload: [] }, 'mdm.declaration.bad_key', '/Payload'],
    [
      'a token that is none',
      { Type: 't', Identifier: 'i', Payload: {}, ServerToken: {} },
      'mdm.declaration.bad_key',
      '/ServerToken',
    ],
  ])('refuses %s', (_name, value, expected, path) => {
    expect(() => readDeclaration(json(value))).toThrow(code(expected, path));
  });

  test('refuses what is no JSON object, too large or too deep', () => {
    for (const bytes of [json([]), json('x'), json(null), new Uint8Array(), Uint8Array.of(0x22, 0xff, 0x22)]) {
      expect(() => readDeclaration(bytes)).toThrow(code('mdm.declaration.not_json'));
    }
    expect(() => readDeclaration(passcode.bytes, { maxBytes: 10 })).toThrow(code('mdm.too_large'));
    const deep = new TextEncoder().encode(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`);
    expect(() => readDeclaration(deep)).toThrow(code('mdm.too_complex'));
    expect(() => readDeclaration(json({ a: Array(100).fill(0) }), { maxElements: 50 })).toThrow(
      code('mdm.too_complex'),
    );
  });
});

describe('declarationPayload', () => {
  test('gives the typed payload', () => {
    const payload = declarationPayload(type, readDeclaration(passcode.bytes));
    expectTypeOf(payload.MinimumLength).toEqualTypeOf<number | undefined>();
    expect(payload).toEqual({ RequirePasscode: true, MinimumLength: 6 });
  });

  test('turns base64 into bytes where the type says so', () => {
    const sso = 'com.apple.configuration.extensible-sso';
    const whole = {
      Hosts: [],
      ExtensionComposedIdentifier: 'com.example.sso (ABCDE12345)',
      Type: 'Credential',
      Realm: 'EXAMPLE',
      PlatformSSO: { AccessKey: { ReaderGroupIdentifier: Uint8Array.of(1, 2) } },
    };
    const { bytes } = rawDeclaration(sso, 'i', whole);
    expect(JSON.parse(text(bytes))).toMatchObject({
      Payload: { PlatformSSO: { AccessKey: { ReaderGroupIdentifier: 'AQI=' } } },
    });
    expect(declarationPayload(sso, readDeclaration(bytes))).toEqual(whole);
  });

  test('refuses another type, and what is not as the type says', () => {
    const read = readDeclaration(passcode.bytes);
    expect(() => declarationPayload('com.apple.activation.simple', read)).toThrow(
      code('mdm.declaration.bad_key', '/Type'),
    );
    const wrong = readDeclaration(rawDeclaration(type, 'i', { MinimumLength: 'six' }).bytes);
    expect(() => declarationPayload(type, wrong)).toThrow(/\/Payload\/MinimumLength/);
    const empty = readDeclaration(rawDeclaration('com.apple.activation.simple', 'i', {}).bytes);
    expect(() => declarationPayload('com.apple.activation.simple', empty)).toThrow(
      /\/Payload\/StandardConfigurations is required/,
    );
  });
});

const report: object = {
  StatusItems: {
    device: {
      'operating-system': { version: '18.3', 'build-version': '22D63' },
      model: { family: 'iPhone' },
      'brand-new': { key: 1 },
    },
    passcode: { 'is-present': true },
    mdm: { 'push-token': 'AQID' },
    vendor: { thing: [1] },
  },
  Errors: [{ StatusItem: 'test.error-value', Reasons: [{ Code: 'Error', Description: 'no', Details: { a: 1 } }] }],
  FullReport: true,
};

describe('readStatusReport', () => {
  test('reads items by their dotted names, unknown ones too', () => {
    const bytes = json(report);
    const read = readStatusReport(bytes);
    expect([...read.items]).toEqual([
      ['device.operating-system.version', '18.3'],
      ['device.operating-system.build-version', '22D63'],
      ['device.model.family', 'iPhone'],
      ['device.brand-new', { key: 1 }],
      ['passcode.is-present', true],
      ['mdm.push-token', 'AQID'],
      ['vendor', { thing: [1] }],
    ]);
    expect(read).toMatchObject({
      errors: [{ statusItem: 'test.error-value', reasons: [{ code: 'Error', description: 'no', details: { a: 1 } }] }],
      fullReport: true,
      value: report,
    });
    expect(read.raw).toBe(bytes);
    expect(readStatusReport(json({ StatusItems: {} }))).toMatchObject({ errors: [], fullReport: false });
  });

  test('gives typed values', () => {
    const read = readStatusReport(json(report));
    const version = statusValue('device.operating-system.version', read);
    expectTypeOf(version).toEqualTypeOf<string | undefined>();
    expect(version).toBe('18.3');
    const token = statusValue('mdm.push-token', read);
    expectTypeOf(token).toEqualTypeOf<Uint8Array | undefined>();
    expect(token).toEqual(Uint8Array.of(1, 2, 3));
    expect(statusValue('passcode.is-compliant', read)).toBeUndefined();
    // @ts-expect-error no such item
    expect(statusValue('passcode.is-there', read)).toBeUndefined();
    const wrong = readStatusReport(json({ StatusItems: { passcode: { 'is-present': 'yes' } } }));
    expect(() => statusValue('passcode.is-present', wrong)).toThrow(
      code('mdm.declaration.bad_key', '/StatusItems/passcode/is-present'),
    );
  });

  test.each([
    ['no items', {}, 'mdm.declaration.missing_key', '/StatusItems'],
    ['a list of items', { StatusItems: [] }, 'mdm.declaration.bad_key', '/StatusItems'],
    ['a text for a flag', { StatusItems: {}, FullReport: 'yes' }, 'mdm.declaration.bad_key', '/FullReport'],
    ['errors that are no list', { StatusItems: {}, Errors: {} }, 'mdm.declaration.bad_key', '/Errors'],
    ['an error of nothing', { StatusItems: {}, Errors: [{}] }, 'mdm.declaration.bad_key', '/Errors/0/StatusItem'],
    [
      'a reason without code',
      { StatusItems: {}, Errors: [{ StatusItem: 'a', Reasons: [{}] }] },
      'mdm.declaration.bad_key',
      '/Errors/0/Reasons',
    ],
  ])('refuses %s', (_name, value, expected, path) => {
    expect(() => readStatusReport(json(value))).toThrow(code(expected, path));
  });

  test('takes hostile keys for keys', () => {
    const bytes = new TextEncoder().encode(
      '{"StatusItems":{"__proto__":{"polluted":1},"device":{"__proto__":{"x":1},"constructor":2}}}',
    );
    const read: StatusReportMessage = readStatusReport(bytes);
    expect([...read.items.keys()]).toEqual(['__proto__', 'device.__proto__', 'device.constructor']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(() => readStatusReport(new TextEncoder().encode('{"__proto__":{"StatusItems":{}}}'))).toThrow(
      code('mdm.declaration.missing_key', '/StatusItems'),
    );
  });
});
