// Enrolment profiles: validation with reasons, what goes to Apple, panes by platform and version.
import { createRootCa, toPem } from '@espalier/pki';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileEnrolmentProfile,
  type EnrolmentProfile,
  type ProfileCheckOptions,
  skipItems,
  skipKeysFor,
  validateEnrolmentProfile,
  withImpliedSkips,
} from '../src/index.ts';
import { setting } from './apple.ts';
import { codeOf } from './support.ts';

const apple = {
  profile_name: 'Office',
  url: 'https://mdm.example.com/enrol',
  department: 'IT',
  support_phone_number: '+44 20 7946 0000',
};
const good: EnrolmentProfile = { apple };

const codes = (profile: unknown, options: ProfileCheckOptions = {}): string[] =>
  validateEnrolmentProfile(profile as EnrolmentProfile, options).map(
    (issue) => `${issue.severity} ${issue.code} ${issue.path}`,
  );
const withApple = (more: object): unknown => ({ apple: { ...apple, ...more } });

describe('a profile in order', () => {
  it('has no issue', () => {
    expect(codes(good)).toEqual([]);
    const everything: EnrolmentProfile = {
      apple: {
        ...apple,
        configuration_web_url: 'https://mdm.example.com/web',
        support_email_address: 'help@example.com',
        org_magic: 'magic',
        is_mdm_removable: false,
        allow_pairing: false,
        is_multi_user: true,
        await_device_configured: true,
        auto_advance_setup: true,
        language: 'en',
        region: 'GB',
        skip_setup_items: ['Siri', 'AppleID'],
        devices: ['C02ABCDEFGHJ'],
        is_return_to_service: false,
        do_not_use_profile_from_backup: true,
      },
      description: 'For all',
      authentication: { type: 'pin' },
      loginText: 'Welcome',
      awaitMinutes: 10,
      sharedIpad: {
        ResidentUsers: 32,
        UserSessionTimeout: 1800,
        TemporarySessionTimeout: 0,
        OnlineAuthenticationGracePeriod: 7,
        ManagedAppleIDDefaultDomains: ['example.com'],
      },
      macAccounts: { primary: 'regular', administrator: { shortName: 'admin', fullName: 'Admin', hidden: true } },
    };
    expect(codes(everything)).toEqual([]);
  });
});

