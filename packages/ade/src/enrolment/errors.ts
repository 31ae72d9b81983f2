// Every error that Apple's device enrolment service documents, and how an answer becomes an AdeError.
import { AdeError, type AdeErrorKind, type AppleAnswer } from '../errors.ts';
import { type Answer, retryAfterMs } from '../http/exchange.ts';
import { objectOf } from '../http/json.ts';

/** What is known of one of Apple's errors. */
export interface AppleErrorFacts {
  readonly status: number;
  readonly kind: AdeErrorKind;
  /** What it means, in our words. */
  readonly meaning: string;
  readonly remedy?: string;
}

/**
 * The error strings of the service, by Apple's name; the `code` of the {@link AdeError} is `ade.enrolment.` and the name
 * in lower case. Source: Apple, Device Management, "Device assignment": the response codes of each endpoint, and
 * "Interpreting error codes".
 */
export const enrolmentErrors = {
  UNAUTHORIZED: {
    status: 401,
    kind: 'unauthenticated',
    meaning: 'the session, or at the start of one the server token, is not valid or has expired',
    remedy: 'Download a new server token for this server and give it; check that the clock of this machine is right.',
  },
  FORBIDDEN: {
    status: 403,
    kind: 'unauthenticated',
    meaning: 'the session is not one that the service knows',
    remedy: 'Download a new server token for this server and give it.',
  },
  ACCESS_DENIED: {
    status: 403,
    kind: 'forbidden',
    meaning: 'this server may not do this: its entry at Apple is closed or restricted',
    remedy: 'Look at the server’s entry in Apple Business or School Manager.',
  },
  T_C_NOT_SIGNED: {
    status: 403,
    kind: 'forbidden',
    meaning: 'the organisation has not accepted Apple’s present terms',
    remedy: 'An administrator must sign in to Apple Business or School Manager and accept the terms.',
  },
  APPLE_SEED_FOR_IT_TURNED_OFF: {
    status: 403,
    kind: 'forbidden',
    meaning: 'the organisation does not allow beta software',
    remedy: 'Turn AppleSeed for IT on for the organisation.',
  },
  MALFORMED_REQUEST_BODY: { status: 400, kind: 'internal', meaning: 'the request is not JSON as it should be' },
  USER_AGENT_MISSING: { status: 400, kind: 'internal', meaning: 'the request has no User-Agent' },
  USER_AGENT_INVALID: { status: 400, kind: 'invalid', meaning: 'the User-Agent of the request is not accepted' },
  CURSOR_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the request names no cursor' },
  INVALID_CURSOR: { status: 400, kind: 'conflict', meaning: 'the cursor is not one of this server’s' },
  EXHAUSTED_CURSOR: { status: 400, kind: 'conflict', meaning: 'all devices of this cursor have been returned before' },
  EXPIRED_CURSOR: { status: 400, kind: 'conflict', meaning: 'the cursor is older than seven days' },
  DEVICE_ID_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the request names no device' },
  DEVICE_NOT_FOUND: { status: 404, kind: 'not-found', meaning: 'there is no record of a replacement for this device' },
  PROFILE_UUID_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the request names no profile' },
  PROFILE_NOT_FOUND: { status: 404, kind: 'not-found', meaning: 'there is no profile with this UUID' },
  NOT_FOUND: { status: 404, kind: 'not-found', meaning: 'what the request names does not exist' },
  CONFIG_NAME_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the profile has no profile_name' },
  CONFIG_NAME_INVALID: { status: 400, kind: 'invalid', meaning: 'profile_name is empty or longer than 125 characters' },
  CONFIG_URL_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the profile has no url' },
  CONFIG_URL_INVALID: { status: 400, kind: 'invalid', meaning: 'url is empty, no URL, or longer than 2000 characters' },
  DEPARTMENT_INVALID: { status: 400, kind: 'invalid', meaning: 'department is empty or longer than 125 characters' },
  FLAGS_INVALID: {
    status: 400,
    kind: 'invalid',
    meaning: 'is_mdm_removable may be false only where is_supervised is true',
  },
  LOCALE_INVALID: { status: 400, kind: 'invalid', meaning: 'language and region are no combination that is supported' },
  MAGIC_INVALID: { status: 400, kind: 'invalid', meaning: 'org_magic is empty or longer than 256 characters' },
  SUPPORT_EMAIL_INVALID: {
    status: 400,
    kind: 'invalid',
    meaning: 'support_email_address is empty or longer than 250 characters',
  },
  SUPPORT_PHONE_INVALID: {
    status: 400,
    kind: 'invalid',
    meaning: 'support_phone_number is empty or longer than 50 characters',
  },
  MDM_SERVICE_DISCOVERY_URL_REQUIRED: { status: 400, kind: 'invalid', meaning: 'the request names no discovery URL' },
  MDM_SERVICE_DISCOVERY_URL_NOT_VALID: {
    status: 400,
    kind: 'invalid',
    meaning: 'the discovery URL is malformed or not https',
  },
  ORG_NOT_SUPPORTED: { status: 400, kind: 'forbidden', meaning: 'this is not available to the organisation' },
} as const satisfies Record<string, AppleErrorFacts>;

