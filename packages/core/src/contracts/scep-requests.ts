// Contract: SCEP requests that wait for a person, or for an authority behind this one.
import type { Page } from '../api/common.ts';
import type { NewEvent, StorePage } from './shared.ts';

/**
 * Where a request stands: `pending` waits for a decision; `approved` gets its certificate when the device asks again (and
 * an authority behind this one has made it); `refused` tells the device so when it asks again.
 */
export type ScepRequestState = 'pending' | 'approved' | 'refused';

/** A request as the store keeps it. Transaction and key together are unique. */
export interface ScepRequestRecord {
  readonly id: string;
  readonly transactionId: string;
  /** Lower-case hex SHA-256 of the key that asks. */
  readonly publicKeyHash: string;
  readonly state: ScepRequestState;
  /** The request and what was decided, sealed: it may hold a challenge. */
  readonly sealed: Uint8Array;
  readonly requestedAt: number;
  readonly decidedAt: number | null;
  /** When it is forgotten. */
  readonly expiresAt: number;
}

/** Requests that wait. `commitScep` of the certificate store removes the one that it is told of. */
export interface ScepRequestStore {
  /**
   * Keeps a request and appends the event. `held-before`: this transaction and key wait already, nothing changed.
   * `full`: `most` undecided requests wait that have not expired by `at`, nothing changed; decided ones do not count, and
   * a store may let a few more in that come at the same moment.
   */
  hold(input: {
    readonly request: ScepRequestRecord;
    readonly most: number;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<'held' | 'held-before' | 'full'>;
  /** `null` when there is none, or it expired by `at`. */
  find(transactionId: string, publicKeyHash: string, at: number): Promise<ScepRequestRecord | null>;
  get(id: string): Promise<ScepRequestRecord | null>;
  /** Newest first. */
  list(filter: { readonly state?: ScepRequestState }, page: StorePage): Promise<Page<ScepRequestRecord>>;
  /** Decides on a `pending` request, replaces what is sealed, and appends the event. False when it is not pending (any more). */
  decide(input: {
    readonly id: string;
    readonly state: 'approved' | 'refused';
    readonly sealed: Uint8Array;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<boolean>;
  /** Deletes up to `limit` requests that expired before `before`. Returns how many. */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
