// @espalier/search/sql: expressions as SQL conditions, facts as rows, and the explanation of both.
export { type ExplainOptions, type Explanation, explain } from './explain.ts';
export { type FactRow, type FactRowOptions, factRows } from './facts.ts';
export type { FactTable, SqlCases, SqlColumn, SqlDialect, SqlSchema } from './sql-schema.ts';
export { afterPrefix, type SqlFilter, type SqlOptions, toSql } from './to-sql.ts';
