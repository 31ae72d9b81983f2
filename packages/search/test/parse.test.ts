// Grammar, canonical form, limits, and what hostile text does.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogue as fields } from '../src/catalogue.ts';
import {
  and,
  compare,
  type Expression,
  not,
  or,
  parse,
  parseTolerant,
  print,
  SearchError,
  SearchSyntaxError,
  validate,
} from '../src/index.ts';
import { expression, nightly } from './generate.ts';

const RUNS = nightly ? 1_000_000 : 20_000;

function failure(text: string): SearchSyntaxError {
  try {
    parse(text);
  } catch (thrown) {
    if (thrown instanceof SearchSyntaxError) return thrown;
    throw thrown;
  }
  throw new Error(`parsed: ${text}`);
}

describe('operators', () => {
  const spellings: [string, string][] = [
    ['"a.b" = "x"', '"a.b" = "x"'],
    ['"a.b"EQUALS"x"', '"a.b" = "x"'],
    ['"a.b" <> 5', '"a.b" != 5'],
    ['"a.b" Does Not Equal true', '"a.b" != true'],
    ['"a.b" < -1.50', '"a.b" < -1.5'],
    ['"a.b"<=0', '"a.b" <= 0'],
    ['"a.b" > "2024-04-30"', '"a.b" > "2024-04-30"'],
    ['"a.b">=17', '"a.b" >= 17'],
    ['"a.b" CONTAINS "x"', '"a.b" contains "x"'],
    ['"a.b" does\nnot\tcontain "x"', '"a.b" does not contain "x"'],
    ['"a.b" Starts With "x"', '"a.b" starts with "x"'],
    ['"a.b" does not start with "x"', '"a.b" does not start with "x"'],
    ['"a.b" ends with "x"', '"a.b" ends with "x"'],
    ['"a.b" does not end with "x"', '"a.b" does not end with "x"'],
    ['"a.b" within the last 1 days', '"a.b" within the last 1 day'],
    ['"a.b" WITHIN THE LAST "6 Months"', '"a.b" within the last 6 months'],
    ['"a.b" within the last 30minutes', '"a.b" within the last 30 minutes'],
    ['"a.b" not within the last 2 hour', '"a.b" not within the last 2 hours'],
    ['"a.b" within the last 3 week', '"a.b" within the last 3 weeks'],
    ['"a.b" within the last 0 years', '"a.b" within the last 0 years'],
    ['"a.b" in ("x",1,TRUE)', '"a.b" in ("x", 1, true)'],
    ['"a.b" not in ("x")', '"a.b" not in ("x")'],
    ['"a.b" is null', '"a.b" is null'],
    ['"a.b" IS NOT NULL', '"a.b" is not null'],
  ];
  test.each(spellings)('%s', (text, canonical) => {
    expect(print(parse(text))).toBe(canonical);
    expect(print(parse(canonical))).toBe(canonical);
  });
});

describe('text, fields and numbers', () => {
  test('a backslash escapes only a quote or a backslash', () => {
    const value = (text: string): unknown => (parse(text) as { value: unknown }).value;
    expect(value('"a.b" = "CN=Doe\\, John"')).toBe('CN=Doe\\, John');
    expect(value('"a.b" = "CORP\\jdoe"')).toBe('CORP\\jdoe');
    expect(value('"a.b" = "say \\"hi\\""')).toBe('say "hi"');
    expect(value('"a.b" = "C:\\\\"')).toBe('C:\\');
    expect(print(parse('"a.b" = "CORP\\jdoe"'))).toBe('"a.b" = "CORP\\jdoe"');
  });
  test('fields may have spaces, hyphens and capitals; without quotes they may not', () => {
    expect(print(parse('"ios.iPhone PRODUCT" = "iPad5,3"'))).toBe('"ios.iPhone PRODUCT" = "iPad5,3"');
    expect(print(parse('user.ldap.user_account_control.account-disabled = true'))).toContain('account-disabled');
    expect(failure('ios.iPhone PRODUCT = "x"').code).toBe('search.syntax.bad_operator');
    expect(failure('"platform" = "x"').code).toBe('search.syntax.bad_field');
  });
  test('a field may end like an operator', () => {
    expect(print(parse('"a.b=" = "x"'))).toBe('"a.b=" = "x"');
  });
  test('the empty text is everything', () => {
    for (const text of ['', '  \n\t ']) expect(parse(text)).toEqual({ kind: 'everything' });
    expect(print(parse(' '))).toBe('');
  });
  test('white space of every kind separates', () => {
    expect(print(parse('\u00a0"a.b"\u3000=\r\n1\u2003AND\u2028"a.c"=2'))).toBe('"a.b" = 1 AND "a.c" = 2');
  });
});

