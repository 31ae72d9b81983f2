// Migration: devices that are expected.

/** The statements. */
export const registrationTables = `
  CREATE TABLE registrations (
    serial_number TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    invitation_id TEXT,
    created_at INTEGER NOT NULL,
    claimed_at INTEGER,
    enrolment_id TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX registrations_user ON registrations (user, serial_number);
  CREATE INDEX registrations_awaited ON registrations (serial_number) WHERE claimed_at IS NULL;
`;
