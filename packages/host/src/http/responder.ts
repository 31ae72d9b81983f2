// Answers requests: finds the route, and turns every fault into an answer and, where it matters, a line in the log.
import { serviceDiscoveryPath } from '@espalier/apple-mdm';
import type { Engine, RandomBytes } from '@espalier/core';
import { HostError, isEspalierError } from '../errors.ts';
import type { HostMeters } from '../metrics.ts';
import type { ConnectionInfo, Logger } from '../types.ts';
import { clientAddress, type ProxyList } from './addresses.ts';
import type { Answer, IncomingRequest } from './message.ts';
import { describe, problemResponse } from './problem.ts';
import { json } from './respond.ts';
import type { Context, Router } from './router.ts';

/** What answers are made with. */
export interface ResponderParts {
  readonly router: Router;
  readonly engine: Engine;
  readonly meters: HostMeters;
  readonly proxies: ProxyList;
  readonly basePath: string;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

/** Answers one request; a body that is at hand goes out as it is. */
export type Respond = (request: IncomingRequest, info: ConnectionInfo) => Promise<Response | Answer>;

/** Makes the function that answers any request. It never rejects. */
export function createResponder({
  router,
  engine,
  meters,
  proxies,
  basePath,
  random,
  logger,
}: ResponderParts): Respond {
  async function answer(
    incoming: IncomingRequest,
    info: ConnectionInfo,
    found: (route: string) => void,
  ): Promise<Response | Answer> {
    const url = new URL(incoming.url);
    const { method, headers } = incoming;
    // At the root of the domain, wherever the rest is.
    const wellKnown = url.pathname === serviceDiscoveryPath;
    if (!wellKnown && !below(url.pathname, basePath)) {
      throw new HostError('not-found', 'host.route.unknown', 'There is nothing at this address.');
    }
    const path = wellKnown ? url.pathname : url.pathname.slice(basePath.length) || '/';
    const { route, params } = router.find(method, path);
    found(route.path);
    const context: Context = {
      get request() {
        return incoming.web();
      },
      method,
      headers,
      body: incoming.body,
      url,
      path,
      params,
      info,
      clientAddress: clientAddress(incoming, info, proxies),
    };
    const response = await route.handle(context);
    if (method !== 'HEAD') return response;
    if (!(response instanceof Response)) return { ...response, body: null };
    await response.body?.cancel();
    return new Response(null, { status: response.status, headers: response.headers });
  }

  async function respond(request: IncomingRequest, info: ConnectionInfo): Promise<Response | Answer> {
    const measured = meters.request();
    let route: string | null = null;
    try {
      const response = await answer(request, info, (path) => {
        route = path;
      });
      measured({ route, status: response.status });
      return response;
    } catch (error) {
      const requestId = Buffer.from(random(8)).toString('hex');
      const { problem, headers } = describe(error, requestId);
      measured({ route, status: problem.status, code: problem.code });
      if (isDoorRefusal(problem.code)) {
        await engine.protocol.refused({ code: problem.code, address: clientAddress(request, info, proxies) });
      }
      report(logger, error, problem.status, { requestId, method: request.method, path: pathOf(request.url) });
      if (error instanceof HostError && error.body) {
        return json(error.body, problem.status, { 'x-request-id': requestId, ...headers });
      }
      return problemResponse(problem, headers);
    }
  }
  return respond;
}

/** Codes of refusals before the protocol is reached, which whoever watches over the server wants to see. */
const doorCodes =
  /^(host\.identity\.|host\.account\.(token|domain|other|disabled)$|host\.enrol\.(pin|machine_info|challenge|refused)$|host\.locked$)/;
const isDoorRefusal = (code: string): boolean => doorCodes.test(code);

/** One line for each refusal, and the whole error (once) for a fault of the server. */
function report(logger: Logger, error: unknown, status: number, fields: Readonly<Record<string, unknown>>): void {
  if (!isEspalierError(error)) {
    logger.error({ ...fields, status, code: 'host.internal', err: error }, 'unexpected error');
    return;
  }
  const { code, kind, at } = error;
  const line = { ...fields, status, code, kind, ...(at ? { at } : {}) };
  if (status === 500) logger.error({ ...line, err: error }, error.message);
  else if (status === 404 || status === 405) logger.debug(line, error.message);
  else logger.warn(line, error.message);
}

/** The path for the log: an invitation's token is a secret, and so is the word of a recovery key's address. */
function pathOf(url: string): string {
  const { pathname } = new URL(url);
  return pathname.replace(/\/(enrol|recovery-key)\/.+$/, '/$1/[redacted]');
}

function below(pathname: string, basePath: string): boolean {
  return pathname === basePath || pathname.startsWith(`${basePath}/`);
}
