// Every error number that Apple documents for Apps and Books, and how an answer becomes an AdeError.
import { AdeError, type AdeErrorKind, type AppleAnswer } from '../errors.ts';
import { type Answer, retryAfterMs } from '../http/exchange.ts';
import { type JsonObject, objectOf } from '../http/json.ts';

/** What is known of one of the service's errors. */
export interface AppsErrorFacts {
  /** The `code` of the AdeError is `ade.apps.` and this name. */
  readonly name: string;
  /** HTTP status; 0 for those that come with events and notifications only. */
  readonly status: number;
  readonly kind: AdeErrorKind;
  readonly meaning: string;
}

const bad = (name: string, meaning: string): AppsErrorFacts => ({ name, status: 400, kind: 'invalid', meaning });
const token = (name: string, meaning: string): AppsErrorFacts => ({
  name,
  status: 401,
  kind: 'unauthenticated',
  meaning,
});
const later = (name: string, kind: AdeErrorKind, meaning: string): AppsErrorFacts => ({
  name,
  status: 0,
  kind,
  meaning,
});

/** The error numbers. Source: Apple, Device Management, "Handling error responses" and "Service Config". */
export const appsErrors: Readonly<Record<string, AppsErrorFacts>> = {
  '9601': token('login_required', 'the content token is missing or not accepted'),
  '9602': bad('invalid_argument', 'an argument is not accepted'),
  '9603': { name: 'internal', status: 500, kind: 'unavailable', meaning: 'the service failed' },
  '9609': { name: 'user_not_found', status: 400, kind: 'not-found', meaning: 'there is no such registered user' },
  '9621': token('token_expired', 'the content token has expired'),
  '9623': bad('push_token', 'the push token is not valid'),
  '9625': token('token_revoked', 'the content token was revoked'),
  '9634': { name: 'service_removed', status: 410, kind: 'internal', meaning: 'the service is no longer available' },
  '9635': later('account_association', 'conflict', 'the Apple Account cannot be associated with the user'),
  '9637': { name: 'facilitator', status: 403, kind: 'forbidden', meaning: 'this is not for facilitator accounts' },
  '9641': later('account_taken', 'conflict', 'the Apple Account is associated with another user'),
  '9644': later('maintenance', 'unavailable', 'the service is in maintenance'),
  '9646': { name: 'throttled', status: 429, kind: 'unavailable', meaning: 'the service is asked too often' },
  '9647': { name: 'legacy_token', status: 403, kind: 'forbidden', meaning: 'this is not for legacy tokens' },
  '9650': bad('page_index', 'there is no such page'),
  '9700': bad('max_assets', 'the request names too many assets'),
  '9701': bad('max_users_assigned', 'the request names too many users'),
  '9702': bad('max_serial_numbers', 'the request names too many serial numbers'),
  '9703': bad('duplicate_assets', 'the request names an asset twice'),
  '9704': bad('duplicate_client_users', 'the request names a user twice'),
  '9705': bad('duplicate_serial_numbers', 'the request names a serial number twice'),
  '9706': { name: 'not_revocable', status: 400, kind: 'conflict', meaning: 'the asset cannot be revoked' },
  '9707': { name: 'not_device_assignable', status: 400, kind: 'conflict', meaning: 'the asset is not for devices' },
  '9708': { name: 'event_not_found', status: 400, kind: 'not-found', meaning: 'there is no such event' },
  '9709': later('not_enough', 'conflict', 'there are not enough licences'),
  '9710': bad('notification_incomplete', 'notifications need a URL and a token'),
  '9711': bad('notification_length', 'the notification URL or its token is too long'),
  '9712': bad('notification_url', 'the notification URL is no https URL'),
  '9713': bad('mdm_metadata_length', 'the metadata of the server are too long'),
  '9714': bad('max_users', 'the request names too many users'),
  '9715': bad('duplicate_users', 'the request names a user twice'),
  '9716': later('user_exists', 'conflict', 'there is a registered user with this clientUserId'),
  '9717': bad('email', 'a mail address is not valid'),
  '9718': bad('no_assets', 'the request names no asset'),
  '9719': bad('no_assignees', 'the request names neither users nor serial numbers'),
  '9720': bad('no_users', 'the request names no user'),
  '9721': bad('version_id', 'the version id is not valid'),
  '9722': token('authorization', 'the authorization header is not as the service wants it'),
  '9723': bad('mdm_info', 'name, id and metadata of the server are needed together'),
  '9724': bad('mdm_id_length', 'the id of the server is too long'),
  '9725': bad('mdm_name_length', 'the name of the server is too long'),
  '9726': { name: 'method', status: 405, kind: 'internal', meaning: 'the service does not know this request' },
  '9727': { name: 'content_type', status: 415, kind: 'internal', meaning: 'the content type is not accepted' },
  '9728': bad('notification_unreachable', 'the notification URL cannot be reached'),
  '9729': { name: 'unavailable', status: 503, kind: 'unavailable', meaning: 'the service is not available at present' },
  '9811': bad('subscription', 'the request about subscriptions is not valid'),
  '9812': bad('cursor', 'the cursor is not valid'),
  '9813': bad('adam_id', 'the Adam ID is not valid'),
  '9814': { name: 'associated_user', status: 400, kind: 'not-found', meaning: 'the user is not associated' },
  '9815': { name: 'not_assigned', status: 400, kind: 'conflict', meaning: 'the user has no such assignment' },
  '9816': bad('max_subscriptions', 'the request names too many subscriptions'),
  '9817': { name: 'group_subscription', status: 400, kind: 'conflict', meaning: 'the user has it by a group' },
  '9818': { name: 'subscriptions_exist', status: 400, kind: 'conflict', meaning: 'there are subscriptions' },
};

