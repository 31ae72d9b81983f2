// The limits that keep a hostile expression cheap.

/** How large an expression may be. */
export interface SearchLimits {
  /** UTF-16 code units of text. */
  readonly maxLength: number;
  /** Parentheses inside parentheses. */
  readonly maxDepth: number;
  /** Comparisons; each value of an `in (…)` list counts as one. */
  readonly maxComparisons: number;
}

/** The limits in force unless others are given: 8,192 characters, 32 levels, 200 comparisons. */
export const DEFAULT_LIMITS: SearchLimits = { maxLength: 8192, maxDepth: 32, maxComparisons: 200 };
