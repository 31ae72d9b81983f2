// Answers of the simulated services, and serving them on a port.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A service: what every simulated service is, and what its clients take in place of `fetch`. */
export type Handler = (request: Request) => Promise<Response>;

/** JSON, as Apple labels it. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'Content-Type': 'application/json;charset=UTF8', ...headers },
  });
}

/** Plain text: how the device enrolment service names its errors. */
export function text(value: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(value, { status, headers: { 'Content-Type': 'text/plain;charset=UTF8', ...headers } });
}

/** The object in a request's body; undefined when there is none. */
export async function bodyOf(request: Request): Promise<ReadonlyMap<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await request.text());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? new Map(Object.entries(value))
      : undefined;
  } catch {
    return undefined; // not JSON: the services answer that themselves
  }
}

/** The texts of an array; undefined when it is something else. */
export function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

/** A service on a port. */
export interface ListeningService {
  /** `http://127.0.0.1:PORT`: the `origin` for a client. */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Serves a simulated service on a free port of 127.0.0.1, over plain HTTP.
 * @example
 * const { origin, close } = await listenService(createSimulatedEnrolmentService({ count: 1000 }).fetch);
 */
export async function listenService(
  handler: Handler,
  options: { readonly port?: number } = {},
): Promise<ListeningService> {
  const server = createServer((incoming, outgoing) => {
    void answer(handler, incoming, outgoing);
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const headers = new Headers();
    for (const [name, value] of Object.entries(incoming.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
    const method = incoming.method ?? 'GET';
    const response = await handler(
      new Request(`http://${incoming.headers.host}${incoming.url}`, {
        method,
        headers,
        ...(method !== 'GET' && method !== 'HEAD' && chunks.length > 0 && { body: Buffer.concat(chunks) }),
      }),
    );
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  } catch {
    outgoing.destroy(); // the client hung up, or the handler broke: the client sees a lost connection
  }
}
