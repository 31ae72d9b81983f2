// What all services of one engine share.
import type { Clock, RandomBytes } from '../api/common.ts';
import type { ProtocolHooks } from '../api/hooks.ts';
import type { Enrolment } from '../api/records.ts';
import type { EndedCommand } from '../contracts/queue.ts';
import type { Store } from '../contracts/store.ts';
import { CoreError } from '../errors.ts';
import type { Vault } from '../keys/vault.ts';
import type { EventBus } from './bus.ts';
import type { Door } from './door.ts';
import type { DoorLog } from './door-log.ts';
import type { Instruments } from './instruments.ts';
import type { Matcher } from './matching.ts';
import type { EngineOptions, EscrowIdentity, Logger, SoftwareUpdateDeclaration } from './options.ts';
import type { Searching } from './searching.ts';

/** The shared parts. */
export interface Context {
  readonly store: Store;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly options: Required<EngineOptions>;
  readonly hooks: ProtocolHooks;
  /** The access rights that an enrolment's profile gave; `null` when they are not known. */
  readonly accessRights?: (enrolment: Enrolment) => number | null;
  readonly escrowIdentity?: EscrowIdentity;
  readonly declareSoftwareUpdate?: (declaration: SoftwareUpdateDeclaration) => Promise<void>;
  /** Whether issuers are to be told of revocations. */
  readonly tellsIssuer: boolean;
  readonly bus: EventBus;
  readonly door: Door;
  readonly meters: Instruments;
  readonly matcher: Matcher;
  readonly searching: Searching;
  /** The push topics that are this server's; none: not known, so any will do. */
  readonly topics: () => Promise<readonly string[]>;
  /** Keeps refusals, a few of each kind. */
  readonly doorLog: DoorLog;
  /** The status of devices changed (what searches call `common.status`): labels follow. */
  readonly statusChanged: (enrolmentIds: readonly string[]) => Promise<void>;
  /** Facts of a device changed: labels follow. */
  readonly factsChanged: (enrolmentId: string, tokens: readonly string[]) => Promise<void>;
  /** Commands ended without an answer: what follows from that, follows at once. */
  readonly commandsEnded: (ended: readonly EndedCommand[]) => Promise<void>;
  /** A device was checked out, retired or wiped: what it was issued may have to be revoked. */
  readonly ended: (enrolmentId: string) => Promise<void>;
  /** Tells the loops that there is work. */
  readonly kick: { notifier(): void; reconciler(): void };
}

/** A random UUID (version 4, RFC 9562), upper case as Apple writes them. */
export function uuid(random: RandomBytes): string {
  const bytes = Uint8Array.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** `length` decimal digits, each equally likely. */
export function randomDigits(random: RandomBytes, length: number): string {
  let digits = '';
  while (digits.length < length) {
    for (const byte of random(length * 2)) {
      // 250 is the largest multiple of ten in a byte; what is above would favour the small digits.
      if (byte < 250 && digits.length < length) digits += String(byte % 10);
    }
  }
  return digits;
}

/** An unguessable word for URLs: `bytes` random bytes in base64url. */
export function randomWord(random: RandomBytes, bytes: number): string {
  return Buffer.from(random(bytes)).toString('base64url');
}

/** The page that a caller asks for, within bounds. */
export function pageOf(page: { readonly after?: string; readonly limit?: number } | undefined): {
  readonly after?: string;
  readonly limit: number;
} {
  const limit = page?.limit ?? 50;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new CoreError('core.page.bad_limit', 'invalid', 'a page has 1 to 1,000 rows');
  }
  return page?.after === undefined ? { limit } : { after: page.after, limit };
}

/** Reads all pages of a listing. */
export async function* allPages<T>(
  read: (page: { readonly after?: string; readonly limit: number }) => Promise<{
    readonly items: readonly T[];
    readonly next: string | null;
  }>,
  limit = 1000,
): AsyncGenerator<readonly T[]> {
  let after: string | null = null;
  do {
    const page: { readonly items: readonly T[]; readonly next: string | null } = await read(
      after === null ? { limit } : { after, limit },
    );
    yield page.items;
    after = page.next;
  } while (after !== null);
}

/** Parts of a list, at most `size` long. */
export function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}
