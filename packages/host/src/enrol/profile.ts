// Makes the enrolment profile of one invitation: a fresh challenge, the root, the MDM payload; signed.
import { createHash } from 'node:crypto';
import { enrolmentProfile } from '@espalier/apple-mdm';
import type { Engine, Invitation } from '@espalier/core';

/** What the enrolment profile says. */
export interface ProfileOptions {
  /** Shown to the user as who manages the device. */
  readonly organisation: string;
  /** The APNs topic of the push certificate: `com.apple.mgmt.…`. */
  readonly topic: string;
  /** Signs the profile (CMS, content inside); `signCms` with an identity of the CA. */
  readonly sign: (profile: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** Shown as the profile's name (default: `<organisation> device management`). */
  readonly displayName?: string;
  /** The profile's `PayloadIdentifier`; keep it for the life of an enrolment. */
  readonly identifier?: string;
  /** Access rights of the MDM payload (default: all). */
  readonly accessRights?: number;
  /** Roots (DER) that the device shall trust (default: the CA's certificate). */
  readonly rootCertificates?: readonly Uint8Array[];
  /** RSA bits of the device's key (default 2048). */
  readonly keySize?: 1024 | 2048 | 4096;
  /** Minutes that the SCEP challenge lives (default 60): the user still has to confirm the installation. */
  readonly challengeMinutes?: number;
}

/** The public addresses that go into profiles and invitations. */
export interface PublicUrls {
  readonly base: string;
  readonly checkIn: string;
  readonly connect: string;
  readonly scep: string;
  enrol(token: string): string;
}

/** All addresses, of one public base URL (with the base path, if there is one). */
export function publicUrls(base: string): PublicUrls {
  const root = base.replace(/\/+$/, '');
  return {
    base: root,
    checkIn: `${root}/mdm/checkin`,
    connect: `${root}/mdm/connect`,
    scep: `${root}/scep`,
    enrol: (token) => `${root}/enrol/${encodeURIComponent(token)}`,
  };
}

/**
 * The signed `.mobileconfig` for one invitation. Each call makes a new single-use challenge bound to the invitation.
 * @throws MdmError where the options make no valid profile (a topic that is not Apple's, a URL that is not https)
 */
export async function signedEnrolmentProfile(
  engine: Engine,
  options: ProfileOptions,
  caCertificate: Uint8Array,
  urls: PublicUrls,
  invitation: Invitation,
): Promise<Uint8Array> {
  const { challenge } = await engine.enrolling.challenge({
    invitationId: invitation.id,
    ttlMinutes: options.challengeMinutes ?? 60,
  });
  const profile = enrolmentProfile({
    organisation: options.organisation,
    displayName: options.displayName ?? `${options.organisation} device management`,
    ...(options.identifier === undefined ? {} : { identifier: options.identifier }),
    serverUrl: urls.connect,
    checkInUrl: urls.checkIn,
    topic: options.topic,
    ...(options.accessRights === undefined ? {} : { accessRights: options.accessRights }),
    identity: {
      url: urls.scep,
      challenge,
      subject: [
        ['O', options.organisation],
        ['CN', `Device ${invitation.id}`],
      ],
      keySize: options.keySize ?? 2048,
      // SHA-1, as every Apple system reads it. It only names the certificate; TLS already proves who serves it.
      caFingerprint: createHash('sha1').update(caCertificate).digest(),
    },
    rootCertificates: options.rootCertificates ?? [caCertificate],
    signMessage: true,
    // Without TLS only simulators enrol; whoever gives an http: public URL wants just that.
    ...(urls.base.startsWith('http:') ? { allowHttp: true } : {}),
  });
  return await options.sign(profile);
}
