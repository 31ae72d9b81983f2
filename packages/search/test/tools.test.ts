// The tools of a search form: completion, the query builder model, lint, explanation.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BuilderModel,
  builderOperators,
  builderState,
  builderStateFromText,
  editorKind,
  editRules,
  editText,
  expressionFromRules,
  fieldMenu,
  resetText,
  rulesFromExpression,
} from '../src/builder.ts';
import { catalogue } from '../src/catalogue.ts';
import {
  and,
  type Comparison,
  compile,
  complete,
  type Expression,
  lint,
  operatorInfo,
  or,
  parse,
  parseTolerant,
  print,
  validate,
} from '../src/index.ts';
import { explain } from '../src/sql.ts';
import { comparison, expression, catalogue as generated, NOW, nightly, record } from './generate.ts';

describe('completion', () => {
  // The cursor is where the bar stands; the result is the text with the first proposal taken.
  const taken = (marked: string, choice = 0): string => {
    const cursor = marked.indexOf('|');
    const text = marked.replace('|', '');
    const { from, to, items } = complete(text, cursor, catalogue);
    const item = items[choice];
    return item === undefined ? text : text.slice(0, from) + item.insert + text.slice(to);
  };
  const labels = (marked: string): string[] =>
    complete(marked.replace('|', ''), marked.indexOf('|'), catalogue).items.map((i) => i.label);

  test.each([
    ['"common.platf|', '"common.platform" '],
    ['"common.platf|"', '"common.platform" '],
    ['common.platf|', '"common.platform" '],
    ['Serial|', '"common.serial_number" '],
    ['("ios.super|', '("ios.Supervised" '],
    ['NOT super|', 'NOT "ios.Supervised" '],
    ['"common.retired" |', '"common.retired" = '],
    ['"common.retired"|', '"common.retired" = '],
    ['"common.platform" start|', '"common.platform" starts with '],
    ['"common.platform" does not c|', '"common.platform" does not contain '],
    ['"common.platform" does not |', '"common.platform" != '],
    ['"common.creation_date" with|', '"common.creation_date" within the last '],
    ['"common.creation_date" not |', '"common.creation_date" not within the last '],
    ['"common.platform" = |', '"common.platform" = "iOS" '],
    ['"common.platform" = "m|', '"common.platform" = "macOS" '],
    ['"common.platform" = "m|acOS"', '"common.platform" = "macOS" '],
    ['"common.platform" = |"', '"common.platform" = "iOS" "'],
    ['"common.retired" = t|', '"common.retired" = true '],
    ['"common.owner" = "empl|', '"common.owner" = "Personal" '],
    ['"common.platform" in ("iOS", |', '"common.platform" in ("iOS", "iOS" '],
    ['"common.platform" in |', '"common.platform" in ( '],
    ['"common.creation_date" within the last |', '"common.creation_date" within the last 1 day '],
    ['"common.creation_date" within the last 3|', '"common.creation_date" within the last 3 minutes '],
    ['"common.creation_date" within the last 30 d|', '"common.creation_date" within the last 30 days '],
    ['"common.retired" = true |', '"common.retired" = true AND '],
    ['"common.retired" = true o|', '"common.retired" = true OR '],
    [
      '"common.retired" = true A| "common.mdm_managed" = true',
      '"common.retired" = true AND  "common.mdm_managed" = true',
    ],
  ])('%s', (marked, result) => expect(taken(marked)).toBe(result));

  test('operators fit the field', () => {
    expect(labels('"common.retired" |')).toEqual(['=', '!=', 'in', 'not in', 'is null', 'is not null']);
    expect(labels('"common.retired" is |')).toEqual(['is null', 'is not null']);
    expect(labels('"common.battery_level" |')).toContain('<');
    expect(labels('"common.battery_level" |')).not.toContain('contains');
  });
  test('a closing parenthesis only where one is open', () => {
    expect(labels('("common.retired" = true |')).toEqual(['AND', 'OR', ')']);
    expect(labels('"common.retired" = true |')).toEqual(['AND', 'OR']);
  });
  test('fields by display name, those of other platforms last', () => {
    expect(labels('"wi-fi|')[0]).toBe('common.wifi_mac_address');
    const all = complete('', 0, catalogue, { limit: 1000 }).items;
    expect(all.findIndex((i) => i.label.startsWith('android.'))).toBeGreaterThan(
      all.findIndex((i) => i.label.startsWith('user.')),
    );
    expect(all.map((i) => i.label)).toContain('NOT');
    expect(complete('', 0, catalogue).items).toHaveLength(20);
  });
  test('nothing where nothing fits', () => {
    expect(labels('= |')).toEqual([]);
    expect(labels('"common.comment" = |')).toEqual([]);
    expect(complete('x'.repeat(9000), 5, catalogue).items).toEqual([]);
  });
  test('never fails, stays inside the text, and what it proposes can be typed through to a correct expression', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer(), (text, cursor) => {
        const { from, to } = complete(text, cursor, catalogue);
        expect(0 <= from && from <= to && to <= text.length).toBe(true);
      }),
      { seed: 12, numRuns: 500 },
    );
    fc.assert(
      fc.property(expression, fc.nat(), (tree, at) => {
        const text = print(tree);
        const cursor = at % (text.length + 1);
        const { from, to } = complete(text, cursor, generated);
        expect(from <= cursor && cursor <= to).toBe(true);
      }),
      { seed: 13, numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), (choices) => {
        let text = '';
        for (const choice of choices) {
          const { items, from } = complete(text, text.length, catalogue, { limit: 400 });
          const usable = items.filter((i) => i.insert !== '' && i.kind !== 'logic');
          const pool = usable.length > 0 ? usable : items;
          // Free text, numbers and dates have no proposals.
          if (pool.length === 0) return;
          text = text.slice(0, from) + pool[choice % pool.length]!.insert;
          const { ok, diagnostics } = parseTolerant(text);
          if (!ok)
            expect(
              diagnostics.every(
                (d) => d.severity !== 'error' || /^(expected-|bad-duration|unbalanced-paren)/.test(d.code),
              ),
              text,
            ).toBe(true);
          if (ok && text.length > 60) return;
        }
      }),
      { seed: 14, numRuns: 200 },
    );
  });
});