/** Something that went wrong in an asynchronous event, and for whom. */
export interface AppsFailure {
  /** `ade.apps.…`, or `ade.apps.unknown`. */
  readonly code: string;
  readonly errorNumber: number;
  readonly clientUserIds: readonly string[];
  readonly serialNumbers: readonly string[];
}

/** Reads a failure of an event or a notification. */
export function readFailure(object: JsonObject): AppsFailure {
  const errorNumber = object.number('errorNumber') ?? 0;
  const info = object.object('errorInfo');
  return {
    code: `ade.apps.${factsOf(errorNumber)?.name ?? 'unknown'}`,
    errorNumber,
    clientUserIds: info?.texts('clientUserIds') ?? [],
    serialNumbers: info?.texts('serialNumbers') ?? [],
  };
}

function factsOf(number: number): AppsErrorFacts | undefined {
  const key = String(number);
  return Object.hasOwn(appsErrors, key) ? appsErrors[key] : undefined;
}

/** The error that an answer is: by its number, which also comes with HTTP 200; undefined for none. */
export function appsError(answer: Answer, now: number): AdeError | undefined {
  let number: number | undefined;
  try {
    number = objectOf(JSON.parse(answer.text))?.number('errorNumber');
  } catch {
    number = undefined; // an error page: the status says what there is to say
  }
  if (number === undefined && answer.status >= 200 && answer.status < 300) return undefined;
  const facts = number === undefined ? undefined : factsOf(number);
  const wait = retryAfterMs(answer.headers, now);
  const apple: AppleAnswer = {
    service: 'apps-and-books',
    status: answer.status,
    ...(number !== undefined && { code: String(number) }),
    ...(wait !== undefined && { retryAfterMs: wait }),
  };
  if (facts !== undefined) {
    const remedy =
      facts.kind === 'unauthenticated'
        ? 'Download a new content token for this location from Apple Business or School Manager and give it.'
        : undefined;
    return new AdeError(`ade.apps.${facts.name}`, `Apple: ${facts.meaning} (${number})`, {
      kind: facts.kind,
      apple,
      ...(remedy !== undefined && { remedy }),
    });
  }
  const kinds: Readonly<Record<number, AdeErrorKind>> = {
    400: 'invalid',
    401: 'unauthenticated',
    403: 'forbidden',
    404: 'not-found',
  };
  const kind = kinds[answer.status] ?? 'unavailable';
  const what = number === undefined ? `HTTP ${answer.status}` : `error ${number}`;
  return new AdeError('ade.apps.unknown', `Apple: the service answered with ${what}`, { kind, apple });
}