/** Name of an error that the service documents. */
export type EnrolmentErrorName = keyof typeof enrolmentErrors;

const byStatus: Readonly<Record<number, readonly [code: string, kind: AdeErrorKind, meaning: string]>> = {
  400: ['bad_request', 'invalid', 'the service refused the request'],
  401: ['unauthorized', 'unauthenticated', enrolmentErrors.UNAUTHORIZED.meaning],
  403: ['forbidden', 'unauthenticated', enrolmentErrors.FORBIDDEN.meaning],
  404: ['not_found', 'not-found', enrolmentErrors.NOT_FOUND.meaning],
  405: ['method_not_allowed', 'internal', 'the service does not know this request'],
  429: ['throttled', 'unavailable', 'the service is asked too often'],
};

/** The error name in an answer's body: bare, in quotes, or in a JSON object; undefined for anything else. */
export function errorName(text: string): EnrolmentErrorName | undefined {
  const body = text.slice(0, 4096).trim();
  let name: string | undefined = body.replace(/^"|"$/g, '');
  if (body.startsWith('{')) {
    try {
      const object = objectOf(JSON.parse(body));
      name = object?.text('code') ?? object?.text('error');
    } catch {
      name = undefined; // no JSON after all, so it names nothing
    }
  }
  const upper = name?.toUpperCase();
  return upper !== undefined && Object.hasOwn(enrolmentErrors, upper) ? (upper as EnrolmentErrorName) : undefined;
}

/** The error that an answer other than 2xx is. */
export function enrolmentError(answer: Answer, now: number): AdeError {
  const name = errorName(answer.text);
  const wait = retryAfterMs(answer.headers, now);
  const apple: AppleAnswer = {
    service: 'device-enrolment',
    status: answer.status,
    ...(name !== undefined && { code: name }),
    ...(wait !== undefined && { retryAfterMs: wait }),
  };
  if (name !== undefined) {
    const facts: AppleErrorFacts = enrolmentErrors[name];
    return new AdeError(`ade.enrolment.${name.toLowerCase()}`, `Apple: ${facts.meaning}`, {
      kind: facts.kind,
      apple,
      ...(facts.remedy !== undefined && { remedy: facts.remedy }),
    });
  }
  const [code, kind, meaning] =
    byStatus[answer.status] ??
    (answer.status >= 500
      ? (['unavailable', 'unavailable', 'the service failed'] as const)
      : (['unexpected', 'unavailable', 'the service answered with an unexpected status'] as const));
  return new AdeError(`ade.enrolment.${code}`, `Apple: ${meaning} (HTTP ${answer.status})`, { kind, apple });
}
