// Reading a list of the device enrolment service page by page: all of it, then what changed, and what to do when a cursor fails.
import { AdeError, isAdeError } from '../errors.ts';
import { type JsonObject, lacking } from '../http/json.ts';

/** Where the reading of a list is: keep it with what was read, and hand it in to go on. */
export interface SyncState {
  /** `fetch`: in the middle of the whole list; `sync`: the list is complete, changes follow. */
  readonly phase: 'fetch' | 'sync';
  readonly cursor: string;
}

/** Why the whole list is read. */
export type FetchReason = 'first' | 'expired_cursor' | 'invalid_cursor' | 'cursor_required';

/** A part of a list, or of its changes. */
export interface ListPage<T> {
  readonly phase: 'fetch' | 'sync';
  /** Records of the list, or changes, oldest first; each thing once, with its latest record. */
  readonly items: readonly T[];
  /** Records without a usable identifier, which are left out. */
  readonly unusable: number;
  /** Set on the first page of a whole list: what is known from before and is not in this list is gone. */
  readonly restarted?: FetchReason;
  /** In phase `fetch`: this was the last page, the list is complete. */
  readonly complete: boolean;
  /** Where to go on: keep it in the same transaction as the records. */
  readonly next: SyncState;
  /** How far Apple has looked, ISO 8601. */
  readonly fetchedUntil?: string;
}

/** How to read. */
export interface SyncOptions {
  /** Records a page, 1 to 1,000. Default 1,000. */
  readonly limit?: number;
}

/** Asks for one page. */
export type PageRequest = (path: string, body: PageBody) => Promise<JsonObject>;

/** Body of a request for a page. */
export interface PageBody {
  readonly cursor?: string;
  readonly limit: number;
}

/** A list of the service. */
export interface ListSource<T> {
  /** Path of the whole list. */
  readonly fetch: string;
  /** Path of its changes. */
  readonly sync: string;
  /** Name of the records in an answer. */
  readonly key: string;
  readonly read: (object: JsonObject) => T | undefined;
  readonly latest: (items: readonly T[]) => readonly T[];
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
export async function* readList<T>(
  source: ListSource<T>,
  request: PageRequest,
  from: SyncState | undefined,
  options: SyncOptions = {},
): AsyncGenerator<ListPage<T>, void, undefined> {
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
      object = await request(source[phase], { limit, ...(state && { cursor: state.cursor }) });
    } catch (error) {
      if (!isAdeError(error) || state === undefined) throw error;
      if (error.code === 'ade.enrolment.exhausted_cursor') {
        const next: SyncState = { phase: 'sync', cursor: state.cursor };
        yield { phase, items: [], unusable: 0, complete: phase === 'fetch', next };
        return;
      }
      const reason = restartOn[error.code];
      if (reason === undefined || restarts++ > 0) throw error;
      state = undefined;
      restarted = reason;
      continue;
    }
    const more = follows(object);
    const page = pageOf(source, object, phase, state?.cursor);
    // The answer is not kept while the page is worked on: it is several times as large.
    object = undefined;
    state = page.next;
    yield restarted === undefined ? page : { ...page, restarted };
    restarted = undefined;
    if (!more) return;
  }
}

/** Apple's examples of rosters have the flag as a text. */
const follows = (object: JsonObject): boolean =>
  object.boolean('more_to_follow') === true || object.text('more_to_follow') === 'true';

function pageOf<T>(
  source: ListSource<T>,
  object: JsonObject,
  phase: SyncState['phase'],
  before: string | undefined,
): ListPage<T> {
  const more = follows(object);
  const cursor = object.text('cursor') ?? before;
  if (cursor === undefined || cursor === '') throw lacking('cursor', 'device-enrolment');
  if (more && cursor === before) {
    throw new AdeError('ade.enrolment.cursor_loop', 'the service repeats a cursor and says that more follows', {
      kind: 'unavailable',
    });
  }
  const records = object.objects(source.key) ?? [];
  const items = records.map(source.read).filter((item) => item !== undefined);
  const fetchedUntil = object.text('fetched_until');
  const last = phase === 'fetch' && !more;
  return {
    phase,
    items: source.latest(items),
    unusable: records.length - items.length,
    complete: last,
    next: { phase: last ? 'sync' : phase, cursor },
    ...(fetchedUntil !== undefined && { fetchedUntil }),
  };
}

/** Each thing once, with the record of the latest date; of equal ones the later in the list. */
export function latestBy<T>(
  items: readonly T[],
  idOf: (item: T) => string,
  dateOf: (item: T) => string | undefined,
): readonly T[] {
  const found = new Map<string, T>();
  for (const item of items) {
    const other = found.get(idOf(item));
    if (other !== undefined && isLater(dateOf(other), dateOf(item))) continue;
    found.delete(idOf(item)); // its place in the order is that of the record that counts
    found.set(idOf(item), item);
  }
  return found.size === items.length ? items : [...found.values()];
}

/** Whether date `a` is later than `b`; one that is not there is not. */
export function isLater(a: string | undefined, b: string | undefined): boolean {
  const [left, right] = [a, b].map((date) => (date === undefined ? Number.NaN : Date.parse(date)));
  return left! > right!;
}
