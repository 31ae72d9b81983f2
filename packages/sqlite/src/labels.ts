// Labels and members on SQLite.
import type { Label, LabelDefinition, LabelLook, LabelStore, MembershipChange } from '@espalier/core';
import type { Database } from './database.ts';
import { dropLabelFromSets } from './declarations.ts';
import { duplicateId } from './errors.ts';
import { markDeclarations, markReconcile } from './marks.ts';
import {
  appendEvents,
  type DeviceRowColumns,
  deviceColumns,
  deviceOf,
  deviceTables,
  type EnrolmentRow,
  enrolmentColumns,
  enrolmentOf,
  enrolmentTables,
  pageOf,
} from './rows.ts';

interface LabelRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly kind: Label['kind'];
  readonly expression: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly members: number;
}

const counted = `SELECT l.*, (SELECT count(*) FROM label_members m WHERE m.label = l.id) AS members FROM labels l`;

/** Labels over a database. */
export function sqliteLabels(db: Database): LabelStore {
  const nameTaken = ({ id, name }: LabelDefinition): boolean =>
    db.get('SELECT 1 AS one FROM labels WHERE name = ? AND id <> ?', name, id) !== undefined;

  return {
    create: (label) =>
      db.write(() => {
        if (db.get('SELECT 1 AS one FROM labels WHERE name = ?', label.name) !== undefined) return 'name-taken';
        if (db.get('SELECT 1 AS one FROM labels WHERE id = ?', label.id) !== undefined) {
          throw duplicateId('label', label.id);
        }
        db.run(
          `INSERT INTO labels (id, name, description, kind, expression, created_at, updated_at, evaluated)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5 IS NULL)`,
          label.id,
          label.name,
          label.description,
          label.kind,
          label.expression,
          label.createdAt,
          label.updatedAt,
        );
        changeVersion(db);
        return 'created';
      }),

    update: (label) =>
      db.write(() => {
        if (db.get('SELECT 1 AS one FROM labels WHERE id = ?', label.id) === undefined) return 'unknown';
        if (nameTaken(label)) return 'name-taken';
        db.run(
          `UPDATE labels SET name = ?1, description = ?2, kind = ?3, expression = ?4, created_at = ?5, updated_at = ?6,
             evaluated = CASE WHEN ?4 IS NULL THEN 1 WHEN expression IS ?4 THEN evaluated ELSE 0 END WHERE id = ?7`,
          label.name,
          label.description,
          label.kind,
          label.expression,
          label.createdAt,
          label.updatedAt,
          label.id,
        );
        changeVersion(db);
        return 'updated';
      }),

    delete: (id, at) =>
      db.write(() => {
        const label = db.get<{ name: string }>('SELECT name FROM labels WHERE id = ?', id);
        if (label === undefined) return false;
        const data = { labelId: id, label: label.name, cause: 'label-deleted' };
        const members = db.all<{ id: string }>(
          'SELECT e.id FROM label_members m JOIN enrolments e ON e.nr = m.enrolment WHERE m.label = ? ORDER BY e.id',
          id,
        );
        appendEvents(
          db,
          members.map((member) => ({ type: 'label.left', at, enrolmentId: member.id, data })),
        );
        db.run('DELETE FROM labels WHERE id = ?', id);
        const configurations = db.all<{ id: string; label_ids: string }>(
          `SELECT c.id, c.label_ids FROM configuration_labels l JOIN configurations c ON c.id = l.configuration
           WHERE l.label = ?`,
          id,
        );
        if (configurations.length > 0) {
          db.run('DELETE FROM temp.targets');
          db.run('INSERT INTO temp.targets SELECT enrolment FROM label_members WHERE label = ?', id);
          markReconcile(db, at);
        }
        for (const { id: configuration, label_ids: labelIds } of configurations) {
          const left = (JSON.parse(labelIds) as readonly string[]).filter((label) => label !== id);
          db.run('UPDATE configurations SET label_ids = ? WHERE id = ?', JSON.stringify(left), configuration);
        }
        dropLabelFromSets(db, id, at);
        db.run('DELETE FROM configuration_labels WHERE label = ?', id);
        db.run('DELETE FROM label_members WHERE label = ?', id);
        changeVersion(db);
        return true;
      }),

    list: () => db.read(() => db.all<LabelRow>(`${counted} ORDER BY l.name`).map(labelOf)),

    definitions: () => db.read(() => db.all<LabelRow>('SELECT * FROM labels ORDER BY name').map(definitionOf)),

    version: () =>
      db.read(() => db.get<{ value: number }>("SELECT value FROM counters WHERE name = 'labels'")?.value ?? 0),

    unevaluated: () =>
      db.read(() => db.all<{ id: string }>('SELECT id FROM labels WHERE evaluated = 0').map((row) => row.id)),

    evaluated: (id, expression) =>
      db.write(() => {
        db.run('UPDATE labels SET evaluated = 1 WHERE id = ? AND expression = ?', id, expression);
      }),

    get: (id) =>
      db.read(() => {
        const row = db.get<LabelRow>(`${counted} WHERE l.id = ?`, id);
        return row === undefined ? null : labelOf(row);
      }),

    members: (id, { after, limit }) =>
      db.read(() => {
        const rows = db.all<EnrolmentRow>(
          `SELECT ${enrolmentColumns} FROM ${enrolmentTables} JOIN label_members m ON m.label = ? AND m.enrolment = e.nr
           WHERE e.id > ? ORDER BY e.id LIMIT ?`,
          id,
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.id, enrolmentOf);
      }),

    memberIds: (id) =>
      db.read(() =>
        db
          .all<{ id: string }>(
            'SELECT e.id FROM label_members m JOIN enrolments e ON e.nr = m.enrolment WHERE m.label = ? ORDER BY e.id',
            id,
          )
          .map((row) => row.id),
      ),

    of: (enrolmentId) =>
      db.read(() =>
        db
          .all<LabelRow>(
            `SELECT l.* FROM enrolments e JOIN label_members m ON m.enrolment = e.nr JOIN labels l ON l.id = m.label
             WHERE e.id = ? ORDER BY l.name`,
            enrolmentId,
          )
          .map(definitionOf),
      ),

    ofMany: (enrolmentIds) =>
      db.read(() => {
        const found = new Map<string, string[]>(enrolmentIds.map((id) => [id, []]));
        const rows = db.all<{ id: string; label: string }>(
          `SELECT e.id, m.label FROM enrolments e JOIN label_members m ON m.enrolment = e.nr
           WHERE e.id IN (SELECT value FROM json_each(?))`,
          JSON.stringify(enrolmentIds),
        );
        for (const { id, label } of rows) found.get(id)?.push(label);
        return found;
      }),

    look: (ids) =>
      db.read(() => {
        const asked = JSON.stringify(ids);
        const labels = new Map<number, string[]>();
        const members = db.all<{ nr: number; label: string }>(
          `SELECT e.nr, m.label FROM enrolments e JOIN label_members m ON m.enrolment = e.nr
           WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY m.label`,
          asked,
        );
        for (const { nr, label } of members) labels.set(nr, [...(labels.get(nr) ?? []), label]);
        return db
          .all<DeviceRowColumns & { labels_due_at: number | null; awaits_contact: number }>(
            `SELECT ${deviceColumns}, e.labels_due_at, e.awaits_contact FROM ${deviceTables}
             WHERE e.id IN (SELECT value FROM json_each(?)) AND e.channel = 'device'`,
            asked,
          )
          .map((row) => ({
            ...deviceOf(row),
            labelIds: labels.get(row.nr) ?? [],
            labelsDueAt: row.labels_due_at,
            awaitsContact: row.awaits_contact === 1,
          }));
      }),

    change: ({ changes, at, cause, looks = [] }) =>
      db.write(() => {
        const outdated = new Set(looks.flatMap((look) => (settle(db, look, at) ? [] : [look.enrolmentId])));
        const left = outdated.size === 0 ? changes : changes.filter((one) => !outdated.has(one.enrolmentId));
        return change(db, left, at, cause);
      }),

    takeDue: ({ at, leaseMs, limit }) =>
      db.write(() => {
        const ids: string[] = [];
        for (;;) {
          const rows = db.all<{ nr: number; id: string; active: number }>(
            `SELECT nr, id, (status = 'active' AND channel = 'device') AS active FROM enrolments
             WHERE labels_due_at <= ? ORDER BY labels_due_at LIMIT ?`,
            at,
            limit - ids.length,
          );
          for (const { nr, id, active } of rows) {
            db.run('UPDATE enrolments SET labels_due_at = ? WHERE nr = ?', active === 1 ? at + leaseMs : null, nr);
            if (active === 1) ids.push(id);
          }
          if (rows.length === 0 || ids.length >= limit || leaseMs <= 0) return ids;
        }
      }),

    dueAll: (at) =>
      db.write(() => {
        db.run(
          `UPDATE enrolments SET labels_due_at = min(coalesce(labels_due_at, ?1), ?1)
           WHERE channel = 'device' AND status = 'active'`,
          at,
        );
      }),
  };
}

