// Makes enrolment profiles, for invitations and for renewals: a fresh credential, the root, the MDM payload; signed.
import { createHash } from 'node:crypto';
import {
  type AccountEnrolmentMode,
  type AcmeIdentity,
  allAccessRights,
  enrolmentProfile,
  type ScepIdentity,
  type ServerCapability,
} from '@espalier/apple-mdm';
import type { Engine, Enrolment, Invitation } from '@espalier/core';
import type { CertificateAuthority } from '@espalier/pki';
import { appleSubject, certificatePayloads } from '@espalier/policy';
import type { MakeChallenge } from '../ca/challenge.ts';
import { type IdentityCertificates, type IdentityKey, plainSubject } from '../ca/identity-certificate.ts';
import { HostError } from '../errors.ts';

/** What the enrolment profile says. */
export interface ProfileOptions {
  /** Shown to the user as who manages the device. */
  readonly organisation: string;
  /**
   * The APNs topic of the push certificate: `com.apple.mgmt.…`. Where the engine keeps the certificate:
   * `async () => (await engine.pushCertificates.get())?.topic`, without which nobody is let in.
   */
  readonly topic: string | (() => Promise<string | undefined>);
  /** Signs the profile (CMS, content inside); `signCms` with an identity of the CA. */
  readonly sign: (profile: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** Shown as the profile's name (default: `<organisation> device management`). */
  readonly displayName?: string;
  /** The profile's `PayloadIdentifier`; keep it for the life of an enrolment. */
  readonly identifier?: string;
  /** Access rights of the MDM payload (default: all). */
  readonly accessRights?: number;
  /** Whether devices tell when the profile is removed (default true). `engine.mdmProfile` outweighs this and the rights. */
  readonly checkOutWhenRemoved?: boolean;
  /**
   * What the server claims to answer (default: per-user connections and bootstrap tokens). Add `com.apple.mdm.token` with
   * the engine's hook `getToken`.
   */
  readonly serverCapabilities?: readonly ServerCapability[];
  /** Roots (DER) that the device shall trust (default: the CA's root; authorities between go along as such). */
  readonly rootCertificates?: readonly Uint8Array[];
  /** How the device gets its identity (default `scep`). ACME needs iOS 16, tvOS 16 or macOS 13.1. */
  readonly identity?: 'scep' | 'acme';
  /** RSA bits of the device's key with SCEP (default 2048). */
  readonly keySize?: 1024 | 2048 | 4096;
  /** The device's key with ACME. */
  readonly acme?: {
    /** Bits of the EC key (default 384). */
    readonly keySize?: 256 | 384;
    /** The Secure Enclave keeps the key (default true; Macs: macOS 14 with Apple silicon or a T2 chip). */
    readonly hardwareBound?: boolean;
    /** Apple attests device and key (default: as `hardwareBound`). Without it the identifier alone lets a device in. */
    readonly attest?: boolean;
  };
  /** Minutes that the SCEP challenge or the ACME identifier lives (default 60): the user still has to confirm the installation. */
  readonly challengeMinutes?: number;
}

/** Users of Macs and Shared iPads, and bootstrap tokens: what the engine answers by itself. */
const defaultCapabilities: readonly ServerCapability[] = [
  'com.apple.mdm.per-user-connections',
  'com.apple.mdm.bootstraptoken',
];

/** The public addresses that go into profiles and invitations. */
export interface PublicUrls {
  readonly base: string;
  readonly checkIn: string;
  readonly connect: string;
  readonly accountCheckIn: string;
  readonly accountConnect: string;
  readonly scep: string;
  readonly acme: string;
  readonly crl: string;
  readonly ocsp: string;
  enrol(token: string): string;
}

/** All addresses, of one public base URL (with the base path, if there is one). */
export function publicUrls(base: string): PublicUrls {
  const root = base.replace(/\/+$/, '');
  return {
    base: root,
    checkIn: `${root}/mdm/checkin`,
    connect: `${root}/mdm/connect`,
    accountCheckIn: `${root}/mdm/account/checkin`,
    accountConnect: `${root}/mdm/account/connect`,
    scep: `${root}/scep`,
    acme: `${root}/acme`,
    crl: `${root}/ca.crl`,
    ocsp: `${root}/ocsp`,
    enrol: (token) => `${root}/enrol/${encodeURIComponent(token)}`,
  };
}

/** For whom a profile is made: a device that is invited, or one that is enrolled and renews its identity. */
export type ProfilePurpose =
  | {
      readonly invitation: Pick<Invitation, 'id'> & Partial<Pick<Invitation, 'binding'>>;
      readonly account?: ProfileAccount;
    }
  | {
      readonly enrolment: Pick<Enrolment, 'id' | 'invitationId'>;
      readonly ttlMinutes: number;
      readonly account?: ProfileAccount;
      /** The account of a User Enrolment that came by a profile (ABM-25). */
      readonly managedAppleAccount?: string;
    };

/** Where identities come from. */
export interface ProfileIssuing {
  readonly ca: Pick<CertificateAuthority, 'certificate' | 'chain'>;
  readonly certificates: Pick<IdentityCertificates, 'asked' | 'key' | 'keyUsage'>;
  readonly challenge: MakeChallenge;
}

/** An account-driven enrolment: by whose account, and of what kind. */
export interface ProfileAccount {
  readonly mode: AccountEnrolmentMode;
  readonly managedAppleAccount: string;
}

/**
 * The signed `.mobileconfig`. Each call makes a new single-use credential, bound to the invitation or the enrolment. A
 * renewal differs in nothing else, so that the device takes it as the profile that it has (CERT-14).
 * @throws MdmError where the options make no valid profile (a topic that is not Apple's, a URL that is not https)
 */
export async function signedEnrolmentProfile(
  engine: Engine,
  options: ProfileOptions,
  issuing: ProfileIssuing,
  urls: PublicUrls,
  purpose: ProfilePurpose,
): Promise<Uint8Array> {
  const { account } = purpose;
  const byProfile =
    'invitation' in purpose ? purpose.invitation.binding?.managedAppleAccount : purpose.managedAppleAccount;
  const content = await engine.mdmProfile.content(
    'invitation' in purpose ? { invitationId: purpose.invitation.id } : { enrolmentId: purpose.enrolment.id },
    {
      accessRights: options.accessRights ?? allAccessRights,
      checkOutWhenRemoved: options.checkOutWhenRemoved ?? true,
    },
  );
  const profile = enrolmentProfile({
    organisation: options.organisation,
    displayName: options.displayName ?? `${options.organisation} device management`,
    ...(options.identifier === undefined ? {} : { identifier: options.identifier }),
    // An account-driven enrolment has addresses of its own, at which every request needs the user's token.
    serverUrl: account === undefined ? urls.connect : urls.accountConnect,
    checkInUrl: account === undefined ? urls.checkIn : urls.accountCheckIn,
    topic: await topicOf(options),
    serverCapabilities: options.serverCapabilities ?? defaultCapabilities,
    ...(account === undefined
      ? {}
      : { enrolmentMode: account.mode, assignedManagedAppleId: account.managedAppleAccount }),
    ...(byProfile === undefined ? {} : { managedAppleId: byProfile }),
    ...(account?.mode === 'BYOD' || byProfile !== undefined ? {} : { accessRights: content.accessRights }),
    checkOutWhenRemoved: content.checkOutWhenRemoved,
    identity: await identityOf(engine, options, issuing, urls, purpose),
    ...trusted(options, issuing.ca),
    signMessage: true,
    // Without TLS only simulators enrol; whoever gives an http: public URL wants just that.
    ...(urls.base.startsWith('http:') ? { allowHttp: true } : {}),
  });
  return await options.sign(profile);
}

async function topicOf({ topic }: ProfileOptions): Promise<string> {
  const found = typeof topic === 'string' ? topic : await topic();
  if (found !== undefined) return found;
  throw new HostError(
    'unavailable',
    'host.enrol.push',
    'There is no push certificate yet, so no device can be enrolled.',
    {
      remedy: 'Import one: POST /api/v1/push-certificate.',
    },
  );
}

async function identityOf(
  { enrolling }: Engine,
  options: ProfileOptions,
  { ca, certificates, challenge }: ProfileIssuing,
  urls: PublicUrls,
  purpose: ProfilePurpose,
): Promise<ScepIdentity | AcmeIdentity> {
  const asked = await certificates.asked(purpose);
  const credential = {
    ...('invitation' in purpose
      ? { invitationId: purpose.invitation.id, ttlMinutes: options.challengeMinutes ?? 60 }
      : { enrolmentId: purpose.enrolment.id, ttlMinutes: purpose.ttlMinutes }),
    ...(asked === null ? {} : { subject: asked.subjectText }),
  };
  const { key, keyUsage } = certificates;
  const subjectAltName = asked?.subjectAltName;
  const names = {
    subject:
      asked?.subject ??
      appleSubject(plainSubject(options.organisation, purpose)).map(([part]) => [part![0]!, part![1]!] as const),
    ...(subjectAltName === undefined ? {} : { subjectAltName }),
  };
  if (options.identity === 'acme') {
    const { clientIdentifier } = await enrolling.clientIdentifier(credential);
    return {
      ...options.acme,
      ...(key === undefined ? {} : { keyType: key.type === 'rsa' ? 'RSA' : 'ECSECPrimeRandom', keySize: key.bits }),
      ...(keyUsage === undefined ? {} : { usageFlags: keyUsage }),
      ...names,
      ...{ type: 'acme', directoryUrl: `${urls.acme}/directory`, clientIdentifier },
    };
  }
  return {
    url: urls.scep,
    challenge: await challenge(credential),
    ...names,
    keySize: scepKeySize(key) ?? options.keySize ?? 2048,
    ...(keyUsage === undefined ? {} : { keyUsage }),
    // SHA-1, as every Apple system reads it. It only names the certificate; TLS already proves who serves it.
    caFingerprint: createHash('sha1').update(ca.certificate).digest(),
  };
}

/** Checked when the host started. */
const scepKeySize = (key: IdentityKey | undefined): 1024 | 2048 | 4096 | undefined =>
  key?.type === 'rsa' && key.bits !== 3072 ? key.bits : undefined;

/** What the device shall trust: the root of the authority, and what is between. */
function trusted({ rootCertificates }: ProfileOptions, { certificate, chain }: ProfileIssuing['ca']) {
  if (rootCertificates !== undefined) return { rootCertificates };
  const all = [certificate, ...chain];
  return {
    rootCertificates: [all.at(-1)!],
    ...(all.length === 1 ? {} : { payloads: all.slice(0, -1).flatMap((der) => certificatePayloads(der)) }),
  };
}
