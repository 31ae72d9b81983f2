// The memory store's state: plain maps and the indexes over them, and the few steps that several domains share.

import type { FactValue } from '../api/common.ts';
import type { CredentialSetting } from '../api/credentials.ts';
import type { DeclarationSet, StoredDeclaration } from '../api/declarations.ts';
import type { Configuration, DeviceCertificate, Enrolment, InstalledApp, InstalledProfile } from '../api/records.ts';
import type { AcmeAuthorizationRecord, AcmeIdentifierRecord, AcmeOrderRecord } from '../contracts/acme.ts';
import type { AdeAccount, AdeDevice, AdeProfile, AdeSyncState } from '../contracts/ade.ts';
import type { CertificateRecord, ChallengeRecord, NewCertificate } from '../contracts/certificates.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import type { CredentialRecord } from '../contracts/credentials.ts';
import type { DeclarationStateRecord, DeclarationSyncRecord } from '../contracts/declarations.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import type { LabelDefinition } from '../contracts/labels.ts';
import type { NewCommand } from '../contracts/queue.ts';
import type { RegistrationRecord } from '../contracts/registrations.ts';
import type { ScepRequestRecord } from '../contracts/scep-requests.ts';
import type { NewEvent, StoredBytes } from '../contracts/shared.ts';
import { CoreError } from '../errors.ts';
import { EventLog } from './event-log.ts';
import { DueHeap } from './heap.ts';
import { History } from './history.ts';

/** A record that may be changed in place. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One enrolment with what only the store needs. */
export interface EnrolmentRow extends Mutable<Omit<Enrolment, 'certificateFingerprint'>> {
  /** Device channels only. */
  pin: string | null;
  /** Grows with each `Idle`. */
  session: number;
  facts: Record<string, FactValue>;
  apps: readonly InstalledApp[];
  profiles: readonly InstalledProfile[];
  certificates: readonly DeviceCertificate[];
  inventoryAt: number | null;
  /** What a poll needs is at hand here: it looks one thing up by key, however much there is of the rest. */
  push: PushRow | null;
  work: PendingSet | null;
  /** The row of the history that finished last; -1 before the first. */
  lastDone: number;
  /** Grows with each change of the facts. */
  revision: number;
  /** When its labels are to be looked at. Set by `setLabelsDue` only. */
  labelsDueAt: number | null;
  /** Whether its labels are to be looked at after its next contact. */
  awaitsContact: boolean;
  /** Its place in the heap of devices whose labels are due. */
  place: number;
}

/** Push state of one enrolment. */
export interface PushRow {
  readonly enrolment: EnrolmentRow;
  token: Uint8Array;
  pushMagic: Uint8Array;
  topic: string;
  dueAt: number | null;
  attempts: number;
  lease: string | null;
  lastPushedAt: number | null;
  /** Not to be woken until the next TokenUpdate. */
  dead: boolean;
  /** Its place in the heap of what is due. */
  place: number;
}

/** What there is of a pending command of an enrolment. */
export interface PendingItem {
  readonly command: CommandRow;
  readonly state: 'queued' | 'sent' | 'not-now';
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly sentAt: number | null;
  readonly attempts: number;
  readonly notNow: number;
  /** The session in which it was last offered; -1 when it never was. */
  readonly offered: number;
  /** False while it is held by its chain. */
  readonly ready: boolean;
}

/**
 * A command, stored once for all enrolments. It is also the pending item of each to which nothing has happened yet: a
 * command for a hundred thousand devices is one object until they ask for it.
 */
export interface CommandRow extends Omit<NewCommand, 'body'>, PendingItem {
  body: StoredBytes;
  readonly seq: number;
  readonly queuedAt: number;
  /** Rows (pending and finished) that refer to it. */
  refs: number;
  /** How many of these are pending. */
  waiting: number;
}

/** A pending command of one enrolment that has a story of its own. */
export interface PendingRow extends Mutable<PendingItem> {
  readonly enrolment: EnrolmentRow;
  /** Its place in the heap of what expires. */
  place: number;
}

