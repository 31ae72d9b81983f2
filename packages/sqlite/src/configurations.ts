// Configurations, assignments and reconcile marks on SQLite.
import type { AssignmentRecord, Configuration, ConfigurationStore } from '@espalier/core';
import type { Database } from './database.ts';
import { duplicateId } from './errors.ts';
import { markReconcile } from './marks.ts';
import {
  type AssignmentRow,
  appendEvents,
  assignmentOf,
  type ConfigurationRow,
  configurationOf,
  pageOf,
  setTargets,
} from './rows.ts';

/** Configurations over a database. */
export function sqliteConfigurations(db: Database): ConfigurationStore {
  const nameTaken = ({ id, name }: Configuration): boolean =>
    db.get('SELECT 1 AS one FROM configurations WHERE name = ? AND id <> ?', name, id) !== undefined;

  return {
    create: (configuration, at, event) =>
      db.write(() => {
        const { id, name } = configuration;
        if (db.get('SELECT 1 AS one FROM configurations WHERE name = ?', name) !== undefined) return 'name-taken';
        if (db.get('SELECT 1 AS one FROM configurations WHERE id = ?', id) !== undefined) {
          throw duplicateId('configuration', id);
        }
        putConfiguration(db, configuration);
        markConcerned(db, id, configuration.labelIds, at);
        appendEvents(db, [event]);
        return 'created';
      }),

    update: (configuration, expectedVersion, at, event) =>
      db.write(() => {
        const row = db.get<ConfigurationRow>('SELECT * FROM configurations WHERE id = ?', configuration.id);
        if (row === undefined) return 'unknown';
        const old = configurationOf(row);
        if (old.version !== expectedVersion) return 'conflict';
        if (nameTaken(configuration)) return 'name-taken';
        putConfiguration(db, configuration);
        const sorted = (ids: readonly string[]): string => JSON.stringify([...ids].sort());
        if (old.version !== configuration.version || sorted(old.labelIds) !== sorted(configuration.labelIds)) {
          markConcerned(db, configuration.id, [...old.labelIds, ...configuration.labelIds], at);
        }
        appendEvents(db, [event]);
        return 'updated';
      }),

    delete: (id, at, event) =>
      db.write(() => {
        if (db.run('DELETE FROM configurations WHERE id = ?', id) === 0) return false;
        db.run('DELETE FROM configuration_labels WHERE configuration = ?', id);
        markConcerned(db, id, [], at);
        appendEvents(db, [event]);
        return true;
      }),

    list: () =>
      db.read(() => {
        const counts = db.all<{ configuration: string; status: AssignmentRecord['status']; n: number }>(
          'SELECT configuration, status, count(*) AS n FROM assignments GROUP BY configuration, status',
        );
        const sum = (id: string, statuses: readonly AssignmentRecord['status'][]): number =>
          counts.reduce((n, row) => (row.configuration === id && statuses.includes(row.status) ? n + row.n : n), 0);
        return db.all<ConfigurationRow>('SELECT * FROM configurations ORDER BY name').map((row) => ({
          ...configurationOf(row),
          applied: sum(row.id, ['applied']),
          waiting: sum(row.id, ['pending', 'sent', 'update-pending']),
        }));
      }),

    get: (id) =>
      db.read(() => {
        const row = db.get<ConfigurationRow>('SELECT * FROM configurations WHERE id = ?', id);
        return row === undefined ? null : configurationOf(row);
      }),

    desired: (enrolmentIds) =>
      db.read(() => {
        const rows = db.all<{ id: string; configuration: string }>(
          `SELECT DISTINCT e.id, c.configuration
           FROM enrolments e
             JOIN label_members m ON m.enrolment = e.nr
             JOIN configuration_labels c ON c.label = m.label
           WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id, c.configuration`,
          JSON.stringify(enrolmentIds),
        );
        return grouped(
          rows,
          (row) => row.id,
          (row) => row.configuration,
        );
      }),

    assignmentsOf: (enrolmentIds) =>
      db.read(() => {
        const rows = db.all<AssignmentRow>(
          `SELECT a.*, e.id AS enrolment_id FROM enrolments e JOIN assignments a ON a.enrolment = e.nr
           WHERE e.id IN (SELECT value FROM json_each(?))`,
          JSON.stringify(enrolmentIds),
        );
        return grouped(rows, (row) => row.enrolment_id, assignmentOf);
      }),

    assignments: (id, { after, limit }) =>
      db.read(() => {
        const rows = db.all<AssignmentRow>(
          `SELECT a.*, e.id AS enrolment_id FROM assignments a JOIN enrolments e ON e.nr = a.enrolment
           WHERE a.configuration = ? AND e.id > ? ORDER BY e.id LIMIT ?`,
          id,
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.enrolment_id, assignmentOf);
      }),

    putAssignments: ({ put, remove, events }) =>
      db.write(() => {
        for (const { enrolmentId, configurationId } of remove) {
          db.run(
            `DELETE FROM assignments
             WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?) AND configuration = ?`,
            enrolmentId,
            configurationId,
          );
        }
        for (const record of put) putAssignment(db, record);
        appendEvents(db, events);
      }),

    transition: ({ enrolmentId, configurationId, expectedCommandUuid, to, events }) =>
      db.write(() => {
        const found = db.get(
          `SELECT 1 AS one FROM enrolments e JOIN assignments a ON a.enrolment = e.nr AND a.configuration = ?
           WHERE e.id = ? AND a.command_uuid IS ?`,
          configurationId,
          enrolmentId,
          expectedCommandUuid,
        );
        if (found === undefined) return false;
        if (to !== null) putAssignment(db, to);
        else {
          db.run(
            'DELETE FROM assignments WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?) AND configuration = ?',
            enrolmentId,
            configurationId,
          );
        }
        appendEvents(db, events);
        return true;
      }),

    mark: ({ enrolmentIds, at }) =>
      db.write(() => {
        setTargets(db, enrolmentIds);
        markReconcile(db, at);
      }),

    markConcerned: ({ enrolmentIds, at }) => {
      const ids = db.all<{ id: string }>(
        `SELECT e.id FROM enrolments e WHERE e.id IN (SELECT value FROM json_each(?))
           AND (EXISTS (SELECT 1 FROM assignments a WHERE a.enrolment = e.nr)
             OR EXISTS (SELECT 1 FROM label_members m JOIN configuration_labels c ON c.label = m.label
               WHERE m.enrolment = e.nr))`,
        JSON.stringify(enrolmentIds),
      );
      if (ids.length === 0) return Promise.resolve(false);
      return db.write(() => {
        setTargets(
          db,
          ids.map(({ id }) => id),
        );
        markReconcile(db, at);
        return true;
      });
    },

    claimMarks: ({ at, leaseMs, limit, enrolmentIds }) =>
      db.write(() => {
        const of = enrolmentIds === undefined ? '' : 'AND e.id IN (SELECT value FROM json_each(?3))';
        const values = enrolmentIds === undefined ? [] : [JSON.stringify(enrolmentIds)];
        const rows = db.all<{ enrolment: number; id: string; mark: number }>(
          `SELECT r.enrolment, e.id, r.mark FROM reconcile_marks r JOIN enrolments e ON e.nr = r.enrolment
           WHERE r.due_at <= ?1 ${of} ORDER BY r.due_at, r.mark LIMIT ?2`,
          at,
          limit,
          ...values,
        );
        for (const row of rows) {
          db.run('UPDATE reconcile_marks SET due_at = ? WHERE enrolment = ?', at + leaseMs, row.enrolment);
        }
        return rows.map(({ id, mark }) => ({ enrolmentId: id, mark }));
      }),

    clearMarks: (marks) =>
      db.write(() => {
        for (const { enrolmentId, mark } of marks) {
          db.run(
            'DELETE FROM reconcile_marks WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?) AND mark = ?',
            enrolmentId,
            mark,
          );
        }
      }),
  };
}

