// Every authority passes the contract, and the contract refuses authorities that break it in one way each.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuthorityContractRunner, authorityContract, type OpenAuthority } from '../src/contract/index.ts';
import {
  type AlternativeName,
  type CertificateAuthority,
  createCaSet,
  createCsr,
  createMemoryRevocationStore,
  createMemoryScepStore,
  createPkcs12,
  createRootCa,
  createScepServer,
  fingerprintSha256,
  generateKeyPair,
  getScepServerInfo,
  type Identity,
  type IssueRequest,
  issueIdentity,
  localSigner,
  openCa,
  openScepProxy,
  PkiError,
  readCertificate,
  readPkcs12,
  requestIntermediateCa,
  revocableAuthority,
  type ScepCommit,
  type ScepDecision,
  type ScepServer,
  type ScepServerInfo,
  scepEnrol,
  templates,
} from '../src/index.ts';
import { clock, codeOfAsync, freePort, hasTool, now, oracle, reachable, run, tempDir } from './support.ts';

const runner: AuthorityContractRunner = { describe, it, expect };
const wall = (): number => Date.now();

let root: Identity;
let ecRoot: Identity;
let ra: Identity;
let upstream: CertificateAuthority;
beforeAll(async () => {
  root = await createRootCa({ subject: 'CN=Contract Root,O=Espalier', key: { type: 'rsa', bits: 2048 }, clock });
  ecRoot = await createRootCa({ subject: 'CN=EC Root', key: { type: 'ec', curve: 'P-384' }, clock });
  upstream = await openCa({ ...root, clock });
  const pair = await generateKeyPair();
  const certificate = await upstream.issue({ publicKey: pair.publicKey, subject: 'CN=RA', template: 'scep-ra' });
  ra = { certificate: Uint8Array.from(certificate), privateKey: pair.privateKey };
});

/** An adapter as others write them: a class, whose methods need their instance. */
class Adapter implements CertificateAuthority {
  readonly #ca: CertificateAuthority;
  readonly certificate: Uint8Array;
  readonly chain: readonly Uint8Array[];

  constructor(ca: CertificateAuthority) {
    this.#ca = ca;
    this.certificate = ca.certificate;
    this.chain = ca.chain;
  }

  issue(request: IssueRequest): Promise<Uint8Array> {
    return this.#ca.issue(request);
  }

  async test(): Promise<void> {
    await this.#ca.test?.();
  }

  async profiles() {
    return this.certificate.length > 0 ? [] : [{ id: '', name: '', fields: [] }];
  }
}

authorityContract('an adapter', async () => ({ authority: new Adapter(upstream), now: clock }), runner);
authorityContract('a root with RSA', async () => ({ authority: await openCa({ ...root, clock }), now: clock }), runner);

authorityContract(
  'an intermediate with EC',
  async () => {
    const parent = await openCa({ ...ecRoot, clock });
    const made = await requestIntermediateCa({ subject: 'CN=Below', key: { type: 'ec', curve: 'P-256' } });
    const certificate = await parent.issue({ csr: made.csr, template: 'intermediate-ca' });
    const authority = await openCa({ ...made, certificate, chain: [ecRoot.certificate], clock });
    return { authority, now: clock };
  },
  runner,
);

authorityContract(
  'an authority with account of its certificates',
  async () => {
    const ca = new Adapter(await openCa({ ...root, clock }));
    return { authority: revocableAuthority(ca, { store: createMemoryRevocationStore(), clock }), now: clock };
  },
  runner,
);

authorityContract(
  'a set of authorities',
  async () => {
    const current = new Adapter(await openCa({ ...root, clock }));
    return { authority: createCaSet({ current, earlier: [ecRoot], clock }), now: clock };
  },
  runner,
);