describe('precedence and parentheses', () => {
  test.each([
    ['"a.a"=1 or "a.b"=1 and "a.c"=1', '"a.a" = 1 OR "a.b" = 1 AND "a.c" = 1'],
    ['(("a.a"=1)) And (("a.b"=1 AND ("a.c"=1)))', '"a.a" = 1 AND "a.b" = 1 AND "a.c" = 1'],
    ['("a.a"=1 AND "a.b"=1) OR "a.c"=1', '"a.a" = 1 AND "a.b" = 1 OR "a.c" = 1'],
    ['not ("a.a"=1)', 'NOT "a.a" = 1'],
    ['NOT ("a.a"=1 OR "a.b"=1) AND NOT "a.c" = 1', 'NOT ("a.a" = 1 OR "a.b" = 1) AND NOT "a.c" = 1'],
    ['NOT (NOT "a.a" = 1)', 'NOT (NOT "a.a" = 1)'],
  ])('%s', (text, canonical) => expect(print(parse(text))).toBe(canonical));
  test('the tree is flat', () => {
    const [a, b, c] = ['a.a', 'a.b', 'a.c'].map((f) => compare(f, '=', 1)) as [Expression, Expression, Expression];
    expect(parse('"a.a"=1 AND ("a.b"=1 AND "a.c"=1)')).toEqual(and(a, b, c));
    expect(parse('("a.a"=1 OR "a.b"=1) OR NOT "a.c"=1')).toEqual(or(a, b, not(compare('a.c', '=', 1))));
  });
});

describe('faults', () => {
  test.each<[string, string, number, string | undefined]>([
    ['"a.b"', 'expected_operator', 5, undefined],
    ['"a.b" =', 'expected_value', 7, undefined],
    ['"a.b" = iOS', 'expected_value', 8, '"iOS"'],
    ['"a.b" = AND "a.c" = 1', 'expected_value', 8, undefined],
    ['"a.b" = "x', 'unterminated_string', 8, undefined],
    ['"a.b" = "CORP\\"', 'unterminated_string', 8, '"CORP\\\\"'],
    ['"a.b" = \'x\'', 'bad_quotes', 8, '"x"'],
    ['“a.b” = “x”', 'typographic_quotes', 0, '"a.b"'],
    ['"a.b" == 1', 'bad_operator', 6, '='],
    ['"a.b" ≠ 1', 'bad_operator', 6, '!='],
    ['"a.b" = 1 && "a.c" = 2', 'bad_operator', 10, 'AND'],
    ['"a.b" like "x"', 'bad_operator', 6, 'contains'],
    ['"a.b" strats with "x"', 'bad_operator', 6, 'starts with'],
    ['"a.b" does not match "x"', 'bad_operator', 6, undefined],
    ['"a.b" contains 5', 'expected_value', 15, '"5"'],
    ['"a.b" = 99999999999999999999', 'bad_number', 8, '"99999999999999999999"'],
    ['"a.b" within the last 30', 'bad_duration', 22, '30 days'],
    ['"a.b" within the last 30 dayz', 'bad_duration', 22, '30 days'],
    ['"a.b" within the last 1.5 days', 'bad_duration', 22, undefined],
    ['"a.b" within the last -1 days', 'bad_duration', 22, undefined],
    ['"a.b" within the last "soon"', 'bad_duration', 22, undefined],
    ['("a.b" = 1', 'unbalanced_paren', 0, undefined],
    ['"a.b" = 1)', 'unbalanced_paren', 9, undefined],
    ['()', 'expected_field', 1, undefined],
    ['"a.b" = 1 "a.c" = 2', 'expected_logic', 10, undefined],
    ['"a.b" = 1 OR', 'expected_field', 12, undefined],
    ['NOT NOT "a.b" = 1', 'expected_field', 4, undefined],
    ['"a.b" in ()', 'expected_value', 10, undefined],
    ['"a.b" in ("x"', 'unbalanced_paren', 9, undefined],
    ['"a.b" in "x"', 'expected_value', 9, undefined],
    ['"a.b" = "x\0y"', 'unexpected_character', 8, undefined],
    ['"a.b" = "\ud800"', 'unexpected_character', 8, undefined],
    ['"a.b" = 1 # comment', 'expected_logic', 10, undefined],
    ['foo = 1', 'bad_field', 0, undefined],
    ['"a.b = "x"', 'missing_quote', 0, '"a.b" = "'],
    ['"a.b starts with "x"', 'missing_quote', 0, '"a.b" starts with "'],
    ['.a = 1', 'unexpected_character', 0, undefined],
    ['constructor = 1', 'bad_field', 0, undefined],
    ['"a.b" __proto__ 1', 'bad_operator', 6, undefined],
  ])('%s', (text, code, offset, suggestion) => {
    const error = failure(text);
    expect([error.code, error.position.offset, error.suggestion]).toEqual([
      `search.syntax.${code}`,
      offset,
      suggestion,
    ]);
  });
  test('line and column', () => {
    expect(failure('"a.b" = 1 AND\r\n  "a.c" =').position).toEqual({ offset: 24, line: 2, column: 10 });
  });
  test('several faults are all reported, and the rest is kept', () => {
    const { diagnostics, expression: tree } = validate(
      '"common.platfrom" = "iOS" AND "common.os_version" >< "1" OR ("common.retired" = true',
      fields,
    );
    expect(diagnostics.map((d) => d.code)).toEqual([
      'mixed-and-or',
      'unknown-field',
      'expected-value',
      'unbalanced-paren',
    ]);
    expect(print(tree!)).toBe('"common.platfrom" = "iOS" OR "common.retired" = true');
    expect(diagnostics[1]!.suggestion).toBe('"common.platform"');
  });
  test('the suggestion replaces the faulty stretch', () => {
    for (const [text, fixed] of [
      ['"a.b" = iOS', '"a.b" = "iOS"'],
      ['"a.b" within the last 30 dayz', '"a.b" within the last 30 days'],
      ['"a.b" strats with "x"', '"a.b" starts with "x"'],
      ['"a.b" = “x”', '"a.b" = "x"'],
    ] as const) {
      const { position, end, suggestion } = failure(text);
      expect(text.slice(0, position.offset) + suggestion + text.slice(end)).toBe(fixed);
      parse(fixed);
    }
  });
});