function putConfiguration(db: Database, configuration: Configuration): void {
  db.run(
    `INSERT INTO configurations (id, name, type, description, settings, version, label_ids, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, type = excluded.type, description = excluded.description,
       settings = excluded.settings, version = excluded.version, label_ids = excluded.label_ids,
       created_at = excluded.created_at, updated_at = excluded.updated_at`,
    configuration.id,
    configuration.name,
    configuration.type,
    configuration.description,
    JSON.stringify(configuration.settings),
    configuration.version,
    JSON.stringify(configuration.labelIds),
    configuration.createdAt,
    configuration.updatedAt,
  );
  db.run('DELETE FROM configuration_labels WHERE configuration = ?', configuration.id);
  db.run(
    'INSERT OR IGNORE INTO configuration_labels (label, configuration) SELECT value, ? FROM json_each(?)',
    configuration.id,
    JSON.stringify(configuration.labelIds),
  );
}

/** Marks the members of these labels and the devices that have an assignment. */
function markConcerned(db: Database, configuration: string, labelIds: readonly string[], at: number): void {
  db.run('DELETE FROM temp.targets');
  db.run(
    `INSERT INTO temp.targets
     SELECT enrolment FROM assignments WHERE configuration = ?
     UNION SELECT enrolment FROM label_members WHERE label IN (SELECT value FROM json_each(?))`,
    configuration,
    JSON.stringify(labelIds),
  );
  markReconcile(db, at);
}

function putAssignment(db: Database, record: AssignmentRecord): void {
  db.run(
    `INSERT INTO assignments (enrolment, configuration, configuration_name, profile_identifier, profile_uuid, verifiable,
       status, version, command_uuid, detail, updated_at)
     SELECT nr, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM enrolments WHERE id = ?
     ON CONFLICT (enrolment, configuration) DO UPDATE SET configuration_name = excluded.configuration_name,
       profile_identifier = excluded.profile_identifier, profile_uuid = excluded.profile_uuid,
       verifiable = excluded.verifiable, status = excluded.status, version = excluded.version,
       command_uuid = excluded.command_uuid, detail = excluded.detail, updated_at = excluded.updated_at`,
    record.configurationId,
    record.configurationName,
    record.profileIdentifier,
    record.profileUuid,
    record.verifiable ? 1 : 0,
    record.status,
    record.version,
    record.commandUuid,
    record.detail,
    record.updatedAt,
    record.enrolmentId,
  );
}

function grouped<R, T>(rows: readonly R[], keyOf: (row: R) => string, toItem: (row: R) => T): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [toItem(row)]);
    else group.push(toItem(row));
  }
  return groups;
}
