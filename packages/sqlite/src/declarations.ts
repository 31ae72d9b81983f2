// Declarations, sets and their members on SQLite; what channels are to have and what they say is in declaration-syncs.ts.
import type { DeclarationSet, DeclarationStore, StoredDeclaration } from '@espalier/core';
import type { Database } from './database.ts';
import { declarationSyncs } from './declaration-syncs.ts';
import { markDeclarations } from './marks.ts';
import { appendEvents, pageOf } from './rows.ts';

interface DeclarationRow {
  readonly identifier: string;
  readonly type: string;
  readonly kind: StoredDeclaration['kind'];
  readonly description: string;
  readonly payload: string;
  readonly server_token: string;
  readonly content: string | null;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

interface SetRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly channel: DeclarationSet['channel'];
  readonly identifiers: string;
  readonly label_ids: string;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly members: number;
}

/** Fills the targets with the members of sets: directly, and by label. */
const concernedBy = (sets: string): string => `
  INSERT INTO temp.targets
  SELECT enrolment FROM declaration_set_members WHERE set_id IN (${sets})
  UNION SELECT m.enrolment FROM declaration_set_labels l JOIN label_members m ON m.label = l.label
    WHERE l.set_id IN (${sets})`;

/** Declarations over a database. */
export function sqliteDeclarations(db: Database): DeclarationStore {
  const setRow = (id: string): SetRow | undefined =>
    db.get<SetRow>('SELECT s.*, 0 AS members FROM declaration_sets s WHERE s.id = ?', id);

  function markSet(id: string, at: number): void {
    db.run('DELETE FROM temp.targets');
    db.run(concernedBy('SELECT ?1'), id);
    markDeclarations(db, at);
  }

  return {
    ...declarationSyncs(db),

    put: (declaration, expectedVersion, { concerning, at, event }) =>
      db.write(() => {
        const { identifier } = declaration;
        const old = db.get<{ version: number }>('SELECT version FROM declarations WHERE identifier = ?', identifier);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        putDeclaration(db, declaration);
        if (concerning.length > 0) {
          db.run('DELETE FROM temp.targets');
          const sets =
            'SELECT set_id FROM declaration_set_items WHERE declaration IN (SELECT value FROM json_each(?1))';
          db.run(concernedBy(sets), JSON.stringify(concerning));
          markDeclarations(db, at);
        }
        appendEvents(db, [event]);
        return 'written';
      }),

    delete: (identifier, event) =>
      db.write(() => {
        const used = db.get('SELECT 1 AS one FROM declaration_set_items WHERE declaration = ? LIMIT 1', identifier);
        if (used !== undefined) return 'in-use';
        if (db.run('DELETE FROM declarations WHERE identifier = ?', identifier) === 0) return 'unknown';
        appendEvents(db, [event]);
        return 'deleted';
      }),

    getMany: (identifiers) =>
      db.read(() =>
        db
          .all<DeclarationRow>(
            'SELECT * FROM declarations WHERE identifier IN (SELECT value FROM json_each(?))',
            JSON.stringify(identifiers),
          )
          .map(declarationOf),
      ),

    list: ({ after, limit }) =>
      db.read(() => {
        const rows = db.all<DeclarationRow>(
          'SELECT * FROM declarations WHERE identifier > ? ORDER BY identifier LIMIT ?',
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.identifier, declarationOf);
      }),

    putSet: (set, expectedVersion, at, event) =>
      db.write(() => {
        const row = setRow(set.id);
        const old = row === undefined ? null : setOf(row);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        const taken = db.get('SELECT 1 AS one FROM declaration_sets WHERE name = ? AND id <> ?', set.name, set.id);
        if (taken !== undefined) return 'name-taken';
        const known = db.get<{ n: number }>(
          'SELECT count(*) AS n FROM declarations WHERE identifier IN (SELECT value FROM json_each(?))',
          JSON.stringify(set.identifiers),
        );
        if (known?.n !== new Set(set.identifiers).size) return 'unknown-declaration';
        const sorted = (ids: readonly string[]): string => JSON.stringify([...ids].sort());
        const same =
          old !== null &&
          old.channel === set.channel &&
          sorted(old.identifiers) === sorted(set.identifiers) &&
          sorted(old.labelIds) === sorted(set.labelIds);
        // Before and after: who had it by a label that it has no more is concerned as well.
        if (!same && old !== null) markSet(set.id, at);
        putSet(db, set);
        if (!same) markSet(set.id, at);
        appendEvents(db, [event]);
        return 'written';
      }),

    deleteSet: (id, at, event) =>
      db.write(() => {
        if (setRow(id) === undefined) return false;
        markSet(id, at);
        for (const table of ['items', 'labels', 'members']) {
          db.run(`DELETE FROM declaration_set_${table} WHERE set_id = ?`, id);
        }
        db.run('DELETE FROM declaration_sets WHERE id = ?', id);
        appendEvents(db, [event]);
        return true;
      }),

    getSets: (ids) =>
      db.read(() =>
        db
          .all<SetRow>(
            'SELECT s.*, 0 AS members FROM declaration_sets s WHERE s.id IN (SELECT value FROM json_each(?))',
            JSON.stringify(ids),
          )
          .map(setOf),
      ),

    listSets: () =>
      db.read(() =>
        db
          .all<SetRow>(
            `SELECT s.*, (SELECT count(*) FROM declaration_set_members m WHERE m.set_id = s.id) AS members
             FROM declaration_sets s ORDER BY s.name`,
          )
          .map((row) => ({ ...setOf(row), memberCount: row.members })),
      ),

    members: (setId, { after, limit }) =>
      db.read(() => {
        const rows = db.all<{ id: string }>(
          `SELECT e.id FROM declaration_set_members m JOIN enrolments e ON e.nr = m.enrolment
           WHERE m.set_id = ? AND e.id > ? ORDER BY e.id LIMIT ?`,
          setId,
          after ?? '',
          limit + 1,
        );
        return pageOf(
          rows,
          limit,
          (row) => row.id,
          (row) => row.id,
        );
      }),

    changeMembers: ({ setId, add, remove, at, event }) =>
      db.write(() => {
        if (setRow(setId) === undefined) return null;
        const choose = (ids: readonly string[], condition: string): void => {
          db.run('DELETE FROM temp.targets');
          db.run(
            `INSERT INTO temp.targets SELECT e.nr FROM enrolments e
             WHERE e.id IN (SELECT value FROM json_each(?)) AND ${condition}`,
            JSON.stringify(ids),
            setId,
          );
        };
        const isMember = 'EXISTS (SELECT 1 FROM declaration_set_members m WHERE m.set_id = ? AND m.enrolment = e.nr)';
        choose(remove, isMember);
        const removed = db.run(
          'DELETE FROM declaration_set_members WHERE set_id = ? AND enrolment IN (SELECT nr FROM temp.targets)',
          setId,
        );
        if (removed > 0) markDeclarations(db, at);
        choose(add, `e.status IN ('pending', 'active') AND NOT ${isMember}`);
        const added = db.run(
          'INSERT INTO declaration_set_members (set_id, enrolment) SELECT ?, nr FROM temp.targets',
          setId,
        );
        if (added > 0) markDeclarations(db, at);
        if (added + removed > 0) appendEvents(db, [{ ...event, data: { ...event.data, added, removed } }]);
        return { added, removed };
      }),

    desired: (enrolmentIds) =>
      db.read(() => {
        const rows = db.all<{ id: string; set_id: string }>(
          `WITH wanted AS MATERIALIZED (
             SELECT e.nr, e.id, e.channel, coalesce(e.parent, e.nr) AS owner FROM enrolments e
             WHERE e.id IN (SELECT value FROM json_each(?))
           )
           -- CROSS JOIN: in this order, from the few channels to their sets.
           SELECT w.id, s.id AS set_id FROM wanted w
             CROSS JOIN declaration_set_members m ON m.enrolment = w.nr
             CROSS JOIN declaration_sets s ON s.id = m.set_id AND s.channel = w.channel
           UNION SELECT w.id, s.id FROM wanted w
             CROSS JOIN declaration_set_members m ON m.enrolment = w.owner
             CROSS JOIN declaration_sets s ON s.id = m.set_id AND s.channel = w.channel
           UNION SELECT w.id, s.id FROM wanted w
             CROSS JOIN label_members m ON m.enrolment = w.owner
             CROSS JOIN declaration_set_labels l ON l.label = m.label
             CROSS JOIN declaration_sets s ON s.id = l.set_id AND s.channel = w.channel
           ORDER BY 1, 2`,
          JSON.stringify(enrolmentIds),
        );
        const found = new Map<string, string[]>();
        for (const { id, set_id: setId } of rows) {
          const list = found.get(id);
          if (list === undefined) found.set(id, [setId]);
          else list.push(setId);
        }
        return found;
      }),
  };
}