describe('issues', () => {
  const cases: readonly (readonly [profile: unknown, issue: string, options?: ProfileCheckOptions])[] = [
    [null, 'error ade.profile.type /apple'],
    [{ apple: 'x' }, 'error ade.profile.type /apple'],
    [withApple({ profile_name: undefined }), 'error ade.profile.missing /apple/profile_name'],
    [withApple({ department: undefined }), 'error ade.profile.missing /apple/department'],
    [withApple({ support_phone_number: undefined }), 'error ade.profile.missing /apple/support_phone_number'],
    [withApple({ profile_name: 'x'.repeat(126) }), 'error ade.profile.text /apple/profile_name'],
    [withApple({ department: ' ' }), 'error ade.profile.text /apple/department'],
    [withApple({ support_phone_number: '1'.repeat(51) }), 'error ade.profile.text /apple/support_phone_number'],
    [withApple({ support_email_address: 7 }), 'error ade.profile.text /apple/support_email_address'],
    [withApple({ org_magic: 'x'.repeat(257) }), 'error ade.profile.text /apple/org_magic'],
    [withApple({ url: undefined }), 'error ade.profile.missing /apple/url'],
    [withApple({ url: 'mdm.example.com' }), 'error ade.profile.url /apple/url'],
    [withApple({ url: 'http://mdm.example.com' }), 'error ade.profile.url /apple/url'],
    [withApple({ url: `https://a.example/${'x'.repeat(2000)}` }), 'error ade.profile.url /apple/url'],
    [withApple({ configuration_web_url: 'ftp://x.example' }), 'error ade.profile.url /apple/configuration_web_url'],
    [withApple({ is_supervised: 'yes' }), 'error ade.profile.type /apple/is_supervised'],
    [withApple({ is_supervised: false }), 'warning ade.profile.always_on /apple/is_supervised'],
    [withApple({ is_mandatory: false }), 'warning ade.profile.always_on /apple/is_mandatory'],
    [
      withApple({ is_supervised: false, is_mdm_removable: false }),
      'error ade.profile.removable /apple/is_mdm_removable',
    ],
    [withApple({ auto_advance_setup: true, region: 'GB' }), 'error ade.profile.auto_advance /apple/language'],
    [withApple({ auto_advance_setup: true, language: 'en' }), 'error ade.profile.auto_advance /apple/region'],
    [
      withApple({ auto_advance_setup: true, language: 'en', region: 'GB' }),
      'warning ade.profile.no_effect /apple/auto_advance_setup',
      { targets: [{ platform: 'iOS' }] },
    ],
    [withApple({ language: 'English' }), 'error ade.profile.locale /apple/language'],
    [withApple({ region: 'gb' }), 'error ade.profile.locale /apple/region'],
    [withApple({ anchor_certs: ['not one'] }), 'error ade.profile.certificate /apple/anchor_certs/0'],
    [withApple({ anchor_certs: 'x' }), 'error ade.profile.type /apple/anchor_certs'],
    [
      withApple({ supervising_host_certs: [], is_supervised: false }),
      'warning ade.profile.pairing /apple/supervising_host_certs',
    ],
    [
      withApple({ skip_setup_items: ['Siri', 'Registration'] }),
      'warning ade.profile.unknown_pane /apple/skip_setup_items/1',
    ],
    [withApple({ skip_setup_items: 'Siri' }), 'error ade.profile.type /apple/skip_setup_items'],
    [withApple({ skip_setup_items: [7] }), 'error ade.profile.type /apple/skip_setup_items'],
    [
      withApple({ skip_setup_items: ['FileVault'] }),
      'warning ade.profile.no_effect /apple/skip_setup_items/0',
      { targets: [{ platform: 'tvOS' }] },
    ],
    [withApple({ devices: ['A B'] }), 'error ade.profile.type /apple/devices'],
    [withApple({ new_key: true }), 'warning ade.profile.unknown_key /apple/new_key'],
    [{ ...good, authentication: null }, 'error ade.profile.type /authentication'],
    [{ ...good, authentication: { type: 'magic' } }, 'error ade.profile.authentication /authentication/type'],
    [{ ...good, authentication: { type: 'anonymous' } }, 'warning ade.profile.anonymous_mac /authentication/type'],
    [
      { ...good, authentication: { type: 'anonymous' } },
      'error ade.profile.anonymous_mac /authentication/type',
      { targets: [{ platform: 'macOS' }] },
    ],
    [
      { ...good, authentication: { type: 'password', saml: true } },
      'error ade.profile.saml_missing /authentication/saml',
    ],
    [
      {
        ...(withApple({ configuration_web_url: 'https://a.example' }) as object),
        authentication: { type: 'password', saml: true },
      },
      'error ade.profile.saml_conflict /apple/configuration_web_url',
      { samlUrl: 'https://idp.example' },
    ],
    [{ ...good, loginText: 'x'.repeat(51) }, 'error ade.profile.login_text /loginText'],
    [
      { ...(withApple({ await_device_configured: true }) as object), awaitMinutes: 11 },
      'error ade.profile.await_minutes /awaitMinutes',
    ],
    [{ ...good, awaitMinutes: 5 }, 'warning ade.profile.await_off /awaitMinutes'],
  ];
  for (const [profile, issue, options] of cases) {
    it(issue, () => expect(codes(profile, options)).toContain(issue));
  }

  it('have the error that Apple would answer with', async () => {
    const { client } = await setting();
    for (const more of [
      { profile_name: '' },
      { profile_name: undefined },
      { url: undefined },
      { url: 'nowhere' },
      { department: '' },
      { org_magic: 'x'.repeat(257) },
      { support_email_address: 'x'.repeat(251) },
      { support_phone_number: 'x'.repeat(51) },
      { is_supervised: false, is_mdm_removable: false },
      { region: 'gb' },
    ]) {
      const profile = withApple(more) as EnrolmentProfile;
      const own = validateEnrolmentProfile(profile).filter((issue) => issue.severity === 'error');
      const error = await client.defineProfile(profile.apple).catch((thrown: unknown) => thrown);
      expect(own.map((issue) => issue.apple)).toContain((error as { apple: { code: string } }).apple.code);
    }
  });

  it('are all that random input can cause', () => {
    const runs = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 1000;
    const part = fc.object({ maxDepth: 2 });
    const keys = ['profile_name', 'url', 'skip_setup_items', 'anchor_certs', 'devices', 'language', '__proto__'];
    const applePart = fc.dictionary(fc.constantFrom(...keys), fc.anything());
    const profile = fc.record(
      {
        apple: fc.oneof(applePart, fc.anything()),
        authentication: fc.oneof(part, fc.anything()),
        sharedIpad: part,
        macAccounts: fc.oneof(part, fc.anything()),
        loginText: fc.anything(),
        awaitMinutes: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(profile, fc.anything()), (value) => {
        const issues = validateEnrolmentProfile(value as EnrolmentProfile);
        expect(Array.isArray(issues)).toBe(true);
      }),
      { seed: 8, numRuns: runs },
    );
  });
});

