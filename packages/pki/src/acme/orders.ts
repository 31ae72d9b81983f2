// Orders, authorizations and challenges (RFC 8555, 7.4 and 7.5).
import type { CertificateRequest } from '../x509/csr.ts';
import { answerChallenge } from './challenge.ts';
import { type Authenticated, type Context, json } from './context.ts';
import { isDeviceIdentifier, readIdentifiers } from './identifiers.ts';
import { type JsonObject, member, parseObject } from './json.ts';
import { type AcmeProblem, malformed, Refusal } from './problem.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeGrant, AcmeIdentifier, AcmeOrder } from './types.ts';

/** When a client may ask again how its order stands. */
const RETRY_SECONDS = 30;

/** Type of the challenge of draft-ietf-acme-device-attest. */
export const deviceAttest = 'device-attest-01';

const notFound = (what: string): Refusal => malformed(`there is no such ${what}`, 404);
const notYours = (): Refusal => new Refusal('unauthorized', 'this belongs to another account', { status: 403 });

/** The grant behind an order. Names that are not a device's need none from the store: their validation is the grant. */
export async function grantOf(
  context: Context,
  identifiers: readonly AcmeIdentifier[],
): Promise<{
  readonly grant: AcmeGrant;
  readonly usedBy: string | null;
} | null> {
  const device = identifiers.find(isDeviceIdentifier);
  if (device) return context.store.findIdentifier(device);
  const sans = identifiers.flatMap(({ type, value }) =>
    type === 'dns' || type === 'ip' || type === 'email' ? [{ type, value } as const] : [],
  );
  const first = identifiers.find(({ type, value }) => type === 'dns' && value.length <= 64);
  const subject = first ? [[{ type: '2.5.4.3', value: first.value }]] : [];
  return { grant: { reference: '', sans, subject }, usedBy: null };
}

/** newOrder. */
export async function newOrder(context: Context, { jws, account }: Authenticated): Promise<Response> {
  const payload = parseObject(jws.payload, 'payload');
  const policies = context.challenges ?? [];
  const identifiers = readIdentifiers(member(payload, 'identifiers'), policies, context.attestation !== undefined);
  if (member(payload, 'notBefore') !== undefined || member(payload, 'notAfter') !== undefined) {
    throw malformed('the validity is not for the client to choose');
  }
  const entitlement = await grantOf(context, identifiers);
  if (!entitlement) throw new Refusal('rejectedIdentifier', 'the identifier is unknown or has expired');
  if (entitlement.usedBy !== null && entitlement.usedBy !== account!.id) {
    throw new Refusal('rejectedIdentifier', 'the identifier was used before', { code: 'pki.acme.identifier_used' });
  }
  const now = context.now();
  const expires = now + (context.limits?.orderTtlMs ?? 3_600_000);
  const orderId = context.newId();
  const parts = identifiers.map((identifier): AcmeAuthorization => {
    const types = isDeviceIdentifier(identifier) ? [deviceAttest] : [];
    for (const policy of policies) if (policy.identifierTypes.includes(identifier.type)) types.push(policy.type);
    const challenges = types.map((type): AcmeChallenge => ({ id: context.newId(), type, token: context.newId() }));
    const base = { id: context.newId(), orderId, accountId: account!.id, identifier, challenges, expires };
    return { ...base, deactivated: false, settlement: null };
  });
  const order: AcmeOrder = {
    id: orderId,
    accountId: account!.id,
    identifiers,
    authorizations: parts.map(({ id }) => id),
    expires,
    certificateId: null,
    publicKeyHash: null,
  };
  await context.store.addOrder(order, parts);
  const { reference } = entitlement.grant;
  context.onEvent?.({ type: 'order-created', accountId: account!.id, orderId, reference });
  return renderOrder(context, order, parts, 201);
}

/** Status of an authorization (7.1.6). */
export function authorizationStatus(context: Context, part: AcmeAuthorization): string {
  if (part.deactivated) return 'deactivated';
  if (part.settlement?.status === 'invalid') return 'invalid';
  if (part.expires <= context.now()) return 'expired';
  return part.settlement ? 'valid' : 'pending';
}

/** Status of an order: what its authorizations and its certificate make of it. */
export function orderStatus(context: Context, order: AcmeOrder, parts: readonly AcmeAuthorization[]): string {
  if (order.certificateId !== null) return 'valid';
  const statuses = parts.map((part) => authorizationStatus(context, part));
  if (order.expires <= context.now() || parts.length !== order.authorizations.length) return 'invalid';
  // It was ready once, and an authorization that ends meanwhile takes nothing from that.
  if (order.heldCsr) return parts.some(({ deactivated }) => deactivated) ? 'invalid' : 'processing';
  if (statuses.every((status) => status === 'valid')) return 'ready';
  return statuses.every((status) => status === 'valid' || status === 'pending') ? 'pending' : 'invalid';
}

