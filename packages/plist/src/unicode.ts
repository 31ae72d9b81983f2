// Strings as UTF-16: surrogate pairs, and strings from code units.

/** The engine's own test, which not every browser has. */
const nativeTest = (String.prototype as { isWellFormed?: (this: string) => boolean }).isWellFormed;
const loneSurrogate = /\p{Surrogate}/u;

/** Whether each surrogate has its other half. */
export function isWellFormed(text: string): boolean {
  return nativeTest === undefined ? !loneSurrogate.test(text) : nativeTest.call(text);
}

/** Index of the first half of a surrogate pair that stands alone, or -1. */
export function firstLoneSurrogate(text: string): number {
  return text.search(loneSurrogate);
}

/** The string of UTF-16 code units, built in pieces that fit an argument list. */
export function stringOf(units: Uint16Array): string {
  if (units.length <= 1024) return String.fromCharCode.apply(null, units as unknown as number[]);
  const pieces: string[] = [];
  for (let at = 0; at < units.length; at += 1024) {
    pieces.push(String.fromCharCode.apply(null, units.subarray(at, at + 1024) as unknown as number[]));
  }
  return pieces.join('');
}
