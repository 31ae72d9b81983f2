// Reading the list of devices page by page: the whole list, then changes, and what to do when a cursor fails.
import { AdeError, isAdeError } from '../errors.ts';
import type { JsonObject } from '../http/json.ts';
import { lacking } from '../http/json.ts';
import { type EnrolmentDevice, readDevice } from './types.ts';

/** Where the reading of the list is: keep it with what was read, and hand it in to go on. */
export interface SyncState {
  /** `fetch`: in the middle of the whole list; `sync`: the list is complete, changes follow. */
  readonly phase: 'fetch' | 'sync';
  readonly cursor: string;
}

/** Why the whole list is read. */
export type FetchReason = 'first' | 'expired_cursor' | 'invalid_cursor' | 'cursor_required';

/** A part of the list, or of the changes. */
export interface DevicePage {
  readonly phase: 'fetch' | 'sync';
  /** Devices of the list, or changes (`op_type`), oldest first, each serial number once: its latest record. */
  readonly devices: readonly EnrolmentDevice[];
  /** Records without a usable serial number, which are left out. */
  readonly unusable: number;
  /** Set on the first page of a whole list: what is known from before and is not in this list is gone. */
  readonly restarted?: FetchReason;
  /** In phase `fetch`: this was the last page, the list is complete. */
  readonly complete: boolean;
  /** Where to go on: keep it in the same transaction as the devices. */
  readonly next: SyncState;
  /** How far Apple has looked, ISO 8601. */
  readonly fetchedUntil?: string;
}

/** How to read. */
export interface SyncOptions {
  /** Devices a page, 1 to 1,000. Default 1,000. */
  readonly limit?: number;
}

/** Asks for one page. */
export type PageRequest = (path: '/server/devices' | '/devices/sync', body: PageBody) => Promise<JsonObject>;

/** Body of a request for a page. */
export interface PageBody {
  readonly cursor?: string;
  readonly limit: number;
}

const restartOn: Readonly<Record<string, FetchReason>> = {
  'ade.enrolment.expired_cursor': 'expired_cursor',
  'ade.enrolment.invalid_cursor': 'invalid_cursor',
  'ade.enrolment.cursor_required': 'cursor_required',
};

/**
 * The pages from a state on, until there is no more for now. One page is in memory at a time.
 *
 * Without a state, or after a cursor that Apple does not take any more, the whole list is read, and its first page says
 * so (`restarted`). A cursor that is exhausted ends a list, and means no news in phase `sync`.
 */
export async function* readPages(
  request: PageRequest,
  from: SyncState | undefined,
  options: SyncOptions = {},
): AsyncGenerator<DevicePage, void, undefined> {
  const limit = options.limit ?? 1000;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new AdeError('ade.option', 'limit must be a whole number from 1 to 1000', { at: { path: 'limit' } });
  }
  let state = from;
  let restarted: FetchReason | undefined = from === undefined ? 'first' : undefined;
  let restarts = 0;
  for (;;) {
    const phase = state?.phase ?? 'fetch';
    let object: JsonObject | undefined;
    try {
      object = await request(phase === 'fetch' ? '/server/devices' : '/devices/sync', {
        limit,
        ...(state && { cursor: state.cursor }),
      });
    } catch (error) {
      if (!isAdeError(error) || state === undefined) throw error;
      if (error.code === 'ade.enrolment.exhausted_cursor') {
        const next: SyncState = { phase: 'sync', cursor: state.cursor };
        yield { phase, devices: [], unusable: 0, complete: phase === 'fetch', next };
        return;
      }
      const reason = restartOn[error.code];
      if (reason === undefined || restarts++ > 0) throw error;
      state = undefined;
      restarted = reason;
      continue;
    }
    const page = pageOf(object, phase, state?.cursor);
    const more = object.boolean('more_to_follow') === true;
    // The answer is not kept while the page is worked on: it is several times as large.
    object = undefined;
    state = page.next;
    yield restarted === undefined ? page : { ...page, restarted };
    restarted = undefined;
    if (!more) return;
  }
}

function pageOf(object: JsonObject, phase: SyncState['phase'], before: string | undefined): DevicePage {
  const more = object.boolean('more_to_follow') === true;
  const cursor = object.text('cursor') ?? before;
  if (cursor === undefined || cursor === '') throw lacking('cursor', 'device-enrolment');
  if (more && cursor === before) {
    throw new AdeError('ade.enrolment.cursor_loop', 'the service repeats a cursor and says that more follows', {
      kind: 'unavailable',
    });
  }
  const records = object.objects('devices') ?? [];
  const devices = records.map(readDevice).filter((device) => device !== undefined);
  const fetchedUntil = object.text('fetched_until');
  const last = phase === 'fetch' && !more;
  return {
    phase,
    devices: latest(devices),
    unusable: records.length - devices.length,
    complete: last,
    next: { phase: last ? 'sync' : phase, cursor },
    ...(fetchedUntil !== undefined && { fetchedUntil }),
  };
}

/** Each serial number once, with the record of the latest `op_date`; of equal ones the later in the list. */
export function latest(devices: readonly EnrolmentDevice[]): readonly EnrolmentDevice[] {
  const found = new Map<string, EnrolmentDevice>();
  for (const device of devices) {
    const other = found.get(device.serial_number);
    if (other !== undefined && isNewer(other, device)) continue;
    found.delete(device.serial_number); // its place in the order is that of the record that counts
    found.set(device.serial_number, device);
  }
  return found.size === devices.length ? devices : [...found.values()];
}

/**
 * Whether record `a` tells of a later change than `b`. Apple may send one device several times; the latest `op_date`
 * counts. A record without a date is not newer.
 */
export function isNewer(a: Pick<EnrolmentDevice, 'op_date'>, b: Pick<EnrolmentDevice, 'op_date'>): boolean {
  const [left, right] = [a.op_date, b.op_date].map((date) => (date === undefined ? Number.NaN : Date.parse(date)));
  return left! > right!;
}
