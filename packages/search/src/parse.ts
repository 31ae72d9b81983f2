// The strict entry: a tree, or the first fault as an error.
import { positionOf, SearchSyntaxError } from './errors.ts';
import type { Expression } from './expression.ts';
import { type ParseOptions, parseTolerant } from './parser.ts';

/**
 * Parses an expression of the device search language. The empty text gives `everything`.
 * @throws {SearchSyntaxError} with position, what was expected and, where it can be guessed, a correction
 * @example parse('"common.platform" = "iOS" AND "common.os_version" < "17.4"')
 */
export function parse(text: string, options: ParseOptions = {}): Expression {
  const { expression, diagnostics } = parseTolerant(text, options);
  const error = diagnostics.find((d) => d.severity === 'error');
  if (error !== undefined) {
    const start = error.start ?? 0;
    const { code, message, expected, suggestion } = error;
    throw new SearchSyntaxError(code, message, positionOf(text, start), error.end ?? start, expected ?? [], suggestion);
  }
  return expression!;
}
