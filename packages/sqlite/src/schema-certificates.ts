// Migration: the certificate register's renewal, revocation and attestation, and the ACME server's state.

/** The statements. */
export const certificateLifecycle = `
  ALTER TABLE certificates ADD COLUMN authority_key_id TEXT;
  ALTER TABLE certificates ADD COLUMN revoked_at INTEGER;
  ALTER TABLE certificates ADD COLUMN revocation_reason TEXT;
  ALTER TABLE certificates ADD COLUMN renewal_at INTEGER;
  ALTER TABLE certificates ADD COLUMN attestation TEXT;
  -- When is not known; from the beginning is the safe reading.
  UPDATE certificates SET revoked_at = not_before, revocation_reason = 'unspecified' WHERE status = 'revoked';
  CREATE INDEX certificates_serial ON certificates (serial_number, nr);
  CREATE INDEX certificates_expiry ON certificates (not_after);
  CREATE INDEX certificates_living ON certificates (not_after) WHERE status IN ('issued', 'in-force');
  CREATE INDEX certificates_revoked ON certificates (revoked_at) WHERE revoked_at IS NOT NULL;
  ALTER TABLE challenges ADD COLUMN enrolment_id TEXT;
  ALTER TABLE scep_transactions ADD COLUMN fingerprint TEXT;
  CREATE INDEX scep_transactions_fingerprint ON scep_transactions (fingerprint) WHERE fingerprint IS NOT NULL;

  CREATE TABLE acme_nonces (nonce TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX acme_nonces_expiry ON acme_nonces (expires);
  CREATE TABLE acme_accounts (
    id TEXT PRIMARY KEY,
    thumbprint TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    proven INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX acme_accounts_idle ON acme_accounts (created_at) WHERE proven = 0;
  CREATE TABLE acme_identifiers (
    hash TEXT PRIMARY KEY,
    expires INTEGER NOT NULL,
    body TEXT NOT NULL,
    used_by TEXT,
    used_key TEXT,
    used_for TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX acme_identifiers_used ON acme_identifiers (used_for) WHERE used_for IS NOT NULL;
  CREATE INDEX acme_identifiers_expiry ON acme_identifiers (expires) WHERE used_by IS NULL;
  CREATE TABLE acme_orders (
    nr INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    expires INTEGER NOT NULL,
    certificate TEXT,
    public_key_hash TEXT,
    sealed BLOB NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX acme_orders_account ON acme_orders (account, nr);
  CREATE INDEX acme_orders_certificate ON acme_orders (certificate, nr) WHERE certificate IS NOT NULL;
  CREATE INDEX acme_orders_open ON acme_orders (expires) WHERE certificate IS NULL;
  CREATE TABLE acme_authorizations (
    id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX acme_authorizations_order ON acme_authorizations (order_id);
`;

/** Migration: the devices that have certificates for their configurations, and issuers that are to be told of revocations. */
export const certificateDevices = `
  ALTER TABLE certificates ADD COLUMN device_id TEXT;
  ALTER TABLE certificates ADD COLUMN tell_at INTEGER;
  CREATE INDEX certificates_of_device ON certificates (device_id, credential_id, nr) WHERE device_id IS NOT NULL;
  CREATE INDEX certificates_on_devices ON certificates (credential_id, not_after) WHERE device_id IS NOT NULL;
  CREATE INDEX certificates_untold ON certificates (tell_at) WHERE tell_at IS NOT NULL;
`;
