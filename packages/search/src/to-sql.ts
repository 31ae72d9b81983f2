// The SQL compilers: the plan as a condition for WHERE. Every value is a parameter; the text is made of the schema's names
// and fixed words only.
import { before } from './dates.ts';
import { SearchError } from './errors.ts';
import type { Expression } from './expression.ts';
import { plan } from './meaning.ts';
import type { Bound, Plan, Predicate, Test } from './plan.ts';
import { valueTest } from './predicate.ts';
import type { FactTable, SqlCases, SqlColumn, SqlDialect, SqlSchema } from './sql-schema.ts';
import { storageOf } from './storage.ts';
import type { MeaningOptions } from './typing.ts';

/** A condition for WHERE with its parameters. */
export interface SqlFilter {
  /** SQL with `?` (SQLite) or `$1` … (PostgreSQL); true or false for every row, never NULL. */
  readonly text: string;
  readonly parameters: readonly (string | number | boolean)[];
}

/** How to compile to SQL. */
export interface SqlOptions extends MeaningOptions {
  readonly dialect: SqlDialect;
  readonly schema: SqlSchema;
  /** The instant (epoch milliseconds) from which relative dates count. */
  readonly now: number;
  /** Number of the first PostgreSQL parameter when the query around has some of its own. Default 1. */
  readonly firstParameter?: number;
}

/**
 * Compiles an expression to a condition over fact tables. Selects exactly the records that {@link compile} matches.
 * @throws {SearchError} `search.bad_operator`, `search.bad_value`, `search.sensitive` as compile does; `search.sql` when
 *   a version is ordered and the schema's column has no sortable form
 * @example
 * const { text, parameters } = toSql(expression, { dialect: 'sqlite', catalogue, now,
 *   schema: { facts: { table: 'device_fact', subject: 'device_id', outer: 'd.id' } } });
 * db.prepare(`SELECT d.id FROM device d WHERE ${text}`).all(...parameters);
 */
export function toSql(expression: Expression, options: SqlOptions): SqlFilter {
  const writer = new SqlWriter(options);
  const text = writer.write(plan(expression, options), false);
  return { text, parameters: writer.parameters };
}

// Collects parameters while the text is written.
class SqlWriter {
  readonly parameters: (string | number | boolean)[] = [];
  readonly #options: SqlOptions;
  readonly #postgres: boolean;

  constructor(options: SqlOptions) {
    this.#options = options;
    this.#postgres = options.dialect === 'postgres';
  }

  write(node: Plan, negated: boolean): string {
    switch (node.kind) {
      case 'constant':
        return node.value !== negated ? '1 = 1' : '1 = 0';
      case 'not':
        return this.write(node.item, !negated);
      case 'test':
        return this.#test(node, negated);
      default: {
        // NOT is moved inwards, so that planners see NOT EXISTS and not NOT (EXISTS …).
        const word = (node.kind === 'and') !== negated ? ' AND ' : ' OR ';
        return `(${node.items.map((item) => this.write(item, negated)).join(word)})`;
      }
    }
  }

