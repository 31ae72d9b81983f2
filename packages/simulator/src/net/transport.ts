// How devices reach servers: over the network with TLS and a client certificate, or straight into a fetch handler.
import { request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { toPem } from '@espalier/pki';

/** A request of a device. */
export interface DeviceRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST';
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly body?: Uint8Array;
}

/** What a server answered. */
export interface DeviceResponse {
  readonly status: number;
  /** Lower-case names. Several cookies (`set-cookie`) are lines of one text. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Uint8Array;
}

/** The identity that a device shows in TLS (DER). */
export interface TlsIdentity {
  readonly certificate: Uint8Array;
  /** PKCS#8. */
  readonly privateKey: Uint8Array;
}

/** What a device knows when it connects. The same object stands for the same knowledge. */
export interface ConnectionState {
  readonly identity?: TlsIdentity;
  /** Roots that the device trusts besides the transport's (DER). */
  readonly roots: readonly Uint8Array[];
}

/** The way to a server. Rejects when the server cannot be reached; any status is an answer. */
export interface Transport {
  send(request: DeviceRequest, state: ConnectionState): Promise<DeviceResponse>;
  /** Closes what is kept open between requests. */
  close(): void;
}

/** Options of {@link createNodeTransport}. */
export interface NodeTransportOptions {
  /** Roots trusted from the start (DER), for servers whose certificate is not from a public authority. */
  readonly trustedRoots?: readonly Uint8Array[];
  /** Milliseconds without a byte until a request fails (default 30,000). */
  readonly timeoutMs?: number;
  /** Largest answer that is read (default 64 MiB). */
  readonly maxResponseBytes?: number;
}

/**
 * Makes a transport of its own for one device: `node:https` with the device's identity as client certificate, TLS
 * always verified. The connection is kept for the requests of one session.
 */
export function createNodeTransport(options: NodeTransportOptions = {}): Transport {
  let agent: Agent | undefined;
  let agentFor: ConnectionState | undefined;

  function agentOf(state: ConnectionState): Agent {
    if (agent !== undefined && agentFor === state) return agent;
    agent?.destroy();
    agentFor = state;
    const roots = [...(options.trustedRoots ?? []), ...state.roots];
    agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ...(roots.length === 0 ? {} : { ca: roots.map((der) => toPem(der)) }),
      ...(state.identity === undefined
        ? {}
        : { cert: toPem(state.identity.certificate), key: toPem(state.identity.privateKey, 'PRIVATE KEY') }),
    });
    return agent;
  }

  return {
    send: (request, state) => sendOnce(request, options, () => agentOf(state)),
    close() {
      agent?.destroy();
      agent = undefined;
      agentFor = undefined;
    },
  };
}

function sendOnce(
  request: DeviceRequest,
  { timeoutMs = 30_000, maxResponseBytes = 64 * 1024 * 1024 }: NodeTransportOptions,
  agent: () => Agent,
): Promise<DeviceResponse> {
  return new Promise((resolve, reject) => {
    const headers = request.body === undefined ? request.headers : withLength(request.headers, request.body.length);
    const settings = { method: request.method, headers, timeout: timeoutMs };
    const outgoing = request.url.startsWith('https:')
      ? httpsRequest(request.url, { ...settings, agent: agent() })
      : httpRequest(request.url, { ...settings, agent: false });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxResponseBytes) outgoing.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        const named: { [name: string]: string } = {};
        for (const [name, value] of Object.entries(incoming.headers)) {
          if (value !== undefined) named[name] = Array.isArray(value) ? value.join('\n') : value;
        }
        resolve({ status: incoming.statusCode ?? 0, headers: named, body: new Uint8Array(Buffer.concat(chunks)) });
      });
    });
    outgoing.end(request.body);
  });
}

function withLength(headers: DeviceRequest['headers'], length: number): { [name: string]: string } {
  return { ...headers, 'content-length': String(length) };
}

/**
 * Makes a transport that calls a handler in this process: no network, no TLS, so the device's identity is proved by
 * `Mdm-Signature` alone.
 *
 * @param fetch e.g. the handler of a host, or the global `fetch`.
 */
export function createFetchTransport(fetch: (request: Request) => Promise<Response>): Transport {
  return {
    async send(request) {
      const response = await fetch(
        new Request(request.url, {
          method: request.method,
          headers: request.headers,
          ...(request.body === undefined ? {} : { body: Uint8Array.from(request.body) }),
        }),
      );
      return {
        status: response.status,
        headers: {
          ...Object.fromEntries(response.headers),
          ...(response.headers.has('set-cookie') ? { 'set-cookie': response.headers.getSetCookie().join('\n') } : {}),
        },
        body: new Uint8Array(await response.arrayBuffer()),
      };
    },
    close() {},
  };
}
