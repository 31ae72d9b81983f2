// The tables of declarative management.

/** The migration's statements. */
export const declarationTables = `
  CREATE TABLE declarations (
    identifier TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    payload TEXT NOT NULL,
    server_token TEXT NOT NULL,
    content TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE declaration_sets (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    channel TEXT NOT NULL,
    identifiers TEXT NOT NULL,
    label_ids TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE declaration_set_items (
    declaration TEXT NOT NULL, set_id TEXT NOT NULL, PRIMARY KEY (declaration, set_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX declaration_set_items_set ON declaration_set_items (set_id);
  CREATE TABLE declaration_set_labels (
    label TEXT NOT NULL, set_id TEXT NOT NULL, PRIMARY KEY (label, set_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX declaration_set_labels_set ON declaration_set_labels (set_id);
  CREATE TABLE declaration_set_members (
    set_id TEXT NOT NULL, enrolment INTEGER NOT NULL, PRIMARY KEY (set_id, enrolment)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX declaration_set_members_enrolment ON declaration_set_members (enrolment, set_id);

  CREATE TABLE declaration_marks (
    enrolment INTEGER PRIMARY KEY, mark INTEGER NOT NULL, due_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX declaration_marks_due ON declaration_marks (due_at, mark);

  CREATE TABLE declaration_snapshots (
    token TEXT PRIMARY KEY, items TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE declaration_syncs (
    enrolment INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    token_at INTEGER NOT NULL,
    device_token TEXT,
    fetched_at INTEGER,
    asked_token TEXT,
    asked_at INTEGER,
    reports INTEGER NOT NULL DEFAULT 0,
    reported_at INTEGER,
    capabilities TEXT,
    status TEXT
  ) STRICT;
  CREATE INDEX declaration_syncs_token ON declaration_syncs (token);
  CREATE INDEX declaration_syncs_late ON declaration_syncs (asked_at) WHERE device_token IS NOT token;

  CREATE TABLE declaration_states (
    enrolment INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    kind TEXT NOT NULL,
    server_token TEXT NOT NULL,
    active INTEGER NOT NULL,
    valid TEXT NOT NULL,
    reasons TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    PRIMARY KEY (enrolment, identifier)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX declaration_states_identifier ON declaration_states (identifier, enrolment);
`;
