// Network and mobile users of Macs: the digest handshake of UserAuthenticate, and the AuthToken that follows from it.
import { timingSafeEqual } from 'node:crypto';
import {
  digestChallenge,
  type ResolvedEnrolment,
  readDigestResponse,
  resolveEnrolment,
  type UserAuthenticate,
} from '@espalier/apple-mdm';
import { encodeXml, type PlistValue } from '@espalier/plist';
import type { DeviceIdentity } from '../api/engine.ts';
import type { LoginUser, UserAuthenticator } from '../api/hooks.ts';
import type { EventType } from '../api/records.ts';
import { CoreError } from '../errors.ts';
import { type Context, randomWord } from './context.ts';
import { enrolmentOf, openSecret, sealedSecret } from './sender.ts';

/** How long a challenge may be answered. */
const CHALLENGE_MS = 5 * 60_000;

const challengeName = (userId: string): string => `user-challenge.${userId}`;
const tokenName = (userId: string): string => `user-token.${userId}`;

interface Challenge {
  readonly nonce: string;
  readonly realm: string;
  readonly at: number;
}

/** A user logs in: the challenge, or the answer to it. */
export async function userAuthenticate(
  context: Context,
  message: UserAuthenticate,
  identity: DeviceIdentity,
): Promise<Uint8Array> {
  const { id, parent = id } = resolveEnrolment(message.ids);
  await enrolmentOf(context, { id: parent }, identity);
  const user: LoginUser = { enrolmentId: parent, userId: message.userId };
  if (message.userId.length > 200) {
    throw new CoreError('core.user.bad_id', 'invalid', 'a UserID has at most 200 characters', {
      at: { path: '/UserID' },
    });
  }
  const authenticator = context.hooks.userAuthenticate ?? 'decline';
  if (typeof authenticator === 'object' && message.digestResponse !== '') {
    return checkResponse(context, authenticator, user, message.digestResponse);
  }
  const decision = typeof authenticator === 'object' ? await authenticator.begin(user) : authenticator;
  // Whatever comes next, the token of an earlier login is over.
  await forget(context, user);
  if (decision === 'decline') {
    await tell(context, 'enrolment.user-refused', user, 'declined');
    throw new CoreError('core.user.declined', 'forbidden', 'this user is not managed');
  }
  if (decision === 'accept') {
    await tell(context, 'enrolment.user-authenticated', user, 'unchecked');
    return encodeXml({ DigestChallenge: '' });
  }
  const challenge: Challenge = {
    nonce: randomWord(context.random, 24),
    realm: decision.realm,
    at: context.clock.now(),
  };
  await keep(context, user, challengeName(user.userId), JSON.stringify(challenge));
  return encodeXml({ DigestChallenge: digestChallenge(challenge) });
}

async function checkResponse(
  context: Context,
  authenticator: UserAuthenticator,
  user: LoginUser,
  text: string,
): Promise<Uint8Array> {
  const kept = await openSecret(context, user.enrolmentId, challengeName(user.userId));
  // Single use: a digest that was overheard is worth nothing.
  await context.store.secrets.delete(user.enrolmentId, challengeName(user.userId));
  const digest = readDigestResponse(text);
  const challenge = kept === null ? null : (JSON.parse(new TextDecoder().decode(kept)) as Challenge);
  const fresh =
    challenge !== null &&
    context.clock.now() - challenge.at <= CHALLENGE_MS &&
    digest.nonce === challenge.nonce &&
    digest.realm === challenge.realm;
  if (!fresh || !(await authenticator.verify(user, digest, challenge))) {
    await tell(context, 'enrolment.user-refused', user, fresh ? 'digest' : 'challenge');
    // Apple: a wrong password is answered 200, with an empty token.
    return encodeXml({ AuthToken: '' });
  }
  const token = Buffer.from(context.random(20)).toString('base64');
  await keep(context, user, tokenName(user.userId), token);
  await tell(context, 'enrolment.user-authenticated', user, 'digest');
  return encodeXml({ AuthToken: token });
}

/**
 * Refuses a message of a user channel that lacks the AuthToken which this user was given.
 * @throws CoreError `core.user.bad_token` (unauthenticated)
 */
export async function checkAuthToken(
  context: Context,
  resolved: ResolvedEnrolment,
  userId: string | undefined,
  token: PlistValue | undefined,
): Promise<void> {
  // Local users never log in by digest: no look-up where nobody does.
  if (resolved.kind !== 'user' || userId === undefined || typeof context.hooks.userAuthenticate !== 'object') return;
  const wanted = await openSecret(context, resolved.parent ?? resolved.id, tokenName(userId));
  if (wanted === null) return;
  const given = Buffer.from(typeof token === 'string' ? token : '');
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  context.logger.warn({ enrolmentId: resolved.id }, 'a user channel without its AuthToken');
  throw new CoreError('core.user.bad_token', 'unauthenticated', 'the AuthToken is not the one of this login', {
    at: { path: '/AuthToken' },
    remedy: 'log in again',
  });
}

async function keep(context: Context, user: LoginUser, name: string, value: string): Promise<void> {
  const { blob } = sealedSecret(context, user.enrolmentId, name, value);
  await context.store.secrets.put({ scope: user.enrolmentId, name, blob, at: context.clock.now() });
}

async function forget({ store }: Context, user: LoginUser): Promise<void> {
  await store.secrets.delete(user.enrolmentId, challengeName(user.userId));
  await store.secrets.delete(user.enrolmentId, tokenName(user.userId));
}

async function tell({ store, clock }: Context, type: EventType, user: LoginUser, method: string): Promise<void> {
  const { enrolmentId, userId } = user;
  await store.events.append([{ type, at: clock.now(), enrolmentId, data: { userId, method } }]);
}
