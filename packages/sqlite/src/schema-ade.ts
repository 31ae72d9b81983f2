// The tables of automated device enrolment.

/** The migration that begins it. */
export const adeTables = `
  CREATE TABLE ade_accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    details TEXT NOT NULL,
    token_expires_at INTEGER NOT NULL,
    default_profile TEXT,
    rules TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE ade_syncs (
    account TEXT PRIMARY KEY,
    phase TEXT,
    cursor TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    unswept INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    progressed_at INTEGER,
    finished_at INTEGER,
    failure TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE ade_devices (
    account TEXT NOT NULL,
    serial TEXT NOT NULL,
    record TEXT NOT NULL,
    profile_uuid TEXT,
    profile_status TEXT NOT NULL,
    wanted TEXT,
    assign_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    outcome TEXT,
    generation INTEGER NOT NULL,
    changed_at INTEGER,
    added_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    gone_at INTEGER,
    PRIMARY KEY (account, serial)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ade_devices_serial ON ade_devices (serial);
  CREATE INDEX ade_devices_listed ON ade_devices (account, generation) WHERE gone_at IS NULL;
  CREATE INDEX ade_devices_gone ON ade_devices (account, serial) WHERE gone_at IS NOT NULL;
  CREATE INDEX ade_devices_assign ON ade_devices (account, assign_at, serial) WHERE assign_at IS NOT NULL;

  CREATE TABLE ade_staged (serial TEXT PRIMARY KEY, attributes TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE INDEX enrolments_serial ON enrolments (serial_number) WHERE serial_number IS NOT NULL;
`;

/** The migration that adds profiles. */
export const adeProfileTables = `
  CREATE TABLE ade_profiles (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    definition TEXT NOT NULL,
    version INTEGER NOT NULL,
    apple_uuid TEXT,
    apple_version INTEGER NOT NULL,
    failure TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ade_profiles_account ON ade_profiles (account, id);

  ALTER TABLE ade_devices ADD COLUMN profile TEXT;
  CREATE INDEX ade_devices_profile ON ade_devices (account, profile, wanted, profile_status)
    WHERE profile IS NOT NULL AND gone_at IS NULL;
`;
