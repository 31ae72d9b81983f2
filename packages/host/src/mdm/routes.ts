// The device-facing protocol routes: identify the sender, hand the body to the engine, answer its bytes.
import type { DeviceIdentity, Engine } from '@espalier/core';
import { type BodyLimits, readBody } from '../http/body.ts';
import { bytes } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import type { Identifier } from '../identity/identify.ts';

type Handler = (body: Uint8Array, identity: DeviceIdentity) => Promise<Uint8Array | null>;

/** `/mdm/checkin`, `/mdm/connect`, and `/mdm` for both, told apart by the content type. */
export function mdmRoutes(engine: Engine, identifier: Identifier, limits: BodyLimits): Route[] {
  const { protocol } = engine;
  const checkin: Handler = (body, identity) => protocol.checkin(body, identity);
  const connect: Handler = (body, identity) => protocol.connect(body, identity);

  async function answer(context: Context, handler: Handler): Promise<Response> {
    // In this order: a stranger's body is not read, and an unproven body is not parsed.
    identifier.require(context.request, context.info);
    const body = await readBody(context.request, limits);
    const identity = identifier.identify(context.request, context.info, body);
    const reply = await handler(body, identity);
    // An answer to DeclarativeManagement or GetToken may be JSON or a property list; a command is always the latter.
    return bytes(reply, 200, reply === null ? null : typeOf(reply));
  }

  const methods = ['PUT', 'POST'];
  return [
    { methods, path: '/mdm/checkin', handle: (context) => answer(context, checkin) },
    { methods, path: '/mdm/connect', handle: (context) => answer(context, connect) },
    {
      methods,
      path: '/mdm',
      handle: (context) => answer(context, isCheckin(context.request) ? checkin : connect),
    },
  ];
}

function isCheckin(request: Request): boolean {
  return (request.headers.get('content-type') ?? '').toLowerCase().startsWith('application/x-apple-aspen-mdm-checkin');
}

function typeOf(reply: Uint8Array): string {
  return reply[0] === 0x7b ? 'application/json' : 'application/xml';
}
