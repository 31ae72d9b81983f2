// Bad SCEP messages: typed refusals, at once, and nothing that an attacker can use.
import { createPrivateKey, sign as nativeSign } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { encryptEnvelope } from '../src/cms/enveloped.ts';
import { attribute, signCmsWith } from '../src/cms/signed-write.ts';
import { integer, octets, printable, sequence } from '../src/der/writer.ts';
import {
  createCsr,
  createMemoryScepStore,
  createScepServer,
  encryptCms,
  generateKeyPair,
  getScepServerInfo,
  type Identity,
  localSigner,
  type MemoryScepStore,
  oids,
  openScepProxy,
  PkiError,
  readCertificate,
  type ScepEvent,
  type ScepServer,
  type ScepServerOptions,
  sendScepRequest,
  signCms,
} from '../src/index.ts';
import { prepareScepMessage } from '../src/scep/client-message.ts';
import { parseScepMessage } from '../src/scep/message.ts';
import { encodeName } from '../src/x509/name.ts';
import { body, cpuSince, type HostileWorld, hostileWorld, nested, nightly, selfSign } from './hostile-support.ts';
import { clock, now } from './support.ts';

const url = 'http://scep.test/scep?operation=PKIOperation';

let { root, ca, device, ecDevice, requester, selfSigned, identity } = {} as HostileWorld;
beforeAll(async () => {
  ({ root, ca, device, ecDevice, requester, selfSigned, identity } = await hostileWorld());
});

