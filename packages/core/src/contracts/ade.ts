// Contract: accounts of automated device enrolment, the devices that Apple lists for them, what is staged for these.
import type { FactValue, Page } from '../api/common.ts';
import type { NamedSecret, NewEvent, StorePage } from './shared.ts';

/** An account of automated device enrolment: one server in Apple Business Manager or Apple School Manager. */
export interface AdeAccount {
  readonly id: string;
  readonly name: string;
  /** What Apple says of the account (`server_uuid`, `org_name` …); empty until it was asked. */
  readonly details: Readonly<Record<string, string>>;
  /** When the server token ends, epoch milliseconds. */
  readonly tokenExpiresAt: number;
  /** What devices get that newly appear and that no rule fits: the id of a stored profile, or the UUID of one at Apple. */
  readonly defaultProfile: string | null;
  /** Rules that choose other profiles, as the chooser given to the sync understands them. */
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An enrolment profile of an account, as it is kept here; Apple's profiles never change, so each version of it is another one there. */
export interface AdeProfile {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly description: string;
  /** What it says, as whoever compiles it for Apple understands it (`EnrolmentProfile` of `@espalier/ade`). */
  readonly definition: Readonly<Record<string, unknown>>;
  /** Grows with each change. */
  readonly version: number;
  /** The UUID at Apple of the latest version that Apple has; `null` before the first. */
  readonly appleUuid: string | null;
  /** Which version Apple has, 0 for none. */
  readonly appleVersion: number;
  /** Why Apple did not take the present version: a code. `null` when it did, or has not been asked yet. */
  readonly failure: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** How many devices an account's stored profile is meant for. */
export interface AdeProfileUse {
  readonly profileId: string;
  readonly devices: number;
  /** Those of them that have fetched a profile: what changes now reaches them only after they are erased. */
  readonly setUp: number;
}

/** Where the reading of an account's list is. */
export interface AdeCursor {
  /** `fetch`: in the middle of the whole list; `sync`: the list was complete, changes follow. */
  readonly phase: 'fetch' | 'sync';
  readonly cursor: string;
}

/** How far the sync of an account is. */
export interface AdeSyncState {
  /** `null` before the first page. */
  readonly next: AdeCursor | null;
  /** Which reading of the whole list this is, from 1; 0 before the first. */
  readonly generation: number;
  /** The whole list was read, and devices that were not in it are still to be marked as gone. */
  readonly unswept: boolean;
  /** Pages that were ever committed. */
  readonly pages: number;
  /** When the last page was committed. */
  readonly progressedAt: number | null;
  /** When there was last no more to read. */
  readonly finishedAt: number | null;
  /** Why the last attempt ended early; `null` when it did not. A code, never a message. */
  readonly failure: string | null;
  /** Grows each time somebody takes the lease. */
  readonly fence: number;
  readonly leasedUntil: number;
}

/** A device as Apple lists it for an account. */
export interface AdeDevice {
  readonly accountId: string;
  readonly serialNumber: string;
  /** Apple's properties of the device, by Apple's names. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly profileUuid: string | null;
  /** `empty`, `assigned`, `pushed`, `removed`. */
  readonly profileStatus: string;
  /** The stored profile that it is to have, by rule or by hand. */
  readonly profileId: string | null;
  /** The profile at Apple that it is to get; `null` with `assignAt`: it is to lose the one that it has. */
  readonly wantedProfileUuid: string | null;
  /** When the assignment is next to be tried; `null` when there is none to do. */
  readonly assignAt: number | null;
  /** How often it was tried in vain, and what Apple said last. */
  readonly assignAttempts: number;
  readonly assignOutcome: string | null;
  /** When it appeared, also again after it was gone. */
  readonly addedAt: number;
  /** When what is known of it last changed. */
  readonly updatedAt: number;
  /** When Apple was found not to list it any more; `null` while it does. */
  readonly goneAt: number | null;
  /** The living device enrolment with this serial number; the one last seen of several. */
  readonly enrolmentId: string | null;
}

/** What a page says of one device. */
export interface AdeChange {
  readonly serialNumber: string;
  /** Apple does not list it for this account any more. */
  readonly deleted: boolean;
  /** When it happened at Apple (`op_date`), epoch milliseconds; `null` in the whole list. An earlier one than is known changes nothing. */
  readonly at: number | null;
  readonly record: Readonly<Record<string, unknown>>;
  readonly profileUuid: string | null;
  readonly profileStatus: string;
  /** The profile for it if it newly appears: a stored one (whose UUID then counts) … */
  readonly profileId: string | null;
  /** … or, without, one at Apple. */
  readonly wantedProfileUuid: string | null;
}

/** What a page changed. */
export interface AdePageCounts {
  /** New devices, and those that had been gone. */
  readonly added: number;
  readonly modified: number;
  readonly deleted: number;
  /** Told, and known already. */
  readonly unchanged: number;
}

/** An assignment that is to be done. */
export interface AdeAssignment {
  readonly serialNumber: string;
  /** `null`: the profile is to be removed. */
  readonly profileUuid: string | null;
}

/** What is staged for a device until it enrols: values to set, and names to take away. */
export interface AdeStaging {
  readonly serialNumber: string;
  readonly set: Readonly<Record<string, FactValue>>;
  readonly clear: readonly string[];
}

/** What devices are listed by. */
export interface AdeDeviceFilter {
  readonly accountId?: string;
  /** Default `listed`: without those that are gone. */
  readonly presence?: 'listed' | 'gone' | 'all';
}

/** Automated device enrolment. Serial numbers are kept as Apple writes them. */
export interface AdeStore {
  /**
   * Writes an account, and secrets of the scope `ade:ID` with it, if there is none (`expectedVersion` null) or its version
   * is `expectedVersion`; else `conflict`.
   */
  putAccount(
    account: AdeAccount,
    expectedVersion: number | null,
    options: { readonly secrets: readonly NamedSecret[]; readonly event: NewEvent },
  ): Promise<'written' | 'conflict'>;
  /** Deletes an account, its devices, its profiles and its secrets (scope `ade:ID`). False when there was none. */
  deleteAccount(id: string, event: NewEvent): Promise<boolean>;
  getAccount(id: string): Promise<AdeAccount | null>;
  /** By id. */
  listAccounts(): Promise<readonly AdeAccount[]>;
  syncState(accountId: string): Promise<AdeSyncState | null>;

