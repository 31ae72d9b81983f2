// The semantics of SRCH-11, and the truth table of docs/search-language.md, which is checked row by row.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogue as fields } from '../src/catalogue.ts';
import { before, expiry, readDate } from '../src/dates.ts';
import {
  compile,
  excludeRetired,
  type FactValue,
  fieldsOf,
  fold,
  foldIdentifier,
  isTimeDependent,
  nextChange,
  parse,
  parseBasic,
  print,
  SearchError,
  type SearchRecord,
  SearchSyntaxError,
  versionKey,
} from '../src/index.ts';
import { afterPrefix } from '../src/sql.ts';
import { catalogue, expression, NOW, nightly, record } from './generate.ts';

const is = (text: string, r: SearchRecord, now = NOW): boolean => compile(parse(text), { catalogue })(r, now);

describe('the truth table in the documentation', () => {
  const doc = readFileSync(new URL('../../../docs/search-language.md', import.meta.url), 'utf8');
  const table = doc.slice(doc.indexOf('<!-- truth table -->'), doc.indexOf('<!-- end of truth table -->'));
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$|`/g, '').trim()));
  test('it is there', () => expect(rows.length).toBeGreaterThan(50));
  test.each(rows.map((r) => [r[0]!, r[1]!, r[2]!] as const))('%s with %s is %s', (comparison, value, result) => {
    const at = Date.UTC(2024, 2, 31, 12, 30);
    const field = /^"([^"]+)"/.exec(comparison)![1]!;
    const known = value === 'null' ? null : (JSON.parse(value) as FactValue);
    const dated = typeof known === 'string' && fields.get(field)?.type === 'ts' ? Date.parse(known) : known;
    expect(compile(parse(comparison), { catalogue: fields })({ [field]: dated }, at)).toBe(result === 'true');
  });
});

test('a negative operator is the complement of its positive one, whatever the record', () => {
  fc.assert(
    fc.property(expression, record, (tree, r) => {
      if (tree.kind === 'everything') return;
      const plain = compile(tree, { catalogue })(r, NOW);
      expect(compile({ kind: 'not', item: tree }, { catalogue })(r, NOW)).toBe(!plain);
      if (tree.kind !== 'comparison') return;
      const text = print(tree);
      const negative = text
        .replace(' = ', ' != ')
        .replace(
          /" (contains|starts with|ends with) /,
          (m) =>
            ({
              '" contains ': '" does not contain ',
              '" starts with ': '" does not start with ',
              '" ends with ': '" does not end with ',
            })[m]!,
        )
        .replace('" within', '" not within')
        .replace('" in (', '" not in (')
        .replace(/ is null$/, ' is not null');
      if (/^"[^"]*" (=|contains|starts|ends|within|in|is null)/.test(text)) expect(is(negative, r)).toBe(!plain);
    }),
    { seed: 4, numRuns: nightly ? 100_000 : 3000 },
  );
});

describe('folding', () => {
  test('is what the flags iu of regular expressions regard as equal, and keeps the length', () => {
    const cased: string[] = [];
    for (let c = 0; c <= 0x10ffff; c++) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const s = String.fromCodePoint(c);
      if (fold(s).length !== s.length) throw new Error(`length of U+${c.toString(16)}`);
      if (/[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u.test(s)) cased.push(s);
    }
    const all = cased.join('\n');
    // Each cased letter; every seventh of them when time is short, and always the odd ones.
    const some = nightly ? cased : cased.filter((s, i) => i % 7 === 0 || 'ßẞſKÅıİΐΐΰΰﬅﬆσςΣ'.includes(s));
    for (const s of some) {
      const equal = [...all.matchAll(new RegExp(s, 'giu'))].map((m) => m[0]);
      expect(equal, s).toEqual(cased.filter((t) => fold(t) === fold(s)));
    }
  });
  test('identifiers without separators', () => {
    expect(foldIdentifier('AA-bb:01.fF 00')).toBe('aabb01ff00');
    const of = (r: SearchRecord, text: string): boolean => compile(parse(text), { catalogue: fields })(r, 0);
    expect(of({ 'common.wifi_mac_address': 'a4:83:e7:00:11:22' }, '"common.wifi_mac_address" = "A483-E700-1122"')).toBe(
      true,
    );
    expect(of({ 'ios.UDID': '00008030-001A2B3C4D5E6F' }, '"ios.UDID" = "00008030001a2b3c4d5e6f"')).toBe(true);
  });
});

describe('versions', () => {
  test('order by number, a missing segment is 0', () => {
    const sorted = [
      '0',
      '0.1',
      '1',
      '1.0.1',
      '1.2',
      '1.10',
      '2',
      '9.3',
      '10',
      '10.0.0.1',
      '17.4',
      '17.4.1',
      '123456789012345678901',
    ];
    for (const [i, a] of sorted.entries()) {
      for (const [j, b] of sorted.entries()) {
        expect(Math.sign(i - j), `${a} ${b}`).toBe(
          versionKey(a)! < versionKey(b)! ? -1 : versionKey(a)! > versionKey(b)! ? 1 : 0,
        );
      }
    }
    for (const same of ['1', '1.0', '01', '1.0.0', ' 1 ']) expect(versionKey(same)).toBe(versionKey('1'));
    for (const no of ['', '1.', '.1', '1..2', '1b', '-1', 'v1', '1'.repeat(100)]) expect(versionKey(no)).toBeNull();
  });
});

describe('dates', () => {
  test('a literal is the stretch that it names', () => {
    const at = (text: string): unknown => readDate(text);
    expect(at('2024-04-30')).toEqual({ start: Date.UTC(2024, 3, 30), end: Date.UTC(2024, 4, 1) });
    expect(at('2024-04-30T10:15')).toEqual({
      start: Date.UTC(2024, 3, 30, 10, 15),
      end: Date.UTC(2024, 3, 30, 10, 16),
    });
    expect(at('2024-04-30 10:15:07Z')).toEqual({
      start: Date.UTC(2024, 3, 30, 10, 15, 7),
      end: Date.UTC(2024, 3, 30, 10, 15, 8),
    });
    expect(at('2024-04-30T10:15:07.5+02:00')).toEqual({
      start: Date.UTC(2024, 3, 30, 8, 15, 7, 500),
      end: Date.UTC(2024, 3, 30, 8, 15, 7, 600),
    });
    for (const no of [
      '2023-02-29',
      '2024-13-01',
      '2024-00-10',
      '2024-04-31',
      '2024-4-3',
      '30.04.2024',
      '2024-04-30T25:00',
      '2024-04-30T10:15+99:00',
      '',
    ]) {
      expect(at(no), no).toBeNull();
    }
    expect(at('2000-02-29')).not.toBeNull();
    expect(at('1900-02-29')).toBeNull();
    expect((at('0001-01-01') as { start: number }).start).toBe(Date.parse('0001-01-01T00:00:00Z'));
  });
  test('any day that JavaScript knows, and no other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9999 }),
        fc.integer({ min: 0, max: 13 }),
        fc.integer({ min: 0, max: 32 }),
        (y, m, d) => {
          const text = `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`;
          const date = new Date(`${text}T00:00:00.000Z`);
          const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
          expect(readDate(text)?.start ?? null).toBe(exists ? date.getTime() : null);
        },
      ),
      { seed: 6, numRuns: 3000 },
    );
  });
  test('months and years follow the calendar', () => {
    const back = (now: string, amount: number, unit: 'month' | 'year'): string =>
      new Date(before(Date.parse(now), { amount, unit })).toISOString();
    expect(back('2024-05-15T10:00:00Z', 1, 'month')).toBe('2024-04-15T10:00:00.000Z');
    expect(back('2024-01-15T10:00:00Z', 13, 'month')).toBe('2022-12-15T10:00:00.000Z');
    expect(back('2024-03-30T10:00:00Z', 1, 'month')).toBe('2024-03-01T00:00:00.000Z');
    expect(back('2024-03-29T10:00:00Z', 1, 'month')).toBe('2024-02-29T10:00:00.000Z');
    expect(back('2024-02-29T10:00:00Z', 1, 'year')).toBe('2023-03-01T00:00:00.000Z');
    expect(back('2024-02-29T10:00:00Z', 4, 'year')).toBe('2020-02-29T10:00:00.000Z');
    expect(back('2024-02-29T10:00:00Z', 999_999_999, 'year')).toBe('-271821-04-20T00:00:00.000Z');
    expect(back('1969-12-31T23:59:59.999Z', 1, 'month')).toBe('1969-12-01T00:00:00.000Z');
    expect(back('1969-12-30T23:59:59.999Z', 1, 'month')).toBe('1969-11-30T23:59:59.999Z');
  });
  test('going back never turns round, and expiry is where it passes the value', () => {
    const duration = fc.record({
      amount: fc.integer({ min: 0, max: 40 }),
      unit: fc.constantFrom('minute', 'hour', 'day', 'week', 'month', 'year'),
    } as const);
    const time = fc.integer({ min: Date.UTC(1950, 0, 1), max: Date.UTC(2060, 0, 1) });
    fc.assert(
      fc.property(time, fc.nat({ max: 40 * 86_400_000 }), duration, (t, later, d) => {
        expect(before(t + later, d)).toBeGreaterThanOrEqual(before(t, d));
        const end = expiry(t, d)!;
        expect(before(end, d)).toBeGreaterThan(t);
        expect(before(end - 1, d)).toBeLessThanOrEqual(t);
      }),
      { seed: 8, numRuns: 5000 },
    );
  });
});

describe('what an expression depends on', () => {
  test('fields', () => {
    const tree = parse('"COMMON.platform" = "iOS" OR NOT "common.Status" = "Blocked" AND "common.platform" != "x"');
    expect(fieldsOf(tree)).toEqual(['COMMON.platform', 'common.Status', 'common.platform']);
    expect(fieldsOf(tree, fields)).toEqual(['common.platform', 'common.status', 'common.blocked']);
    expect(fieldsOf(parse(''))).toEqual([]);
  });
  test('only the fields it names can change the result', () => {
    fc.assert(
      fc.property(expression, record, record, (tree, a, b) => {
        const read = new Set(fieldsOf(tree, catalogue));
        const mixed = Object.fromEntries(
          [...catalogue.fields].map(({ token }) => [token, (read.has(token) ? a : b)[token]]),
        );
        const matches = compile(tree, { catalogue });
        expect(matches(mixed, NOW)).toBe(matches(a, NOW));
      }),
      { seed: 9, numRuns: nightly ? 50_000 : 2000 },
    );
  });
  test('time: nothing changes before nextChange, and what changes then is seen', () => {
    fc.assert(
      fc.property(expression, record, fc.double({ min: 0, max: 1, noNaN: true }), (tree, r, part) => {
        const matches = compile(tree, { catalogue });
        const next = nextChange(tree, { catalogue })(r, NOW);
        if (next === null) {
          expect(matches(r, NOW + 400 * 86_400_000)).toBe(matches(r, NOW));
          return;
        }
        expect(isTimeDependent(tree)).toBe(true);
        expect(next).toBeGreaterThan(NOW);
        expect(matches(r, NOW + Math.floor((next - 1 - NOW) * part))).toBe(matches(r, NOW));
        expect(matches(r, next - 1)).toBe(matches(r, NOW));
      }),
      { seed: 10, numRuns: nightly ? 50_000 : 2000 },
    );
    const due = nextChange(parse('"t.seen" within the last 30 days'), { catalogue });
    const seen = NOW - 3 * 86_400_000;
    expect(due({ 't.seen': seen }, NOW)).toBe(seen + 30 * 86_400_000 + 1);
    expect(is('"t.seen" within the last 30 days', { 't.seen': seen }, due({ 't.seen': seen }, NOW)! - 1)).toBe(true);
    expect(is('"t.seen" within the last 30 days', { 't.seen': seen }, due({ 't.seen': seen }, NOW)!)).toBe(false);
    expect(due({ 't.seen': NOW + 5 }, NOW)).toBe(NOW + 5);
    expect(due({ 't.seen': NOW - 40 * 86_400_000 }, NOW)).toBeNull();
    expect(due({}, NOW)).toBeNull();
  });
});

describe('without a catalogue the value tells the type', () => {
  const of = (text: string, value: FactValue): boolean => compile(parse(text))({ 'a.b': value }, NOW);
  test.each<[string, FactValue, boolean]>([
    ['"a.b" = "X"', 'x', true],
    ['"a.b" = 5', 5, true],
    ['"a.b" = 5', '5', false],
    ['"a.b" < 5', 4.5, true],
    ['"a.b" = true', true, true],
    ['"a.b" != true', null, true],
    ['"a.b" < "10.0"', '9.3', true],
    ['"a.b" < "2024-03-31"', Date.UTC(2024, 2, 30), true],
    ['"a.b" within the last 1 day', NOW, true],
    ['"a.b" is null', null, true],
    ['"a.b" is null', 0, false],
    ['"a.b" is null', [], true],
    ['"a.b" in ("x", 5)', 5, true],
    ['"a.b" in ("x", 5)', 'X', true],
    ['"a.b" in ("x", true)', [false], false],
  ])('%s with %j: %s', (text, value, result) => expect(of(text, value)).toBe(result));
});

test('trees that have no meaning are refused with the package’s own error', () => {
  for (const tree of [
    { kind: 'comparison', field: 't.flag', operator: '<', value: true },
    { kind: 'comparison', field: 't.number', operator: '=', value: Number.NaN },
    { kind: 'comparison', field: 't.text', operator: '=', value: 'a\0' },
    { kind: 'comparison', field: 't.text', operator: '=', value: '\ud800' },
    { kind: 'comparison', field: 't.seen', operator: 'within the last', value: { amount: -1, unit: 'day' } },
    { kind: 'comparison', field: 't.version', operator: '>', value: 'x' },
  ] as const) {
    expect(() => compile(tree, { catalogue })).toThrow(SearchError);
  }
});

describe('basic search', () => {
  test.each([
    ['sn: C02XYZ ', '"common.serial_number" = "C02XYZ"'],
    [
      'mac:a4-83-e7-00-11-22',
      '"common.wifi_mac_address" = "a4-83-e7-00-11-22" OR "common.ethernet_mac" = "a4-83-e7-00-11-22"',
    ],
    ['UDID:0000-1', '"ios.UDID" = "0000-1"'],
    ['uid:jdoe', '"user.user_id" = "jdoe" OR "user.ldap.principal" = "jdoe" OR "user.ldap.upn" = "jdoe"'],
    ['mail:jdoe@example.com', '"user.email_address" contains "jdoe@example.com"'],
    [
      'name:doe',
      '"user.first_name" contains "doe" OR "user.last_name" contains "doe" OR "user.display_name" contains "doe"',
    ],
    [
      'foo:bar',
      '"user.email_address" contains "foo:bar" OR "user.first_name" contains "foo:bar" OR "user.last_name" contains "foo:bar" OR "user.display_name" contains "foo:bar"',
    ],
    ['', ''],
    ['  sn:  ', ''],
  ])('%j', (text, printed) => expect(print(parseBasic(text))).toBe(printed));
  test('hostile text', () => {
    expect(print(parse(print(parseBasic('" OR "x" = "'))))).toBe(print(parseBasic('" OR "x" = "')));
    for (const bad of ['x'.repeat(8193), 'a\0b', '\udc00']) expect(() => parseBasic(bad)).toThrow(SearchSyntaxError);
    for (const odd of ['constructor:x', '__proto__:x', 'toString:'])
      expect(print(parseBasic(odd))).toContain('user.email_address');
  });
});

test('retired devices are left out unless known not to be retired is not asked', () => {
  expect(print(excludeRetired(parse('"a.b" = 1 OR "a.c" = 2')))).toBe(
    '("a.b" = 1 OR "a.c" = 2) AND "common.retired" != true',
  );
  expect(print(excludeRetired(parse('')))).toBe('"common.retired" != true');
});

test('afterPrefix is the next text in the order of bytes', () => {
  const texts = [
    '',
    'a',
    'ab',
    'b',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '😀',
    '\u{10ffff}',
    'a\u{10ffff}',
    '\u{10ffff}\u{10ffff}',
  ];
  const bytes = (s: string): Buffer => Buffer.from(s, 'utf8');
  for (const prefix of texts.slice(1)) {
    const end = afterPrefix(prefix);
    for (const t of texts.flatMap((x) => [x, prefix + x, `${x}z`])) {
      const inRange =
        Buffer.compare(bytes(t), bytes(prefix)) >= 0 && (end === null || Buffer.compare(bytes(t), bytes(end)) < 0);
      expect(inRange, JSON.stringify([prefix, t])).toBe(t.startsWith(prefix));
    }
  }
});
