// Migration 8: declarative management.

/** The statements, for a schema (already quoted). */
export const declarationTables = (s: string): string => `
CREATE TABLE ${s}.declaration (
  identifier text COLLATE "C" PRIMARY KEY,
  type text NOT NULL,
  kind text NOT NULL,
  description text NOT NULL,
  payload json NOT NULL,
  server_token text NOT NULL,
  content json,
  version integer NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

CREATE TABLE ${s}.declaration_set (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  description text NOT NULL,
  channel text NOT NULL,
  identifiers json NOT NULL,
  version integer NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX declaration_set_name ON ${s}.declaration_set (name);
CREATE TABLE ${s}.declaration_set_item (
  declaration text COLLATE "C" NOT NULL,
  set_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (declaration, set_id)
);
CREATE INDEX declaration_set_item_set ON ${s}.declaration_set_item (set_id);
CREATE TABLE ${s}.declaration_set_label (
  set_id text COLLATE "C" NOT NULL,
  label_id text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  PRIMARY KEY (set_id, position)
);
CREATE INDEX declaration_set_label_label ON ${s}.declaration_set_label (label_id, set_id);
CREATE TABLE ${s}.declaration_set_member (
  set_id text COLLATE "C" NOT NULL,
  enrolment_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (set_id, enrolment_id)
);
CREATE INDEX declaration_set_member_enrolment ON ${s}.declaration_set_member (enrolment_id, set_id);

CREATE TABLE ${s}.declaration_mark (
  enrolment_id text COLLATE "C" PRIMARY KEY,
  mark bigint NOT NULL,
  due_at bigint NOT NULL
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX declaration_mark_due ON ${s}.declaration_mark (due_at, mark);

CREATE TABLE ${s}.declaration_snapshot (
  token text COLLATE "C" PRIMARY KEY,
  items text NOT NULL,
  kept_at bigint NOT NULL
);
CREATE TABLE ${s}.declaration_sync (
  enrolment_id text COLLATE "C" PRIMARY KEY,
  token text COLLATE "C" NOT NULL,
  token_at bigint NOT NULL,
  device_token text COLLATE "C",
  fetched_at bigint,
  asked_token text COLLATE "C",
  asked_at bigint,
  reports integer NOT NULL DEFAULT 0,
  reported_at bigint,
  capabilities text,
  status text
) WITH (fillfactor = 80);
CREATE INDEX declaration_sync_token ON ${s}.declaration_sync (token);
CREATE INDEX declaration_sync_late ON ${s}.declaration_sync (asked_at) WHERE device_token IS DISTINCT FROM token;

CREATE TABLE ${s}.declaration_state (
  enrolment_id text COLLATE "C" NOT NULL,
  identifier text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  server_token text NOT NULL,
  active boolean NOT NULL,
  valid text NOT NULL,
  reasons json NOT NULL,
  reported_at bigint NOT NULL,
  PRIMARY KEY (enrolment_id, identifier)
);
CREATE INDEX declaration_state_identifier ON ${s}.declaration_state (identifier, enrolment_id);

-- Marks enrolments that exist, and their user channels, in order of id.
CREATE FUNCTION ${s}.mark_declarations(p_ids text[], p_at bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO ${s}.declaration_mark AS m (enrolment_id, mark, due_at)
  SELECT t.id, nextval('${s}.mark_seq'), p_at
  FROM (
    SELECT l.id FROM unnest(p_ids) AS u (id) JOIN ${s}.live l ON l.id = u.id
    UNION SELECT c.id FROM unnest(p_ids) AS u (id) JOIN ${s}.live c ON c.parent = u.id AND c.parent IS NOT NULL
    ORDER BY 1
  ) t
  ON CONFLICT (enrolment_id) DO UPDATE SET mark = excluded.mark, due_at = least(m.due_at, excluded.due_at)
$$;

-- Everybody whom these sets concern, directly or by label.
CREATE FUNCTION ${s}.declaration_concerned(p_sets text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT ARRAY(
    SELECT m.enrolment_id FROM ${s}.declaration_set_member m WHERE m.set_id = ANY (p_sets)
    UNION SELECT m.enrolment_id FROM ${s}.declaration_set_label l JOIN ${s}.member m ON m.label_id = l.label_id
      WHERE l.set_id = ANY (p_sets)
  )
$$;
`;
