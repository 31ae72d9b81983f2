// A small MDM server that shares nothing with the host package: TLS, SCEP, a signed profile, check-in and a queue.
// Only the certificate authority and the codec come from the floors below.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  generateKeyPair,
  openCa,
  type ScepServer,
  signCms,
  toPem,
} from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** The client's certificate in TLS, DER. */
  readonly clientCertificate?: Uint8Array;
  /** The decoded body of an MDM message. */
  readonly message?: PlistDict;
}

export type Command = { readonly RequestType: string; readonly [key: string]: PlistInput };

/** What comes in place of the server's answer. */
export interface Intercepted {
  readonly status: number;
  readonly body?: string | Uint8Array;
  readonly headers?: { readonly [name: string]: string | string[] };
}

export interface TestMdm {
  readonly url: string;
  /** The root, DER. */
  readonly root: Uint8Array;
  readonly ca: CertificateAuthority;
  readonly arrived: Arrived[];
  /** MDM messages only, by UDID; by `UDID:name` those of a user. */
  messagesOf(udid: string): PlistDict[];
  results: { readonly commandUuid: string; readonly value: PlistDict }[];
  /** Queues a command; gives its UUID. */
  enqueue(udid: string, command: Command): string;
  /** The request type of a command that was queued. */
  requestTypeOf(commandUuid: string): string | undefined;
  /** A profile with a fresh challenge; changes override keys of the MDM payload. */
  profile(changes?: { readonly [key: string]: PlistInput }): Uint8Array;
  sign(plist: Uint8Array): Uint8Array;
  /** Answers in place of the server; `undefined` lets it do its work. */
  intercept: ((request: Arrived) => Intercepted | 'hang-up' | undefined) | undefined;
  issued(): Uint8Array[];
  /** A TLS server identity for localhost, PEM, and a push identity. */
  readonly serverPem: { readonly certificate: string; readonly privateKey: string };
  pushPem(topic: string): Promise<{ readonly certificate: string; readonly privateKey: string }>;
  close(): Promise<void>;
}

export const topic = 'com.apple.mgmt.External.test';
const now = (): number => Date.now();

interface Authority {
  readonly root: Uint8Array;
  readonly ca: CertificateAuthority & { readonly signer: unknown };
  readonly tls: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };
}

/** A device by its UDID or what its enrolment is called; a user with the name after it. */
function senderOf(message: PlistDict): string {
  const device = String(message['UDID'] ?? message['EnrollmentID']);
  return message['UserShortName'] === undefined ? device : `${device}:${String(message['UserShortName'])}`;
}

let shared: Promise<Authority> | undefined;

/** Making keys is slow: the servers of one test file share an authority. */
function authority(): Promise<Authority> {
  shared ??= (async () => {
    const { certificate, privateKey } = await createRootCa({
      subject: 'CN=Test root',
      key: { type: 'rsa', bits: 2048 },
      clock: now,
    });
    const ca = await openCa({ certificate, privateKey, clock: now });
    const key = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const tls = await ca.issue({
      publicKey: key.publicKey,
      subject: 'CN=localhost',
      sans: [
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ],
      template: 'tls-server',
    });
    return { root: certificate, ca, tls: { certificate: tls, privateKey: key.privateKey } };
  })();
  return shared;
}

