// A simulated device as its user sees it: what it needs of the world, and what can be done with it.
import type { DeviceKind } from '../catalogue.ts';
import type { Faults } from '../faults.ts';
import type { KeyPool } from '../key-pool.ts';
import type { RetryOptions } from '../net/retry.ts';
import type { Transport } from '../net/transport.ts';
import type { AttestationService } from './attestation.ts';
import type { RequestEvent } from './channel.ts';
import type { DeclarationVerdict } from './declarations/client.ts';
import type { SignIn } from './enrolling/browser.ts';
import type { DeviceAuthority } from './enrolling/machine-info.ts';
import type { EnrolmentWay } from './enrolling/types.ts';
import type { DeviceTraits } from './factory.ts';
import type { SessionResult } from './session.ts';
import type { DeviceState, EnrolmentPhase } from './state.ts';
import type { UserLogin, UserSession } from './users.ts';

/** Where a device registers to be woken; the simulated APNs is one. */
export interface PushService {
  /** From now on pushes to the token (hex) reach the listener. */
  register(registration: {
    readonly token: string;
    readonly topic: string;
    readonly onPush: (payload: { readonly mdm: string }) => void;
  }): void;
  /** The device is away; pushes wait for it. */
  disconnect(token: string): void;
  /** The token is dead. */
  unregister(token: string): void;
}

/** The world around a device. */
export interface DeviceEnvironment {
  /** Whatever is left to chance comes from here (default `device`). */
  readonly seed?: string | number;
  /** The way to the server (default: `createNodeTransport` with `trustedRoots`). */
  readonly transport?: Transport;
  /** In place of `transport`: a handler in this process. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Roots that the device trusts from the start (DER): for TLS, and for the profile's signature. */
  readonly trustedRoots?: readonly Uint8Array[];
  /** RSA keys; share one pool among devices. */
  readonly keyPool?: KeyPool;
  /** Attests the device's keys where a profile asks for that; without it the device sends no attestation. */
  readonly attestation?: AttestationService;
  /** Gives the device the identity that it has from the factory; default: an authority that no server knows. */
  readonly deviceAuthority?: DeviceAuthority;
  /** The user who signs in again, for a restored device; else it is who signed in when it enrolled. */
  readonly signIn?: SignIn;
  /** Wakes the device; without it only `poll()` does. */
  readonly apns?: PushService;
  /** Default: the real time. */
  readonly clock?: { now(): number };
  /** Milliseconds that only grow, for durations (default `performance.now`). */
  readonly stopwatch?: () => number;
  /** Default: `setTimeout`. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly retry?: RetryOptions;
  /** Misbehaviour; default: none. */
  readonly faults?: Faults;
  /** Hears of every request. */
  readonly onRequest?: (event: RequestEvent) => void;
  /** Hears of errors in sessions that a push began; without it `settled()` throws them. */
  readonly onError?: (error: unknown) => void;
  /** Commands in one session at most (default 1,000). */
  readonly maxCommandsPerSession?: number;
}

/** Options of {@link createSimulatedDevice}. */
export interface SimulatedDeviceOptions extends DeviceTraits, DeviceEnvironment {}

/** What became of an enrolment. */
export interface EnrolResult {
  /** The identity's certificate, DER. */
  readonly certificate: Uint8Array;
  /** Who signed the profile; absent when it is unsigned. */
  readonly signer?: { readonly certificate: Uint8Array; readonly subject: string; readonly trusted: boolean };
}

/** A simulated device. */
export interface SimulatedDevice {
  readonly kind: DeviceKind;
  readonly udid: string;
  readonly serialNumber: string;
  readonly phase: EnrolmentPhase;
  /**
   * Enrols from a profile's URL or bytes (or those of a profile service), or in one of Apple's other ways. An interrupted
   * enrolment goes on where it was, whatever the source is now; an enrolled device has nothing to do.
   * @throws SimulatorError `simulator.unsupported` (Apple's devices of this kind do not), `simulator.discovery`,
   *   `simulator.sign_in`, `simulator.profile`, `simulator.signature`, `simulator.scep`, `simulator.acme`, `simulator.refused`
   *   (the enrolment is undone, as on devices); `simulator.unreachable` (it can go on later)
   */
  enrol(source: string | URL | Uint8Array | EnrolmentWay): Promise<EnrolResult>;
  /**
   * A user logs in to an enrolled Mac or Shared iPad, and gets an MDM channel where the server manages users.
   * @param user Default: the Mac's own account.
   * @throws SimulatorError `simulator.not_enrolled`, `simulator.unsupported`, `simulator.unreachable`
   */
  logIn(user?: UserLogin): Promise<UserSession>;
  /**
   * Asks for a token of a service (`GetToken`): `com.apple.maid`, `com.apple.watch.pairing`. `null` where the server gives
   * none, or does not have the capability.
   * @throws SimulatorError `simulator.not_enrolled`, `simulator.unreachable`
   */
  getToken(service: string, parameters?: { readonly [key: string]: string }): Promise<Uint8Array | null>;
  /**
   * Asks for the bootstrap token that this Mac has escrowed; `null` where the server has none.
   * @throws SimulatorError `simulator.not_enrolled`, `simulator.unreachable`
   */
  getBootstrapToken(): Promise<Uint8Array | null>;
  /**
   * The user returns the device to service (iOS and visionOS 26, supervised, Automated Device Enrolment): where the
   * server agrees it is erased, and enrols anew from the profile that the server gave with that, if it gave one.
   * @throws SimulatorError `simulator.not_enrolled`, `simulator.unsupported`, and as `enrol`
   */
  returnToService(): Promise<{ readonly enabled: boolean; readonly enrolled: boolean }>;
  /**
   * Asks for work and does it, until there is none. Sessions of a device never overlap.
   * @throws SimulatorError `simulator.not_enrolled`, `simulator.unreachable`
   */
  poll(): Promise<SessionResult>;
  /** Sends `TokenUpdate` again, with a new push token when `newToken` is set. */
  updateToken(options?: { readonly newToken?: boolean }): Promise<void>;
  /**
   * Reports the status that changed since the last report, as a device with declarative management does by itself after
   * each session; with `full` all of it (the daily report). Nothing where the server has not turned it on.
   */
  reportStatus(options?: { readonly full?: boolean }): Promise<void>;
  /** How each declaration on the device stands. */
  declarations(): Promise<readonly DeclarationVerdict[]>;
  /** The user removes the enrolment profile. The server is told once, if the profile asks for that; `told` says if it heard. */
  checkOut(): Promise<{ readonly told: boolean }>;
  /** The user locks the device. */
  lock(): void;
  /** The user unlocks it; a Mac that was locked by command needs its PIN. A device that said NotNow polls again. */
  unlock(pin?: string): boolean;
  /** The user sets or removes the passcode. */
  setPasscode(passcode: string | null): void;
  /** Waits for the sessions that pushes have begun. Throws the first error of one, unless `onError` hears of them. */
  settled(): Promise<void>;
  /** All that the device remembers, as JSON; `restoreDevice` makes a device of it. */
  state(): DeviceState;
  /** Closes connections and stops listening for pushes, which from now on wait for the device. */
  close(): void;
}
