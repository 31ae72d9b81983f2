// The schema, as a list of migrations that only ever grows.
import { adeProfileTables, adeTables } from './schema-ade.ts';
import { certificateDevices, certificateLifecycle } from './schema-certificates.ts';

import { credentialTables } from './schema-credentials.ts';
import { declarationTables } from './schema-declarations.ts';
import { registrationTables } from './schema-registrations.ts';
import { scepRequestTables } from './schema-scep-requests.ts';

/** Migration n (from 1) takes a database from version n - 1 to n. A released migration is never changed. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE enrolments (
    nr INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent INTEGER,
    status TEXT NOT NULL,
    udid TEXT,
    serial_number TEXT,
    model TEXT,
    product_name TEXT,
    os_version TEXT,
    device_name TEXT,
    topic TEXT,
    pin TEXT,
    pushable INTEGER NOT NULL DEFAULT 0,
    enrolled_at INTEGER,
    last_seen_at INTEGER,
    checked_out_at INTEGER,
    invitation_id TEXT,
    session INTEGER NOT NULL DEFAULT 0,
    inventory_at INTEGER
  ) STRICT;
  CREATE INDEX enrolments_parent ON enrolments (parent) WHERE parent IS NOT NULL;
  CREATE INDEX enrolments_pin ON enrolments (pin) WHERE pin IS NOT NULL;
  CREATE INDEX enrolments_without_inventory ON enrolments (nr)
    WHERE channel = 'device' AND status = 'active' AND inventory_at IS NULL;

  CREATE TABLE facts (nr INTEGER PRIMARY KEY, facts TEXT NOT NULL) STRICT;
  CREATE TABLE inventory_lists (
    nr INTEGER NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (nr, name)
  ) STRICT;

  CREATE TABLE push (
    nr INTEGER PRIMARY KEY,
    token BLOB NOT NULL,
    push_magic BLOB NOT NULL,
    topic TEXT NOT NULL,
    due_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    last_pushed_at INTEGER,
    dead INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX push_due ON push (due_at) WHERE due_at IS NOT NULL AND dead = 0;

  CREATE TABLE commands (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    request_type TEXT NOT NULL,
    body BLOB NOT NULL,
    sealed INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    expires_at INTEGER,
    dedupe_key TEXT,
    max_attempts INTEGER,
    on_error TEXT NOT NULL,
    chain_id TEXT,
    chain_index INTEGER,
    origin TEXT NOT NULL,
    push INTEGER NOT NULL,
    follow_up INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    refs INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  -- The columns stand in the order in which a poll looks at them.
  CREATE TABLE pending (
    enrolment INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    not_before INTEGER,
    ready INTEGER NOT NULL,
    expires_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER,
    state TEXT NOT NULL DEFAULT 'queued',
    offered INTEGER NOT NULL DEFAULT -1,
    push INTEGER NOT NULL,
    not_now INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    dedupe_key TEXT,
    PRIMARY KEY (enrolment, rank, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX pending_key ON pending (enrolment, dedupe_key) WHERE dedupe_key IS NOT NULL;
  CREATE INDEX pending_expiry ON pending (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX pending_used_up ON pending (enrolment)
    WHERE max_attempts IS NOT NULL AND attempts >= max_attempts;

  CREATE TABLE history (
    nr INTEGER PRIMARY KEY,
    enrolment INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    sent_at INTEGER,
    finished_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error_chain TEXT,
    response BLOB,
    sealed INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX history_command ON history (enrolment, seq);
  CREATE INDEX history_finished ON history (finished_at);

  CREATE TABLE follow_ups (
    enrolment INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (enrolment, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX follow_ups_at ON follow_ups (at);

  CREATE TABLE certificates (
    nr INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    serial_number TEXT NOT NULL,
    subject TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    invitation_id TEXT,
    enrolment_id TEXT,
    status TEXT NOT NULL
  ) STRICT;
  CREATE INDEX certificates_enrolment ON certificates (enrolment_id, nr) WHERE enrolment_id IS NOT NULL;
  CREATE TABLE challenges (
    hash TEXT PRIMARY KEY,
    invitation_id TEXT,
    subject TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX challenges_expiry ON challenges (expires_at);
  CREATE TABLE scep_transactions (
    public_key_hash TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    certificate BLOB NOT NULL,
    PRIMARY KEY (public_key_hash, transaction_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE secrets (
    scope TEXT NOT NULL, name TEXT NOT NULL, blob BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (scope, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE labels (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    kind TEXT NOT NULL,
    expression TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE label_members (
    label TEXT NOT NULL, enrolment INTEGER NOT NULL, PRIMARY KEY (label, enrolment)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX label_members_enrolment ON label_members (enrolment, label);

  CREATE TABLE configurations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    settings TEXT NOT NULL,
    version INTEGER NOT NULL,
    label_ids TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE configuration_labels (
    label TEXT NOT NULL, configuration TEXT NOT NULL, PRIMARY KEY (label, configuration)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX configuration_labels_configuration ON configuration_labels (configuration, label);
  CREATE TABLE assignments (
    enrolment INTEGER NOT NULL,
    configuration TEXT NOT NULL,
    configuration_name TEXT NOT NULL,
    profile_identifier TEXT NOT NULL,
    profile_uuid TEXT,
    verifiable INTEGER NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    command_uuid TEXT,
    detail TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (enrolment, configuration)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX assignments_configuration ON assignments (configuration, status, enrolment);
  CREATE TABLE reconcile_marks (
    enrolment INTEGER PRIMARY KEY, mark INTEGER NOT NULL, due_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX reconcile_marks_due ON reconcile_marks (due_at, mark);
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    enrolment_id TEXT,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_enrolment ON events (enrolment_id, seq) WHERE enrolment_id IS NOT NULL;
  CREATE INDEX events_type ON events (type, seq);

  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE invitations (
    nr INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    enrolment_id TEXT,
    sealed BLOB NOT NULL,
    pin_hash TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE INDEX invitations_pin ON invitations (pin_hash, nr);
  CREATE INDEX invitations_valid ON invitations (expires_at) WHERE status = 'valid';
  `,
  certificateLifecycle,
  `
  -- Facts as rows, for searching: one for each value; a field's token is written once, in fact_fields.
  CREATE TABLE fact_fields (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE fact_rows (
    enrolment INTEGER NOT NULL,
    field INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    key TEXT,
    whole TEXT,
    number REAL,
    version TEXT,
    PRIMARY KEY (enrolment, field, ordinal)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fact_rows_key ON fact_rows (field, key, enrolment) WHERE key IS NOT NULL;
  CREATE INDEX fact_rows_number ON fact_rows (field, number, enrolment) WHERE number IS NOT NULL;
  CREATE INDEX fact_rows_version ON fact_rows (field, version, enrolment) WHERE version IS NOT NULL;
  ALTER TABLE facts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

  -- Devices whose labels are to be looked at again at a time, or when they are heard of.
  ALTER TABLE enrolments ADD COLUMN labels_due_at INTEGER;
  ALTER TABLE enrolments ADD COLUMN awaits_contact INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX enrolments_labels_due ON enrolments (labels_due_at) WHERE labels_due_at IS NOT NULL;
  CREATE TRIGGER enrolments_contact AFTER UPDATE OF last_seen_at ON enrolments
    WHEN OLD.awaits_contact = 1 AND NEW.last_seen_at IS NOT OLD.last_seen_at
  BEGIN
    UPDATE enrolments SET awaits_contact = 0, labels_due_at = NEW.last_seen_at WHERE nr = NEW.nr;
  END;

  -- 0: its members do not follow from its expression yet.
  ALTER TABLE labels ADD COLUMN evaluated INTEGER NOT NULL DEFAULT 1;
  UPDATE labels SET evaluated = 0 WHERE expression IS NOT NULL;
  CREATE INDEX labels_unevaluated ON labels (id) WHERE evaluated = 0;
  `,
  declarationTables,
  adeTables,
  scepRequestTables,
  `
  -- What an administrator wants of an active device and is not done yet.
  ALTER TABLE enrolments ADD COLUMN phase TEXT;
  `,
  credentialTables,
  adeProfileTables,
  certificateDevices,
  registrationTables,
];
