// From an enrolment profile to what Apple's service takes.
import { AdeError } from '../errors.ts';
import { decodeCertificate } from './certificates.ts';
import type { AppleProfile, EnrolmentProfile } from './model.ts';
import { type SetupTarget, setupPlatforms, skipKeysFor, withImpliedSkips } from './skip.ts';
import { type ProfileCheckOptions, validateEnrolmentProfile } from './validate.ts';

/**
 * Makes the body of `POST /profile`. Supervision and required enrolment are on unless they are turned off; panes that
 * others imply are skipped, too; `all` becomes every pane of the targets (of every platform, if there are none);
 * certificates become base64 of DER.
 *
 * @throws AdeError `ade.profile.invalid` with the first error's place and message; see {@link validateEnrolmentProfile}
 * for all of them.
 * @example
 * const { profileUuid } = await client.defineProfile(compileEnrolmentProfile(profile));
 */
export function compileEnrolmentProfile(profile: EnrolmentProfile, options: ProfileCheckOptions = {}): AppleProfile {
  const error = validateEnrolmentProfile(profile, options).find((issue) => issue.severity === 'error');
  if (error !== undefined) {
    throw new AdeError('ade.profile.invalid', error.message, {
      at: { path: error.path },
      ...(error.remedy !== undefined && { remedy: error.remedy }),
    });
  }
  const { apple, authentication } = profile;
  const { anchor_certs, supervising_host_certs, skip_setup_items, ...plain } = apple;
  const web = authentication?.saml === true ? options.samlUrl : apple.configuration_web_url;
  return {
    is_supervised: true,
    is_mandatory: true,
    ...plain,
    ...(web !== undefined && { configuration_web_url: web }),
    ...(anchor_certs && { anchor_certs: anchor_certs.map(base64) }),
    ...(supervising_host_certs && { supervising_host_certs: supervising_host_certs.map(base64) }),
    ...(skip_setup_items && { skip_setup_items: panes(skip_setup_items, options.targets) }),
  };
}

const base64 = (input: string | Uint8Array): string => Buffer.from(decodeCertificate(input) ?? []).toString('base64');

function panes(items: readonly string[] | 'all', targets: readonly SetupTarget[] | undefined): readonly string[] {
  if (items !== 'all') return withImpliedSkips(items);
  const places = targets ?? setupPlatforms.map((platform) => ({ platform }));
  return [...new Set(places.flatMap(skipKeysFor))];
}
