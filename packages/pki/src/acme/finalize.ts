// Finalizing an order (RFC 8555, 7.4): from a CSR to a certificate, once.
import type { CertificateContents } from '../ca/authority.ts';
import { withIssuers } from '../ca/issuers.ts';
import { DAY_MS } from '../clock.ts';
import { isPkiError, PkiError } from '../errors.ts';
import { spkiHash } from '../keys/keys.ts';
import { toPem } from '../pem.ts';
import { fingerprintSha256, readCertificate } from '../x509/certificate.ts';
import { type CertificateRequest, readCsr } from '../x509/csr.ts';
import type { Authenticated, Context } from './context.ts';
import { checkCsrNames, isDeviceIdentifier } from './identifiers.ts';
import { fromBase64url, parseObject, stringMember } from './json.ts';
import { spkiOf } from './jwk.ts';
import { grantOf, keyFits, orderStatus, ownOrder, renderOrder } from './orders.ts';
import { malformed, Refusal } from './problem.ts';
import type { AcmeAuthorization, AcmeGrant, AcmeIssuance, AcmeOrder } from './types.ts';

const badCsr = (detail: string, code?: string): Refusal =>
  new Refusal('badCSR', detail, code === undefined ? {} : { code });

function readRequest(payload: Buffer): CertificateRequest {
  const der = fromBase64url(stringMember(parseObject(payload, 'payload'), 'csr', 'payload', 65_536));
  if (!der) throw malformed('the csr is not base64url');
  try {
    return readCsr(der);
  } catch (error) {
    if (error instanceof PkiError) throw badCsr(error.message, error.code);
    throw error;
  }
}

/** POST to an order's finalize address. */
export async function finalizeOrder(context: Context, from: Authenticated, id: string): Promise<Response> {
  const { order, parts } = await ownOrder(context, from, id);
  const csr = readRequest(from.jws.payload);
  const status = orderStatus(context, order, parts);
  // The answer to an earlier request may have been lost: the same key gets the same certificate.
  if (status === 'valid' && order.publicKeyHash === csr.publicKeyHash) {
    context.onEvent?.({ ...eventOf(order, csr), type: 'replayed' });
    return renderOrder(context, order, parts);
  }
  if (status === 'processing' && readCsr(order.heldCsr!).publicKeyHash === csr.publicKeyHash) {
    return complete(context, from, order, parts, csr);
  }
  if (status !== 'ready') throw new Refusal('orderNotReady', `the order is ${status}`);
  checkKey(from, csr, parts);
  checkCsrNames(csr, order.identifiers);
  return complete(context, from, order, parts, csr);
}

/** POST-as-GET of an order. One that waits for the authority is completed when that has decided. */
export async function getOrder(context: Context, from: Authenticated, id: string): Promise<Response> {
  const { order, parts } = await ownOrder(context, from, id);
  if (orderStatus(context, order, parts) !== 'processing') return renderOrder(context, order, parts);
  try {
    return await complete(context, from, order, parts, readCsr(order.heldCsr!));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message } = error;
    context.onEvent?.({ type: 'refused', accountId: order.accountId, orderId: order.id, code, message });
    return renderOrder(context, order, parts, 200, error.toProblem());
  }
}

/** From a request of which everything was checked to a certificate, or to an order that waits for the authority. */
async function complete(
  context: Context,
  from: Authenticated,
  order: AcmeOrder,
  parts: readonly AcmeAuthorization[],
  csr: CertificateRequest,
): Promise<Response> {
  const grant = await decide(context, from, order, parts, csr);
  let certificate: Uint8Array;
  try {
    certificate = await issue(context, { order, csr, grant, attested: attestedBy(parts)?.properties ?? null });
  } catch (error) {
    if (!isPkiError(error, 'pki.ca.pending') || !context.store.holdOrder) throw error;
    if (order.heldCsr) return renderOrder(context, order, parts);
    const expires = Math.max(order.expires, context.now() + (context.limits?.processingTtlMs ?? 7 * DAY_MS));
    await context.store.holdOrder(order.id, { csr: csr.der, expires });
    context.onEvent?.({ ...eventOf(order, csr), type: 'processing', reference: grant.reference });
    return renderOrder(context, { ...order, heldCsr: csr.der, expires }, parts);
  }
  const settlement = parts.find((part) => part.settlement?.attestation)?.settlement;
  const outcome = await context.store.commit({
    orderId: order.id,
    accountId: order.accountId,
    consumes: order.identifiers.filter(isDeviceIdentifier),
    publicKeyHash: csr.publicKeyHash,
    certificateId: fingerprintSha256(certificate),
    certificate,
    grant,
    ...(settlement?.attestation ? { attestation: settlement.attestation, attestedAt: settlement.at } : {}),
  });
  if (outcome.outcome === 'identifier-used') {
    throw new Refusal('rejectedIdentifier', 'the identifier was used before', { code: 'pki.acme.identifier_used' });
  }
  if (outcome.outcome === 'order-used') throw new Refusal('orderNotReady', 'the order has a certificate already');
  const { serialNumber } = readCertificate(outcome.certificate);
  const { reference } = grant;
  context.onEvent?.({ ...eventOf(order, csr), type: outcome.outcome, serialNumber, reference });
  const { certificateId } = outcome;
  return renderOrder(context, { ...order, certificateId, publicKeyHash: csr.publicKeyHash }, parts);
}

