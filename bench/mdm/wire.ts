// HTTP/1.1 of a client that costs little: ready-made bytes out, length and status in.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** How to reach a server. */
export interface Place {
  readonly port: number;
  /** The root to trust (PEM), for TLS. */
  readonly ca?: string;
}

/** What a device shows in TLS, PEM. */
export interface ClientIdentity {
  readonly cert: string;
  readonly key: string;
}

/** A connection for one request at a time. */
export interface Wire {
  /** Sends and waits for the whole answer, which must be 200; gives its body. */
  send(request: Buffer): Promise<Buffer>;
  close(): void;
}

const EMPTY: Buffer = Buffer.alloc(0);
const END_OF_CHUNKS = '\r\n0\r\n\r\n';

/** Connects; with `ca` by TLS, with a full handshake each time. */
export async function openWire(place: Place, identity?: ClientIdentity): Promise<Wire> {
  const address = { host: '127.0.0.1', port: place.port };
  const socket: Socket = await new Promise((resolve, reject) => {
    const opened =
      place.ca === undefined
        ? connectTcp(address, () => resolve(opened))
        : connectTls({ ...address, servername: 'localhost', ca: place.ca, ...identity }, () => resolve(opened));
    opened.once('error', reject);
  });
  socket.setNoDelay(true);
  let received: Buffer = EMPTY;
  let waiting: { readonly resolve: (body: Buffer) => void; readonly reject: (error: Error) => void } | null = null;
  const lost = (error?: Error): void => {
    waiting?.reject(error ?? new Error('the server closed the connection'));
    waiting = null;
  };
  socket.removeAllListeners('error');
  socket.on('error', lost);
  socket.on('close', () => lost());
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = readAnswer(received);
    if (answer === null || waiting === null) return;
    const { resolve, reject } = waiting;
    waiting = null;
    received = EMPTY;
    if (answer.status === 200) resolve(answer.body);
    else reject(new Error(`the server answered ${answer.status}: ${answer.body.toString('utf8').slice(0, 300)}`));
  });
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      }),
    close() {
      socket.destroy();
    },
  };
}

/** A whole answer, or `null` as long as a part is missing. */
function readAnswer(bytes: Buffer): { readonly status: number; readonly body: Buffer } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = bytes.toString('latin1', 0, end);
  const body = bytes.subarray(end + 4);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length !== null) return body.length >= Number(length[1]) ? { status, body } : null;
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return { status, body };
  const whole = body.toString('latin1', Math.max(0, body.length - END_OF_CHUNKS.length)) === END_OF_CHUNKS;
  return whole || body.toString('latin1') === '0\r\n\r\n' ? { status, body } : null;
}

/** A request as bytes. */
export function requestBytes(path: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `PUT ${path} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}
