// Migration 1: the tables and their indexes. Never edited once released; later changes are later migrations.

/** The statements, for a schema (already quoted). */
export const tables = (s: string): string => `
-- What changes with every contact is apart from what describes the device, and narrow, so that updates stay on the page
-- (HOT). Its row is also the lock of everything that belongs to one enrolment.
CREATE TABLE ${s}.live (
  id text COLLATE "C" PRIMARY KEY,
  channel text NOT NULL,
  parent text COLLATE "C",
  status text NOT NULL,
  pin text COLLATE "C",
  session bigint NOT NULL DEFAULT 0,
  last_seen_at bigint,
  enrolled_at bigint,
  inventory_at bigint,
  pushable boolean NOT NULL DEFAULT false,
  has_push boolean NOT NULL DEFAULT false,
  due_at bigint,
  push_attempts integer NOT NULL DEFAULT 0,
  lease text,
  last_pushed_at bigint
);
CREATE INDEX live_parent ON ${s}.live (parent) WHERE parent IS NOT NULL;
CREATE INDEX live_due ON ${s}.live (due_at) WHERE pushable AND due_at IS NOT NULL;
CREATE INDEX live_no_inventory ON ${s}.live (enrolled_at, id)
  WHERE inventory_at IS NULL AND status = 'active' AND channel = 'device';

-- The pin is here once more, to be found by: an index on the one in "live" would be written with each change there.
CREATE TABLE ${s}.enrolment (
  id text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL,
  pin text COLLATE "C",
  udid text,
  serial_number text,
  model text,
  product_name text,
  os_version text,
  device_name text,
  topic text,
  checked_out_at bigint,
  invitation_id text COLLATE "C"
);
CREATE INDEX enrolment_pin ON ${s}.enrolment (pin) WHERE pin IS NOT NULL;

CREATE TABLE ${s}.push_token (
  enrolment_id text COLLATE "C" PRIMARY KEY,
  token bytea NOT NULL,
  push_magic bytea NOT NULL,
  topic text NOT NULL
);

-- A command, once for however many enrolments; refs counts its pending and finished rows.
CREATE TABLE ${s}.command (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uuid text COLLATE "C" NOT NULL,
  ord integer NOT NULL,
  request_type text NOT NULL,
  body bytea NOT NULL,
  sealed boolean NOT NULL,
  expires_at bigint,
  dedupe_key text COLLATE "C",
  max_attempts integer,
  on_error text NOT NULL,
  chain_id text COLLATE "C",
  chain_index integer,
  origin text NOT NULL,
  push boolean NOT NULL,
  follow_up boolean NOT NULL,
  queued_at bigint NOT NULL,
  refs bigint NOT NULL
);
CREATE UNIQUE INDEX command_uuid ON ${s}.command (uuid);
CREATE INDEX command_sealed ON ${s}.command (uuid) WHERE sealed;

-- What is still to be done. The primary key is the order in which one enrolment is offered its commands: ord is the
-- priority, negated. sweep_at is when the row can end by itself.
CREATE TABLE ${s}.pending (
  enrolment_id text COLLATE "C" NOT NULL,
  ord integer NOT NULL,
  seq bigint NOT NULL,
  state text NOT NULL,
  held boolean NOT NULL,
  push boolean NOT NULL,
  not_before bigint,
  expires_at bigint,
  sweep_at bigint,
  max_attempts integer,
  attempts integer NOT NULL,
  not_now integer NOT NULL,
  offered bigint NOT NULL,
  sent_at bigint,
  dedupe_key text COLLATE "C",
  chain_id text COLLATE "C",
  chain_index integer,
  PRIMARY KEY (enrolment_id, ord, seq)
);
CREATE UNIQUE INDEX pending_dedupe ON ${s}.pending (enrolment_id, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX pending_chain ON ${s}.pending (enrolment_id, chain_id, chain_index) WHERE chain_id IS NOT NULL;
CREATE INDEX pending_sweep ON ${s}.pending (sweep_at) WHERE sweep_at IS NOT NULL;

CREATE TABLE ${s}.history (
  enrolment_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  state text NOT NULL,
  sent_at bigint,
  finished_at bigint NOT NULL,
  attempts integer NOT NULL,
  errors json,
  response bytea,
  sealed boolean NOT NULL DEFAULT false,
  PRIMARY KEY (enrolment_id, seq)
);
CREATE INDEX history_finished ON ${s}.history (finished_at);
CREATE INDEX history_sealed ON ${s}.history (enrolment_id, seq) WHERE sealed;

-- Outlives the history and the command, should they be pruned before it is done.
CREATE TABLE ${s}.follow_up (
  enrolment_id text COLLATE "C" NOT NULL,
  uuid text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  ended_at bigint NOT NULL,
  PRIMARY KEY (enrolment_id, uuid)
);
CREATE INDEX follow_up_ended ON ${s}.follow_up (ended_at, seq);

-- The sequence starts used (at 0), so that its last value is always the seq of an event that was given out.
CREATE SEQUENCE ${s}.event_seq MINVALUE 0 START 0;
SELECT nextval('${s}.event_seq');
CREATE TABLE ${s}.event (
  seq bigint PRIMARY KEY DEFAULT nextval('${s}.event_seq'),
  type text COLLATE "C" NOT NULL,
  happened_at bigint NOT NULL,
  enrolment_id text COLLATE "C",
  data json NOT NULL
);
ALTER SEQUENCE ${s}.event_seq OWNED BY ${s}.event.seq;
CREATE INDEX event_enrolment ON ${s}.event (enrolment_id, seq) WHERE enrolment_id IS NOT NULL;
CREATE INDEX event_type ON ${s}.event (type, seq);
CREATE INDEX event_happened ON ${s}.event (happened_at);

CREATE TABLE ${s}.certificate (
  n bigint GENERATED ALWAYS AS IDENTITY,
  fingerprint text COLLATE "C" PRIMARY KEY,
  serial_number text NOT NULL,
  subject text NOT NULL,
  not_before bigint NOT NULL,
  not_after bigint NOT NULL,
  enrolment_id text COLLATE "C",
  status text NOT NULL,
  certificate bytea NOT NULL,
  invitation_id text COLLATE "C"
);
CREATE UNIQUE INDEX certificate_n ON ${s}.certificate (n);
CREATE INDEX certificate_enrolment ON ${s}.certificate (enrolment_id, n) WHERE enrolment_id IS NOT NULL;

CREATE TABLE ${s}.challenge (
  hash text COLLATE "C" PRIMARY KEY,
  invitation_id text COLLATE "C",
  subject text,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX challenge_expires ON ${s}.challenge (expires_at);

CREATE TABLE ${s}.scep_transaction (
  transaction_id text COLLATE "C" NOT NULL,
  public_key_hash text COLLATE "C" NOT NULL,
  certificate bytea NOT NULL,
  PRIMARY KEY (transaction_id, public_key_hash)
);

CREATE TABLE ${s}.invitation (
  n bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" PRIMARY KEY,
  status text NOT NULL,
  note text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  enrolment_id text COLLATE "C",
  sealed bytea NOT NULL,
  pin_hash text COLLATE "C" NOT NULL,
  token_hash text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX invitation_n ON ${s}.invitation (n);
CREATE INDEX invitation_pin ON ${s}.invitation (pin_hash, n);
CREATE INDEX invitation_token ON ${s}.invitation (token_hash, n);
CREATE INDEX invitation_valid ON ${s}.invitation (expires_at) WHERE status = 'valid';

CREATE TABLE ${s}.secret (
  scope text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  blob bytea NOT NULL,
  PRIMARY KEY (scope, name)
);

CREATE TABLE ${s}.inventory (
  enrolment_id text COLLATE "C" PRIMARY KEY,
  facts json NOT NULL DEFAULT '{}',
  apps json NOT NULL DEFAULT '[]',
  profiles json NOT NULL DEFAULT '[]',
  certificates json NOT NULL DEFAULT '[]'
);

CREATE TABLE ${s}.label (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  description text NOT NULL,
  kind text NOT NULL,
  expression text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX label_name ON ${s}.label (name);

CREATE TABLE ${s}.member (
  label_id text COLLATE "C" NOT NULL,
  enrolment_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (label_id, enrolment_id)
);
CREATE INDEX member_enrolment ON ${s}.member (enrolment_id, label_id);

CREATE TABLE ${s}.configuration (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  type text NOT NULL,
  description text NOT NULL,
  settings json NOT NULL,
  version integer NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX configuration_name ON ${s}.configuration (name);

CREATE TABLE ${s}.configuration_label (
  configuration_id text COLLATE "C" NOT NULL,
  label_id text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  PRIMARY KEY (configuration_id, position)
);
CREATE INDEX configuration_label_label ON ${s}.configuration_label (label_id, configuration_id);

CREATE TABLE ${s}.assignment (
  enrolment_id text COLLATE "C" NOT NULL,
  configuration_id text COLLATE "C" NOT NULL,
  configuration_name text NOT NULL,
  profile_identifier text NOT NULL,
  profile_uuid text,
  status text NOT NULL,
  version integer NOT NULL,
  verifiable boolean NOT NULL,
  command_uuid text,
  detail text,
  updated_at bigint NOT NULL,
  PRIMARY KEY (enrolment_id, configuration_id)
);
CREATE INDEX assignment_configuration ON ${s}.assignment (configuration_id, enrolment_id);

CREATE SEQUENCE ${s}.mark_seq;
CREATE TABLE ${s}.mark (
  enrolment_id text COLLATE "C" PRIMARY KEY,
  mark bigint NOT NULL,
  due_at bigint NOT NULL
);
CREATE INDEX mark_due ON ${s}.mark (due_at, mark);

CREATE TABLE ${s}.setting (
  name text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE ${s}.lease (
  name text COLLATE "C" PRIMARY KEY,
  owner text NOT NULL,
  until bigint NOT NULL
);
`;
