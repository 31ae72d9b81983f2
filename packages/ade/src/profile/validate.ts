// Checks of an enrolment profile: every reason why Apple or a device would refuse it, before it is sent.

import { checkApple } from './check-apple.ts';
import { checkAccounts, checkSharedIpad } from './check-devices.ts';
import type { EnrolmentProfile } from './model.ts';
import type { SetupTarget } from './skip.ts';

/** Something about a profile that is wrong (`error`) or without the effect that it seems to have (`warning`). */
export interface ProfileIssue {
  /** Stable: `ade.profile.…`. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** `/apple/url`, `/sharedIpad/ResidentUsers` … */
  readonly path: string;
  readonly message: string;
  readonly remedy?: string;
  /** The error that Apple's service has for it. */
  readonly apple?: string;
}

/** What a profile is checked for. */
export interface ProfileCheckOptions {
  /** Devices that it is meant for. Left out: any. */
  readonly targets?: readonly SetupTarget[];
  /** Whether the account is of Apple School Manager (`edu`) or Apple Business Manager (`org`); see `EnrolmentAccount`. */
  readonly orgType?: 'edu' | 'org';
  /** Web page of the identity provider's sign-in, for `authentication.saml`. */
  readonly samlUrl?: string;
}

/** Collects what is wrong. */
export type Report = (issue: ProfileIssue) => void;

/**
 * Checks a profile, of a form or of another system: values of the wrong type are issues, too.
 *
 * @returns every issue; a profile without errors is one that Apple takes.
 * @example
 * const errors = validateEnrolmentProfile(profile).filter((issue) => issue.severity === 'error');
 */
export function validateEnrolmentProfile(
  profile: EnrolmentProfile,
  options: ProfileCheckOptions = {},
): readonly ProfileIssue[] {
  const issues: ProfileIssue[] = [];
  const report: Report = (issue) => issues.push(issue);
  if (typeof profile !== 'object' || profile === null || typeof profile.apple !== 'object' || profile.apple === null) {
    report({
      code: 'ade.profile.type',
      severity: 'error',
      path: '/apple',
      message: 'a profile needs its part for Apple',
    });
    return issues;
  }
  for (const [path, part] of [
    ['/authentication', profile.authentication],
    ['/sharedIpad', profile.sharedIpad],
    ['/macAccounts', profile.macAccounts],
    ['/macAccounts/administrator', profile.macAccounts?.administrator],
  ] as const) {
    if (part === undefined || (typeof part === 'object' && part !== null && !Array.isArray(part))) continue;
    report({ code: 'ade.profile.type', severity: 'error', path, message: `${path} is a set of settings` });
    return issues;
  }
  checkApple(profile, options, report);
  checkAuthentication(profile, options, report);
  checkAwait(profile, report);
  checkSharedIpad(profile, options, report);
  checkAccounts(profile, options, report);
  return issues;
}

function checkAuthentication(profile: EnrolmentProfile, options: ProfileCheckOptions, report: Report): void {
  const { authentication, apple, loginText } = profile;
  if (authentication !== undefined) {
    const path = '/authentication';
    if (!['password', 'pin', 'anonymous'].includes(authentication.type)) {
      const message = 'authentication is by password, by PIN or anonymous';
      report({ code: 'ade.profile.authentication', severity: 'error', path: `${path}/type`, message });
    }
    if (authentication.type === 'anonymous') {
      const mac = options.targets?.some((target) => target.platform === 'macOS');
      report({
        code: 'ade.profile.anonymous_mac',
        severity: mac ? 'error' : 'warning',
        path: `${path}/type`,
        message: 'a Mac cannot enrol anonymously',
        remedy: 'Use another profile for Macs.',
      });
    }
    if (authentication.saml === true && apple.configuration_web_url !== undefined) {
      report({
        code: 'ade.profile.saml_conflict',
        severity: 'error',
        path: '/apple/configuration_web_url',
        message: 'sign-in by the identity provider takes the place of a web page of one’s own',
        remedy: 'Choose one of them.',
      });
    }
    if (authentication.saml === true && options.samlUrl === undefined) {
      const message = 'the identity provider’s sign-in is not configured';
      report({ code: 'ade.profile.saml_missing', severity: 'error', path: `${path}/saml`, message });
    }
  }
  if (loginText !== undefined && (typeof loginText !== 'string' || [...loginText].length > 50)) {
    const message = 'the login text has at most 50 characters';
    report({ code: 'ade.profile.login_text', severity: 'error', path: '/loginText', message });
  }
}

function checkAwait(profile: EnrolmentProfile, report: Report): void {
  const minutes = profile.awaitMinutes;
  if (minutes === undefined) return;
  const path = '/awaitMinutes';
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 10) {
    const message = 'devices await their configuration for 1 to 10 minutes';
    report({ code: 'ade.profile.await_minutes', severity: 'error', path, message });
  }
  if (profile.apple.await_device_configured !== true) {
    const message = 'a time limit is of no use where devices do not await their configuration';
    report({ code: 'ade.profile.await_off', severity: 'warning', path, message });
  }
}