describe('the query builder', () => {
  const model: BuilderModel = {
    mode: 'All',
    rules: [
      { field: 'common.platform', operator: '=', value: 'iOS' },
      { field: 'common.client_last_checkin', operator: 'within the last', value: { amount: 30, unit: 'day' } },
      { field: 'common.comment', operator: 'is null' },
    ],
  };
  const text =
    '"common.platform" = "iOS" AND "common.client_last_checkin" within the last 30 days AND "common.comment" is null';

  test('rows to text', () => {
    expect(print(expressionFromRules(model))).toBe(text);
    expect(print(expressionFromRules({ ...model, mode: 'Any' }))).toBe(text.replaceAll(' AND ', ' OR '));
    expect(print(expressionFromRules({ mode: 'Any', rules: [] }))).toBe('');
  });

  test.each<[string, string | undefined]>([
    ['', undefined],
    ['"a.b" = 1', undefined],
    ['"a.b" = 1 AND ("a.c" = 2 AND "a.d" = 3)', undefined],
    ['"a.b" = 1 OR "a.c" < 2', undefined],
    ['"a.b" = 1 OR "a.c" = 2 AND "a.d" = 3', 'nested'],
    ['NOT "a.b" = 1', 'negation'],
    ['"a.b" = 1 AND NOT "a.c" = 2', 'negation'],
    ['"a.b" does not contain "x"', 'operator'],
    ['"a.b" = 1 AND "a.c" in (1, 2)', 'operator'],
  ])('%s: %s', (source, reason) => {
    const result = rulesFromExpression(parse(source));
    expect(result.expressible ? undefined : result.reason).toBe(reason);
    if (result.expressible) expect(expressionFromRules(result.model)).toEqual(parse(source));
  });

  test('every expressible tree survives the way to the rows and back', () => {
    const row = comparison.filter((c: Comparison) => operatorInfo(c.operator).builder);
    const flat: fc.Arbitrary<Expression> = fc
      .tuple(fc.boolean(), fc.array(row, { minLength: 1, maxLength: 6 }))
      .map(([all, [first, ...rest]]) => (all ? and(first!, ...rest) : or(first!, ...rest)));
    fc.assert(
      fc.property(flat, (tree) => {
        const result = rulesFromExpression(tree);
        expect(result.expressible && expressionFromRules(result.model)).toEqual(tree);
        expect(result.expressible && rulesFromExpression(parse(print(tree)))).toEqual(result);
      }),
      { seed: 15, numRuns: nightly ? 20_000 : 1000 },
    );
    fc.assert(
      fc.property(expression, (tree) => {
        const result = rulesFromExpression(tree);
        if (result.expressible) expect(expressionFromRules(result.model)).toEqual(tree);
      }),
      { seed: 16, numRuns: 1000 },
    );
  });

  test('typing detaches, reset discards what was typed', () => {
    const attached = builderState(model);
    expect(attached).toEqual({ model, text, attached: true });
    const typed = editText(attached, `${text} AND "a.b" = 1`);
    expect(typed).toMatchObject({ attached: false, model, message: 'edited by hand' });
    // Rows are covered while detached.
    expect(editRules(typed, { mode: 'Any', rules: [] })).toBe(typed);
    expect(resetText(typed)).toEqual(attached);
    expect(editRules(attached, { mode: 'All', rules: [] })).toMatchObject({ text: '', attached: true });
    expect(editText(typed, '"a.b" =')).toMatchObject({ attached: false, message: 'the expression is not complete' });
    expect(editText(typed, 'NOT "a.b" = 1').message).toBe('NOT has no row in the builder');
    expect(editText(typed, '"a.b" = 1', true)).toEqual({
      model: { mode: 'All', rules: [{ field: 'a.b', operator: '=', value: 1 }] },
      text: '"a.b" = 1',
      attached: true,
    });
    expect(builderStateFromText(text)).toEqual(attached);
    expect(builderStateFromText('"a.b" = 1 OR "a.c" = 2 AND "a.d" = 3').attached).toBe(false);
  });

  test('operators and editors by field', () => {
    const field = (token: string) => catalogue.get(token)!;
    expect(builderOperators(field('common.status')).map((o) => o.label)).toEqual([
      'Equals',
      'Does not equal',
      'Starts with',
      'Ends with',
      'Contains',
      'Is blank',
      'Is not blank',
    ]);
    expect(builderOperators(field('common.comment')).map((o) => o.operator)).not.toContain('does not contain');
    expect(editorKind(field('common.status'), '=')).toBe('list');
    expect(editorKind(field('common.status'), 'starts with')).toBe('text');
    expect(editorKind(field('common.status'), 'is null')).toBe('none');
    expect(editorKind(field('common.retired'), '=')).toBe('boolean');
    expect(editorKind(field('common.battery_level'), '<')).toBe('number');
    expect(editorKind(field('common.creation_date'), '>')).toBe('date');
    expect(editorKind(field('common.creation_date'), 'within the last')).toBe('duration');
    const operators = { ...field('common.home_operator_name'), values: [{ value: 'AT&T', group: 'United States' }] };
    expect(editorKind(operators, '=')).toBe('two-level-list');
  });

  test('the field menu is sorted, and typed letters narrow it', () => {
    const groups = fieldMenu(catalogue).map((g) => g.category);
    expect(groups).toEqual([...groups].sort());
    expect(groups).toContain('ios');
    const narrowed = fieldMenu(catalogue, ' LDAP gr');
    expect(narrowed.flatMap((g) => g.fields.map((f) => f.token))).toEqual(['user.ldap.groups.dn']);
    expect(fieldMenu(catalogue, 'groups').flatMap((g) => g.fields)).toHaveLength(2);
  });
});

