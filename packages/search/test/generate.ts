// Random typed records and random expressions over them, for the property tests.
import fc from 'fast-check';
import type {
  Comparison,
  Condition,
  Expression,
  FactValue,
  Field,
  Literal,
  Operator,
  SearchRecord,
} from '../src/index.ts';
import { and, createCatalogue, not, operatorInfo, operatorsFor, or } from '../src/index.ts';

export const NOW = Date.UTC(2024, 2, 31, 12, 30);
const DAY = 86_400_000;

const field = (token: string, type: Field['type'], more: Partial<Field> = {}): Field => ({
  token,
  displayName: token,
  category: 't',
  type,
  platforms: [],
  vendor: 'server',
  sources: [{ from: 'Server' }],
  ...more,
});

/** One field of each type, several of them with several values, defaults, aliases and a derived value. */
export const catalogue = createCatalogue([
  field('t.text', 'str'),
  field('t.texts', 'str', { multi: true }),
  field('t.list', 'enum', {
    values: [
      { value: 'One' },
      { value: 'Two', aliases: ['Deux'] },
      { value: 'Flagged', also: { field: 't.flag', value: true } },
    ],
  }),
  field('t.listDefault', 'enum', { values: [{ value: 'ACCEPTED' }, { value: 'DECLINED' }], whenMissing: 'DECLINED' }),
  field('t.version', 'ver'),
  field('t.versions', 'ver', { multi: true }),
  field('t.mac', 'mac'),
  field('t.udid', 'udid'),
  field('t.address', 'ip'),
  field('t.flag', 'bool'),
  field('t.flagDefault', 'bool', { whenMissing: false }),
  field('t.flags', 'bool', { multi: true }),
  field('t.number', 'int'),
  field('t.numbers', 'int', { multi: true }),
  field('t.bytes', 'bytes'),
  field('t.percent', 'pct', { whenMissing: 50 }),
  field('t.seen', 'ts'),
  field('t.seens', 'ts', { multi: true }),
  field('t.day', 'date'),
]);

// Few letters, so that values meet: case pairs, letters that fold oddly, wildcards, quotes, astral and border characters.
const letters = [
  'a',
  'A',
  'b',
  'ß',
  'ẞ',
  'é',
  'É',
  'Σ',
  'ς',
  'σ',
  'K',
  'k',
  'ı',
  'İ',
  'ſ',
  '%',
  '_',
  '\\',
  "'",
  '"',
  '[',
  ']',
  ' ',
  '-',
  ':',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '𐐀',
  '𐐨',
  '😀',
  '\u{10ffff}',
  '1',
  '.',
];
const text = fc.array(fc.constantFrom(...letters), { maxLength: 4 }).map((a) => a.join(''));
const version = fc.oneof(
  fc
    .array(fc.constantFrom('0', '1', '9', '10', '010', '2', '123456789012345678901'), { minLength: 1, maxLength: 4 })
    .map((a) => a.join('.')),
  fc.constantFrom('', ' 1.2 ', '1.2b', 'v1', '1..2', '1.', 'x'),
);
const identifier = fc
  .array(fc.constantFrom('a', 'A', '0', '1', ':', '-', '.', ' '), { maxLength: 6 })
  .map((a) => a.join(''));
const listValue = fc.constantFrom(
  'One',
  'one',
  ' Two ',
  'deux',
  'TWO',
  'Flagged',
  'flagged',
  'other',
  ' ',
  '',
  'ACCEPTED',
  'declined',
  'DECLINED',
);
const number = fc.oneof(
  fc.constantFrom(0, -1, 1, 50, 0.5, -0.5, 100, 9007199254740991, -9007199254740991, 1e-7),
  fc.integer({ min: -3, max: 60 }),
);
const borders = [0, 1, -1, DAY, -DAY, 30 * DAY, 31 * DAY, 29 * DAY, 7 * DAY, 3_600_000, 60_000];
const instant = fc.oneof(
  fc.constantFrom(...borders).chain((d) => fc.constantFrom(-1, 0, 1).map((e) => NOW - d + e)),
  fc.constantFrom(
    Date.UTC(2024, 1, 29, 12, 30),
    Date.UTC(2024, 2, 1),
    Date.UTC(2024, 2, 1) - 1,
    Date.UTC(2023, 1, 28),
    Date.UTC(2024, 3, 30),
    Date.UTC(2024, 3, 30) - 1,
    0,
    -1,
    8.64e15,
    -8.64e15,
  ),
);
const day = fc.constantFrom(
  0,
  DAY,
  Date.UTC(2024, 2, 31),
  Date.UTC(2024, 2, 30),
  Date.UTC(2024, 1, 29),
  Date.UTC(2024, 3, 1),
);
const dateText = fc.constantFrom(
  '2024-03-31',
  '2024-03-01',
  '2024-02-29',
  '2024-04-30',
  '1970-01-01',
  '2024-03-31T12:30Z',
  '2024-03-31T12:30:00Z',
  '2024-03-31T12:30:00.000Z',
  '2024-03-31T14:30:00.001+02:00',
  '2024-03-31T12:29',
  '0001-01-01',
  '9999-12-31',
);

