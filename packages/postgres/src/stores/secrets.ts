// Sealed secrets on PostgreSQL, and the way over everything sealed.
import type { SealedRef, SecretStore } from '@espalier/core';
import type { Database } from '../database.ts';

/** Where one kind of sealed value is: how to read on from a key, and how to replace one. */
interface Place {
  readonly kind: SealedRef['kind'];
  /** $1, $2: the key to read on from; $3: how many. Gives the key's parts as a and b, and the blob. */
  readonly read: string;
  /** $1, $2: the key; $3: what is expected; $4: the new blob. */
  readonly replace: string;
}

interface SealedRow {
  readonly a: string;
  readonly b: string | null;
  readonly blob: Uint8Array;
}

/** Secrets over the database. */
export function postgresSecrets(db: Database): SecretStore {
  const s = db.schema;
  const text = {
    put: `INSERT INTO ${s}.secret (scope, name, blob) VALUES ($1, $2, $3)
      ON CONFLICT (scope, name) DO UPDATE SET blob = excluded.blob`,
    get: `SELECT blob FROM ${s}.secret WHERE scope = $1 AND name = $2`,
    delete: `DELETE FROM ${s}.secret WHERE scope = $1 AND name = $2 RETURNING 1`,
  };
  /** A place whose key is one column. */
  const single = (kind: SealedRef['kind'], table: string, key: string, blob: string, only: string): Place => ({
    kind,
    read: `SELECT ${key} AS a, NULL AS b, ${blob} AS blob FROM ${s}.${table}
      WHERE ${key} > $1 AND $2::text IS NOT NULL AND ${only} ORDER BY ${key} LIMIT $3`,
    replace: `UPDATE ${s}.${table} SET ${blob} = $4
      WHERE ${key} = $1 AND $2::text IS NOT NULL AND ${blob} = $3 AND ${only} RETURNING 1`,
  });
  const places: readonly Place[] = [
    single('command', 'command', 'uuid', 'body', 'sealed'),
    single('acme-order', 'acme_order', 'id', 'sealed', 'true'),
    single('credential', 'credential', 'id', 'sealed', 'sealed IS NOT NULL'),
    single('scep-request', 'scep_request', 'id', 'sealed', 'true'),
    single('invitation', 'invitation', 'id', 'sealed', 'true'),
    single('push-magic', 'push_token', 'enrolment_id', 'push_magic', 'true'),
    {
      // In order of the command's number, which the cursor finds again by its identifier.
      kind: 'response',
      read: `SELECT h.enrolment_id AS a, c.uuid AS b, h.response AS blob
        FROM ${s}.history h JOIN ${s}.command c ON c.seq = h.seq
        WHERE h.sealed AND h.response IS NOT NULL
          AND (h.enrolment_id, h.seq) > ($1, coalesce((SELECT seq FROM ${s}.command WHERE uuid = $2), 0))
        ORDER BY h.enrolment_id, h.seq LIMIT $3`,
      replace: `UPDATE ${s}.history h SET response = $4 FROM ${s}.command c
        WHERE c.uuid = $2 AND h.enrolment_id = $1 AND h.seq = c.seq AND h.sealed AND h.response = $3 RETURNING 1`,
    },
    {
      kind: 'secret',
      read: `SELECT scope AS a, name AS b, blob FROM ${s}.secret
        WHERE (scope, name) > ($1, $2) ORDER BY scope, name LIMIT $3`,
      replace: `UPDATE ${s}.secret SET blob = $4 WHERE scope = $1 AND name = $2 AND blob = $3 RETURNING 1`,
    },
  ];

  return {
    async put({ scope, name, blob }) {
      await db.query('secrets.put', text.put, [scope, name, blob]);
    },

    async get(scope, name) {
      const [row] = await db.query<{ blob: Uint8Array }>('secrets.get', text.get, [scope, name]);
      return row?.blob ?? null;
    },

    async delete(scope, name) {
      return (await db.query('secrets.delete', text.delete, [scope, name])).length > 0;
    },

    async sealed({ after, limit }) {
      const start = after === undefined ? ['', '', ''] : (JSON.parse(after) as string[]);
      const from = Math.max(
        0,
        places.findIndex((place) => place.kind === start[0]),
      );
      let [a, b] = [start[1] ?? '', start[2] ?? ''];
      const items: { ref: SealedRef; blob: Uint8Array }[] = [];
      for (const place of places.slice(from)) {
        const values = [a, b, limit + 1 - items.length];
        for (const row of await db.query<SealedRow>(`secrets.sealed.${place.kind}`, place.read, values)) {
          items.push({ ref: { kind: place.kind, key: row.b === null ? [row.a] : [row.a, row.b] }, blob: row.blob });
        }
        if (items.length > limit) {
          const page = items.slice(0, limit);
          const { kind, key } = page.at(-1)!.ref;
          return { items: page, next: JSON.stringify([kind, ...key]) };
        }
        [a, b] = ['', ''];
      }
      return { items, next: null };
    },

    async reseal({ ref, expected, blob }) {
      const place = places.find((one) => one.kind === ref.kind);
      if (place === undefined) return false;
      const values = [ref.key[0] ?? '', ref.key[1] ?? '', expected, blob];
      return (await db.query(`secrets.reseal.${ref.kind}`, place.replace, values)).length > 0;
    },
  };
}
