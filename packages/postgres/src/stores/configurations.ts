// Configurations on PostgreSQL; their assignments and the reconcile marks are in assignments.ts.
import type { Configuration, ConfigurationStore } from '@espalier/core';
import type { Database, Queryable, Value } from '../database.ts';
import { sendEvents } from '../rows.ts';
import { postgresAssignments } from './assignments.ts';

/** Configurations over the database. */
export function postgresConfigurations(db: Database): ConfigurationStore {
  const s = db.schema;
  const columns = `c.id, c.name, c.type, c.description, c.settings, c.version,
    ARRAY(SELECT b.label_id FROM ${s}.configuration_label b WHERE b.configuration_id = c.id ORDER BY b.position) AS "labelIds",
    c.created_at AS "createdAt", c.updated_at AS "updatedAt"`;
  const text = {
    create: `INSERT INTO ${s}.configuration (id, name, type, description, settings, version, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING 1`,
    lock: `SELECT ${columns} FROM ${s}.configuration c WHERE c.id = $1 FOR UPDATE`,
    taken: `SELECT 1 FROM ${s}.configuration WHERE name = $2 AND id <> $1`,
    update: `UPDATE ${s}.configuration SET name = $2, type = $3, description = $4, settings = $5, version = $6,
      created_at = $7, updated_at = $8 WHERE id = $1`,
    // Whoever changes the members of these labels waits, and then sees the configuration.
    lockLabels: `SELECT FROM ${s}.label WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`,
    unplace: `DELETE FROM ${s}.configuration_label WHERE configuration_id = $1`,
    place: `INSERT INTO ${s}.configuration_label (configuration_id, label_id, position)
      SELECT $1, t.id, t.n FROM unnest($2::text[]) WITH ORDINALITY AS t (id, n)`,
    mark: `SELECT FROM ${s}.mark_enrolments(ARRAY(
        SELECT m.enrolment_id FROM ${s}.member m WHERE m.label_id = ANY ($2::text[])
        UNION SELECT a.enrolment_id FROM ${s}.assignment a WHERE a.configuration_id = $1
      ), $3)`,
    delete: `DELETE FROM ${s}.configuration WHERE id = $1 RETURNING 1`,
    list: `SELECT ${columns}, t.applied, t.waiting FROM ${s}.configuration c CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE a.status = 'applied') AS applied,
          count(*) FILTER (WHERE a.status IN ('pending', 'sent', 'update-pending')) AS waiting
        FROM ${s}.assignment a WHERE a.configuration_id = c.id
      ) t ORDER BY c.name`,
    get: `SELECT ${columns} FROM ${s}.configuration c WHERE c.id = $1`,
    desired: `SELECT t.id, array_agg(t.configuration_id ORDER BY t.configuration_id) AS configurations FROM (
        SELECT DISTINCT m.enrolment_id AS id, c.configuration_id
        FROM ${s}.member m JOIN ${s}.configuration_label c ON c.label_id = m.label_id
        WHERE m.enrolment_id = ANY ($1::text[])
      ) t GROUP BY t.id`,
  };
  const valuesOf = (configuration: Configuration): Value[] => [
    configuration.id,
    configuration.name,
    configuration.type,
    configuration.description,
    JSON.stringify(configuration.settings),
    configuration.version,
    configuration.createdAt,
    configuration.updatedAt,
  ];
  const mark = (q: Queryable, id: string, labelIds: readonly string[], at: number) =>
    q.query('configurations.mark', text.mark, [id, labelIds, at]);
  const lockLabels = (q: Queryable, labelIds: readonly string[]) =>
    q.query('configurations.lockLabels', text.lockLabels, [labelIds]);

  return {
    ...postgresAssignments(db),

    create: (configuration, at, event) =>
      db.transaction(async (q) => {
        const rows = await q.query('configurations.create', text.create, valuesOf(configuration));
        if (rows.length === 0) return 'name-taken';
        await lockLabels(q, configuration.labelIds);
        await q.query('configurations.place', text.place, [configuration.id, configuration.labelIds]);
        await mark(q, configuration.id, configuration.labelIds, at);
        sendEvents(q, s, [event]);
        return 'created';
      }),

    update: (configuration, expectedVersion, at, event) =>
      db.transaction(async (q) => {
        const { id } = configuration;
        const [old] = await q.query<Configuration>('configurations.lock', text.lock, [id]);
        if (old === undefined) return 'unknown';
        if (old.version !== expectedVersion) return 'conflict';
        const taken = await q.query('configurations.taken', text.taken, [id, configuration.name]);
        if (taken.length > 0) return 'name-taken';
        await q.query('configurations.update', text.update, valuesOf(configuration));
        const concerned = [...new Set([...old.labelIds, ...configuration.labelIds])];
        const sameLabels =
          JSON.stringify([...old.labelIds].sort()) === JSON.stringify([...configuration.labelIds].sort());
        await lockLabels(q, concerned);
        await q.query('configurations.unplace', text.unplace, [id]);
        await q.query('configurations.place', text.place, [id, configuration.labelIds]);
        if (configuration.version !== old.version || !sameLabels) await mark(q, id, concerned, at);
        sendEvents(q, s, [event]);
        return 'updated';
      }),

    delete: (id, at, event) =>
      db.transaction(async (q) => {
        const [old] = await q.query<Configuration>('configurations.lock', text.lock, [id]);
        if (old === undefined) return false;
        await lockLabels(q, old.labelIds);
        await q.query('configurations.unplace', text.unplace, [id]);
        await q.query('configurations.delete', text.delete, [id]);
        await mark(q, id, [], at);
        sendEvents(q, s, [event]);
        return true;
      }),

    list: () =>
      db.query<Configuration & { readonly applied: number; readonly waiting: number }>(
        'configurations.list',
        text.list,
      ),

    async get(id) {
      return (await db.query<Configuration>('configurations.get', text.get, [id]))[0] ?? null;
    },

    async desired(enrolmentIds) {
      const rows = await db.query<{ id: string; configurations: readonly string[] }>(
        'configurations.desired',
        text.desired,
        [[...new Set(enrolmentIds)]],
      );
      return new Map(rows.map((row) => [row.id, row.configurations]));
    },
  };
}
