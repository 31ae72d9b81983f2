// The package's error class (docs/decisions/0002-errors.md).

const brand: unique symbol = Symbol.for('espalier.error');

/** Stable reasons of a {@link PolicyError}. */
export type PolicyErrorCode =
  | 'policy.type.unknown'
  | 'policy.settings.invalid'
  | 'policy.credential.invalid'
  | 'policy.reference.missing'
  | 'policy.reference.duplicate'
  | 'policy.reference.cycle'
  | 'policy.reference.wrong_type';

/** Thrown for a configuration that cannot be compiled for any device. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly [brand]: true = true;
  readonly code: PolicyErrorCode;
  readonly kind = 'invalid';
  readonly at: { readonly path: string };
  readonly remedy: string;

  constructor(code: PolicyErrorCode, message: string, path: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.at = { path };
    this.remedy = remedy;
  }
}
