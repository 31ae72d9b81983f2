// Checks of what a profile means for kinds of devices: Shared iPad (ADE-15), accounts of Macs (ADE-17).
import { compareVersions } from '@espalier/apple-mdm';
import type { EnrolmentProfile, SharedIpadSettings } from './model.ts';
import type { ProfileCheckOptions, Report } from './validate.ts';

/** Checks the conditions of Shared iPad, each by its name. */
export function checkSharedIpad(profile: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  const { apple, sharedIpad } = profile;
  if (apple.is_multi_user !== true) {
    if (sharedIpad === undefined) return;
    const message = 'settings of Shared iPad are of no use where it is off';
    report({ code: 'ade.shared_ipad.off', severity: 'warning', path: '/sharedIpad', message });
    return;
  }
  const needs = [
    ['await_device_configured', apple.await_device_configured === true, 'that devices await their configuration'],
    ['is_supervised', apple.is_supervised !== false, 'supervision'],
    ['is_mandatory', apple.is_mandatory !== false, 'that enrolment is required'],
  ] as const;
  for (const [key, met, what] of needs) {
    if (met) continue;
    const message = `Shared iPad needs ${what}`;
    report({
      code: `ade.shared_ipad.${key}`,
      severity: 'error',
      path: `/apple/${key}`,
      message,
      remedy: `Set ${key} to true, or turn Shared iPad off.`,
    });
  }
  checkTargets(options, report);
  if (sharedIpad !== undefined) checkSettings(sharedIpad, report);
}

function checkTargets(options: ProfileCheckOptions, report: Report): void {
  for (const { platform, version } of options.targets ?? []) {
    const path = '/apple/is_multi_user';
    if (platform !== 'iOS') {
      const message = `Shared iPad is for iPads, not for ${platform}`;
      report({ code: 'ade.shared_ipad.platform', severity: 'error', path, message });
    } else if (options.orgType === 'org' && version !== undefined && compareVersions(version, '14.5') < 0) {
      const message = 'Shared iPad with Apple Business Manager needs iPadOS 14.5';
      report({ code: 'ade.shared_ipad.version', severity: 'error', path, message });
    }
  }
}

function checkSettings(settings: SharedIpadSettings, report: Report): void {
  const wrong = (key: keyof SharedIpadSettings, code: string, message: string): void =>
    report({ code: `ade.shared_ipad.${code}`, severity: 'error', path: `/sharedIpad/${key}`, message });
  const { ResidentUsers: users, QuotaSize: quota } = settings;
  if (settings.TemporarySessionOnly === true) {
    for (const key of ['ResidentUsers', 'QuotaSize', 'UserSessionTimeout'] as const) {
      if (settings[key] !== undefined) wrong(key, 'guest_only', `where only guests sign in, ${key} has no meaning`);
    }
  }
  if (users !== undefined && quota !== undefined) {
    wrong('QuotaSize', 'users_or_quota', 'either the number of users is set or the size for each, not both');
  }
  if (users !== undefined && !(Number.isInteger(users) && users >= 1 && users <= 32)) {
    wrong('ResidentUsers', 'users', 'a Shared iPad keeps 1 to 32 users');
  }
  if (quota !== undefined && !(Number.isInteger(quota) && quota >= 1)) {
    wrong('QuotaSize', 'quota', 'the size for each user is a whole number of megabytes');
  }
  for (const key of ['TemporarySessionTimeout', 'UserSessionTimeout'] as const) {
    const value = settings[key];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 0 || value > 1800) {
      wrong(key, 'timeout', 'sessions end after 0 (never) to 1800 seconds');
    } else if (value > 0 && value < 30) {
      const message = 'iPads wait for at least 30 seconds';
      report({ code: 'ade.shared_ipad.short_timeout', severity: 'warning', path: `/sharedIpad/${key}`, message });
    }
  }
  const grace = settings.OnlineAuthenticationGracePeriod;
  if (grace !== undefined && !(Number.isInteger(grace) && grace >= 0)) {
    wrong('OnlineAuthenticationGracePeriod', 'grace', 'the days without a sign-in at Apple are a whole number from 0');
  }
  const domains: unknown = settings.ManagedAppleIDDefaultDomains;
  const domain = /^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/i;
  if (domains === undefined) return;
  if (!Array.isArray(domains) || !domains.every((item) => typeof item === 'string' && domain.test(item))) {
    wrong('ManagedAppleIDDefaultDomains', 'domains', 'the domains are a list of names as example.com');
  }
}

/** Checks the accounts of a Mac. */
export function checkAccounts(profile: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  const accounts = profile.macAccounts;
  if (accounts === undefined) return;
  const path = '/macAccounts';
  if (profile.apple.await_device_configured !== true) {
    report({
      code: 'ade.accounts.await_device_configured',
      severity: 'error',
      path: '/apple/await_device_configured',
      message: 'accounts can be made only while the Mac awaits its configuration',
      remedy: 'Set await_device_configured to true.',
    });
  }
  if (!['regular', 'administrator', 'skip'].includes(accounts.primary)) {
    const message = 'the user makes a regular account, an administrator, or none (skip)';
    report({ code: 'ade.accounts.primary', severity: 'error', path: `${path}/primary`, message });
  }
  if (options.targets?.every(({ platform }) => platform !== 'macOS')) {
    report({ code: 'ade.profile.no_effect', severity: 'warning', path, message: 'accounts are for Macs only' });
  }
  const { administrator } = accounts;
  if (administrator === undefined) {
    if (accounts.primary === 'administrator') return;
    const message = 'without an administrator of the user’s own, the Mac needs a managed one';
    report({ code: 'ade.accounts.administrator', severity: 'error', path: `${path}/administrator`, message });
    return;
  }
  if (typeof administrator.shortName !== 'string' || !/^[a-z_][a-z0-9_.-]{0,30}$/.test(administrator.shortName)) {
    const message = 'a short name has 1 to 31 of a-z, 0-9, _, - and ., and begins with a letter or _';
    report({ code: 'ade.accounts.short_name', severity: 'error', path: `${path}/administrator/shortName`, message });
  }
  if (typeof administrator.fullName !== 'string' || administrator.fullName.trim() === '') {
    const message = 'the administrator needs a full name';
    report({ code: 'ade.accounts.full_name', severity: 'error', path: `${path}/administrator/fullName`, message });
  }
}
