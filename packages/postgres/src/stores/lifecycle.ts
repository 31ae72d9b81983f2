// How enrolments begin, become active and end: one short transaction each.
import type {
  Enrolment,
  EnrolmentDetails,
  EnrolmentStatus,
  EnrolmentStore,
  NamedSecret,
  NewEvent,
} from '@espalier/core';
import type { Database, Queryable, Transaction } from '../database.ts';
import { enrolmentColumns, freeText, sendEvents } from '../rows.ts';

interface Locked {
  readonly id: string;
  readonly channel: Enrolment['channel'];
  readonly status: EnrolmentStatus;
  readonly phase: Enrolment['phase'];
  readonly pin: string | null;
}

/** What is known of a certificate, as far as an enrolment goes by it. */
interface IssuedTo {
  readonly enrolmentId: string | null;
  readonly status: string;
  readonly invitationId: string | null;
}

/** The part of the enrolment store that changes what an enrolment is. */
export function postgresLifecycle(
  db: Database,
): Pick<EnrolmentStore, 'authenticate' | 'tokenUpdate' | 'adopt' | 'checkOut' | 'setPhase' | 'end' | 'revive'> {
  const s = db.schema;
  const detail = (column: string, key: string) =>
    `${column} = CASE WHEN $2::jsonb ? '${key}' THEN $2::jsonb ->> '${key}' ELSE e.${column} END`;
  const dropDeclarations = (which: string) =>
    ['mark', 'sync', 'state']
      .map((table) => `d_${table} AS (DELETE FROM ${s}.declaration_${table} WHERE enrolment_id ${which})`)
      .join(', ');
  const text = {
    // One enrolment and one certificate at a time, also where there is no row to lock yet. Always in this order.
    guard: `SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2)), pg_advisory_xact_lock(hashtext($3), hashtext($4))`,
    lock: `SELECT l.id, l.channel, l.status, l.phase, l.pin FROM ${s}.live l
      WHERE l.id = ANY ($1::text[]) ORDER BY l.id FOR NO KEY UPDATE`,
    lockFamily: `SELECT l.id, l.channel, l.status, l.phase, l.pin FROM ${s}.live l
      WHERE l.id = $1 OR l.parent = $1 ORDER BY l.id FOR NO KEY UPDATE`,
    holder: `SELECT 1 FROM ${s}.enrolment e WHERE e.pin = $1 AND e.id <> $2 LIMIT 1`,
    certificate: `SELECT enrolment_id AS "enrolmentId", status, invitation_id AS "invitationId"
      FROM ${s}.certificate WHERE fingerprint = $1 FOR NO KEY UPDATE`,
    reset: `WITH live AS (
        UPDATE ${s}.live l SET has_push = false, due_at = NULL, push_attempts = 0, lease = NULL, last_pushed_at = NULL,
          inventory_at = NULL
        WHERE l.id = $1
      ), token AS (DELETE FROM ${s}.push_token WHERE enrolment_id = $1),
      secret AS (DELETE FROM ${s}.secret WHERE scope = $1),
      assignment AS (DELETE FROM ${s}.assignment WHERE enrolment_id = $1),
      mark AS (DELETE FROM ${s}.mark WHERE enrolment_id = $1),
      ${dropDeclarations('= $1')}
      UPDATE ${s}.inventory SET profiles = '[]' WHERE enrolment_id = $1`,
    clear: `SELECT FROM ${s}.clear_pending(ARRAY[$1::text], $2)`,
    leave: `WITH ${dropDeclarations('= ANY ($1::text[])')},
      member_of_set AS (DELETE FROM ${s}.declaration_set_member WHERE enrolment_id = ANY ($1::text[]))
      SELECT FROM ${s}.leave($1::text[], $2)`,
    create: `WITH live AS (
        INSERT INTO ${s}.live (id, channel, parent, status) VALUES ($1, $2, $3, 'pending')
      ), inventory AS (INSERT INTO ${s}.inventory (enrolment_id) VALUES ($1))
      INSERT INTO ${s}.enrolment (id, kind) VALUES ($1, $4)`,
    begin: `WITH live AS (
        UPDATE ${s}.live SET status = 'pending', phase = CASE WHEN $5 THEN NULL ELSE phase END, pin = $2,
          pushable = false, enrolled_at = NULL, last_seen_at = $3
        WHERE id = $1
      ), certificate AS (UPDATE ${s}.certificate SET enrolment_id = $1 WHERE fingerprint = $2)
      UPDATE ${s}.enrolment SET kind = $4, pin = $2, checked_out_at = NULL,
        invitation_id = CASE WHEN $5 THEN $6 ELSE invitation_id END
      WHERE id = $1`,
    details: `UPDATE ${s}.enrolment e SET ${[
      detail('udid', 'udid'),
      detail('serial_number', 'serialNumber'),
      detail('model', 'model'),
      detail('product_name', 'productName'),
      detail('os_version', 'osVersion'),
      detail('device_name', 'deviceName'),
      detail('topic', 'topic'),
    ].join(', ')} WHERE e.id = $1`,
    secrets: `INSERT INTO ${s}.secret (scope, name, blob)
      SELECT $1, t.name, t.blob FROM unnest($2::text[], $3::bytea[]) AS t (name, blob)
      ON CONFLICT (scope, name) DO UPDATE SET blob = excluded.blob`,
    activate: `WITH live AS (UPDATE ${s}.live SET status = 'active', enrolled_at = $2 WHERE id = $1)
      UPDATE ${s}.enrolment SET checked_out_at = NULL WHERE id = $1`,
    enforce: `UPDATE ${s}.certificate SET status = CASE WHEN fingerprint = $2 THEN 'in-force' ELSE 'superseded' END
      WHERE enrolment_id = $1 AND (fingerprint = $2 OR status IN ('issued', 'in-force'))`,
    renewal: `SELECT 1 FROM ${s}.certificate
      WHERE fingerprint = $2 AND enrolment_id = $1 AND status = 'issued' FOR NO KEY UPDATE`,
    adopt: `WITH certificate AS (
        UPDATE ${s}.certificate SET status = CASE WHEN fingerprint = $2 THEN 'in-force' ELSE 'superseded' END
        WHERE enrolment_id = $1
          AND (fingerprint = $2 OR status = 'in-force' OR (status = 'expired' AND fingerprint = $3))
      ), live AS (UPDATE ${s}.live SET pin = $2, last_seen_at = greatest(last_seen_at, $4) WHERE id = $1)
      UPDATE ${s}.enrolment SET pin = $2 WHERE id = $1`,
    consume: `UPDATE ${s}.invitation i SET status = 'consumed', enrolment_id = $1
      FROM ${s}.enrolment e WHERE e.id = $1 AND i.id = e.invitation_id AND i.status = 'valid' RETURNING i.id`,
    token: `WITH token AS (
        INSERT INTO ${s}.push_token (enrolment_id, token, push_magic, topic) VALUES ($1, $2, $3, $4)
        ON CONFLICT (enrolment_id) DO UPDATE SET token = excluded.token, push_magic = excluded.push_magic,
          topic = excluded.topic
      )
      UPDATE ${s}.live l SET last_seen_at = greatest(l.last_seen_at, $5), pushable = true, has_push = true,
        push_attempts = 0, lease = NULL,
        due_at = CASE WHEN EXISTS (SELECT FROM ${s}.pending p WHERE p.enrolment_id = $1) THEN $5 ELSE l.due_at END
      WHERE l.id = $1`,
    end: `UPDATE ${s}.live SET status = $2, phase = NULL WHERE id = $1`,
    moving: `SELECT l.id, l.phase FROM ${s}.live l WHERE l.id = ANY ($1::text[]) AND l.channel = 'device'
        AND l.status = 'active' AND l.phase IS DISTINCT FROM $2
        AND coalesce(l.phase, 'none') = ANY ($3::text[]) ORDER BY l.id FOR NO KEY UPDATE`,
    move: `UPDATE ${s}.live SET phase = $2 WHERE id = ANY ($1::text[])`,
    revive: `WITH live AS (
        UPDATE ${s}.live l SET status = 'active', phase = $2, pushable = l.has_push, push_attempts = 0, lease = NULL,
          due_at = CASE WHEN l.has_push THEN $3::bigint END
        WHERE l.id = $1
      )
      UPDATE ${s}.enrolment SET checked_out_at = NULL WHERE id = $1`,
    labels: `SELECT b.id, b.name FROM ${s}.member m JOIN ${s}.label b ON b.id = m.label_id
      WHERE m.enrolment_id = $1 ORDER BY b.id`,
    seen: `UPDATE ${s}.live SET last_seen_at = greatest(last_seen_at, $2) WHERE id = $1`,
    get: `SELECT ${enrolmentColumns(s)} FROM ${s}.live l JOIN ${s}.enrolment e ON e.id = l.id WHERE l.id = $1`,
  };

  const read = async (q: Queryable, id: string): Promise<Enrolment> =>
    (await q.query<Enrolment>('lifecycle.get', text.get, [id]))[0]!;
  const putDetails = (q: Transaction, id: string, details: EnrolmentDetails): void => {
    const given = Object.entries(details)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]: [string, string | null]) => [key, value === null ? null : freeText(value)]);
    if (given.length > 0) {
      q.send('lifecycle.details', text.details, [id, JSON.stringify(Object.fromEntries(given))]);
    }
  };
  const putSecrets = (q: Transaction, id: string, secrets: readonly NamedSecret[]): void => {
    if (secrets.length === 0) return;
    // Of two blobs under one name the last counts; one statement may write each only once.
    const blobs = new Map(secrets.map(({ name, blob }) => [name, blob]));
    q.send('lifecycle.secrets', text.secrets, [id, [...blobs.keys()], [...blobs.values()]]);
  };

  /** A device leaves with its user channels; the events of the labels that it was in. */
  const leaveAll = async (
    q: Transaction,
    family: readonly Locked[],
    id: string,
    at: number,
    cause: string,
  ): Promise<NewEvent[]> => {
    const leaving = family.filter((row) => row.id === id || row.status !== 'checked-out').map((row) => row.id);
    const labels = await q.query<{ id: string; name: string }>('lifecycle.labels', text.labels, [id]);
    q.send('lifecycle.leave', text.leave, [leaving, at]);
    return labels.map((label) => ({
      type: 'label.left' as const,
      at,
      enrolmentId: id,
      data: { labelId: label.id, label: label.name, cause },
    }));
  };

  return {
    authenticate: ({ id, kind, certificateFingerprint: pin, at, details, secrets, events }) =>
      db.transaction(async (q) => {
        const guards = [`${db.schemaName}.enrolment`, id, `${db.schemaName}.pin`, pin];
        q.send('lifecycle.guard', text.guard, guards);
        const [family, holders, [certificate]] = await Promise.all([
          q.query<Locked>('lifecycle.lockFamily', text.lockFamily, [id]),
          q.query('lifecycle.holder', text.holder, [pin, id]),
          q.query<IssuedTo>('lifecycle.certificate', text.certificate, [pin]),
        ]);
        const existing = family.find((row) => row.id === id);
        if (holders.length > 0) return { outcome: 'identity-mismatch', reason: 'pinned-elsewhere' };
        if (certificate !== undefined) {
          if (certificate.enrolmentId !== null && certificate.enrolmentId !== id) {
            return { outcome: 'identity-mismatch', reason: 'pinned-elsewhere' };
          }
          if (certificate.status === 'superseded' || certificate.status === 'revoked') {
            return { outcome: 'identity-mismatch', reason: certificate.status };
          }
        }

        const fresh = !(existing?.status === 'pending' && existing.pin === pin);
        if (existing === undefined) q.send('lifecycle.create', text.create, [id, 'device', null, kind]);
        else if (fresh) {
          q.send('lifecycle.clear', text.clear, [id, at]);
          q.send('lifecycle.reset', text.reset, [id]);
          const users = family.filter((row) => row.id !== id && row.status !== 'checked-out').map((row) => row.id);
          if (users.length > 0) q.send('lifecycle.leave', text.leave, [users, at]);
        }
        const invitation = certificate?.invitationId ?? null;
        q.send('lifecycle.begin', text.begin, [id, pin, at, kind, fresh, invitation]);
        putDetails(q, id, details);
        putSecrets(q, id, secrets);
        const enrolment = read(q, id);
        sendEvents(q, s, events);
        q.commit();
        return { outcome: 'accepted', enrolment: await enrolment, fresh };
      }),

    tokenUpdate: (input) =>
      db.transaction(async (q) => {
        const { id, at, channel, certificateFingerprint: pin } = input;
        const ids = channel === 'user' && input.parent !== null ? [id, input.parent] : [id];
        let rows = await q.query<Locked>('lifecycle.lock', text.lock, [ids]);
        const self = rows.find((row) => row.id === id);
        if (channel === 'user') {
          const parent = rows.find((row) => row.id === input.parent);
          if (parent?.status !== 'active') return { outcome: 'unknown' };
          if (parent.pin !== pin) return { outcome: 'identity-mismatch' };
          if (self === undefined) {
            // The parent's lock is held, so nobody else makes this channel meanwhile, unless somebody just had.
            rows = await q.query<Locked>('lifecycle.lock', text.lock, [[id]]);
            if (rows.length === 0) q.send('lifecycle.create', text.create, [id, 'user', input.parent, input.kind]);
          }
        } else {
          if (self?.channel !== 'device' || (self.status !== 'pending' && self.status !== 'active')) {
            return { outcome: 'unknown' };
          }
          if (self.pin !== pin) return { outcome: 'identity-mismatch' };
        }
        const first = rows.find((row) => row.id === id)?.status !== 'active';
        const events: NewEvent[] = [];
        if (first) {
          q.send('lifecycle.activate', text.activate, [id, at]);
          if (channel === 'device') {
            q.send('lifecycle.enforce', text.enforce, [id, pin]);
            for (const { id: invitationId } of await q.query<{ id: string }>('lifecycle.consume', text.consume, [id])) {
              events.push({ type: 'invitation.consumed', at, enrolmentId: id, data: { invitationId } });
            }
          }
        }
        putDetails(q, id, { topic: input.topic, ...input.details });
        q.send('lifecycle.token', text.token, [id, input.token, input.pushMagic, input.topic, at]);
        putSecrets(q, id, input.secrets);
        const enrolment = read(q, id);
        sendEvents(q, s, [...events, ...(first ? input.firstEvents : input.laterEvents)]);
        q.commit();
        return { outcome: 'updated', first, enrolment: await enrolment };
      }),

    adopt: ({ id, certificateFingerprint: pin, at, events }) =>
      db.transaction(async (q) => {
        const [self] = await q.query<Locked>('lifecycle.lock', text.lock, [[id]]);
        if (self?.channel !== 'device' || self.status !== 'active' || self.pin === null) return { outcome: 'refused' };
        const own = await q.query('lifecycle.renewal', text.renewal, [id, pin]);
        if (own.length === 0) return { outcome: 'refused' };
        q.send('lifecycle.adopt', text.adopt, [id, pin, self.pin, at]);
        const enrolment = read(q, id);
        sendEvents(q, s, events);
        q.commit();
        return { outcome: 'adopted', enrolment: await enrolment };
      }),

    checkOut: ({ id, certificateFingerprint, at, events }) =>
      db.transaction(async (q) => {
        const family = await q.query<Locked>('lifecycle.lockFamily', text.lockFamily, [id]);
        const self = family.find((row) => row.id === id);
        if (self === undefined) return { outcome: 'unknown' };
        const before = await read(q, id);
        if (before.certificateFingerprint !== certificateFingerprint) return { outcome: 'identity-mismatch' };
        if (self.status !== 'pending' && self.status !== 'active') return { outcome: 'ok', enrolment: before };
        const left = await leaveAll(q, family, id, at, 'check-out');
        q.send('lifecycle.end', text.end, [id, self.phase === 'retire-pending' ? 'retired' : 'checked-out']);
        q.send('lifecycle.seen', text.seen, [id, at]);
        const enrolment = read(q, id);
        sendEvents(q, s, [...left, ...events]);
        q.commit();
        return { outcome: 'ok', enrolment: await enrolment };
      }),

    setPhase: ({ ids, from, to, at, cause }) =>
      db.transaction(async (q) => {
        const wanted = from.map((phase) => phase ?? 'none');
        const moving = await q.query<Pick<Locked, 'id' | 'phase'>>('lifecycle.moving', text.moving, [ids, to, wanted]);
        if (moving.length === 0) return [];
        const moved = moving.map(({ id }) => id);
        q.send('lifecycle.move', text.move, [moved, to]);
        const events = moving.map(({ id, phase }) => ({
          type: 'enrolment.phase-changed' as const,
          at,
          enrolmentId: id,
          data: { from: phase ?? 'none', to: to ?? 'none', cause },
        }));
        sendEvents(q, s, events);
        return moved;
      }),

    end: ({ id, status, from, at, cause, events }) =>
      db.transaction(async (q) => {
        const family = await q.query<Locked>('lifecycle.lockFamily', text.lockFamily, [id]);
        const self = family.find((row) => row.id === id);
        if (self?.channel !== 'device' || !from.includes(self.status)) return null;
        const left = await leaveAll(q, family, id, at, cause);
        q.send('lifecycle.end', text.end, [id, status]);
        const enrolment = read(q, id);
        sendEvents(q, s, [...left, ...events]);
        q.commit();
        return await enrolment;
      }),

    revive: ({ id, phase, at, events }) =>
      db.transaction(async (q) => {
        const [self] = await q.query<Locked>('lifecycle.lock', text.lock, [[id]]);
        if (self?.channel !== 'device' || self.status !== 'wiped') return null;
        q.send('lifecycle.revive', text.revive, [id, phase, at]);
        const enrolment = read(q, id);
        sendEvents(q, s, events);
        q.commit();
        return await enrolment;
      }),
  };
}