describe('limits', () => {
  const many = (n: number): string => Array.from({ length: n }, (_, i) => `"a.f${i}" = ${i}`).join(' AND ');
  test('200 comparisons, and list values count', () => {
    expect(parse(many(200)).kind).toBe('and');
    expect(failure(many(201)).code).toBe('search.syntax.too_many');
    const list = (n: number): string => `"a.b" in (${Array.from({ length: n }, (_, i) => i).join(',')})`;
    expect(parse(list(200)).kind).toBe('comparison');
    expect(failure(list(201))).toMatchObject({ code: 'search.syntax.too_many', kind: 'too-large' });
  });
  test('32 parentheses inside each other', () => {
    const deep = (n: number): string => `${'('.repeat(n)}"a.b" = 1${')'.repeat(n)}`;
    expect(print(parse(deep(32)))).toBe('"a.b" = 1');
    expect(failure(deep(33))).toMatchObject({ code: 'search.syntax.too_deep', kind: 'too-large' });
    expect(failure('('.repeat(8000)).code).toBe('search.syntax.too_deep');
    expect(failure('NOT ('.repeat(1500)).code).toBe('search.syntax.too_deep');
  });
  test('8,192 characters', () => {
    const text = `"a.b" = "${'x'.repeat(8192 - 10)}"`;
    expect(text.length).toBe(8192);
    expect(parse(text).kind).toBe('comparison');
    expect(failure(`${text} `)).toMatchObject({ code: 'search.syntax.too_long', kind: 'too-large' });
    expect(parse(`${text} `, { limits: { maxLength: 9000 } }).kind).toBe('comparison');
  });
  test('the largest expression parses in under 5 ms, a longer one is refused at once', () => {
    const part = (i: number): string => `("common.field_number_${i}" does not contain "é\\"${i}")`;
    let text = '';
    for (let i = 0; text.length < 8000 && i < 190; i++) text += `${i === 0 ? '' : ' AND '}${part(i)}`;
    text = text.padEnd(8192);
    const best = (run: () => void): number => {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 30; i++) {
        const start = performance.now();
        run();
        least = Math.min(least, performance.now() - start);
      }
      return least;
    };
    expect(best(() => parse(text))).toBeLessThan(5);
    const huge = text.repeat(1000);
    expect(best(() => parseTolerant(huge))).toBeLessThan(1);
  });
});

// Parses a hostile text both ways; 1 when it is an expression.
function tryText(text: string, name: string): 0 | 1 {
  const found = parseTolerant(text);
  for (const d of found.diagnostics) {
    if (!(d.start! >= 0 && d.start! <= d.end! && d.end! <= text.length)) throw new Error(`${name}: place of ${d.code}`);
  }
  let tree: Expression;
  try {
    tree = parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SearchSyntaxError)) throw thrown;
    if (found.ok) throw new Error(`${name}: refused, though ok`);
    return 0;
  }
  if (!found.ok) throw new Error(`${name}: parsed, though not ok`);
  // What was understood can be written and read again.
  if (print(parse(print(tree))) !== print(tree)) throw new Error(`${name}: no fixed point`);
  return 1;
}