describe('SCEP', () => {
  let store: MemoryScepStore;
  let events: ScepEvent[];
  let server: ScepServer;

  function setUp(options: Partial<ScepServerOptions> = {}): void {
    store = createMemoryScepStore({ clock });
    events = [];
    server = createScepServer({ ca, store, clock, onEvent: (event) => events.push(event), ...options });
  }

  interface Craft {
    messageType?: string;
    transactionId?: Uint8Array | null;
    nonce?: Uint8Array | null;
    content?: Uint8Array;
    envelope?: Uint8Array | null;
    certificate?: Uint8Array;
    key?: Uint8Array;
    extra?: Uint8Array[];
  }

  async function craft(parts: Craft): Promise<Uint8Array> {
    const attributes: Uint8Array[] = [...(parts.extra ?? [])];
    if (parts.messageType !== '')
      attributes.push(attribute(oids.scepMessageType, printable(parts.messageType ?? '19')));
    if (parts.transactionId !== null) {
      attributes.push(attribute(oids.scepTransactionId, parts.transactionId ?? printable('transaction')));
    }
    if (parts.nonce !== null)
      attributes.push(attribute(oids.scepSenderNonce, parts.nonce ?? octets(new Uint8Array(16))));
    const envelope =
      parts.envelope === undefined
        ? encryptCms(parts.content ?? (await csr()), { recipients: [root.certificate], cipher: 'aes-128-cbc' })
        : parts.envelope;
    return signCmsWith(envelope, {
      certificate: parts.certificate ?? selfSigned,
      signer: localSigner(parts.key ?? requester.privateKey),
      attributes,
    });
  }

  const csr = (challengePassword = store.createChallenge({ reference: 'r' }), key = requester.privateKey) =>
    createCsr({ subject: 'CN=x', signer: localSigner(key), challengePassword });

  /** What the server answers: an HTTP status, or the failInfo of a CertRep. */
  async function answer(message: Uint8Array): Promise<string> {
    const started = process.cpuUsage();
    const response = await server.handle(new Request(url, { method: 'POST', body: Uint8Array.from(message) }));
    expect(cpuSince(started), 'milliseconds of work').toBeLessThan(100);
    if (response.status !== 200) return `HTTP ${response.status}`;
    const reply = parseScepMessage(new Uint8Array(await response.arrayBuffer()), 100_000);
    reply.verify({});
    expect(reply.signer.der).toEqual(root.certificate);
    if (reply.pkiStatus === 0) return 'SUCCESS';
    expect(reply.envelope).toBeNull();
    return ['badAlg', 'badMessageCheck', 'badRequest', 'badTime', 'badCertId'][reply.failInfo!]!;
  }

  const http: [string, () => Promise<Uint8Array>][] = [
    ['text', async () => Buffer.from('hello')],
    ['HTML', async () => Buffer.from('<html></html>')],
    ['an indefinite length without end', async () => nested(1000, [0x30, 0x80])],
    ['a certificate', async () => device.certificate],
    ['an envelope', async () => encryptCms(body, { recipients: [root.certificate] })],
    ['a plain signature', async () => signCms(body, device)],
    ['no attributes', async () => signCms(body, { ...device, noAttributes: true })],
    ['no messageType', () => craft({ messageType: '' })],
    ['a messageType that is text', () => craft({ messageType: 'PKCSReq' })],
    ['no transactionID', () => craft({ transactionId: null })],
    ['an empty transactionID', () => craft({ transactionId: printable('') })],
    ['a transactionID of 10,000 characters', () => craft({ transactionId: printable('x'.repeat(10_000)) })],
    ['a transactionID that is a number', () => craft({ transactionId: integer(1) })],
    ['no senderNonce', () => craft({ nonce: null })],
    ['an empty senderNonce', () => craft({ nonce: octets(new Uint8Array()) })],
    ['a senderNonce of 1,000 bytes', () => craft({ nonce: octets(new Uint8Array(1000)) })],
    ['two transactionIDs', () => craft({ extra: [attribute(oids.scepTransactionId, printable('2'))] })],
  ];
  it.each(http)('answers HTTP 400 to %s', async (_, make) => {
    setUp();
    expect(await answer(await make())).toBe('HTTP 400');
    expect(events).toEqual([expect.objectContaining({ type: 'malformed' })]);
    expect(store.issued()).toEqual([]);
  });

  const failures: [string, string, () => Promise<Uint8Array>][] = [
    ['badRequest', 'an unknown messageType', () => craft({ messageType: '99' })],
    ['badRequest', 'a CertRep', () => craft({ messageType: '3' })],
    ['badRequest', 'no content', () => craft({ envelope: null })],
    ['badMessageCheck', 'content that is not encrypted', async () => craft({ envelope: await csr() })],
    ['badMessageCheck', 'content that is text', () => craft({ content: body })],
    ['badMessageCheck', 'empty content', () => craft({ content: new Uint8Array() })],
    ['badMessageCheck', 'a certificate for a CSR', () => craft({ content: device.certificate })],
    [
      'badMessageCheck',
      'a CSR with a wrong signature',
      async () => {
        const content = await csr();
        content[content.length - 1]! ^= 1;
        return craft({ content });
      },
    ],
    [
      'badMessageCheck',
      'a CSR for another key than the message is signed with',
      async () => craft({ content: await csr(undefined, device.privateKey) }),
    ],
    [
      'badMessageCheck',
      'an envelope to somebody else',
      async () => craft({ envelope: encryptCms(await csr(), { recipients: [device.certificate] }) }),
    ],
    [
      'badMessageCheck',
      'a broken envelope',
      async () => {
        const envelope = encryptCms(await csr(), { recipients: [root.certificate] });
        envelope[envelope.length - 1]! ^= 1;
        return craft({ envelope });
      },
    ],
    [
      'badMessageCheck',
      'a changed signature',
      async () => {
        const message = await craft({});
        message[message.length - 1]! ^= 1;
        return message;
      },
    ],
    [
      'badAlg',
      'OAEP key transport',
      async () =>
        craft({
          envelope: encryptCms(await csr(), { recipients: [root.certificate], keyTransport: 'rsa-oaep-sha256' }),
        }),
    ],
    ['badAlg', 'a signer with an EC key', () => craft({ certificate: ecDevice.certificate, key: ecDevice.privateKey })],
    ['badRequest', 'a wrong challenge', async () => craft({ content: await csr('wrong') })],
    ['badRequest', 'an empty challenge', async () => craft({ content: await csr('') })],
    ['badRequest', 'a challenge of 10,000 characters', async () => craft({ content: await csr('x'.repeat(10_000)) })],
    ['badRequest', 'a renewal where none are allowed', () => craft({ messageType: '17' })],
    ['badCertId', 'a poll for no transaction', () => craft({ messageType: '20' })],
    ['badRequest', 'GetCert by a stranger', () => craft({ messageType: '21' })],
    ['badRequest', 'GetCRL by a stranger', () => craft({ messageType: '22' })],
  ];
  it.each(failures)('answers %s to %s', async (failInfo, _, make) => {
    setUp();
    const message = await make();
    expect(await answer(message)).toBe(failInfo);
    expect(events).toEqual([expect.objectContaining({ type: 'refused', failInfo })]);
    expect(store.issued()).toEqual([]);
  });

  it('answers badAlg to weak keys and to single DES where it is refused', async () => {
    setUp({ allowDes: false });
    const envelope = encryptEnvelope(await csr(), { recipients: [root.certificate], cipher: 'des' });
    expect(await answer(await craft({ envelope }))).toBe('badAlg');
    setUp();
    const weak = await generateKeyPair({ type: 'rsa', bits: 1024 });
    const certificate = await selfSign(weak);
    const content = await csr(undefined, weak.privateKey);
    expect(await answer(await craft({ certificate, key: weak.privateKey, content }))).toBe('badAlg');
    expect(store.issued()).toEqual([]);
  });

  it('takes SHA-1 from old clients only where that is allowed, and never answers with it', async () => {
    const key = createPrivateKey({ key: Buffer.from(requester.privateKey), format: 'der', type: 'pkcs8' });
    const sha1Signer = {
      publicKey: requester.publicKey,
      sign: async (data: Uint8Array) => Uint8Array.from(nativeSign('sha1', data, key)),
    };
    const request = async (): Promise<Uint8Array> =>
      signCmsWith(encryptCms(await csr(), { recipients: [root.certificate] }), {
        certificate: selfSigned,
        signer: sha1Signer,
        hash: 'sha1' as never, // our own writer has no such choice
        attributes: [
          attribute(oids.scepMessageType, printable('19')),
          attribute(oids.scepTransactionId, printable('old')),
          attribute(oids.scepSenderNonce, octets(new Uint8Array(16))),
        ],
      });
    setUp({ allowSha1: false });
    expect(await answer(await request())).toBe('badAlg');
    setUp();
    expect(await answer(await request())).toBe('SUCCESS'); // `answer` verifies the reply without allowing SHA-1
  });

  it('gives nothing for a captured request that somebody else signs again', async () => {
    setUp();
    const envelope = encryptCms(await csr(), { recipients: [root.certificate], cipher: 'aes-128-cbc' });
    const certificate = await selfSign({ ...(await thief()) });
    expect(await answer(await craft({ envelope, certificate, key: (await thief()).privateKey }))).toBe(
      'badMessageCheck',
    );
    // Every change to it looks the same as well: no oracle for the challenge inside.
    const seen = new Set<string>();
    for (let i = 1; i <= 48; i++) {
      const changed = Uint8Array.from(envelope);
      changed[changed.length - i]! ^= 1;
      seen.add(await answer(await craft({ envelope: changed, certificate, key: (await thief()).privateKey })));
    }
    expect([...seen]).toEqual(['badMessageCheck']);
    expect(store.issued()).toEqual([]);
  });

  let thiefKey: Awaited<ReturnType<typeof generateKeyPair>> | undefined;
  const thief = async () => (thiefKey ??= await generateKeyPair());

  it('gives a replayed message its one certificate, and a replayed challenge nothing', async () => {
    setUp();
    const challenge = store.createChallenge({ reference: 'r' });
    const message = await craft({ content: await csr(challenge) });
    expect(await answer(message)).toBe('SUCCESS');
    expect(await answer(message)).toBe('SUCCESS');
    expect(await answer(await craft({ content: await csr(challenge), transactionId: printable('2') }))).toBe(
      'badRequest',
    );
    expect(store.issued()).toHaveLength(1);
  });

  it('answers changed messages, whatever was changed, and issues at most once (property)', async () => {
    setUp();
    const message = await craft({});
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      kind: fc.constantFrom('flip', 'cut', 'insert'),
      value: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, kind, value }) => {
        const position = Math.floor(at * message.length);
        let changed = Uint8Array.from(message);
        if (kind === 'flip') changed[position]! ^= value;
        else if (kind === 'cut') changed = changed.subarray(0, position);
        else changed = Uint8Array.from([...changed.subarray(0, position), value, ...changed.subarray(position)]);
        expect(await answer(changed)).toMatch(/^(HTTP 400|bad[A-Z]\w+|SUCCESS)$/);
        expect(store.issued().length).toBeLessThanOrEqual(1);
      }),
      { seed: 13, numRuns: nightly ? 20_000 : 300 },
    );
    expect(events.filter((event) => event.type === 'error')).toEqual([]);
  });

  it('serves GetCert and GetCRL to holders of its certificates', async () => {
    setUp({ crl: async () => sequence(integer(1)) });
    const enrolled = await craft({});
    expect(await answer(enrolled)).toBe('SUCCESS');
    const issued = store.issued()[0]!;
    const { issuerDer, serialNumber } = readCertificate(issued);
    const content = sequence(issuerDer, integer(Buffer.from(serialNumber, 'hex')));
    const asked = { certificate: issued, key: requester.privateKey };
    expect(await answer(await craft({ ...asked, content, messageType: '21' }))).toBe('SUCCESS');
    expect(await answer(await craft({ ...asked, content, messageType: '22' }))).toBe('SUCCESS');
    const unknown = sequence(issuerDer, integer(12_345));
    expect(await answer(await craft({ ...asked, content: unknown, messageType: '21' }))).toBe('badCertId');
    expect(await answer(await craft({ ...asked, content: body, messageType: '21' }))).toBe('badMessageCheck');
  });
});