/** An enrolment's pending commands; kept when there are none left. */
export interface PendingSet {
  /** Those that may be offered, in the order in which they are. */
  readonly rows: PendingItem[];
  /** Those whose time has not come, earliest first: a poll does not walk through them. */
  readonly later: PendingItem[];
  /** Those with a dedupe key; made with the first one. */
  byKey: Map<string, PendingItem> | null;
}

/** A client identifier, and what it was used for. */
export interface AcmeIdentifierEntry {
  readonly record: AcmeIdentifierRecord;
  readonly used: { readonly accountId: string; readonly publicKeyHash: string; readonly fingerprint: string } | null;
}

/** A device of an account, and what only the store needs. */
export interface AdeDeviceRow extends Mutable<Omit<AdeDevice, 'enrolmentId'>> {
  /** The whole list that it was last in. */
  generation: number;
  /** When it last happened at Apple. */
  changedAt: number | null;
}

/** Everything. */
export class MemoryState {
  closed = false;
  readonly enrolments = new Map<string, EnrolmentRow>();
  readonly children = new Map<string, Set<string>>();
  readonly byPin = new Map<string, Set<string>>();
  readonly due = new DueHeap<PushRow>();
  readonly commands = new Map<string, CommandRow>();
  /** Commands that are pending anywhere. */
  readonly waiting = new Set<CommandRow>();
  /** Pending rows that expire, by when they do. */
  readonly expiring = new DueHeap<PendingRow>();
  /** Pending rows whose attempts are used up. */
  readonly usedUp = new Set<PendingRow>();
  readonly history = new History();
  readonly followUps = new Map<string, { enrolmentId: string; commandUuid: string; at: number }>();
  readonly certificates = new Map<string, Mutable<CertificateRecord>>();
  readonly certificatesOf = new Map<string, Set<string>>();
  /** When the issuers of revoked certificates are to be told, by fingerprint. */
  readonly untold = new Map<string, number>();
  readonly challenges = new Map<string, ChallengeRecord>();
  readonly transactions = new Map<string, { readonly fingerprint: string; readonly certificate: Uint8Array }>();
  readonly credentialSettings = new Map<string, CredentialSetting>();
  readonly credentials = new Map<string, Mutable<CredentialRecord>>();
  /** By holder. */
  readonly credentialsOf = new Map<string, Set<string>>();
  readonly scepRequests = new Map<string, ScepRequestRecord>();
  readonly registrations = new Map<string, RegistrationRecord>();
  readonly acmeIdentifiers = new Map<string, AcmeIdentifierEntry>();
  readonly acmeOrders = new Map<string, AcmeOrderRecord>();
  readonly acmeAuthorizations = new Map<string, AcmeAuthorizationRecord>();
  /** By fingerprint. */
  readonly acmeIssuances = new Map<string, { readonly orderId: string; readonly accountId: string }>();
  readonly secrets = new Map<string, Map<string, Uint8Array>>();
  readonly labels = new Map<string, LabelDefinition>();
  labelsVersion = 0;
  readonly unevaluated = new Set<string>();
  readonly labelsDue = new DueHeap<EnrolmentRow>();
  readonly members = new Map<string, Set<string>>();
  readonly labelsOf = new Map<string, Set<string>>();
  readonly configurations = new Map<string, Configuration>();
  readonly assignments = new Map<string, Map<string, AssignmentRecord>>();
  readonly assigned = new Map<string, Set<string>>();
  readonly marks = new Map<string, { mark: number; dueAt: number }>();
  readonly declarations = new Map<string, StoredDeclaration>();
  readonly declarationSets = new Map<string, DeclarationSet>();
  readonly setMembers = new Map<string, Set<string>>();
  readonly setsOf = new Map<string, Set<string>>();
  readonly declarationMarks = new Map<string, { mark: number; dueAt: number }>();
  readonly declarationSyncs = new Map<string, Mutable<DeclarationSyncRecord> & { status: string | null }>();
  readonly declarationStates = new Map<string, Map<string, DeclarationStateRecord>>();
  readonly snapshots = new Map<string, { readonly items: string; readonly at: number }>();
  readonly adeAccounts = new Map<string, AdeAccount>();
  readonly adeProfiles = new Map<string, AdeProfile>();
  readonly adeSyncs = new Map<string, Mutable<AdeSyncState>>();
  /** By account, then by serial number. */
  readonly adeDevices = new Map<string, Map<string, AdeDeviceRow>>();
  readonly adeStaged = new Map<string, Record<string, FactValue>>();
  readonly events = new EventLog();
  readonly settings = new Map<string, string>();
  readonly leases = new Map<string, { owner: string; until: number }>();
  readonly invitations = new Map<string, InvitationRecord>();
  readonly byToken = new Map<string, string>();
  /** The newest invitation with a PIN hash. */
  readonly byPinHash = new Map<string, string>();
  readonly withoutInventory = new Set<string>();
  nextCommand = 1;
  nextMark = 1;
  pendingSize = 0;
  #sortedIds: string[] | null = null;