function changeVersion(db: Database): void {
  db.run(`INSERT INTO counters (name, value) VALUES ('labels', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1`);
}

/** Notes what a look came to; false when the facts are no longer those that were looked at. Inside a write. */
function settle(db: Database, look: LabelLook, at: number): boolean {
  const row = db.get<{ nr: number; last_seen_at: number | null; labels_due_at: number | null; revision: number }>(
    `SELECT e.nr, e.last_seen_at, e.labels_due_at, coalesce(f.revision, 0) AS revision
     FROM enrolments e LEFT JOIN facts f ON f.nr = e.nr WHERE e.id = ?`,
    look.enrolmentId,
  );
  if (row === undefined) return false;
  const sameFacts = row.revision === look.revision;
  const { next } = look;
  const times: (number | null)[] = [row.labels_due_at];
  if (sameFacts && next !== undefined) {
    if (row.labels_due_at === look.labelsDueAt) times.pop();
    times.push(next.dueAt);
  }
  const seen = next?.awaitsContact === true && row.last_seen_at !== look.lastSeenAt;
  if (!sameFacts || seen) times.push(at);
  const due = times.filter((time) => time !== null);
  db.run(
    'UPDATE enrolments SET labels_due_at = ?1, awaits_contact = coalesce(?2, awaits_contact) WHERE nr = ?3',
    due.length === 0 ? null : Math.min(...due),
    seen ? 0 : sameFacts && next !== undefined ? Number(next.awaitsContact) : null,
    row.nr,
  );
  return sameFacts;
}

