// Absolute and relative dates: reading a literal as a stretch of time, going back from `now` by the calendar.
import type { Duration } from './expression.ts';

/** A stretch of time in epoch milliseconds: `start` belongs to it, `end` does not. */
export interface Instants {
  readonly start: number;
  readonly end: number;
}

const iso = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;
const DAY = 86_400_000;
const EARLIEST = -8.64e15;

/**
 * Reads `2024-04-30` (the whole UTC day) or ISO 8601 with a time (`2024-04-30T10:15Z`, to the minute, second or
 * millisecond; without an offset it is UTC). The result is the stretch that the written precision covers.
 * `null` when it is not such a date or no such day exists.
 */
export function readDate(text: string): Instants | null {
  const m = iso.exec(text.trim());
  if (m === null) return null;
  const [, y, mo, d, h, mi, s, fraction, zone] = m;
  const year = Number(y);
  const month = Number(mo);
  const day = Number(d);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  const hour = Number(h ?? 0);
  const minute = Number(mi ?? 0);
  const second = Number(s ?? 0);
  if (hour > 23 || minute > 59 || second > 59) return null;
  const ms = Number((fraction ?? '').padEnd(3, '0'));
  let start = utc(year, month, day) + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms;
  if (zone !== undefined && zone.toUpperCase() !== 'Z') {
    const hours = Number(zone.slice(1, 3));
    const minutes = Number(zone.slice(-2));
    if (hours > 23 || minutes > 59) return null;
    start -= (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
  }
  const width =
    h === undefined ? DAY : s === undefined ? 60_000 : fraction === undefined ? 1000 : 10 ** (3 - fraction.length);
  return { start, end: start + width };
}

// Date.UTC moves the years 0-99 to 1900-1999.
function utc(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime();
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const FIXED: Partial<Record<Duration['unit'], number>> = { minute: 60_000, hour: 3_600_000, day: DAY, week: 7 * DAY };

/**
 * The instant a duration before `now`. Months and years are counted in the UTC calendar; where the month has no such
 * day, the moment its last day ends is taken (30 March minus 1 month is 1 March, 00:00). So the result never goes back
 * while `now` advances, and a device cannot leave a list and come back by itself. Never earlier than a JavaScript date
 * can be.
 */
export function before(now: number, { amount, unit }: Duration): number {
  const fixed = FIXED[unit];
  if (fixed !== undefined) return Math.max(EARLIEST, now - amount * fixed);
  const from = new Date(now);
  const months = from.getUTCFullYear() * 12 + from.getUTCMonth() - amount * (unit === 'year' ? 12 : 1);
  const year = Math.floor(months / 12);
  if (!(year >= -271_820)) return EARLIEST;
  const month = months - year * 12 + 1;
  const day = from.getUTCDate();
  const last = daysIn(((year % 400) + 400) % 400, month);
  return day > last ? utc(year, month, last) + DAY : utc(year, month, day) + (((now % DAY) + DAY) % DAY);
}

/**
 * The first instant at which `value` has fallen out of the duration before it: the smallest t with
 * `before(t, duration) > value`. `null` when no date is that late.
 */
export function expiry(value: number, duration: Duration): number | null {
  const fixed = FIXED[duration.unit];
  if (fixed !== undefined) {
    const at = value + duration.amount * fixed + 1;
    return at > -EARLIEST ? null : at;
  }
  // before() never decreases as t grows, so the turning point is found by halving.
  let low = value;
  const months = duration.amount * (duration.unit === 'year' ? 12 : 1);
  let high = Math.min(-EARLIEST, value + (months + 1) * 31 * DAY + DAY);
  if (before(high, duration) <= value) return null;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (before(middle, duration) > value) high = middle;
    else low = middle;
  }
  return high;
}