  #bind(value: string | number | boolean): string {
    this.parameters.push(value);
    return this.#postgres ? `$${this.parameters.length - 1 + (this.#options.firstParameter ?? 1)}` : '?';
  }

  #test(test: Test, negated: boolean): string {
    const { schema } = this.#options;
    const column = schema.column?.(test.token, test.field);
    if (column !== undefined) {
      return 'cases' in column ? casesTest(test, column, negated) : this.#columnTest(test, column, negated);
    }
    const facts = typeof schema.facts === 'function' ? schema.facts(test.token, test.field) : schema.facts;
    const matching = this.#exists(facts, test, test.predicate, negated);
    if (!test.missing) return matching;
    const none = this.#exists(facts, test, { kind: 'present' }, !negated);
    return negated ? `(${matching} AND ${none})` : `(${matching} OR ${none})`;
  }

  #exists(facts: FactTable, test: Test, predicate: Predicate, negated: boolean): string {
    const { table, subject, outer, field = 'field', key = 'key', number = 'number', version = 'version' } = facts;
    const id = this.#options.schema.fieldId?.(test.token) ?? test.token;
    // SQLite enters a set through its index only when it is written with IN; PostgreSQL plans EXISTS as a join. For a
    // complement both look up the one device.
    const set = !this.#postgres && !negated;
    const column = `f.${subject}`;
    const head = set
      ? `${outer} IN (SELECT ${column} FROM ${table} f WHERE f.${field} = ${this.#bind(id)}`
      : `EXISTS (SELECT 1 FROM ${table} f WHERE ${column} = ${outer} AND f.${field} = ${this.#bind(id)}`;
    const condition =
      predicate.kind === 'present'
        ? ''
        : ` AND ${this.#condition(predicate, {
            text: `f.${key}`,
            ...(facts.whole === undefined
              ? {}
              : { whole: `coalesce(f.${facts.whole.column}, f.${key})`, keyLength: facts.whole.keyLength }),
            number: `f.${number}`,
            version: `f.${version}`,
            flag: (value) => `f.${number} = ${this.#bind(value ? 1 : 0)}`,
          })}`;
    return `${negated ? 'NOT ' : ''}${head}${condition})`;
  }

  #columnTest(test: Test, column: SqlColumn, negated: boolean): string {
    const isText = test.type === 'any' ? false : storageOf(test.type) === 'text';
    const present = `(${column.value} IS NOT NULL${isText ? ` AND ${column.value} <> ''` : ''})`;
    const flag = (value: boolean): string =>
      this.#postgres ? `${column.value} = ${this.#bind(value)}` : `${column.value} = ${this.#bind(value ? 1 : 0)}`;
    const version = (): string => {
      if (column.version !== undefined) return column.version;
      throw new SearchError('search.sql', 'internal', `the column of ${test.token} has no sortable version`, {
        remedy: 'give SqlColumn.version, or leave the field to the fact table',
      });
    };
    const guard = test.predicate.kind === 'version' ? `${version()} IS NOT NULL` : present;
    // The guard keeps NULL out, so that a complement is a complement.
    const matching =
      test.predicate.kind === 'present'
        ? present
        : `(${guard} AND ${this.#coarse(test.predicate, column)}${this.#condition(test.predicate, {
            text: column.value,
            number: column.value,
            version: test.predicate.kind === 'version' ? version() : '',
            flag,
          })})`;
    const whole = test.missing ? `(${matching} OR NOT ${present})` : matching;
    return negated ? `NOT ${whole}` : whole;
  }

  /** The same range in the coarse column, which an index serves. */
  #coarse(predicate: Predicate, { coarse }: SqlColumn): string {
    if (coarse === undefined || (predicate.kind !== 'within' && predicate.kind !== 'range')) return '';
    const { now } = this.#options;
    const [min, max] =
      predicate.kind === 'within'
        ? [before(now, predicate.duration), now]
        : [predicate.min?.value, predicate.max?.value];
    const end = (word: string, value: number | undefined): string =>
      value === undefined ? '' : `${coarse.value} ${word} ${this.#bind(Math.floor(value / coarse.unit))} AND `;
    return end('>=', min) + end('<=', max);
  }

  #condition(
    predicate: Exclude<Predicate, { kind: 'present' }>,
    columns: {
      text: string;
      /** The uncut text, where `text` has no more than `keyLength` characters of it. */
      whole?: string;
      keyLength?: number;
      number: string;
      version: string;
      flag: (value: boolean) => string;
    },
  ): string {
    // Byte order: what the keys are made for, and what an index can serve.
    const bytes = (column: string): string => (this.#postgres ? `${column} COLLATE "C"` : column);
    const { whole = columns.text, keyLength = Number.POSITIVE_INFINITY } = columns;
    // What is shorter than the cut is decided by the cut text, which an index can serve.
    const textFor = (keys: readonly string[], most: number): string =>
      bytes(keys.some((key) => key.length > most && [...key].length > most) ? whole : columns.text);
    switch (predicate.kind) {
      case 'flag':
        return columns.flag(predicate.value);
      case 'within': {
        const start = before(this.#options.now, predicate.duration);
        return `${columns.number} >= ${this.#bind(start)} AND ${columns.number} <= ${this.#bind(this.#options.now)}`;
      }
      case 'range':
        return this.#range(columns.number, predicate.min, predicate.max);
      case 'version':
        return this.#range(bytes(columns.version), predicate.min, predicate.max);
      case 'equals': {
        const [first = '', ...rest] = predicate.keys;
        const text = textFor(predicate.keys, keyLength - 1);
        if (rest.length === 0) return `${text} = ${this.#bind(first)}`;
        return `${text} IN (${predicate.keys.map((key) => this.#bind(key)).join(', ')})`;
      }
      case 'prefix': {
        // A range instead of LIKE: nothing to escape, and an index serves it whatever the parameter.
        const text = textFor([predicate.key], keyLength);
        const from = `${text} >= ${this.#bind(predicate.key)}`;
        const end = afterPrefix(predicate.key);
        return end === null ? from : `${from} AND ${text} < ${this.#bind(end)}`;
      }
      case 'suffix': {
        const length = this.#bind([...predicate.key].length);
        const end = this.#postgres ? `right(${whole}, ${length})` : `substr(${whole}, -${length})`;
        return `${end} = ${this.#bind(predicate.key)}`;
      }
      case 'substring':
        return `${this.#postgres ? 'strpos' : 'instr'}(${whole}, ${this.#bind(predicate.key)}) > 0`;
    }
  }

  #range<T extends string | number>(column: string, min: Bound<T> | undefined, max: Bound<T> | undefined): string {
    if (min !== undefined && max !== undefined && min.value === max.value && min.inclusive && max.inclusive) {
      return `${column} = ${this.#bind(min.value)}`;
    }
    const parts: string[] = [];
    if (min !== undefined) parts.push(`${column} ${min.inclusive ? '>=' : '>'} ${this.#bind(min.value)}`);
    if (max !== undefined) parts.push(`${column} ${max.inclusive ? '<=' : '<'} ${this.#bind(max.value)}`);
    return parts.join(' AND ');
  }
}

/** A field of few values: those that satisfy the predicate are found here, not in the database. */
function casesTest(test: Test, { cases }: SqlCases, negated: boolean): string {
  const holds = valueTest(test.predicate, test.type);
  const chosen = cases.filter(({ value }) => holds(value, 0) !== negated);
  if (chosen.length === cases.length) return '1 = 1';
  return chosen.length === 0 ? '1 = 0' : `(${chosen.map(({ when }) => when).join(' OR ')})`;
}

/**
 * The first text, in code point order (which is the byte order of UTF-8), after all texts that begin with the prefix.
 * `null` when there is none.
 */
export function afterPrefix(prefix: string): string | null {
  const points = [...prefix];
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!;
    if (last === 0x10ffff) continue;
    // Between U+D7FF and U+E000 are the surrogates, which are no characters.
    return points.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return null;
}