describe('Shared iPad', () => {
  const shared = (more: object = {}, rest: object = {}): unknown => ({
    ...(withApple({ is_multi_user: true, await_device_configured: true, ...more }) as object),
    ...rest,
  });

  it('needs three things, each named', () => {
    expect(codes(shared())).toEqual([]);
    expect(codes(shared({ await_device_configured: undefined }))).toEqual([
      'error ade.shared_ipad.await_device_configured /apple/await_device_configured',
    ]);
    expect(codes(shared({ is_supervised: false }))).toContain(
      'error ade.shared_ipad.is_supervised /apple/is_supervised',
    );
    expect(codes(shared({ is_mandatory: false }))).toContain('error ade.shared_ipad.is_mandatory /apple/is_mandatory');
    expect(codes(withApple({ is_multi_user: true, is_supervised: false, is_mandatory: false }))).toEqual(
      expect.arrayContaining([
        'error ade.shared_ipad.await_device_configured /apple/await_device_configured',
        'error ade.shared_ipad.is_supervised /apple/is_supervised',
        'error ade.shared_ipad.is_mandatory /apple/is_mandatory',
      ]),
    );
  });

  it('is for iPads, with Apple Business Manager from 14.5 on', () => {
    const target = (platform: 'iOS' | 'macOS', version: string, orgType: 'org' | 'edu' = 'org') =>
      codes(shared(), { targets: [{ platform, version }], orgType });
    expect(target('iOS', '14.5')).toEqual([]);
    expect(target('iOS', '13.4', 'edu')).toEqual([]);
    expect(target('iOS', '14.4')).toEqual(['error ade.shared_ipad.version /apple/is_multi_user']);
    expect(target('macOS', '15.0')).toEqual(['error ade.shared_ipad.platform /apple/is_multi_user']);
  });

  it('has bounds', () => {
    const settings = (sharedIpad: object) => codes(shared({}, { sharedIpad }));
    expect(settings({ ResidentUsers: 33 })).toEqual(['error ade.shared_ipad.users /sharedIpad/ResidentUsers']);
    expect(settings({ ResidentUsers: 0 })).toEqual(['error ade.shared_ipad.users /sharedIpad/ResidentUsers']);
    expect(settings({ QuotaSize: 1.5 })).toEqual(['error ade.shared_ipad.quota /sharedIpad/QuotaSize']);
    expect(settings({ ResidentUsers: 5, QuotaSize: 2048 })).toEqual([
      'error ade.shared_ipad.users_or_quota /sharedIpad/QuotaSize',
    ]);
    for (const key of ['UserSessionTimeout', 'TemporarySessionTimeout']) {
      expect(settings({ [key]: 1801 })).toEqual([`error ade.shared_ipad.timeout /sharedIpad/${key}`]);
      expect(settings({ [key]: -1 })).toEqual([`error ade.shared_ipad.timeout /sharedIpad/${key}`]);
      expect(settings({ [key]: 10 })).toEqual([`warning ade.shared_ipad.short_timeout /sharedIpad/${key}`]);
    }
    expect(settings({ OnlineAuthenticationGracePeriod: -1 })).toEqual([
      'error ade.shared_ipad.grace /sharedIpad/OnlineAuthenticationGracePeriod',
    ]);
    expect(settings({ ManagedAppleIDDefaultDomains: ['no domain'] })).toEqual([
      'error ade.shared_ipad.domains /sharedIpad/ManagedAppleIDDefaultDomains',
    ]);
    expect(settings({ TemporarySessionOnly: true, TemporarySessionTimeout: 60 })).toEqual([]);
    expect(settings({ TemporarySessionOnly: true, ResidentUsers: 3 })).toEqual([
      'error ade.shared_ipad.guest_only /sharedIpad/ResidentUsers',
    ]);
    expect(codes({ ...good, sharedIpad: {} })).toEqual(['warning ade.shared_ipad.off /sharedIpad']);
  });
});