/** Our own SCEP server as the upstream of a proxy; `offline` makes it unreachable. */
function ownUpstream(more: Partial<Parameters<typeof createScepServer>[0]> = {}) {
  const state = { offline: false };
  const scep: ScepServer = createScepServer({
    ca: upstream,
    store: createMemoryScepStore({ clock }),
    clock,
    allowRequestedSans: true,
    registrars: {
      certificates: [ra.certificate],
      authorise: async () => ({ decision: 'issue', grant: { reference: 'registrar' } }),
    },
    ...more,
  });
  const fetch = async (request: Request): Promise<Response> => {
    if (state.offline) throw new TypeError('fetch failed');
    return scep.handle(request);
  };
  return { state, fetch, url: 'http://upstream.test/scep' };
}

const openProxy: OpenAuthority = async () => {
  const { state, fetch, url } = ownUpstream();
  const authority = await openScepProxy({ url, fetch, ra, clock });
  return {
    authority,
    now: clock,
    cutOff() {
      state.offline = true;
    },
  };
};
authorityContract('a SCEP proxy before our own server', openProxy, runner);

describe('micromdm’s scepserver as upstream', () => {
  let server: ChildProcess | undefined;
  let url = '';
  let registrar: Identity;
  let info: ScepServerInfo;
  // It spoils its serial number file when two requests meet: one at a time.
  let queue: Promise<unknown> = Promise.resolve();
  const oneByOne = (request: Request): Promise<Response> => {
    const next = queue.then(() => fetch(request));
    queue = next.catch(() => {});
    return next;
  };

  beforeAll(async () => {
    if (!hasTool('scepserver')) return;
    const depot = tempDir();
    await run('scepserver', ['ca', '-init', '-depot', depot, '-keySize', '2048']);
    const port = await freePort();
    server = spawn('scepserver', ['-depot', depot, '-port', String(port), '-allowrenew', '0'], { stdio: 'ignore' });
    await reachable(port);
    url = `http://127.0.0.1:${port}/scep`;
    info = await getScepServerInfo({ url, fetch });
    registrar = await scepEnrol({ url, fetch, clock: Date, subject: 'CN=RA', allowSha1: true }).then(
      ({ certificate, privateKey }) => ({
        certificate: Uint8Array.from(certificate),
        privateKey: Uint8Array.from(privateKey),
      }),
    );
  });
  afterAll(() => {
    server?.kill('SIGKILL');
  });

  if (hasTool('scepserver')) {
    const open: OpenAuthority = async () => {
      let offline = false;
      const authority = await openScepProxy({
        url,
        fetch: (request) => (offline ? Promise.reject(new TypeError('fetch failed')) : oneByOne(request)),
        ra: registrar,
        server: info,
        keys: ['rsa'],
        clock: Date,
        allowSha1: true,
      });
      const cutOff = (): void => {
        offline = true;
      };
      return { authority, now: wall, cutOff };
    };
    authorityContract('a SCEP proxy', open, runner);
  } else oracle('scepserver', 'a SCEP proxy: authority contract', () => {});
});

