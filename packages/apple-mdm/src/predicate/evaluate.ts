// Evaluates a predicate, as a device does before it applies an activation.

import { isObject } from '../declaration/json.ts';
import { MdmError } from '../errors.ts';
import type { Expression, Operator, Predicate } from './ast.ts';

/** What a predicate can ask of a device. Absent (`undefined`) is nil. */
export interface PredicateValues {
  /** The value of a status item, as JSON has it. */
  readonly status: (name: string) => unknown;
  /** The value of a management property (`com.apple.management.properties`). */
  readonly property: (name: string) => unknown;
}

/**
 * Looks status items up in a device's status. A name that goes on below an item's
 * (`management.declarations.configurations`) is looked for inside the item's value.
 *
 * @example
 * evaluatePredicate(predicate, { status: statusLookup(status), property: (name) => properties.get(name) });
 */
export function statusLookup(status: ReadonlyMap<string, unknown>): PredicateValues['status'] {
  return (name) => {
    const parts = name.split('.');
    for (let length = parts.length; length > 0; length--) {
      const item = parts.slice(0, length).join('.');
      if (!status.has(item)) continue;
      return parts
        .slice(length)
        .reduce<unknown>(
          (value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined),
          status.get(item),
        );
    }
    return undefined;
  };
}

/** Comparisons in one evaluation at most: nested SUBQUERYs over long lists multiply. */
const maxSteps = 100_000;

function fault(problem: string): MdmError {
  return new MdmError('mdm.predicate.evaluation', problem);
}

/**
 * Whether a predicate holds. Comparing with nil by `==` and `!=` compares; every other comparison with nil is false.
 * Booleans are the numbers 0 and 1, as in Foundation. Texts are compared by UTF-16 code units, as Foundation's
 * `compare:` without options does for plain text: `'9' > '10'`.
 *
 * @throws MdmError `mdm.predicate.evaluation` for values that cannot be compared (a text with a number, a text with
 *   a list …); a device reports `Error.UnableToEvaluatePredicate`
 * @example
 * evaluatePredicate(parsePredicate('@property(shard) <= 75'), { status: () => undefined, property: () => 12 }); // true
 */
export function evaluatePredicate(predicate: Predicate, values: PredicateValues): boolean {
  let steps = 0;
  type Scope = ReadonlyMap<string, unknown>;

  function test(node: Predicate, scope: Scope): boolean {
    if (node.type === 'constant') return node.value;
    if (node.type === 'not') return !test(node.part, scope);
    if (node.type === 'and') return node.parts.every((part) => test(part, scope));
    if (node.type === 'or') return node.parts.some((part) => test(part, scope));
    const left = value(node.left, scope);
    const right = value(node.right, scope);
    const { operator, quantifier, ignore } = node;
    if (quantifier === null) return compare(left, operator, right, ignore);
    if (left === null) return quantifier !== 'any';
    if (!Array.isArray(left)) throw fault(`${quantifier.toUpperCase()} needs a list`);
    const holds = (item: unknown): boolean => compare(item ?? null, operator, right, ignore);
    if (quantifier === 'any') return left.some(holds);
    return quantifier === 'all' ? left.every(holds) : !left.some(holds);
  }

  function value(node: Expression, scope: Scope): unknown {
    switch (node.type) {
      case 'literal':
        return node.value;
      case 'list':
        return node.items.map((item) => value(item, scope));
      case 'status':
        return values.status(node.name) ?? null;
      case 'property':
        return values.property(node.name) ?? null;
      case 'variable': {
        if (!scope.has(node.name)) throw fault(`$${node.name} has no value here`);
        return scope.get(node.name) ?? null;
      }
      case 'key':
        return keyOf(value(node.object, scope), node.name);
      case 'count': {
        const collection = value(node.collection, scope);
        if (collection === null) return 0;
        if (!Array.isArray(collection)) throw fault('@count needs a list');
        return collection.length;
      }
      default: {
        const collection = value(node.collection, scope);
        if (collection === null) return [];
        if (!Array.isArray(collection)) throw fault('SUBQUERY needs a list');
        return collection.filter((item) => test(node.predicate, new Map(scope).set(node.variable, item)));
      }
    }
  }

  function compare(left: unknown, operator: Operator, right: unknown, ignore: { case: boolean; diacritics: boolean }) {
    if (++steps > maxSteps) throw fault(`more than ${maxSteps} comparisons`);
    const fold = (text: string): string => {
      const plain = ignore.diacritics ? text.normalize('NFD').replaceAll(/\p{M}/gu, '') : text;
      return ignore.case ? plain.toLowerCase() : plain;
    };
    return compareValues(left, operator, right, fold);
  }

  return test(predicate, new Map());
}

