// Content tokens of Apps and Books: one for each location of the organisation (ABM-22).
import { type Clock, DAY_MS, timeOf } from '../clock.ts';
import { AdeError } from '../errors.ts';
import { objectOf } from '../http/json.ts';

/** A content token. A secret, all but expiry and name: seal it. */
export interface ContentToken {
  /** The token as it was downloaded, base64: what the service wants as a bearer token. */
  readonly sToken: string;
  readonly expires: Date;
  readonly orgName: string;
}

/** Longest token that is taken. */
const longest = 1024;

/**
 * Reads a content token as it was downloaded from Apple Business or School Manager (`.vpptoken`): base64 of JSON.
 * Source: Apple, "Getting started with the management API".
 *
 * @throws AdeError `ade.content_token.too_large`, `ade.content_token.invalid`, `ade.content_token.field`.
 */
export function readContentToken(text: string): ContentToken {
  const sToken = text.replace(/\s+/g, '');
  const remedy =
    'Give the file that Apple Business or School Manager offers under Payments and Billing, Content Tokens.';
  if (sToken.length > longest) {
    throw new AdeError('ade.content_token.too_large', `a content token has at most ${longest} characters`, {
      kind: 'too-large',
      remedy,
    });
  }
  let object: ReturnType<typeof objectOf>;
  try {
    object = objectOf(JSON.parse(Buffer.from(sToken, 'base64').toString('utf8')));
  } catch {
    object = undefined; // the parser's message would quote the token
  }
  if (object === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(sToken)) {
    throw new AdeError('ade.content_token.invalid', 'this is no content token', { remedy });
  }
  const field = (name: string): string => {
    const value = object.text(name);
    if (value === undefined || value === '') {
      throw new AdeError('ade.content_token.field', `the content token lacks ${name}`, { at: { path: name }, remedy });
    }
    return value;
  };
  field('token');
  // Apple writes +0000, which is ISO 8601, but not what every parser takes.
  const expires = new Date(field('expDate').replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
  if (Number.isNaN(expires.getTime())) {
    throw new AdeError('ade.content_token.field', 'the content token’s expDate is no date', {
      at: { path: 'expDate' },
    });
  }
  return { sToken, expires, orgName: field('orgName') };
}

/** Where a content token is in its year. Apple's answers begin to mention the end 15 days before. */
export function contentTokenState(
  token: Pick<ContentToken, 'expires'>,
  clock: Clock,
  warnDays = 30,
): 'valid' | 'expiring' | 'expired' {
  const left = token.expires.getTime() - timeOf(clock);
  return left <= 0 ? 'expired' : left <= warnDays * DAY_MS ? 'expiring' : 'valid';
}

/** How a licence is assigned. */
export type LicenceType = 'user' | 'device';

/**
 * The licence that a device gets, whatever was asked for (ABM-23): in a User Enrolment by user, on a Shared iPad by
 * device.
 */
export function effectiveLicence(
  device: { readonly userEnrolment?: boolean; readonly sharedIpad?: boolean },
  requested: LicenceType,
): LicenceType {
  if (device.userEnrolment === true) return 'user';
  return device.sharedIpad === true ? 'device' : requested;
}