/** Starts the server. `tls: false` serves plain HTTP, for tests that are not about TLS. */
export async function startMdm(options: { tls?: boolean; port?: number } = {}): Promise<TestMdm> {
  const { root, ca, tls } = await authority();
  const store = createMemoryScepStore({ clock: now });
  const scep = createScepServer({ ca, store, clock: now });
  const arrived: Arrived[] = [];
  const queues = new Map<string, { readonly uuid: string; readonly bytes: Uint8Array }[]>();
  const serverPem = { certificate: toPem(tls.certificate), privateKey: toPem(tls.privateKey, 'PRIVATE KEY') };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch((error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    });
  };
  const server =
    options.tls === false
      ? createServer(listener)
      : createTlsServer(
          {
            cert: serverPem.certificate,
            key: serverPem.privateKey,
            ca: toPem(root),
            requestCert: true,
            rejectUnauthorized: false,
          },
          listener,
        );
  let count = 0;
  const requestTypes = new Map<string, string>();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const path = request.url ?? '/';
    const peer = options.tls === false ? undefined : (request.socket as TLSSocket).getPeerCertificate().raw;
    const entry: Arrived = {
      method: request.method ?? '',
      path,
      headers: request.headers,
      body,
      ...(peer === undefined ? {} : { clientCertificate: new Uint8Array(peer) }),
      ...(path === '/mdm' || path === '/checkin' ? { message: decodeDict(body) } : {}),
    };
    arrived.push(entry);
    const answer = test.intercept?.(entry);
    if (answer === 'hang-up') {
      request.socket.destroy();
    } else if (answer !== undefined) {
      response.writeHead(answer.status, answer.headers).end(answer.body);
    } else if (path.startsWith('/scep')) {
      await answerScep(scep, request, body, response);
    } else if (path === '/enrol') {
      response.writeHead(200, { 'content-type': 'application/x-apple-aspen-config' });
      response.end(test.sign(test.profile()));
    } else if (path === '/checkin') {
      response.writeHead(200).end();
    } else if (path === '/mdm') {
      response.writeHead(200).end(next(entry.message!));
    } else {
      response.writeHead(404).end();
    }
  }

  /** Stores the result, if there is one, and gives the next command. A command stays until it has a final result. */
  function next(message: PlistDict): Uint8Array | undefined {
    const queue = queues.get(senderOf(message)) ?? [];
    const { CommandUUID: uuid, Status: status } = message;
    let skip = 0;
    if (typeof uuid === 'string') {
      test.results.push({ commandUuid: uuid, value: message });
      const at = queue.findIndex((item) => item.uuid === uuid);
      if (status === 'NotNow') skip = at + 1;
      else if (at >= 0) queue.splice(at, 1);
    }
    return queue[skip]?.bytes;
  }

  const test: TestMdm = {
    url: '',
    root,
    ca,
    arrived,
    results: [],
    intercept: undefined,
    serverPem,
    messagesOf: (udid) =>
      arrived.flatMap(({ message }) => (message !== undefined && senderOf(message) === udid ? [message] : [])),
    enqueue(udid, command) {
      const uuid = `command-${++count}`;
      const queue = queues.get(udid) ?? [];
      queues.set(udid, queue);
      requestTypes.set(uuid, command.RequestType);
      queue.push({ uuid, bytes: encodeXml({ CommandUUID: uuid, Command: command }) });
      return uuid;
    },
    requestTypeOf: (commandUuid) => requestTypes.get(commandUuid),
    profile(changes = {}) {
      const common = (type: string, name: string, uuid: string) => ({
        PayloadType: type,
        PayloadVersion: 1,
        PayloadIdentifier: `com.example.mdm.${name}`,
        PayloadUUID: uuid,
      });
      return encodeXml({
        ...common('Configuration', 'profile', '00000000-0000-4000-8000-000000000001'),
        PayloadIdentifier: 'com.example.mdm',
        PayloadDisplayName: 'Enrolment',
        PayloadOrganization: 'Example',
        PayloadContent: [
          {
            ...common('com.apple.security.root', 'root', '00000000-0000-4000-8000-000000000002'),
            PayloadContent: root,
          },
          {
            ...common('com.apple.security.scep', 'scep', '00000000-0000-4000-8000-000000000003'),
            PayloadContent: {
              URL: `${test.url}/scep`,
              Subject: [[['O', 'Example']], [['CN', 'device']]],
              Challenge: store.createChallenge({ reference: 'test' }),
              Keysize: 2048,
              'Key Type': 'RSA',
              'Key Usage': 5,
            },
          },
          {
            ...common('com.apple.mdm', 'mdm', '00000000-0000-4000-8000-000000000004'),
            IdentityCertificateUUID: '00000000-0000-4000-8000-000000000003',
            ServerURL: `${test.url}/mdm`,
            CheckInURL: `${test.url}/checkin`,
            Topic: topic,
            AccessRights: 8191,
            SignMessage: true,
            CheckOutWhenRemoved: true,
            ...changes,
          },
        ],
      });
    },
    sign: (plist) => signCms(plist, { certificate: tls.certificate, privateKey: tls.privateKey, chain: [root] }),
    issued: () => store.issued(),
    async pushPem(subjectTopic) {
      const key = await generateKeyPair({ type: 'ec', curve: 'P-256' });
      const certificate = await ca.issue({
        publicKey: key.publicKey,
        subject: `UID=${subjectTopic},CN=APSP`,
        template: 'apns-client',
      });
      return { certificate: toPem(certificate), privateKey: toPem(key.privateKey, 'PRIVATE KEY') };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.on('tlsClientError', () => {});
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(test, { url: `${options.tls === false ? 'http' : 'https'}://localhost:${port}` });
}

async function answerScep(
  scep: ScepServer,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const answer = await scep.handle(
    new Request(`http://localhost${request.url}`, {
      method: request.method!,
      ...(request.method === 'POST'
        ? { body: Uint8Array.from(body), headers: { 'content-type': 'application/x-pki-message' } }
        : {}),
    }),
  );
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(Buffer.from(await answer.arrayBuffer()));
}
