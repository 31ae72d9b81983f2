// What certificates are issued for: the bindings of challenges and client identifiers, and the register's entries.
import { readCertificate } from '@espalier/pki';
import type { AttestationRecord } from '../api/records.ts';
import type { NewCertificate } from '../contracts/certificates.ts';
import { CoreError } from '../errors.ts';
import type { Context } from './context.ts';

/** Whose a certificate is to be. At most one is set. */
export interface Binding {
  readonly invitationId: string | null;
  readonly enrolmentId: string | null;
}

/** A binding as the reference of a grant. */
export function referenceOf({ invitationId, enrolmentId }: Binding): string {
  if (enrolmentId !== null) return `enrolment:${enrolmentId}`;
  return invitationId === null ? 'none' : `invitation:${invitationId}`;
}

/** The binding that the `reference` of a grant stands for: whom the certificate is for. */
export function bindingOf(reference: string): Binding {
  const colon = reference.indexOf(':');
  const kind = reference.slice(0, Math.max(0, colon));
  const id = reference.slice(colon + 1);
  return { invitationId: kind === 'invitation' ? id : null, enrolmentId: kind === 'enrolment' ? id : null };
}

/** A certificate as it enters the register. */
export function registerEntry(
  der: Uint8Array,
  { invitationId, enrolmentId }: Binding,
  deliveredAt: number | null,
  extra: { readonly attestation?: AttestationRecord | null; readonly credentialId?: string } = {},
): NewCertificate {
  const read = readCertificate(der);
  return {
    fingerprint: read.fingerprintSha256,
    serialNumber: read.serialNumber,
    subject: read.subject,
    notBefore: read.notBefore.getTime(),
    notAfter: read.notAfter.getTime(),
    authorityKeyId: read.authorityKeyIdentifier ?? null,
    certificate: der,
    invitationId,
    enrolmentId,
    attestation: extra.attestation ?? null,
    deliveredAt,
    credentialId: extra.credentialId ?? null,
  };
}

/** The event of an entry. */
export function issuedEvent(entry: NewCertificate, at: number) {
  const { fingerprint, serialNumber, subject, invitationId, enrolmentId } = entry;
  return {
    type: 'certificate.issued',
    at,
    enrolmentId,
    data: { fingerprint, serialNumber, subject, invitationId, attested: entry.attestation !== null },
  } as const;
}

/** Checks a binding that is asked for, and how long a credential for it may live. */
export async function checkBinding(
  { store, clock }: Context,
  options: {
    readonly invitationId?: string | undefined;
    readonly enrolmentId?: string | undefined;
    readonly ttlMinutes?: number | undefined;
  },
): Promise<Binding & { readonly createdAt: number; readonly expiresAt: number }> {
  const { invitationId, enrolmentId, ttlMinutes = 60 } = options;
  if (!(ttlMinutes > 0 && ttlMinutes <= 60 * 24 * 366)) {
    throw new CoreError('core.challenge.bad_option', 'invalid', 'a challenge lasts between 0 and 527,040 minutes');
  }
  if (invitationId !== undefined && enrolmentId !== undefined) {
    throw new CoreError('core.challenge.bad_option', 'invalid', 'a challenge is for an invitation or an enrolment');
  }
  const createdAt = clock.now();
  let expiresAt = createdAt + Math.round(ttlMinutes * 60_000);
  if (enrolmentId !== undefined) {
    const enrolment = await store.enrolments.get(enrolmentId);
    if (enrolment?.channel !== 'device' || enrolment.status !== 'active') {
      throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such active enrolment');
    }
  }
  if (invitationId !== undefined) {
    const invitation = await store.invitations.get(invitationId);
    if (invitation === null) {
      throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
    }
    if (invitation.status !== 'valid' || invitation.expiresAt <= createdAt) {
      throw new CoreError('core.invitation.expired', 'forbidden', 'the invitation is not valid any more');
    }
    expiresAt = Math.min(expiresAt, invitation.expiresAt);
  }
  return { invitationId: invitationId ?? null, enrolmentId: enrolmentId ?? null, createdAt, expiresAt };
}
