// What channels are to have, were told and fetched, and what they said, on SQLite.
import type { DeclarationStateRecord, DeclarationStore, DeclarationSyncRecord } from '@espalier/core';
import type { Database } from './database.ts';
import { markDeclarations } from './marks.ts';
import { appendEvents, pageOf, setTargets } from './rows.ts';

interface SyncRow {
  readonly id: string;
  readonly token: string;
  readonly token_at: number;
  readonly device_token: string | null;
  readonly fetched_at: number | null;
  readonly asked_token: string | null;
  readonly asked_at: number | null;
  readonly reports: number;
  readonly reported_at: number | null;
  readonly capabilities: string | null;
}

interface StateRow {
  readonly enrolment_id: string;
  readonly identifier: string;
  readonly kind: DeclarationStateRecord['kind'];
  readonly server_token: string;
  readonly active: number;
  readonly valid: DeclarationStateRecord['valid'];
  readonly reasons: string;
  readonly reported_at: number;
}

/** The part of the store that is about channels. */
export function declarationSyncs(
  db: Database,
): Omit<
  DeclarationStore,
  | 'put'
  | 'delete'
  | 'getMany'
  | 'list'
  | 'putSet'
  | 'deleteSet'
  | 'getSets'
  | 'listSets'
  | 'members'
  | 'changeMembers'
  | 'desired'
