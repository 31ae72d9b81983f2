// Types that several storage contracts share.
import type { FactValue } from '../api/common.ts';
import type { EventType } from '../api/records.ts';

/** An event about to be stored; the store gives it its `seq`. Never holds secrets. */
export interface NewEvent {
  readonly type: EventType;
  readonly at: number;
  readonly enrolmentId: string | null;
  readonly data: Readonly<Record<string, FactValue>>;
}

/**
 * Bytes that may be sealed. When `sealed` is true, `bytes` is an envelope of the key ring; the store neither opens nor
 * inspects it. Secrets only ever reach a store sealed.
 */
export interface StoredBytes {
  readonly bytes: Uint8Array;
  readonly sealed: boolean;
}

/** A sealed secret that is written together with something else. */
export interface NamedSecret {
  readonly name: string;
  readonly blob: Uint8Array;
}

/** A listing's page as a store takes it: `limit` is always set, `after` is what the store returned as `next`. */
export interface StorePage {
  readonly after?: string;
  readonly limit: number;
}
