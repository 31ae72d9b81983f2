// Labels and members on PostgreSQL.
import type {
  Enrolment,
  Label,
  LabelDefinition,
  LabelDevice,
  LabelLook,
  LabelStore,
  MembershipChange,
} from '@espalier/core';
import type { Database, Queryable, Value } from '../database.ts';
import { cut, type DeviceColumns, deviceColumns, deviceOf, enrolmentColumns, sendEvents } from '../rows.ts';

/** Labels over the database. */
export function postgresLabels(db: Database): LabelStore {
  const s = db.schema;
  const columns = `b.id, b.name, b.description, b.kind, b.expression, b.created_at AS "createdAt", b.updated_at AS "updatedAt"`;
  const counted = `${columns}, (SELECT count(*) FROM ${s}.member m WHERE m.label_id = b.id) AS "memberCount"
    FROM ${s}.label b`;
  const text = {
    create: `INSERT INTO ${s}.label (id, name, description, kind, expression, created_at, updated_at, evaluated)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $5::text IS NULL) ON CONFLICT (name) DO NOTHING RETURNING 1`,
    lockOne: `SELECT 1 FROM ${s}.label WHERE id = $1 FOR UPDATE`,
    taken: `SELECT 1 FROM ${s}.label WHERE name = $2 AND id <> $1`,
    update: `UPDATE ${s}.label SET name = $2, description = $3, kind = $4, expression = $5, created_at = $6, updated_at = $7,
        evaluated = CASE WHEN $5::text IS NULL THEN true WHEN expression = $5 THEN evaluated ELSE false END
      WHERE id = $1`,
    // Last in its transaction, because the next change of a label waits for it.
    changeVersion: `INSERT INTO ${s}.setting AS v (name, value) VALUES ('store.labels-version', '1')
      ON CONFLICT (name) DO UPDATE SET value = (v.value::bigint + 1)::text`,
    version: `SELECT value::bigint AS version FROM ${s}.setting WHERE name = 'store.labels-version'`,
    unevaluated: `SELECT id FROM ${s}.label WHERE NOT evaluated ORDER BY id`,
    evaluated: `UPDATE ${s}.label SET evaluated = true WHERE id = $1 AND expression = $2`,
    look: `SELECT ${deviceColumns(s)}, l.labels_due_at AS "labelsDueAt", l.awaits_contact AS "awaitsContact",
        ARRAY(SELECT m.label_id FROM ${s}.member m WHERE m.enrolment_id = l.id ORDER BY m.label_id) AS "labelIds"
      FROM unnest($1::text[]) AS u (id) JOIN ${s}.live l ON l.id = u.id
      JOIN ${s}.enrolment e ON e.id = l.id JOIN ${s}.inventory i ON i.enrolment_id = l.id
      WHERE l.channel = 'device'`,
    settle: `WITH state AS (
        SELECT k.id, i.revision = k.revision AS same,
          i.revision = k.revision AND k.has_next AS settles,
          k.has_next AND k.next_awaits AND l.last_seen_at IS DISTINCT FROM k.last_seen_at AS seen,
          l.labels_due_at AS due, k.labels_due_at AS looked_due, k.next_due, k.next_awaits, l.awaits_contact AS awaits
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::boolean[])
          AS k (id, revision, last_seen_at, labels_due_at, has_next, next_due, next_awaits)
        JOIN ${s}.live l ON l.id = k.id JOIN ${s}.inventory i ON i.enrolment_id = k.id
      ), next AS (
        SELECT id, least(
            CASE WHEN settles AND due IS NOT DISTINCT FROM looked_due THEN NULL ELSE due END,
            CASE WHEN settles THEN next_due END,
            CASE WHEN seen OR NOT same THEN $8::bigint END) AS due,
          CASE WHEN seen THEN false WHEN settles THEN next_awaits ELSE awaits END AS awaits
        FROM state
      ), done AS (
        UPDATE ${s}.live l SET labels_due_at = n.due, awaits_contact = n.awaits FROM next n
        WHERE l.id = n.id AND (l.labels_due_at IS DISTINCT FROM n.due OR l.awaits_contact <> n.awaits)
      )
      SELECT id FROM state WHERE same`,
    takeDue: `WITH due AS MATERIALIZED (
        SELECT l.id, l.labels_due_at AS due, l.status = 'active' AND l.channel = 'device' AS active FROM ${s}.live l
        WHERE l.labels_due_at <= $1 ORDER BY l.labels_due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
      ), taken AS (
        UPDATE ${s}.live l SET labels_due_at = CASE WHEN due.active THEN $1::bigint + $2::bigint END FROM due
        WHERE l.id = due.id
      )
      SELECT id FROM due WHERE active ORDER BY due.due, id`,
    dueAll: `UPDATE ${s}.live SET labels_due_at = least(labels_due_at, $1)
      WHERE channel = 'device' AND status = 'active' AND (labels_due_at IS NULL OR labels_due_at > $1)`,
    markMembers: `SELECT FROM ${s}.mark_enrolments(
        ARRAY(SELECT m.enrolment_id FROM ${s}.member m WHERE m.label_id = $1
          AND EXISTS (SELECT FROM ${s}.configuration_label c WHERE c.label_id = $1)), $2),
        ${s}.mark_declarations(
        ARRAY(SELECT m.enrolment_id FROM ${s}.member m WHERE m.label_id = $1
          AND EXISTS (SELECT FROM ${s}.declaration_set_label c WHERE c.label_id = $1)), $2)`,
    delete: `WITH place AS (DELETE FROM ${s}.configuration_label WHERE label_id = $1),
      place_on_set AS (DELETE FROM ${s}.declaration_set_label WHERE label_id = $1),
      members AS (DELETE FROM ${s}.member WHERE label_id = $1)
      DELETE FROM ${s}.label WHERE id = $1`,
    name: `SELECT name FROM ${s}.label WHERE id = $1`,
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
    used: `SELECT 'configuration' AS by, label_id AS id FROM ${s}.configuration_label WHERE label_id = ANY ($1::text[])
      UNION SELECT 'set', label_id FROM ${s}.declaration_set_label WHERE label_id = ANY ($1::text[])`,
    join: `INSERT INTO ${s}.member (label_id, enrolment_id)
      SELECT t.label_id, t.enrolment_id FROM unnest($1::text[], $2::text[]) AS t (label_id, enrolment_id)
      JOIN ${s}.label b ON b.id = t.label_id
      JOIN ${s}.live l ON l.id = t.enrolment_id AND l.channel = 'device' AND l.status = 'active'
      ON CONFLICT DO NOTHING RETURNING label_id AS "labelId", enrolment_id AS "enrolmentId"`,
    leave: `DELETE FROM ${s}.member m USING unnest($1::text[], $2::text[]) AS t (label_id, enrolment_id)
      WHERE m.label_id = t.label_id AND m.enrolment_id = t.enrolment_id
      RETURNING m.label_id AS "labelId", m.enrolment_id AS "enrolmentId"`,
    mark: `SELECT FROM ${s}.mark_enrolments($1::text[], $2)`,
    markDeclarations: `SELECT FROM ${s}.mark_declarations($1::text[], $2)`,
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

  /** Notes what looks came to; gives the devices whose facts are no longer those that were looked at. */
  async function settle(q: Queryable, looks: readonly LabelLook[], at: number): Promise<ReadonlySet<string>> {
    if (looks.length === 0) return new Set();
    const same = await q.query<{ id: string }>('labels.settle', text.settle, [
      looks.map((look) => look.enrolmentId),
      looks.map((look) => look.revision),
      looks.map((look) => look.lastSeenAt),
      looks.map((look) => look.labelsDueAt),
      looks.map((look) => look.next !== undefined),
      looks.map((look) => look.next?.dueAt ?? null),
      looks.map((look) => look.next?.awaitsContact ?? false),
      at,
    ]);
    const current = new Set(same.map((row) => row.id));
    return new Set(looks.map((look) => look.enrolmentId).filter((id) => !current.has(id)));
  }

  return {
    create: (label) =>
      db.transaction(async (q) => {
        if ((await q.query('labels.create', text.create, valuesOf(label))).length === 0) return 'name-taken';
        await q.query('labels.changeVersion', text.changeVersion);
        return 'created';
      }),

    update: (label) =>
      db.transaction(async (q) => {
        if ((await q.query('labels.lockOne', text.lockOne, [label.id])).length === 0) return 'unknown';
        if ((await q.query('labels.taken', text.taken, [label.id, label.name])).length > 0) return 'name-taken';
        await q.query('labels.update', text.update, valuesOf(label));
        await q.query('labels.changeVersion', text.changeVersion);
        return 'updated';
      }),

    delete: (id, at) =>
      db.transaction(async (q) => {
        if ((await q.query('labels.lockOne', text.lockOne, [id])).length === 0) return false;
        await q.query('labels.markMembers', text.markMembers, [id, at]);
        const [label] = await q.query<{ name: string }>('labels.name', text.name, [id]);
        const data = { labelId: id, label: label!.name, cause: 'label-deleted' };
        const left = await q.query<{ id: string }>('labels.memberIds', text.memberIds, [id]);
        sendEvents(
          q,
          s,
          left.map((member) => ({ type: 'label.left', at, enrolmentId: member.id, data })),
        );
        await q.query('labels.delete', text.delete, [id]);
        await q.query('labels.changeVersion', text.changeVersion);
        return true;
      }),

    list: () => db.query<Label>('labels.list', text.list),
    definitions: () => db.query<LabelDefinition>('labels.definitions', text.definitions),

    async version() {
      return (await db.query<{ version: number }>('labels.version', text.version))[0]?.version ?? 0;
    },

    async unevaluated() {
      return (await db.query<{ id: string }>('labels.unevaluated', text.unevaluated)).map((row) => row.id);
    },

    async evaluated(id, expression) {
      await db.query('labels.evaluated', text.evaluated, [id, expression]);
    },

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

    async look(ids) {
      type Row = DeviceColumns & Pick<LabelDevice, 'labelIds' | 'labelsDueAt' | 'awaitsContact'>;
      const rows = await db.query<Row>('labels.look', text.look, [[...new Set(ids)]]);
      return rows.map((row) => ({
        ...deviceOf(row),
        labelIds: row.labelIds,
        labelsDueAt: row.labelsDueAt,
        awaitsContact: row.awaitsContact,
      }));
    },

    async takeDue({ at, leaseMs, limit }) {
      return (await db.query<{ id: string }>('labels.takeDue', text.takeDue, [at, leaseMs, limit])).map(
        (row) => row.id,
      );
    },

    async dueAll(at) {
      await db.query('labels.dueAll', text.dueAll, [at]);
    },

    async change({ changes: asked, at, cause, looks = [] }) {
      if (asked.length === 0 && looks.length === 0) return [];
      const labelIds = [...new Set(asked.map((change) => change.labelId))];
      const enrolmentIds = [...new Set([...asked, ...looks].map((one) => one.enrolmentId))];
      return db.transaction(async (q) => {
        const labels = await q.query<{ id: string; name: string }>('labels.lockMany', text.lockMany, [labelIds]);
        const names = new Map(labels.map((label) => [label.id, label.name]));
        await q.query('labels.lockDevices', text.lockDevices, [enrolmentIds]);
        const outdated = await settle(q, looks, at);
        const changes = asked.filter((change) => !outdated.has(change.enrolmentId));
        const uses = await q.query<{ by: string; id: string }>('labels.used', text.used, [labelIds]);
        const used = new Set(uses.filter((row) => row.by === 'configuration').map((row) => row.id));
        const onSets = new Set(uses.filter((row) => row.by === 'set').map((row) => row.id));
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
        const declared = [...new Set(real.filter((one) => onSets.has(one.labelId)).map((one) => one.enrolmentId))];
        if (declared.length > 0) await q.query('labels.markDeclarations', text.markDeclarations, [declared, at]);
        sendEvents(
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