> {
  return {
    mark: ({ enrolmentIds, at }) =>
      db.write(() => {
        setTargets(db, enrolmentIds);
        markDeclarations(db, at);
      }),

    claimMarks: ({ at, leaseMs, limit }) =>
      db.write(() => {
        const rows = db.all<{ enrolment: number; id: string; mark: number }>(
          `SELECT r.enrolment, e.id, r.mark FROM declaration_marks r JOIN enrolments e ON e.nr = r.enrolment
           WHERE r.due_at <= ? ORDER BY r.due_at, r.mark LIMIT ?`,
          at,
          limit,
        );
        for (const row of rows) {
          db.run('UPDATE declaration_marks SET due_at = ? WHERE enrolment = ?', at + leaseMs, row.enrolment);
        }
        return rows.map(({ id, mark }) => ({ enrolmentId: id, mark }));
      }),

    clearMarks: (marks) =>
      db.write(() => {
        for (const { enrolmentId, mark } of marks) {
          db.run(
            'DELETE FROM declaration_marks WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?) AND mark = ?',
            enrolmentId,
            mark,
          );
        }
      }),

    assign: ({ snapshots, put, at }) =>
      db.write(() => {
        for (const { token, items } of snapshots) {
          db.run(
            `INSERT INTO declaration_snapshots (token, items, at) VALUES (?, ?, ?)
             ON CONFLICT (token) DO UPDATE SET at = max(at, excluded.at)`,
            token,
            items,
            at,
          );
        }
        for (const { enrolmentId, token } of put) {
          db.run(
            `INSERT INTO declaration_syncs (enrolment, token, token_at) SELECT nr, ?2, ?3 FROM enrolments WHERE id = ?1
             ON CONFLICT (enrolment) DO UPDATE SET token = excluded.token, token_at = excluded.token_at
               WHERE token <> excluded.token`,
            enrolmentId,
            token,
            at,
          );
        }
      }),

    asked: ({ put, at }) =>
      db.write(() => {
        for (const { enrolmentId, token } of put) {
          db.run(
            `UPDATE declaration_syncs SET asked_token = ?, asked_at = ?
             WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?)`,
            token,
            at,
            enrolmentId,
          );
        }
      }),

    syncs: (enrolmentIds) =>
      db.read(() => {
        const rows = db.all<SyncRow>(
          `SELECT e.id, s.token, s.token_at, s.device_token, s.fetched_at, s.asked_token, s.asked_at, s.reports,
             s.reported_at, s.capabilities
           FROM enrolments e JOIN declaration_syncs s ON s.enrolment = e.nr
           WHERE e.id IN (SELECT value FROM json_each(?))`,
          JSON.stringify(enrolmentIds),
        );
        return new Map(rows.map((row) => [row.id, syncOf(row)]));
      }),

    snapshot: (token) =>
      db.read(() => {
        const row = db.get<{ items: string }>('SELECT items FROM declaration_snapshots WHERE token = ?', token);
        return row?.items ?? null;
      }),

    fetched: ({ enrolmentId, token, at, event }) =>
      db.write(() => {
        const row = db.get<{ enrolment: number; device_token: string | null }>(
          `SELECT s.enrolment, s.device_token FROM enrolments e JOIN declaration_syncs s ON s.enrolment = e.nr
           WHERE e.id = ?`,
          enrolmentId,
        );
        if (row === undefined) return;
        db.run(
          'UPDATE declaration_syncs SET device_token = ?, fetched_at = ? WHERE enrolment = ?',
          token,
          at,
          row.enrolment,
        );
        if (row.device_token !== token) appendEvents(db, [event]);
      }),

    report: ({ enrolmentId, expectedReports, at, status, capabilities, states, events }) =>
      db.write(() => {
        const row = db.get<{ enrolment: number }>(
          `SELECT s.enrolment FROM enrolments e JOIN declaration_syncs s ON s.enrolment = e.nr
           WHERE e.id = ? AND s.reports = ?`,
          enrolmentId,
          expectedReports,
        );
        if (row === undefined) return false;
        db.run(
          `UPDATE declaration_syncs SET status = ?, capabilities = coalesce(?, capabilities), reported_at = ?,
             reports = reports + 1 WHERE enrolment = ?`,
          status,
          capabilities,
          at,
          row.enrolment,
        );
        db.run('DELETE FROM declaration_states WHERE enrolment = ?', row.enrolment);
        for (const state of states) putState(db, row.enrolment, state);
        appendEvents(db, events);
        return true;
      }),

    status: (enrolmentId) =>
      db.read(() => {
        const row = db.get<{ status: string | null }>(
          'SELECT s.status FROM enrolments e JOIN declaration_syncs s ON s.enrolment = e.nr WHERE e.id = ?',
          enrolmentId,
        );
        return row?.status ?? null;
      }),

    statesOf: (enrolmentId) =>
      db.read(() =>
        db
          .all<StateRow>(
            `SELECT s.*, e.id AS enrolment_id FROM enrolments e JOIN declaration_states s ON s.enrolment = e.nr
             WHERE e.id = ? ORDER BY s.identifier`,
            enrolmentId,
          )
          .map(stateOf),
      ),

    statesOn: (identifier, { after, limit }) =>
      db.read(() => {
        const rows = db.all<StateRow>(
          `SELECT s.*, e.id AS enrolment_id FROM declaration_states s JOIN enrolments e ON e.nr = s.enrolment
           WHERE s.identifier = ? AND e.id > ? ORDER BY e.id LIMIT ?`,
          identifier,
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.enrolment_id, stateOf);
      }),

    outdated: ({ before, limit }) =>
      db.read(() =>
        db
          .all<{ id: string }>(
            `SELECT e.id FROM declaration_syncs s INDEXED BY declaration_syncs_late
               JOIN enrolments e ON e.nr = s.enrolment AND e.status = 'active'
             WHERE s.device_token IS NOT s.token AND s.asked_at < ? ORDER BY e.id LIMIT ?`,
            before,
            limit,
          )
          .map((row) => row.id),
      ),

    holders: (certificateFingerprint) =>
      db.read(() =>
        db.all<{ enrolmentId: string; token: string }>(
          `WITH device AS MATERIALIZED (
             SELECT nr FROM enrolments WHERE pin = ? AND status IN ('pending', 'active')
           )
           SELECT e.id AS enrolmentId, s.token FROM device d JOIN enrolments e ON e.nr = d.nr
             JOIN declaration_syncs s ON s.enrolment = e.nr
           UNION ALL
           SELECT e.id, s.token FROM device d JOIN enrolments e ON e.parent = d.nr AND e.parent IS NOT NULL
             JOIN declaration_syncs s ON s.enrolment = e.nr WHERE e.status IN ('pending', 'active')`,
          certificateFingerprint,
        ),
      ),

    prune: ({ before, limit }) =>
      db.write(() =>
        db.run(
          `DELETE FROM declaration_snapshots WHERE token IN (
             SELECT p.token FROM declaration_snapshots p
             WHERE p.at < ? AND NOT EXISTS (SELECT 1 FROM declaration_syncs s WHERE s.token = p.token) LIMIT ?
           )`,
          before,
          limit,
        ),
      ),
  };
}

function putState(db: Database, enrolment: number, state: DeclarationStateRecord): void {
  db.run(
    `INSERT OR REPLACE INTO declaration_states (enrolment, identifier, kind, server_token, active, valid, reasons,
       reported_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    enrolment,
    state.identifier,
    state.kind,
    state.serverToken,
    state.active ? 1 : 0,
    state.valid,
    JSON.stringify(state.reasons),
    state.reportedAt,
  );
}

function syncOf(row: SyncRow): DeclarationSyncRecord {
  return {
    token: row.token,
    tokenAt: row.token_at,
    deviceToken: row.device_token,
    fetchedAt: row.fetched_at,
    askedToken: row.asked_token,
    askedAt: row.asked_at,
    reports: row.reports,
    reportedAt: row.reported_at,
    capabilities: row.capabilities,
  };
}

function stateOf(row: StateRow): DeclarationStateRecord {
  return {
    enrolmentId: row.enrolment_id,
    identifier: row.identifier,
    kind: row.kind,
    serverToken: row.server_token,
    active: row.active === 1,
    valid: row.valid,
    reasons: JSON.parse(row.reasons) as DeclarationStateRecord['reasons'],
    reportedAt: row.reported_at,
  };
}
