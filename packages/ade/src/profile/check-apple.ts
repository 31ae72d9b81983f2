// Checks of the part of a profile that goes to Apple: texts, URLs, flags, certificates, panes.
import { decodeCertificate } from './certificates.ts';
import type { EnrolmentProfile } from './model.ts';
import { hasPane, skipItems } from './skip.ts';
import type { ProfileCheckOptions, Report } from './validate.ts';

/** Length limits, with the error that Apple has for them; the first three are needed. */
const texts: readonly (readonly [
  key: keyof EnrolmentProfile['apple'],
  longest: number,
  error: string,
  needed: boolean,
])[] = [
  ['profile_name', 125, 'CONFIG_NAME_INVALID', true],
  ['department', 125, 'DEPARTMENT_INVALID', true],
  ['support_phone_number', 50, 'SUPPORT_PHONE_INVALID', true],
  ['support_email_address', 250, 'SUPPORT_EMAIL_INVALID', false],
  ['org_magic', 256, 'MAGIC_INVALID', false],
];

const flags = [
  'is_supervised',
  'is_mandatory',
  'is_mdm_removable',
  'allow_pairing',
  'is_multi_user',
  'await_device_configured',
  'auto_advance_setup',
  'is_return_to_service',
  'do_not_use_profile_from_backup',
] as const;

const known = new Set<string>([
  ...texts.map(([key]) => key),
  ...flags,
  'url',
  'configuration_web_url',
  'language',
  'region',
  'anchor_certs',
  'supervising_host_certs',
  'skip_setup_items',
  'devices',
]);

/** Checks what goes to Apple. */
export function checkApple(profile: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  const { apple } = profile;
  for (const [key, longest, error, needed] of texts) {
    const path = `/apple/${key}`;
    const value: unknown = apple[key];
    if (value === undefined) {
      const missing = key === 'profile_name' ? 'CONFIG_NAME_REQUIRED' : error;
      if (!needed) continue;
      report({ code: 'ade.profile.missing', severity: 'error', path, message: `${key} is needed`, apple: missing });
    } else if (typeof value !== 'string' || value.trim() === '' || [...value].length > longest) {
      const message = `${key} is a text of 1 to ${longest} characters`;
      report({ code: 'ade.profile.text', severity: 'error', path, message, apple: error });
    }
  }
  checkUrl('url', apple.url, report);
  if (apple.configuration_web_url !== undefined) checkUrl('configuration_web_url', apple.configuration_web_url, report);
  for (const key of flags) {
    if (apple[key] === undefined || typeof apple[key] === 'boolean') continue;
    report({ code: 'ade.profile.type', severity: 'error', path: `/apple/${key}`, message: `${key} is true or false` });
  }
  for (const key of Object.keys(apple)) {
    if (known.has(key)) continue;
    const message = `${key} is no property of a profile that is known here; it goes to Apple as it is`;
    report({ code: 'ade.profile.unknown_key', severity: 'warning', path: `/apple/${key}`, message });
  }
  checkFlags(profile, options, report);
  checkLocale(profile, report);
  checkCertificates(profile, report);
  checkPanes(profile, options, report);
  checkDevices(apple.devices, report);
}

function checkUrl(key: 'url' | 'configuration_web_url', value: unknown, report: Report): void {
  const path = `/apple/${key}`;
  const apple = key === 'url' ? 'CONFIG_URL_INVALID' : undefined;
  const issue = { code: 'ade.profile.url', severity: 'error', path, ...(apple !== undefined && { apple }) } as const;
  if (value === undefined) {
    report({ ...issue, code: 'ade.profile.missing', message: `${key} is needed`, apple: 'CONFIG_URL_REQUIRED' });
  } else if (typeof value !== 'string' || value.length > 2000 || !URL.canParse(value)) {
    report({ ...issue, message: `${key} is a URL of at most 2000 characters` });
  } else if (new URL(value).protocol !== 'https:') {
    report({ ...issue, message: `${key} begins with https:` });
  }
}