describe('accounts of Macs', () => {
  const awaits = withApple({ await_device_configured: true }) as object;

  it('need that the Mac waits, and a managed administrator where the user is none', () => {
    const administrator = { shortName: 'admin', fullName: 'Admin' };
    expect(codes({ ...awaits, macAccounts: { primary: 'administrator' } })).toEqual([]);
    expect(codes({ ...awaits, macAccounts: { primary: 'skip', administrator } })).toEqual([]);
    for (const primary of ['regular', 'skip']) {
      expect(codes({ ...awaits, macAccounts: { primary } })).toEqual([
        'error ade.accounts.administrator /macAccounts/administrator',
      ]);
    }
    expect(codes({ ...good, macAccounts: { primary: 'administrator' } })).toEqual([
      'error ade.accounts.await_device_configured /apple/await_device_configured',
    ]);
    expect(
      codes({ ...awaits, macAccounts: { primary: 'regular', administrator: { shortName: 'Ad Min', fullName: '' } } }),
    ).toEqual([
      'error ade.accounts.short_name /macAccounts/administrator/shortName',
      'error ade.accounts.full_name /macAccounts/administrator/fullName',
    ]);
  });
});

describe('what goes to Apple', () => {
  it('is taken by the service, with the defaults', async () => {
    const { client } = await setting();
    const compiled = compileEnrolmentProfile(good);
    expect(compiled).toEqual({ ...apple, is_supervised: true, is_mandatory: true });
    const { profileUuid } = await client.defineProfile(compiled);
    expect(await client.profile(profileUuid)).toMatchObject(compiled);
  });

  it('has certificates as base64 of DER, whatever they were', async () => {
    const { certificate } = await createRootCa({ subject: 'CN=Root', key: { type: 'rsa', bits: 2048 }, clock: Date });
    const base64 = Buffer.from(certificate).toString('base64');
    const forms = [
      certificate,
      toPem(certificate),
      Buffer.from(toPem(certificate)),
      base64,
      base64.replace(/.{64}/g, '$&\n'),
    ];
    const compiled = compileEnrolmentProfile({
      apple: { ...apple, anchor_certs: forms, supervising_host_certs: [toPem(certificate)] },
    });
    expect(compiled.anchor_certs).toEqual(forms.map(() => base64));
    expect(compiled.supervising_host_certs).toEqual([base64]);
  });

  it('has the identity provider’s page for sign-in by SAML', () => {
    const profile: EnrolmentProfile = { ...good, authentication: { type: 'password', saml: true } };
    expect(compileEnrolmentProfile(profile, { samlUrl: 'https://idp.example/start' }).configuration_web_url).toBe(
      'https://idp.example/start',
    );
  });

  it('is nothing for a profile with errors', () => {
    const wrong = { apple: { ...apple, url: 'x' } };
    expect(codeOf(() => compileEnrolmentProfile(wrong))).toBe('ade.profile.invalid');
    expect(codeOf(() => compileEnrolmentProfile(wrong), 'at')).toEqual({ path: '/apple/url' });
  });
});

