// The device-facing protocol routes: identify the sender, hand the body to the engine, answer its bytes.
import type { DeviceIdentity, Engine, EnrolmentAccount } from '@espalier/core';
import { decodeDict } from '@espalier/plist';
import type { AccountUser } from '../enrol/account-token.ts';
import { HostError, isEspalierError } from '../errors.ts';
import type { BodyLimits } from '../http/body.ts';
import { mediaType } from '../http/form.ts';
import type { Answer, Headed } from '../http/message.ts';
import { answerOf } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import type { Identifier } from '../identity/identify.ts';
import type { AccountLookup } from './accounts.ts';

/** What these routes work with. */
export interface MdmContext {
  readonly engine: Engine;
  readonly identifier: Identifier;
  readonly limits: BodyLimits;
  /** Whether a device that is not enrolled is told to unenrol. */
  readonly unenrolUnknown: boolean;
  /** Where the routes are (default `/mdm`). */
  readonly prefix?: string;
  /** Account-driven enrolment, where there is any. */
  readonly accounts?: {
    /**
     * Who has signed in. Throws for a request without a valid token, and for another user than the one expected: 401 with
     * the challenge, at which the device has the user sign in again.
     */
    readonly user: (request: Request, context: Context, expected: EnrolmentAccount | null) => Promise<AccountUser>;
    readonly of: AccountLookup;
  };
  /** Whether these are the addresses of account-driven enrolments, where every request needs a token. */
  readonly forAccounts?: boolean;
}

const CHECKIN = 'application/x-apple-aspen-mdm-checkin';
const CONNECT = 'application/x-apple-aspen-mdm';

/**
 * `/mdm/checkin`, `/mdm/connect`, and `/mdm` for both. A device whose profile has no `CheckInURL` sends its check-ins to
 * the server URL, so `/mdm/connect` takes them too.
 */
export function mdmRoutes(host: MdmContext): Route[] {
  const { protocol } = host.engine;

  async function handle(kind: 'checkin' | 'connect', body: Uint8Array, identity: DeviceIdentity) {
    try {
      return await (kind === 'checkin' ? protocol.checkin(body, identity) : protocol.connect(body, identity));
    } catch (error) {
      throw answerFor(error, host.unenrolUnknown);
    }
  }

  /** A device that enrolled by an account shows its user's token wherever it goes. */
  async function signedIn(context: Context, { fingerprint }: DeviceIdentity): Promise<void> {
    if (host.accounts === undefined) return;
    const account = await host.accounts.of(fingerprint);
    if (account !== null || host.forAccounts === true) await host.accounts.user(context.request, context, account);
  }

  async function answer(context: Context, fallback: 'checkin' | 'connect' | 'either'): Promise<Answer> {
    const { info } = context;
    // In this order: a stranger's body is not read, and an unproven body is not parsed.
    host.identifier.require(context, info);
    const body = await context.body(host.limits);
    const identity = host.identifier.identify(context, info, body);
    await signedIn(context, identity);
    const kind = kindOf(context, body, fallback);
    const reply = await handle(kind, body, identity);
    // An answer to DeclarativeManagement is JSON, every other one a property list.
    return answerOf(reply, 200, reply === null ? null : typeOf(reply));
  }

  const methods = ['PUT', 'POST'];
  const { prefix = '/mdm' } = host;
  return [
    { methods, path: `${prefix}/checkin`, handle: (context) => answer(context, 'checkin') },
    { methods, path: `${prefix}/connect`, handle: (context) => answer(context, 'connect') },
    { methods, path: prefix, handle: (context) => answer(context, 'either') },
  ];
}

/** What a message is: by its content type, else by its address, else by itself. */
function kindOf(request: Headed, body: Uint8Array, fallback: 'checkin' | 'connect' | 'either'): 'checkin' | 'connect' {
  if (fallback === 'checkin') return 'checkin';
  const type = mediaType(request);
  if (type === CHECKIN) return 'checkin';
  if (type === CONNECT || fallback === 'connect') return 'connect';
  try {
    return decodeDict(body)['MessageType'] === undefined ? 'connect' : 'checkin';
  } catch (error) {
    // What is wrong with it is told by the engine, which decodes within limits of its own.
    if (isEspalierError(error)) return 'connect';
    throw error;
  }
}

/** The answers that Apple gives a meaning of their own. */
function answerFor(error: unknown, unenrolUnknown: boolean): unknown {
  if (!isEspalierError(error)) return error;
  if (error.code === 'core.user.declined') {
    // The device leaves this user alone until the next login.
    return new HostError('forbidden', error.code, error.message, { status: 410, cause: error });
  }
  // Whom this server has retired is to go, whatever is done with strangers (ACT-4).
  if (error.code === 'core.enrolment.retired' || (error.code === 'core.enrolment.unknown' && unenrolUnknown)) {
    return new HostError('forbidden', error.code, error.message, {
      cause: error,
      // Read by the device (schema, mdm/errors): it removes its enrolment.
      body: { code: 'com.apple.unrecognized.device', description: error.message },
    });
  }
  return error;
}

function typeOf(reply: Uint8Array): string {
  return reply[0] === 0x7b ? 'application/json' : 'application/xml';
}