  /**
   * Takes the lease on an account's sync until `until`: its new fencing number, and the state to go on from. `null` while
   * somebody's lease lasts past `at`, or when there is no such account.
   */
  acquire(input: {
    readonly accountId: string;
    readonly at: number;
    readonly until: number;
  }): Promise<AdeSyncState | null>;
  /** Prolongs the lease; false when somebody else has taken it since. */
  prolong(input: { readonly accountId: string; readonly fence: number; readonly until: number }): Promise<boolean>;
  /** Gives the lease back; nothing happens when it is not held any more. */
  release(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly at: number;
    readonly failure: string | null;
    readonly finished: boolean;
  }): Promise<void>;
  /**
   * Takes one page: the devices and the place to go on from, in one step. `null`, and nothing changed, when somebody else
   * has taken the lease. No serial number is twice in a page. Devices that newly appear and whose profile is another one
   * than wanted become due for assignment at `at`. `events` get the counts in their data.
   */
  commitPage(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly at: number;
    readonly until: number;
    /** The first page of a whole list. */
    readonly restarted: boolean;
    /** The last page of a whole list: what was not in it is gone, see {@link AdeStore.sweep}. */
    readonly complete: boolean;
    readonly next: AdeCursor;
    readonly changes: readonly AdeChange[];
    readonly events: readonly NewEvent[];
  }): Promise<AdePageCounts | null>;
  /** Marks up to `limit` devices as gone that the last whole list did not have, and tells them. `null` when the lease is somebody else's. */
  sweep(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly at: number;
    readonly limit: number;
  }): Promise<{ readonly gone: readonly string[]; readonly done: boolean } | null>;

  /**
   * Writes a profile if there is none with this id (`expectedVersion` null) or its version is `expectedVersion`; `conflict`
   * also when there is no such account. What is written of Apple (`appleUuid`, `appleVersion`) counts for a new one only.
   */
  putProfile(profile: AdeProfile, expectedVersion: number | null, event: NewEvent): Promise<'written' | 'conflict'>;
  getProfile(id: string): Promise<AdeProfile | null>;
  /** By id. */
  listProfiles(accountId: string): Promise<readonly AdeProfile[]>;
  /** By profile, only those that devices have. */
  profileUse(accountId: string): Promise<readonly AdeProfileUse[]>;
  /** Notes that Apple has this version under this UUID, or (`uuid` null) refuses it. False when the lease is somebody else's. */
  publishProfile(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly profileId: string;
    readonly version: number;
    readonly uuid: string | null;
    readonly failure: string | null;
    readonly events: readonly NewEvent[];
  }): Promise<boolean>;
  /**
   * Makes up to `limit` devices that are to have this profile want its present UUID, due at `at`. How many there were,
   * fewer than `limit` when all are done; `null` when the lease is somebody else's.
   */
  followProfile(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly profileId: string;
    readonly at: number;
    readonly limit: number;
  }): Promise<number | null>;
  /**
   * Gives up to `limit` devices of a profile its successor (`null`: they are to lose theirs), and makes that the account's
   * default where the profile is. When all are done the profile is deleted, and the event written. No profile: done.
   */
  deleteProfile(input: {
    readonly accountId: string;
    readonly profileId: string;
    readonly successor: string | null;
    readonly at: number;
    readonly limit: number;
    readonly event: NewEvent;
  }): Promise<{ readonly moved: number; readonly done: boolean }>;

  /**
   * Makes devices of an account want a profile, due at `at`, and stages values, in one step: a stored one, a UUID at Apple,
   * or (both `null`) none. Returns the serial numbers that the account does not list; when there are any, or when the
   * account has no such stored profile, nothing changed. A stored profile that Apple does not have yet is due once it has.
   */
  assign(input: {
    readonly accountId: string;
    readonly serialNumbers: readonly string[];
    readonly profileId: string | null;
    readonly profileUuid: string | null;
    readonly staging: readonly AdeStaging[];
    readonly at: number;
    readonly events: readonly NewEvent[];
  }): Promise<readonly string[] | 'unknown-profile'>;
  /** Assignments that are due by `at`, the longest due first. */
  dueAssignments(input: {
    readonly accountId: string;
    readonly at: number;
    readonly limit: number;
  }): Promise<readonly AdeAssignment[]>;
  /**
   * Notes what Apple said of assignments, where the device still wants that profile: `SUCCESS` makes it so, anything else
   * is tried again at `retryAt`. False when the lease is somebody else's.
   */
  settleAssignments(input: {
    readonly accountId: string;
    readonly fence: number;
    readonly at: number;
    readonly retryAt: number;
    readonly outcomes: readonly (AdeAssignment & { readonly outcome: string })[];
  }): Promise<boolean>;

  /** Ordered by account and serial number. */
  devices(filter: AdeDeviceFilter, page: StorePage): Promise<Page<AdeDevice>>;
  /** All accounts' records of a device, those that list it first. */
  findDevice(serialNumber: string): Promise<readonly AdeDevice[]>;
  /** How many an account lists, and how many of these are due for assignment. */
  counts(accountId: string): Promise<{ readonly listed: number; readonly due: number }>;

  /** Living device enrolments with these serial numbers. */
  enrolled(
    serialNumbers: readonly string[],
  ): Promise<readonly { readonly serialNumber: string; readonly enrolmentId: string }[]>;

  /** Merges staged values: those that are set replace, those cleared become `null`, others stay. */
  stage(items: readonly AdeStaging[]): Promise<void>;
  /** What is staged for a device; `null` values are to be taken away. Empty without any. */
  staged(serialNumber: string): Promise<Readonly<Record<string, FactValue>>>;
}
