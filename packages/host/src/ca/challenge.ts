// Challenges of SCEP that others make or judge: an authority like NDES, a callback, another service by HTTP.
import type { Engine } from '@espalier/core';
import type { CertificateAuthority, CertificateRequest, FetchFunction, ScepDecision, ScepRequest } from '@espalier/pki';
import { z } from 'zod';
import { HostError, isEspalierError } from '../errors.ts';
import { readBody } from '../http/body.ts';

/** A SCEP request with a challenge that this server did not make. */
export interface DelegatedRequest {
  readonly challenge: string;
  readonly transactionId: string;
  readonly csr: CertificateRequest;
}

/** What becomes of it; `issue` may say whom the certificate is for. */
export type DelegatedDecision =
  | {
      readonly decision: 'issue';
      readonly invitationId?: string;
      readonly enrolmentId?: string;
      /** In place of the CSR's: RFC 4514 text. */
      readonly subject?: string;
      readonly validityDays?: number;
    }
  | { readonly decision: 'pending' }
  | { readonly decision: 'refuse'; readonly reason?: string };

/** Where challenges come from, and who judges those of others. */
export interface ScepChallengeOptions {
  /**
   * Who makes the challenges in profiles: this server (`engine`, default), the authority behind it (`authority`: its
   * `challenge()`, as `ndesChallenge` gives it), or a function. Whoever made it, a challenge is bound to its invitation or
   * enrolment here and used up once, so each must be another one. The CSR carries it on to an authority that forwards.
   */
  readonly source?: 'engine' | 'authority' | (() => Promise<string>);
  /**
   * Judges challenges that this server does not know. It must judge a request that is sent again as it did before, until the
   * device has its certificate. What it throws is a fault of the server, and the device tries again. Default: refused.
   */
  readonly verify?: (request: DelegatedRequest) => Promise<DelegatedDecision>;
}

/** Makes the challenge of a profile. */
export type MakeChallenge = (binding: NonNullable<Parameters<Engine['enrolling']['challenge']>[0]>) => Promise<string>;

/** @throws HostError `host.options` where the authority hands out no challenges. */
export function challengeMaker(engine: Engine, ca: CertificateAuthority, options: ScepChallengeOptions): MakeChallenge {
  const { source = 'engine' } = options;
  if (source === 'engine') return async (binding) => (await engine.enrolling.challenge(binding)).challenge;
  const fetched = source === 'authority' ? ca.challenge?.bind(ca) : source;
  if (fetched === undefined) {
    throw new HostError('invalid', 'host.options', 'The authority hands out no challenges.', {
      at: { path: 'scepChallenge/source' },
      remedy: 'Give the authority a challenge function (ndesChallenge), or leave the source out.',
    });
  }
  return async (binding) => (await engine.enrolling.challenge({ ...binding, challenge: await fetched() })).challenge;
}

/** The judge of foreign challenges, as the SCEP server asks it. */
export function challengeJudge(
  engine: Engine,
  verify: NonNullable<ScepChallengeOptions['verify']>,
): (request: ScepRequest) => Promise<ScepDecision> {
  return async ({ transactionId, csr }) => {
    const verdict = await verify({ challenge: csr.challengePassword ?? '', transactionId, csr });
    if (verdict.decision !== 'issue') return verdict;
    const { decision, ...rest } = verdict;
    try {
      return { decision, grant: await engine.enrolling.grant(rest) };
    } catch (error) {
      // Somebody who is not there, or not any more: the request is refused, and not tried for ever.
      if (!isEspalierError(error) || error.kind === 'unavailable' || error.kind === 'internal') throw error;
      return { decision: 'refuse', reason: error.message };
    }
  };
}

const answers = z.discriminatedUnion('decision', [
  z.object({
    decision: z.literal('issue'),
    invitationId: z.string().max(200).optional(),
    enrolmentId: z.string().max(200).optional(),
    subject: z.string().max(4096).optional(),
    validityDays: z.number().positive().max(36_500).optional(),
  }),
  z.object({ decision: z.literal('pending') }),
  z.object({ decision: z.literal('refuse'), reason: z.string().max(1000).optional() }),
]);

/** Where a service is that judges challenges. */
export interface HttpChallengeOptions {
  /** `https:`, or `http:` on the loopback. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`, so that only this server can ask. */
  readonly token: string;
  /** The global `fetch` fits. */
  readonly fetch: FetchFunction;
  /** How long an answer may take, in milliseconds (default 10,000). */
  readonly timeoutMs?: number;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Has a service judge challenges: it gets `POST` with JSON `{ challenge, transactionId, subject, publicKeyHash, csr }` (`csr`
 * in base64) and answers 200 with a {@link DelegatedDecision} as JSON.
 * @returns `scepChallenge.verify` of a host.
 * @throws HostError `host.options` for an address that would send challenges in the clear. The function throws `host.challenge`
 *   (unavailable) without a usable answer: devices try again.
 * @example
 * createHost({ ..., scepChallenge: { verify: httpChallengeVerifier({ url, token, fetch }) } });
 */
export function httpChallengeVerifier(options: HttpChallengeOptions): NonNullable<ScepChallengeOptions['verify']> {
  const { token, timeoutMs = 10_000 } = options;
  const url = URL.canParse(options.url) ? new URL(options.url) : null;
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && LOOPBACK.includes(url.hostname))) {
    throw new HostError('invalid', 'host.options', 'The service that judges challenges is not reached by https:.', {
      at: { path: 'scepChallenge/verify/url' },
    });
  }
  return async ({ challenge, transactionId, csr }) => {
    const { subject, publicKeyHash, der } = csr;
    const question = { challenge, transactionId, subject, publicKeyHash, csr: Buffer.from(der).toString('base64') };
    const init = {
      ...{ method: 'POST', body: JSON.stringify(question), redirect: 'error' as const },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    };
    try {
      const answer = await options.fetch(new Request(url, init));
      if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`);
      const text = Buffer.from(await readBody(answer, { maxBytes: 65_536, timeoutMs })).toString('utf8');
      return withoutUndefined(answers.parse(JSON.parse(text)));
    } catch (cause) {
      throw new HostError(
        'unavailable',
        'host.challenge',
        'The service that judges challenges gives no usable answer.',
        {
          cause,
          remedy: 'Check its address, token and log; devices try again.',
        },
      );
    }
  };
}

/** Optional members are absent rather than undefined. */
const withoutUndefined = (decision: z.infer<typeof answers>): DelegatedDecision =>
  Object.fromEntries(
    Object.entries(decision).filter(([, value]) => value !== undefined),
  ) as unknown as DelegatedDecision;
