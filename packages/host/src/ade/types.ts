// Automated device enrolment as the host runs it: accounts by their server tokens, the sync, profiles, what devices get.
import type {
  AccountState,
  AssignmentRule,
  DeviceAttribute,
  EnrolmentProfile,
  FetchFunction,
  PreAssignmentProblem,
  ProfileIssue,
  SyncOptions,
} from '@espalier/ade';
import type {
  AdeAccount,
  AdeProfile,
  AdeProfileWithUse,
  AdeProgress,
  AdeSyncResult,
  AdeSyncState,
  Engine,
  KeyRing,
  RandomBytes,
  Store,
} from '@espalier/core';
import type { Logger } from '../types.ts';

/** What {@link createAdeService} is made of. */
export interface AdeServiceOptions {
  readonly engine: Engine;
  /** The engine's store and keys: the key pair for server tokens is sealed and kept there. */
  readonly store: Pick<Store, 'secrets' | 'events'>;
  readonly keys: KeyRing;
  /** The address that devices use, with the base path: profiles send them to its `/enrol/ade`. */
  readonly publicUrl: string | (() => string);
  /** Roots (DER) that profiles give devices to trust this server by, where theirs do not name any. */
  readonly anchors?: readonly Uint8Array[];
  /** Whether the host's `ade.authenticate` knows people's passwords: without it no profile may ask for one (default false). */
  readonly passwords?: boolean;
  /** Web page of the identity provider's sign-in, for profiles with `authentication.saml`. */
  readonly samlUrl?: string;
  /** Order numbers of devices, for rules by order: `createBusinessClient` of `@espalier/ade` tells them. */
  readonly orders?: (serialNumbers: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** How often each account is synced, by whichever process (default 15 minutes). */
  readonly syncIntervalMs?: number;
  /** How often devices that wait in Setup Assistant are looked at (default 5 seconds). */
  readonly releaseIntervalMs?: number;
  /** Devices a page (default 1,000). */
  readonly pageSize?: NonNullable<SyncOptions['limit']>;
  /** Where Apple's service is, for tests: default Apple's. */
  readonly origin?: string;
  readonly fetch?: FetchFunction;
  readonly logger?: Logger;
  readonly random?: RandomBytes;
}

/** An account as an administrator sees it (ADE-18). */
export interface AdeAccountView extends AdeAccount {
  readonly state: AccountState;
  /** Whole days that the token is still good; negative when it is over. */
  readonly daysLeft: number;
  /** Devices that Apple lists. */
  readonly devices: number;
  /** Of these, assignments that are still to be done. */
  readonly due: number;
  readonly profiles: number;
  readonly sync: AdeSyncState;
  /** How far the sync in this process is; `null` when none runs here. */
  readonly progress: AdeProgress | null;
}

/** What a profile is made from: names as Apple's; `url` and `profile_name` are the server's to fill in. */
export interface AdeProfileInput {
  readonly name: string;
  readonly description?: string;
  readonly definition: Omit<EnrolmentProfile, 'apple' | 'description'> & {
    readonly apple: Omit<EnrolmentProfile['apple'], 'url' | 'profile_name' | 'devices'>;
  };
  /** Of the managed administrator of Macs: kept as a salted hash, and sealed. */
  readonly macAdministratorPassword?: string;
}

/** A profile that was written, and what is worth a look in it. */
export interface WrittenAdeProfile {
  readonly profile: AdeProfile;
  readonly warnings: readonly ProfileIssue[];
}

/** What became of a pre-assignment file. */
export type PreAssignmentOutcome =
  | { readonly ok: true; readonly devices: number; readonly warnings: readonly PreAssignmentProblem[] }
  | { readonly ok: false; readonly problems: readonly PreAssignmentProblem[]; readonly more: number };

/** Automated device enrolment, with Apple's service behind it. */
export interface AdeService {
  /** The certificate that is uploaded to Apple's portal, PEM: made the first time, and the same for every account. */
  certificate(): Promise<string>;
  accounts(): Promise<readonly AdeAccountView[]>;
  /** @throws HostError `host.not_found` */
  account(id: string): Promise<AdeAccountView>;
  /**
   * Links an account by the token (`.p7m`) that Apple's portal gave; Apple is asked what it is called.
   * @throws AdeError `ade.token.*` for a file that is no token for this certificate; HostError `host.ade.linked` (conflict) for
   *   one of an account that is there, `host.ade.refused` (conflict) where Apple does not take it
   */
  link(token: Uint8Array, options?: { readonly name?: string }): Promise<AdeAccountView>;
  /**
   * Renews an account's token: it must be of the same server at Apple.
   * @throws AdeError `ade.token.wrong_account`, `ade.token.older` (conflict) and as {@link AdeService.link}
   */
  renew(id: string, token: Uint8Array): Promise<AdeAccountView>;
  /**
   * Changes what is the administrator's to change. The rules' profiles, and the default, are of this account.
   * @throws AdeError `ade.rules.empty`; HostError `host.ade.profile` (invalid); CoreError `core.ade.changed_meanwhile`
   */
  change(
    id: string,
    change: {
      readonly name?: string;
      readonly defaultProfile?: string | null;
      readonly rules?: readonly AssignmentRule[];
    },
    options?: { readonly expectedVersion?: number },
  ): Promise<AdeAccountView>;
  /** Forgets an account here; at Apple nothing changes. */
  unlink(id: string): Promise<void>;
  /** Syncs an account now, or waits for the sync that runs in this process. */
  sync(id: string): Promise<AdeSyncResult>;
  /** What is wrong with a profile, before it is kept. */
  check(input: AdeProfileInput): readonly ProfileIssue[];
  profiles(accountId: string): Promise<readonly AdeProfileWithUse[]>;
  /** @throws HostError `host.ade.profile` (invalid) with the first error's place */
  createProfile(accountId: string, input: AdeProfileInput): Promise<WrittenAdeProfile>;
  updateProfile(
    id: string,
    input: AdeProfileInput,
    options?: { readonly expectedVersion?: number },
  ): Promise<WrittenAdeProfile>;
  /** Deletes a profile, as `engine.ade.deleteProfile` does, and what was kept with it. */
  deleteProfile(id: string, options?: { readonly newDefault?: string | null }): Promise<{ readonly devices: number }>;
  /** Gives devices a profile, as `engine.ade.assign` does, and has it done soon. */
  assign(
    accountId: string,
    profile: string | null,
    serialNumbers: readonly string[],
  ): Promise<{ readonly devices: number }>;
  /** The profile that a device is to have here, by its serial number; `null` without one. */
  profileOf(serialNumber: string): Promise<EnrolmentProfile | null>;
  /** Reads a pre-assignment file (ABM-6) and does all of it, or nothing. */
  preAssign(
    accountId: string,
    input: {
      readonly profile: string | null;
      readonly csv: string;
      readonly attributes: readonly DeviceAttribute[];
      readonly managedAppleIdAttribute?: string;
      readonly cartAttribute?: string;
    },
  ): Promise<PreAssignmentOutcome>;
  /**
   * Locks a device to the organisation at Apple (POL-18), whether it is enrolled or not. The bypass code is kept, sealed.
   * @throws HostError `host.ade.lock` (conflict) where Apple does not lock it
   */
  lock(serialNumber: string, options?: { readonly message?: string }): Promise<void>;
  /** The bypass code of a lock that was made here; each reading is an event. `null` without one. */
  bypassCode(serialNumber: string): Promise<string | null>;
  /** Lets go on whoever waits in Setup Assistant and is ready, or has waited long enough. How many. */
  release(): Promise<number>;
  /** Begins to sync and to release in the background. */
  start(): void;
  stop(): Promise<void>;
}
