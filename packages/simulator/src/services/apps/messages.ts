// Errors of the simulated Apps and Books, and the kinds of its notifications.
import type { EventOutcome } from './state.ts';

/** Status and message of errors that are not HTTP 400. */
export const messages: Readonly<Record<number, readonly [status: number, message: string]>> = {
  9601: [401, 'Login required.'],
  9603: [500, 'Internal error.'],
  9621: [401, 'The token has expired.'],
  9625: [401, 'The server has revoked the sToken.'],
  9634: [410, 'This service is no longer available.'],
  9637: [403, 'This operation isn’t allowed for facilitator accounts.'],
  9646: [429, 'There are too many requests for the current organization.'],
  9647: [403, 'This operation isn’t supported for legacy tokens.'],
  9722: [401, 'This request contains an invalid authorization header.'],
  9726: [405, 'This request contains an unsupported HTTP method for the requested endpoint.'],
  9727: [415, 'This request contains an unsupported Content-Type for the requested endpoint.'],
  9729: [503, 'The service is temporarily unavailable. Try again later.'],
};

/** What becomes of events while the service is being maintained. */
export const maintained: EventOutcome = {
  completed: 0,
  failures: [
    { errorNumber: 9644, errorMessage: 'The service is in maintenance mode. Try again later.', errorInfo: {} },
  ],
  elements: [],
};

/** What a server can be told of. */
export const notificationTypes = [
  'ASSET_MANAGEMENT',
  'USER_MANAGEMENT',
  'USER_ASSOCIATED',
  'ASSET_COUNT',
  'SUBSCRIPTION_MANAGEMENT',
  'SUBSCRIPTION_COUNT',
];
