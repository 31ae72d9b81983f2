// The field catalogue: complete, consistent, and every Apple field names a source that Apple's schema has.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  ANDROID_FIELDS,
  APPLE_FIELDS,
  COMMON_FIELDS,
  catalogue,
  deviceAttribute,
  EDUCATION_FIELDS,
  LISTED_ONLY_FIELDS,
  ldapAttribute,
  MORE_FIELDS,
  USER_FIELDS,
  userAttribute,
} from '../src/catalogue.ts';
import {
  check,
  compile,
  createCatalogue,
  fieldsOf,
  isToken,
  operatorsFor,
  parse,
  SearchError,
  validate,
} from '../src/index.ts';

const apple = JSON.parse(readFileSync(new URL('fixtures/apple-keys.json', import.meta.url), 'utf8')) as {
  keys: Record<string, string[]>;
};

test('all 268 fields of the tables, and those printed elsewhere', () => {
  expect([COMMON_FIELDS, APPLE_FIELDS, USER_FIELDS, ANDROID_FIELDS].map((f) => f.length)).toEqual([85, 91, 24, 68]);
  expect(EDUCATION_FIELDS.map((f) => f.token.split('.')[1])).toEqual([
    'apple_education_in_use',
    'class_id',
    'course_id',
    'location_id',
    'role',
  ]);
  expect(LISTED_ONLY_FIELDS).toHaveLength(22);
  expect(catalogue.fields).toHaveLength(268 + EDUCATION_FIELDS.length + MORE_FIELDS.length + LISTED_ONLY_FIELDS.length);
});

test('every token is a token, found under any spelling, and nothing collides', () => {
  for (const field of catalogue.fields) {
    expect(isToken(field.token), field.token).toBe(true);
    expect(field.displayName).not.toBe('');
    const spellings = [
      field.token,
      field.token.toUpperCase(),
      field.token.replaceAll(/[ -]/g, '_'),
      ...(field.aliases ?? []),
    ];
    for (const spelling of spellings) expect(catalogue.get(spelling)?.token, spelling).toBe(field.token);
    for (const { also } of field.values ?? []) if (also !== undefined) expect(catalogue.get(also.field)).toBeDefined();
  }
  expect(catalogue.get('common.home_operatory_name')?.token).toBe('common.home_operator_name');
  expect(catalogue.get('ios.SIM MCC')?.token).toBe('ios.sim_mcc_1');
  expect(catalogue.get('ios.SerialNumber')?.token).toBe('common.serial_number');
  expect(catalogue.get('user.account_disabled')?.token).toBe('user.ldap.user_account_control.account-disabled');
  for (const odd of ['constructor.prototype', '__proto__.x', 'common.__proto__', 'common'])
    expect(catalogue.get(odd)).toBeUndefined();
});

// The bare names printed for compliance rules (CFG-22).
const printed: Record<string, string> = {
  common: `cellular_technology client_name client_build_date client_version creation_date current_country_code
    current_country_name country_name current_operator_name carrier_short_name current_phone_number
    data_protection_enabled data_protection_reasons device_admin_enabled device_encrypted device_is_compromised
    eas_last_sync_time ethernet_mac home_country_code home_country_name home_operatory_name home_phone_number imei imsi
    language locale last_connected_at location_last_captured_at manufacturer model model_name mdm_managed
    mdm_tos_accepted mdm_tos_accepted_date os_version platform platform_name owner pending_device_passcode
    pending_device_passcode_expiration_time registration_date registration_imsi retired roaming security_state status
    uuid wifi_mac_address`,
  ios: `BluetoothMAC BuildVersion CarrierSettingsVersion Current_MCC Current_MNC DataRoamingEnabled data_protection
    forceEncryptedBackup iCloud_Backup_Is_Enabled iOSBackgroundStatus iPhone_PRODUCT iPhone_VERSION
    IsDeviceLocatorServiceEnabled IsDEPEnrolledDevice IsDoNotDisturbInEffect IsMDMLostModeEnabled
    IsMDMServiceEnrolledDevice iTunesStoreAccountIsActive ProductName PasscodePresent PasscodeIsCompliantWithProfiles
    PasscodeIsCompliant Personal_Hotspot_Enabled SerialNumber Supervised SIM_MCC SIM_MNC Subscriber_Carrier_Network
    Voice_Roaming_Enabled osUpdateStatus`,
  android: `admin_activated attestation afw_capable brand Client_version_code device_roaming_flag Knox_version
    manufacturer_os_version mdm_enabled multi-mdm os_build_number os_update_status registration_status samsung_dm
    secure_apps_encryption_enabled secure_apps_encryption_mode security_detail security_patch usb_debugging
    dpm_encryption_status`,
  user: `email_address user_id attr_dn dn locale principal upn account-disabled locked_out password_expired custom1 custom2
    custom3 custom4`,
};
test.each(Object.entries(printed))('every name printed for compliance rules is known: %s', (category, names) => {
  for (const name of names.split(/\s+/)) expect(catalogue.get(`${category}.${name}`), name).toBeDefined();
});

