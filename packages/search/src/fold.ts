// How two texts are made comparable: case folding, identifiers without separators, versions as sortable keys.

const nonAscii = /[^\0-\x7f]/;

/**
 * Unicode simple case folding: texts that differ only in case give the same result, `ß` stays apart from `ss`, and the
 * number of UTF-16 code units never changes. No normalisation, no trimming. Equal to what a regular expression with the
 * flags `iu` regards as equal.
 */
export function fold(text: string): string {
  if (!nonAscii.test(text)) return text.toLowerCase();
  let out = '';
  for (const c of text) out += foldOne(c);
  return out;
}

const onePoint = (s: string): boolean => s.length === 1 || (s.length === 2 && s.codePointAt(0)! > 0xffff);

// Pairs that fold together though neither is the other's upper or lower case.
const pairs: Readonly<Record<string, string>> = { '\u1fd3': '\u0390', '\u1fe3': '\u03b0', '\ufb05': '\ufb06' };

function foldOne(c: string): string {
  // Dotless i has no partner, though its upper case is the ordinary I.
  if (c === 'ı' || c === 'İ') return c;
  const upper = c.toUpperCase();
  const base = onePoint(upper) ? upper : c;
  const lower = base.toLowerCase();
  const folded = onePoint(lower) ? lower : base;
  return pairs[folded] ?? folded;
}

/** Folds an address or identifier and removes the separators `:`, `-`, `.` and white space: `AA-bb:01` gives `aabb01`. */
export function foldIdentifier(text: string): string {
  return fold(text).replace(/[:.\-\s]/g, '');
}

const versionText = /^\d+(?:\.\d+)*$/;

/**
 * A key whose order as plain text is the order of versions: dot segments by number, a missing segment is 0
 * (`9.3` before `10`, `17` equal to `17.0.0`). `null` when the text is not made of numbers and dots only, or has a
 * segment of more than 99 digits.
 */
export function versionKey(text: string): string | null {
  const trimmed = text.trim();
  if (!versionText.test(trimmed)) return null;
  let key = 'v';
  let zeros = '';
  for (const part of trimmed.split('.')) {
    const digits = part.replace(/^0+/, '');
    if (digits.length > 99) return null;
    const segment = String(digits.length).padStart(2, '0') + digits;
    // Zero segments count only when something follows them.
    if (digits === '') zeros += segment;
    else {
      key += zeros + segment;
      zeros = '';
    }
  }
  return key;
}

const notText = /[\0\p{Cs}]/u;

/** Can every database store it: well-formed Unicode (no lone surrogate) without NUL? */
export function isText(value: string): boolean {
  return !notText.test(value);
}
