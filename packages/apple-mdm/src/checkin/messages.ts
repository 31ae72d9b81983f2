// The check-in messages, one type each. Keys and presence: Apple's schema, mdm/checkin (os18.3 and os27).
import type { EnrolmentIds } from '../enrolment.ts';
import type { PlistDict } from '../plist.ts';

/** What every check-in message has. */
interface CheckinBase {
  /** The identifiers of the channel that sent it; `resolveEnrolment` gives the identity they stand for. */
  readonly ids: EnrolmentIds;
  /** The whole message as decoded, unknown keys included. */
  readonly value: PlistDict;
  /** The message as it was sent. */
  readonly raw: Uint8Array;
}

/** A device asks to enrol: the first message of an enrolment, and of each re-enrolment. */
export interface Authenticate extends CheckinBase {
  readonly messageType: 'Authenticate';
  /** The push topic that the device subscribes to. */
  readonly topic: string;
  readonly osVersion?: string;
  readonly buildVersion?: string;
  /** e.g. `iPhone15,2`. */
  readonly productName?: string;
  readonly serialNumber?: string;
  readonly imei?: string;
  readonly meid?: string;
  /** macOS only. */
  readonly deviceName?: string;
  /** macOS only. */
  readonly model?: string;
  /** macOS only. */
  readonly modelName?: string;
}

/** A channel tells how to wake it. The first one of a channel completes its enrolment. */
export interface TokenUpdate extends CheckinBase {
  readonly messageType: 'TokenUpdate';
  readonly topic: string;
  /** The push token (32 bytes on today's devices). */
  readonly token: Uint8Array;
  /** Goes into the push's body. */
  readonly pushMagic: string;
  /** Unlocks the device in `ClearPasscode`: a secret. Sent once, then only when it changes: keep the last one. */
  readonly unlockToken?: Uint8Array;
  /** The device waits for `DeviceConfigured` (on a Shared iPad's user channel: `UserConfigured`). */
  readonly awaitingConfiguration: boolean;
}

/** The profile was removed. Devices try once, and only when `CheckOutWhenRemoved` is set: its absence proves nothing. */
export interface CheckOut extends CheckinBase {
  readonly messageType: 'CheckOut';
  /** Absent on some systems, although the schema requires it. */
  readonly topic?: string;
}

/** A network or mobile user of a Mac logs in. Sent twice: without, then with the response to the server's challenge. */
export interface UserAuthenticate extends CheckinBase {
  readonly messageType: 'UserAuthenticate';
  readonly userId: string;
  /** Empty in the first of the two messages. */
  readonly digestResponse: string;
}

/** A Mac hands over its bootstrap token: a secret. */
export interface SetBootstrapToken extends CheckinBase {
  readonly messageType: 'SetBootstrapToken';
  /** Absent or empty: forget the token that is held. */
  readonly bootstrapToken?: Uint8Array;
  readonly awaitingConfiguration: boolean;
}

/** A Mac asks for its bootstrap token. */
export interface GetBootstrapToken extends CheckinBase {
  readonly messageType: 'GetBootstrapToken';
  readonly awaitingConfiguration: boolean;
}

/** A device asks for a token of a service. */
export interface GetToken extends CheckinBase {
  readonly messageType: 'GetToken';
  /** `com.apple.maid`, `com.apple.watch.pairing`, or what a later system adds. */
  readonly tokenServiceType: string;
  readonly securityToken?: string;
  readonly phoneUdid?: string;
  readonly watchUdid?: string;
}

/** What a DeclarativeManagement message wants. */
export type DeclarativeEndpoint =
  | { readonly kind: 'tokens' }
  | { readonly kind: 'declaration-items' }
  | { readonly kind: 'status' }
  | {
      readonly kind: 'declaration';
      readonly type: 'configuration' | 'asset' | 'activation' | 'management';
      readonly identifier: string;
    }
  /** An endpoint that is not known: answer 404. */
  | { readonly kind: 'unknown' };

/** Declarative management over the check-in URL. */
export interface DeclarativeManagement extends CheckinBase {
  readonly messageType: 'DeclarativeManagement';
  /** The endpoint as it was sent, e.g. `declaration/configuration/com.example.passcode`. */
  readonly endpoint: string;
  /** The same, read. */
  readonly target: DeclarativeEndpoint;
  /** JSON, for `tokens` and `status`. */
  readonly data?: Uint8Array;
}

/** A device in return-to-service mode asks for its configuration (iOS 26, visionOS 26). */
export interface ReturnToService extends CheckinBase {
  readonly messageType: 'ReturnToService';
}

/** Every check-in message, told apart by `messageType`. */
export type Checkin =
  | Authenticate
  | TokenUpdate
  | CheckOut
  | UserAuthenticate
  | SetBootstrapToken
  | GetBootstrapToken
  | GetToken
  | DeclarativeManagement
  | ReturnToService;

/** The value of `MessageType` of every check-in message that is known. */
export type CheckinType = Checkin['messageType'];