  /** Refuses to go on once the store is closed. */
  open(): void {
    if (this.closed) throw new CoreError('core.store.closed', 'unavailable', 'the store is closed');
  }

  addEnrolment(row: EnrolmentRow): void {
    this.enrolments.set(row.id, row);
    this.#sortedIds = null;
    if (row.parent !== null) addTo(this.children, row.parent, row.id);
  }

  /** All enrolment ids in order, for paging. */
  sortedIds(): readonly string[] {
    this.#sortedIds ??= [...this.enrolments.keys()].sort(compare);
    return this.#sortedIds;
  }

  setPin(row: EnrolmentRow, pin: string | null): void {
    if (row.pin !== null) this.byPin.get(row.pin)?.delete(row.id);
    row.pin = pin;
    if (pin !== null) addTo(this.byPin, pin, row.id);
  }

  /** False when it is registered already. */
  addCertificate(certificate: NewCertificate): boolean {
    const { fingerprint, enrolmentId } = certificate;
    if (this.certificates.has(fingerprint)) return false;
    const fresh = { status: 'issued', revokedAt: null, revocationReason: null, renewalAt: null } as const;
    this.certificates.set(fingerprint, { ...certificate, ...fresh });
    if (enrolmentId !== null) addTo(this.certificatesOf, enrolmentId, fingerprint);
    return true;
  }

  addCredentialOf({ id, holder }: CredentialRecord): void {
    addTo(this.credentialsOf, holder, id);
  }

  /** Adds events; returns their `seq`s. */
  appendEvents(events: readonly NewEvent[]): number[] {
    return events.map((event) => this.events.add(event));
  }

  putSecret(scope: string, name: string, blob: Uint8Array): void {
    mapIn(this.secrets, scope).set(name, blob);
  }

  /** The enrolment if it may talk to us: itself, and on a user channel its parent, in a living status. */
  living(id: string): EnrolmentRow | null {
    const row = this.enrolments.get(id);
    if (row === undefined || !isLiving(row.status)) return null;
    if (row.parent === null) return row;
    const parent = this.enrolments.get(row.parent);
    return parent !== undefined && isLiving(parent.status) ? row : null;
  }

  /** The pin that an enrolment answers to: its own, or its parent's on a user channel. */
  pinOf(row: EnrolmentRow): string | null {
    return row.parent === null ? row.pin : (this.enrolments.get(row.parent)?.pin ?? null);
  }

  setDue(row: PushRow, dueAt: number | null): void {
    row.dueAt = dueAt;
    this.due.set(row, row.dead ? null : dueAt);
  }

  setLabelsDue(row: EnrolmentRow, dueAt: number | null): void {
    row.labelsDueAt = dueAt;
    this.labelsDue.set(row, dueAt);
  }