describe('the contract', () => {
  /** Runs the suite with a runner of its own; gives the names of the tests that failed. */
  async function failures(open: OpenAuthority): Promise<string[]> {
    const tests: { name: string; body: () => Promise<void> }[] = [];
    authorityContract('mutant', open, {
      describe: (_name, body) => body(),
      it: (name, body) => tests.push({ name, body }),
      expect,
    });
    const failed: string[] = [];
    for (const { name, body } of tests) {
      try {
        await body();
      } catch {
        failed.push(name);
      }
    }
    return failed;
  }

  const ec = { type: 'ec', curve: 'P-256' } as const;
  const fast = async (): Promise<CertificateAuthority> => openCa({ ...ecRoot, clock });
  type Mutation = (ca: CertificateAuthority) => CertificateAuthority;
  const issuing =
    (change: (ca: CertificateAuthority, request: IssueRequest) => Promise<Uint8Array>): Mutation =>
    (ca) => ({ ...ca, issue: (request) => change(ca, request) });
  const extra: AlternativeName = { type: 'dns', value: 'evil.example' };
  let counter = 0;
  const mutants: readonly (readonly [name: string, mutate: Mutation])[] = [
    [
      'issues for another key',
      issuing(async (ca, { csr: _csr, ...request }) => {
        const { publicKey } = await generateKeyPair(ec);
        return ca.issue({ ...request, publicKey });
      }),
    ],
    ['issues to another subject', issuing((ca, request) => ca.issue({ ...request, subject: 'CN=somebody else' }))],
    [
      'adds to the subject',
      issuing((ca, request) => ca.issue({ ...request, subject: `${String(request.subject)},OU=more` })),
    ],
    ['leaves names out', issuing((ca, request) => ca.issue({ ...request, sans: [] }))],
    ['adds names', issuing((ca, request) => ca.issue({ ...request, sans: [...(request.sans ?? []), extra] }))],
    [
      'repeats serial numbers',
      issuing((ca, request) => ca.issue({ ...request, serial: Uint8Array.of(1, counter++ % 3) })),
    ],
    [
      'remembers one answer',
      (ca) => {
        let first: Promise<Uint8Array> | undefined;
        return { ...ca, issue: (request) => (first ??= ca.issue(request)) };
      },
    ],
    ['ignores validity', issuing((ca, { validityDays: _days, ...request }) => ca.issue(request))],
    ['issues what has ended', (ca) => ({ ...ca, issue: endedCertificate })],
    ['issues authorities', issuing((ca, request) => ca.issue({ ...request, template: 'intermediate-ca' }))],
    [
      'issues for servers only',
      issuing((ca, request) => ca.issue({ ...request, template: { ...templates['tls-server'], requireSans: false } })),
    ],
    [
      'issues without the right to sign',
      issuing((ca, request) => ca.issue({ ...request, template: { ...templates.device, keyUsage: ['keyAgreement'] } })),
    ],
    [
      'takes weak keys',
      issuing((ca, request) =>
        ca.issue({
          ...request,
          template: request.template === 'device' ? { ...templates.device, minRsaBits: 1024 } : request.template,
        }),
      ),
    ],
    [
      'does not check the CSR',
      issuing(async (ca, request) => {
        try {
          return await ca.issue(request);
        } catch (error) {
          if (!(error instanceof PkiError) || error.code !== 'pki.csr.bad_signature') throw error;
          const { publicKey } = await generateKeyPair(ec);
          const { csr: _csr, ...rest } = request;
          return ca.issue({ ...rest, publicKey });
        }
      }),
    ],
    [
      'spoils the signature',
      issuing(async (ca, request) => {
        const der = Uint8Array.from(await ca.issue(request));
        der[der.length - 1]! ^= 1;
        return der;
      }),
    ],
    [
      'shows another certificate than the one it signs with',
      (ca) => ({ ...ca, certificate: Uint8Array.from(root.certificate) }),
    ],
    ['shows no authority', (ca) => ({ ...ca, certificate: Uint8Array.from(ra.certificate) })],
    ['shows a chain of strangers', (ca) => ({ ...ca, chain: [root.certificate] })],
    [
      'throws errors of its own',
      issuing(async (ca, request) => {
        try {
          return await ca.issue(request);
        } catch {
          throw new Error('500 Internal Server Error');
        }
      }),
    ],
    [
      'calls its requester’s fault an outage',
      issuing(async (ca, request) => {
        try {
          return await ca.issue(request);
        } catch {
          throw new PkiError('adapter.failed', 'failed', { kind: 'unavailable' });
        }
      }),
    ],
    ['writes into the request', issuing((ca, request) => ca.issue(request).finally(() => void request.csr?.fill(0)))],
    [
      'has the same profile twice',
      (ca) => ({ ...ca, profiles: async () => [1, 2].map(() => ({ id: 'a', name: 'A', fields: [] })) }),
    ],
    ['issues for unknown profiles', (ca) => ({ ...ca, profiles: async () => [{ id: 'a', name: 'A', fields: [] }] })],
    [
      'fails its own test',
      (ca) => ({
        ...ca,
        test: async () => {
          throw new Error('no');
        },
      }),
    ],
    ['knows every certificate', (ca) => ({ ...ca, status: async () => ({ status: 'good' }) })],
    ['knows no certificate', (ca) => ({ ...ca, status: async () => ({ status: 'unknown' }) })],
    ['revokes whatever it is told', (ca) => ({ ...ca, revoke: async () => {} })],
    [
      'lets a later reason win',
      (ca) => {
        const issued = new Set<string>();
        const reasons = new Map<string, 'keyCompromise' | 'superseded'>();
        return {
          ...ca,
          async issue(request) {
            const der = await ca.issue(request);
            issued.add(readCertificate(der).serialNumber);
            return der;
          },
          async status(serial) {
            const reason = reasons.get(serial);
            if (reason) return { status: 'revoked', revokedAt: now, reason };
            return { status: issued.has(serial) ? 'good' : 'unknown' };
          },
          async revoke(serial, reason) {
            if (!issued.has(serial)) throw new PkiError('x.unknown', 'unknown', { kind: 'not-found' });
            reasons.set(serial, reason as 'superseded');
          },
        };
      },
    ],
  ];

  async function endedCertificate(request: IssueRequest): Promise<Uint8Array> {
    const earlier = await openCa({ ...ecRoot, clock: () => now + 60_000 });
    return earlier.issue({ ...request, validityDays: 30 / 86_400 });
  }

  it('is passed by the authority that the mutants are made of', async () => {
    expect(await failures(async () => ({ authority: await fast(), now: clock }))).toEqual([]);
  });

  for (const [name, mutate] of mutants) {
    it(`refuses an authority that ${name}`, async () => {
      const later = name === 'issues what has ended' ? () => now + 120_000 : clock;
      const failed = await failures(async () => ({ authority: mutate(await fast()), now: later }));
      expect(failed.length).toBeGreaterThan(0);
    });
  }

  it('refuses a proxy that calls an outage something else', async () => {
    const failed = await failures(async () => {
      const fixture = await openProxy();
      const { authority } = fixture;
      const issue = async (request: IssueRequest): Promise<Uint8Array> => {
        try {
          return await authority.issue(request);
        } catch (error) {
          if (error instanceof PkiError && error.kind !== 'unavailable') throw error;
          throw new PkiError('x.refused', 'refused');
        }
      };
      return { ...fixture, authority: { ...authority, issue } };
    });
    expect(failed).toEqual(['is unavailable, and says so, while its issuer cannot be reached']);
  });
});