describe('lint', () => {
  const codes = (text: string): string[] => lint(parse(text), catalogue).map((i) => i.code);
  test.each<[string, string[]]>([
    ['"common.platform" = "iOS" AND "common.platform" = "Android"', ['always-false']],
    ['"common.platform" != "iOS" OR "common.platform" != "Android"', ['always-true']],
    ['"common.platform" = "iOS" OR "common.platform" = "Android"', []],
    ['"common.platform" = "iOS" OR "common.platform" != "iOS"', ['always-true']],
    ['"common.platform" = "iOS" AND "common.platform" starts with "mac"', ['always-false']],
    ['"common.platform" = "iOS" AND "common.platform" starts with "i"', []],
    ['"common.platform" = "iOS" AND "common.platform" is null', ['always-false']],
    ['"common.owner" = "Employee" AND "common.owner" = "Personal"', []],
    ['"user.ldap.groups.name" = "a" AND "user.ldap.groups.name" = "b"', []],
    ['"user.ldap.groups.name" = "a" AND "user.ldap.groups.name" != "a"', ['always-false']],
    ['"common.battery_level" > 50 AND "common.battery_level" < 20', ['always-false']],
    ['"common.battery_level" > 20 AND "common.battery_level" < 50', []],
    ['"common.battery_level" >= 20 AND "common.battery_level" <= 20', []],
    ['"common.battery_level" > 20 AND "common.battery_level" < 20', ['always-false']],
    ['"common.battery_level" < 50 OR "common.battery_level" > 20', []],
    ['"common.battery_level" < 50 OR NOT "common.battery_level" < 60', []],
    ['"common.battery_level" < 60 OR NOT "common.battery_level" < 50', ['always-true']],
    ['"common.os_version" < "17" AND "common.os_version" > "17.4"', ['always-false']],
    ['"common.os_version" >= "17" AND "common.os_version" < "18"', []],
    ['"common.retired" = true AND "common.retired" != true', ['always-false']],
    ['"common.retired" = true OR "common.retired" = false', []],
    ['"common.retired" = true AND "common.retired" = false', ['always-false']],
    ['"common.retired" != true', ['negated-flag-includes-blank']],
    ['"common.mdm_tos_accepted" != true', []],
    ['"common.client_last_checkin" not within the last 30 days', ['negated-date-includes-blank']],
    ['NOT "common.client_last_checkin" within the last 30 days', ['negated-date-includes-blank']],
    [
      'NOT ("common.client_last_checkin" > "2024-01-01" OR "common.retired" = true)',
      ['negated-date-includes-blank', 'negated-flag-includes-blank'],
    ],
    ['"common.client_last_checkin" not within the last 30 days AND "common.client_last_checkin" is not null', []],
    [
      '"common.client_last_checkin" within the last 7 days AND "common.client_last_checkin" not within the last 30 days',
      ['always-false'],
    ],
    [
      '"common.client_last_checkin" within the last 30 days AND "common.client_last_checkin" not within the last 7 days',
      [],
    ],
    ['NOT ("common.platform" = "iOS" OR "common.platform" != "iOS")', ['always-false']],
    ['"common.nope" > 1 AND "common.retired" > 3', []],
    ['', []],
  ])('%s: %j', (text, expected) => expect(codes(text)).toEqual(expected));

  test('says where, when the text is known', () => {
    const text = '"common.compliant" = true AND "common.battery_level" > 50 AND "common.battery_level" < 20';
    const { expression: tree, spans } = validate(text, catalogue);
    const [issue] = lint(tree!, catalogue, { spans });
    expect(text.slice(issue!.start, issue!.end)).toBe('"common.battery_level" > 50 AND "common.battery_level" < 20');
  });

  test('what it calls always true or always false is', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(comparison, { minLength: 2, maxLength: 5 }),
        fc.array(record, { minLength: 5, maxLength: 5 }),
        (all, [first, ...rest], records) => {
          const tree = all ? and(first!, ...rest) : or(first!, ...rest);
          const matches = compile(tree, { catalogue: generated });
          // A field that is not declared to have several values has one.
          const single = records.map((r) =>
            Object.fromEntries(
              Object.entries(r).map(([k, v]) => [
                k,
                Array.isArray(v) && generated.get(k)?.multi !== true ? (v[0] ?? null) : v,
              ]),
            ),
          );
          for (const { code } of lint(tree, generated)) {
            // The other one is about a part: a list that is a group of its own.
            if (code !== (all ? 'always-false' : 'always-true')) continue;
            found++;
            for (const r of single) expect(matches(r, NOW), print(tree)).toBe(code === 'always-true');
          }
        },
      ),
      { seed: 17, numRuns: nightly ? 100_000 : 8000 },
    );
    expect(found).toBeGreaterThan(20);
  });
});

