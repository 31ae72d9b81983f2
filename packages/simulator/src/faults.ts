// Misbehaviour on request: what the network and buggy clients do to messages.
import type { PlistDict, PlistInput } from '@espalier/plist';
import type { DeviceRequest } from './net/transport.ts';
import type { Random } from './random.ts';

/** A message that a device is about to send. */
export interface Step {
  readonly kind:
    | 'authenticate'
    | 'token-update'
    | 'check-out'
    | 'idle'
    | 'result'
    | 'declarative'
    | 'user-authenticate'
    | 'bootstrap-token'
    | 'get-token'
    | 'return-to-service';
  /** The command that a result answers. */
  readonly requestType?: string;
  /** Counts the messages of this device from 1. */
  readonly number: number;
}

/**
 * What happens to a message.
 *
 * - `drop-request`: it never arrives; the device tries again.
 * - `drop-response`: it arrives, its answer gets lost; the device sends it again.
 * - `duplicate`: it arrives twice; the device goes by the second answer.
 * - `replay`: an earlier message of this device arrives before it.
 * - `reorder`: a result is held back, and the device first asks for work again. Other messages: no effect.
 * - `slow`: it waits.
 * - `lie`: another message arrives first, made of this one: a dictionary, or bytes of any kind. It is signed as the
 *   device signs.
 * - `corrupt`: the same request arrives first, changed after it was signed: headers, address, method, body.
 *
 * After a lie or a corruption the right message follows, and the device goes by its answer; with `instead` it does not
 * follow.
 */
export type Fault =
  | { readonly type: 'drop-request' }
  | { readonly type: 'drop-response' }
  | { readonly type: 'duplicate' }
  | { readonly type: 'replay' }
  | { readonly type: 'reorder' }
  | { readonly type: 'slow'; readonly ms: number }
  | {
      readonly type: 'lie';
      readonly change: (message: PlistDict) => PlistInput | Uint8Array;
      readonly instead?: boolean;
    }
  | {
      readonly type: 'corrupt';
      readonly change: (request: DeviceRequest) => DeviceRequest;
      readonly instead?: boolean;
    };

/** Decides what happens to each message; `undefined` leaves it alone. Asked once for each message, not for retries. */
export type Faults = (step: Step, random: Random) => Fault | undefined;

/** How likely each fault is, from 0 to 1; together at most 1. */
export interface FaultShares {
  readonly dropRequest?: number;
  readonly dropResponse?: number;
  readonly duplicate?: number;
  readonly replay?: number;
  readonly reorder?: number;
  readonly slow?: { readonly share: number; readonly ms: number };
}

/**
 * Makes faults that happen by chance, from the device's seed.
 * @example
 * createSimulatedDevice({ kind: 'iPhone', faults: randomFaults({ dropResponse: 0.1, duplicate: 0.05 }) });
 */
export function randomFaults(shares: FaultShares): Faults {
  const faults: readonly (readonly [share: number, fault: Fault])[] = [
    [shares.dropRequest ?? 0, { type: 'drop-request' }],
    [shares.dropResponse ?? 0, { type: 'drop-response' }],
    [shares.duplicate ?? 0, { type: 'duplicate' }],
    [shares.replay ?? 0, { type: 'replay' }],
    [shares.reorder ?? 0, { type: 'reorder' }],
    [shares.slow?.share ?? 0, { type: 'slow', ms: shares.slow?.ms ?? 0 }],
  ];
  return (_step, random) => {
    let at = random.next();
    for (const [share, fault] of faults) {
      if (at < share) return fault;
      at -= share;
    }
    return undefined;
  };
}
