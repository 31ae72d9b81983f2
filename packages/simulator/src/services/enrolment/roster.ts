// The roster of a simulated school: people, classes, courses, locations, and their changes of a week.
import { json, text } from '../answers.ts';
import { readCursor, writeCursor } from './cursor.ts';

/** Records by kind, as Apple has them: each with its `unique_identifier`. */
export interface SimulatedRoster {
  readonly persons?: readonly RosterEntry[];
  readonly classes?: readonly RosterEntry[];
  readonly courses?: readonly RosterEntry[];
  readonly locations?: readonly RosterEntry[];
}

/** A record. */
export interface RosterEntry {
  readonly unique_identifier: string;
  readonly [key: string]: unknown;
}

const kinds = {
  '/roster/class': 'classes',
  '/roster/class/person': 'persons',
  '/roster/class/course': 'courses',
  '/roster/class/location': 'locations',
} as const;

interface List {
  /** `undefined` where one was removed. */
  readonly records: (RosterEntry | undefined)[];
  readonly changes: RosterEntry[];
}

/** The roster. */
export interface RosterService {
  /** Adds records, or changes those with the same identifier. */
  change(roster: SimulatedRoster): void;
  /** Removes records; changes do not tell of it. */
  remove(ids: Iterable<string>): void;
  /** Answers a request; undefined for another path. */
  answer(path: string, body: ReadonlyMap<string, unknown>): Response | undefined;
}

const week = 7 * 86_400_000;

/** Makes the roster. */
export function createRoster(
  initial: SimulatedRoster,
  { secret, now, maxPage }: { readonly secret: string; readonly now: () => number; readonly maxPage: number },
): RosterService {
  const lists = Object.fromEntries(
    Object.values(kinds).map((kind) => [kind, { records: [...(initial[kind] ?? [])], changes: [] } as List]),
  ) as Record<keyof SimulatedRoster, List>;
  const iso = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

  function fetch(kind: keyof SimulatedRoster, body: ReadonlyMap<string, unknown>, limit: number): Response {
    const { records, changes } = lists[kind];
    const given = body.get('cursor');
    const cursor = given === undefined ? undefined : readCursor(String(given), `${secret}/${kind}`);
    if (given !== undefined && cursor?.kind !== 'fetch') return text('INVALID_CURSOR', 400);
    const [position, since] = [cursor?.position ?? 0, cursor?.since ?? changes.length];
    const end = position + limit;
    const more = end < records.length;
    const next = { kind: more ? 'fetch' : 'sync', position: more ? end : since, since, at: now() } as const;
    return json({
      [kind]: records.slice(position, end).filter((record) => record !== undefined),
      cursor: writeCursor(next, `${secret}/${kind}`),
      more_to_follow: more,
    });
  }

  function sync(kind: keyof SimulatedRoster, body: ReadonlyMap<string, unknown>, limit: number): Response {
    const { changes } = lists[kind];
    const given = body.get('cursor');
    if (given === undefined || given === '') return text('CURSOR_REQUIRED', 400);
    const cursor = readCursor(String(given), `${secret}/${kind}`);
    if (cursor?.kind !== 'sync') return text('INVALID_CURSOR', 400);
    if (now() - cursor.at > week) return text('EXPIRED_CURSOR', 400);
    const found = changes.slice(cursor.position, cursor.position + limit);
    const position = cursor.position + found.length;
    return json({
      [kind]: found,
      cursor: writeCursor({ kind: 'sync', position, since: position, at: now() }, `${secret}/${kind}`),
      fetched_until: iso(now()),
      more_to_follow: position < changes.length,
    });
  }

  return {
    change(roster) {
      for (const [kind, entries] of Object.entries(roster) as [keyof SimulatedRoster, readonly RosterEntry[]][]) {
        const { records, changes } = lists[kind];
        for (const entry of entries) {
          const changed = { ...entry, op_date: iso(now()) };
          const at = records.findIndex((record) => record?.unique_identifier === entry.unique_identifier);
          if (at < 0) records.push(changed);
          else records[at] = changed;
          changes.push(changed);
        }
      }
    },
    remove(ids) {
      const gone = new Set(ids);
      for (const { records } of Object.values(lists)) {
        for (const [at, record] of records.entries())
          if (record && gone.has(record.unique_identifier)) records[at] = undefined;
      }
    },
    answer(path, body) {
      const isSync = path.endsWith('/sync');
      const whole = isSync ? path.slice(0, -'/sync'.length) : path;
      if (!Object.hasOwn(kinds, whole)) return undefined;
      const kind = kinds[whole as keyof typeof kinds];
      const wanted = body.get('limit');
      const limit = typeof wanted === 'number' && wanted >= 1 ? Math.min(Math.floor(wanted), maxPage) : maxPage;
      return isSync ? sync(kind, body, limit) : fetch(kind, body, limit);
    },
  };
}
