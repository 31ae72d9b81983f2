// Dates as text: `YYYY-MM-DDTHH:MM:SSZ`, nothing shorter, longer or in another zone.

const daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
const secondsPerDay = 86_400;
/** Days from 0000-03-01 to 1970-01-01. */
const epochDay = 719_468;

/**
 * Reads the 20 ASCII characters of a date at `at`. Returns milliseconds since 1970, `NaN` when the form is wrong and
 * `Infinity` when the form is right but there is no such moment (month 13, 30 February, second 60).
 */
export function parseDateAt(text: Uint8Array, at: number): number {
  if (
    text[at + 4] !== 0x2d ||
    text[at + 7] !== 0x2d ||
    text[at + 10] !== 0x54 ||
    text[at + 13] !== 0x3a ||
    text[at + 16] !== 0x3a ||
    text[at + 19] !== 0x5a
  ) {
    return Number.NaN;
  }
  const year = twoDigits(text, at) * 100 + twoDigits(text, at + 2);
  const month = twoDigits(text, at + 5);
  const day = twoDigits(text, at + 8);
  const hour = twoDigits(text, at + 11);
  const minute = twoDigits(text, at + 14);
  const second = twoDigits(text, at + 17);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return Number.NaN;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) {
    return Number.POSITIVE_INFINITY;
  }
  return (dayNumber(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second) * 1000;
}

/** Two digits as a number; a negative number too large to be made up for when one of them is no digit. */
function twoDigits(text: Uint8Array, at: number): number {
  const tens = text[at]! - 0x30;
  const ones = text[at + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000;
}

function daysIn(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return daysBefore[month]! - daysBefore[month - 1]!;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that leap days come last. */
function dayNumber(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const century = Math.floor(marchYear / 100);
  const leapDays = Math.floor(marchYear / 4) - century + Math.floor(century / 4);
  const monthFromMarch = (month + 9) % 12;
  return 365 * marchYear + leapDays + Math.floor((153 * monthFromMarch + 2) / 5) + day - 1 - epochDay;
}

const two = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));

/**
 * Writes a date in whole seconds (a fraction is dropped towards the past). Returns `null` for a date that is invalid
 * or outside the years 0000 to 9999. The same arithmetic as in reading, backwards: `Date` itself takes ten times as long.
 */
export function formatDate(date: Date): string | null {
  const seconds = Math.floor(date.getTime() / 1000);
  // Also refuses NaN.
  if (!(seconds >= -62_167_219_200 && seconds <= 253_402_300_799)) return null;
  const day = Math.floor(seconds / secondsPerDay);
  const second = seconds - day * secondsPerDay;
  // Days since 0000-03-01, but from 400 years earlier, so that nothing is negative.
  const days = day + epochDay + 146_097;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = (era - 1) * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const time = `${two[Math.floor(second / 3600)]}:${two[Math.floor(second / 60) % 60]}:${two[second % 60]}`;
  return `${two[Math.floor(year / 100)]}${two[year % 100]}-${two[month]}-${two[dayOfMonth]}T${time}Z`;
}
