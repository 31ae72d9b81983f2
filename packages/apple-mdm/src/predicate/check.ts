// Finds what is likely wrong with a predicate before any device sees it.
import { MdmError } from '../errors.ts';
import { schema } from '../schema/catalogue.ts';
import { nearest } from '../validate/nearest.ts';
import type { Expression, Predicate } from './ast.ts';
import { parsePredicate } from './parse.ts';

/** One thing that is, or may be, wrong with a predicate. */
export interface PredicateProblem {
  /**
   * - `syntax`, `unsupported`: it cannot be read, or needs more than the subset.
   * - `unknown-status`: no status item has this name in Apple's schema (it may be newer).
   * - `unknown-variable`: a `$variable` outside the SUBQUERY that makes it.
   * - `text-order`: a version is compared as text, character by character, where `'9.0' > '17.0'`.
   */
  readonly code: 'syntax' | 'unsupported' | 'unknown-status' | 'unknown-variable' | 'text-order';
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly remedy?: string;
  /** Where, in UTF-16 code units, for what cannot be read. */
  readonly offset?: number;
}

/**
 * Checks a predicate's text. An empty list: nothing was found.
 *
 * @example
 * checkPredicate("@status(device.model.famly) == 'iPad'");
 * // [{ code: 'unknown-status', severity: 'warning', … remedy: 'Did you mean device.model.family?' }]
 */
export function checkPredicate(text: string): readonly PredicateProblem[] {
  let predicate: Predicate;
  try {
    predicate = parsePredicate(text);
  } catch (error) {
    if (!(error instanceof MdmError)) throw error;
    const code = error.code === 'mdm.predicate.unsupported' ? 'unsupported' : 'syntax';
    const { message, remedy, at } = error;
    return [
      {
        code,
        severity: 'error',
        message,
        ...(remedy === undefined ? {} : { remedy }),
        ...(at?.offset === undefined ? {} : { offset: at.offset }),
      },
    ];
  }
  const problems: PredicateProblem[] = [];
  visit(predicate, new Set(), problems);
  return problems;
}

/** Names of status items that a predicate reads. */
export function predicateStatusItems(predicate: Predicate): readonly string[] {
  const names = new Set<string>();
  walk(predicate, (expression) => {
    if (expression.type === 'status') names.add(expression.name);
  });
  return [...names];
}

function walk(predicate: Predicate, see: (expression: Expression) => void): void {
  const into = (expression: Expression): void => {
    see(expression);
    if (expression.type === 'list') expression.items.forEach(into);
    else if (expression.type === 'key') into(expression.object);
    else if (expression.type === 'count') into(expression.collection);
    else if (expression.type === 'subquery') {
      into(expression.collection);
      walk(expression.predicate, see);
    }
  };
  if (predicate.type === 'not') walk(predicate.part, see);
  else if (predicate.type === 'and' || predicate.type === 'or') {
    for (const part of predicate.parts) walk(part, see);
  } else if (predicate.type === 'comparison') {
    into(predicate.left);
    into(predicate.right);
  }
}

function visit(predicate: Predicate, variables: ReadonlySet<string>, problems: PredicateProblem[]): void {
  if (predicate.type === 'not') visit(predicate.part, variables, problems);
  else if (predicate.type === 'and' || predicate.type === 'or') {
    for (const part of predicate.parts) visit(part, variables, problems);
  }
  if (predicate.type !== 'comparison') return;
  const { left, right, operator } = predicate;
  visitValue(left, variables, problems);
  visitValue(right, variables, problems);
  const ordered = ['<', '<=', '>', '>=', 'BETWEEN'].includes(operator);
  const version = [left, right].find((side) => side.type === 'status' && side.name.endsWith('version'));
  if (ordered && version?.type === 'status') {
    problems.push({
      code: 'text-order',
      severity: 'warning',
      message: `${version.name} is compared as text, so that '9.0' comes after '17.0'`,
      remedy: 'list the versions meant with IN, or use BEGINSWITH',
    });
  }
}

function visitValue(expression: Expression, variables: ReadonlySet<string>, problems: PredicateProblem[]): void {
  if (expression.type === 'status') checkStatusName(expression.name, problems);
  else if (expression.type === 'variable' && !variables.has(expression.name)) {
    const message = `$${expression.name} has no value here`;
    problems.push({ code: 'unknown-variable', severity: 'error', message });
  } else if (expression.type === 'list') {
    for (const item of expression.items) visitValue(item, variables, problems);
  } else if (expression.type === 'key') visitValue(expression.object, variables, problems);
  else if (expression.type === 'count') visitValue(expression.collection, variables, problems);
  else if (expression.type === 'subquery') {
    visitValue(expression.collection, variables, problems);
    visit(expression.predicate, new Set(variables).add(expression.variable), problems);
  }
}

function checkStatusName(name: string, problems: PredicateProblem[]): void {
  if (schema.status(name) !== undefined) return;
  // A part of an item's value, as `management.declarations.configurations`.
  if (schema.names('status').some((known) => name.startsWith(`${known}.`))) return;
  const [close] = nearest(name, schema.names('status'), 1);
  problems.push({
    code: 'unknown-status',
    severity: 'warning',
    message: `no status item is called ${name}`,
    ...(close === undefined ? {} : { remedy: `Did you mean ${close}?` }),
  });
}
