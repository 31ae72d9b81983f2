// Contract: credential settings (where an identity comes from) and the identities kept for users and devices.
import type { Page } from '../api/common.ts';
import type { Credential, CredentialSetting, CredentialStatus } from '../api/credentials.ts';
import type { NewCertificate } from './certificates.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** A credential as a store keeps it. */
export interface CredentialRecord extends Credential {
  /** Certificate chain and private key, sealed for `['credential', id]`; `null` once the key was deleted. */
  readonly sealed: Uint8Array | null;
}

/** What the reconciler has to know of a credential. */
export interface CredentialSummary {
  readonly id: string;
  readonly settingId: string;
  readonly holder: string;
  readonly revision: number;
  readonly status: CredentialStatus;
  readonly keyStored: boolean;
  readonly fingerprint: string;
}

/** Which credentials are listed; the conditions hold together. */
export interface CredentialFilter {
  readonly settingId?: string;
  readonly holder?: string;
  readonly statuses?: readonly CredentialStatus[];
  /** Those that end before, and not before, this time. */
  readonly expiresBefore?: number;
  readonly expiresFrom?: number;
}

/** A credential that something happened to. */
export interface ChangedCredential {
  readonly id: string;
  readonly settingId: string;
  readonly holder: string;
}

/**
 * Credential settings and credentials. Of one setting and holder at most one credential is not `superseded` or
 * `discarded`: the current one.
 */
export interface CredentialStore {
  /** `name-taken` (nothing changed): a setting has this name. */
  createSetting(setting: CredentialSetting, event: NewEvent): Promise<'created' | 'name-taken'>;
  /** Writes the whole setting if the stored version is `expectedVersion`. */
  updateSetting(
    setting: CredentialSetting,
    expectedVersion: number,
    event: NewEvent,
  ): Promise<'updated' | 'name-taken' | 'unknown' | 'conflict'>;
  /** Deletes it with its credentials; certificates of the register that were issued for them become `superseded`. False when there was none. */
  deleteSetting(id: string, event: NewEvent): Promise<boolean>;
  /** By name. */
  settings(): Promise<readonly CredentialSetting[]>;
  setting(id: string): Promise<CredentialSetting | null>;

  /**
   * Adds a credential as the current one of its setting and holder, if the newest one there is `expectedId` (`null`: none),
   * else `conflict` (nothing changed); `unknown` when the setting is gone. The one before becomes `superseded` and its key
   * is deleted (by `replaced`), and so does its certificate in the register. `certificate`: entered into the register with it.
   */
  put(input: {
    readonly credential: CredentialRecord;
    readonly expectedId: string | null;
    readonly certificate?: NewCertificate;
    readonly events: readonly NewEvent[];
  }): Promise<'stored' | 'conflict' | 'unknown'>;
  get(id: string): Promise<CredentialRecord | null>;
  /** The newest one of a setting and holder, whatever its status. */
  newest(settingId: string, holder: string): Promise<CredentialRecord | null>;
  /** The newest ones of these holders, for every setting; in no order. */
  newestOf(holders: readonly string[]): Promise<readonly CredentialSummary[]>;
  /** Newest first. */
  list(filter: CredentialFilter, page: StorePage): Promise<Page<Credential>>;

  /** Deletes the private key; certificate and row stay. False (nothing changed): unknown, or there is no key. */
  deleteKey(input: {
    readonly id: string;
    readonly at: number;
    readonly by: NonNullable<Credential['keyDeletedBy']>;
    readonly event: NewEvent;
  }): Promise<boolean>;
  /**
   * Notes the first delivery, also in the register, where its certificate becomes `in-force`. False (nothing changed):
   * unknown, delivered before, or the key is gone.
   */
  delivered(input: { readonly id: string; readonly at: number; readonly event: NewEvent }): Promise<boolean>;

  /**
   * Turns a credential into `superseded` though nothing follows it yet: its key is deleted (by `replaced`), its certificate in
   * the register, unless it is revoked, becomes `superseded`. False (nothing changed): unknown, or `superseded` or
   * `discarded` already.
   */
  supersede(input: { readonly id: string; readonly at: number; readonly event: NewEvent }): Promise<boolean>;

  /**
   * Deletes up to `limit` keys that are older than their setting's `deleteKeysAfterDays` at `at` (by `age`); a
   * `credential.key-deleted` event (data `{ credentialId, settingId, holder, by }`) is appended for each.
   */
  deleteOldKeys(input: { readonly at: number; readonly limit: number }): Promise<readonly ChangedCredential[]>;
  /**
   * Turns up to `limit` current ones of origin `issued` that were made before `before` and never delivered into `discarded`: the
   * key is deleted (by `undelivered`), their certificate in the register becomes `superseded`. A `credential.discarded` event
   * (data `{ credentialId, settingId, holder, fingerprint }`) is appended for each.
   */
  discard(input: {
    readonly before: number;
    readonly at: number;
    readonly limit: number;
  }): Promise<readonly ChangedCredential[]>;
  /**
   * Turns up to `limit` current ones that end by `at` into `expired`, and `active` ones that end by `at` + the setting's
   * `expiryWindowDays` (never more than three quarters of their lifetime) into `expiring`. A `credential.expired` or
   * `credential.expiring` event (data `{ credentialId, settingId, holder, fingerprint, notAfter }`) is appended for each.
   */
  age(input: { readonly at: number; readonly limit: number }): Promise<readonly ChangedCredential[]>;
  /** Deletes up to `limit` that are `superseded`, `discarded` or `revoked` and ended before `before`. Returns how many. */
  purge(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
