// Declarative management as a host sees it: declarations, sets, what each device is to have and what it says it has.
import type { DeclarationKind, DeclarationProblem, DeclarationReason } from '@espalier/apple-mdm';
import type { Page, PageRequest } from './common.ts';

/** A declaration as it is kept. */
export interface StoredDeclaration {
  /** Apple's `Identifier`, at most 64 octets, one of a kind on this server. */
  readonly identifier: string;
  readonly type: string;
  readonly kind: DeclarationKind;
  readonly description: string;
  /** `Payload`, as JSON has it. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Apple's `ServerToken`: changes exactly when the content does. */
  readonly serverToken: string;
  /** Bytes that the server serves for it: the profile of a legacy declaration, the data of an asset. */
  readonly content: DeclarationContent | null;
  /** Grows by one with each write. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What is known of bytes that are served for a declaration. */
export interface DeclarationContent {
  readonly contentType: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Declarations that go to the same devices. */
export interface DeclarationSet {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** `device`: for the device channel; `user`: for every user channel of its members. */
  readonly channel: 'device' | 'user';
  /** Identifiers of declarations; what they name (configurations, assets) goes along. */
  readonly identifiers: readonly string[];
  readonly labelIds: readonly string[];
  /** Grows by one with each write. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** One declaration on one device: what it is to have, and what it last said. */
export interface DeviceDeclaration {
  readonly enrolmentId: string;
  readonly identifier: string;
  readonly kind: DeclarationKind;
  /** `null` when it is no longer meant for the device. */
  readonly type: string | null;
  /** The revision that the device is to have; `null` when it is to have none. */
  readonly wantedToken: string | null;
  /** The revision that it said it has; `null` when it has said nothing of it. */
  readonly serverToken: string | null;
  /**
   * `waiting`: it has not said that it has this revision. `applied`: valid, and active (or of a kind that never is).
   * `inactive`: valid, but no activation applies it. `failed`: the device calls it invalid. `leaving`: to be removed.
   */
  readonly status: 'waiting' | 'applied' | 'inactive' | 'failed' | 'leaving';
  readonly active: boolean;
  readonly valid: 'valid' | 'invalid' | 'unknown';
  readonly reasons: readonly DeclarationReason[];
  readonly reportedAt: number | null;
}

/** How a channel stands with declarative management. */
export interface DeclarationSync {
  /** The token of what it is to have. */
  readonly token: string;
  readonly tokenAt: number;
  /** The token of the manifest that it fetched last. */
  readonly deviceToken: string | null;
  readonly fetchedAt: number | null;
  /** When it was last told to synchronise. */
  readonly askedAt: number | null;
  readonly reportedAt: number | null;
}

/** A declaration to be written. */
export interface DeclarationInput {
  readonly identifier: string;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly description?: string;
  /**
   * Bytes that this server serves for it: `ProfileURL` of a legacy profile, or `Reference` of an asset, is made of them.
   * They are kept sealed. `url` gives the address of the bytes with this hash; a new hash must give a new address.
   */
  readonly content?: {
    readonly bytes: Uint8Array;
    readonly contentType: string;
    readonly url: (content: { readonly identifier: string; readonly sha256: string }) => string;
  };
}

/** Declarations, sets and what devices make of them. */
export interface Declarations {
  /**
   * Writes a declaration, new or changed; one that is not different is left as it is.
   * @throws CoreError `core.declaration.invalid` (with `at.path`), `core.declaration.reserved`, `core.declaration.conflict`
   */
  put(input: DeclarationInput): Promise<StoredDeclaration>;
  /** @throws CoreError `core.declaration.unknown` (not-found), `core.declaration.in_use` (conflict) */
  delete(identifier: string): Promise<void>;
  get(identifier: string): Promise<StoredDeclaration | null>;
  /** By identifier. */
  list(page?: PageRequest): Promise<Page<StoredDeclaration>>;
  /** What is wrong between these declarations and what they name. */
  check(identifiers: readonly string[]): Promise<readonly DeclarationProblem[]>;

  /** @throws CoreError `core.declaration_set.name_taken`, `core.declaration.unknown`, `core.label.unknown` */
  createSet(set: {
    readonly name: string;
    readonly description?: string;
    readonly channel?: 'device' | 'user';
    readonly identifiers?: readonly string[];
    readonly labelIds?: readonly string[];
  }): Promise<DeclarationSet>;
  /** @throws CoreError as {@link Declarations.createSet}; `core.declaration_set.unknown`, `core.declaration_set.conflict` */
  updateSet(
    id: string,
    change: {
      readonly name?: string;
      readonly description?: string;
      readonly identifiers?: readonly string[];
      readonly labelIds?: readonly string[];
    },
  ): Promise<DeclarationSet>;
  /** @throws CoreError `core.declaration_set.unknown` */
  deleteSet(id: string): Promise<void>;
  getSet(id: string): Promise<DeclarationSet | null>;
  /** By name, with the number of direct members. */
  listSets(): Promise<readonly (DeclarationSet & { readonly memberCount: number })[]>;
  /** Direct members, by id. @throws CoreError `core.declaration_set.unknown` */
  members(setId: string, page?: PageRequest): Promise<Page<string>>;
  /** Puts enrolments into a set, or takes them out, whatever their labels. @throws CoreError `core.declaration_set.unknown` */
  setMembers(
    setId: string,
    change: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
  ): Promise<{ readonly added: number; readonly removed: number }>;

  /** How a channel stands; `null` when declarative management was never used with it. */
  sync(enrolmentId: string): Promise<DeclarationSync | null>;
  /** All declarations of one channel: wanted, reported, or both. By kind, then identifier. */
  ofDevice(enrolmentId: string): Promise<readonly DeviceDeclaration[]>;
  /** What devices said of one declaration, by enrolment. */
  onDevices(identifier: string, page?: PageRequest): Promise<Page<DeviceDeclaration>>;
  /** The status items of one channel as last reported, by name. */
  status(enrolmentId: string): Promise<Readonly<Record<string, unknown>>>;
  /** The last reports of one channel as they were sent (JSON), newest first. */
  reports(enrolmentId: string): Promise<readonly { readonly at: number; readonly bytes: Uint8Array }[]>;
  /** Tells channels to synchronise although nothing changed. Returns how many commands were queued. */
  ask(enrolmentIds: readonly string[]): Promise<number>;
  /**
   * The bytes of a declaration, for a device that has it: the device's certificate is the authorisation.
   * @throws CoreError `core.declaration.unknown` (not-found): also when the device is not to have it
   */
  content(
    certificateFingerprint: string,
    content: { readonly identifier: string; readonly sha256: string },
  ): Promise<{ readonly bytes: Uint8Array; readonly contentType: string }>;
}