/** Takes a label off the sets that have it, inside a write; its members are marked when there are any. */
export function dropLabelFromSets(db: Database, label: string, at: number): void {
  const sets = db.all<{ id: string; label_ids: string }>(
    'SELECT s.id, s.label_ids FROM declaration_set_labels l JOIN declaration_sets s ON s.id = l.set_id WHERE l.label = ?',
    label,
  );
  if (sets.length === 0) return;
  db.run('DELETE FROM temp.targets');
  db.run('INSERT INTO temp.targets SELECT enrolment FROM label_members WHERE label = ?', label);
  markDeclarations(db, at);
  for (const { id, label_ids: labelIds } of sets) {
    const left = (JSON.parse(labelIds) as readonly string[]).filter((one) => one !== label);
    db.run('UPDATE declaration_sets SET label_ids = ? WHERE id = ?', JSON.stringify(left), id);
  }
  db.run('DELETE FROM declaration_set_labels WHERE label = ?', label);
}

/** Forgets what declarative management knows of an enrolment that begins anew or leaves, inside a write. */
export function dropDeclarations(db: Database, nr: number): void {
  db.run('DELETE FROM declaration_marks WHERE enrolment = ?', nr);
  db.run('DELETE FROM declaration_syncs WHERE enrolment = ?', nr);
  db.run('DELETE FROM declaration_states WHERE enrolment = ?', nr);
}

