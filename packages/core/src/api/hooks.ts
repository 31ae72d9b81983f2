// What an embedding product may decide in the MDM protocol: one function for each check-in message that needs an answer
// which the engine cannot know.
import type { Checkin, DigestResponse } from '@espalier/apple-mdm';
import type { ActionRequest } from './actions.ts';
import type { DeviceIdentity } from './engine.ts';
import type { RecipeParameters } from './recipes.ts';
import type { Enrolment } from './records.ts';

/** A device that is enrolled asks to enrol anew, with another certificate than the one it is pinned to. */
export interface ReenrolmentRequest {
  /** The enrolment as it stands. */
  readonly enrolment: Enrolment;
  /** The identity that the device proved now. */
  readonly identity: DeviceIdentity;
  /** Whether this engine's register holds the certificate, not yet used, revoked or bound to another enrolment. */
  readonly issued: boolean;
  /** Whether it was issued for this very device: see {@link ReenrolmentPolicy}. */
  readonly bound: boolean;
}

/**
 * Which certificate may take an enrolment over at `Authenticate` while the enrolment is pending or active:
 *
 * - `bound` (default): one that this engine's CA issued and nobody used yet, and that is for this device: its invitation names
 *   the serial number or UDID (Automated Device Enrolment and the profile service bind it to what the device signed), Apple attested
 *   the serial number, or it is a renewal. Any such certificate will do where the enrolment is `pending`, or where Apple says that its push token
 *   is dead: the device has left it. See docs/decisions/0007-reenrolment.md;
 * - `issued`: one that this engine's CA issued and nobody used yet, which takes a fresh invitation or challenge;
 * - `allow`: any that the door trusts (devices of an outside CA);
 * - `refuse`: none; the enrolment has to end first;
 * - a function decides.
 */
export type ReenrolmentPolicy =
  | 'bound'
  | 'issued'
  | 'allow'
  | 'refuse'
  | ((request: ReenrolmentRequest) => boolean | Promise<boolean>);

/** A network or mobile user of a Mac who logs in. */
export interface LoginUser {
  /** The Mac's device channel. */
  readonly enrolmentId: string;
  /** The user's GUID. */
  readonly userId: string;
}

/** Decides about network and mobile users of Macs (`UserAuthenticate`). */
export interface UserAuthenticator {
  /**
   * The user logs in: `accept` manages the user without a password check (an empty `DigestChallenge`), `decline` leaves
   * the user alone until the next login (HTTP 410), a realm asks for the digest of name and password.
   */
  begin(user: LoginUser): LoginDecision | Promise<LoginDecision>;
  /**
   * Whether the digest is right; `verifyDigest` of `@espalier/apple-mdm` compares it with a stored hash. That the
   * challenge is the engine's own, fresh and unused, has been checked.
   */
  verify(
    user: LoginUser,
    digest: DigestResponse,
    challenge: { readonly nonce: string; readonly realm: string },
  ): boolean | Promise<boolean>;
}

/** What {@link UserAuthenticator.begin} answers. */
export type LoginDecision = 'accept' | 'decline' | { readonly realm: string };

/** A device asks for a token of a service (`GetToken`). */
export interface ServiceTokenRequest {
  readonly enrolment: Enrolment;
  /** `com.apple.maid`, `com.apple.watch.pairing`, or what a later system adds. */
  readonly service: string;
  readonly securityToken?: string;
  readonly phoneUdid?: string;
  readonly watchUdid?: string;
}

/** How a device returns to service (`ReturnToService`, iOS 26 and visionOS 26). */
export interface ReturnToServiceAnswer {
  /** Needed where the device has no Ethernet. */
  readonly wifiProfile?: Uint8Array;
  /** The enrolment profile to use in place of the one that the ADE profile's URL gives. */
  readonly mdmProfile?: Uint8Array;
  /** Hand back the bootstrap token that is escrowed, which keeps apps (default true). */
  readonly preserveApps?: boolean;
  /** iOS 27: the device tries again where it cannot enrol (default: it does not). */
  readonly retryEnrolment?: boolean;
}

/** A DeclarativeManagement message, with who sent it. */
export interface DeclarativeRequest {
  readonly enrolment: Enrolment;
  readonly message: Extract<Checkin, { messageType: 'DeclarativeManagement' }>;
}

/** Decisions in the protocol; each has a default that Apple's documentation allows. */
export interface ProtocolHooks {
  /**
   * Called with each check-in message before anything is changed. A CoreError that it throws refuses the message.
   * The sender's certificate chain is verified; that it belongs to the enrolment is not yet.
   */
  readonly before?: (message: Checkin, identity: DeviceIdentity) => void | Promise<void>;
  /** Called with each message that was accepted, before the answer goes out. What it throws is logged, no more. */
  readonly after?: (message: Checkin, enrolmentId: string) => void | Promise<void>;
  readonly reenrolment?: ReenrolmentPolicy;
  /** Default `decline`: network and mobile users of Macs are not managed. */
  readonly userAuthenticate?: 'accept' | 'decline' | UserAuthenticator;
  /** The token, or `null` for a service that is not known, which answers 400. Default: no service is known. */
  readonly getToken?: (request: ServiceTokenRequest) => Promise<Uint8Array | string | null>;
  /** `null` (and the default): the device does not return to service (`Enabled` false). */
  readonly returnToService?: (enrolment: Enrolment) => Promise<ReturnToServiceAnswer | null>;
  /**
   * A channel became active and waits in Setup Assistant: what it gets before it is let go on (`release-awaiting`), or
   * `null` (and the default) to leave that to whoever starts the recipe.
   */
  readonly awaitingConfiguration?: (enrolment: Enrolment) => Promise<RecipeParameters['release-awaiting'] | null>;
  /** Whether a caller may run an action on a device (ACT-1): a CoreError that it throws refuses it on this one. Default: yes. */
  readonly action?: (request: ActionRequest) => void | Promise<void>;
  /**
   * Answers declarative management in place of the engine's own service: JSON bytes, `null` for an empty answer; a
   * CoreError of kind `not-found` answers 404.
   */
  readonly declarativeManagement?: (request: DeclarativeRequest) => Promise<Uint8Array | null>;
}
