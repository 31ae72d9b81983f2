// The one error class of the command line.

const brand: unique symbol = Symbol.for('espalier.error');

/**
 * Stable reason of a {@link CliError}.
 *
 * - `cli.usage`: the command line is not right (exit 2).
 * - `cli.file`: a file cannot be read or written (exit 2).
 * - `cli.key`: what was given as a master key is none (exit 2).
 * - `cli.store`: the store is not in a state in which this can be done (exit 1).
 */
export type CliErrorCode = 'cli.usage' | 'cli.file' | 'cli.key' | 'cli.store';

/** What the command line throws when it cannot do what was asked; the text is for the person who typed it. */
export class CliError extends Error {
  readonly [brand] = true;
  override readonly name = 'CliError';
  readonly code: CliErrorCode;
  readonly kind = 'invalid';
  /** What to type instead. */
  readonly remedy?: string;

  constructor(code: CliErrorCode, message: string, remedy?: string) {
    super(message);
    this.code = code;
    if (remedy !== undefined) this.remedy = remedy;
  }
}
