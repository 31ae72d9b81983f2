// What the tools say about an expression.

/** A remark about an expression, in the order of the text. */
export interface SearchIssue {
  /** Stable, e.g. `unknown-field`. The full list is in docs/search-language.md. */
  readonly code: string;
  /** `error`: it cannot run. `warning`: it runs, and probably not as meant. `info`: worth knowing. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** Where in the text (UTF-16 offsets, `end` exclusive), when the text is known. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** The field it is about. */
  readonly field?: string | undefined;
  /** What could stand there instead, for a person to read. */
  readonly expected?: readonly string[] | undefined;
  /** A replacement for the stretch from `start` to `end`. */
  readonly suggestion?: string | undefined;
}

/** Where the parts of one comparison stand in the text, as `[start, end]`. */
export interface ComparisonSpan {
  readonly field: readonly [number, number];
  readonly operator: readonly [number, number];
  readonly value?: readonly [number, number] | undefined;
}
