// Migration 4: the queue's steps: offering, taking results, ending, and what is pushed when.
//
// The rule that makes them safe beside each other: whoever changes anything of an enrolment holds its row in "live", and
// whoever needs several takes them in order of id. Each statement of a routine sees what was committed before it began.
// Hot routines are planned without sequential scans: they are first planned while the tables are small.

/** The statements, for a schema (already quoted). */
export const queueRoutines = (s: string): string => `
-- The delay before the n-th repetition, n from 0.
CREATE FUNCTION ${s}.backoff(p_base bigint, p_max bigint, p_n integer) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT least(p_max, p_base * (1::bigint << least(greatest(p_n, 0), 20))) $$;

-- Why an enrolment was refused.
CREATE FUNCTION ${s}.refusal(p_id text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN EXISTS (
    SELECT FROM ${s}.live l LEFT JOIN ${s}.live parent ON parent.id = l.parent
    WHERE l.id = p_id AND l.status IN ('pending', 'active')
      AND (l.parent IS NULL OR parent.status IN ('pending', 'active'))
  ) THEN 'identity-mismatch' ELSE 'unknown' END
$$;

-- Moves rows to the history as they are; their enrolments are locked by the caller. Chains are the caller's concern.
CREATE FUNCTION ${s}.finish_rows(p_ids text[], p_seqs bigint[], p_states text[], p_at bigint) RETURNS void
LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM ${s}.pending p
    USING unnest(p_ids, p_seqs, p_states) AS t (id, seq, state) JOIN ${s}.command c ON c.seq = t.seq
    WHERE p.enrolment_id = t.id AND p.ord = c.ord AND p.seq = t.seq
    RETURNING p.enrolment_id, p.seq, p.sent_at, p.attempts, t.state AS ended, c.uuid, c.follow_up
  ), kept AS (
    INSERT INTO ${s}.history (enrolment_id, seq, state, sent_at, finished_at, attempts)
    SELECT g.enrolment_id, g.seq, g.ended, g.sent_at, p_at, g.attempts FROM gone g
  )
  INSERT INTO ${s}.follow_up (enrolment_id, uuid, seq, ended_at)
  SELECT g.enrolment_id, g.uuid, g.seq, p_at FROM gone g WHERE g.follow_up AND g.ended <> 'superseded'
$$;

-- Ends rows, drops the rest of chains that are to be dropped, and appends the events. Returns all that ended.
CREATE FUNCTION ${s}.end_rows(
  p_ids text[], p_seqs bigint[], p_states text[], p_at bigint
) RETURNS TABLE (o_enrolment text, o_uuid text, o_type text, o_state text, o_follow_up boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v_ids text[];
  v_seqs bigint[];
  v_states text[];
  v_rest bigint[];
  v_row record;
BEGIN
  -- Commands without a chain all at once.
  SELECT coalesce(array_agg(t.id), '{}'), coalesce(array_agg(t.seq), '{}'), coalesce(array_agg(t.state), '{}')
  INTO v_ids, v_seqs, v_states
  FROM unnest(p_ids, p_seqs, p_states) AS t (id, seq, state) JOIN ${s}.command c ON c.seq = t.seq
  WHERE c.chain_id IS NULL;
  PERFORM ${s}.finish_rows(v_ids, v_seqs, v_states, p_at);
  -- Commands of chains one by one: one may take others of the list with it.
  FOR v_row IN
    SELECT t.id, t.seq, t.state, c.ord, c.chain_id, c.chain_index, c.on_error
    FROM unnest(p_ids, p_seqs, p_states) WITH ORDINALITY AS t (id, seq, state, n)
    JOIN ${s}.command c ON c.seq = t.seq
    WHERE c.chain_id IS NOT NULL ORDER BY t.n
  LOOP
    PERFORM FROM ${s}.pending p WHERE p.enrolment_id = v_row.id AND p.ord = v_row.ord AND p.seq = v_row.seq;
    CONTINUE WHEN NOT FOUND;
    PERFORM ${s}.finish_rows(ARRAY[v_row.id], ARRAY[v_row.seq], ARRAY[v_row.state], p_at);
    v_ids := v_ids || v_row.id;
    v_seqs := v_seqs || v_row.seq;
    v_states := v_states || v_row.state;
    CONTINUE WHEN v_row.on_error <> 'drop-chain';
    SELECT coalesce(array_agg(p.seq ORDER BY p.chain_index), '{}') INTO v_rest FROM ${s}.pending p
    WHERE p.enrolment_id = v_row.id AND p.chain_id = v_row.chain_id AND p.chain_index > v_row.chain_index;
    CONTINUE WHEN cardinality(v_rest) = 0;
    PERFORM ${s}.finish_rows(
      array_fill(v_row.id, ARRAY[cardinality(v_rest)]), v_rest,
      array_fill('cancelled'::text, ARRAY[cardinality(v_rest)]), p_at
    );
    v_ids := v_ids || array_fill(v_row.id, ARRAY[cardinality(v_rest)]);
    v_seqs := v_seqs || v_rest;
    v_states := v_states || array_fill('cancelled'::text, ARRAY[cardinality(v_rest)]);
  END LOOP;
  IF cardinality(v_ids) = 0 THEN RETURN; END IF;
  PERFORM ${s}.append_events(
    coalesce(array_agg(CASE t.state WHEN 'cancelled' THEN 'command.cancelled' ELSE 'command.expired' END ORDER BY t.n), '{}'),
    coalesce(array_agg(p_at), '{}'),
    coalesce(array_agg(t.id ORDER BY t.n), '{}'),
    coalesce(array_agg(
      CASE t.state
        WHEN 'cancelled' THEN json_build_object('commandUuid', c.uuid, 'requestType', c.request_type)
        ELSE json_build_object('commandUuid', c.uuid, 'requestType', c.request_type, 'state', t.state)
      END::text ORDER BY t.n), '{}')
  )
  FROM unnest(v_ids, v_seqs, v_states) WITH ORDINALITY AS t (id, seq, state, n) JOIN ${s}.command c ON c.seq = t.seq
  WHERE t.state IN ('cancelled', 'expired', 'exhausted');
  RETURN QUERY
    SELECT t.id, c.uuid, c.request_type, t.state, c.follow_up
    FROM unnest(v_ids, v_seqs, v_states) WITH ORDINALITY AS t (id, seq, state, n) JOIN ${s}.command c ON c.seq = t.seq
    ORDER BY t.n;
END $$;

-- Cancels everything that is pending for these enrolments, which the caller has locked.
CREATE FUNCTION ${s}.clear_pending(p_ids text[], p_at bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_ids text[];
  v_seqs bigint[];
BEGIN
  SELECT array_agg(p.enrolment_id ORDER BY p.enrolment_id, p.ord, p.seq),
    array_agg(p.seq ORDER BY p.enrolment_id, p.ord, p.seq)
  INTO v_ids, v_seqs FROM ${s}.pending p WHERE p.enrolment_id = ANY (p_ids);
  IF v_ids IS NULL THEN RETURN; END IF;
  PERFORM ${s}.end_rows(v_ids, v_seqs, array_fill('cancelled'::text, ARRAY[cardinality(v_ids)]), p_at);
END $$;

${pollRoutine(s)}`;

