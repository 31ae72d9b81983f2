// @espalier/host/koa: the fetch handler as Koa middleware.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeListener } from './node.ts';
import type { FetchHandler } from './types.ts';

/** What the adapter needs of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  respond?: boolean;
}

/**
 * Middleware for Koa 2 and 3. It answers every request that reaches it; use it last, and before any body parser.
 *
 * @example
 * const app = new Koa();
 * app.use(toKoa(host.fetch));
 */
export function toKoa(fetch: FetchHandler): (context: KoaContext) => Promise<void> {
  const listener = toNodeListener(fetch);
  return async (context) => {
    // Koa has set 404 on the response before any middleware runs, and would end it itself afterwards.
    context.respond = false;
    await listener(context.req, context.res);
  };
}
