// Migration 9: automated device enrolment.

/** The statements, for a schema (already quoted). */
export const adeTables = (s: string): string => `
CREATE TABLE ${s}.ade_account (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  details json NOT NULL,
  token_expires_at bigint NOT NULL,
  default_profile text,
  rules json NOT NULL,
  version integer NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

CREATE TABLE ${s}.ade_sync (
  account text COLLATE "C" PRIMARY KEY,
  phase text,
  cursor text,
  generation integer NOT NULL DEFAULT 0,
  unswept boolean NOT NULL DEFAULT false,
  pages bigint NOT NULL DEFAULT 0,
  progressed_at bigint,
  finished_at bigint,
  failure text,
  fence bigint NOT NULL DEFAULT 0,
  leased_until bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 75);

CREATE TABLE ${s}.ade_device (
  account text COLLATE "C" NOT NULL,
  serial text COLLATE "C" NOT NULL,
  record jsonb NOT NULL,
  profile_uuid text COLLATE "C",
  profile_status text NOT NULL,
  wanted text COLLATE "C",
  assign_at bigint,
  attempts integer NOT NULL DEFAULT 0,
  outcome text,
  generation integer NOT NULL,
  changed_at bigint,
  added_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  gone_at bigint,
  PRIMARY KEY (account, serial)
);
CREATE INDEX ade_device_serial ON ${s}.ade_device (serial);
CREATE INDEX ade_device_listed ON ${s}.ade_device (account, generation) WHERE gone_at IS NULL;
CREATE INDEX ade_device_gone ON ${s}.ade_device (account, serial) WHERE gone_at IS NOT NULL;
CREATE INDEX ade_device_assign ON ${s}.ade_device (account, assign_at, serial) WHERE assign_at IS NOT NULL;

CREATE TABLE ${s}.ade_staged (serial text COLLATE "C" PRIMARY KEY, attributes jsonb NOT NULL);

CREATE INDEX enrolment_serial ON ${s}.enrolment ((serial_number COLLATE "C")) WHERE serial_number IS NOT NULL;
`;
