// Automated device enrolment as a host sees it: accounts, the sync with Apple, profiles for devices, attributes before they enrol.
import type {
  AdeAccount,
  AdeCursor,
  AdeDevice,
  AdeDeviceFilter,
  AdePageCounts,
  AdeProfile,
  AdeStaging,
  AdeSyncState,
} from '../contracts/ade.ts';
import type { Page, PageRequest } from './common.ts';

/** A device as a source tells it. Keys are Apple's; others are kept as they are. Source: Apple, Device Management, `Device`. */
export interface AdeSourceDevice {
  readonly serial_number: string;
  readonly model?: string;
  readonly device_family?: string;
  readonly os?: string;
  readonly profile_uuid?: string;
  readonly profile_status?: string;
  readonly op_type?: 'added' | 'modified' | 'deleted';
  /** ISO 8601. */
  readonly op_date?: string;
  readonly response_status?: string;
}

/** A part of the list, or of the changes. */
export interface AdeSourcePage {
  readonly devices: readonly AdeSourceDevice[];
  /** Set on the first page of a whole list: what is known from before and is not in this list is gone. */
  readonly restarted?: string;
  /** This was the last page of a whole list. */
  readonly complete: boolean;
  readonly next: AdeCursor;
}

/** What became of devices in one request to assign a profile. `SUCCESS`; anything else is tried again. */
export interface AdeSourceOutcomes {
  readonly outcomes: ReadonlyMap<string, string>;
  readonly retryAfterMs?: number;
}

/** Apple's device enrolment service for one account. `createEnrolmentClient` of `@espalier/ade` makes one that fits. */
export interface AdeSource {
  /** The pages from a place on, until there is no more for now; the whole list without a place. */
  sync(from?: AdeCursor, options?: { readonly limit?: number }): AsyncIterable<AdeSourcePage>;
  /** Without it nothing is assigned. */
  assignProfile?(uuid: string, serialNumbers: Iterable<string>): AsyncIterable<AdeSourceOutcomes>;
  /** Without it nothing is removed. */
  removeProfile?(serialNumbers: Iterable<string>): AsyncIterable<AdeSourceOutcomes>;
  /** Without it stored profiles stay here. */
  defineProfile?(profile: object): Promise<{ readonly profileUuid: string }>;
}

/** How far one call of {@link Ade.sync} is. */
export interface AdeProgress extends AdePageCounts {
  readonly pages: number;
  /** Devices that a whole list did not have any more. */
  readonly gone: number;
  /** Records without a serial number that can be kept. */
  readonly unusable: number;
  readonly assigned: number;
  /** Devices that lost their profile. */
  readonly removed: number;
  /** Versions of stored profiles that Apple got. */
  readonly defined: number;
  /** Assignments that Apple did not take, to be tried again. */
  readonly refused: number;
}

/** How a sync ended: `busy`: somebody else is at it; `overtaken`: the lease was lost on the way; `stopped`: by the signal. */
export interface AdeSyncResult extends AdeProgress {
  readonly outcome: 'done' | 'busy' | 'overtaken' | 'stopped';
}

/** How to sync. */
export interface AdeSyncOptions {
  /** Devices a page, 1 to 1,000 (default 1,000). */
  readonly limit?: number;
  /**
   * For how long the account is this process's alone after the last sign of life, in milliseconds (default 60,000): that
   * long after this process is killed, another one goes on.
   */
  readonly leaseMs?: number;
  /** The profile for a device that newly appears: the id of a stored one, or a UUID at Apple. Default: the account's default. */
  readonly choose?: (device: AdeSourceDevice, account: AdeAccount) => string | null | undefined;
  /**
   * Called before `choose` is, for the devices of each page: to fetch what it needs to know of them. With the enrolments of
   * those that are enrolled, by serial number.
   */
  readonly prepare?: (
    serialNumbers: readonly string[],
    enrolled: ReadonlyMap<string, string>,
    account: AdeAccount,
  ) => Promise<void>;
  /** What Apple gets for a stored profile (`compileEnrolmentProfile` of `@espalier/ade`). Default: its definition as it is. */
  readonly compile?: (profile: AdeProfile, account: AdeAccount) => object;
  /** Told after each page, each step of a sweep and each batch of assignments. */
  readonly onProgress?: (progress: AdeProgress) => void;
  readonly signal?: AbortSignal;
}

/** What an account is made from. */
export interface NewAdeAccount {
  readonly name: string;
  /** The server token's secrets as the caller's text, such as JSON; kept sealed. */
  readonly token: string;
  /** Epoch milliseconds. */
  readonly tokenExpiresAt: number;
  readonly details?: Readonly<Record<string, string>>;
  readonly defaultProfile?: string | null;
  readonly rules?: readonly Readonly<Record<string, unknown>>[];
}

