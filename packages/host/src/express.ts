// @espalier/host/express: the fetch handler as Express middleware.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeListener } from './node.ts';
import type { FetchHandler } from './types.ts';

/**
 * Middleware for Express 4 and 5 (and anything with the same signature). It answers every request that reaches it;
 * mount it last, and before any body parser.
 *
 * @example
 * const app = express();
 * app.use(toExpress(host.fetch));
 */
export function toExpress(fetch: FetchHandler): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return toNodeListener(fetch);
}
