// `espalier search EXPRESSION`: explains a search expression, and runs it against a store.
import { type Field, lint, parseBasic, print as printExpression, type SearchIssue, validate } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { type Explanation, explain, type SqlDialect, type SqlFilter } from '@espalier/search/sql';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { findingText } from '../search/findings.ts';
import type { Matches } from '../search/matches.ts';
import { readStoreAddress, storeUrlHelp } from '../store/address.ts';
import { paragraph, table } from '../text/wrap.ts';

const help = `usage: espalier search EXPRESSION [--sql sqlite|postgres] [--store URL]
                       [--limit N] [--schema S] [--basic] [--include-retired]
                       [--sensitive] [--json]

Explains an expression of the device search language: the canonical text, the
tree, the fields with their types and sources, and what is odd about it. Quote
the whole: espalier search '"common.platform" = "iOS"'

  --sql D      the condition as SQL with parameters, over the tables device and
               device_fact of docs/search-language.md
  --store URL  run it against a store, which is only read
  --limit N    how many devices are shown (1 to 1,000, default 50)
  --schema S   the PostgreSQL schema (default espalier)
  --basic      EXPRESSION is the one-box search: a name, sn:…, udid:…, mac:…
  --include-retired  also find devices that are retired
  --sensitive  secrets may be compared, not only tested for being there
  --json       output for programs

${storeUrlHelp}

Exit code 1: the expression has an error, or the store cannot be used.`;

const schema = { facts: { table: 'device_fact', subject: 'device_id', outer: 'd.id' } } as const;

/** All that is to be told. */
interface Result {
  readonly expression: string;
  readonly issues: readonly SearchIssue[];
  /** Absent when the expression cannot be parsed. */
  readonly explanation?: Explanation;
  readonly sql?: SqlFilter & { readonly dialect: SqlDialect };
  readonly matches?: Matches;
}

function explainText(text: string, dialect: SqlDialect | undefined, now: number, sensitive: boolean): Result {
  const { expression, diagnostics, spans } = validate(text, catalogue, { sensitive });
  const broken = expression === null || diagnostics.some((issue) => issue.severity === 'error' && !issue.field);
  // What is left of a text with faults is not what was meant.
  if (broken) return { expression: text, issues: diagnostics };
  const issues = [...diagnostics, ...lint(expression, catalogue, { spans })];
  const explanation = explain(expression, catalogue, { now, schema, sensitive });
  const failed = issues.some(({ severity }) => severity === 'error');
  if (dialect === undefined || failed || explanation.sql === undefined)
    return { expression: text, issues, explanation };
  const { text: condition, parameters } = explanation.sql[dialect];
  const sql = { dialect, text: `SELECT d.id FROM device d WHERE ${condition}`, parameters };
  return { expression: text, issues, explanation, sql };
}

function sourcesOf(field: Field): string {
  const sources = field.sources.map(({ from, key, note }) => {
    const name = key === undefined ? from : `${from}.${key}`;
    return note === undefined ? name : `${name} (${note})`;
  });
  return sources.length === 0 ? '-' : sources.join(', ');
}

function fieldRows({ fields }: Explanation): string[][] {
  return fields.map(({ token, field }) => {
    if (field === undefined) return [token, '', 'not in the catalogue'];
    const where = field.platforms.length === 0 ? '' : `; ${field.platforms.join(', ')}`;
    return [token, field.type, `${field.displayName}, from ${sourcesOf(field)}${where}`];
  });
}

