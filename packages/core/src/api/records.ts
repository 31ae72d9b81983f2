// What the engine keeps, as its callers see it: enrolments, commands, labels, configurations, invitations, events.
import type { RevocationReason } from '@espalier/pki';
import type { ScepRequestState } from '../contracts/scep-requests.ts';
import type { Facts, FactValue } from './common.ts';

/** How an enrolment stands (REG-2). `pending`: Authenticate seen, no TokenUpdate yet. */
export type EnrolmentStatus = 'pending' | 'active' | 'checked-out' | 'retired' | 'wiped';

/**
 * What an administrator wants of an active device and is not done yet (ACT-1): `lost` is a flag alone (ACT-15, not Apple's
 * lost mode), `wipe-pending` waits for the device to fetch and acknowledge the erase (ACT-12), `retire-pending` for it to
 * remove its enrolment (ACT-4).
 */
export type EnrolmentPhase = 'lost' | 'wipe-pending' | 'retire-pending';

/** One MDM channel of one device: the device channel or a user channel. */
export interface Enrolment {
  /** The normalised identity: UDID or EnrollmentID, with `:UserID` appended on a user channel. */
  readonly id: string;
  readonly channel: 'device' | 'user';
  readonly kind: 'device' | 'user' | 'user-enrolment-device' | 'user-enrolment-user' | 'shared-ipad-user';
  /** The device channel's id, on a user channel. */
  readonly parent: string | null;
  readonly status: EnrolmentStatus;
  /** Of an active device channel; else `null`. */
  readonly phase: EnrolmentPhase | null;
  readonly udid: string | null;
  readonly serialNumber: string | null;
  readonly model: string | null;
  readonly productName: string | null;
  readonly osVersion: string | null;
  readonly deviceName: string | null;
  readonly topic: string | null;
  /** SHA-256 of the identity certificate that this enrolment is pinned to, lower-case hex. */
  readonly certificateFingerprint: string | null;
  readonly pushable: boolean;
  readonly enrolledAt: number | null;
  readonly lastSeenAt: number | null;
  readonly checkedOutAt: number | null;
  /** The invitation that let this device in, when there was one. */
  readonly invitationId: string | null;
}

/** Where one command stands for one enrolment. The first three are pending, the rest are final. */
export type CommandState =
  | 'queued'
  | 'sent'
  | 'not-now'
  | 'acknowledged'
  | 'error'
  | 'format-error'
  | 'expired'
  | 'cancelled'
  | 'superseded'
  | 'exhausted';

/** One command for one enrolment, pending or finished. */
export interface CommandEntry {
  readonly commandUuid: string;
  readonly enrolmentId: string;
  readonly requestType: string;
  readonly state: CommandState;
  readonly priority: number;
  readonly queuedAt: number;
  readonly sentAt: number | null;
  readonly finishedAt: number | null;
  readonly attempts: number;
  readonly dedupeKey: string | null;
  /** Who or what asked: `admin`, `inventory`, `reconciler`, `user:…`. */
  readonly origin: string;
  /** Apple's error chain, for `error` and `format-error`. */
  readonly errorChain: readonly AppleError[];
}

/** One link of Apple's `ErrorChain`. */
export interface AppleError {
  readonly code: number;
  readonly domain: string;
  readonly description: string;
}

/** A finished command with the device's answer as it was sent. */
export interface CommandOutcome extends CommandEntry {
  /** The response as the device sent it (a property list); `null` when the command ended without one. */
  readonly response: Uint8Array | null;
}