const eventOf = (order: AcmeOrder, csr: CertificateRequest) => ({
  accountId: order.accountId,
  orderId: order.id,
  publicKeyHash: csr.publicKeyHash,
});

function checkKey({ key }: Authenticated, csr: CertificateRequest, parts: readonly AcmeAuthorization[]): void {
  if (!keyFits(csr, parts)) {
    throw badCsr('the key in the CSR is not the attested one', 'pki.acme.key_not_attested');
  }
  // RFC 8555, 11.1. A device whose one hardware key was attested may use it for both: nobody else has it.
  const attested = parts.some((part) => part.settlement?.attestation);
  if (!attested && spkiHash(spkiOf(key)) === csr.publicKeyHash) throw badCsr('the key in the CSR is the account key');
}

const attestedBy = (parts: readonly AcmeAuthorization[]) =>
  parts.find((part) => part.settlement?.attestation)?.settlement?.attestation;

async function decide(
  context: Context,
  { account }: Authenticated,
  order: AcmeOrder,
  parts: readonly AcmeAuthorization[],
  csr: CertificateRequest,
): Promise<AcmeGrant> {
  const entitlement = await grantOf(context, order.identifiers);
  if (!entitlement) throw new Refusal('rejectedIdentifier', 'the identifier has expired');
  const { grant } = entitlement;
  if (!context.authorise) return grant;
  const attestation = attestedBy(parts)?.chain ?? null;
  const decision = await context.authorise({ account: account!, order, csr, grant, attestation });
  if (decision.decision === 'issue') return decision.grant;
  throw new Refusal('unauthorized', decision.reason, { status: 403, code: 'pki.acme.refused' });
}

async function issue(context: Context, issuance: AcmeIssuance): Promise<Uint8Array> {
  const { csr, grant } = issuance;
  try {
    const contents = await context.contents?.(issuance);
    const { validityDays = context.validityDays, subject, sans, extensions } = { ...named(grant), ...contents };
    return await context.ca.issue({
      csr: csr.der,
      template: contents?.template ?? context.template ?? 'device',
      ...(subject === undefined ? {} : { subject }),
      ...(sans === undefined ? {} : { sans }),
      ...(extensions === undefined ? {} : { extensions }),
      ...(validityDays === undefined ? {} : { validityDays }),
    });
  } catch (error) {
    if (error instanceof PkiError && error.kind === 'invalid') throw badCsr(error.message, error.code);
    throw error;
  }
}

/** What a grant says of the certificate. */
const named = ({ subject, sans, validityDays }: AcmeGrant): CertificateContents => ({
  ...(subject === undefined ? {} : { subject }),
  ...(sans === undefined ? {} : { sans }),
  ...(validityDays === undefined ? {} : { validityDays }),
});

/** POST-as-GET of a certificate: PEM, the leaf first, then its issuers (9.1). */
export async function getCertificate(context: Context, { account }: Authenticated, id: string): Promise<Response> {
  const found = await context.store.findCertificate(id);
  if (!found) throw malformed('there is no such certificate', 404);
  if (found.accountId !== account!.id) {
    throw new Refusal('unauthorized', 'this belongs to another account', { status: 403 });
  }
  // Also an earlier authority's: its certificate goes on with the chain that it was issued with.
  const chain = withIssuers(found.certificate, [context.ca, ...(context.earlier ?? [])]).map((der) => toPem(der));
  return new Response(chain.join(''), { headers: { 'content-type': 'application/pem-certificate-chain' } });
}
