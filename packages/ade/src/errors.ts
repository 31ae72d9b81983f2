// The package's error class (docs/decisions/0002-errors.md).

const brand: unique symbol = Symbol.for('espalier.error');

/** What sort of failure it is; a host maps it to an HTTP status. */
export type AdeErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unavailable'
  | 'internal';

/** Where something is wrong. */
export interface AdePlace {
  /** The key, column or field concerned. */
  readonly path?: string;
  /** Line of a text, from 1. */
  readonly line?: number;
  /** Column (of a table: which cell), from 1. */
  readonly column?: number;
}

/** What one of Apple's services answered. */
export interface AppleAnswer {
  readonly service: 'device-enrolment' | 'business' | 'apps-and-books';
  /** HTTP status. */
  readonly status: number;
  /** The error as Apple writes it: `EXPIRED_CURSOR`, `9622`, `FORBIDDEN`. Absent when the body named none that is known. */
  readonly code?: string;
  /** How long Apple asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Details of an {@link AdeError}. */
export interface AdeErrorDetails {
  readonly kind?: AdeErrorKind;
  readonly at?: AdePlace;
  readonly remedy?: string;
  readonly apple?: AppleAnswer;
  readonly cause?: unknown;
}

/**
 * The only error that this package throws. `code` is stable (`ade.token.wrong_key`, `ade.enrolment.expired_cursor`, …),
 * `message` is for people and may change. Messages never hold a secret or the content of an answer.
 *
 * @example
 * try {
 *   await client.account();
 * } catch (error) {
 *   if (error instanceof AdeError && error.code === 'ade.enrolment.t_c_not_signed') askForTerms();
 *   else throw error;
 * }
 */
export class AdeError extends Error {
  /** Marks the errors of every Espalier package, whichever copy of the package they come from. */
  readonly [brand] = true;
  override readonly name = 'AdeError';
  /** What is wrong, as a stable code. */
  readonly code: string;
  readonly kind: AdeErrorKind;
  /** Where it is wrong. */
  readonly at?: AdePlace;
  /** What to do about it. */
  readonly remedy?: string;
  /** Apple's answer, when there was one. */
  readonly apple?: AppleAnswer;

  constructor(code: string, message: string, details: AdeErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.kind = details.kind ?? 'invalid';
    if (details.at !== undefined) this.at = details.at;
    if (details.remedy !== undefined) this.remedy = details.remedy;
    if (details.apple !== undefined) this.apple = details.apple;
  }
}

/** True when `error` is an {@link AdeError} (of this or another copy of the package), optionally with the given code. */
export function isAdeError(error: unknown, code?: string): error is AdeError {
  return (
    error instanceof Error &&
    (error as Partial<Record<typeof brand, unknown>>)[brand] === true &&
    error.name === 'AdeError' &&
    (code === undefined || (error as AdeError).code === code)
  );
}
