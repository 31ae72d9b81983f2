// Credentials as the engine's callers see them: settings (where an identity comes from), and identities of users and devices.
import type { Facts, Page, PageRequest } from './common.ts';
import type { Enrolment } from './records.ts';

/**
 * How a credential stands. `active`; `expiring`: within its setting's window before the end; `expired`; `superseded`:
 * another one took its place; `revoked`; `discarded`: made ahead, and never delivered (CERT-21).
 */
export type CredentialStatus = 'active' | 'expiring' | 'expired' | 'superseded' | 'revoked' | 'discarded';

/** A credential setting (CERT-18): a named recipe that says where an identity comes from. One for each purpose. */
export interface CredentialSetting {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** What users see when they are asked for a file. */
  readonly displayName: string;
  /**
   * `user-provided`: users upload a PKCS#12 file (CERT-35). `single-file`: an administrator uploads one identity for all devices
   * (CERT-30). `issued`: the server makes key and certificate (CERT-21).
   */
  readonly source: 'user-provided' | 'single-file' | 'issued';
  /**
   * Whose an identity is: of a user, the same one on all devices; of one device; or `shared` by all. User-provided ones are the
   * user's, those of a single file are shared.
   */
  readonly scope: 'user' | 'device' | 'shared';
  /** User-provided: a file has to come with a password. */
  readonly requirePassword: boolean;
  /** The private key is deleted so many days after it was stored; `null` keeps it. */
  readonly deleteKeysAfterDays: number | null;
  /** Issued: made when a configuration with it is assigned (`early`), or when that is delivered (`on-demand`). */
  readonly generation: 'early' | 'on-demand';
  /** An identity counts as expiring this many days before its end (1 to 270); an issued one is then made anew. */
  readonly expiryWindowDays: number;
  /** Issued: revoke a device's certificates when it checks out or is retired. */
  readonly revokeOnCheckOut: boolean;
  /** Issued: what the issuer is told, as it defines it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Grows by one with each change. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An identity of a user or a device. The private key never leaves the engine but to devices. */
export interface Credential {
  readonly id: string;
  readonly settingId: string;
  /**
   * `user:` and the user's key (see {@link Credentials.userOf}), `device:` and the enrolment's id, or `setting:` and the setting's id
   * for one that is shared.
   */
  readonly holder: string;
  readonly status: CredentialStatus;
  /** Counts from 1 for each setting and holder. */
  readonly revision: number;
  /** Who brought it. */
  readonly origin: 'user' | 'admin' | 'issued';
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
  /** Lower-case hex. */
  readonly serialNumber: string;
  /** RFC 4514 text. */
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 of the public key (SubjectPublicKeyInfo), lower-case hex. */
  readonly publicKeyHash: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly createdAt: number;
  /** When it was first sent to a device. */
  readonly deliveredAt: number | null;
  /** When the private key was deleted; `null` while it is stored. */
  readonly keyDeletedAt: number | null;
  readonly keyDeletedBy: 'user' | 'admin' | 'age' | 'replaced' | 'undelivered' | 'revoked' | null;
}

/** What a setting is made of; see {@link CredentialSetting}. */
export interface CredentialSettingInput {
  readonly name: string;
  readonly description?: string;
  /** Default: the name. */
  readonly displayName?: string;
  readonly source: CredentialSetting['source'];
  /** Issued only; default `device`. */
  readonly scope?: CredentialSetting['scope'];
  /** User-provided only; default true. */
  readonly requirePassword?: boolean;
  /** 1 to 3,650; default `null`. */
  readonly deleteKeysAfterDays?: number | null;
  /** Issued only; default `on-demand`. */
  readonly generation?: CredentialSetting['generation'];
  /** Default 60. */
  readonly expiryWindowDays?: number;
  /** Issued only; default false. */
  readonly revokeOnCheckOut?: boolean;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A setting as its user sees it. */
export interface UserCredential {
  readonly settingId: string;
  readonly displayName: string;
  readonly requirePassword: boolean;
  readonly deleteKeysAfterDays: number | null;
  /** `null`: nothing was uploaded yet. */
  readonly credential: Credential | null;
  /** `missing`, `stored`, or `key-deleted`: a file has to be uploaded (again). */
  readonly state: 'missing' | 'stored' | 'key-deleted';
}

/** A request for an identity, to the engine's `issueIdentity`. */
export interface IdentityRequest {
  readonly setting: CredentialSetting;
  /** The device that it is delivered to, or made ahead for. */
  readonly enrolment: Enrolment;
  readonly facts: Facts;
  /** The user's key, for a user's credential. */
  readonly userId: string | null;
  /** The certificate that it takes the place of. */
  readonly replaces: Uint8Array | null;
}

/** An identity that was made. */
export interface IssuedIdentity {
  /** DER. */
  readonly certificate: Uint8Array;
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array;
  /** Its issuers, nearest first, DER. */
  readonly chain?: readonly Uint8Array[];
}

/** Credential settings, and the identities that users upload or that are made for them (CERT-18, CERT-21, CERT-35). */
export interface Credentials {
  /** @throws CoreError `core.credential.name_taken` (conflict), `core.credential.bad_setting` (invalid) */
  createSetting(setting: CredentialSettingInput): Promise<CredentialSetting>;
  /**
   * Changes a setting; source and scope stay.
   * @throws as {@link createSetting}; `core.credential.unknown_setting` (not-found)
   */
  updateSetting(
    id: string,
    change: Partial<Omit<CredentialSettingInput, 'source' | 'scope'>>,
  ): Promise<CredentialSetting>;
  /**
   * Deletes a setting with its credentials.
   * @throws CoreError `core.credential.in_use` (conflict) while a configuration names it
   */
  deleteSetting(id: string): Promise<void>;
  settings(): Promise<readonly CredentialSetting[]>;
  setting(id: string): Promise<CredentialSetting | null>;

