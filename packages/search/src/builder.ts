// @espalier/search/builder: the query builder's model: one list of rules under All or Any, and the text that may leave it behind.
import {
  and,
  type Comparison,
  compare,
  type Duration,
  EVERYTHING,
  type Expression,
  type Literal,
  type Operator,
  or,
} from './expression.ts';
import type { Field } from './field.ts';
import { fold } from './fold.ts';
import { OPERATORS, operatorInfo, operatorsFor } from './operators.ts';
import { parseTolerant } from './parser.ts';
import { print } from './print.ts';
import type { Catalogue } from './registry.ts';
import { storageOf } from './storage.ts';

/** One row of the builder. */
export interface BuilderRule {
  readonly field: string;
  readonly operator: Operator;
  /** What it compares with; absent for the blank tests. */
  readonly value?: Literal | Duration;
}

/** The rows and how they are joined: `All` with AND, `Any` with OR. */
export interface BuilderModel {
  readonly mode: 'All' | 'Any';
  readonly rules: readonly BuilderRule[];
}

/** A model, or why there is none. */
export type BuilderResult =
  | { readonly expressible: true; readonly model: BuilderModel }
  | {
      readonly expressible: false;
      /** `nested`: AND and OR are mixed. `negation`: there is a NOT. `operator`: one that the builder does not offer. */
      readonly reason: 'nested' | 'negation' | 'operator';
      readonly message: string;
    };

/** The expression of a model; no rule gives `everything`. */
export function expressionFromRules({ mode, rules }: BuilderModel): Expression {
  const comparisons = rules.map(({ field, operator, value }) =>
    value === undefined ? compare(field, operator as 'is null') : compare(field, operator as '=', value as Literal),
  );
  const [first, ...rest] = comparisons;
  if (first === undefined) return EVERYTHING;
  return mode === 'All' ? and(first, ...rest) : or(first, ...rest);
}

/**
 * The model of an expression, where it has one: a flat list of comparisons under one AND or one OR, with operators that
 * the builder offers. One comparison counts as `All`. `expressionFromRules` of the model is the same tree again.
 */
export function rulesFromExpression(expression: Expression): BuilderResult {
  const no = (reason: 'nested' | 'negation' | 'operator', message: string): BuilderResult => ({
    expressible: false,
    reason,
    message,
  });
  if (expression.kind === 'everything') return { expressible: true, model: { mode: 'All', rules: [] } };
  if (expression.kind === 'not') return no('negation', 'NOT has no row in the builder');
  const items = expression.kind === 'comparison' ? [expression] : expression.items;
  const rules: BuilderRule[] = [];
  for (const item of items) {
    if (item.kind === 'not') return no('negation', 'NOT has no row in the builder');
    if (item.kind !== 'comparison') return no('nested', 'AND and OR are mixed; the builder has one for all rows');
    if (!operatorInfo(item.operator).builder) return no('operator', `${item.operator} can only be written by hand`);
    rules.push(ruleOf(item));
  }
  return { expressible: true, model: { mode: expression.kind === 'or' ? 'Any' : 'All', rules } };
}

function ruleOf(comparison: Comparison): BuilderRule {
  const { field, operator } = comparison;
  return 'value' in comparison
    ? { field, operator, value: comparison.value as Literal | Duration }
    : { field, operator };
}

/** What the search form holds. The text is what runs; while `attached`, the rules say the same. */
export interface BuilderState {
  readonly model: BuilderModel;
  readonly text: string;
  /** False: edited by hand, the rows no longer represent the text and should be covered. */
  readonly attached: boolean;
  /** Why the rows cannot show the text (detached only), for the person. */
  readonly message?: string;
}

/** The state of a form that starts with rows (none: an empty search). */
export function builderState(model: BuilderModel = { mode: 'All', rules: [] }): BuilderState {
  return { model, text: print(expressionFromRules(model)), attached: true };
}

/** The state of a form that starts with a text: attached where the builder can express it. */
export function builderStateFromText(text: string): BuilderState {
  return editText(builderState(), text, true);
}

/** The rows changed. While detached this would lose what was typed, so nothing happens: {@link resetText} comes first. */
export function editRules(state: BuilderState, model: BuilderModel): BuilderState {
  return state.attached ? builderState(model) : state;
}

/**
 * The text was changed by hand: the form is detached. With `reattach` it is attached again when the text is correct and
 * the builder can express it.
 */
export function editText(state: BuilderState, text: string, reattach = false): BuilderState {
  if (text === state.text) return state;
  const parsed = parseTolerant(text);
  if (!parsed.ok || parsed.expression === null) {
    return { model: state.model, text, attached: false, message: 'the expression is not complete' };
  }
  const result = rulesFromExpression(parsed.expression);
  if (!result.expressible) return { model: state.model, text, attached: false, message: result.message };
  if (reattach) return { model: result.model, text, attached: true };
  return { model: state.model, text, attached: false, message: 'edited by hand' };
}

/** Reset: what was typed is discarded and the rows' own expression is back. */
export function resetText(state: BuilderState): BuilderState {
  return builderState(state.model);
}

/** How a value is asked for. */
export type EditorKind = 'text' | 'number' | 'boolean' | 'date' | 'duration' | 'list' | 'two-level-list' | 'none';

/** The operators that the builder offers for a field, with their labels. */
export function builderOperators(field: Field): { readonly operator: Operator; readonly label: string }[] {
  const fits = operatorsFor(field);
  return OPERATORS.filter((o) => o.builder && fits.includes(o.operator)).map(({ operator, label }) => ({
    operator,
    label,
  }));
}

/** The editor for the value of a row. */
export function editorKind(field: Field, operator: Operator): EditorKind {
  const { operand } = operatorInfo(operator);
  if (operand === 'nothing') return 'none';
  if (operand === 'duration') return 'duration';
  if (field.type === 'ts' || field.type === 'date') return 'date';
  if (operand === 'value' && field.values !== undefined) {
    return field.values.some((v) => v.group !== undefined) ? 'two-level-list' : 'list';
  }
  const storage = storageOf(field.type);
  return storage === 'flag' ? 'boolean' : storage;
}

/** One group of the field menu. */
export interface FieldMenuGroup {
  readonly category: string;
  readonly fields: readonly Field[];
}

/** The field menu: categories and, within them, fields by name; typed letters keep the fields whose name has them. */
export function fieldMenu(catalogue: Catalogue, letters = ''): FieldMenuGroup[] {
  const wanted = fold(letters.trim());
  const title = (f: Field): string => [...(f.path ?? []), f.displayName].join(' › ');
  const groups = new Map<string, Field[]>();
  for (const field of catalogue.fields) {
    if (!fold(title(field)).includes(wanted)) continue;
    const group = groups.get(field.category);
    if (group === undefined) groups.set(field.category, [field]);
    else group.push(field);
  }
  const order = (a: string, b: string): number => (fold(a) < fold(b) ? -1 : 1);
  return [...groups]
    .map(([category, fields]) => ({ category, fields: fields.sort((a, b) => order(title(a), title(b))) }))
    .sort((a, b) => order(a.category, b.category));
}
