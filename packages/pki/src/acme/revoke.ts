// Revocation (RFC 8555, 7.6): by the account that got the certificate, one that may, or the certificate's own key.
import { spkiHash } from '../keys/keys.ts';
import { type RevocationReason, reasonOf } from '../revocation/reasons.ts';
import { fingerprintSha256, readCertificate } from '../x509/certificate.ts';
import type { Authenticated, Context } from './context.ts';
import { fromBase64url, member, parseObject, stringMember } from './json.ts';
import { spkiOf } from './jwk.ts';
import { authorizationStatus } from './orders.ts';
import { malformed, Refusal } from './problem.ts';
import type { AcmeCertificate } from './types.ts';

/** Reasons that the holder of a certificate may give; the others are the authority's. */
const reasonsAllowed = new Set<unknown>([0, 1, 3, 4, 5]);

/** revokeCert. */
export async function revokeCertificate(context: Context, from: Authenticated): Promise<Response> {
  const payload = parseObject(from.jws.payload, 'payload');
  const der = fromBase64url(stringMember(payload, 'certificate', 'payload', 65_536));
  if (!der) throw malformed('the certificate is not base64url');
  const code = member(payload, 'reason') ?? 0;
  if (!reasonsAllowed.has(code)) {
    throw new Refusal('badRevocationReason', 'reasons are 0, 1, 3, 4 and 5');
  }
  const reason: RevocationReason = reasonOf(code as number);
  const found = await context.store.findCertificate(fingerprintSha256(der));
  if (!found) throw malformed('the certificate was not issued here', 404);
  if (!(await mayRevoke(context, from, found))) {
    throw new Refusal('unauthorized', 'this account or key may not revoke the certificate', { status: 403 });
  }
  if (!(await context.store.revokeCertificate(found.id, reason, context.now()))) {
    throw new Refusal('alreadyRevoked', 'the certificate is revoked already');
  }
  const { serialNumber } = readCertificate(found.certificate);
  context.onEvent?.({ type: 'revoked', accountId: found.accountId, orderId: found.orderId, serialNumber, reason });
  return new Response(null, { status: 200 });
}

async function mayRevoke(
  context: Context,
  { account, key }: Authenticated,
  { accountId, orderId, certificate }: AcmeCertificate,
): Promise<boolean> {
  if (!account) return spkiHash(spkiOf(key)) === readCertificate(certificate).publicKeyHash;
  if (account.id === accountId) return true;
  // An account that proved it holds every name in the certificate.
  const names = (await context.store.findOrder(orderId))?.identifiers ?? [];
  if (names.length === 0) return false;
  const held = new Set<string>();
  for (const order of await context.store.findOrders(account.id, 50)) {
    for (const id of order.authorizations) {
      const part = await context.store.findAuthorization(id);
      if (part && authorizationStatus(context, part) === 'valid') held.add(JSON.stringify(part.identifier));
    }
  }
  return names.every((identifier) => held.has(JSON.stringify(identifier)));
}