function scalar(f: Field): fc.Arbitrary<string | number | boolean> {
  switch (f.type) {
    case 'bool':
      return fc.boolean();
    case 'int':
    case 'bytes':
    case 'pct':
      return number;
    case 'ts':
      return instant;
    case 'date':
      return day;
    case 'ver':
      return version;
    case 'mac':
    case 'udid':
      return identifier;
    case 'enum':
      return listValue;
    default:
      return text;
  }
}

// Now and then a value of another type than the field's, which counts as missing.
const odd = fc.constantFrom<FactValue>(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 'text', 7, true);

const factFor = (f: Field): fc.Arbitrary<FactValue> =>
  fc.oneof(
    { weight: 6, arbitrary: scalar(f) },
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: f.multi === true ? 8 : 1, arbitrary: fc.array(scalar(f), { maxLength: 3 }) },
    { weight: 1, arbitrary: odd },
  );

/** A record: each field present in three of four cases. */
export const record: fc.Arbitrary<SearchRecord> = fc.record(
  Object.fromEntries(catalogue.fields.map((f) => [f.token, factFor(f)])),
  { requiredKeys: [] },
);

function literalFor(f: Field, operator: Operator): fc.Arbitrary<Literal> {
  const ordering = /^[<>]/.test(operator) && operator !== '!=';
  switch (f.type) {
    case 'bool':
      return fc.oneof(fc.boolean(), fc.constantFrom('true', 'FALSE', ...(ordering ? [] : [''])));
    case 'ts':
    case 'date':
      return operator === '=' || operator === '!=' ? fc.oneof(dateText, fc.constant('')) : dateText;
    case 'ver':
      return ordering ? version.filter((v) => /^\d+(\.\d+)*$/.test(v.trim())) : version;
    default:
      return scalar(f).map((v) => (typeof v === 'number' || typeof v === 'string' ? v : String(v)));
  }
}

const duration = fc.record({
  amount: fc.constantFrom(0, 1, 2, 7, 12, 13, 30, 31, 999_999_999),
  unit: fc.constantFrom('minute', 'hour', 'day', 'week', 'month', 'year'),
} as const);

/** A comparison that is correct for its field. */
export const comparison: fc.Arbitrary<Comparison> = fc.constantFrom(...catalogue.fields).chain((f) =>
  fc.constantFrom(...operatorsFor(f)).chain((operator): fc.Arbitrary<Comparison> => {
    const base = { kind: 'comparison' as const, field: f.token };
    switch (operatorInfo(operator).operand) {
      case 'nothing':
        return fc.constant({ ...base, operator } as Comparison);
      case 'duration':
        return duration.map((value) => ({ ...base, operator, value }) as Comparison);
      case 'list':
        return fc
          .array(literalFor(f, '='), { minLength: 1, maxLength: 6 })
          .map((value) => ({ ...base, operator, value }) as Comparison);
      default:
        return literalFor(f, operator).map((value) => ({ ...base, operator, value }) as Comparison);
    }
  }),
);

const condition = (depth: number): fc.Arbitrary<Condition> => {
  if (depth === 0) return comparison;
  const inner = condition(depth - 1);
  const several = fc.array(inner, { minLength: 2, maxLength: 4 });
  return fc.oneof(
    { weight: 3, arbitrary: comparison },
    { weight: 2, arbitrary: several.map((items) => and(...items) as Condition) },
    { weight: 2, arbitrary: several.map(([first, ...rest]) => or(first!, ...rest) as Condition) },
    { weight: 1, arbitrary: inner.map(not) },
  );
};

/** An expression that is correct for the catalogue, in canonical form. */
export const expression: fc.Arbitrary<Expression> = condition(3);

export const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