test("each Apple field names its source, and Apple's schema has it", () => {
  // Documented for Apple TV, and not in the schema.
  const gone = new Set(['Languages', 'Locales']);
  const free = new Set([
    'Restrictions',
    'ProfileService',
    'ADE',
    'Server',
    'Registration',
    'Directory',
    'Roster',
    'Agent',
    'External',
    'None',
  ]);
  let checked = 0;
  for (const field of catalogue.fields) {
    expect(field.sources.length, field.token).toBeGreaterThan(0);
    for (const { from, key, note } of field.sources) {
      if (free.has(from)) {
        if (from === 'Restrictions' || from === 'ProfileService') expect(key).toBeDefined();
        continue;
      }
      if (from === 'CheckIn' && (key === 'TokenUpdate' || key === 'CheckOut')) continue;
      if (gone.has(key!)) {
        expect(note).toContain('no longer');
        continue;
      }
      expect(apple.keys[from], `${field.token}: ${from}.${key}`).toContain(key);
      checked++;
    }
  }
  expect(checked).toBeGreaterThan(150);
});

test('fields of other platforms are marked, and an import explains itself', () => {
  for (const field of [...ANDROID_FIELDS, ...LISTED_ONLY_FIELDS]) expect(field.vendor, field.token).toBe('other');
  const issues = check(parse('"android.Knox_version" >= "3.0"'), catalogue);
  expect(issues).toMatchObject([{ code: 'other-vendor', severity: 'info', field: 'android.Knox_version' }]);
});

test('a field that allows few operators, and its complements', () => {
  const field = catalogue.get('android.bulk_enrollment_profile_name')!;
  expect(operatorsFor(field)).toEqual([
    '=',
    '!=',
    'starts with',
    'does not start with',
    'in',
    'not in',
    'is null',
    'is not null',
  ]);
  expect(check(parse('"android.bulk_enrollment_profile_name" contains "x"'), catalogue)[0]).toMatchObject({
    code: 'bad-operator-for-type',
    severity: 'error',
  });
});

describe('the checker', () => {
  const codes = (text: string): string[] => validate(text, catalogue).diagnostics.map((d) => d.code);
  test.each<[string, string[]]>([
    ['"common.battery_level" < 20', []],
    ['"common.battery_level" < "20"', []],
    ['"common.battery_level" < 120', ['out-of-range']],
    ['"common.battery_level" contains "2"', ['bad-operator-for-type']],
    ['"common.battery_level" = "low"', ['bad-value']],
    ['"common.battery_level" = ""', []],
    ['"common.retired" = "TRUE"', []],
    ['"common.retired" = "yes"', ['bad-value']],
    ['"common.retired" > true', ['bad-operator-for-type']],
    ['"common.os_version" >= "17.4"', []],
    ['"common.os_version" >= 17.4', ['bad-value']],
    ['"common.os_version" >= "seventeen"', ['bad-value']],
    ['"common.creation_date" > "2024-02-29"', []],
    ['"common.creation_date" > "2023-02-29"', ['bad-value']],
    ['"common.creation_date" starts with "2024"', ['bad-operator-for-type']],
    ['"common.platform" within the last 3 days', ['bad-operator-for-type']],
    ['"common.platform" = "iSO"', ['unknown-enum-value']],
    ['"common.platform" in ("iOS", "macos", "Linux")', ['unknown-enum-value']],
    ['"common.platform" starts with "i"', []],
    ['"common.owner" = "Employee"', []],
    ['"ios.Current MCC" = 026', ['bad-value']],
    ['"common.nope" = 1', ['unknown-field']],
    ['"android.samsung_dualdar_enabled" = true', ['other-vendor']],
    ['"common.pending_device_passcode" starts with "1"', ['sensitive']],
    ['"common.pending_device_passcode" is not null', []],
    ['"common.pending_device_passcode" = ""', []],
  ])('%s: %j', (text, expected) => expect(codes(text)).toEqual(expected));

  test('secrets need permission, also to compile', () => {
    const tree = parse('"ios.activation_lock_bypass_code" starts with "A"');
    expect(() => compile(tree, { catalogue })).toThrowError(
      expect.objectContaining({ code: 'search.sensitive', kind: 'forbidden' }),
    );
    expect(check(tree, catalogue, { sensitive: true })).toEqual([]);
    expect(compile(tree, { catalogue, sensitive: true })({ 'ios.activation_lock_bypass_code': 'abc' }, 0)).toBe(true);
  });

  test('the allowed operators and the likely field are named', () => {
    const [operator] = check(parse('"common.retired" contains "x"'), catalogue);
    expect(operator!.expected).toEqual(['=', '!=', 'in', 'not in', 'is null', 'is not null']);
    const [field] = check(parse('"common.plattform" = "iOS"'), catalogue);
    expect(field).toMatchObject({ suggestion: '"common.platform"' });
    const [alias] = check(parse('"common.Serial Number X" = "1"'), catalogue);
    expect(alias!.expected).toContain('"common.serial_number"');
  });
});

