// A real HTTP/2 server over TLS that plays APNs as each test scripts it.
import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { rootCertificate, serverCertificate, serverKey } from './fixtures/apns-pem.ts';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
}

export interface TestServer {
  readonly origin: string;
  readonly received: Received[];
  readonly sessions: ServerHttp2Session[];
  /** Answers the n-th request (from 0) of the server's life; the default accepts every push. */
  answer: (request: Received, n: number) => void;
  readonly server: Http2SecureServer;
  close(): Promise<void>;
}

export function accept(request: Received): void {
  request.stream.respond({ ':status': 200, 'apns-id': `id-${request.stream.id}` }, { endStream: true });
}

export function refuse(status: number, body: object, headers: Record<string, string> = {}) {
  return (request: Received): void => {
    request.stream.respond({ ':status': status, 'apns-id': 'id', ...headers });
    request.stream.end(JSON.stringify(body));
  };
}

export async function startApns(options: { maxConcurrent?: number; minVersion?: 'TLSv1.3' } = {}): Promise<TestServer> {
  const server = createSecureServer({
    cert: serverCertificate,
    key: serverKey,
    ca: rootCertificate,
    requestCert: true,
    rejectUnauthorized: true,
    settings: { maxConcurrentStreams: options.maxConcurrent ?? 1000 },
  });
  const received: Received[] = [];
  const sessions: ServerHttp2Session[] = [];
  const test: TestServer = {
    origin: '',
    received,
    sessions,
    answer: accept,
    server,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {}); // tests break connections on purpose
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    const session = stream.session as ServerHttp2Session;
    stream.on('error', () => {});
    stream.setEncoding('utf8');
    let body = '';
    stream.on('data', (text: string) => {
      body += text;
    });
    stream.on('end', () => {
      const request = { headers, body, stream, session };
      received.push(request);
      test.answer(request, received.length - 1);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(test, { origin: `https://localhost:${port}` });
}