describe('panes', () => {
  it('are those of Apple’s schema, by platform and version', () => {
    const keys = skipItems().map((item) => item.key);
    expect(keys.length).toBeGreaterThanOrEqual(50);
    // Apple's support matrix, retyped: when panes came and where they are.
    const has = (platform: 'iOS' | 'macOS' | 'tvOS' | 'visionOS', version: string, key: string): boolean =>
      skipKeysFor({ platform, version }).includes(key);
    expect([has('iOS', '16.7', 'ActionButton'), has('iOS', '17.0', 'ActionButton')]).toEqual([false, true]);
    expect([has('iOS', '12.4', 'Appearance'), has('iOS', '13.0', 'Appearance')]).toEqual([false, true]);
    expect([has('macOS', '10.13', 'Appearance'), has('macOS', '10.14', 'Appearance')]).toEqual([false, true]);
    expect([has('macOS', '15.0', 'TVRoom'), has('tvOS', '18.0', 'TVRoom')]).toEqual([false, true]);
    expect([has('iOS', '18.0', 'FileVault'), has('macOS', '15.0', 'FileVault')]).toEqual([false, true]);
    expect([has('macOS', '10.15', 'Accessibility'), has('macOS', '11.0', 'Accessibility')]).toEqual([false, true]);
    expect([has('macOS', '15.3', 'Wallpaper'), has('macOS', '26.0', 'Wallpaper')]).toEqual([true, false]);
    expect(skipKeysFor({ platform: 'visionOS', version: '1.0' })).toEqual([]);
  });

  it('hold every option of the specification that is a key of Apple', () => {
    const keys = new Set(skipItems().map((item) => item.key));
    const options =
      'Location Restore Android AppleID TOS Passcode Siri Diagnostics Biometric Payment Zoom FileVault DisplayTone HomeButtonSensitivity iCloudStorage TapToSetup ScreenSaver OnBoarding WatchMigration iCloudDiagnostics TVHomeScreenSync TVProviderSignIn TVRoom Privacy iMessageAndFaceTime ScreenTime SoftwareUpdate SIMSetup Appearance Welcome Accessibility RestoreCompleted UpdateCompleted UnlockWithWatch TermsOfAddress DeviceToDeviceMigration MessagingActivationUsingPhoneNumber';
    expect(options.split(' ').filter((key) => !keys.has(key))).toEqual([]);
  });

  it('imply others', () => {
    expect(withImpliedSkips(['AppleID'])).toEqual(['AppleID', 'Payment']);
    expect(withImpliedSkips(['Passcode', 'Siri'])).toEqual(['Passcode', 'Siri', 'Payment', 'Biometric']);
    expect(withImpliedSkips(['Biometric', 'Payment'])).toEqual(['Biometric', 'Payment']);
    expect(withImpliedSkips(['constructor'])).toEqual(['constructor']);
    const compiled = compileEnrolmentProfile(withApple({ skip_setup_items: ['Passcode'] }) as EnrolmentProfile);
    expect(compiled.skip_setup_items).toEqual(['Passcode', 'Payment', 'Biometric']);
  });

  it('are all skipped at a word', () => {
    const all = withApple({ skip_setup_items: 'all' }) as EnrolmentProfile;
    const target = { platform: 'tvOS', version: '18.0' } as const;
    expect(compileEnrolmentProfile(all, { targets: [target] }).skip_setup_items).toEqual(skipKeysFor(target));
    expect(compileEnrolmentProfile(all).skip_setup_items!.length).toBeGreaterThan(45);
  });
});
