// Migration 16: devices that are expected.

/** The statements, for a schema (already quoted). */
export const registrationTables = (s: string): string => `
CREATE TABLE ${s}.registration (
  serial_number text COLLATE "C" PRIMARY KEY,
  user_name text COLLATE "C" NOT NULL,
  invitation_id text COLLATE "C",
  created_at bigint NOT NULL,
  claimed_at bigint,
  enrolment_id text COLLATE "C"
);
CREATE INDEX registration_user ON ${s}.registration (user_name, serial_number);
CREATE INDEX registration_awaited ON ${s}.registration (serial_number) WHERE claimed_at IS NULL;
`;
