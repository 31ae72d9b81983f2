// Notifications that Apps and Books sends to a server: authentication, reading, what to do with repetitions.
import { createHash, timingSafeEqual } from 'node:crypto';
import { AdeError } from '../errors.ts';
import { objectOf } from '../http/json.ts';
import { type AppsFailure, readFailure } from './errors.ts';
import {
  readSubscription,
  readSubscriptionAssignment,
  type Subscription,
  type SubscriptionAssignment,
} from './subscriptions.ts';
import { type AppsUser, type Assignment, readAssignment, readUser } from './types.ts';

/** A notification. `notificationId` stays the same when Apple sends it again. */
export type AppsNotification = {
  readonly notificationId: string;
  /** The location. */
  readonly uId: string;
} & (
  | { readonly notificationType: 'TEST_NOTIFICATION' }
  | {
      readonly notificationType: 'ASSET_COUNT';
      readonly adamId: string;
      readonly pricingParam?: string;
      readonly countDelta: number;
    }
  | {
      readonly notificationType: 'ASSET_MANAGEMENT';
      readonly eventId: string;
      /** `ASSOCIATE`, `DISASSOCIATE`, `REVOKE`. */
      readonly type: string;
      readonly success: boolean;
      readonly assignments: readonly Assignment[];
      readonly failure?: AppsFailure;
    }
  | {
      readonly notificationType: 'USER_MANAGEMENT';
      readonly eventId: string;
      /** `CREATE`, `UPDATE`, `RETIRE`. */
      readonly type: string;
      readonly success: boolean;
      readonly users: readonly AppsUser[];
      readonly failure?: AppsFailure;
    }
  | {
      readonly notificationType: 'SUBSCRIPTION_MANAGEMENT';
      readonly eventId: string;
      /** `ASSOCIATE`, `DISASSOCIATE`: one that was deferred comes when the billing period ends. */
      readonly type: string;
      readonly success: boolean;
      readonly assignments: readonly SubscriptionAssignment[];
      readonly failure?: AppsFailure;
    }
  /** Seats have come or gone; `counts` says how many there are now. */
  | { readonly notificationType: 'SUBSCRIPTION_COUNT'; readonly subscription: Subscription }
  | { readonly notificationType: 'USER_ASSOCIATED'; readonly users: readonly AppsUser[] }
  /** A type that is not known here: answer 200 all the same, or Apple sends it again. */
  | { readonly notificationType: 'OTHER'; readonly type: string }
);

/** A notification has a hundred elements at most. */
const longest = 256 * 1024;

/**
 * Reads a notification. Answer 2xx when it is taken; Apple tries three times within minutes, and does not promise to.
 * Source: Apple, "Subscribing to notifications".
 *
 * @param body The request's body.
 * @param authorization The request's `Authorization` header.
 * @param authToken What the server gave Apple as `notificationAuthToken`.
 * @throws AdeError `ade.notification.unauthenticated`, `ade.notification.too_large`, `ade.notification.invalid`.
 */
export function readAppsNotification(body: string, authorization: string | null, authToken: string): AppsNotification {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined || !same(given, authToken)) {
    throw new AdeError('ade.notification.unauthenticated', 'the notification does not have the right token', {
      kind: 'unauthenticated',
    });
  }
  if (body.length > longest) {
    throw new AdeError('ade.notification.too_large', 'the notification is too large', { kind: 'too-large' });
  }
  let object: ReturnType<typeof objectOf>;
  try {
    object = objectOf(JSON.parse(body));
  } catch {
    object = undefined; // told below
  }
  const invalid = (path: string): AdeError =>
    new AdeError('ade.notification.invalid', `the notification lacks ${path}`, { at: { path } });
  const notificationId = object?.text('notificationId');
  const type = object?.text('notificationType');
  if (object === undefined || notificationId === undefined) throw invalid('notificationId');
  if (type === undefined) throw invalid('notificationType');
  const common = { notificationId, uId: object.text('uId') ?? '' };
  const content = object.object('notification');
  const users = (key: string): AppsUser[] =>
    (content?.objects(key) ?? []).map(readUser).filter((user) => user !== undefined);
  switch (type) {
    case 'TEST_NOTIFICATION':
      return { ...common, notificationType: type };
    case 'ASSET_COUNT': {
      const [adamId, countDelta] = [content?.text('adamId'), content?.number('countDelta')];
      if (adamId === undefined) throw invalid('notification.adamId');
      if (countDelta === undefined) throw invalid('notification.countDelta');
      const pricingParam = content?.text('pricingParam');
      return {
        ...common,
        notificationType: type,
        adamId,
        countDelta,
        ...(pricingParam !== undefined && { pricingParam }),
      };
    }
    case 'SUBSCRIPTION_COUNT': {
      const subscription = content && readSubscription(content);
      if (subscription === undefined) throw invalid('notification.adamId');
      return { ...common, notificationType: type, subscription };
    }
    case 'ASSET_MANAGEMENT':
    case 'SUBSCRIPTION_MANAGEMENT':
    case 'USER_MANAGEMENT': {
      const eventId = content?.text('eventId');
      if (eventId === undefined) throw invalid('notification.eventId');
      const error = content?.object('error');
      const outcome = {
        ...common,
        eventId,
        type: content?.text('type') ?? '',
        success: content?.text('result') === 'SUCCESS',
        ...(error && { failure: readFailure(error) }),
      };
      if (type === 'USER_MANAGEMENT') return { ...outcome, notificationType: type, users: users('users') };
      if (type === 'SUBSCRIPTION_MANAGEMENT') {
        const seats = (content?.objects('assignments') ?? []).map(readSubscriptionAssignment);
        return { ...outcome, notificationType: type, assignments: seats.filter((item) => item !== undefined) };
      }
      const assignments = (content?.objects('assignments') ?? []).map(readAssignment);
      return { ...outcome, notificationType: type, assignments: assignments.filter((item) => item !== undefined) };
    }
    case 'USER_ASSOCIATED':
      return { ...common, notificationType: type, users: users('associatedUsers') };
    default:
      return { ...common, notificationType: 'OTHER', type };
  }
}

/** Compares in a time that does not tell where the first difference is, nor the length. */
function same(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(left!, right!);
}
