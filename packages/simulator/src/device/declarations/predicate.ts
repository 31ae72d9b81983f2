// Predicates of activations, as a device reads them: NSPredicate's format strings, as far as activations use them. Written
// for the simulator alone, from Apple's Predicate Programming Guide, so that servers are tested by a second opinion.

/** What a predicate asks of the device; `undefined` is nil. */
export interface Answers {
  readonly status: (name: string) => unknown;
  readonly property: (name: string) => unknown;
}

/** A predicate that cannot be read. */
export class UnreadablePredicate extends Error {}
/** A predicate whose values cannot be compared. */
export class PredicateFault extends Error {}

type Scope = { readonly [variable: string]: unknown };
type Value = (scope: Scope) => unknown;
type Test = (scope: Scope) => boolean;

const lexeme =
  /\s*(?:(@(?:status|property|key)\s*\(\s*([^)]*?)\s*\))|(@count)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_])|(\$?[A-Za-z_]\w*)|(&&|\|\||[=!<>]=|=[<>]|<>|[()[\]{},.<>=!]))/sy;

interface Lexeme {
  readonly text: string;
  readonly term?: string;
  readonly argument?: string;
}

function cut(text: string): Lexeme[] {
  const found: Lexeme[] = [];
  lexeme.lastIndex = 0;
  const end = text.trimEnd().length;
  while (lexeme.lastIndex < end) {
    const match = lexeme.exec(text);
    if (match === null) throw new UnreadablePredicate('it cannot be cut into words');
    const [, term, argument, count] = match;
    if (term !== undefined) found.push({ text: '@', term: /^@(\w+)/.exec(term)![1]!, argument: argument ?? '' });
    else if (count === undefined) found.push({ text: match[0].trim() });
    else found.push({ text: '@', term: 'count' });
  }
  return found;
}

/** Whether the predicate holds. @throws UnreadablePredicate, PredicateFault */
export function predicateHolds(text: string, answers: Answers): boolean {
  const words = cut(text);
  let at = 0;
  const now = (): string => words[at]?.text ?? '';
  const upper = (): string => now().toUpperCase();
  const take = (...options: readonly string[]): boolean => {
    if (!options.includes(upper())) return false;
    at++;
    return true;
  };
  const need = (word: string): void => {
    if (!take(word)) throw new UnreadablePredicate(`${word} was expected before ${now()}`);
  };

  function either(): Test {
    const parts = [both()];
    while (take('OR', '||')) parts.push(both());
    return (scope) => parts.some((part) => part(scope));
  }
  function both(): Test {
    const parts = [single()];
    while (take('AND', '&&')) parts.push(single());
    return (scope) => parts.every((part) => part(scope));
  }
  function single(): Test {
    if (take('NOT', '!')) {
      const inner = single();
      return (scope) => !inner(scope);
    }
    if (take('TRUEPREDICATE')) return () => true;
    if (take('FALSEPREDICATE')) return () => false;
    if (!take('(')) return comparison();
    const inner = either();
    need(')');
    return inner;
  }
  function comparison(): Test {
    const quantifier = ['ANY', 'SOME', 'ALL', 'NONE'].includes(upper()) ? words[at++]!.text.toUpperCase() : '';
    const left = value();
    const operator = upper();
    at++;
    let options = '';
    if (take('[')) {
      options = now().toLowerCase();
      at++;
      need(']');
    }
    const compare = comparer(operator, options);
    const right = value();
    return (scope) => {
      const [a, b] = [left(scope), right(scope)];
      if (quantifier === '') return compare(a, b);
      if (a === null) return quantifier === 'ALL' || quantifier === 'NONE';
      if (!Array.isArray(a)) throw new PredicateFault(`${quantifier} needs a list`);
      if (quantifier === 'ALL') return a.every((item) => compare(item ?? null, b));
      return a.some((item) => compare(item ?? null, b)) !== (quantifier === 'NONE');
    };
  }
  function value(): Value {
    let found = simple();
    while (take('.')) {
      const { term, argument = '' } = words[at++] ?? { text: '' };
      const inner = found;
      if (term === 'count') found = (scope) => listOf(inner(scope)).length;
      else if (term === 'key') found = (scope) => keyOf(inner(scope), argument);
      else throw new UnreadablePredicate('a key path needs @key');
    }
    return found;
  }
  function simple(): Value {
    const word = words[at++];
    if (word === undefined) throw new UnreadablePredicate('it ends too early');
    const { text: name, term, argument = '' } = word;
    if (term !== undefined) {
      if (argument === '' || (term !== 'status' && term !== 'property')) throw new UnreadablePredicate(`@${term}`);
      return () => answers[term](argument) ?? null;
    }
    if (/^["']/.test(name)) {
      const content = unescaped(name.slice(1, -1));
      return () => content;
    }
    if (/^-?\d/.test(name)) return () => Number(name);
    if (name.startsWith('$')) {
      return (scope) => {
        if (!Object.hasOwn(scope, name)) throw new PredicateFault(`${name} has no value`);
        return scope[name] ?? null;
      };
    }
    if (name === '{') {
      const items: Value[] = [];
      if (!take('}')) {
        do items.push(value());
        while (take(','));
        need('}');
      }
      return (scope) => items.map((item) => item(scope));
    }
    const constant = new Map([
      ['TRUE', true],
      ['YES', true],
      ['FALSE', false],
      ['NO', false],
      ['NULL', null],
      ['NIL', null],
    ]);
    if (constant.has(name.toUpperCase())) return () => constant.get(name.toUpperCase());
    if (name.toUpperCase() !== 'SUBQUERY') throw new UnreadablePredicate(`${name} means nothing to this device`);
    need('(');
    const collection = value();
    need(',');
    const variable = now();
    if (!variable.startsWith('$')) throw new UnreadablePredicate('a variable was expected');
    at++;
    need(',');
    const test = either();
    need(')');
    return (scope) => listOf(collection(scope)).filter((item) => test({ ...scope, [variable]: item }));
  }

  const test = either();
  if (at < words.length) throw new UnreadablePredicate(`${now()} after the end`);
  return test({});
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_, hex: string | undefined, char: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { n: '\n', r: '\r', t: '\t' }[char] ?? char;
  });
}