/** A label: devices picked by hand, or by a search expression (CFG-22, REG-16). */
export interface Label {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly kind: 'manual' | 'dynamic';
  /** The search expression of a dynamic label. */
  readonly expression: string | null;
  readonly memberCount: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A configuration (CFG-1): a typed document, assigned to labels, compiled to profiles for each device. */
export interface Configuration {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Grows by one with each change of the settings. */
  readonly version: number;
  readonly labelIds: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** How a configuration stands on one device (CFG-5). */
export type AssignmentStatus =
  | 'pending'
  | 'sent'
  | 'applied'
  | 'partially-applied'
  | 'update-pending'
  | 'removal-pending'
  | 'not-applicable';

/** One configuration on one device. */
export interface Assignment {
  readonly enrolmentId: string;
  readonly configurationId: string;
  readonly configurationName: string;
  readonly profileIdentifier: string;
  readonly status: AssignmentStatus;
  readonly version: number;
  readonly commandUuid: string | null;
  readonly detail: string | null;
  readonly updatedAt: number;
}

/** An invitation to enrol one device, with its registration PIN (REG-4). */
export interface Invitation {
  readonly id: string;
  /** The registration PIN, 6 to 12 digits; kept sealed, shown to whoever may see invitations. */
  readonly pin: string;
  /** An opaque token for the enrolment URL. */
  readonly token: string;
  readonly status: 'valid' | 'consumed' | 'expired' | 'revoked';
  readonly note: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly enrolmentId: string | null;
  /** For whom it is; `null` for whoever has it. */
  readonly binding: InvitationBinding | null;
}

/** What an invitation is bound to: certificates issued for it enrol this device, in this way, and no other. */
export interface InvitationBinding {
  /** By the serial number, or by the UDID where no serial number is given. */
  readonly serialNumber?: string;
  readonly udid?: string;
  /** Whose the device will be: what its fact `user.user_id` becomes. */
  readonly user?: string;
  /** Its PIN lets a device in by automated device enrolment and in no other way (ADE-11). */
  readonly only?: 'ade';
  /** By whose account: every request of the enrolment needs this user's token. */
  readonly account?: EnrolmentAccount;
  /** By whose Managed Apple Account a profile enrols the device as the user's own (ABM-25): a User Enrolment without tokens. */
  readonly managedAppleAccount?: string;
  /** The access rights that its profile gives (the mask of `AccessRights`). */
  readonly accessRights?: number;
  readonly checkOutWhenRemoved?: boolean;
}

/** An account-driven enrolment: by whose account, and of what kind. */
export interface EnrolmentAccount {
  readonly mode: 'BYOD' | 'ADDE';
  readonly managedAppleAccount: string;
}

/** A SCEP request that waits for a decision, or for the device to ask again. */
export interface WaitingRequest {
  readonly id: string;
  /** `approved` ones get their certificate when the device asks again, `refused` ones an answer. */
  readonly state: ScepRequestState;
  /** The transaction and the key (lower-case hex SHA-256) that ask: compare them with what the device shows. */
  readonly transactionId: string;
  readonly publicKeyHash: string;
  /** What the device asks for, RFC 4514 text. */
  readonly subject: string;
  /** `RSA 2048`, `P-256`. */
  readonly key: string;
  /** For a renewal: the fingerprint of the certificate that is replaced. */
  readonly renews: string | null;
  readonly invitationId: string | null;
  readonly enrolmentId: string | null;
  readonly requestedAt: number;
  readonly decidedAt: number | null;
  /** When it is forgotten. */
  readonly expiresAt: number;
  /** Why it was refused. */
  readonly reason: string | null;
}

/** A single-use SCEP challenge. */
export interface ScepChallenge {
  readonly challenge: string;
  readonly expiresAt: number;
}

/**
 * Where an issued certificate stands (CERT-2). `issued`: nobody has enrolled with it yet; `in-force`: an enrolment is
 * pinned to it; `expiring`: that, and within the renewal window before its end (`renewalWindowDays`; a store keeps it as `in-force`);
 * `superseded`: another one took its place.
 */
export type CertificateState = 'issued' | 'in-force' | 'expiring' | 'superseded' | 'revoked' | 'expired';

/** What Apple attested of the device that a certificate was issued to (CERT-22). */
export interface AttestationRecord {
  /** When it was verified. */
  readonly at: number;
  /** By name: `serialNumber`, `udid`, `osVersion`, `sepOsVersion`, … Absent: Apple left it out. */
  readonly properties: Readonly<Record<string, string>>;
  /** The attestation's certificates, leaf first, base64 DER. */
  readonly chain: readonly string[];
}

/** An identity certificate that the engine's CA has issued. */
export interface IssuedCertificate {
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** The issuing authority's key identifier, lower-case hex; `null` where the certificate names none. */
  readonly authorityKeyId: string | null;
  /** The enrolment that it was issued to (a renewal), or that enrolled with it. */
  readonly enrolmentId: string | null;
  readonly status: CertificateState;
  readonly revokedAt: number | null;
  /** RFC 5280, 5.3.1. */
  readonly revocationReason: RevocationReason | null;
  /** When its renewal was last begun. */
  readonly renewalAt: number | null;
  /** When it was handed over; `null`: it was made ahead and has not been sent yet (CERT-21). */
  readonly deliveredAt: number | null;
  /**
   * The credential that it was made for, or `configuration:` and the id of a configuration whose device asked for it by SCEP or
   * ACME; `null` for the identity of an enrolment.
   */
  readonly credentialId: string | null;
  /**
   * The enrolment of the device that it was made for, or that asked for it, for one of its configurations; `null` for the identity of
   * an enrolment, and for what several devices share.
   */
  readonly deviceId: string | null;
  readonly attestation: AttestationRecord | null;
  readonly certificate: Uint8Array;
}

/** Something that happened; `seq` grows by one with each. Never holds secrets. */
export interface EngineEvent {
  readonly seq: number;
  readonly type: EventType;
  readonly at: number;
  readonly enrolmentId: string | null;
  readonly data: Readonly<Record<string, FactValue>>;
}

/** Every event type that the engine writes. */
export type EventType =
  | 'enrolment.authenticated'
  | 'enrolment.active'
  | 'enrolment.token-updated'
  | 'enrolment.checked-out'
  | 'enrolment.phase-changed'
  | 'enrolment.wiped'
  | 'enrolment.retired'
  | 'enrolment.superseded'
  | 'enrolment.wipe-cancelled'
  | 'enrolment.identity-refused'
  | 'door.refused'
  | 'user-enrolment.changed'
  | 'user-enrolment.account-assigned'
  | 'enrolment.bootstrap-token-stored'
  | 'enrolment.bootstrap-token-removed'
  | 'enrolment.bootstrap-token-read'
  | 'enrolment.user-authenticated'
  | 'enrolment.user-refused'
  | 'enrolment.token-issued'
  | 'enrolment.return-to-service'
  | 'enrolment.awaiting-configuration'
  | 'action.done'
  | 'action.refused'
  | 'recipe.started'
  | 'recipe.step'
  | 'recipe.succeeded'
  | 'recipe.failed'
  | 'recipe.cancelled'
  | 'escrow.stored'
  | 'escrow.read'
  | 'location.received'
  | 'location.read'
  | 'command.queued'
  | 'command.acknowledged'
  | 'command.failed'
  | 'command.not-now'
  | 'command.unknown-response'
  | 'command.expired'
  | 'command.cancelled'
  | 'inventory.updated'
  | 'label.joined'
  | 'label.left'
  | 'configuration.changed'
  | 'assignment.changed'
  | 'declaration.changed'
  | 'declaration.reported'
  | 'declaration-set.changed'
  | 'declarations.fetched'
  | 'push.sent'
  | 'push.failed'
  | 'push.token-dead'
  | 'push.tokens-doubted'
  | 'push-certificate.requested'
  | 'push-certificate.imported'
  | 'push-certificate.expiring'
  | 'push-certificate.expired'
  | 'certificate.issued'
  | 'certificate.requested'
  | 'certificate.request-decided'
  | 'certificate.renewal-begun'
  | 'certificate.renewed'
  | 'certificate.revoked'
  | 'certificate.revocation-told'
  | 'certificate.revocation-failed'
  | 'certificate.expired'
  | 'credential-setting.changed'
  | 'credential.uploaded'
  | 'credential.issued'
  | 'credential.delivered'
  | 'credential.expiring'
  | 'credential.expired'
  | 'credential.key-deleted'
  | 'credential.discarded'
  | 'credential.withheld'
  | 'credential.reissue-requested'
  | 'ade.account-changed'
  | 'ade.page-synced'
  | 'ade.sync-failed'
  | 'ade.assignment-requested'
  | 'ade.profile-changed'
  | 'ade.profile-defined'
  | 'ade.profile-refused'
  | 'ade.device-locked'
  | 'ade.bypass-code-read'
  | 'mdm-profile.changed'
  | 'mdm-profile.updated'
  | 'mdm-profile.user-needed'
  | 'webhook.disabled'
  | 'keys.rotation-started'
  | 'keys.rotation-finished'
  | 'registration.imported'
  | 'registration.claimed'
  | 'registration.removed'
  | 'invitation.created'
  | 'invitation.consumed';

/** An installed app, from `InstalledApplicationList`. */
export interface InstalledApp {
  readonly identifier: string;
  readonly name: string;
  readonly version: string;
  readonly shortVersion: string | null;
  readonly bundleSize: number | null;
  readonly managed: boolean | null;
}

/** An installed profile, from `ProfileList`. */
export interface InstalledProfile {
  readonly identifier: string;
  readonly uuid: string;
  readonly displayName: string;
  readonly organisation: string | null;
  readonly managed: boolean;
}

/** A certificate on the device, from `CertificateList`. */
export interface DeviceCertificate {
  readonly commonName: string;
  readonly isIdentity: boolean;
  readonly fingerprint: string;
}

/** All that is known of one device. */
export interface DeviceDetail {
  readonly enrolment: Enrolment;
  readonly facts: Facts;
  readonly apps: readonly InstalledApp[];
  readonly profiles: readonly InstalledProfile[];
  readonly certificates: readonly DeviceCertificate[];
  readonly labels: readonly { readonly id: string; readonly name: string }[];
  readonly assignments: readonly Assignment[];
  readonly inventoryAt: number | null;
}

/** One row of a device listing. */
export interface DeviceRow {
  readonly enrolment: Enrolment;
  readonly facts: Facts;
}
