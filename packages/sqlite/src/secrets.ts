// Sealed secrets on SQLite, and the way over everything sealed.
import type { SealedRef, SecretStore } from '@espalier/core';
import type { Database } from './database.ts';
import { putSecret } from './rows.ts';

interface Source {
  readonly kind: SealedRef['kind'];
  /** Gives `a`, `b` (the key) and `blob`, ordered by (a, b), above the cursor. */
  readonly list: string;
  /** Replaces where the blob is as expected: parameters new, a, b, expected. */
  readonly replace: string;
  /** How many parts the key has. */
  readonly parts: 1 | 2;
}

const sources: readonly Source[] = [
  {
    kind: 'secret',
    parts: 2,
    list: 'SELECT scope AS a, name AS b, blob FROM secrets WHERE (scope, name) > (?1, ?2) ORDER BY scope, name LIMIT ?3',
    replace: 'UPDATE secrets SET blob = ?1 WHERE scope = ?2 AND name = ?3 AND blob = ?4',
  },
  {
    kind: 'push-magic',
    parts: 1,
    list: `SELECT e.id AS a, '' AS b, u.push_magic AS blob FROM enrolments e JOIN push u ON u.nr = e.nr
           WHERE e.id > ?1 AND ?2 IS NOT NULL ORDER BY e.id LIMIT ?3`,
    replace: `UPDATE push SET push_magic = ?1
              WHERE nr = (SELECT nr FROM enrolments WHERE id = ?2) AND ?3 IS NOT NULL AND push_magic = ?4`,
  },
  {
    kind: 'command',
    parts: 1,
    list: `SELECT uuid AS a, '' AS b, body AS blob FROM commands
           WHERE uuid > ?1 AND ?2 IS NOT NULL AND sealed = 1 ORDER BY uuid LIMIT ?3`,
    replace: 'UPDATE commands SET body = ?1 WHERE uuid = ?2 AND ?3 IS NOT NULL AND sealed = 1 AND body = ?4',
  },
  {
    kind: 'response',
    parts: 2,
    list: `SELECT e.id AS a, c.uuid AS b, h.response AS blob
           FROM history h JOIN enrolments e ON e.nr = h.enrolment JOIN commands c ON c.seq = h.seq
           WHERE (e.id, c.uuid) > (?1, ?2) AND h.sealed = 1 ORDER BY e.id, c.uuid LIMIT ?3`,
    replace: `UPDATE history SET response = ?1
              WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?2)
                AND seq = (SELECT seq FROM commands WHERE uuid = ?3) AND sealed = 1 AND response = ?4`,
  },
  {
    kind: 'invitation',
    parts: 1,
    list: `SELECT id AS a, '' AS b, sealed AS blob FROM invitations WHERE id > ?1 AND ?2 IS NOT NULL ORDER BY id LIMIT ?3`,
    replace: 'UPDATE invitations SET sealed = ?1 WHERE id = ?2 AND ?3 IS NOT NULL AND sealed = ?4',
  },
  {
    kind: 'acme-order',
    parts: 1,
    list: `SELECT id AS a, '' AS b, sealed AS blob FROM acme_orders WHERE id > ?1 AND ?2 IS NOT NULL ORDER BY id LIMIT ?3`,
    replace: 'UPDATE acme_orders SET sealed = ?1 WHERE id = ?2 AND ?3 IS NOT NULL AND sealed = ?4',
  },
  {
    kind: 'scep-request',
    parts: 1,
    list: `SELECT id AS a, '' AS b, sealed AS blob FROM scep_requests WHERE id > ?1 AND ?2 IS NOT NULL ORDER BY id LIMIT ?3`,
    replace: 'UPDATE scep_requests SET sealed = ?1 WHERE id = ?2 AND ?3 IS NOT NULL AND sealed = ?4',
  },
  {
    kind: 'credential',
    parts: 1,
    list: `SELECT id AS a, '' AS b, sealed AS blob FROM credentials
           WHERE id > ?1 AND ?2 IS NOT NULL AND sealed IS NOT NULL ORDER BY id LIMIT ?3`,
    replace: 'UPDATE credentials SET sealed = ?1 WHERE id = ?2 AND ?3 IS NOT NULL AND sealed = ?4',
  },
];

/** Secrets over a database. */
export function sqliteSecrets(db: Database): SecretStore {
  return {
    put: ({ scope, name, blob, at }) => db.write(() => putSecret(db, scope, name, blob, at)),

    get: (scope, name) =>
      db.read(() => {
        const row = db.get<{ blob: Uint8Array }>('SELECT blob FROM secrets WHERE scope = ? AND name = ?', scope, name);
        return row === undefined ? null : new Uint8Array(row.blob);
      }),

    delete: (scope, name) =>
      db.write(() => db.run('DELETE FROM secrets WHERE scope = ? AND name = ?', scope, name) > 0),

    sealed: ({ after, limit }) =>
      db.read(() => {
        const [start, a, b] = after === undefined ? [0, '', ''] : (JSON.parse(after) as [number, string, string]);
        const items: { ref: SealedRef; blob: Uint8Array }[] = [];
        let cursor = [start, a, b] as [number, string, string];
        for (let i = start; i < sources.length; i++) {
          const source = sources[i]!;
          const [, fromA, fromB] = i === start ? cursor : [i, '', ''];
          const rows = db.all<{ a: string; b: string; blob: Uint8Array }>(
            source.list,
            fromA,
            fromB,
            limit - items.length,
          );
          for (const row of rows) {
            const key = source.parts === 1 ? [row.a] : [row.a, row.b];
            items.push({ ref: { kind: source.kind, key }, blob: new Uint8Array(row.blob) });
            cursor = [i, row.a, row.b];
          }
          if (items.length >= limit) return { items, next: JSON.stringify(cursor) };
        }
        return { items, next: null };
      }),

    reseal: ({ ref, expected, blob }) =>
      db.write(() => {
        const source = sources.find(({ kind }) => kind === ref.kind);
        if (source === undefined) return false;
        return db.run(source.replace, blob, ref.key[0] ?? '', ref.key[1] ?? '', expected) > 0;
      }),
  };
}
