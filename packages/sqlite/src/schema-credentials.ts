// Migration: credential settings and credentials, and what the certificate register knows of them.

/** The statements. */
export const credentialTables = `
  ALTER TABLE certificates ADD COLUMN delivered_at INTEGER;
  ALTER TABLE certificates ADD COLUMN credential_id TEXT;
  -- Until now devices asked for every certificate themselves, and got it at once.
  UPDATE certificates SET delivered_at = not_before;

  CREATE TABLE credential_settings (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    delete_keys_after_days INTEGER,
    expiry_window_days INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE credentials (
    nr INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    setting_id TEXT NOT NULL,
    holder TEXT NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    origin TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    public_key_hash TEXT NOT NULL,
    certificate BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    delivered_at INTEGER,
    key_deleted_at INTEGER,
    key_deleted_by TEXT,
    sealed BLOB,
    UNIQUE (holder, setting_id, revision)
  ) STRICT;
  CREATE INDEX credentials_setting ON credentials (setting_id, nr);
  CREATE INDEX credentials_keys ON credentials (setting_id, created_at) WHERE sealed IS NOT NULL;
  CREATE INDEX credentials_undelivered ON credentials (created_at)
    WHERE delivered_at IS NULL AND origin = 'issued' AND status IN ('active', 'expiring', 'expired');
  CREATE INDEX credentials_living ON credentials (not_after) WHERE status IN ('active', 'expiring');
  CREATE INDEX credentials_over ON credentials (not_after) WHERE status IN ('superseded', 'discarded', 'revoked');
`;
