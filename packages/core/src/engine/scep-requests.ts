// SCEP requests that wait: kept sealed, shown to whoever decides, and decided once.
import {
  encodeName,
  fingerprintSha256,
  readCsr,
  type ScepDecision,
  type ScepGrant,
  type ScepPending,
  type ScepStore,
} from '@espalier/pki';
import type { Enrolling } from '../api/engine.ts';
import type { WaitingRequest } from '../api/records.ts';
import type { ScepRequestRecord } from '../contracts/scep-requests.ts';
import { CoreError } from '../errors.ts';
import { type Context, pageOf, uuid } from './context.ts';
import { bindingOf, checkBinding, referenceOf } from './issuing.ts';

/** How long a request waits for a decision, and a decision for the device. */
const WAITING_MS = 7 * 86_400_000;
/** Undecided requests that are kept: they come from anybody. */
const MOST_UNDECIDED = 1000;

/** What is sealed of a request. */
interface Content {
  readonly csr: Uint8Array;
  readonly decision: ScepDecision;
  readonly paidByChallenge: boolean;
  readonly renews: Uint8Array | null;
  /** What the challenge is good for; null when there is none. */
  readonly grant: ScepGrant | null;
}

/** Both sides of waiting requests: the SCEP server's, and that of whoever decides. */
export interface ScepRequests extends Required<Pick<ScepStore, 'hold' | 'findPending'>> {
  readonly list: Enrolling['requests'];
  readonly decide: Enrolling['decide'];
}

/** Makes the service. `findGrant` tells what a challenge is good for. */
export function createScepRequests(
  context: Context,
  findGrant: (challenge: string) => Promise<ScepGrant | null>,
): ScepRequests {
  const { store, vault, clock, random, bus } = context;
  const refOf = (id: string) => ({ kind: 'scep-request', key: [id] }) as const;
  const seal = (id: string, content: Content): Uint8Array => vault.seal(encode(content), refOf(id));
  const open = ({ id, sealed }: ScepRequestRecord): Content => decode(vault.openText(sealed, refOf(id)));

  function shown(record: ScepRequestRecord): WaitingRequest {
    const { sealed: _, ...rest } = record;
    const { csr, decision, renews, grant } = open(record);
    const { subject, key } = readCsr(csr);
    const reference = decision.decision === 'issue' ? decision.grant.reference : (grant?.reference ?? 'none');
    return {
      ...rest,
      ...bindingOf(reference),
      subject,
      key: key.curve ?? `RSA ${key.bits}`,
      renews: renews === null ? null : fingerprintSha256(renews),
      reason: decision.decision === 'refuse' ? (decision.reason ?? null) : null,
    };
  }

  return {
    async hold({ transactionId, publicKeyHash, csr, decision, paidByChallenge = false, renews }: ScepPending) {
      await vault.ready();
      const at = clock.now();
      const id = uuid(random).toLowerCase();
      const { subject, challengePassword } = readCsr(csr);
      const made = decision ?? { decision: 'pending' };
      const grant = paidByChallenge ? await findGrant(challengePassword ?? '') : null;
      const state = made.decision === 'pending' ? 'pending' : made.decision === 'issue' ? 'approved' : 'refused';
      const outcome = await store.scepRequests.hold({
        request: {
          ...{ id, transactionId, publicKeyHash, state },
          sealed: seal(id, { csr, decision: made, paidByChallenge, renews: renews ?? null, grant }),
          requestedAt: at,
          decidedAt: state === 'pending' ? null : at,
          expiresAt: at + WAITING_MS,
        },
        most: MOST_UNDECIDED,
        at,
        event: {
          type: 'certificate.requested',
          at,
          enrolmentId: null,
          data: { requestId: id, transactionId, publicKeyHash, subject, state },
        },
      });
      if (outcome === 'full') {
        throw new CoreError('core.request.full', 'unavailable', 'too many certificate requests wait for a decision', {
          remedy: 'decide on those that wait',
        });
      }
      if (outcome === 'held') bus.poke();
    },

    async findPending(transactionId, publicKeyHash) {
      await vault.ready();
      const record = await store.scepRequests.find(transactionId, publicKeyHash, clock.now());
      if (record === null) return null;
      const { csr, decision, paidByChallenge, renews } = open(record);
      return { csr, decision, paidByChallenge, ...(renews === null ? {} : { renews }) };
    },

    async list({ state, ...page } = {}) {
      await vault.ready();
      const { items, next } = await store.scepRequests.list(state === undefined ? {} : { state }, pageOf(page));
      return { items: items.map(shown), next };
    },

    async decide(id, input) {
      await vault.ready();
      const record = await store.scepRequests.get(id);
      const at = clock.now();
      if (record === null || record.expiresAt <= at) {
        throw new CoreError('core.request.unknown', 'not-found', 'there is no such certificate request');
      }
      const content = open(record);
      const decision: ScepDecision = input.approve
        ? { decision: 'issue', grant: await grantFor(context, content, input) }
        : { decision: 'refuse', ...(input.reason === undefined ? {} : { reason: input.reason }) };
      const decided = await store.scepRequests.decide({
        id,
        state: input.approve ? 'approved' : 'refused',
        sealed: seal(id, { ...content, decision }),
        at,
        event: {
          type: 'certificate.request-decided',
          at,
          enrolmentId: input.enrolmentId ?? null,
          data: { requestId: id, transactionId: record.transactionId, approved: input.approve },
        },
      });
      if (!decided) throw new CoreError('core.request.decided', 'conflict', 'the request was decided before');
      bus.poke();
    },
  };
}

async function grantFor(
  context: Context,
  { grant, paidByChallenge }: Content,
  input: Parameters<Enrolling['decide']>[1],
): Promise<ScepGrant> {
  const { invitationId, enrolmentId } = input;
  if (paidByChallenge && (invitationId !== undefined || enrolmentId !== undefined)) {
    const message = 'the challenge of this request says already whom it is for';
    throw new CoreError('core.request.bad_option', 'invalid', message);
  }
  return grantOf(context, input, grant);
}

/** What somebody gets who was approved; `base` is what a challenge is good for. */
export async function grantOf(
  context: Context,
  { invitationId, enrolmentId, subject, validityDays }: NonNullable<Parameters<Enrolling['grant']>[0]>,
  grant: ScepGrant | null = null,
): Promise<ScepGrant> {
  if (subject !== undefined) checkSubject(subject);
  const base = grant ?? { reference: referenceOf(await checkBinding(context, { invitationId, enrolmentId })) };
  return {
    ...base,
    ...(subject === undefined ? {} : { subject }),
    ...(validityDays === undefined ? {} : { validityDays }),
  };
}

function checkSubject(subject: string): void {
  try {
    encodeName(subject);
  } catch (cause) {
    throw new CoreError('core.request.bad_option', 'invalid', 'the subject is no distinguished name', { cause });
  }
}

/** JSON with bytes in it, each as `{ "$bytes": "<base64>" }`. */
function encode(content: Content): string {
  const pack = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
    if (Array.isArray(value)) return value.map(pack);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
  };
  return JSON.stringify(pack(content));
}

function decode(text: string): Content {
  return JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$bytes' in value)) return value;
    return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'));
  }) as Content;
}