describe('the SCEP proxy', () => {
  const csrFor = async (subject: string, challengePassword?: string) => {
    const keys = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const signer = localSigner(keys.privateKey);
    return createCsr({ subject, signer, ...(challengePassword === undefined ? {} : { challengePassword }) });
  };

  it('waits within a call, and says what is pending when that takes too long', async () => {
    const store = createMemoryScepStore({ clock });
    const registrars = {
      certificates: [ra.certificate],
      authorise: async () => ({ decision: 'pending' }) as const,
    };
    const { fetch, url } = ownUpstream({ store, registrars });
    const proxy = await openScepProxy({ url, fetch, ra, clock });
    const request = { csr: await csrFor('CN=waiting'), template: 'device' } as const;
    expect(await codeOfAsync(() => proxy.issue(request))).toBe('pki.ca.pending');

    const [held] = store.pending();
    const patient = await openScepProxy({
      ...{ url, fetch, ra, clock },
      polling: {
        attempts: 3,
        async wait(attempt) {
          if (attempt === 2) store.decide(held!.transactionId, { decision: 'issue', grant: { reference: 'approved' } });
        },
      },
    });
    const certificate = await patient.issue(request);
    expect(readCertificate(certificate).subjectCn).toBe('waiting');
    // And the same request once more, as after a crash: never a second certificate.
    expect(fingerprintSha256(await proxy.issue(request))).toBe(fingerprintSha256(certificate));
    expect(store.issued()).toHaveLength(1);
  });

  it('gives the same certificate to the same request, at once or again', async () => {
    const store = createMemoryScepStore({ clock });
    const { fetch, url } = ownUpstream({ store });
    const proxy = await openScepProxy({ url, fetch, ra, clock });
    const request = { csr: await csrFor('CN=twice'), template: 'device' } as const;
    const answers = await Promise.all([proxy.issue(request), proxy.issue(request)]);
    const again = await (await openScepProxy({ url, fetch, ra, clock })).issue(request);
    expect(new Set([...answers, again].map(fingerprintSha256)).size).toBe(1);
    expect(store.issued()).toHaveLength(1);
  });

  it('forwards nothing that was not granted', async () => {
    const { fetch, url } = ownUpstream();
    const proxy = await openScepProxy({ url, fetch, ra, clock });
    const csr = await csrFor('CN=asked');
    const base = { csr, template: 'device' } as const;
    for (const more of [
      { subject: 'CN=granted' },
      { sans: [{ type: 'dns', value: 'a.example' }] as const },
      { serial: Uint8Array.of(1) },
      { extensions: [{ oid: '1.2.3', critical: false, value: Uint8Array.of(5, 0) }] },
      { publicKey: (await generateKeyPair({ type: 'ec', curve: 'P-256' })).publicKey },
    ]) {
      expect(await codeOfAsync(() => proxy.issue({ ...base, ...more }))).toBe('pki.ca.unsupported');
    }
    expect(await codeOfAsync(() => proxy.issue({ subject: 'CN=x', template: 'device' }))).toBe('pki.ca.unsupported');
  });

  it('tells a refusal from an upstream server that does not work', async () => {
    const refusing = ownUpstream({
      registrars: { certificates: [ra.certificate], authorise: async () => ({ decision: 'refuse' }) },
    });
    const request = { csr: await csrFor('CN=x'), template: 'device' } as const;
    const code = async (fetch: (request: Request) => Promise<Response>): Promise<string> => {
      const server = await getScepServerInfo({ url: refusing.url, fetch: refusing.fetch });
      const proxy = await openScepProxy({ url: refusing.url, fetch, ra, clock, server });
      return codeOfAsync(() => proxy.issue(request));
    };
    expect(await code(refusing.fetch)).toBe('pki.ca.refused');
    // A registration authority that the upstream server does not know: the request is not by its signer.
    expect(await code(ownUpstream({ registrars: { certificates: [], authorise: never } }).fetch)).toBe(
      'pki.ca.upstream',
    );
    expect(await code(async () => new Response('no', { status: 404 }))).toBe('pki.ca.upstream');
    expect(await code(async () => new Response('no', { status: 503 }))).toBe('pki.scep.http');
    expect(await code(async () => new Response(randomBytes(900)))).toBe('pki.ca.upstream');
  });

  it('shows nobody a certificate for something else', async () => {
    const wrong = async (change: (request: IssueRequest) => IssueRequest): Promise<string> => {
      const ca = { ...upstream, issue: (request: IssueRequest) => upstream.issue(change(request)) };
      const { fetch, url } = ownUpstream({ ca });
      const proxy = await openScepProxy({ url, fetch, ra, clock });
      return codeOfAsync(async () => proxy.issue({ csr: await csrFor('CN=right'), template: 'device' }));
    };
    expect(await wrong((request) => ({ ...request, subject: 'CN=wrong' }))).toBe('pki.ca.mismatch');
    expect(await wrong((request) => ({ ...request, sans: [{ type: 'dns', value: 'x.example' }] }))).toBe(
      'pki.ca.mismatch',
    );
    expect(await wrong((request) => ({ ...request, template: 'intermediate-ca' }))).toBe('pki.ca.mismatch');
  });

  it('stands behind our own server: a device enrols through both, and polls through both', async () => {
    const upstreamStore = createMemoryScepStore({ clock });
    const registrars = { certificates: [ra.certificate], authorise: async () => ({ decision: 'pending' }) as const };
    const behind = ownUpstream({ store: upstreamStore, registrars });
    const proxy = await openScepProxy({ ...behind, ra, clock });
    const store = createMemoryScepStore({ clock });
    const front = createScepServer({ ca: proxy, ra, store, clock });
    const challenge = store.createChallenge({ reference: 'device 1' });
    const device = await scepEnrol({
      ...{ url: 'http://front.test/scep', fetch: front.handle, clock, subject: 'CN=through both', challenge },
      polling: {
        attempts: 3,
        async wait(attempt) {
          const [held] = upstreamStore.pending();
          expect(held).toBeDefined();
          if (attempt === 2) {
            upstreamStore.decide(held!.transactionId, { decision: 'issue', grant: { reference: 'r' } });
          }
        },
      },
    });
    expect(readCertificate(device.certificate).subject).toBe('CN=through both');
    expect(store.issued()).toHaveLength(1);
    // The challenge was used up by the certificate it paid for.
    const again = { url: 'http://front.test/scep', fetch: front.handle, clock, subject: 'CN=other', challenge };
    expect(await codeOfAsync(() => scepEnrol(again))).toBe('pki.scep.failed');

    behind.state.offline = true;
    const late = { ...again, challenge: store.createChallenge({ reference: 'device 2' }) };
    await expect(scepEnrol(late)).rejects.toMatchObject({ code: 'pki.scep.http', kind: 'unavailable' });
  });

  it('renews through both, and the poll replaces the certificate that was renewed', async () => {
    const upstreamStore = createMemoryScepStore({ clock });
    let decision: 'issue' | 'pending' = 'issue';
    const registrars = {
      certificates: [ra.certificate],
      authorise: async (): Promise<ScepDecision> =>
        decision === 'issue' ? { decision, grant: { reference: 'upstream' } } : { decision },
    };
    const proxy = await openScepProxy({ ...ownUpstream({ store: upstreamStore, registrars }), ra, clock });
    const memory = createMemoryScepStore({ clock });
    const commits: ScepCommit[] = [];
    const store: typeof memory = {
      ...memory,
      commit(entry) {
        commits.push(entry);
        return memory.commit(entry);
      },
    };
    const renewal = { authorise: async () => ({ reference: 'renewal' }) };
    const front = createScepServer({ ca: proxy, ra, store, clock, renewal });
    const base = { url: 'http://front.test/scep', fetch: front.handle, clock, subject: 'CN=device' };
    const device = await scepEnrol({ ...base, challenge: memory.createChallenge({ reference: 'device' }) });
    decision = 'pending';
    let polls = 0;
    const renewed = await scepEnrol({
      ...{ ...base, renew: device },
      polling: {
        attempts: 4,
        async wait(attempt) {
          polls = attempt;
          const [held] = upstreamStore.pending();
          if (attempt < 3) expect(held).toBeDefined();
          else upstreamStore.decide(held!.transactionId, { decision: 'issue', grant: { reference: 'r' } });
        },
      },
    });
    expect(polls).toBe(3);
    expect(fingerprintSha256(renewed.certificate)).not.toBe(fingerprintSha256(device.certificate));
    expect(readCertificate(renewed.certificate).subject).toBe('CN=device');
    expect(commits).toHaveLength(2);
    expect(commits[1]).toMatchObject({ challenge: null, grant: { reference: 'renewal' } });
    expect(fingerprintSha256(commits[1]!.renews!)).toBe(fingerprintSha256(device.certificate));
    expect(upstreamStore.issued()).toHaveLength(2);
    expect(
      await store.findPending!(renewed.transactionId, readCertificate(device.certificate).publicKeyHash),
    ).toBeNull();
  });

  it('shows and trusts exactly the chain that was uploaded', async () => {
    const { fetch, url } = ownUpstream();
    const base = { url, fetch, ra, clock };
    const proxy = await openScepProxy({ ...base, chain: [root.certificate] });
    expect(fingerprintSha256(proxy.certificate)).toBe(fingerprintSha256(root.certificate));
    expect(proxy.chain).toEqual([]);
    expect(readCertificate(await proxy.issue({ csr: await csrFor('CN=x'), template: 'device' })).subjectCn).toBe('x');
    for (const chain of [[ecRoot.certificate], [root.certificate, ecRoot.certificate]]) {
      expect(await codeOfAsync(() => openScepProxy({ ...base, chain }))).toBe('pki.ca.chain');
    }
  });

  it('notices in its test that the upstream server has another authority', async () => {
    const before = ownUpstream();
    const other = await openCa({
      ...(await createRootCa({ subject: 'CN=New', key: { type: 'rsa', bits: 2048 }, clock })),
      clock,
    });
    const after = ownUpstream({ ca: other });
    let answering = before.fetch;
    const proxy = await openScepProxy({ url: before.url, fetch: (request) => answering(request), ra, clock });
    await proxy.test();
    answering = after.fetch;
    expect(await codeOfAsync(() => proxy.test())).toBe('pki.ca.upstream');
  });

  it('certifies keys that the server makes, with the issuer’s own challenge in the request', async () => {
    const store = createMemoryScepStore({ clock });
    const behind = createScepServer({
      ca: upstream,
      store,
      clock,
      allowRequestedSans: true,
      registrars: {
        certificates: [ra.certificate],
        authorise: async ({ csr }) =>
          csr.challengePassword === 'from the issuer'
            ? { decision: 'issue', grant: { reference: 'central' } }
            : { decision: 'refuse' },
      },
    });
    const base = { url: 'http://upstream.test/scep', fetch: behind.handle, ra, clock };
    const sans = [{ type: 'email', value: 'jo@example.com' }] as const;
    const asked = { subject: 'CN=jo@example.com', sans, template: 'device' } as const;
    const proxy = await openScepProxy({ ...base, challenge: async () => 'from the issuer', keys: ['rsa'] });
    const identity = await issueIdentity(proxy, asked);
    expect(readCertificate(identity.certificate)).toMatchObject({ subjectCn: 'jo@example.com', sans });
    expect(identity.chain.map(fingerprintSha256)).toEqual([fingerprintSha256(root.certificate)]);
    const file = await createPkcs12({ ...identity, password: 'secret' });
    expect((await readPkcs12(file, 'secret')).chain).toHaveLength(1);
    expect(await codeOfAsync(() => issueIdentity(proxy, { ...asked, key: { type: 'ec', curve: 'P-256' } }))).toBe(
      'pki.ca.unsupported',
    );
    const without = await openScepProxy(base);
    expect(await codeOfAsync(() => issueIdentity(without, asked))).toBe('pki.ca.refused');
    // And the same by an authority of our own, which needs no CSR.
    const local = await issueIdentity(upstream, { ...asked, key: { type: 'ec', curve: 'P-256' }, validityDays: 30 });
    expect(readCertificate(local.certificate).notAfter.getTime()).toBe(now + 30 * 86_400_000);
  });

  it('needs a registration authority with an RSA key', async () => {
    const { fetch, url } = ownUpstream();
    const { privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const bad = { certificate: ra.certificate, privateKey };
    expect(await codeOfAsync(() => openScepProxy({ url, fetch, ra: bad, clock }))).toBe('pki.scep.key');
  });
});

const never = async (): Promise<never> => {
  throw new Error('asked all the same');
};
