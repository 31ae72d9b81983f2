// Migration 3: appending events and following them without missing any.
//
// A sequence gives out numbers in one order while transactions commit in another, so a follower that has seen event 12
// could miss 11, still uncommitted. Every appender therefore first takes a shared advisory lock that carries the last
// number given out so far: whatever it appends lies above. The least number carried by a lock that is held is the
// horizon: nothing at or below it is still to come. Appenders never wait for each other or for followers.

/** A number of 15 bits for a schema, so that two stores in one database keep their advisory locks apart. */
function tagOf(schema: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(schema)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash & 0x7fff;
}

/** The statements, for a schema (already quoted). */
export const eventRoutines = (s: string): string => `
CREATE FUNCTION ${s}.append_events(p_types text[], p_ats bigint[], p_ids text[], p_datas text[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(p_types) = 0 THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock_shared((${tagOf(s)}::bigint << 48) | t.last_value) FROM ${s}.event_seq t;
  RETURN QUERY
    INSERT INTO ${s}.event (type, happened_at, enrolment_id, data)
    SELECT e.type, e.happened_at, e.enrolment_id, e.data::json
    FROM unnest(p_types, p_ats, p_ids, p_datas) WITH ORDINALITY AS e (type, happened_at, enrolment_id, data, n)
    ORDER BY e.n
    RETURNING seq;
END $$;

-- The number up to which every event is decided. The statement that reads the events must begin after this one ended.
CREATE FUNCTION ${s}.event_horizon() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  v_last bigint;
  v_open bigint;
BEGIN
  SELECT t.last_value INTO v_last FROM ${s}.event_seq t;
  SELECT min((k.classid::bigint & 65535) << 32 | k.objid::bigint) INTO v_open
  FROM pg_locks k
  WHERE k.locktype = 'advisory' AND k.objsubid = 1 AND k.classid::bigint >> 16 = ${tagOf(s)}
    AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
  RETURN least(v_last, v_open);
END $$;

CREATE FUNCTION ${s}.events(
  p_enrolment text, p_type text, p_oldest boolean, p_after bigint, p_limit bigint
) RETURNS SETOF ${s}.event
LANGUAGE plpgsql AS $$
DECLARE
  v_horizon bigint := ${s}.event_horizon();
BEGIN
  IF p_oldest THEN
    RETURN QUERY SELECT e.* FROM ${s}.event e
      WHERE e.seq > coalesce(p_after, 0) AND e.seq <= v_horizon
        AND (p_enrolment IS NULL OR e.enrolment_id = p_enrolment) AND (p_type IS NULL OR e.type = p_type)
      ORDER BY e.seq LIMIT p_limit;
  ELSE
    RETURN QUERY SELECT e.* FROM ${s}.event e
      WHERE e.seq < coalesce(p_after, v_horizon + 1) AND e.seq <= v_horizon
        AND (p_enrolment IS NULL OR e.enrolment_id = p_enrolment) AND (p_type IS NULL OR e.type = p_type)
      ORDER BY e.seq DESC LIMIT p_limit;
  END IF;
END $$;
`;
