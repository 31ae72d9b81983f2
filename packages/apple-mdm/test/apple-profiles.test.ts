// Apple's example profiles: they decode, and validation has nothing to say but where they break Apple's own schema.
import { decodeDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { checkAccessRights, declarationReferences, readDeclaration, readProfile, validate } from '../src/index.ts';
import { profileExamples } from './fixtures/apple/profiles.ts';
import { wrappedWifi } from './fixtures/apple/profiles-networks.ts';
import { pageUrl } from './fixtures/apple/wire.ts';
import { comparesWithPython } from './support/python.ts';

const read = (page: string) => readProfile(profileExamples.find((example) => example.page === page)!.bytes);

describe('the profiles on Apple’s pages', () => {
  it.each(profileExamples.map((example) => [example.page, example] as const))('%s', (_, example) => {
    const expected = example.findings ?? [];
    expect(validate('profile', decodeDict(example.bytes)).map(({ path, code }) => `${path} ${code}`)).toEqual(expected);
    if (expected.includes('/PayloadVersion key.missing')) {
      expect(() => readProfile(example.bytes)).toThrow(expect.objectContaining({ code: 'mdm.profile.missing_key' }));
      return;
    }
    const profile = readProfile(example.bytes);
    expect(profile.payloads.map(({ type }) => type)).toEqual(example.payloadTypes);
    expect(new Set(profile.payloads.map(({ version }) => version))).toEqual(new Set([1]));
    expect(profile.version).toBe(1);
  });

  it('are of many payload types', () => {
    expect(new Set(profileExamples.flatMap(({ payloadTypes }) => payloadTypes)).size).toBe(53);
    expect(profileExamples.every(({ page }) => URL.canParse(pageUrl(page)))).toBe(true);
  });

  it('decode to what Python’s plistlib says', (context) => {
    comparesWithPython(context, [wrappedWifi, ...profileExamples.map(({ bytes }) => bytes)]);
  });
});

describe('what is in them', () => {
  it('the enrolment profile names its identity, and has the rights of the schema', () => {
    const [, scep, mdm] = read('mdm').payloads;
    expect(mdm?.content['IdentityCertificateUUID']).toBe(scep?.uuid);
    expect(() => checkAccessRights(Number(mdm?.content['AccessRights']))).not.toThrow();
  });

  it('the payload of declarations has an activation with its configuration', () => {
    const { content } = read('declarations').payloads[0]!;
    const [activation, configuration] = (content['Declarations'] as Uint8Array[]).map((data) => readDeclaration(data));
    expect(activation).toMatchObject({ type: 'com.apple.activation.simple' });
    expect(configuration).toMatchObject({ type: 'com.apple.configuration.management.test' });
    expect(declarationReferences(activation!.type, activation!.payload)).toMatchObject([
      { identifier: configuration?.identifier },
    ]);
  });

  it('the page on Wi-Fi has its profile inside another dictionary, which is no profile', () => {
    expect(decodeDict(wrappedWifi)['New item']).toEqual(read('wifi').value);
    expect(() => readProfile(wrappedWifi)).toThrow(expect.objectContaining({ code: 'mdm.profile.missing_key' }));
  });
});