describe('extension at run time', () => {
  const mine = catalogue.extend([
    deviceAttribute({ name: 'room', type: 'str' }),
    deviceAttribute({ name: 'floor', type: 'int' }),
    userAttribute({ name: 'Cost Centre', type: 'str' }),
    ldapAttribute('department'),
    {
      token: 'asset.bought',
      displayName: 'Bought',
      category: 'asset',
      type: 'ts',
      platforms: [],
      vendor: 'server',
      sources: [{ from: 'Server' }],
    },
  ]);
  test('custom attributes, directory attributes and own fields', () => {
    const text =
      '"device.custom.room" starts with "B" AND "custom_device.floor" >= 2 AND "user.custom.cost centre" = "42" AND "user.ldap.user_attributes.department" = "it"';
    expect(validate(text, catalogue).diagnostics.map((d) => d.code)).toEqual(
      Array.from({ length: 4 }, () => 'unknown-field'),
    );
    expect(validate(text, mine).diagnostics).toEqual([]);
    expect(fieldsOf(parse(text), mine)).toEqual([
      'device.custom.room',
      'device.custom.floor',
      'user.custom.Cost Centre',
      'user.ldap.user_attributes.department',
    ]);
    const record = {
      'device.custom.room': 'b12',
      'device.custom.floor': 3,
      'user.custom.Cost Centre': '42',
      'user.ldap.user_attributes.department': 'IT',
    };
    expect(compile(parse(text), { catalogue: mine })(record, 0)).toBe(true);
    expect(catalogue.get('asset.bought')).toBeUndefined();
  });
  test('a hidden field does not exist for whoever may not see it', () => {
    const less = catalogue.without((f) => f.token === 'common.ip_address');
    expect(check(parse('"common.ip_address" = "10.0.0.1"'), less)[0]?.code).toBe('unknown-field');
  });
  test('a field can be replaced, and a collision is refused', () => {
    const [platform] = COMMON_FIELDS.filter((f) => f.token === 'common.platform');
    expect(catalogue.extend([{ ...platform!, displayName: 'OS' }]).get('common.platform')?.displayName).toBe('OS');
    for (const token of ['x', 'a.', 'a."b', 'a.b\n']) {
      expect(() => createCatalogue([{ ...platform!, token }])).toThrow(SearchError);
    }
    expect(() => catalogue.extend([{ ...platform!, token: 'x.y', aliases: ['common.platform'] }])).toThrowError(
      expect.objectContaining({ code: 'search.catalogue' }),
    );
  });
  test('an unknown field is null at run time', () => {
    const gone = (text: string): boolean => compile(parse(text), { catalogue })({ 'device.custom.gone': 'x' }, 0);
    expect(gone('"device.custom.gone" = "x"')).toBe(false);
    expect(gone('"device.custom.gone" != "x"')).toBe(true);
    expect(gone('"device.custom.gone" is null')).toBe(true);
    expect(gone('"device.custom.gone" > 3')).toBe(false);
  });
});
