// The device-facing protocol routes: identify the sender, hand the body to the engine, answer its bytes.
import type { DeviceIdentity, Engine } from '@espalier/core';
import { decodeDict } from '@espalier/plist';
import { HostError, isEspalierError } from '../errors.ts';
import { type BodyLimits, readBody } from '../http/body.ts';
import { mediaType } from '../http/form.ts';
import { bytes } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import type { Identifier } from '../identity/identify.ts';

/** What these routes work with. */
export interface MdmContext {
  readonly engine: Engine;
  readonly identifier: Identifier;
  readonly limits: BodyLimits;
  /** Whether a device that is not enrolled is told to unenrol. */
  readonly unenrolUnknown: boolean;
  /** Refuses a request that is signed in no more; for account-driven enrolments. */
  readonly authorise?: (request: Request, context: Context) => Promise<void>;
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

  async function answer(context: Context, fallback: 'checkin' | 'connect' | 'either'): Promise<Response> {
    const { request, info } = context;
    // In this order: a stranger's body is not read, and an unproven body is not parsed.
    host.identifier.require(request, info);
    const body = await readBody(request, host.limits);
    const identity = host.identifier.identify(request, info, body);
    await host.authorise?.(request, context);
    const reply = await handle(kindOf(request, body, fallback), body, identity);
    // An answer to DeclarativeManagement is JSON, every other one a property list.
    return bytes(reply, 200, reply === null ? null : typeOf(reply));
  }

  const methods = ['PUT', 'POST'];
  return [
    { methods, path: '/mdm/checkin', handle: (context) => answer(context, 'checkin') },
    { methods, path: '/mdm/connect', handle: (context) => answer(context, 'connect') },
    { methods, path: '/mdm', handle: (context) => answer(context, 'either') },
  ];
}

/** What a message is: by its content type, else by its address, else by itself. */
function kindOf(request: Request, body: Uint8Array, fallback: 'checkin' | 'connect' | 'either'): 'checkin' | 'connect' {
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
  if (error.code === 'core.enrolment.unknown' && unenrolUnknown) {
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
