// Writes a predicate in one form, whatever the spelling it was read from.
import type { Expression, Predicate } from './ast.ts';

/** The predicate as text; `parsePredicate` reads it back to the same tree. */
export function printPredicate(predicate: Predicate): string {
  switch (predicate.type) {
    case 'constant':
      return predicate.value ? 'TRUEPREDICATE' : 'FALSEPREDICATE';
    case 'not':
      return `NOT ${grouped(predicate.part)}`;
    case 'and':
    case 'or':
      return predicate.parts.map(grouped).join(predicate.type === 'and' ? ' AND ' : ' OR ');
    default: {
      const { left, operator, right, ignore, quantifier } = predicate;
      const letters = `${ignore.case ? 'c' : ''}${ignore.diacritics ? 'd' : ''}`;
      const options = letters === '' ? '' : `[${letters}]`;
      const before = quantifier === null ? '' : `${quantifier.toUpperCase()} `;
      return `${before}${print(left)} ${operator}${options} ${print(right)}`;
    }
  }
}

function grouped(predicate: Predicate): string {
  const text = printPredicate(predicate);
  return predicate.type === 'and' || predicate.type === 'or' ? `(${text})` : text;
}

function print(expression: Expression): string {
  switch (expression.type) {
    case 'literal':
      return literal(expression.value);
    case 'list':
      return `{${expression.items.map(print).join(', ')}}`;
    case 'status':
      return `@status(${expression.name})`;
    case 'property':
      return `@property(${expression.name})`;
    case 'variable':
      return `$${expression.name}`;
    case 'key':
      return `${print(expression.object)}.@key(${expression.name})`;
    case 'count':
      return `${print(expression.collection)}.@count`;
    default: {
      const { collection, variable, predicate } = expression;
      return `SUBQUERY(${print(collection)}, $${variable}, ${printPredicate(predicate)})`;
    }
  }
}

function literal(value: string | number | boolean | null): string {
  if (value === null) return 'NULL';
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (typeof value === 'number') return String(value);
  const escaped = value.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return `'${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}'`;
}