function checkFlags({ apple }: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  if (apple.is_mdm_removable === false && apple.is_supervised === false) {
    report({
      code: 'ade.profile.removable',
      severity: 'error',
      path: '/apple/is_mdm_removable',
      message: 'only on supervised devices can the profile be kept from being removed',
      remedy: 'Turn supervision on, or let users remove the profile.',
      apple: 'FLAGS_INVALID',
    });
  }
  for (const key of ['is_supervised', 'is_mandatory'] as const) {
    if (apple[key] !== false) continue;
    const message = `iOS 13, macOS 10.15 and later take no notice of ${key}: it is always on`;
    report({ code: 'ade.profile.always_on', severity: 'warning', path: `/apple/${key}`, message });
  }
  if (apple.supervising_host_certs !== undefined && apple.is_supervised === false) {
    const message = 'certificates of hosts that may pair are used on supervised devices only';
    report({ code: 'ade.profile.pairing', severity: 'warning', path: '/apple/supervising_host_certs', message });
  }
  if (apple.auto_advance_setup !== true) return;
  for (const key of ['language', 'region'] as const) {
    if (apple[key] !== undefined) continue;
    const message = `a device that goes through Setup Assistant by itself needs its ${key}`;
    report({ code: 'ade.profile.auto_advance', severity: 'error', path: `/apple/${key}`, message });
  }
  if (options.targets?.every(({ platform }) => platform !== 'macOS' && platform !== 'tvOS')) {
    const message = 'only Macs and Apple TVs go through Setup Assistant by themselves';
    report({ code: 'ade.profile.no_effect', severity: 'warning', path: '/apple/auto_advance_setup', message });
  }
}

function checkLocale({ apple }: EnrolmentProfile, report: Report): void {
  for (const [key, form, what] of [
    ['language', /^[a-z]{2,3}$/, 'two or three small letters (ISO 639), as en'],
    ['region', /^[A-Z]{2}$/, 'two capitals (ISO 3166-1), as GB'],
  ] as const) {
    const value: unknown = apple[key];
    if (value === undefined || (typeof value === 'string' && form.test(value))) continue;
    const message = `${key} is ${what}`;
    report({ code: 'ade.profile.locale', severity: 'error', path: `/apple/${key}`, message, apple: 'LOCALE_INVALID' });
  }
}

function checkCertificates({ apple }: EnrolmentProfile, report: Report): void {
  for (const key of ['anchor_certs', 'supervising_host_certs'] as const) {
    const list: unknown = apple[key];
    if (list === undefined) continue;
    const path = `/apple/${key}`;
    if (!Array.isArray(list)) {
      report({ code: 'ade.profile.type', severity: 'error', path, message: `${key} is a list of certificates` });
      continue;
    }
    for (const [index, item] of list.entries()) {
      if (decodeCertificate(item) !== undefined) continue;
      const message = 'this is no certificate in DER or PEM';
      report({ code: 'ade.profile.certificate', severity: 'error', path: `${path}/${index}`, message });
    }
  }
}

function checkPanes({ apple }: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  const list: unknown = apple.skip_setup_items;
  if (list === undefined || list === 'all') return;
  const path = '/apple/skip_setup_items';
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string' || item === '')) {
    report({ code: 'ade.profile.type', severity: 'error', path, message: 'the panes to skip are a list of keys' });
    return;
  }
  const items = new Map(skipItems().map((item) => [item.key, item]));
  for (const [index, key] of (list as string[]).entries()) {
    const item = items.get(key);
    const at = `${path}/${index}`;
    if (item === undefined) {
      const message = `Apple's schema knows no pane ${key}; it goes to Apple as it is`;
      report({ code: 'ade.profile.unknown_pane', severity: 'warning', path: at, message });
    } else if (options.targets !== undefined && !options.targets.some((target) => hasPane(item, target))) {
      const message = `none of the devices has the pane ${key}`;
      report({ code: 'ade.profile.no_effect', severity: 'warning', path: at, message });
    }
  }
}

function checkDevices(list: unknown, report: Report): void {
  if (list === undefined) return;
  if (Array.isArray(list) && list.every((item) => typeof item === 'string' && /^[A-Za-z0-9]{1,64}$/.test(item))) return;
  const message = 'devices are named by their serial numbers';
  report({ code: 'ade.profile.type', severity: 'error', path: '/apple/devices', message });
}
