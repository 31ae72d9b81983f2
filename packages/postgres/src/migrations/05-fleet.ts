// Migration 5: what works on many enrolments at once: enqueueing, ending, sweeping, pruning, leasing pushes, marking.

/** The statements, for a schema (already quoted). */
export const fleetRoutines = (s: string): string => `
-- Locks these enrolments in order of id and returns those that may be given commands.
CREATE FUNCTION ${s}.lock_living(p_ids text[]) RETURNS text[]
LANGUAGE sql AS $$
  SELECT coalesce(array_agg(t.id), '{}') FROM (
    SELECT l.id FROM unnest(p_ids) AS u (id) JOIN ${s}.live l ON l.id = u.id
    WHERE l.status IN ('pending', 'active')
    ORDER BY l.id FOR NO KEY UPDATE OF l
  ) t
$$;

CREATE FUNCTION ${s}.enqueue(
  p_ids text[], p_at bigint, p_uuids text[], p_types text[], p_bodies bytea[], p_sealed boolean[],
  p_priorities integer[], p_not_before bigint[], p_expires bigint[], p_keys text[], p_replace boolean[],
  p_max integer[], p_on_error text[], p_chains text[], p_indexes integer[], p_origins text[], p_push boolean[],
  p_follow_up boolean[],
  p_event_types text[], p_event_ats bigint[], p_event_ids text[], p_event_datas text[]
) RETURNS integer[]
LANGUAGE plpgsql SET enable_seqscan = off SET work_mem = '32MB' AS $$
DECLARE
  v_living text[];
  v_targets text[];
  v_kept text[];
  v_ids text[];
  v_seqs bigint[];
  v_states text[];
  v_seq bigint;
  v_due bigint;
  v_queued integer[] := '{}';
BEGIN
  PERFORM FROM ${s}.command c WHERE c.uuid = ANY (p_uuids);
  IF FOUND THEN
    RAISE EXCEPTION 'a command with this identifier exists already'
      USING ERRCODE = 'unique_violation', CONSTRAINT = 'command_uuid';
  END IF;
  v_living := ${s}.lock_living(p_ids);
  FOR i IN 1 .. cardinality(p_uuids) LOOP
    v_targets := v_living;
    IF p_keys[i] IS NOT NULL THEN
      SELECT
        array_agg(t.id) FILTER (WHERE NOT p_replace[i] AND t.death IS NULL),
        array_agg(t.id) FILTER (WHERE p_replace[i] OR t.death IS NOT NULL),
        array_agg(t.seq) FILTER (WHERE p_replace[i] OR t.death IS NOT NULL),
        array_agg(CASE WHEN p_replace[i] THEN 'superseded' ELSE t.death END)
          FILTER (WHERE p_replace[i] OR t.death IS NOT NULL)
      INTO v_kept, v_ids, v_seqs, v_states
      FROM (
        SELECT p.enrolment_id AS id, p.seq, CASE
          WHEN p.expires_at <= p_at THEN 'expired'
          WHEN p.attempts >= p.max_attempts AND p.offered < l.session THEN 'exhausted'
        END AS death
        FROM unnest(v_living) AS u (id)
        JOIN ${s}.pending p ON p.enrolment_id = u.id AND p.dedupe_key = p_keys[i]
        JOIN ${s}.live l ON l.id = p.enrolment_id
      ) t;
      IF v_ids IS NOT NULL THEN PERFORM ${s}.finish_rows(v_ids, v_seqs, v_states, p_at); END IF;
      IF v_kept IS NOT NULL THEN
        SELECT coalesce(array_agg(u.id ORDER BY u.n), '{}') INTO v_targets
        FROM unnest(v_living) WITH ORDINALITY AS u (id, n) LEFT JOIN unnest(v_kept) AS k (id) ON k.id = u.id
        WHERE k.id IS NULL;
      END IF;
    END IF;
    v_queued := v_queued || cardinality(v_targets);
    CONTINUE WHEN cardinality(v_targets) = 0;
    INSERT INTO ${s}.command (
      uuid, ord, request_type, body, sealed, expires_at, dedupe_key, max_attempts, on_error, chain_id, chain_index,
      origin, push, follow_up, queued_at, refs
    ) VALUES (
      p_uuids[i], -p_priorities[i], p_types[i], p_bodies[i], p_sealed[i], p_expires[i], p_keys[i], p_max[i],
      p_on_error[i], p_chains[i], p_indexes[i], p_origins[i], p_push[i], p_follow_up[i], p_at, cardinality(v_targets)
    ) RETURNING seq INTO v_seq;
    INSERT INTO ${s}.pending (
      enrolment_id, ord, seq, state, held, push, not_before, expires_at, sweep_at, max_attempts, attempts, not_now,
      offered, sent_at, dedupe_key, chain_id, chain_index
    )
    SELECT u.id, -p_priorities[i], v_seq, 'queued', coalesce(p_indexes[i], 0) > 0, p_push[i], p_not_before[i],
      p_expires[i], CASE WHEN p_max[i] <= 0 THEN least(p_expires[i], p_at) ELSE p_expires[i] END, p_max[i], 0, 0,
      -1, NULL, p_keys[i], p_chains[i], p_indexes[i]
    FROM unnest(v_targets) AS u (id);
    IF p_push[i] THEN
      v_due := greatest(p_at, p_not_before[i]);
      UPDATE ${s}.live l SET due_at = v_due FROM unnest(v_targets) AS u (id)
      WHERE l.id = u.id AND l.has_push
        AND (l.due_at IS NULL OR (l.push_attempts = 0 AND l.lease IS NULL AND l.due_at > v_due));
    END IF;
  END LOOP;
  IF 0 < ANY (v_queued) THEN PERFORM ${s}.append_events(p_event_types, p_event_ats, p_event_ids, p_event_datas); END IF;
  RETURN v_queued;
END $$;

${endRoutine(s, false)}
-- Enrolments that somebody works on right now are left for the next sweep.
CREATE FUNCTION ${s}.sweep(p_at bigint, p_limit bigint)
RETURNS TABLE (o_enrolment text, o_uuid text, o_type text, o_state text, o_follow_up boolean)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_found text[];
  v_seen bigint[];
  v_ids text[];
  v_seqs bigint[];
  v_states text[];
BEGIN
  SELECT array_agg(t.enrolment_id), array_agg(t.seq) INTO v_found, v_seen FROM (
    SELECT p.enrolment_id, p.seq FROM ${s}.pending p JOIN ${s}.live l ON l.id = p.enrolment_id
    WHERE p.sweep_at <= p_at
      AND (p.expires_at <= p_at OR (p.attempts >= p.max_attempts AND p.offered < l.session))
    ORDER BY p.sweep_at LIMIT p_limit FOR NO KEY UPDATE OF l SKIP LOCKED
  ) t;
  IF v_found IS NULL THEN RETURN; END IF;
  -- Looked at again, now that nobody else can change them.
  SELECT array_agg(t.id ORDER BY t.seq), array_agg(t.seq ORDER BY t.seq), array_agg(t.death ORDER BY t.seq)
  INTO v_ids, v_seqs, v_states
  FROM (
    SELECT p.enrolment_id AS id, p.seq, CASE
      WHEN p.expires_at <= p_at THEN 'expired'
      WHEN p.attempts >= p.max_attempts AND p.offered < l.session THEN 'exhausted'
    END AS death
    FROM unnest(v_found, v_seen) AS f (id, seq)
    JOIN ${s}.command c ON c.seq = f.seq
    JOIN ${s}.pending p ON p.enrolment_id = f.id AND p.ord = c.ord AND p.seq = f.seq
    JOIN ${s}.live l ON l.id = f.id
  ) t
  WHERE t.death IS NOT NULL;
  IF v_ids IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT * FROM ${s}.end_rows(v_ids, v_seqs, v_states, p_at);
END $$;

CREATE FUNCTION ${s}.requeue(p_id text, p_uuid text, p_at bigint) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_command ${s}.command;
BEGIN
  IF cardinality(${s}.lock_living(ARRAY[p_id])) = 0 THEN RETURN false; END IF;
  SELECT c.* INTO v_command FROM ${s}.command c JOIN ${s}.history h ON h.enrolment_id = p_id AND h.seq = c.seq
  WHERE c.uuid = p_uuid;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM FROM ${s}.pending p WHERE p.enrolment_id = p_id AND p.dedupe_key = v_command.dedupe_key;
  IF FOUND THEN RETURN false; END IF;
  DELETE FROM ${s}.history h WHERE h.enrolment_id = p_id AND h.seq = v_command.seq;
  -- Pruned by somebody else meanwhile.
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM ${s}.follow_up f WHERE f.enrolment_id = p_id AND f.uuid = p_uuid;
  IF v_command.expires_at <= p_at THEN v_command.expires_at := NULL; END IF;
  INSERT INTO ${s}.pending (
    enrolment_id, ord, seq, state, held, push, not_before, expires_at, sweep_at, max_attempts, attempts, not_now,
    offered, sent_at, dedupe_key, chain_id, chain_index
  ) VALUES (
    p_id, v_command.ord, v_command.seq, 'queued', false, v_command.push, NULL, v_command.expires_at,
    v_command.expires_at, v_command.max_attempts, 0, 0, -1, NULL, v_command.dedupe_key, v_command.chain_id,
    v_command.chain_index
  );
  IF v_command.push THEN
    UPDATE ${s}.live l SET due_at = p_at
    WHERE l.id = p_id AND l.has_push
      AND (l.due_at IS NULL OR (l.push_attempts = 0 AND l.lease IS NULL AND l.due_at > p_at));
  END IF;
  RETURN true;
END $$;

CREATE FUNCTION ${s}.prune_history(p_before bigint, p_limit bigint) RETURNS integer
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_seqs bigint[];
BEGIN
  WITH old AS MATERIALIZED (
    SELECT h.enrolment_id, h.seq FROM ${s}.history h WHERE h.finished_at < p_before
    ORDER BY h.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM ${s}.history h USING old WHERE h.enrolment_id = old.enrolment_id AND h.seq = old.seq RETURNING h.seq
  )
  SELECT array_agg(g.seq) INTO v_seqs FROM gone g;
  IF v_seqs IS NULL THEN RETURN 0; END IF;
  PERFORM FROM ${s}.command c WHERE c.seq IN (SELECT DISTINCT unnest(v_seqs)) ORDER BY c.seq FOR UPDATE;
  UPDATE ${s}.command c SET refs = c.refs - t.n
  FROM (SELECT u.seq, count(*) AS n FROM unnest(v_seqs) AS u (seq) GROUP BY u.seq) t WHERE c.seq = t.seq;
  DELETE FROM ${s}.command c WHERE c.seq = ANY (v_seqs) AND c.refs <= 0;
  RETURN cardinality(v_seqs);
END $$;

CREATE FUNCTION ${s}.claim_pushes(p_lease text, p_at bigint, p_lease_ms bigint, p_limit bigint)
RETURNS TABLE (o_enrolment text, o_token bytea, o_magic bytea, o_topic text, o_attempts integer)
LANGUAGE sql SET enable_seqscan = off AS $$
  WITH due AS MATERIALIZED (
    SELECT l.id, l.due_at FROM ${s}.live l
    WHERE l.pushable AND l.due_at <= p_at AND l.status = 'active'
    ORDER BY l.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
  ), leased AS (
    UPDATE ${s}.live l SET lease = p_lease, due_at = p_at + p_lease_ms FROM due WHERE l.id = due.id
    RETURNING l.id, l.push_attempts, due.due_at
  )
  SELECT l.id, t.token, t.push_magic, t.topic, l.push_attempts
  FROM leased l JOIN ${s}.push_token t ON t.enrolment_id = l.id ORDER BY l.due_at
$$;

CREATE FUNCTION ${s}.settle_pushes(p_at bigint, p_ids text[], p_leases text[], p_outcomes text[], p_dues bigint[])
RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  PERFORM FROM ${s}.live l JOIN unnest(p_ids) AS u (id) ON l.id = u.id ORDER BY l.id FOR NO KEY UPDATE OF l;
  UPDATE ${s}.live l SET
    lease = NULL,
    pushable = l.pushable AND t.outcome <> 'token-dead',
    due_at = CASE t.outcome WHEN 'token-dead' THEN NULL ELSE t.due_at END,
    push_attempts = l.push_attempts + CASE t.outcome WHEN 'token-dead' THEN 0 ELSE 1 END,
    last_pushed_at = CASE t.outcome WHEN 'sent' THEN p_at ELSE l.last_pushed_at END
  FROM unnest(p_ids, p_leases, p_outcomes, p_dues) AS t (id, lease, outcome, due_at)
  WHERE l.id = t.id AND l.lease = t.lease;
END $$;

CREATE FUNCTION ${s}.request_pushes(p_ids text[], p_at bigint) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_count bigint;
BEGIN
  PERFORM FROM ${s}.live l JOIN unnest(p_ids) AS u (id) ON l.id = u.id ORDER BY l.id FOR NO KEY UPDATE OF l;
  UPDATE ${s}.live l SET due_at = p_at, push_attempts = 0, lease = NULL
  FROM unnest(p_ids) AS u (id)
  WHERE l.id = u.id AND l.has_push AND l.pushable AND l.status = 'active';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

-- Marks enrolments that exist, in order of id.
CREATE FUNCTION ${s}.mark_enrolments(p_ids text[], p_at bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO ${s}.mark AS m (enrolment_id, mark, due_at)
  SELECT t.id, nextval('${s}.mark_seq'), p_at
  FROM (SELECT DISTINCT l.id FROM unnest(p_ids) AS u (id) JOIN ${s}.live l ON l.id = u.id ORDER BY l.id) t
  ON CONFLICT (enrolment_id) DO UPDATE SET mark = excluded.mark, due_at = least(m.due_at, excluded.due_at)
$$;

-- What an enrolment no longer has when it leaves. The caller has locked it.
CREATE FUNCTION ${s}.leave(p_ids text[], p_at bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ${s}.live l SET status = 'checked-out', pushable = false, due_at = NULL, lease = NULL WHERE l.id = ANY (p_ids);
  UPDATE ${s}.enrolment e SET checked_out_at = p_at WHERE e.id = ANY (p_ids);
  PERFORM ${s}.clear_pending(p_ids, p_at);
  DELETE FROM ${s}.member m WHERE m.enrolment_id = ANY (p_ids);
  DELETE FROM ${s}.assignment a WHERE a.enrolment_id = ANY (p_ids);
  DELETE FROM ${s}.mark m WHERE m.enrolment_id = ANY (p_ids);
END $$;
`;

