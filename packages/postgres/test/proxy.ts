// A TCP proxy before the test server that counts round trips and can fall silent.
import { connect, createServer, type Socket } from 'node:net';

/** A running proxy. */
export interface Proxy {
  readonly url: string;
  /** How often a client asked the server something and waited: Sync and simple-query messages. */
  roundTrips(): number;
  /** From now on nothing is passed on, and nothing closed: as when a cable is pulled. */
  fallSilent(): void;
  /** Ends the connections that are open. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy before the server of this URL. */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let trips = 0;
  let silent = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const count = messageCounter((type) => {
      if (type === 'S' || type === 'Q') trips++;
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      count(chunk);
      if (!silent) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!silent) client.write(chunk);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const own = new URL(url);
  own.port = String((server.address() as { port: number }).port);
  return {
    url: own.href,
    roundTrips: () => trips,
    fallSilent() {
      silent = true;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Reads the types of a client's messages off its bytes; the first message has a length but no type. */
function messageCounter(seen: (type: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readUInt32BE(head);
      if (rest.length < length) return;
      if (started) seen(String.fromCharCode(rest[0]!));
      started = true;
      rest = rest.subarray(length);
    }
  };
}
