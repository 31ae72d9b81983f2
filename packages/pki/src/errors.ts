// The one error class of this package.

const brand: unique symbol = Symbol.for('espalier.error') as never;

/** What sort of failure it is; a host maps it to an HTTP status. */
export type PkiErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unavailable'
  | 'internal';

/** Where in the input the problem lies. */
export interface PkiErrorPlace {
  readonly offset?: number;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
}

/** Details of a {@link PkiError}. */
export interface PkiErrorOptions {
  readonly kind?: PkiErrorKind;
  readonly at?: PkiErrorPlace;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/**
 * The only error this package throws. `code` is stable (`pki.cms.bad_signature`, `pki.scep.challenge_refused`, …);
 * `kind` says what sort of failure it is; `at.offset` points into the input where that makes sense.
 */
export class PkiError extends Error {
  readonly [brand] = true;
  readonly code: string;
  readonly kind: PkiErrorKind;
  readonly at?: PkiErrorPlace;
  readonly remedy?: string;

  constructor(code: string, message: string, options: PkiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PkiError';
    this.code = code;
    this.kind = options.kind ?? 'invalid';
    if (options.at !== undefined) this.at = options.at;
    if (options.remedy !== undefined) this.remedy = options.remedy;
  }
}

/** True when `error` is a {@link PkiError} (of this or another copy of the package), optionally with the given code. */
export function isPkiError(error: unknown, code?: string): error is PkiError {
  return (
    error instanceof Error &&
    (error as Partial<Record<typeof brand, unknown>>)[brand] === true &&
    error.name === 'PkiError' &&
    (code === undefined || (error as PkiError).code === code)
  );
}