describe('properties', () => {
  test('parse(print(tree)) is the tree, and printing again the same text', () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const text = print(tree);
        const again = parse(text, { limits: { maxLength: 1e6, maxComparisons: 1e4 } });
        expect(again).toEqual(tree);
        expect(print(again)).toBe(text);
      }),
      { seed: 1, numRuns: nightly ? 50_000 : 2000 },
    );
  });
  test('any text, any number, any field: what print writes, parse reads', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.double(), fc.string({ unit: 'binary' }), (text, number, name) => {
        for (const tree of [compare('a.b', '=', text), compare('a.b', '=', number), compare(`a.${name}`, 'is null')]) {
          let printed: string;
          try {
            printed = print(tree);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(SearchError);
            continue;
          }
          expect(parse(printed)).toEqual(
            Object.is(tree, compare('a.b', '=', -0)) ? compare('a.b', '=', 0) : JSON.parse(JSON.stringify(tree)),
          );
        }
      }),
      { seed: 2, numRuns: nightly ? 50_000 : 3000 },
    );
  });

  const pieces = [
    '"',
    '\\',
    '(',
    ')',
    ',',
    '=',
    '!=',
    '<',
    '>',
    ' ',
    '\n',
    'AND',
    'or',
    'NOT',
    'a.b',
    '"a.b"',
    'in',
    'not in',
    'is null',
    'within the last',
    '30',
    'days',
    'does not',
    'contain',
    'starts with',
    'true',
    '“',
    '”',
    "'",
    '-',
    '.',
    '\0',
    '\ud800',
    '😀',
    'ß',
    '__proto__',
    'constructor',
    '/*',
    '1e9',
  ];
  const soup = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3, unit: 'binary' })), { maxLength: 60 })
    .map((a) => a.join(' '));
  const mutated = fc
    .tuple(
      expression,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 5 }), fc.constantFrom('', ...pieces)), { minLength: 1, maxLength: 4 }),
    )
    .map(([tree, changes]) =>
      changes.reduce((text, [at, length, piece]) => {
        const from = text.length === 0 ? 0 : at % text.length;
        return text.slice(0, from) + piece + text.slice(from + length);
      }, print(tree)),
    );

  test(`${RUNS} random and mutated texts give a tree or a SearchSyntaxError`, { timeout: 3_600_000 }, () => {
    let trees = 0;
    for (let chunk = 0; chunk < RUNS / 10_000; chunk++) {
      for (const [name, texts] of Object.entries({ soup, mutated })) {
        for (const [i, text] of fc.sample(texts, { seed: 100 + chunk, numRuns: 5000 }).entries()) {
          trees += tryText(text, `${name}, chunk ${chunk}, ${i}`);
        }
      }
    }
    expect(trees).toBeGreaterThan(RUNS / 100);
  });

  test('time grows with the length, not with its square', () => {
    const texts: Record<string, (n: number) => string> = {
      quotes: (n) => '"'.repeat(n),
      backslashes: (n) => `"${'\\'.repeat(n)}`,
      words: (n) => 'a '.repeat(n / 2),
      word: (n) => 'a.'.repeat(n / 2),
      operators: (n) => '= '.repeat(n / 2),
      ands: (n) => 'AND '.repeat(n / 4),
      closed: (n) => ') '.repeat(n / 2),
      negations: (n) => 'NOT '.repeat(n / 4),
      typographic: (n) => '“'.repeat(n),
      single: (n) => "' ".repeat(n / 2),
      spaces: (n) => ' '.repeat(n),
      digits: (n) => '1'.repeat(n),
      field: (n) => `"${' '.repeat(n)}=`,
      spacedField: (n) => `"a.b${' '.repeat(n)}x" = 1`,
      spacedDuration: (n) => `"a.b" within the last "1${' '.repeat(n)}!"`,
      spacedDate: (n) => `"common.creation_date" > "${' '.repeat(n)}x"`,
      version: (n) => `"common.os_version" > "${'1.'.repeat(n / 2)}x"`,
      equals: (n) => `"${'a '.repeat(n / 2)}" = `,
      does: (n) => `"a.b" ${'does not '.repeat(n / 9)}`,
    };
    const limits = { maxLength: 1e7, maxDepth: 32, maxComparisons: 1e6 };
    for (const [name, make] of Object.entries(texts)) {
      const time = (n: number): number => {
        const text = make(n);
        let least = Number.POSITIVE_INFINITY;
        for (let i = 0; i < 3; i++) {
          const start = performance.now();
          validate(text, fields, { limits });
          least = Math.min(least, performance.now() - start);
        }
        return least;
      };
      time(20_000);
      // Quadratic growth would be 100 times; a slow machine must not fail this.
      expect(time(200_000) / Math.max(time(20_000), 0.5), name).toBeLessThan(40);
    }
  });
});