function print(result: Result, io: Io): void {
  const { explanation, issues, sql, matches } = result;
  const parts: string[] = [];
  if (explanation !== undefined) {
    parts.push(paragraph(explanation.text === '' ? '(everything)' : explanation.text, io.columns));
    parts.push(`tree\n${explanation.tree.replace(/^/gm, '  ')}`);
    if (explanation.fields.length > 0) {
      parts.push(table(['field', 'type', 'what it is'], fieldRows(explanation), io.columns, [34]));
    }
    const notes = [
      ...(explanation.timeDependent ? ['The result changes with time alone.'] : []),
      ...explanation.scans.map((scan) => `No index can serve ${scan}.`),
    ];
    if (notes.length > 0) parts.push(notes.map((note) => paragraph(note, io.columns)).join('\n'));
  }
  if (issues.length > 0) parts.push(issues.map((one) => findingText(one, result.expression, io.columns)).join('\n\n'));
  if (sql !== undefined) {
    const mark = (i: number): string => (sql.dialect === 'postgres' ? `$${i + 1}` : `?${i + 1}`);
    const parameters = sql.parameters.map((value, i) => `  ${mark(i)} = ${JSON.stringify(value)}`);
    parts.push([`SQL (${sql.dialect})`, paragraph(sql.text, io.columns, 2), ...parameters].join('\n'));
  }
  if (matches !== undefined) parts.push(matchesText(matches, io.columns));
  io.out(parts.join('\n\n'));
}

function matchesText({ devices, total }: Matches, columns: number): string {
  const count = `${total.toLocaleString('en')} ${total === 1 ? 'device matches' : 'devices match'}`;
  if (devices.length === 0) return count;
  const shown = devices.length < total ? `${count}, the first ${devices.length} are shown` : count;
  const rows = devices.map(({ name, serialNumber, platform, osVersion }) =>
    [name, serialNumber, platform, osVersion].map((cell) => (cell ?? '-').replace(/\p{Cc}/gu, ' ')),
  );
  return `${table(['name', 'serial number', 'platform', 'OS'], rows, columns, [34, 16, 10])}\n${shown}`;
}

function toJson({ expression, issues, explanation, sql, matches }: Result): Record<string, unknown> {
  return {
    expression,
    ...(explanation === undefined
      ? {}
      : {
          canonical: explanation.text,
          tree: explanation.tree,
          fields: explanation.fields.map(({ token, field }) =>
            field === undefined
              ? { token }
              : {
                  token,
                  displayName: field.displayName,
                  type: field.type,
                  platforms: field.platforms,
                  vendor: field.vendor,
                  sources: field.sources,
                },
          ),
          timeDependent: explanation.timeDependent,
          scans: explanation.scans,
        }),
    issues,
    ...(sql === undefined ? {} : { sql }),
    ...(matches === undefined ? {} : { matches }),
  };
}

function dialectOption(text: string | undefined): SqlDialect | undefined {
  if (text === undefined || text === 'sqlite' || text === 'postgres') return text;
  throw new CliError('cli.usage', `--sql ${text}: use sqlite or postgres`);
}

function limitOption(text: string | undefined): number {
  if (text === undefined) return 50;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 1000) throw new CliError('cli.usage', `--limit ${text}: use 1 to 1000`);
  return limit;
}

/** The command. */
export const search: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      sql: { type: 'string' },
      store: { type: 'string' },
      limit: { type: 'string' },
      schema: { type: 'string' },
      basic: { type: 'boolean' },
      'include-retired': { type: 'boolean' },
      sensitive: { type: 'boolean' },
      json: { type: 'boolean' },
    });
    const [given, ...rest] = positionals;
    if (given === undefined) throw new CliError('cli.usage', 'no expression given');
    if (rest.length > 0) throw new CliError('cli.usage', 'more than one expression: put the whole in quotes');
    const dialect = dialectOption(values.sql);
    const limit = limitOption(values.limit);
    const address = values.store === undefined ? undefined : readStoreAddress(values.store, values.schema);
    if (address === undefined && (values.limit !== undefined || values.schema !== undefined)) {
      throw new CliError('cli.usage', '--limit and --schema go with --store');
    }
    const sensitive = values.sensitive ?? false;
    // The one-box search is a way of writing an expression; what is explained and run is that.
    const text = values.basic ? printExpression(parseBasic(given)) : given;
    let result = explainText(text, dialect, io.now(), sensitive);
    const failed = result.issues.some(({ severity }) => severity === 'error');
    if (address !== undefined && !failed) {
      const { matchesOf } = await import('../search/matches.ts');
      const query = { expression: text, excludeRetired: values['include-retired'] !== true, sensitive };
      result = { ...result, matches: await matchesOf(address, query, limit, io.now()) };
    }
    if (values.json) io.out(JSON.stringify(toJson(result), null, 2));
    else print(result, io);
    return failed ? 1 : 0;
  },
};