/**
 * Ends pending commands; since migration 17, those stay that the device has and that are of a type in `p_keep_sent`, and of a chain
 * the last goes first, so that it ends as it was asked.
 */
export function endRoutine(s: string, keepsSent: boolean): string {
  const kept = keepsSent
    ? `
      AND (p.state <> 'sent' OR NOT EXISTS (
        SELECT FROM ${s}.command c WHERE c.seq = p.seq AND c.request_type = ANY (p_keep_sent)
      ))`
    : '';
  const order = keepsSent ? 'u.n, p.chain_index DESC NULLS LAST, p.ord, p.seq' : 'u.n, p.ord, p.seq';
  return `
CREATE FUNCTION ${s}.end_commands(p_ids text[], p_uuid text, p_key text, p_state text, p_at bigint${keepsSent ? ', p_keep_sent text[]' : ''})
RETURNS TABLE (o_enrolment text, o_uuid text, o_type text, o_state text, o_follow_up boolean)
LANGUAGE plpgsql SET enable_seqscan = off SET work_mem = '32MB' AS $$
DECLARE
  v_ids text[];
  v_seqs bigint[];
BEGIN
  PERFORM FROM ${s}.live l JOIN unnest(p_ids) AS u (id) ON l.id = u.id ORDER BY l.id FOR NO KEY UPDATE OF l;
  IF p_key IS NULL THEN
    SELECT array_agg(p.enrolment_id ORDER BY ${order}), array_agg(p.seq ORDER BY ${order})
    INTO v_ids, v_seqs
    FROM unnest(p_ids) WITH ORDINALITY AS u (id, n) JOIN ${s}.pending p ON p.enrolment_id = u.id
    WHERE (p_uuid IS NULL OR p.seq = (SELECT c.seq FROM ${s}.command c WHERE c.uuid = p_uuid))${kept};
  ELSE
    SELECT array_agg(p.enrolment_id ORDER BY u.n), array_agg(p.seq ORDER BY u.n)
    INTO v_ids, v_seqs
    FROM unnest(p_ids) WITH ORDINALITY AS u (id, n)
    JOIN ${s}.pending p ON p.enrolment_id = u.id AND p.dedupe_key = p_key
    WHERE (p_uuid IS NULL OR p.seq = (SELECT c.seq FROM ${s}.command c WHERE c.uuid = p_uuid))${kept};
  END IF;
  IF v_ids IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT * FROM ${s}.end_rows(v_ids, v_seqs, array_fill(p_state, ARRAY[cardinality(v_ids)]), p_at);
END $$;
`;
}
