// Contract: invitations to enrol.
import type { Page } from '../api/common.ts';
import type { Invitation } from '../api/records.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** An invitation as it is stored: PIN and token only as keyed hashes (to be found by) and sealed (to be shown). */
export interface InvitationRecord extends Omit<Invitation, 'pin' | 'token' | 'binding'> {
  /** PIN, token and binding, sealed together. */
  readonly sealed: Uint8Array;
  readonly pinHash: string;
  readonly tokenHash: string;
}

/** Invitations. Stored status `valid` with `expiresAt` at or before now reads as `expired` to callers of the engine. */
export interface InvitationStore {
  /** `pin-taken` (nothing changed): another invitation that is `valid` and not expired by `at` has this PIN. */
  create(invitation: InvitationRecord, at: number, event: NewEvent): Promise<'created' | 'pin-taken'>;
  get(id: string): Promise<InvitationRecord | null>;
  findByToken(tokenHash: string): Promise<InvitationRecord | null>;
  /** Of several with this PIN hash over time, the newest. */
  findByPin(pinHash: string): Promise<InvitationRecord | null>;
  /** Newest first. */
  list(page: StorePage): Promise<Page<InvitationRecord>>;
  /** `valid` → `revoked`. False when there is none or it is not valid. */
  revoke(id: string): Promise<boolean>;
  /** Turns up to `limit` valid ones that expired by `at` into `expired`. Returns how many. */
  sweep(input: { readonly at: number; readonly limit: number }): Promise<number>;
}
