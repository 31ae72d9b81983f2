// The two error classes of this package. Nothing else is ever thrown for bad input.

const brand: unique symbol = Symbol.for('espalier.error');

/** Where in the text something is wrong: `offset` counts UTF-16 code units from 0, `line` and `column` from 1. */
export interface SearchPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** What a caller may give when it creates a {@link SearchError}. */
export interface SearchErrorDetails {
  readonly at?:
    | { readonly offset?: number; readonly line?: number; readonly column?: number; readonly path?: string }
    | undefined;
  readonly remedy?: string | undefined;
}

/**
 * An expression that cannot be used: a comparison that does not fit its field's type, a value that cannot be read as the
 * type, a tree beyond the limits, a catalogue with two fields of one name. Codes: `search.bad_operator`,
 * `search.bad_value`, `search.sensitive`, `search.too_deep`, `search.too_long`, `search.catalogue`, `search.sql`.
 */
export class SearchError extends Error {
  readonly [brand] = true;
  readonly code: string;
  readonly kind: 'invalid' | 'forbidden' | 'too-large' | 'internal';
  readonly at?: NonNullable<SearchErrorDetails['at']>;
  readonly remedy?: string;

  constructor(code: string, kind: SearchError['kind'], message: string, details: SearchErrorDetails = {}) {
    super(message);
    this.name = 'SearchError';
    this.code = code;
    this.kind = kind;
    if (details.at !== undefined) this.at = details.at;
    if (details.remedy !== undefined) this.remedy = details.remedy;
  }
}

/**
 * Text that is not an expression. `code` is `search.syntax.` followed by the diagnostic's code with underscores
 * (`search.syntax.unterminated_string`).
 */
export class SearchSyntaxError extends SearchError {
  /** Where the fault begins. */
  readonly position: SearchPosition;
  /** Where the fault ends (exclusive offset). */
  readonly end: number;
  /** What could stand here instead, in words a person reads (`'a field'`, `'AND'`, `'a value in double quotes'`). */
  readonly expected: readonly string[];
  /** A replacement for the faulty stretch that was probably meant. */
  readonly suggestion?: string;

  constructor(
    code: string,
    message: string,
    position: SearchPosition,
    end: number,
    expected: readonly string[],
    suggestion?: string | undefined,
  ) {
    const tooLarge = code === 'too-long' || code === 'too-deep' || code === 'too-many';
    super(
      `search.syntax.${code.replaceAll('-', '_')}`,
      tooLarge ? 'too-large' : 'invalid',
      `${message} (line ${position.line}, column ${position.column})`,
      { at: position, remedy: suggestion && `did you mean ${suggestion} ?` },
    );
    this.name = 'SearchSyntaxError';
    this.position = position;
    this.end = end;
    this.expected = expected;
    if (suggestion !== undefined) this.suggestion = suggestion;
  }
}

/** Line and column of an offset; a line ends at LF, CR LF or CR. */
export function positionOf(text: string, offset: number): SearchPosition {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { offset, line: lines.length, column: lines.at(-1)!.length + 1 };
}