export function renderOrder(
  context: Context,
  order: AcmeOrder,
  parts: readonly AcmeAuthorization[],
  status = 200,
  refused?: AcmeProblem,
): Response {
  const { urls } = context;
  const failed = refused ?? parts.find((part) => part.settlement?.error)?.settlement?.error;
  const body = {
    status: refused ? 'invalid' : orderStatus(context, order, parts),
    expires: new Date(order.expires).toISOString(),
    identifiers: order.identifiers,
    authorizations: order.authorizations.map(urls.authorization),
    finalize: urls.finalize(order.id),
    ...(failed ? { error: failed } : {}),
    ...(order.certificateId === null ? {} : { certificate: urls.certificate(order.certificateId) }),
  };
  return json(body, status, {
    location: urls.order(order.id),
    ...(body.status === 'processing' ? { 'retry-after': String(RETRY_SECONDS) } : {}),
  });
}

/** An order of this account, with its authorizations. */
export async function ownOrder(
  context: Context,
  { account }: Authenticated,
  id: string,
): Promise<{ readonly order: AcmeOrder; readonly parts: AcmeAuthorization[] }> {
  const order = await context.store.findOrder(id);
  if (!order) throw notFound('order');
  if (order.accountId !== account!.id) throw notYours();
  const parts = await Promise.all(order.authorizations.map((part) => context.store.findAuthorization(part)));
  return { order, parts: parts.filter((part) => part !== null) };
}

async function ownAuthorization(context: Context, { account }: Authenticated, id: string): Promise<AcmeAuthorization> {
  const part = await context.store.findAuthorization(id);
  if (!part) throw notFound('authorization');
  if (part.accountId !== account!.id) throw notYours();
  return part;
}

export function renderChallenge(context: Context, part: AcmeAuthorization, challenge: AcmeChallenge): JsonObject {
  const { settlement } = part;
  const answered = settlement?.challengeId === challenge.id;
  return {
    type: challenge.type,
    url: context.urls.challenge(part.id, challenge.id),
    status: answered ? settlement.status : 'pending',
    token: challenge.token,
    ...(answered && settlement.status === 'valid' ? { validated: new Date(settlement.at).toISOString() } : {}),
    ...(answered && settlement.error ? { error: settlement.error } : {}),
  };
}

/** POST to an authorization: read or deactivate it. */
export async function postAuthorization(context: Context, from: Authenticated, id: string): Promise<Response> {
  let part = await ownAuthorization(context, from, id);
  if (from.jws.payload.length > 0) {
    const payload = parseObject(from.jws.payload, 'payload');
    if (member(payload, 'status') !== 'deactivated') throw malformed('an authorization can only be deactivated');
    part = (await context.store.deactivateAuthorization(id)) ?? part;
  }
  const wildcard = part.identifier.type === 'dns' && part.identifier.value.startsWith('*.');
  const identifier = wildcard ? { type: 'dns', value: part.identifier.value.slice(2) } : part.identifier;
  const answered = part.challenges.filter(({ id: own }) => !part.settlement || part.settlement.challengeId === own);
  return json({
    status: authorizationStatus(context, part),
    identifier,
    expires: new Date(part.expires).toISOString(),
    challenges: answered.map((challenge) => renderChallenge(context, part, challenge)),
    ...(wildcard ? { wildcard: true } : {}),
  });
}

/** POST to a challenge: read it, or answer it. */
export async function postChallenge(
  context: Context,
  from: Authenticated,
  id: string,
  challengeId: string,
): Promise<Response> {
  let part = await ownAuthorization(context, from, id);
  const challenge = part.challenges.find((item) => item.id === challengeId);
  if (!challenge) throw notFound('challenge');
  const open = authorizationStatus(context, part) === 'pending';
  if (open && from.jws.payload.length > 0) {
    const payload = parseObject(from.jws.payload, 'payload');
    const settlement = await answerChallenge(context, from, part, challenge, payload);
    part = (await context.store.settleAuthorization(part.id, settlement)) ?? part;
  } else if (from.jws.payload.length > 0 && part.settlement?.challengeId !== challengeId) {
    // Once settled, an answer sent again (its first reply may have been lost) is told how it went.
    throw malformed('the authorization does not wait for an answer');
  }
  return json(renderChallenge(context, part, challenge), 200, {
    link: `<${context.urls.authorization(part.id)}>;rel="up"`,
  });
}

/** True when a CSR's key may be certified by this order: the attested one, or where nothing was attested, any. */
export const keyFits = (csr: CertificateRequest, parts: readonly AcmeAuthorization[]): boolean =>
  parts.every((part) => {
    const attested = part.settlement?.attestation?.publicKeyHash;
    return attested === undefined || attested === csr.publicKeyHash;
  });