describe('registration authorities', () => {
  const requestFor = async (registrar: Identity, subject = 'CN=somebody') => {
    const pair = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const csr = await createCsr({ subject, signer: localSigner(pair.privateKey) });
    const server = await getScepServerInfo({ url: scepUrl, fetch: (request) => scep.handle(request) });
    const prepared = await prepareScepMessage({
      ...{ server, messageType: 19, csr, subjectDer: encodeName(subject), publicKey: pair.publicKey },
      ...{ transactionId: `t-${subject}`, ...registrar },
    });
    const answered = await sendScepRequest(
      { url: scepUrl, fetch: (request) => scep.handle(request) },
      server,
      prepared,
    );
    return answered.status === 'failed' ? answered.failInfo : answered.status;
  };
  const scepUrl = 'http://scep.test/scep';
  let scep: ScepServer;
  let asked: string[] = [];
  let at = now;
  const setUp = (certificates: Uint8Array[]): void => {
    asked = [];
    scep = createScepServer({
      ...{ ca, store: createMemoryScepStore({ clock }), clock: () => at },
      registrars: {
        certificates,
        async authorise({ csr, registrar }) {
          asked.push(`${registrar.subjectCn} for ${csr.subjectCn}`);
          return csr.subjectCn === 'refused'
            ? { decision: 'refuse' }
            : { decision: 'issue', grant: { reference: 'r' } };
        },
      },
    });
  };

  it('may ask for others only if they are configured, and not beyond their end', async () => {
    setUp([device.certificate]);
    expect(await requestFor(device)).toBe('issued');
    expect(await requestFor(device, 'CN=refused')).toBe('badRequest');
    expect(asked).toEqual(['device for somebody', 'device for refused']);
    // Another certificate of the same authority, and one that only looks like the registration authority's.
    const other = await identity('CN=device');
    expect(await requestFor(other)).toBe('badMessageCheck');
    const lookalike = { certificate: Uint8Array.from(selfSigned), privateKey: Uint8Array.from(requester.privateKey) };
    expect(await requestFor(lookalike)).toBe('badMessageCheck');
    at = now + 400 * 86_400_000;
    expect(await requestFor(device, 'CN=late')).toBe('badRequest');
    at = now;
    expect(asked).toHaveLength(2);
  });
});