function listOf(value: unknown): readonly unknown[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw new PredicateFault('a list is needed');
  return value;
}

function keyOf(value: unknown, key: string): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((item) => keyOf(item ?? null, key));
  if (typeof value !== 'object') throw new PredicateFault('@key needs an object');
  return Object.hasOwn(value, key) ? ((value as { [key: string]: unknown })[key] ?? null) : null;
}

function comparer(operator: string, options: string): (a: unknown, b: unknown) => boolean {
  const fold = (value: unknown): unknown => {
    if (typeof value === 'boolean') return Number(value);
    if (Array.isArray(value)) return value.map(fold);
    if (typeof value !== 'string') return value;
    const plain = options.includes('d') ? value.normalize('NFD').replaceAll(/\p{M}/gu, '') : value;
    return options.includes('c') ? plain.toLowerCase() : plain;
  };
  const same = (a: unknown, b: unknown): boolean => sorted(fold(a)) === sorted(fold(b));
  const order = (a: unknown, b: unknown): number => {
    const [x, y] = [fold(a), fold(b)];
    if (typeof x === 'number' && typeof y === 'number') return x - y;
    if (typeof x !== 'string' || typeof y !== 'string') throw new PredicateFault('these have no order');
    return x === y ? 0 : x < y ? -1 : 1;
  };
  const has = (collection: unknown, item: unknown): boolean => {
    if (collection === null) return false;
    if (Array.isArray(collection)) return collection.some((one) => same(one ?? null, item));
    if (item === null) return false;
    if (typeof collection !== 'string' || typeof item !== 'string') throw new PredicateFault('a list is needed');
    return String(fold(collection)).includes(String(fold(item)));
  };
  const texts = (a: unknown, b: unknown, check: (x: string, y: string) => boolean): boolean => {
    if (typeof a !== 'string' || typeof b !== 'string') throw new PredicateFault('texts are needed');
    return check(String(fold(a)), String(fold(b)));
  };
  const known = (check: (a: unknown, b: unknown) => boolean) => (a: unknown, b: unknown) =>
    a !== null && b !== null && check(a, b);
  switch (operator) {
    case '==':
    case '=':
      return same;
    case '!=':
    case '<>':
      return (a, b) => !same(a, b);
    case '<':
      return known((a, b) => order(a, b) < 0);
    case '<=':
    case '=<':
      return known((a, b) => order(a, b) <= 0);
    case '>':
      return known((a, b) => order(a, b) > 0);
    case '>=':
    case '=>':
      return known((a, b) => order(a, b) >= 0);
    case 'IN':
      return (a, b) => has(b, a);
    case 'CONTAINS':
      return has;
    case 'BEGINSWITH':
      return known((a, b) => texts(a, b, (x, y) => x.startsWith(y)));
    case 'ENDSWITH':
      return known((a, b) => texts(a, b, (x, y) => x.endsWith(y)));
    case 'LIKE':
      return known((a, b) => texts(a, b, like));
    case 'BETWEEN':
      return known((a, b) => {
        if (!Array.isArray(b) || b.length !== 2) throw new PredicateFault('BETWEEN needs two bounds');
        const [low, high] = b as [unknown, unknown];
        return low !== null && high !== null && order(a, low) >= 0 && order(a, high) <= 0;
      });
    default:
      throw new UnreadablePredicate(`${operator} is no comparison`);
  }
}

/** JSON with sorted keys: equal values give equal text. */
function sorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${sorted(one)}`).join()}}`;
}

function like(text: string, pattern: string): boolean {
  let rows = [true, ...Array.from({ length: text.length }, () => false)];
  for (const char of pattern) {
    const next = [char === '*' && rows[0]!];
    for (let i = 1; i <= text.length; i++) {
      next.push(char === '*' ? next[i - 1]! || rows[i]! : rows[i - 1]! && (char === '?' || char === text[i - 1]));
    }
    rows = next;
  }
  return rows[text.length]!;
}
