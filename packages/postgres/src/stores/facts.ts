// Facts as rows: the numbers of fields, and the rows of a device.
import type { FactRow } from '@espalier/core';
import type { Database, Transaction } from '../database.ts';

/** The tables of facts. */
export interface FactTables {
  /** The numbers that stand for these tokens, given out where there are none. Not inside a transaction. */
  idsFor(tokens: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The numbers that are known, read anew where one of `tokens` is not among them. */
  known(tokens: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Replaces the rows of some tokens of a device. */
  put(
    q: Transaction,
    nr: number,
    tokens: readonly string[],
    rows: readonly FactRow[],
    ids: ReadonlyMap<string, number>,
  ): void;
  /** Replaces all rows of devices. */
  replace(
    q: Transaction,
    devices: readonly { readonly nr: number; readonly rows: readonly FactRow[] }[],
    ids: ReadonlyMap<string, number>,
  ): void;
}

/** Makes the access to the tables. Numbers are committed when they are given out, and never change. */
export function createFactTables(db: Database): FactTables {
  const s = db.schema;
  const known = new Map<string, number>();
  const text = {
    fields: `SELECT id, token FROM ${s}.fact_field`,
    add: `INSERT INTO ${s}.fact_field (token) SELECT unnest($1::text[]) ON CONFLICT (token) DO NOTHING`,
    drop: `DELETE FROM ${s}.fact f USING ${s}.fact_field t
      WHERE f.nr = $1 AND f.field = t.id AND t.token = ANY ($2::text[])`,
    dropAll: `DELETE FROM ${s}.fact WHERE nr = ANY ($1::bigint[])`,
    insert: `INSERT INTO ${s}.fact (nr, field, ordinal, key, whole, number, version)
      SELECT * FROM unnest(
        $1::bigint[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::double precision[], $7::text[])`,
  };

  async function load(): Promise<void> {
    const rows = await db.query<{ id: number; token: string }>('facts.fields', text.fields);
    for (const { id, token } of rows) known.set(token, id);
  }

  function insert(
    q: Transaction,
    rows: readonly { readonly nr: number; readonly row: FactRow }[],
    ids: ReadonlyMap<string, number>,
  ): void {
    if (rows.length === 0) return;
    q.send('facts.insert', text.insert, [
      rows.map(({ nr }) => nr),
      rows.map(({ row }) => ids.get(row.field)!),
      rows.map(({ row }) => row.ordinal),
      rows.map(({ row }) => row.key),
      rows.map(({ row }) => row.whole),
      rows.map(({ row }) => row.number),
      rows.map(({ row }) => row.version),
    ]);
  }

  return {
    async idsFor(tokens) {
      let missing = tokens.filter((token) => !known.has(token));
      if (missing.length > 0) await load();
      missing = [...new Set(missing)].filter((token) => !known.has(token)).sort();
      if (missing.length > 0) {
        await db.query('facts.add', text.add, [missing]);
        await load();
      }
      return known;
    },

    async known(tokens) {
      if (tokens.some((token) => !known.has(token))) await load();
      return known;
    },

    put(q, nr, tokens, rows, ids) {
      // A token that is no text of the database's has no rows either.
      const storable = tokens.filter((token) => !/[\0\p{Cs}]/u.test(token));
      q.send('facts.drop', text.drop, [nr, storable]);
      const changed = new Set(tokens);
      insert(
        q,
        rows.filter((row) => changed.has(row.field)).map((row) => ({ nr, row })),
        ids,
      );
    },

    replace(q, devices, ids) {
      q.send('facts.dropAll', text.dropAll, [devices.map(({ nr }) => nr)]);
      insert(
        q,
        devices.flatMap(({ nr, rows }) => rows.map((row) => ({ nr, row }))),
        ids,
      );
    },
  };
}
