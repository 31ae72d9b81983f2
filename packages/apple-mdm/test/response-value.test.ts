// The typed view of a response, and what passes through untouched.
import { encodeBinary, encodeXml, type PlistInput, PlistReal } from '@espalier/plist';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type CommandResponses,
  rawCommand,
  readCommand,
  readProfile,
  readResponse,
  responseValue,
  schema,
  settingResults,
} from '../src/index.ts';
import * as messages from './fixtures/messages.ts';
import { udid } from './fixtures/messages.ts';

const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });

const answer = (keys: object, status = 'Acknowledged') =>
  readResponse(encodeXml({ Status: status, CommandUUID: 'c', UDID: udid, ...keys } as never));

describe('responseValue', () => {
  test('gives the keys of DeviceInformation, reals as numbers', () => {
    const value = responseValue('DeviceInformation', readResponse(messages.deviceInformation));
    expectTypeOf(value).toEqualTypeOf<CommandResponses['DeviceInformation']>();
    const { QueryResponses: device } = value;
    expectTypeOf(device.DeviceCapacity).toEqualTypeOf<number | undefined>();
    expect(Object.keys(value)).toEqual(['QueryResponses']); // nothing of the envelope
    expect(device.DeviceCapacity).toBe(128); // <real>128</real>, which decodes to a PlistReal
    expect(device.BatteryLevel).toBe(0.87000000476837158);
    expect(device.LastCloudBackupDate).toEqual(new Date('2026-01-02T03:04:05Z'));
    expect(device.ServiceSubscriptions?.[1]?.Label).toBe('Secondary');
  });

  test('gives bytes, nested lists and empty answers', () => {
    const { CertificateList } = responseValue('CertificateList', readResponse(messages.certificateList));
    expectTypeOf(CertificateList[0]!.Data).toEqualTypeOf<Uint8Array>();
    expect(CertificateList).toEqual([
      { CommonName: 'device', Data: new Uint8Array(Buffer.from('MIIB', 'base64')), IsIdentity: true },
    ]);
    expect(responseValue('RestartDevice', answer({}))).toEqual({});
  });

  test('gives the results of Settings as a list, also where a device sends one alone as the schema has it', () => {
    const one = { Item: 'DeviceName', Status: 'Acknowledged' };
    const other = { Identifier: 'com.example', Status: 'Error', ErrorChain: [{ ErrorCode: 4 }] };
    const value = responseValue('Settings', answer({ Settings: [one, other] }));
    expectTypeOf(value.Settings?.[0]?.Status).toEqualTypeOf<string | undefined>();
    expect(value).toEqual({ Settings: [one, other] });
    expect(responseValue('Settings', answer({ Settings: other }))).toEqual({ Settings: [other] });
    expect(responseValue('Settings', answer({ Settings: [] }))).toEqual({ Settings: [] });
    const bad = (Settings: PlistInput) => () => responseValue('Settings', answer({ Settings }));
    expect(bad([one, { Item: 'x' }])).toThrow(code('mdm.response.missing_key', '/Settings/1/Status'));
    expect(bad([one, [one]])).toThrow(code('mdm.response.bad_key', '/Settings/1'));
    expect(bad('x')).toThrow(code('mdm.response.bad_key', '/Settings'));
    expect(settingResults(answer({ Settings: [one, other, 'x', {}] }))).toEqual([
      { item: 'DeviceName', status: 'Acknowledged', errorChain: [] },
      { identifier: 'com.example', status: 'Error', errorChain: [{ code: 4, domain: '', description: '' }] },
    ]);
    expect(settingResults(answer({ Settings: other }))).toHaveLength(1);
    expect(settingResults(answer({}))).toEqual([]);
  });

  test('hands on keys that the schema does not know', () => {
    const value = responseValue(
      'SecurityInfo',
      answer({ SecurityInfo: { PasscodePresent: true, New: [{ Real: new PlistReal(2) }] }, Top: 1 }),
    );
    expect(value).toEqual({ SecurityInfo: { PasscodePresent: true, New: [{ Real: 2 }] }, Top: 1 });
  });

  test('refuses what would make the type untrue', () => {
    const bad = (name: 'DeviceInformation' | 'CertificateList' | 'InstalledApplicationList', keys: object) => () =>
      responseValue(name, answer(keys));
    expect(bad('DeviceInformation', { QueryResponses: { IsSupervised: 'yes' } })).toThrow(
      expect.objectContaining({ code: 'mdm.response.bad_key', at: { path: '/QueryResponses/IsSupervised' } }),
    );
    expect(bad('CertificateList', { CertificateList: [{ CommonName: 'x', IsIdentity: true }] })).toThrow(
      code('mdm.response.missing_key', '/CertificateList/0/Data'),
    );
    expect(bad('DeviceInformation', {})).toThrow(code('mdm.response.missing_key', '/QueryResponses'));
    const app = { Identifier: 'a', BundleSize: 2n ** 60n };
    expect(bad('InstalledApplicationList', { InstalledApplicationList: [app] })).toThrow(
      code('mdm.response.bad_key', '/InstalledApplicationList/0/BundleSize'),
    );
  });

  test('reads acknowledged responses only, and commands of the schema', () => {
    for (const status of ['Error', 'NotNow', 'CommandFormatError']) {
      expect(() => responseValue('DeviceInformation', answer({}, status))).toThrow(
        code('mdm.response.not_acknowledged', '/Status'),
      );
    }
    expect(() => responseValue('DeviceInformation', readResponse(messages.idle))).toThrow(
      code('mdm.response.not_acknowledged'),
    );
    for (const name of ['Brand New', '__proto__', 'constructor']) {
      expect(() => responseValue(name as 'DeviceLock', answer({}))).toThrow(code('mdm.command.bad_key'));
    }
    // @ts-expect-error no such command
    expect(() => responseValue('Explode', answer({}))).toThrow();
  });

  test('takes hostile keys for keys', () => {
    const evil = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":1}}') as object;
    const value = responseValue('SecurityInfo', answer({ SecurityInfo: evil })) as object;
    const inner = (value as { SecurityInfo: object }).SecurityInfo;
    expect(Object.keys(inner)).toEqual(['__proto__', 'constructor']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('knows every command that answers', () => {
    for (const name of schema.names('command')) {
      const required = schema.command(name)?.replies?.some((key) => key.presence === 'required') ?? false;
      const read = () => responseValue(name as 'RestartDevice', answer({}));
      if (!required) expect(read(), name).toEqual({});
    }
  });
});

describe('what the schema does not know passes untouched', () => {
  const unknown = {
    Real: new PlistReal(2),
    Big: 2n ** 62n,
    Data: Uint8Array.of(0, 255),
    Date: new Date('2026-01-02T03:04:05Z'),
    Nested: { __proto: [1, 'x', { deep: true }] },
  };

  test.each([
    ['XML', encodeXml],
    ['binary', encodeBinary],
  ])('an answer to an unknown command, %s', (_name, encode) => {
    const bytes = encode({ Status: 'Acknowledged', CommandUUID: 'c', UDID: udid, Unknown: unknown });
    const response = readResponse(bytes);
    expect(response.raw).toBe(bytes);
    expect(response.value['Unknown']).toEqual(unknown);
    expect(encode(response.value)).toEqual(bytes);
  });

  test('an unknown command', () => {
    const { bytes } = rawCommand('Brand New', unknown, { commandUuid: 'A' });
    const read = readCommand(bytes);
    expect(read.payload).toEqual({ RequestType: 'Brand New', ...unknown });
    expect(read.raw).toBe(bytes);
  });

  test('an unknown payload of a profile', () => {
    const common = { PayloadVersion: 1, PayloadIdentifier: 'a', PayloadUUID: 'b' };
    const payload = { PayloadType: 'com.example.unknown', ...common, ...unknown };
    const bytes = encodeXml({ PayloadType: 'Configuration', ...common, PayloadContent: [payload], Unknown: unknown });
    const profile = readProfile(bytes);
    expect(profile.raw).toBe(bytes);
    expect(profile.plist).toBe(bytes);
    expect(profile.payloads[0]).toMatchObject({ type: 'com.example.unknown', content: payload });
    expect(profile.value['Unknown']).toEqual(unknown);
    expect(encodeXml(profile.value)).toEqual(bytes);
  });
});
