// Labels and members on SQLite.
import type { Label, LabelDefinition, LabelStore, MembershipChange } from '@espalier/core';
import type { Database } from './database.ts';
import { duplicateId } from './errors.ts';
import { markReconcile } from './marks.ts';
import { appendEvents, type EnrolmentRow, enrolmentColumns, enrolmentOf, enrolmentTables, pageOf } from './rows.ts';

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
          'INSERT INTO labels (id, name, description, kind, expression, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
          label.id,
          label.name,
          label.description,
          label.kind,
          label.expression,
          label.createdAt,
          label.updatedAt,
        );
        return 'created';
      }),

    update: (label) =>
      db.write(() => {
        if (db.get('SELECT 1 AS one FROM labels WHERE id = ?', label.id) === undefined) return 'unknown';
        if (nameTaken(label)) return 'name-taken';
        db.run(
          'UPDATE labels SET name = ?, description = ?, kind = ?, expression = ?, created_at = ?, updated_at = ? WHERE id = ?',
          label.name,
          label.description,
          label.kind,
          label.expression,
          label.createdAt,
          label.updatedAt,
          label.id,
        );
        return 'updated';
      }),

    delete: (id, at) =>
      db.write(() => {
        if (db.run('DELETE FROM labels WHERE id = ?', id) === 0) return false;
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
        db.run('DELETE FROM configuration_labels WHERE label = ?', id);
        db.run('DELETE FROM label_members WHERE label = ?', id);
        return true;
      }),

    list: () => db.read(() => db.all<LabelRow>(`${counted} ORDER BY l.name`).map(labelOf)),

    definitions: () => db.read(() => db.all<LabelRow>('SELECT * FROM labels ORDER BY name').map(definitionOf)),

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

    change: ({ changes, at, cause }) => db.write(() => change(db, changes, at, cause)),
  };
}

function change(
  db: Database,
  changes: readonly MembershipChange[],
  at: number,
  cause: string,
): readonly MembershipChange[] {
  const labels = new Map<string, { readonly name: string; readonly used: boolean } | null>();
  const labelOfId = (id: string) => {
    const known = labels.get(id);
    if (known !== undefined) return known;
    const row = db.get<{ name: string; used: number }>(
      'SELECT name, EXISTS (SELECT 1 FROM configuration_labels WHERE label = l.id) AS used FROM labels l WHERE id = ?',
      id,
    );
    const found = row === undefined ? null : { name: row.name, used: row.used === 1 };
    labels.set(id, found);
    return found;
  };
  const marks = new Set<number>();
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
    const type = member ? 'label.joined' : 'label.left';
    appendEvents(db, [{ type, at, enrolmentId, data: { labelId, label: label.name, cause } }]);
    return true;
  });
  if (marks.size > 0) {
    db.run('DELETE FROM temp.targets');
    db.run('INSERT INTO temp.targets SELECT value FROM json_each(?)', JSON.stringify([...marks]));
    markReconcile(db, at);
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