/** What an enrolment profile is made from. */
export interface NewAdeProfile {
  /** 1 to 125 characters. */
  readonly name: string;
  readonly description?: string;
  /** Kept as it is, up to 512 KB of JSON; whoever compiles it checks it first (`validateEnrolmentProfile` of `@espalier/ade`). */
  readonly definition: Readonly<Record<string, unknown>>;
}

/** An enrolment profile, and how many devices it is meant for. */
export interface AdeProfileWithUse extends AdeProfile {
  readonly devices: number;
  /** Those of them that are set up: a change reaches them only after they are erased. */
  readonly setUp: number;
}

/** Automated device enrolment. */
export interface Ade {
  /** @throws CoreError `core.ade.bad_account` (invalid) */
  createAccount(account: NewAdeAccount): Promise<AdeAccount>;
  /**
   * Changes what is given; a new `token` renews the account. Devices keep the profiles that they have.
   * @throws CoreError `core.ade.unknown_account` (not-found), `core.ade.bad_account` (invalid), `core.ade.changed_meanwhile`
   *   (conflict) when `expectedVersion` is not the version any more
   */
  updateAccount(
    id: string,
    change: Partial<NewAdeAccount>,
    options?: { readonly expectedVersion?: number },
  ): Promise<AdeAccount>;
  /** Forgets an account with its devices and its token. False when there was none. */
  deleteAccount(id: string): Promise<boolean>;
  accounts(): Promise<readonly (AdeAccount & { readonly sync: AdeSyncState })[]>;
  /**
   * The token's text, for the client of Apple's service.
   * @throws CoreError `core.ade.unknown_account` (not-found)
   */
  token(accountId: string): Promise<string>;
  /**
   * Reads what is new at Apple, page by page, and does the assignments that are due. Each page is kept together with the
   * place to go on from, so that a crash at any point loses and doubles nothing; one process at a time is at an account.
   * @throws CoreError `core.ade.unknown_account` (not-found), `core.ade.bad_option` (invalid); what the source throws, after the
   *   failure was noted
   */
  sync(accountId: string, source: AdeSource, options?: AdeSyncOptions): Promise<AdeSyncResult>;
  /**
   * Keeps an enrolment profile; the next sync gives it to Apple.
   * @throws CoreError `core.ade.unknown_account` (not-found), `core.ade.bad_profile` (invalid)
   */
  createProfile(accountId: string, profile: NewAdeProfile): Promise<AdeProfile>;
  /**
   * Changes a profile (ADE-10). Apple's profiles never change: the next sync defines the new version, and assigns it to every
   * device that is to have this profile. Devices that are set up have it only after they are erased.
   * @throws CoreError `core.ade.unknown_profile` (not-found), `core.ade.bad_profile` (invalid), `core.ade.changed_meanwhile` (conflict)
   */
  updateProfile(
    id: string,
    change: Partial<NewAdeProfile>,
    options?: { readonly expectedVersion?: number },
  ): Promise<AdeProfile>;
  /**
   * Deletes a profile (ADE-19). Its devices get the account's default, or lose theirs where there is none. The default itself
   * needs a `newDefault`: another profile, or `null` for none. At Apple it stays, with no device.
   * @returns how many devices are moved by the next sync
   * @throws CoreError `core.ade.unknown_profile` (not-found), `core.ade.default_profile` (conflict) without a new default,
   *   `core.ade.profile_in_rules` (conflict) while a rule of the account names it
   */
  deleteProfile(id: string, options?: { readonly newDefault?: string | null }): Promise<{ readonly devices: number }>;
  /** An account's profiles by name, with how many devices they are meant for. */
  profiles(accountId: string): Promise<readonly AdeProfileWithUse[]>;
  profile(id: string): Promise<AdeProfile | null>;
  /**
   * Makes devices of an account want a profile (the id of a stored one, a UUID at Apple, or `null`: none), and stages
   * attributes for them (ABM-6), all or nothing; the next sync assigns. Attributes become facts (`device.custom.NAME`) when
   * the device enrols.
   * @throws CoreError `core.ade.unknown_account`, `core.ade.unknown_profile`, `core.ade.unlisted_device` (not-found) when the
   *   account does not list one, `core.ade.too_many` (too-large) for more than 5,000
   */
  assign(
    accountId: string,
    profile: string | null,
    devices: readonly (string | AdeStaging)[],
  ): Promise<{ readonly devices: number }>;
  devices(filter?: AdeDeviceFilter & PageRequest): Promise<Page<AdeDevice>>;
  /** A device in all accounts, those that list it first. */
  find(serialNumber: string): Promise<readonly AdeDevice[]>;
  counts(accountId: string): Promise<{ readonly listed: number; readonly due: number }>;
}