describe('explain', () => {
  test('tree, fields, issues and SQL', () => {
    const text = '("common.platform" = "iOS" OR NOT "common.comment" contains "x") AND "common.nope" = 1';
    const schema = { facts: { table: 'fact', subject: 'device_id', outer: 'd.id' } };
    const found = explain(parse(text), catalogue, { schema });
    expect(found.text).toBe(text);
    expect(found.tree.split('\n')).toEqual([
      'AND',
      '  OR',
      '    "common.platform" = "iOS"',
      '    NOT',
      '      "common.comment" contains "x"',
      '  "common.nope" = 1',
    ]);
    expect(found.fields.map((f) => [f.token, f.field?.displayName])).toEqual([
      ['common.platform', 'Platform'],
      ['common.comment', 'Comment'],
      ['common.nope', undefined],
    ]);
    expect(found.issues.map((i) => i.code)).toEqual(['unknown-field']);
    expect(found.scans).toEqual(['"common.comment" contains "x"']);
    expect(found.timeDependent).toBe(false);
    expect(found.sql!.sqlite).toEqual({ text: '1 = 0', parameters: [] });
    const one = explain(parse('"common.platform" starts with "i"'), catalogue, { schema }).sql!;
    expect(one.postgres).toEqual({
      text: 'EXISTS (SELECT 1 FROM fact f WHERE f.device_id = d.id AND f.field = $1 AND f.key COLLATE "C" >= $2 AND f.key COLLATE "C" < $3)',
      parameters: ['common.platform', 'i', 'j'],
    });
    expect(one.sqlite.text).toBe(
      'd.id IN (SELECT f.device_id FROM fact f WHERE f.field = ? AND f.key >= ? AND f.key < ?)',
    );
  });
  test('an expression with errors has no SQL', () => {
    expect(
      explain(parse('"common.retired" > 1'), catalogue, { schema: { facts: { table: 'f', subject: 's', outer: 'o' } } })
        .sql,
    ).toBeUndefined();
    expect(explain(parse(''), catalogue).tree).toBe('everything');
  });
});