function keyOf(object: unknown, name: string): unknown {
  if (object === null) return null;
  if (Array.isArray(object)) return object.map((item) => keyOf(item, name));
  if (!isObject(object)) throw fault(`@key(${name}) needs an object`);
  return Object.hasOwn(object, name) ? (object[name] ?? null) : null;
}

type Fold = (text: string) => string;

function compareValues(left: unknown, operator: Operator, right: unknown, fold: Fold): boolean {
  if (operator === '==') return equal(left, right, fold);
  if (operator === '!=') return !equal(left, right, fold);
  if (operator === 'IN') return contains(right, left, fold);
  if (operator === 'CONTAINS') return contains(left, right, fold);
  if (left === null || right === null) return false;
  if (operator === 'BETWEEN') {
    if (!Array.isArray(right) || right.length !== 2) throw fault('BETWEEN needs two bounds');
    if (right[0] === null || right[1] === null) return false;
    return order(left, right[0], fold) >= 0 && order(left, right[1], fold) <= 0;
  }
  if (operator === 'BEGINSWITH' || operator === 'ENDSWITH' || operator === 'LIKE') {
    if (typeof left !== 'string' || typeof right !== 'string') throw fault(`${operator} compares texts`);
    if (operator === 'BEGINSWITH') return fold(left).startsWith(fold(right));
    return operator === 'ENDSWITH' ? fold(left).endsWith(fold(right)) : like(fold(left), fold(right));
  }
  const sign = order(left, right, fold);
  if (operator === '<') return sign < 0;
  if (operator === '<=') return sign <= 0;
  return operator === '>' ? sign > 0 : sign >= 0;
}

const numeric = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : undefined;

/** Values of different types are not equal; that is no fault. */
function equal(left: unknown, right: unknown, fold: Fold): boolean {
  if (typeof left === 'string' && typeof right === 'string') return fold(left) === fold(right);
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return a === b;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => equal(item ?? null, right[i] ?? null, fold));
  }
  if (isObject(left) && isObject(right)) {
    const names = Object.keys(left);
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => Object.hasOwn(right, name) && equal(left[name] ?? null, right[name] ?? null, fold))
    );
  }
  return left === right;
}

function order(left: unknown, right: unknown, fold: Fold): number {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return a - b;
  if (typeof left !== 'string' || typeof right !== 'string') throw fault('a text and a number have no order');
  const [x, y] = [fold(left), fold(right)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function contains(collection: unknown, item: unknown, fold: Fold): boolean {
  if (collection === null) return false;
  if (Array.isArray(collection)) return collection.some((one) => equal(one ?? null, item, fold));
  if (item === null) return false;
  if (typeof collection === 'string' && typeof item === 'string') return fold(collection).includes(fold(item));
  throw fault('CONTAINS and IN need a list, or two texts');
}

/** `?` stands for one character, `*` for any number of them. No backtracking beyond the last star. */
function like(text: string, pattern: string): boolean {
  let t = 0;
  let p = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] !== '*' && (pattern[p] === '?' || pattern[p] === text[t])) {
      t++;
      p++;
    } else if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