  /** The enrolment was heard of. */
  seen(row: EnrolmentRow, at: number): void {
    const lastSeenAt = Math.max(row.lastSeenAt ?? at, at);
    if (row.awaitsContact && row.lastSeenAt !== lastSeenAt) {
      row.awaitsContact = false;
      this.setLabelsDue(row, lastSeenAt);
    }
    row.lastSeenAt = lastSeenAt;
  }

  markReconcile(enrolmentId: string, at: number): void {
    const old = this.marks.get(enrolmentId);
    this.marks.set(enrolmentId, { mark: this.nextMark++, dueAt: old === undefined ? at : Math.min(old.dueAt, at) });
  }

  markDeclarations(enrolmentId: string, at: number): void {
    const dueAt = Math.min(this.declarationMarks.get(enrolmentId)?.dueAt ?? at, at);
    this.declarationMarks.set(enrolmentId, { mark: this.nextMark++, dueAt });
  }

  /** Forgets what declarative management knows of an enrolment that begins anew or leaves. */
  dropDeclarations(enrolmentId: string): void {
    this.declarationMarks.delete(enrolmentId);
    this.declarationSyncs.delete(enrolmentId);
    this.declarationStates.delete(enrolmentId);
  }
}

/** Whether an enrolment in this status may talk to us. */
export function isLiving(status: Enrolment['status']): boolean {
  return status === 'pending' || status === 'active';
}

/** The public record of an enrolment. */
export function enrolmentOf(state: MemoryState, row: EnrolmentRow): Enrolment {
  return {
    id: row.id,
    channel: row.channel,
    kind: row.kind,
    parent: row.parent,
    status: row.status,
    phase: row.phase,
    udid: row.udid,
    serialNumber: row.serialNumber,
    model: row.model,
    productName: row.productName,
    osVersion: row.osVersion,
    deviceName: row.deviceName,
    topic: row.topic,
    certificateFingerprint: state.pinOf(row),
    pushable: row.pushable,
    enrolledAt: row.enrolledAt,
    lastSeenAt: row.lastSeenAt,
    checkedOutAt: row.checkedOutAt,
    invitationId: row.invitationId,
  };
}

/** The map under a key, made when there is none. */
export function mapIn<A, B, C>(map: Map<A, Map<B, C>>, key: A): Map<B, C> {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = new Map<B, C>();
  map.set(key, made);
  return made;
}

/** Adds to the set under a key. */
export function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

/** The error for a record that is to be created under an id that another one has. */
export function duplicateId(record: string, id: string): CoreError {
  return new CoreError('core.store.duplicate_id', 'conflict', `there is a ${record} with the id ${id} already`);
}

/** Orders strings by code unit, as the SQL stores do. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Cuts a page out of an ordered list; `after` is the key of the last item of the page before. */
export function pageOf<T>(
  ordered: readonly T[],
  keyOf: (item: T) => string,
  page: { readonly after?: string; readonly limit: number },
): { items: T[]; next: string | null } {
  const start = page.after === undefined ? 0 : ordered.findIndex((item) => keyOf(item) === page.after) + 1;
  const items = page.after !== undefined && start === 0 ? [] : ordered.slice(start, start + page.limit);
  const last = items.at(-1);
  return { items, next: last !== undefined && start + items.length < ordered.length ? keyOf(last) : null };
}

/** Cuts a page out of ids in ascending order by binary search. */
export function idPage<T>(
  ids: readonly string[],
  page: { readonly after?: string; readonly limit: number },
  take: (id: string) => T | null,
): { items: T[]; next: string | null } {
  let low = 0;
  if (page.after !== undefined) {
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(ids[middle]!, page.after) <= 0) low = middle + 1;
      else high = middle;
    }
  }
  const items: T[] = [];
  let lastId: string | null = null;
  for (let i = low; i < ids.length; i++) {
    const item = take(ids[i]!);
    if (item === null) continue;
    if (items.length === page.limit) return { items, next: lastId };
    items.push(item);
    lastId = ids[i]!;
  }
  return { items, next: null };
}
