// CoreError: the one error that this package throws.

const ESPALIER_ERROR: unique symbol = Symbol.for('espalier.error');

/** What kind of failure an error is; hosts map it to an HTTP status. */
export type CoreErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unavailable'
  | 'internal';

/** What a {@link CoreError} is made of beside its message. */
export interface CoreErrorDetails {
  readonly at?: { readonly offset?: number; readonly line?: number; readonly column?: number; readonly path?: string };
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** An error of the engine or of a store: a stable code, what kind of failure it is, where, and what to do next. */
export class CoreError extends Error {
  readonly [ESPALIER_ERROR]: true = true;
  override readonly name: string = 'CoreError';
  /** Stable, dotted lower case: `core.enrolment.identity_mismatch`. */
  readonly code: string;
  readonly kind: CoreErrorKind;
  readonly at?: CoreErrorDetails['at'];
  readonly remedy?: string;

  constructor(code: string, kind: CoreErrorKind, message: string, details: CoreErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.kind = kind;
    if (details.at !== undefined) this.at = details.at;
    if (details.remedy !== undefined) this.remedy = details.remedy;
  }
}
