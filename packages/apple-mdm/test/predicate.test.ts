// Predicates of activations: the subset, its errors, its meaning.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkPredicate,
  type Expression,
  evaluatePredicate,
  type Predicate,
  parsePredicate,
  predicateStatusItems,
  printPredicate,
  statusLookup,
} from '../src/index.ts';

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 500;
const code = (expected: string) => expect.objectContaining({ name: 'MdmError', code: expected });

const status = new Map<string, unknown>([
  ['device.model.family', 'iPad'],
  ['device.operating-system.version', '17.4'],
  ['passcode.is-compliant', true],
  [
    'mdm.app',
    [
      { identifier: 'com.example.app', state: 'managed' },
      { identifier: 'com.example.other', state: 'installing' },
    ],
  ],
  ['management.declarations', { configurations: [{ identifier: 'com.abc.name', active: true }] }],
]);
const properties = new Map<string, unknown>([
  ['age', 18],
  ['roles', ['Grade12', 'admin']],
  ['name', 'Zoë O’Hara'],
  ['shard', 75],
]);
const holds = (text: string): boolean =>
  evaluatePredicate(parsePredicate(text), {
    status: statusLookup(status),
    property: (name) => properties.get(name),
  });

describe('what Apple shows', () => {
  // Apple: "Leveraging the declarative management data model to scale devices"; ActivationSimple; WWDC22 session 10046.
  test.each([
    ["(@status(device.model.family) == 'iPad')", true],
    ["@status(device.model.family) == 'AppleTV'", false],
    [
      'SUBQUERY(@status(mdm.app), $app, ($app.@key(identifier) == "com.example.app") AND ($app.@key(state) == "managed")).@count == 1',
      true,
    ],
    ['(@property(age) >= 18) AND ("Grade12" IN @property(roles))', true],
    [
      'SUBQUERY(@status(management.declarations.configurations), $d, ($d.@key(identifier) == "com.abc.name" AND $d.@key(active) == true)).@count == 1',
      true,
    ],
    ['(@property(shard) <= 75)', true],
  ])('%s', (text, expected) => {
    expect(checkPredicate(text)).toEqual([]);
    expect(holds(text)).toBe(expected);
  });
});

describe('meaning', () => {
  test.each([
    ['TRUEPREDICATE', true],
    ['FALSEPREDICATE OR TRUEPREDICATE AND FALSEPREDICATE', false],
    ['TRUEPREDICATE OR TRUEPREDICATE AND FALSEPREDICATE', true],
    ['not falsepredicate && ! falsepredicate', true],
    ['NOT (TRUEPREDICATE || FALSEPREDICATE)', false],
    ['@status(passcode.is-compliant) == YES', true],
    ['@status(passcode.is-compliant) == 1', true],
    ["@status(passcode.is-compliant) == 'yes'", false],
    ['@status(passcode.is-present) == nil', true],
    ['@status(passcode.is-present) != NULL', false],
    ['@status(passcode.is-present) > 3', false],
    ['@property(age) BETWEEN {18, 20}', true],
    ['@property(age) BETWEEN {19, 20}', false],
    ["@status(device.model.family) IN {'iPhone', 'iPad'}", true],
    ["@status(device.model.family) IN[c] {'ipad'}", true],
    ["@property(roles) CONTAINS 'admin'", true],
    ["@property(name) CONTAINS[cd] 'zoe'", true],
    ["@property(name) CONTAINS 'zoe'", false],
    ["'Hara' IN @property(name)", true],
    ["@property(name) BEGINSWITH 'Zo'", true],
    ["@property(name) ENDSWITH[c] 'HARA'", true],
    ["@property(name) LIKE 'Zo?*a'", true],
    ["@property(name) LIKE '*x*'", false],
    ["ANY @property(roles) == 'admin'", true],
    ["ALL @property(roles) BEGINSWITH 'a'", false],
    ["NONE @property(roles) == 'guest'", true],
    ["some @property(roles) ==[c] 'ADMIN'", true],
    ["ANY @property(none) == 'x'", false],
    ['@status(mdm.app).@count >= 2', true],
    ["@status(mdm.app).@key(state) CONTAINS 'managed'", true],
    ['@property(age) =< 18 && @property(age) => 18 && @property(age) <> 17', true],
    ["@property(name) == 'Zo\\u00eb O\\u2019Hara'", true],
    ["'9.0' > '17.0'", true],
    ['-5 < 1.5e1', true],
    ['{1, 2} == {1, 2}', true],
  ])('%s is %s', (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  test.each([
    "@property(age) < 'x'",
    '@property(name) BEGINSWITH 3',
    'ANY @property(age) == 1',
    '$x == 1',
    '@property(age).@count == 1',
    '@property(age).@key(a) == 1',
    '@property(age) BETWEEN 3',
  ])('%s cannot be evaluated', (text) => {
    expect(() => holds(text)).toThrow(code('mdm.predicate.evaluation'));
  });

  test('ends, however the lists multiply', () => {
    const list = Array.from({ length: 1_000 }, (_, identifier) => ({ identifier }));
    const text =
      'SUBQUERY(@status(a), $x, SUBQUERY(@status(a), $y, $y.@key(identifier) == $x).@count == 1).@count == 1';
    const evaluate = () => evaluatePredicate(parsePredicate(text), { status: () => list, property: () => null });
    expect(evaluate).toThrow(code('mdm.predicate.evaluation'));
  });
});

describe('what cannot be read', () => {
  test.each([
    ['', 0],
    ['== 5', 0],
    ['@status(a.b) ==', 15],
    ['@status(a.b) === 1', 15],
    ["@status(a.b) == 'x' OR", 22],
    ['@status(a.b)', 12],
    ["@status(a.b) == 'x' extra", 20],
    ['(@status(a.b) == 1', 18],
    ["@status(a.b) == 'open", 16],
    ['@status == 1', 0],
    ['@Status(a.b) == 1', 0],
    ['@status() == 1', 8],
    ["@status('a') == 1", 8],
    ['@status(a..b) == 1', 8],
    ['@status(a b) == 1', 8],
    ['@status(a == 1', 7],
    ['@key(a) == 1', 0],
    ['1 == 1 == 1', 7],
    ['1x == 1', 0],
    ['$ == 1', 0],
    ["@property(a) ==[x] 'b'", 15],
    ['1 BETWEEN[c] {1, 2}', 9],
    ['SUBQUERY(@status(a.b), app, TRUEPREDICATE).@count == 1', 23],
  ])('%s', (text, offset) => {
    expect(() => parsePredicate(text)).toThrow(
      expect.objectContaining({ code: 'mdm.predicate.syntax', kind: 'invalid', at: { offset } }),
    );
    expect(checkPredicate(text)).toMatchObject([{ code: 'syntax', severity: 'error', offset }]);
  });

  test.each([
    "@property(a) MATCHES '.*'",
    'SELF == 1',
    'name == 1',
    'a.b == 1',
    'now() > 1',
    '1 + 1 == 2',
    '@property(a) == %@',
    '@property(a)[FIRST] == 1',
    '@status(a.b).c == 1',
    'CAST(1, "x") == 1',
  ])('outside the subset: %s', (text) => {
    expect(() => parsePredicate(text)).toThrow(code('mdm.predicate.unsupported'));
    expect(checkPredicate(text)).toMatchObject([{ code: 'unsupported', severity: 'error' }]);
  });

  test('is bounded in length, depth and time', () => {
    expect(() => parsePredicate(`${'('.repeat(200)}TRUEPREDICATE${')'.repeat(200)}`)).toThrow(
      code('mdm.predicate.syntax'),
    );
    expect(() => parsePredicate('!'.repeat(9_000))).toThrow(code('mdm.predicate.syntax'));
    expect(() => parsePredicate(' '.repeat(10_001))).toThrow(code('mdm.too_large'));
    expect(parsePredicate(`${'TRUEPREDICATE OR '.repeat(500)}TRUEPREDICATE`)).toMatchObject({ type: 'or' });
  });

  test('never throws anything else', () => {
    const part = fc.constantFrom(
      "'a'",
      '"',
      '@status(',
      '@property(a)',
      ')',
      '(',
      '==',
      '[c]',
      'AND',
      'NOT',
      '{',
      '}',
      ',',
      '$x',
      '.',
      '@count',
      '1',
      '-',
      'ANY',
      'SUBQUERY(',
      ' ',
      '\\',
      'é',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 20 }).map((parts) => parts.join('')),
        ),
        (text) => {
          for (const problem of checkPredicate(text)) expect(problem.message).not.toBe('');
        },
      ),
      { seed: 3, numRuns },
    );
  });
});

