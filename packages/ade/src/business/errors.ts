// Errors of the Apple Business and School Manager API, and of the token endpoint before it.
import { AdeError, type AdeErrorKind, type AppleAnswer } from '../errors.ts';
import { type Answer, retryAfterMs } from '../http/exchange.ts';
import { objectOf } from '../http/json.ts';

/** What is known of a status that the API documents. */
export interface BusinessErrorFacts {
  readonly code: string;
  readonly kind: AdeErrorKind;
  readonly meaning: string;
  readonly remedy?: string;
}

/** The API's documented statuses; the error's own string (`NOT_FOUND`, `ENTITY_ERROR…`) is in `apple.code`. */
export const businessErrors = {
  400: { code: 'bad_request', kind: 'invalid', meaning: 'the request is not accepted' },
  401: {
    code: 'unauthorized',
    kind: 'unauthenticated',
    meaning: 'the access token is not accepted',
    remedy: 'Look whether the API account in Apple Business or School Manager still has this key.',
  },
  403: {
    code: 'forbidden',
    kind: 'forbidden',
    meaning: 'the API account may not do this',
    remedy: 'Give the API account a role that may.',
  },
  404: { code: 'not_found', kind: 'not-found', meaning: 'the organisation has no such thing' },
  409: { code: 'conflict', kind: 'conflict', meaning: 'a device or server that is named does not fit' },
  422: { code: 'unprocessable', kind: 'invalid', meaning: 'the request cannot be carried out' },
  429: { code: 'throttled', kind: 'unavailable', meaning: 'the API is asked too often' },
} as const satisfies Record<number, BusinessErrorFacts>;

/** The token endpoint's errors (RFC 6749, 5.2); the `code` is `ade.business.` and the name. */
export const tokenErrors = {
  invalid_client: 'the client assertion is not accepted: key, key id or client id are not right',
  invalid_grant: 'the client assertion has expired or is not yet valid',
  invalid_request: 'the request for a token is malformed',
  invalid_scope: 'the API account is not for this service',
  unauthorized_client: 'the API account may not get tokens',
  unsupported_grant_type: 'the service gives no tokens in this way',
} as const;

/** The error that the API's answer is. */
export function businessError(answer: Answer, now: number): AdeError {
  const first = parsed(answer.text)?.objects('errors')?.[0];
  const name = first?.text('code');
  const facts: BusinessErrorFacts =
    answer.status in businessErrors
      ? businessErrors[answer.status as keyof typeof businessErrors]
      : answer.status >= 500
        ? { code: 'unavailable', kind: 'unavailable', meaning: 'the API failed' }
        : { code: 'unexpected', kind: 'unavailable', meaning: 'the API answered with an unexpected status' };
  const known = name !== undefined && /^[A-Z0-9_.]{1,100}$/.test(name) ? name : undefined;
  return new AdeError(`ade.business.${facts.code}`, `Apple: ${facts.meaning} (HTTP ${answer.status})`, {
    kind: facts.kind,
    apple: appleAnswer(answer, known, now),
    ...(facts.remedy !== undefined && { remedy: facts.remedy }),
  });
}

/** The error that the token endpoint's answer is. */
export function tokenError(answer: Answer, now: number): AdeError {
  const name = parsed(answer.text)?.text('error');
  if (name === undefined || !Object.hasOwn(tokenErrors, name)) return businessError(answer, now);
  const meaning = tokenErrors[name as keyof typeof tokenErrors];
  return new AdeError(`ade.business.${name}`, `Apple: ${meaning}`, {
    kind: 'unauthenticated',
    apple: appleAnswer(answer, name, now),
    remedy: 'Check client id, key id and key of the API account, and the clock of this machine.',
  });
}

function appleAnswer(answer: Answer, code: string | undefined, now: number): AppleAnswer {
  const wait = retryAfterMs(answer.headers, now);
  return {
    service: 'business',
    status: answer.status,
    ...(code !== undefined && { code }),
    ...(wait !== undefined && { retryAfterMs: wait }),
  };
}

function parsed(text: string) {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined; // an error page: the status says what there is to say
  }
}
