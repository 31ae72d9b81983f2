// FileVault escrow: which payload a Mac gets by its system, and what is refused at saving.
import { readProfile, validate } from '@espalier/apple-mdm';
import { createRootCa } from '@espalier/pki';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { beforeAll, describe, expect, it } from 'vitest';
import { createCompiler, type PolicyDevice, recoveryKeyRedirectSource, validateSettings } from '../src/index.ts';

const device = (platform: string, version?: string, kind = 'device'): PolicyDevice => ({
  facts: { 'common.platform': platform, ...(version === undefined ? {} : { 'common.os_version': version }) },
  enrolment: { kind, channel: 'device' },
});

let certificate: Uint8Array;
beforeAll(async () => {
  const clock = { now: () => Date.UTC(2026, 0, 15) };
  certificate = (await createRootCa({ subject: 'CN=Escrow', key: { type: 'rsa', bits: 2048 }, clock })).certificate;
});

function compile(to: PolicyDevice, settings: Readonly<Record<string, unknown>> = {}) {
  const configuration = { id: 'c1', name: 'Recovery keys', type: 'filevault-escrow', settings, version: 3 };
  const made = createCompiler({ recoveryKeyCertificate: certificate, organisation: 'Example' })(configuration, to);
  if (!made.applicable) throw new Error(made.reason);
  const payloads = decodeDict(made.profile.bytes)['PayloadContent'] as PlistDict[];
  return { ...made, payloads };
}

describe('a Mac', () => {
  it('keeps its key for the server from macOS 10.13 on, encrypted to the certificate in the same profile', () => {
    for (const to of [device('macOS', '10.13'), device('macOS', '15.3'), device('macOS')]) {
      const { payloads, late } = compile(to, { DeviceKey: 'inventory 7' });
      expect(late).toBeUndefined();
      expect(payloads.map((payload) => payload['PayloadType'])).toEqual([
        'com.apple.security.FDERecoveryKeyEscrow',
        // Of this type whatever the certificate is; a root would be looked for in vain.
        'com.apple.security.pkcs1',
      ]);
      expect(payloads[0]).toMatchObject({ Location: 'Example', DeviceKey: 'inventory 7' });
      expect(payloads[0]!['EncryptCertPayloadUUID']).toBe(payloads[1]!['PayloadUUID']);
      expect(Buffer.from(payloads[1]!['PayloadContent'] as Uint8Array)).toEqual(Buffer.from(certificate));
      expect(validate('payload', payloads[0]!)).toEqual([]);
    }
  });

  it('sends it to an address before, which comes when it takes the profile', () => {
    const old = compile(device('macOS', '10.12.6'), { Location: 'IT', DeviceKey: 'x' });
    expect(old.payloads[0]).toMatchObject({ PayloadType: 'com.apple.security.FDERecoveryRedirect' });
    expect(old.payloads[0]!['EncryptCertPayloadUUID']).toBe(old.payloads[1]!['PayloadUUID']);
    expect(old.payloads[0]).not.toHaveProperty('Location');
    expect(old.late).toEqual([{ payload: 0, source: recoveryKeyRedirectSource, reference: 'c1', revision: '3' }]);
    expect(old.dropped).toMatchObject([{ key: 'DeviceKey' }]);
    const next = compile(device('macOS', '10.13'), { Location: 'IT', DeviceKey: 'x' });
    // The same profile, with other content: delivered anew, and in the place of the one before.
    expect(next.profile.identifier).toBe(old.profile.identifier);
    expect(next.profile.uuid).not.toBe(old.profile.uuid);
    expect(readProfile(next.profile.bytes)).toMatchObject({ identifier: next.profile.identifier });
  });
});

describe('it does not apply', () => {
  it.each([
    ['to other systems', device('iOS', '18.3')],
    ['to a User Enrolment', device('macOS', '15.3', 'user-enrolment-device')],
    ['to systems from before both payloads', device('macOS', '10.8')],
  ])('%s', (_, to) => {
    expect(() => compile(to)).toThrow();
  });

  it('on a server without a certificate', () => {
    const configuration = { id: 'c1', name: 'Recovery keys', type: 'filevault-escrow', settings: {} };
    expect(createCompiler()(configuration, device('macOS', '15.3'))).toMatchObject({
      applicable: false,
      reason: expect.stringContaining('no certificate'),
    });
  });
});

it('refuses settings that are none, or not the administrator’s', () => {
  expect(validateSettings('filevault-escrow', {})).toEqual([]);
  for (const settings of [{ Location: 7 }, { EncryptCertPayloadUUID: 'x' }, { PayloadUUID: 'x' }, { Place: 'x' }]) {
    expect(validateSettings('filevault-escrow', settings)).toMatchObject([{ severity: 'error' }]);
  }
});
