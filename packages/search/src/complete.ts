// Completion for an input box: what can stand at the cursor.
import type { Operator } from './expression.ts';
import type { Field } from './field.ts';
import { fold } from './fold.ts';
import { quote, type Token, tokenize } from './lexer.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { matchOperator } from './match-operator.ts';
import { OPERATORS, operatorInfo, operatorsFor } from './operators.ts';
import type { Catalogue } from './registry.ts';
import { UNITS } from './values.ts';

/** One proposal. */
export interface CompletionItem {
  readonly kind: 'field' | 'operator' | 'value' | 'duration' | 'unit' | 'logic';
  /** What to show. */
  readonly label: string;
  /** What replaces the stretch from `from` to `to`. */
  readonly insert: string;
  /** More to show: the display name of a field, the label of an operator. */
  readonly detail?: string | undefined;
}

/** The proposals at a place. */
export interface Completion {
  /** The stretch that a proposal replaces, as UTF-16 offsets. */
  readonly from: number;
  readonly to: number;
  readonly items: readonly CompletionItem[];
}

type State =
  | 'operand'
  | 'operator'
  | 'value'
  | 'duration'
  | 'unit'
  | 'list-open'
  | 'list-value'
  | 'list-next'
  | 'logic'
  | 'lost';

/**
 * Proposals for the place of the cursor: fields, the operators that fit the field, its values, units, AND and OR. Works
 * on text that is not finished. At most `limit` (default 20) proposals, best first.
 * @example complete('"common.platform" = "i', 22, catalogue).items[0]?.insert // '"iOS"'
 */