  /**
   * Takes a user's PKCS#12 file in place of the one before; the user's devices get it. The password is used once: the
   * identity is kept sealed under the engine's key, and sent under a password made for each delivery.
   * @throws CoreError `core.credential.unknown_setting` (not-found), `core.credential.not_uploaded` (conflict: users
   *   upload nothing for it), `core.credential.password_required`, `core.credential.password` (wrong), `core.credential.file` (not one
   *   private key with its certificate, with what is wrong), `core.credential.authority`, `core.credential.expired`,
   *   `core.credential.not_yet_valid`, `core.credential.weak` (all invalid), `core.credential.too_large`,
   *   `core.credential.conflict` (somebody else uploads at the same moment)
   */
  upload(input: {
    readonly settingId: string;
    readonly userId: string;
    readonly file: Uint8Array;
    readonly password?: string;
    /** Who does it (default `admin`). */
    readonly by?: 'user' | 'admin';
  }): Promise<Credential>;
  /**
   * Takes the one identity of a `single-file` setting in place of the one before; every device whose configurations use it gets it.
   * It may come in several files: PKCS#12 or PEM with the key, its certificate, their issuers.
   * @throws CoreError as {@link Credentials.upload}; `core.credential.file` also where the files do not fit together
   */
  uploadFiles(input: {
    readonly settingId: string;
    readonly files: readonly { readonly file: Uint8Array; readonly password?: string }[];
  }): Promise<Credential>;
  /**
   * Deletes the private key; devices that have it keep it, no other gets it any more. False when there was none.
   * @throws CoreError `core.credential.unknown` (not-found)
   */
  deleteKey(id: string, by?: 'user' | 'admin'): Promise<boolean>;
  /** The same for all that a user has: the user left. Returns how many keys. */
  deleteKeysOf(userId: string): Promise<number>;
  get(id: string): Promise<Credential | null>;
  /** Newest first. */
  list(
    query?: {
      readonly settingId?: string;
      readonly userId?: string;
      readonly enrolmentId?: string;
      readonly statuses?: readonly CredentialStatus[];
      readonly expiresBefore?: number;
      readonly expiresFrom?: number;
    } & PageRequest,
  ): Promise<Page<Credential>>;
  /** What a user may upload, and has. */
  ofUser(userId: string): Promise<readonly UserCredential[]>;
  /**
   * Has an issued credential made anew at the next delivery, which is begun: the present one was lost, or revoked. False
   * when another took its place already.
   * @throws CoreError `core.credential.unknown` (not-found), `core.credential.not_issued` (conflict: users upload these)
   */
  reissue(id: string): Promise<boolean>;
  /** The user of a device by its facts, as the key that credentials are kept under; `null` where none is known. */
  userOf(facts: Facts): string | null;
}