/** The routine of a poll; since migration 15 it also tells where the command that was answered came from. */
export const pollRoutine = (s: string, withOrigin = false): string => `
-- The hot path. See the contract of poll for what each step means.
CREATE FUNCTION ${s}.poll(
  p_id text, p_pin text, p_at bigint, p_base bigint, p_max bigint,
  p_uuid text, p_status text, p_response bytea, p_sealed boolean, p_errors json,
  p_event_type text, p_event_at bigint, p_event_enrolment text, p_event_data text,
  OUT o_outcome text, OUT o_result text, OUT o_result_type text, OUT o_result_follow_up boolean,
  OUT o_uuid text, OUT o_type text, OUT o_body bytea, OUT o_sealed boolean, OUT o_attempts integer${withOrigin ? ', OUT o_result_origin text' : ''}
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_live record;
  v_command record;
  v_row record;
  v_next record;
  v_due bigint;
BEGIN
  UPDATE ${s}.live l
  SET last_seen_at = greatest(l.last_seen_at, p_at), session = l.session + CASE WHEN p_uuid IS NULL THEN 1 ELSE 0 END
  WHERE l.id = p_id AND l.status IN ('pending', 'active')
    AND p_pin = CASE WHEN l.parent IS NULL THEN l.pin ELSE (
      SELECT parent.pin FROM ${s}.live parent WHERE parent.id = l.parent AND parent.status IN ('pending', 'active')
    ) END
  RETURNING l.session, l.has_push, l.due_at, l.push_attempts, l.lease INTO v_live;
  IF NOT FOUND THEN
    o_outcome := ${s}.refusal(p_id);
    RETURN;
  END IF;
  o_outcome := 'ok';

  IF p_uuid IS NOT NULL THEN
    o_result := 'unknown';
    SELECT c.seq, c.ord, c.request_type, c.follow_up, c.on_error${withOrigin ? ', c.origin' : ''} INTO v_command FROM ${s}.command c WHERE c.uuid = p_uuid;
    IF FOUND THEN
      SELECT p.state, p.attempts, p.max_attempts, p.chain_id, p.chain_index INTO v_row FROM ${s}.pending p
      WHERE p.enrolment_id = p_id AND p.ord = v_command.ord AND p.seq = v_command.seq;
      IF NOT FOUND THEN
        PERFORM FROM ${s}.history h WHERE h.enrolment_id = p_id AND h.seq = v_command.seq;
        IF FOUND THEN o_result := 'repeated'; END IF;
      ELSIF v_row.state = 'queued' THEN
        IF v_row.attempts > 0 THEN o_result := 'repeated'; END IF;
      ELSIF p_status = 'not-now' THEN
        o_result := 'repeated';
        IF v_row.state <> 'not-now' THEN
          UPDATE ${s}.pending p
          SET state = 'not-now', not_now = p.not_now + 1, attempts = p.attempts - 1, sweep_at = p.expires_at
          WHERE p.enrolment_id = p_id AND p.ord = v_command.ord AND p.seq = v_command.seq;
          o_result := 'deferred';
        END IF;
      ELSIF p_status = 'error' AND v_command.on_error = 'retry'
        AND (v_row.max_attempts IS NULL OR v_row.attempts < v_row.max_attempts)
      THEN
        UPDATE ${s}.pending p
        SET state = 'queued', not_before = p_at + ${s}.backoff(p_base, p_max, v_row.attempts - 1)
        WHERE p.enrolment_id = p_id AND p.ord = v_command.ord AND p.seq = v_command.seq;
        o_result := 'retrying';
      ELSE
        WITH gone AS (
          DELETE FROM ${s}.pending p
          WHERE p.enrolment_id = p_id AND p.ord = v_command.ord AND p.seq = v_command.seq
          RETURNING p.sent_at, p.attempts
        )
        INSERT INTO ${s}.history (enrolment_id, seq, state, sent_at, finished_at, attempts, errors, response, sealed)
        SELECT p_id, v_command.seq, p_status, g.sent_at, p_at, g.attempts, p_errors, p_response, coalesce(p_sealed, false)
        FROM gone g;
        IF v_command.follow_up THEN
          INSERT INTO ${s}.follow_up (enrolment_id, uuid, seq, ended_at)
          VALUES (p_id, p_uuid, v_command.seq, p_at);
        END IF;
        o_result := 'stored';
      END IF;
      IF o_result <> 'unknown' THEN
        o_result_type := v_command.request_type;
        o_result_follow_up := v_command.follow_up;${withOrigin ? '\n        o_result_origin := v_command.origin;' : ''}
      END IF;
      IF o_result IN ('stored', 'deferred', 'retrying') AND p_event_type IS NOT NULL THEN
        PERFORM ${s}.append_events(
          ARRAY[p_event_type], ARRAY[p_event_at], ARRAY[p_event_enrolment], ARRAY[p_event_data]
        );
      END IF;
      IF o_result = 'stored' AND v_row.chain_id IS NOT NULL THEN
        IF p_status = 'acknowledged' THEN
          UPDATE ${s}.pending p SET held = false
          WHERE p.enrolment_id = p_id AND p.chain_id = v_row.chain_id AND p.chain_index = v_row.chain_index + 1;
        ELSIF v_command.on_error = 'drop-chain' THEN
          PERFORM ${s}.end_rows(
            array_agg(p_id), array_agg(p.seq ORDER BY p.chain_index), array_agg('cancelled'::text), p_at
          )
          FROM ${s}.pending p
          WHERE p.enrolment_id = p_id AND p.chain_id = v_row.chain_id AND p.chain_index > v_row.chain_index
          HAVING count(*) > 0;
        END IF;
      END IF;
    END IF;
  END IF;

  SELECT p.ord, p.seq, p.attempts, p.max_attempts, p.expires_at INTO v_next FROM ${s}.pending p
  WHERE p.enrolment_id = p_id AND NOT p.held
    AND (p.not_before IS NULL OR p.not_before <= p_at)
    AND (p.expires_at IS NULL OR p.expires_at > p_at)
    AND (p.max_attempts IS NULL OR p.attempts < p.max_attempts)
    AND (p.state = 'queued' OR p.offered < v_live.session OR (o_result = 'repeated' AND p.state = 'sent'))
  ORDER BY p.ord, p.seq
  LIMIT 1;
  IF FOUND THEN
    UPDATE ${s}.pending p
    SET state = 'sent', sent_at = p_at, attempts = p.attempts + 1, offered = v_live.session,
      sweep_at = CASE WHEN p.attempts + 1 >= p.max_attempts THEN least(p.expires_at, p_at) ELSE p.expires_at END
    WHERE p.enrolment_id = p_id AND p.ord = v_next.ord AND p.seq = v_next.seq;
    SELECT c.uuid, c.request_type, c.body, c.sealed, v_next.attempts + 1
    INTO o_uuid, o_type, o_body, o_sealed, o_attempts
    FROM ${s}.command c WHERE c.seq = v_next.seq;
    RETURN;
  END IF;

  IF v_live.has_push THEN
    SELECT min(CASE p.state
      WHEN 'queued' THEN coalesce(p.not_before, p_at)
      WHEN 'not-now' THEN p_at + ${s}.backoff(p_base, p_max, p.not_now - 1)
      ELSE p_at + p_base
    END) INTO v_due
    FROM ${s}.pending p
    WHERE p.enrolment_id = p_id AND p.push AND NOT p.held
      AND (p.expires_at IS NULL OR p.expires_at > p_at)
      AND (p.max_attempts IS NULL OR p.attempts < p.max_attempts);
    IF v_live.push_attempts <> 0 OR v_live.lease IS NOT NULL OR v_live.due_at IS DISTINCT FROM v_due THEN
      UPDATE ${s}.live l SET due_at = v_due, push_attempts = 0, lease = NULL WHERE l.id = p_id;
    END IF;
  END IF;
END $$;
`;