describe('checkPredicate', () => {
  test('knows the status items, and what is likely meant', () => {
    expect(checkPredicate("@status(device.model.famly) == 'iPad'")).toMatchObject([
      { code: 'unknown-status', severity: 'warning', remedy: 'Did you mean device.model.family?' },
    ]);
    expect(checkPredicate('$x.@key(a) == 1')).toMatchObject([{ code: 'unknown-variable', severity: 'error' }]);
    expect(checkPredicate("@status(device.operating-system.version) >= '17.0'")).toMatchObject([
      { code: 'text-order', severity: 'warning' },
    ]);
  });

  test('gives the status items that are read', () => {
    const text =
      'NOT @status(a.b) == {@status(c.d)} AND SUBQUERY(@status(e.f), $x, $x.@key(k) == @status(a.b)).@count == 1';
    expect(predicateStatusItems(parsePredicate(text))).toEqual(['a.b', 'c.d', 'e.f']);
  });
});

describe('printPredicate', () => {
  const name = fc.constantFrom('a', 'device.model.family', 'x-y.z');
  const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 2 },
      fc.record({
        type: fc.constant('literal' as const),
        value: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
      }),
      fc.record({ type: fc.constantFrom('status' as const, 'property' as const), name }),
      fc.record({ type: fc.constant('list' as const), items: fc.array(tie('expression'), { maxLength: 3 }) }),
      fc.record({
        type: fc.constant('count' as const),
        collection: fc.record({ type: fc.constant('status' as const), name }),
      }),
    ),
  }));
  const comparison = fc.record({
    type: fc.constant('comparison' as const),
    left: expression,
    operator: fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'IN', 'CONTAINS', 'BEGINSWITH', 'ENDSWITH', 'LIKE'),
    right: expression,
    ignore: fc.record({ case: fc.boolean(), diacritics: fc.boolean() }),
    quantifier: fc.constantFrom('any', 'all', 'none', null),
  }) as fc.Arbitrary<Predicate>;
  const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => ({
    predicate: fc.oneof(
      { maxDepth: 4 },
      comparison,
      fc.record({ type: fc.constant('constant' as const), value: fc.boolean() }),
      fc.record({ type: fc.constant('not' as const), part: tie('predicate') }),
      fc.record({
        type: fc.constantFrom('and' as const, 'or' as const),
        parts: fc.array(tie('predicate'), { minLength: 2, maxLength: 3 }),
      }) as fc.Arbitrary<Predicate>,
    ),
  }));

  test('reads back to the same tree', () => {
    fc.assert(
      fc.property(predicate, (tree) => {
        expect(parsePredicate(printPredicate(tree))).toEqual(tree);
      }),
      { seed: 5, numRuns },
    );
  });
});
