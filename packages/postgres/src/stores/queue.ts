// The command queue on PostgreSQL.
import {
  type CommandEntry,
  CoreError,
  type EndedCommand,
  type NewCommand,
  type PollInput,
  type PollOutcome,
  type QueueDepth,
  type QueueStore,
  type StoredBytes,
} from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { cut, eventArrays } from '../rows.ts';

interface PollRow {
  readonly o_outcome: PollOutcome['outcome'];
  readonly o_result: Extract<PollOutcome, { outcome: 'ok' }>['result'];
  readonly o_result_type: string | null;
  readonly o_result_follow_up: boolean | null;
  readonly o_result_origin: string;
  readonly o_uuid: string | null;
  readonly o_type: string;
  readonly o_body: Uint8Array;
  readonly o_sealed: boolean;
  readonly o_attempts: number;
}

interface EndedRow {
  readonly o_enrolment: string;
  readonly o_uuid: string;
  readonly o_type: string;
  readonly o_state: EndedCommand['state'];
  readonly o_follow_up: boolean;
}

type EntryRow = CommandEntry & { readonly seq: number; readonly response: Uint8Array | null; readonly sealed: boolean };

/** The queue over the database. */
export function postgresQueue(db: Database): QueueStore {
  const s = db.schema;
  const shared = `c.uuid AS "commandUuid", c.request_type AS "requestType", -c.ord AS priority,
    c.queued_at AS "queuedAt", c.dedupe_key AS "dedupeKey", c.origin, c.seq`;
  const pendingEntry = `${shared}, p.enrolment_id AS "enrolmentId", p.state, p.sent_at AS "sentAt",
    NULL::bigint AS "finishedAt", p.attempts, NULL::json AS "errorChain"`;
  const historyEntry = `${shared}, h.enrolment_id, h.state, h.sent_at, h.finished_at, h.attempts, h.errors`;

  const text = {
    enqueue: `SELECT ${s}.enqueue($1::text[], $2, $3::text[], $4::text[], $5::bytea[], $6::boolean[], $7::integer[],
      $8::bigint[], $9::bigint[], $10::text[], $11::boolean[], $12::integer[], $13::text[], $14::text[],
      $15::integer[], $16::text[], $17::boolean[], $18::boolean[], $19::text[], $20::bigint[], $21::text[],
      $22::text[]) AS queued`,
    poll: `SELECT * FROM ${s}.poll($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    end: `SELECT * FROM ${s}.end_commands($1::text[], $2, $3, $4, $5, $6::text[])`,
    sweep: `SELECT * FROM ${s}.sweep($1, $2)`,
    requeue: `SELECT ${s}.requeue($1, $2, $3) AS done`,
    prune: `SELECT ${s}.prune_history($1, $2) AS pruned`,
    // Each half is cut to the page before the two are put together, so that neither is read further than that.
    listPending: `SELECT ${pendingEntry} FROM ${s}.pending p JOIN ${s}.command c ON c.seq = p.seq
        WHERE p.enrolment_id = $1 AND p.seq < $2 ORDER BY p.seq DESC LIMIT $3`,
    list: `(SELECT ${pendingEntry} FROM ${s}.pending p JOIN ${s}.command c ON c.seq = p.seq
        WHERE p.enrolment_id = $1 AND p.seq < $2 ORDER BY p.seq DESC LIMIT $3)
      UNION ALL
      (SELECT ${historyEntry} FROM ${s}.history h JOIN ${s}.command c ON c.seq = h.seq
        WHERE h.enrolment_id = $1 AND h.seq < $2 ORDER BY h.seq DESC LIMIT $3)
      ORDER BY seq DESC LIMIT $3`,
    get: `SELECT ${pendingEntry}, NULL::bytea AS response, false AS sealed
        FROM ${s}.command c JOIN ${s}.pending p ON p.enrolment_id = $1 AND p.ord = c.ord AND p.seq = c.seq
        WHERE c.uuid = $2
      UNION ALL
      SELECT ${historyEntry}, h.response, h.sealed
        FROM ${s}.command c JOIN ${s}.history h ON h.enrolment_id = $1 AND h.seq = c.seq
        WHERE c.uuid = $2`,
    body: `SELECT body AS bytes, sealed FROM ${s}.command WHERE uuid = $1`,
    followUps: `SELECT f.enrolment_id AS "enrolmentId", f.uuid AS "commandUuid", f.ended_at AS at
      FROM ${s}.follow_up f
      WHERE f.ended_at <= $1 ORDER BY f.ended_at, f.seq LIMIT $2`,
    followUpDone: `DELETE FROM ${s}.follow_up WHERE enrolment_id = $1 AND uuid = $2`,
    // One step into the index for each enrolment, however many commands it has.
    withWork: `WITH RECURSIVE work AS (
        (SELECT p.enrolment_id FROM ${s}.pending p WHERE p.enrolment_id > $1 ORDER BY p.enrolment_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.enrolment_id FROM ${s}.pending p WHERE p.enrolment_id > w.enrolment_id
          ORDER BY p.enrolment_id LIMIT 1)
        FROM work w WHERE w.enrolment_id IS NOT NULL
      ) SELECT enrolment_id AS id FROM work WHERE enrolment_id IS NOT NULL LIMIT $2`,
    // One look at the pending rows.
    depth: `WITH work AS MATERIALIZED (SELECT p.seq, count(*) AS n FROM ${s}.pending p GROUP BY p.seq)
      SELECT (SELECT coalesce(sum(w.n), 0)::bigint FROM work w) AS pending,
      (SELECT count(*) FROM ${s}.follow_up) AS "followUps",
      (SELECT min(c.queued_at) FROM ${s}.command c JOIN work w ON w.seq = c.seq) AS "oldestQueuedAt"`,
    // Of a large history the server's own estimate, instead of counting it.
    history: `SELECT CASE WHEN t.reltuples > 1000000 THEN t.reltuples::bigint ELSE (SELECT count(*) FROM ${s}.history) END
      AS history FROM pg_class t WHERE t.oid = $1::regclass`,
  };

  async function depth(): Promise<QueueDepth> {
    const [row] = await db.query<QueueDepth>('queue.depth', text.depth);
    return row ?? { pending: 0, followUps: 0, oldestQueuedAt: null };
  }

  return {
    async enqueue({ commands, enrolmentIds, at, events }) {
      checkCommands(commands);
      const column = <T extends Value>(pick: (command: NewCommand) => T) => commands.map(pick) as Value;
      const [row] = await db.query<{ queued: readonly number[] }>('queue.enqueue', text.enqueue, [
        [...new Set(enrolmentIds)],
        at,
        column((command) => command.commandUuid),
        column((command) => command.requestType),
        column((command) => command.body.bytes),
        column((command) => command.body.sealed),
        column((command) => command.priority),
        column((command) => command.notBefore),
        column((command) => command.expiresAt),
        column((command) => command.dedupeKey),
        column((command) => command.onDuplicate === 'replace'),
        column((command) => command.maxAttempts),
        column((command) => command.onError),
        column((command) => command.chain?.id ?? null),
        column((command) => command.chain?.index ?? null),
        column((command) => command.origin),
        column((command) => command.push),
        column((command) => command.followUp),
        ...eventArrays(events),
      ]);
      return { queued: row?.queued ?? [] };
    },

    async poll(input) {
      const [row] = await db.query<PollRow>('queue.poll', text.poll, pollValues(input));
      if (row === undefined || row.o_outcome !== 'ok') return { outcome: row?.o_outcome ?? 'unknown' } as PollOutcome;
      return {
        outcome: 'ok',
        result: row.o_result,
        resultCommand:
          row.o_result_type === null
            ? null
            : {
                requestType: row.o_result_type,
                origin: row.o_result_origin,
                followUp: row.o_result_follow_up === true,
              },
        command:
          row.o_uuid === null
            ? null
            : {
                commandUuid: row.o_uuid,
                requestType: row.o_type,
                body: { bytes: row.o_body, sealed: row.o_sealed },
                attempts: row.o_attempts,
              },
      };
    },

    async end({ enrolmentIds, commandUuid, dedupeKey, keepSent = [], state, at }) {
      const ids = [...new Set(enrolmentIds)];
      const values = [ids, commandUuid ?? null, dedupeKey ?? null, state, at, keepSent];
      return (await db.query<EndedRow>('queue.end', text.end, values)).map(endedOf);
    },

    async requeue({ enrolmentId, commandUuid, at }) {
      const [row] = await db.query<{ done: boolean }>('queue.requeue', text.requeue, [enrolmentId, commandUuid, at]);
      return row?.done === true;
    },

    async sweep({ at, limit }) {
      return (await db.query<EndedRow>('queue.sweep', text.sweep, [at, limit])).map(endedOf);
    },

    async prune({ before, limit }) {
      const [row] = await db.query<{ pruned: number }>('queue.prune', text.prune, [before, limit]);
      return row?.pruned ?? 0;
    },

    async list(enrolmentId, { after, limit, pendingOnly = false }) {
      const values = [enrolmentId, after === undefined ? Number.MAX_SAFE_INTEGER : Number(after), limit + 1];
      const rows = pendingOnly
        ? await db.query<EntryRow>('queue.listPending', text.listPending, values)
        : await db.query<EntryRow>('queue.list', text.list, values);
      return cut(rows, limit, (row) => String(row.seq), entryOf);
    },

    async get(enrolmentId, commandUuid) {
      const [row] = await db.query<EntryRow>('queue.get', text.get, [enrolmentId, commandUuid]);
      if (row === undefined) return null;
      return { ...entryOf(row), response: row.response === null ? null : { bytes: row.response, sealed: row.sealed } };
    },

    async body(commandUuid) {
      const [row] = await db.query<StoredBytes>('queue.body', text.body, [commandUuid]);
      return row ?? null;
    },

    followUps: ({ before, limit }) => db.query('queue.followUps', text.followUps, [before, limit]),

    async followUpDone(enrolmentId, commandUuid) {
      await db.query('queue.followUpDone', text.followUpDone, [enrolmentId, commandUuid]);
    },

    async withWork({ after, limit }) {
      const rows = await db.query<{ id: string }>('queue.withWork', text.withWork, [after ?? '', limit + 1]);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row.id,
      );
    },

    depth,

    async stats() {
      const [queue, [row]] = await Promise.all([
        depth(),
        db.query<{ history: number }>('queue.history', text.history, [`${s}.history`]),
      ]);
      return { ...queue, history: row?.history ?? 0 };
    },
  };
}

function pollValues({ enrolmentId, certificateFingerprint, at, result, backoff }: PollInput): Value[] {
  const event = result?.event ?? null;
  return [
    enrolmentId,
    certificateFingerprint,
    at,
    backoff.baseMs,
    backoff.maxMs,
    result?.commandUuid ?? null,
    result?.status ?? null,
    result?.response?.bytes ?? null,
    result?.response?.sealed ?? null,
    result === undefined || result.errorChain.length === 0 ? null : JSON.stringify(result.errorChain),
    event?.type ?? null,
    event?.at ?? null,
    event?.enrolmentId ?? null,
    event === null ? null : JSON.stringify(event.data),
  ];
}

function checkCommands(commands: readonly NewCommand[]): void {
  const seen = new Set<string>();
  for (const { commandUuid, chain, dedupeKey } of commands) {
    if (seen.has(commandUuid)) {
      throw new CoreError('core.command.duplicate_uuid', 'conflict', `a command ${commandUuid} exists already`);
    }
    seen.add(commandUuid);
    if (chain !== null && dedupeKey !== null) {
      throw new CoreError('core.command.chain_dedupe', 'invalid', 'a command of a chain cannot have a dedupe key');
    }
  }
}

function endedOf(row: EndedRow): EndedCommand {
  return {
    enrolmentId: row.o_enrolment,
    commandUuid: row.o_uuid,
    requestType: row.o_type,
    state: row.o_state,
    followUp: row.o_follow_up,
  };
}

function entryOf(row: EntryRow): CommandEntry {
  return {
    commandUuid: row.commandUuid,
    enrolmentId: row.enrolmentId,
    requestType: row.requestType,
    state: row.state,
    priority: row.priority,
    queuedAt: row.queuedAt,
    sentAt: row.sentAt,
    finishedAt: row.finishedAt,
    attempts: row.attempts,
    dedupeKey: row.dedupeKey,
    origin: row.origin,
    errorChain: row.errorChain ?? [],
  };
}