function putDeclaration(db: Database, declaration: StoredDeclaration): void {
  db.run(
    `INSERT INTO declarations (identifier, type, kind, description, payload, server_token, content, version, created_at,
       updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (identifier) DO UPDATE SET type = excluded.type, kind = excluded.kind,
       description = excluded.description, payload = excluded.payload, server_token = excluded.server_token,
       content = excluded.content, version = excluded.version, created_at = excluded.created_at,
       updated_at = excluded.updated_at`,
    declaration.identifier,
    declaration.type,
    declaration.kind,
    declaration.description,
    JSON.stringify(declaration.payload),
    declaration.serverToken,
    declaration.content === null ? null : JSON.stringify(declaration.content),
    declaration.version,
    declaration.createdAt,
    declaration.updatedAt,
  );
}

function putSet(db: Database, set: DeclarationSet): void {
  db.run(
    `INSERT INTO declaration_sets (id, name, description, channel, identifiers, label_ids, version, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description,
       channel = excluded.channel, identifiers = excluded.identifiers, label_ids = excluded.label_ids,
       version = excluded.version, created_at = excluded.created_at, updated_at = excluded.updated_at`,
    set.id,
    set.name,
    set.description,
    set.channel,
    JSON.stringify(set.identifiers),
    JSON.stringify(set.labelIds),
    set.version,
    set.createdAt,
    set.updatedAt,
  );
  for (const [table, column, ids] of [
    ['items', 'declaration', set.identifiers],
    ['labels', 'label', set.labelIds],
  ] as const) {
    db.run(`DELETE FROM declaration_set_${table} WHERE set_id = ?`, set.id);
    db.run(
      `INSERT OR IGNORE INTO declaration_set_${table} (${column}, set_id) SELECT value, ? FROM json_each(?)`,
      set.id,
      JSON.stringify(ids),
    );
  }
}

function declarationOf(row: DeclarationRow): StoredDeclaration {
  return {
    identifier: row.identifier,
    type: row.type,
    kind: row.kind,
    description: row.description,
    payload: JSON.parse(row.payload) as StoredDeclaration['payload'],
    serverToken: row.server_token,
    content: row.content === null ? null : (JSON.parse(row.content) as StoredDeclaration['content']),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function setOf(row: SetRow): DeclarationSet {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    channel: row.channel,
    identifiers: JSON.parse(row.identifiers) as readonly string[],
    labelIds: JSON.parse(row.label_ids) as readonly string[],
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
