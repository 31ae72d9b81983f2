// What an expression means, for a person: tree, fields, issues, SQL.
import { check } from './check.ts';
import { type Condition, comparisonsOf, type Expression } from './expression.ts';
import type { Field } from './field.ts';
import { fieldsOf, isTimeDependent } from './fields-of.ts';
import type { SearchIssue } from './issue.ts';
import { lint } from './lint.ts';
import { operatorInfo } from './operators.ts';
import { print, printComparison } from './print.ts';
import type { Catalogue } from './registry.ts';
import type { SqlDialect, SqlSchema } from './sql-schema.ts';
import { type SqlFilter, toSql } from './to-sql.ts';

/** What {@link explain} finds. */
export interface Explanation {
  /** The canonical text. */
  readonly text: string;
  /** The tree, one line per node, indented by two spaces per level. */
  readonly tree: string;
  /** The fields it reads; `field` is absent for one that the catalogue does not know. */
  readonly fields: readonly { readonly token: string; readonly field?: Field }[];
  /** Errors, warnings and lint. */
  readonly issues: readonly SearchIssue[];
  /** Does the result change with time alone? */
  readonly timeDependent: boolean;
  /** Comparisons that no index can serve: every value of the field is looked at. */
  readonly scans: readonly string[];
  /** The SQL, by dialect, when a schema is given and the expression has no error. */
  readonly sql?: Readonly<Record<SqlDialect, SqlFilter>>;
}

/** How to explain. */
export interface ExplainOptions {
  readonly sensitive?: boolean;
  /** Show the SQL over these tables. */
  readonly schema?: SqlSchema;
  /** The instant for relative dates in the SQL (epoch milliseconds). Default 0. */
  readonly now?: number;
}

/**
 * Explains an expression.
 * @example console.log(explain(parse(text), catalogue).tree)
 */
export function explain(expression: Expression, catalogue: Catalogue, options: ExplainOptions = {}): Explanation {
  const sensitive = options.sensitive === undefined ? {} : { sensitive: options.sensitive };
  const issues = [...check(expression, catalogue, sensitive), ...lint(expression, catalogue)];
  const usable = !issues.some((i) => i.severity === 'error' && i.code !== 'unknown-field');
  const { schema, now = 0 } = options;
  const sql = (dialect: SqlDialect): SqlFilter =>
    toSql(expression, { dialect, schema: schema!, catalogue, now, ...sensitive });
  return {
    text: print(expression),
    tree: expression.kind === 'everything' ? 'everything' : treeLines(expression, 0).join('\n'),
    fields: fieldsOf(expression, catalogue).map((token) => {
      const field = catalogue.get(token);
      return field === undefined ? { token } : { token, field };
    }),
    issues,
    timeDependent: isTimeDependent(expression),
    scans: [...comparisonsOf(expression)]
      .filter(({ operator }) => ['contains', 'ends with'].includes(operatorInfo(operator).negates ?? operator))
      .map(printComparison),
    ...(schema === undefined || !usable ? {} : { sql: { sqlite: sql('sqlite'), postgres: sql('postgres') } }),
  };
}

function treeLines(node: Condition, depth: number): string[] {
  const indent = '  '.repeat(depth);
  if (node.kind === 'comparison') return [indent + printComparison(node)];
  if (node.kind === 'not') return [`${indent}NOT`, ...treeLines(node.item, depth + 1)];
  return [indent + node.kind.toUpperCase(), ...node.items.flatMap((item) => treeLines(item, depth + 1))];
}
