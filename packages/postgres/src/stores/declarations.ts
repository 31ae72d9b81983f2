// Declarations, sets and their members on PostgreSQL; what channels are to have and say is in declaration-syncs.ts.
import type { DeclarationSet, DeclarationStore, StoredDeclaration } from '@espalier/core';
import type { Database, Queryable, Value } from '../database.ts';
import { cut, sendEvents } from '../rows.ts';
import { declarationSyncs } from './declaration-syncs.ts';

/** Declarations over the database. */
export function postgresDeclarations(db: Database): DeclarationStore {
  const s = db.schema;
  const columns = `d.identifier, d.type, d.kind, d.description, d.payload, d.server_token AS "serverToken", d.content,
    d.version, d.created_at AS "createdAt", d.updated_at AS "updatedAt"`;
  const setColumns = `t.id, t.name, t.description, t.channel, t.identifiers,
    ARRAY(SELECT l.label_id FROM ${s}.declaration_set_label l WHERE l.set_id = t.id ORDER BY l.position) AS "labelIds",
    t.version, t.created_at AS "createdAt", t.updated_at AS "updatedAt"`;
  const text = {
    // Whoever puts one of these into a set waits, and is then seen.
    lock: `SELECT FROM ${s}.declaration WHERE identifier = ANY ($1::text[]) ORDER BY identifier FOR UPDATE`,
    insert: `INSERT INTO ${s}.declaration (identifier, type, kind, description, payload, server_token, content, version,
        created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (identifier) DO NOTHING RETURNING 1`,
    update: `UPDATE ${s}.declaration SET type = $2, kind = $3, description = $4, payload = $5, server_token = $6,
        content = $7, version = $8, created_at = $9, updated_at = $10
      WHERE identifier = $1 AND version = $11 RETURNING 1`,
    markHolders: `SELECT FROM ${s}.mark_declarations(${s}.declaration_concerned(
        ARRAY(SELECT i.set_id FROM ${s}.declaration_set_item i WHERE i.declaration = ANY ($1::text[]))), $2)`,
    used: `SELECT 1 FROM ${s}.declaration_set_item WHERE declaration = $1 LIMIT 1`,
    remove: `DELETE FROM ${s}.declaration WHERE identifier = $1 RETURNING 1`,
    getMany: `SELECT ${columns} FROM ${s}.declaration d WHERE d.identifier = ANY ($1::text[])`,
    list: `SELECT ${columns} FROM ${s}.declaration d WHERE d.identifier > $1 ORDER BY d.identifier LIMIT $2`,

    lockSet: `SELECT ${setColumns} FROM ${s}.declaration_set t WHERE t.id = $1 FOR UPDATE`,
    taken: `SELECT 1 FROM ${s}.declaration_set WHERE name = $2 AND id <> $1`,
    share: `SELECT identifier FROM ${s}.declaration WHERE identifier = ANY ($1::text[]) ORDER BY identifier FOR SHARE`,
    insertSet: `INSERT INTO ${s}.declaration_set (id, name, description, channel, identifiers, version, created_at,
        updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1`,
    updateSet: `UPDATE ${s}.declaration_set SET name = $2, description = $3, channel = $4, identifiers = $5, version = $6,
      created_at = $7, updated_at = $8 WHERE id = $1`,
    // Whoever changes the members of these labels waits, and then sees the set.
    lockLabels: `SELECT FROM ${s}.label WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`,
    clearItems: `DELETE FROM ${s}.declaration_set_item WHERE set_id = $1`,
    putItems: `INSERT INTO ${s}.declaration_set_item (set_id, declaration) SELECT $1, unnest($2::text[])`,
    clearLabels: `DELETE FROM ${s}.declaration_set_label WHERE set_id = $1`,
    putLabels: `INSERT INTO ${s}.declaration_set_label (set_id, label_id, position)
      SELECT $1, l.id, l.n FROM unnest($2::text[]) WITH ORDINALITY AS l (id, n)`,
    mark: `SELECT FROM ${s}.mark_declarations(${s}.declaration_concerned(ARRAY[$1::text]), $2)`,
    deleteSet: `WITH item AS (DELETE FROM ${s}.declaration_set_item WHERE set_id = $1),
      label AS (DELETE FROM ${s}.declaration_set_label WHERE set_id = $1),
      member AS (DELETE FROM ${s}.declaration_set_member WHERE set_id = $1)
      DELETE FROM ${s}.declaration_set WHERE id = $1`,
    getSets: `SELECT ${setColumns} FROM ${s}.declaration_set t WHERE t.id = ANY ($1::text[])`,
    listSets: `SELECT ${setColumns},
        (SELECT count(*) FROM ${s}.declaration_set_member m WHERE m.set_id = t.id) AS "memberCount"
      FROM ${s}.declaration_set t ORDER BY t.name`,
    members: `SELECT enrolment_id AS id FROM ${s}.declaration_set_member
      WHERE set_id = $1 AND enrolment_id > $2 ORDER BY enrolment_id LIMIT $3`,
    shareSet: `SELECT 1 FROM ${s}.declaration_set WHERE id = $1 FOR SHARE`,
    lockDevices: `SELECT FROM ${s}.live WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE`,
    leave: `WITH gone AS (
        DELETE FROM ${s}.declaration_set_member WHERE set_id = $1 AND enrolment_id = ANY ($2::text[])
        RETURNING enrolment_id
      ), ids AS MATERIALIZED (SELECT coalesce(array_agg(enrolment_id), '{}') AS ids FROM gone)
      SELECT cardinality(ids.ids) AS n FROM ids CROSS JOIN LATERAL ${s}.mark_declarations(ids.ids, $3)`,
    join: `WITH new AS (
        INSERT INTO ${s}.declaration_set_member (set_id, enrolment_id)
        SELECT $1, l.id FROM ${s}.live l WHERE l.id = ANY ($2::text[]) AND l.status IN ('pending', 'active')
        ON CONFLICT DO NOTHING RETURNING enrolment_id
      ), ids AS MATERIALIZED (SELECT coalesce(array_agg(enrolment_id), '{}') AS ids FROM new)
      SELECT cardinality(ids.ids) AS n FROM ids CROSS JOIN LATERAL ${s}.mark_declarations(ids.ids, $3)`,
    desired: `WITH wanted AS MATERIALIZED (
        SELECT l.id, l.channel, coalesce(l.parent, l.id) AS owner FROM ${s}.live l WHERE l.id = ANY ($1::text[])
      ), found AS (
        SELECT w.id, w.channel, m.set_id FROM wanted w JOIN ${s}.declaration_set_member m ON m.enrolment_id = w.id
        UNION SELECT w.id, w.channel, m.set_id FROM wanted w
          JOIN ${s}.declaration_set_member m ON m.enrolment_id = w.owner
        UNION SELECT w.id, w.channel, l.set_id FROM wanted w JOIN ${s}.member m ON m.enrolment_id = w.owner
          JOIN ${s}.declaration_set_label l ON l.label_id = m.label_id
      )
      SELECT f.id, array_agg(f.set_id ORDER BY f.set_id) AS sets FROM found f
      JOIN ${s}.declaration_set t ON t.id = f.set_id AND t.channel = f.channel GROUP BY f.id`,
  };
  const valuesOf = (one: StoredDeclaration): Value[] => [
    one.identifier,
    one.type,
    one.kind,
    one.description,
    JSON.stringify(one.payload),
    one.serverToken,
    one.content === null ? null : JSON.stringify(one.content),
    one.version,
    one.createdAt,
    one.updatedAt,
  ];
  const setValues = (set: DeclarationSet): Value[] => [
    set.id,
    set.name,
    set.description,
    set.channel,
    JSON.stringify(set.identifiers),
    set.version,
    set.createdAt,
    set.updatedAt,
  ];
  const mark = (q: Queryable, id: string, at: number) => q.query('declarations.mark', text.mark, [id, at]);
  const sorted = (ids: readonly string[]): string => JSON.stringify([...ids].sort());

  async function place(q: Queryable, { id, identifiers, labelIds }: DeclarationSet): Promise<void> {
    await q.query('declarations.clearItems', text.clearItems, [id]);
    await q.query('declarations.putItems', text.putItems, [id, [...new Set(identifiers)]]);
    await q.query('declarations.clearLabels', text.clearLabels, [id]);
    await q.query('declarations.putLabels', text.putLabels, [id, labelIds]);
  }

  return {
    ...declarationSyncs(db),

    put: (declaration, expectedVersion, { concerning, at, event }) =>
      db.transaction(async (q) => {
        const lock = [...new Set([declaration.identifier, ...concerning])];
        await q.query('declarations.lock', text.lock, [lock]);
        const rows =
          expectedVersion === null
            ? await q.query('declarations.insert', text.insert, valuesOf(declaration))
            : await q.query('declarations.update', text.update, [...valuesOf(declaration), expectedVersion]);
        if (rows.length === 0) return 'conflict';
        if (concerning.length > 0) await q.query('declarations.markHolders', text.markHolders, [concerning, at]);
        sendEvents(q, s, [event]);
        return 'written';
      }),

    delete: (identifier, event) =>
      db.transaction(async (q) => {
        await q.query('declarations.lock', text.lock, [[identifier]]);
        if ((await q.query('declarations.used', text.used, [identifier])).length > 0) return 'in-use';
        if ((await q.query('declarations.remove', text.remove, [identifier])).length === 0) return 'unknown';
        sendEvents(q, s, [event]);
        return 'deleted';
      }),

    getMany: (identifiers) =>
      db.query<StoredDeclaration>('declarations.getMany', text.getMany, [[...new Set(identifiers)]]),

    async list({ after, limit }) {
      const rows = await db.query<StoredDeclaration>('declarations.list', text.list, [after ?? '', limit + 1]);
      return cut(
        rows,
        limit,
        (row) => row.identifier,
        (row) => row,
      );
    },

    putSet: (set, expectedVersion, at, event) =>
      db.transaction(async (q) => {
        const { id } = set;
        const [old] = await q.query<DeclarationSet>('declarations.lockSet', text.lockSet, [id]);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        if ((await q.query('declarations.taken', text.taken, [id, set.name])).length > 0) return 'name-taken';
        const wanted = [...new Set(set.identifiers)];
        const known = await q.query('declarations.share', text.share, [wanted]);
        if (known.length !== wanted.length) return 'unknown-declaration';
        const same =
          old !== undefined &&
          old.channel === set.channel &&
          sorted(old.identifiers) === sorted(set.identifiers) &&
          sorted(old.labelIds) === sorted(set.labelIds);
        await q.query('declarations.lockLabels', text.lockLabels, [
          [...new Set([...(old?.labelIds ?? []), ...set.labelIds])],
        ]);
        // Before and after: who had it by a label that it has no more is concerned as well.
        if (old !== undefined && !same) await mark(q, id, at);
        if (old === undefined) {
          const rows = await q.query('declarations.insertSet', text.insertSet, setValues(set));
          if (rows.length === 0) return 'name-taken';
        } else {
          await q.query('declarations.updateSet', text.updateSet, setValues(set));
        }
        await place(q, set);
        if (!same) await mark(q, id, at);
        sendEvents(q, s, [event]);
        return 'written';
      }),

    deleteSet: (id, at, event) =>
      db.transaction(async (q) => {
        const [old] = await q.query<DeclarationSet>('declarations.lockSet', text.lockSet, [id]);
        if (old === undefined) return false;
        await q.query('declarations.lockLabels', text.lockLabels, [old.labelIds]);
        await mark(q, id, at);
        await q.query('declarations.deleteSet', text.deleteSet, [id]);
        sendEvents(q, s, [event]);
        return true;
      }),

    getSets: (ids) => db.query<DeclarationSet>('declarations.getSets', text.getSets, [[...new Set(ids)]]),
    listSets: () => db.query<DeclarationSet & { readonly memberCount: number }>('declarations.listSets', text.listSets),

    async members(setId, { after, limit }) {
      const values = [setId, after ?? '', limit + 1];
      const rows = await db.query<{ id: string }>('declarations.members', text.members, values);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row.id,
      );
    },

    changeMembers: ({ setId, add, remove, at, event }) =>
      db.transaction(async (q) => {
        if ((await q.query('declarations.shareSet', text.shareSet, [setId])).length === 0) return null;
        await q.query('declarations.lockDevices', text.lockDevices, [[...new Set([...add, ...remove])]]);
        const [gone] = await q.query<{ n: number }>('declarations.leave', text.leave, [
          setId,
          [...new Set(remove)],
          at,
        ]);
        const [came] = await q.query<{ n: number }>('declarations.join', text.join, [setId, [...new Set(add)], at]);
        const [added, removed] = [came?.n ?? 0, gone?.n ?? 0];
        if (added + removed > 0) sendEvents(q, s, [{ ...event, data: { ...event.data, added, removed } }]);
        return { added, removed };
      }),

    async desired(enrolmentIds) {
      const rows = await db.query<{ id: string; sets: readonly string[] }>('declarations.desired', text.desired, [
        [...new Set(enrolmentIds)],
      ]);
      return new Map(rows.map((row) => [row.id, row.sets]));
    },
  };
}