describe('an upstream server that lies (property)', () => {
  it('gets a typed refusal from the proxy, which shows no other certificate than the right one', async () => {
    const upstreamStore = createMemoryScepStore({ clock });
    const upstream = createScepServer({
      ...{ ca, store: upstreamStore, clock },
      registrars: {
        certificates: [device.certificate],
        authorise: async () => ({ decision: 'issue', grant: { reference: 'r' } }),
      },
    });
    const pair = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const csr = await createCsr({ subject: 'CN=x', signer: localSigner(pair.privateKey) });
    let spoil: ((body: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) | null = null;
    const fetch = async (request: Request): Promise<Response> => {
      const response = await upstream.handle(request);
      const answered = new Uint8Array(await response.arrayBuffer());
      return new Response(spoil ? spoil(answered) : answered, { headers: response.headers });
    };
    const proxy = await openScepProxy({ url, fetch, ra: device, clock });
    const right = Buffer.from(await proxy.issue({ csr, template: 'device' }));
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(255),
        fc.boolean(),
        async (where, value, cut) => {
          spoil = (answered) => {
            const position = Math.floor(where * answered.length);
            if (cut) return answered.slice(0, position);
            answered[position]! ^= value || 1;
            return answered;
          };
          try {
            expect(right.equals(await proxy.issue({ csr, template: 'device' }))).toBe(true);
          } catch (error) {
            if (!(error instanceof PkiError)) throw error;
            expect(['unavailable', 'internal']).toContain(error.kind);
          }
        },
      ),
      { seed: 31, numRuns: nightly ? 5000 : 120 },
    );
    expect(upstreamStore.issued()).toHaveLength(1);
  });
});