function change(
  db: Database,
  changes: readonly MembershipChange[],
  at: number,
  cause: string,
): readonly MembershipChange[] {
  const labels = new Map<string, { readonly name: string; readonly used: boolean; readonly onSet: boolean } | null>();
  const labelOfId = (id: string) => {
    const known = labels.get(id);
    if (known !== undefined) return known;
    const row = db.get<{ name: string; used: number; on_set: number }>(
      `SELECT name, EXISTS (SELECT 1 FROM configuration_labels WHERE label = l.id) AS used,
         EXISTS (SELECT 1 FROM declaration_set_labels WHERE label = l.id) AS on_set
       FROM labels l WHERE id = ?`,
      id,
    );
    const found = row === undefined ? null : { name: row.name, used: row.used === 1, onSet: row.on_set === 1 };
    labels.set(id, found);
    return found;
  };
  const marks = new Set<number>();
  const declarationMarks = new Set<number>();
  const real = changes.filter(({ labelId, enrolmentId, member }) => {
    const label = labelOfId(labelId);
    if (label === null) return false;
    const row = db.get<{ nr: number; may: number }>(
      "SELECT nr, (channel = 'device' AND status = 'active') AS may FROM enrolments WHERE id = ?",
      enrolmentId,
    );
    if (row === undefined || (member && row.may !== 1)) return false;
    const done = member
      ? db.run('INSERT OR IGNORE INTO label_members (label, enrolment) VALUES (?, ?)', labelId, row.nr)
      : db.run('DELETE FROM label_members WHERE label = ? AND enrolment = ?', labelId, row.nr);
    if (done === 0) return false;
    if (label.used) marks.add(row.nr);
    if (label.onSet) declarationMarks.add(row.nr);
    const type = member ? 'label.joined' : 'label.left';
    appendEvents(db, [{ type, at, enrolmentId, data: { labelId, label: label.name, cause } }]);
    return true;
  });
  if (marks.size > 0) {
    db.run('DELETE FROM temp.targets');
    db.run('INSERT INTO temp.targets SELECT value FROM json_each(?)', JSON.stringify([...marks]));
    markReconcile(db, at);
  }
  if (declarationMarks.size > 0) {
    db.run('DELETE FROM temp.targets');
    db.run('INSERT INTO temp.targets SELECT value FROM json_each(?)', JSON.stringify([...declarationMarks]));
    markDeclarations(db, at);
  }
  return real;
}

function definitionOf(row: LabelRow): LabelDefinition {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    kind: row.kind,
    expression: row.expression,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function labelOf(row: LabelRow): Label {
  return { ...definitionOf(row), memberCount: row.members };
}
