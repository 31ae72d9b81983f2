// Contract: push state, the set of devices that are due to be woken.

/** A device to be woken, leased to the caller. */
export interface PushTarget {
  readonly enrolmentId: string;
  readonly token: Uint8Array;
  /** The PushMagic, sealed. */
  readonly pushMagic: Uint8Array;
  readonly topic: string;
  /** Pushes sent since the device last emptied its queue. */
  readonly attempts: number;
}

/** How a leased push went. */
export interface PushSettlement {
  readonly enrolmentId: string;
  readonly lease: string;
  readonly outcome: 'sent' | 'failed' | 'postponed' | 'token-dead';
  /** When to push again if the device does not come (`token-dead`: ignored). */
  readonly dueAt: number;
}

/** Push state, one row for each enrolment that has a token. */
export interface PushStore {
  /**
   * Leases up to `limit` pushable, active enrolments whose push is due by `at`, earliest first; no two callers get the same one
   * while its lease lasts. A lease is `lease` on the row, and its due time moved to `at + leaseMs`, so that a crashed
   * caller's lease ends by itself.
   */
  claim(input: {
    readonly lease: string;
    readonly at: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<readonly PushTarget[]>;

  /**
   * Records outcomes. A settlement whose lease is no longer on the row changes nothing (the device polled meanwhile).
   * `sent` and `failed`: attempts + 1, due at `dueAt`, lease cleared. `postponed` (the push service asks for patience, which
   * is nothing about the device): due at `dueAt`, lease cleared. `token-dead`: the enrolment is not pushable until its next TokenUpdate,
   * nothing is due.
   */
  settle(input: { readonly at: number; readonly settlements: readonly PushSettlement[] }): Promise<void>;

  /** Makes a push due at `at` whatever the schedule was (attempts and lease cleared). Returns for how many that are pushable. */
  request(input: { readonly enrolmentIds: readonly string[]; readonly at: number }): Promise<number>;

  /** When the next push is due, over all pushable enrolments. */
  nextDueAt(): Promise<number | null>;
  /** One enrolment's push state. */
  get(enrolmentId: string): Promise<{
    readonly topic: string;
    readonly pushable: boolean;
    readonly dueAt: number | null;
    readonly attempts: number;
    readonly lastPushedAt: number | null;
  } | null>;
}
