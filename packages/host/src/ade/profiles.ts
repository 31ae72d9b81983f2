// Enrolment profiles as an administrator writes them: checked, with this server's address, compiled for Apple.
import {
  compileEnrolmentProfile,
  type EnrolmentProfile,
  type ProfileIssue,
  validateEnrolmentProfile,
} from '@espalier/ade';
import type { AdeAccount, AdeProfile } from '@espalier/core';
import { HostError } from '../errors.ts';
import type { AdeProfileInput, AdeServiceOptions } from './types.ts';

type Addressing = Pick<AdeServiceOptions, 'publicUrl' | 'anchors' | 'samlUrl' | 'passwords'>;

const options = ({ samlUrl }: Addressing, account?: AdeAccount) => ({
  ...(samlUrl === undefined ? {} : { samlUrl }),
  ...(account?.details['org_type'] === 'edu' ? { orgType: 'edu' as const } : {}),
});

/** The whole profile: with its name, and the address where devices ask. */
export function addressed(
  { publicUrl, anchors = [] }: Addressing,
  name: string,
  definition: AdeProfileInput['definition'],
): EnrolmentProfile {
  const base = (typeof publicUrl === 'string' ? publicUrl : publicUrl()).replace(/\/+$/, '');
  const { apple } = definition;
  return {
    ...definition,
    apple: {
      ...apple,
      profile_name: name,
      url: `${base}/enrol/ade`,
      ...(apple.anchor_certs === undefined && anchors.length > 0 ? { anchor_certs: anchors } : {}),
    },
  };
}

/** What Apple gets for a stored profile. */
export function compiled(addressing: Addressing, profile: AdeProfile, account: AdeAccount): object {
  const definition = profile.definition as unknown as AdeProfileInput['definition'];
  return compileEnrolmentProfile(addressed(addressing, profile.name, definition), options(addressing, account));
}

/** Everything that is wrong with it, or worth a look. */
export function checkProfile(addressing: Addressing, input: AdeProfileInput, hashed: boolean): readonly ProfileIssue[] {
  const { name, definition } = input;
  const issues = [...validateEnrolmentProfile(addressed(addressing, name, definition), options(addressing))];
  const error = (code: string, path: string, message: string, remedy: string): void => {
    issues.push({ code, severity: 'error', path, message, remedy });
  };
  const { authentication, macAccounts } = definition;
  if ((authentication?.type ?? 'password') === 'password' && authentication?.saml !== true && !addressing.passwords) {
    error(
      'host.ade.passwords',
      '/authentication/type',
      'this server knows nobody’s password',
      'Let people enrol by PIN or anonymously, or give the host ade.authenticate.',
    );
  }
  if (macAccounts?.administrator !== undefined && input.macAdministratorPassword === undefined && !hashed) {
    error(
      'host.ade.administrator',
      '/macAccounts/administrator',
      'the managed administrator has no password',
      'Give macAdministratorPassword.',
    );
  }
  return issues;
}

/** @throws HostError `host.ade.profile` with the first error, and all of them in its answer */
export function refuseErrors(issues: readonly ProfileIssue[]): readonly ProfileIssue[] {
  const [first] = issues.filter((issue) => issue.severity === 'error');
  if (first === undefined) return issues;
  throw new HostError('invalid', 'host.ade.profile', `${first.message} (${first.code})`, {
    at: { path: `definition${first.path}` },
    ...(first.remedy === undefined ? {} : { remedy: first.remedy }),
  });
}
