// The one error class of the package, its codes, and the description of a place inside a document.

const brand: unique symbol = Symbol.for('espalier.error');

/**
 * Stable reason of a {@link PlistError}.
 *
 * - `plist.syntax`: the document is not well-formed (XML) or not laid out as the format requires (binary).
 * - `plist.truncated`: the document ends before it is complete.
 * - `plist.forbidden`: well-formed XML that a property list has no use for: an internal DTD subset, an entity that is
 *   not one of the five, a processing instruction, an attribute.
 * - `plist.encoding`: bytes that are not valid in the document's encoding, or an encoding that is not supported.
 * - `plist.character`: a character that XML cannot carry, or half of a surrogate pair.
 * - `plist.value`: the content of an integer, real, date, data or uid is malformed.
 * - `plist.range`: a well-formed number or date that the type cannot hold.
 * - `plist.duplicate_key`: a dictionary names the same key twice.
 * - `plist.type`: a value or an element of a kind that does not belong there; also a root that is not a dictionary.
 * - `plist.cycle`: a structure that contains itself.
 * - `plist.limit.bytes`, `plist.limit.depth`, `plist.limit.elements`: a limit of {@link DecodeLimits} was reached.
 * - `plist.option`: an option has a value that makes no sense.
 */
export type PlistErrorCode =
  | 'plist.syntax'
  | 'plist.truncated'
  | 'plist.forbidden'
  | 'plist.encoding'
  | 'plist.character'
  | 'plist.value'
  | 'plist.range'
  | 'plist.duplicate_key'
  | 'plist.type'
  | 'plist.cycle'
  | 'plist.limit.bytes'
  | 'plist.limit.depth'
  | 'plist.limit.elements'
  | 'plist.option';

/** Where in a document, or in a value being encoded, something is wrong. */
export interface PlistPlace {
  /** Offset in bytes from the start of the document; in UTF-16 code units when the document was given as a string. */
  readonly offset?: number;
  /** Line, counted from 1. Only for XML. */
  readonly line?: number;
  /** Column in UTF-16 code units, counted from 1. Only for XML. */
  readonly column?: number;
  /** The value concerned, as `/Command/RequestType` or `/Items/0/Name`; the root is `/`. */
  readonly path?: string;
}

/**
 * The only error that this package throws for bad input. `code` is stable, `message` is for people and may change.
 *
 * @example
 * try {
 *   decode(body);
 * } catch (error) {
 *   if (error instanceof PlistError && error.code === 'plist.limit.bytes') return new Response(null, { status: 413 });
 *   throw error;
 * }
 */
export class PlistError extends Error {
  /** Marks the errors of every Espalier package, whichever copy of the package they come from. */
  readonly [brand] = true;
  override readonly name = 'PlistError';
  /** What is wrong, as a stable code. */
  readonly code: PlistErrorCode;
  /** `too-large` for the limits, else `invalid`. */
  readonly kind: 'invalid' | 'too-large';
  /** Where it is wrong. */
  readonly at: PlistPlace;
  /** What to do about it, where there is something to say. */
  readonly remedy?: string;

  constructor(code: PlistErrorCode, problem: string, at: PlistPlace = {}, remedy?: string) {
    super(problem + describe(at));
    this.code = code;
    this.kind = code.startsWith('plist.limit.') ? 'too-large' : 'invalid';
    this.at = at;
    if (remedy !== undefined) this.remedy = remedy;
  }
}

function describe(at: PlistPlace): string {
  const parts: string[] = [];
  if (at.line !== undefined) parts.push(`line ${at.line}, column ${at.column}`);
  else if (at.offset !== undefined) parts.push(`offset ${at.offset}`);
  if (at.path !== undefined) parts.push(`path ${at.path}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

const maxPathParts = 32;
const maxPartLength = 64;

/** Writes keys and indexes as a path; long keys and deep paths are shortened, so that an error stays readable. */
export function formatPath(parts: readonly (string | number)[]): string {
  if (parts.length === 0) return '/';
  let path = '';
  for (const part of parts.slice(0, maxPathParts)) path += `/${typeof part === 'number' ? part : formatKey(part)}`;
  return parts.length > maxPathParts ? `${path}/…` : path;
}

/** A key as it may appear in a message: shortened, control characters and `/` escaped. */
export function formatKey(key: string): string {
  const short = key.length > maxPartLength ? `${key.slice(0, maxPartLength)}…` : key;
  return short
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/~/g, '~0')
    .replace(/\//g, '~1')
    .replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