export function complete(
  text: string,
  cursor: number,
  catalogue: Catalogue,
  options: { readonly limit?: number } = {},
): Completion {
  const at = Math.max(0, Math.min(Math.trunc(cursor) || 0, text.length));
  if (text.length > DEFAULT_LIMITS.maxLength) return { from: at, to: at, items: [] };
  const all = tokenize(text.slice(0, at)).slice(0, -1);
  const last = all.at(-1);
  const open = last !== undefined && last.end === at && isPartial(last) ? last : undefined;
  const done = open === undefined ? all : all.slice(0, -1);
  const { state, field, words, depth } = walk(done, catalogue);
  const operatorStart = words[0]?.start;
  const from = state === 'operator' && operatorStart !== undefined ? operatorStart : (open?.start ?? at);
  const typed = open === undefined ? '' : open.kind === 'string' ? open.value : text.slice(open.start, at);
  const found = propose(
    state,
    typed,
    [...words.map((w) => w.value), typed].join(' ').trim(),
    field,
    depth,
    catalogue,
    open,
  );
  const previous = text[from - 1];
  const gap = previous === undefined || /[\s(]/.test(previous) ? '' : ' ';
  const items = found.slice(0, options.limit ?? 20).map((item) => ({ ...item, insert: gap + item.insert }));
  return { from, to: endOf(text, at, open), items };
}

// Still being typed: a word, a number, or text whose quote is open.
function isPartial(token: Token): boolean {
  if (token.kind === 'string') return token.fault?.code === 'unterminated-string';
  return token.kind === 'word' || token.kind === 'number';
}

// The rest of the word under the cursor is replaced too, or the rest of the text up to its closing quote.
function endOf(text: string, at: number, open: Token | undefined): number {
  if (open === undefined) return at;
  if (open.kind !== 'string') return at + (/^[\p{L}\p{N}_.-]*/u.exec(text.slice(at))?.[0].length ?? 0);
  const whole = tokenize(text).find((t) => t.start === open.start);
  const rest = whole?.fault === undefined && whole !== undefined ? text.slice(at, whole.end) : '';
  return /^[^"\s]*"$/.test(rest) ? at + rest.length : at;
}

function walk(
  tokens: readonly Token[],
  catalogue: Catalogue,
): { state: State; field: Field | undefined; words: Token[]; depth: number } {
  let state: State = 'operand';
  let field: Field | undefined;
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const word = token.kind === 'word' ? token.value.toLowerCase() : '';
    const literal = token.kind === 'string' || token.kind === 'number' || word === 'true' || word === 'false';
    switch (state) {
      case 'operand':
        if (token.kind === '(') depth++;
        else if (word === 'not') break;
        else if (token.kind === 'string' || token.kind === 'word') {
          field = catalogue.get(token.value);
          state = 'operator';
        } else state = 'lost';
        break;
      case 'operator': {
        const operator = matchOperator(tokens, i);
        // Words that are not an operator yet: `does not`.
        if (operator === null) {
          const words = tokens.slice(i);
          return { state: words.every((t) => t.kind === 'word') ? state : 'lost', field, words, depth };
        }
        i += operator.length - 1;
        const { operand } = operatorInfo(operator.operator);
        state =
          operand === 'nothing'
            ? 'logic'
            : operand === 'duration'
              ? 'duration'
              : operand === 'list'
                ? 'list-open'
                : 'value';
        break;
      }
      case 'value':
        state = literal ? 'logic' : 'lost';
        break;
      case 'duration':
        state = token.kind === 'number' ? 'unit' : token.kind === 'string' ? 'logic' : 'lost';
        break;
      case 'unit':
        state = token.kind === 'word' ? 'logic' : 'lost';
        break;
      case 'list-open':
        state = token.kind === '(' ? 'list-value' : 'lost';
        break;
      case 'list-value':
        state = literal ? 'list-next' : 'lost';
        break;
      case 'list-next':
        state = token.kind === ',' ? 'list-value' : token.kind === ')' ? 'logic' : 'lost';
        break;
      case 'logic':
        if (word === 'and' || word === 'or') state = 'operand';
        else if (token.kind === ')' && depth > 0) depth--;
        else state = 'lost';
        break;
      default:
        return { state: 'lost', field, words: [], depth };
    }
  }
  return { state, field, words: [], depth };
}

function propose(
  state: State,
  typed: string,
  typedWords: string,
  field: Field | undefined,
  depth: number,
  catalogue: Catalogue,
  open: Token | undefined,
): CompletionItem[] {
  const starts = (label: string): boolean => fold(label).startsWith(fold(typed));
  const logic = (...words: string[]): CompletionItem[] =>
    words.filter(starts).map((label) => ({ kind: 'logic', label, insert: label === ')' ? label : `${label} ` }));
  switch (state) {
    case 'operand':
      return [...fields(typed, catalogue), ...(open?.kind === 'string' ? [] : logic('NOT', '('))];
    case 'operator':
      return operators(typedWords, field);
    case 'value':
    case 'list-value':
      return values(typed, field);
    case 'list-next':
      return logic(',', ')');
    case 'list-open':
      return logic('(');
    case 'duration':
      if (open?.kind === 'number')
        return UNITS.map((unit) => item('duration', `${typed} ${typed === '1' ? unit : `${unit}s`}`));
      return ['1 day', '7 days', '30 days', '90 days', '6 months', '1 year']
        .filter(starts)
        .map((d) => item('duration', d));
    case 'unit':
      return UNITS.map((unit) => `${unit}s`)
        .filter(starts)
        .map((unit) => item('unit', unit));
    case 'logic':
      return logic('AND', 'OR', ...(depth > 0 ? [')'] : []));
    case 'lost':
      return [];
  }
}

const item = (kind: CompletionItem['kind'], label: string): CompletionItem => ({ kind, label, insert: `${label} ` });

// Best: the token begins so; then its name; then the display name; then any of them contains it.
function fields(typed: string, catalogue: Catalogue): CompletionItem[] {
  const wanted = fold(typed);
  const ranked: { rank: number; item: CompletionItem }[] = [];
  for (const field of catalogue.fields) {
    const token = fold(field.token);
    const display = fold([...(field.path ?? []), field.displayName].join(' '));
    const rank = token.startsWith(wanted)
      ? 0
      : token.slice(token.indexOf('.') + 1).startsWith(wanted)
        ? 1
        : display.startsWith(wanted)
          ? 2
          : token.includes(wanted) || display.includes(wanted)
            ? 3
            : field.aliases?.some((alias) => fold(alias).includes(wanted))
              ? 4
              : 5;
    if (rank === 5) continue;
    // Fields that no Apple device fills come last.
    const penalty = field.vendor === 'other' ? 10 : 0;
    const insert = `${quote(field.token)} `;
    ranked.push({
      rank: rank + penalty,
      item: { kind: 'field', label: field.token, insert, detail: field.displayName },
    });
  }
  return ranked.sort((a, b) => a.rank - b.rank).map((r) => r.item);
}

function operators(typedWords: string, field: Field | undefined): CompletionItem[] {
  const allowed: readonly Operator[] = field === undefined ? OPERATORS.map((o) => o.operator) : operatorsFor(field);
  const wanted = typedWords.toLowerCase();
  return OPERATORS.filter(
    (o) => allowed.includes(o.operator) && [o.operator, ...o.synonyms].some((s) => s.startsWith(wanted)),
  ).map(({ operator, label }) => ({ kind: 'operator', label: operator, insert: `${operator} `, detail: label }));
}

function values(typed: string, field: Field | undefined): CompletionItem[] {
  if (field?.type === 'bool')
    return ['true', 'false'].filter((v) => v.startsWith(fold(typed))).map((v) => item('value', v));
  const wanted = fold(typed);
  return (field?.values ?? [])
    .filter((v) => [v.value, ...(v.aliases ?? [])].some((name) => fold(name).includes(wanted)))
    .sort((a, b) => Number(fold(b.value).startsWith(wanted)) - Number(fold(a.value).startsWith(wanted)))
    .map(({ value, group }) => ({
      kind: 'value',
      label: value,
      insert: `${quote(value)} `,
      detail: group,
    }));
}
