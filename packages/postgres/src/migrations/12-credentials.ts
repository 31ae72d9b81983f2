// Migration: credential settings and credentials, and what the certificate register knows of them.

/** The statements, for a schema (already quoted). */
export const credentialTables = (s: string): string => `
ALTER TABLE ${s}.certificate ADD COLUMN delivered_at bigint, ADD COLUMN credential_id text COLLATE "C";
-- Until now devices asked for every certificate themselves, and got it at once.
UPDATE ${s}.certificate SET delivered_at = not_before;

CREATE TABLE ${s}.credential_setting (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  version bigint NOT NULL,
  delete_keys_after_days bigint,
  expiry_window_days bigint NOT NULL,
  body json NOT NULL
);
CREATE TABLE ${s}.credential (
  n bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" PRIMARY KEY,
  setting_id text COLLATE "C" NOT NULL,
  holder text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  status text NOT NULL,
  origin text NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  serial_number text NOT NULL,
  subject text NOT NULL,
  issuer text NOT NULL,
  not_before bigint NOT NULL,
  not_after bigint NOT NULL,
  public_key_hash text NOT NULL,
  certificate bytea NOT NULL,
  created_at bigint NOT NULL,
  delivered_at bigint,
  key_deleted_at bigint,
  key_deleted_by text,
  sealed bytea,
  UNIQUE (holder, setting_id, revision)
);
CREATE INDEX credential_setting_n ON ${s}.credential (setting_id, n);
CREATE INDEX credential_keys ON ${s}.credential (setting_id, created_at) WHERE sealed IS NOT NULL;
CREATE INDEX credential_undelivered ON ${s}.credential (created_at)
  WHERE delivered_at IS NULL AND origin = 'issued' AND status IN ('active', 'expiring', 'expired');
CREATE INDEX credential_living ON ${s}.credential (not_after) WHERE status IN ('active', 'expiring');
CREATE INDEX credential_over ON ${s}.credential (not_after) WHERE status IN ('superseded', 'discarded', 'revoked');
`;
