// What certificates are issued for: the bindings of challenges and client identifiers, and the register's entries.
import { readCertificate } from '@espalier/pki';
import type { AttestationRecord } from '../api/records.ts';
import type { NewCertificate } from '../contracts/certificates.ts';
import { CoreError } from '../errors.ts';
import type { Context } from './context.ts';

/** Whose a certificate is to be. At most one of invitation and enrolment is set. */
export interface Binding {
  readonly invitationId: string | null;
  readonly enrolmentId: string | null;
  /** The configuration that it is for, on the device of the enrolment: no identity of the enrolment itself. */
  readonly configurationId?: string;
}

/** A binding as the reference of a grant. */
export function referenceOf({ invitationId, enrolmentId, configurationId }: Binding): string {
  if (configurationId !== undefined) return `configuration:${configurationId}:${enrolmentId}`;
  if (enrolmentId !== null) return `enrolment:${enrolmentId}`;
  return invitationId === null ? 'none' : `invitation:${invitationId}`;
}

/** The binding that the `reference` of a grant stands for: whom the certificate is for. */
export function bindingOf(reference: string): Binding {
  const [, configurationId, device] = /^configuration:([^:]*):(.+)$/.exec(reference) ?? [];
  if (configurationId !== undefined && device !== undefined) {
    return { invitationId: null, enrolmentId: device, configurationId };
  }
  const colon = reference.indexOf(':');
  const kind = reference.slice(0, Math.max(0, colon));
  const id = reference.slice(colon + 1);
  return { invitationId: kind === 'invitation' ? id : null, enrolmentId: kind === 'enrolment' ? id : null };
}

/** A secret that says itself what it is for: whoever finds its hash in the store, may believe it. */
export const secretFor = (secret: string, configurationId: string | undefined): string =>
  configurationId === undefined ? secret : `${secret}.${configurationId}`;

/** The configuration that such a secret is for. */
export function configurationOf(secret: string): { readonly configurationId?: string } {
  const [, configurationId] = /^[A-Za-z0-9_-]+\.([0-9a-f-]{36})$/.exec(secret) ?? [];
  return configurationId === undefined ? {} : { configurationId };
}

/** The register's mark of certificates that are for a configuration: they enrol nobody. */
export const configurationCredential = (configurationId: string): string => `configuration:${configurationId}`;

const credentialOf = ({ configurationId }: Binding): string | null =>
  configurationId === undefined ? null : configurationCredential(configurationId);

/** A certificate as it enters the register. */
export function registerEntry(
  der: Uint8Array,
  binding: Binding,
  deliveredAt: number | null,
  extra: {
    readonly attestation?: AttestationRecord | null;
    readonly credentialId?: string;
    readonly deviceId?: string | null;
  } = {},
): NewCertificate {
  const read = readCertificate(der);
  const { invitationId, configurationId } = binding;
  return {
    fingerprint: read.fingerprintSha256,
    serialNumber: read.serialNumber,
    subject: read.subject,
    notBefore: read.notBefore.getTime(),
    notAfter: read.notAfter.getTime(),
    authorityKeyId: read.authorityKeyIdentifier ?? null,
    certificate: der,
    invitationId,
    // What is for a configuration is no renewal.
    enrolmentId: configurationId === undefined ? binding.enrolmentId : null,
    attestation: extra.attestation ?? null,
    deliveredAt,
    credentialId: extra.credentialId ?? credentialOf(binding),
    deviceId: configurationId === undefined ? (extra.deviceId ?? null) : binding.enrolmentId,
  };
}

/** The event of an entry. */
export function issuedEvent(entry: NewCertificate, at: number, { enrolmentId, configurationId }: Binding = entry) {
  const { fingerprint, serialNumber, subject, invitationId } = entry;
  const attested = entry.attestation !== null;
  const data = { fingerprint, serialNumber, subject, invitationId, attested };
  return {
    type: 'certificate.issued',
    at,
    enrolmentId,
    data: configurationId === undefined ? data : { ...data, configurationId },
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
