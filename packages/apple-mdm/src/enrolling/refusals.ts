// The answers by which a server sends a device away with a reason that the device acts on: JSON bodies of 403.
// Source: Apple's schema, mdm/errors.
import { optional } from '../optional.ts';

/** The body of a 403 answer; serve it as `application/json`. */
export interface EnrolmentRefusal {
  readonly code:
    | 'com.apple.softwareupdate.required'
    | 'com.apple.psso.required'
    | 'com.apple.unrecognized.device'
    | 'com.apple.watch.pairing.token.missing'
    | 'com.apple.well-known.failed';
  /** For the device's log. */
  readonly description?: string;
  /** Shown to the user, where the device can. */
  readonly message?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What is said with a refusal. */
export interface RefusalText {
  readonly description?: string;
  readonly message?: string;
}

const words = ({ description, message }: RefusalText) => ({
  ...optional('description', description),
  ...optional('message', message),
});

/**
 * The device updates itself, then asks again. Only for one that says so (`canUpdateFirst`): iOS 17, macOS 14, in Setup
 * Assistant.
 * @param update `osVersion` as `17.5` or, with its supplement, `17.5 (a)`.
 * @example json(softwareUpdateRequired({ osVersion: '17.5.1' }), 403);
 */
export function softwareUpdateRequired(
  update: RefusalText & {
    readonly osVersion: string;
    readonly buildVersion?: string;
    readonly betaProgram?: { readonly description: string; readonly token: string };
  },
): EnrolmentRefusal {
  const { osVersion, buildVersion, betaProgram } = update;
  return {
    code: 'com.apple.softwareupdate.required',
    ...words(update),
    details: {
      OSVersion: osVersion,
      ...optional('BuildVersion', buildVersion),
      ...(betaProgram === undefined
        ? {}
        : { RequireBetaProgram: { Description: betaProgram.description, Token: betaProgram.token } }),
    },
  };
}

/** The user signs in with Platform SSO first (macOS 26, where the device says `canSignInFirst`). */
export function platformSsoRequired(
  sso: RefusalText & { readonly profileUrl: string; readonly manifestUrl: string; readonly authUrl: string },
): EnrolmentRefusal {
  return {
    code: 'com.apple.psso.required',
    ...words(sso),
    details: { ProfileURL: sso.profileUrl, Package: { ManifestURL: sso.manifestUrl }, AuthURL: sso.authUrl },
  };
}

/** The server does not know the device; one that is enrolled removes its enrolment. */
export function unrecognisedDevice(text: RefusalText = {}): EnrolmentRefusal {
  return { code: 'com.apple.unrecognized.device', ...words(text) };
}

/** A watch fetches a pairing token through its phone, and asks again. `securityToken`: a random UUID. */
export function pairingTokenMissing(watch: RefusalText & { readonly securityToken: string }): EnrolmentRefusal {
  return {
    code: 'com.apple.watch.pairing.token.missing',
    ...words(watch),
    details: { 'security-token': watch.securityToken },
  };
}

/** There is no account-driven enrolment for this user. */
export function wellKnownFailed(text: RefusalText = {}): EnrolmentRefusal {
  return { code: 'com.apple.well-known.failed', ...words(text) };
}
