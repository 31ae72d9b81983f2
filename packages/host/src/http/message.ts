// What the host needs of a request and gives as an answer, so that web objects are made only where somebody wants them.
import type { ConnectionInfo, FetchHandler } from '../types.ts';
import { type BodyLimits, readBody } from './body.ts';

/** The part of a request that tells its headers. */
export interface Headed {
  readonly headers: Pick<Headers, 'get' | 'has'>;
}

/** A request as it comes in: a web `Request`, or what an adapter has before there is one. */
export interface IncomingRequest extends Headed {
  readonly method: string;
  readonly url: string;
  /** The whole body. @throws as {@link readBody} */
  body(limits: BodyLimits): Promise<Uint8Array>;
  /** The request in web terms, the same one each time. @throws HostError `host.request.malformed` where it cannot be one */
  web(): Request;
}

/** An answer with all its bytes at hand. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** `null` is an empty body. */
  readonly body: Uint8Array | null;
}

/** The host's way in for adapters that can do without web objects. */
export type DirectHandler = (request: IncomingRequest, info: ConnectionInfo) => Promise<Response | Answer>;

const direct = new WeakMap<FetchHandler, DirectHandler>();

/** Tells adapters that a fetch handler has a direct way in, which does the same. */
export function offerDirect(fetch: FetchHandler, handler: DirectHandler): void {
  direct.set(fetch, handler);
}

/** The direct way into a fetch handler, where it is a host's. */
export function directOf(fetch: FetchHandler): DirectHandler | undefined {
  return direct.get(fetch);
}

/** A web request as the host takes it. */
export function fromWeb(request: Request): IncomingRequest {
  return {
    method: request.method,
    url: request.url,
    headers: request.headers,
    body: (limits) => readBody(request, limits),
    web: () => request,
  };
}

/** The answer in web terms. */
export function toWeb(answer: Response | Answer): Response {
  if (answer instanceof Response) return answer;
  const { status, headers, body } = answer;
  return new Response(body as Uint8Array<ArrayBuffer> | null, { status, headers });
}
