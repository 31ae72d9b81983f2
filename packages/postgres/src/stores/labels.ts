// Labels and members on PostgreSQL.
import type { Enrolment, Label, LabelDefinition, LabelStore, MembershipChange } from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { appendEvents, cut, enrolmentColumns } from '../rows.ts';

/** Labels over the database. */
export function postgresLabels(db: Database): LabelStore {
  const s = db.schema;
  const columns = `b.id, b.name, b.description, b.kind, b.expression, b.created_at AS "createdAt", b.updated_at AS "updatedAt"`;
  const counted = `${columns}, (SELECT count(*) FROM ${s}.member m WHERE m.label_id = b.id) AS "memberCount"
    FROM ${s}.label b`;
  const text = {
    create: `INSERT INTO ${s}.label (id, name, description, kind, expression, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING RETURNING 1`,
    lockOne: `SELECT 1 FROM ${s}.label WHERE id = $1 FOR UPDATE`,
    taken: `SELECT 1 FROM ${s}.label WHERE name = $2 AND id <> $1`,
    update: `UPDATE ${s}.label SET name = $2, description = $3, kind = $4, expression = $5, created_at = $6, updated_at = $7
      WHERE id = $1`,
    markMembers: `SELECT FROM ${s}.mark_enrolments(
        ARRAY(SELECT m.enrolment_id FROM ${s}.member m WHERE m.label_id = $1
          AND EXISTS (SELECT FROM ${s}.configuration_label c WHERE c.label_id = $1)), $2)`,
    delete: `WITH place AS (DELETE FROM ${s}.configuration_label WHERE label_id = $1),
      members AS (DELETE FROM ${s}.member WHERE label_id = $1)
      DELETE FROM ${s}.label WHERE id = $1`,
    list: `SELECT ${counted} ORDER BY b.name`,
    definitions: `SELECT ${columns} FROM ${s}.label b ORDER BY b.name`,
    get: `SELECT ${counted} WHERE b.id = $1`,
    members: `SELECT ${enrolmentColumns(s)} FROM ${s}.member m
      JOIN ${s}.live l ON l.id = m.enrolment_id JOIN ${s}.enrolment e ON e.id = l.id
      WHERE m.label_id = $1 AND m.enrolment_id > $2 ORDER BY m.enrolment_id LIMIT $3`,
    memberIds: `SELECT enrolment_id AS id FROM ${s}.member WHERE label_id = $1 ORDER BY enrolment_id`,
    of: `SELECT ${columns} FROM ${s}.member m JOIN ${s}.label b ON b.id = m.label_id
      WHERE m.enrolment_id = $1 ORDER BY b.name`,
    ofMany: `SELECT m.enrolment_id AS id, array_agg(m.label_id ORDER BY m.label_id) AS labels
      FROM ${s}.member m WHERE m.enrolment_id = ANY ($1::text[]) GROUP BY m.enrolment_id`,
    // A configuration that is being put on a label, and the label's members, wait for each other.
    lockMany: `SELECT id, name, EXISTS (SELECT FROM ${s}.configuration_label c WHERE c.label_id = b.id) AS used
      FROM ${s}.label b WHERE id = ANY ($1::text[]) ORDER BY id FOR SHARE`,
    lockDevices: `SELECT FROM ${s}.live WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE`,
    // The labels are read again: the first look may have been from before a configuration came to one of them.
    used: `SELECT DISTINCT label_id AS id FROM ${s}.configuration_label WHERE label_id = ANY ($1::text[])`,
    join: `INSERT INTO ${s}.member (label_id, enrolment_id)
      SELECT t.label_id, t.enrolment_id FROM unnest($1::text[], $2::text[]) AS t (label_id, enrolment_id)
      JOIN ${s}.label b ON b.id = t.label_id
      JOIN ${s}.live l ON l.id = t.enrolment_id AND l.channel = 'device' AND l.status = 'active'
      ON CONFLICT DO NOTHING RETURNING label_id AS "labelId", enrolment_id AS "enrolmentId"`,
    leave: `DELETE FROM ${s}.member m USING unnest($1::text[], $2::text[]) AS t (label_id, enrolment_id)
      WHERE m.label_id = t.label_id AND m.enrolment_id = t.enrolment_id
      RETURNING m.label_id AS "labelId", m.enrolment_id AS "enrolmentId"`,
    mark: `SELECT FROM ${s}.mark_enrolments($1::text[], $2)`,
  };
  const valuesOf = (label: LabelDefinition): Value[] => [
    label.id,
    label.name,
    label.description,
    label.kind,
    label.expression,
    label.createdAt,
    label.updatedAt,
  ];

  return {
    async create(label) {
      const rows = await db.query('labels.create', text.create, valuesOf(label));
      return rows.length > 0 ? 'created' : 'name-taken';
    },

    update: (label) =>
      db.transaction(async (q) => {
        if ((await q.query('labels.lockOne', text.lockOne, [label.id])).length === 0) return 'unknown';
        if ((await q.query('labels.taken', text.taken, [label.id, label.name])).length > 0) return 'name-taken';
        await q.query('labels.update', text.update, valuesOf(label));
        return 'updated';
      }),

    delete: (id, at) =>
      db.transaction(async (q) => {
        if ((await q.query('labels.lockOne', text.lockOne, [id])).length === 0) return false;
        await q.query('labels.markMembers', text.markMembers, [id, at]);
        await q.query('labels.delete', text.delete, [id]);
        return true;
      }),

    list: () => db.query<Label>('labels.list', text.list),
    definitions: () => db.query<LabelDefinition>('labels.definitions', text.definitions),

    async get(id) {
      return (await db.query<Label>('labels.get', text.get, [id]))[0] ?? null;
    },

    async members(id, { after, limit }) {
      const rows = await db.query<Enrolment>('labels.members', text.members, [id, after ?? '', limit + 1]);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row,
      );
    },

    async memberIds(id) {
      return (await db.query<{ id: string }>('labels.memberIds', text.memberIds, [id])).map((row) => row.id);
    },

    of: (enrolmentId) => db.query<LabelDefinition>('labels.of', text.of, [enrolmentId]),

    async ofMany(enrolmentIds) {
      const rows = await db.query<{ id: string; labels: readonly string[] }>('labels.ofMany', text.ofMany, [
        [...new Set(enrolmentIds)],
      ]);
      const found = new Map(rows.map((row) => [row.id, row.labels]));
      return new Map(enrolmentIds.map((id) => [id, found.get(id) ?? []]));
    },

    async change({ changes, at, cause }) {
      if (changes.length === 0) return [];
      const labelIds = [...new Set(changes.map((change) => change.labelId))];
      const enrolmentIds = [...new Set(changes.map((change) => change.enrolmentId))];
      return db.transaction(async (q) => {
        const labels = await q.query<{ id: string; name: string }>('labels.lockMany', text.lockMany, [labelIds]);
        const names = new Map(labels.map((label) => [label.id, label.name]));
        await q.query('labels.lockDevices', text.lockDevices, [enrolmentIds]);
        const used = new Set(
          (await q.query<{ id: string }>('labels.used', text.used, [labelIds])).map((row) => row.id),
        );
        const real: MembershipChange[] = [];
        // Changes of one kind in a row go together; usually that is all of them.
        for (const run of runsOf(changes)) {
          const values = [run.map((change) => change.labelId), run.map((change) => change.enrolmentId)];
          const member = run[0]!.member;
          const rows = await q.query<Omit<MembershipChange, 'member'>>(
            member ? 'labels.join' : 'labels.leave',
            member ? text.join : text.leave,
            values,
          );
          const done = new Set(rows.map((row) => JSON.stringify([row.labelId, row.enrolmentId])));
          real.push(...run.filter((change) => done.delete(JSON.stringify([change.labelId, change.enrolmentId]))));
        }
        const marked = [...new Set(real.filter((one) => used.has(one.labelId)).map((one) => one.enrolmentId))];
        if (marked.length > 0) await q.query('labels.mark', text.mark, [marked, at]);
        await appendEvents(
          q,
          s,
          real.map(({ labelId, enrolmentId, member }) => ({
            type: member ? 'label.joined' : 'label.left',
            at,
            enrolmentId,
            data: { labelId, label: names.get(labelId) ?? '', cause },
          })),
        );
        return real;
      });
    },
  };
}

/** Cuts a list of changes into runs of joins and of leaves. */
function runsOf(changes: readonly MembershipChange[]): MembershipChange[][] {
  const runs: MembershipChange[][] = [];
  for (const change of changes) {
    const last = runs.at(-1);
    if (last?.[0]?.member === change.member) last.push(change);
    else runs.push([change]);
  }
  return runs;
}
