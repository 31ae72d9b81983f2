// Migration 6: the certificate register's renewal, revocation and attestation, and the ACME server's state.

/** The statements, for a schema (already quoted). */
export const certificateLifecycle = (s: string): string => `
ALTER TABLE ${s}.certificate ADD COLUMN authority_key_id text, ADD COLUMN revoked_at bigint,
  ADD COLUMN revocation_reason text, ADD COLUMN renewal_at bigint, ADD COLUMN attestation json;
-- When is not known; from the beginning is the safe reading.
UPDATE ${s}.certificate SET revoked_at = not_before, revocation_reason = 'unspecified' WHERE status = 'revoked';
CREATE INDEX certificate_serial ON ${s}.certificate (serial_number, n);
CREATE INDEX certificate_expiry ON ${s}.certificate (not_after);
CREATE INDEX certificate_living ON ${s}.certificate (not_after) WHERE status IN ('issued', 'in-force');
CREATE INDEX certificate_revoked ON ${s}.certificate (revoked_at) WHERE revoked_at IS NOT NULL;
ALTER TABLE ${s}.challenge ADD COLUMN enrolment_id text COLLATE "C";
ALTER TABLE ${s}.scep_transaction ADD COLUMN fingerprint text COLLATE "C";
CREATE INDEX scep_transaction_fingerprint ON ${s}.scep_transaction (fingerprint) WHERE fingerprint IS NOT NULL;

CREATE TABLE ${s}.acme_nonce (nonce text COLLATE "C" PRIMARY KEY, expires bigint NOT NULL);
CREATE INDEX acme_nonce_expires ON ${s}.acme_nonce (expires);

CREATE TABLE ${s}.acme_account (
  id text COLLATE "C" PRIMARY KEY,
  thumbprint text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  proven boolean NOT NULL DEFAULT false,
  body json NOT NULL
);
CREATE UNIQUE INDEX acme_account_thumbprint ON ${s}.acme_account (thumbprint);
CREATE INDEX acme_account_idle ON ${s}.acme_account (created_at) WHERE NOT proven;

CREATE TABLE ${s}.acme_identifier (
  hash text COLLATE "C" PRIMARY KEY,
  expires bigint NOT NULL,
  body json NOT NULL,
  used_by text COLLATE "C",
  used_key text COLLATE "C",
  used_for text COLLATE "C"
);
CREATE INDEX acme_identifier_used ON ${s}.acme_identifier (used_for) WHERE used_for IS NOT NULL;
CREATE INDEX acme_identifier_expires ON ${s}.acme_identifier (expires) WHERE used_by IS NULL;

CREATE TABLE ${s}.acme_order (
  n bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  expires bigint NOT NULL,
  certificate text COLLATE "C",
  public_key_hash text COLLATE "C",
  sealed bytea NOT NULL,
  body json NOT NULL
);
CREATE INDEX acme_order_account ON ${s}.acme_order (account, n);
CREATE INDEX acme_order_certificate ON ${s}.acme_order (certificate, n) WHERE certificate IS NOT NULL;
CREATE INDEX acme_order_open ON ${s}.acme_order (expires) WHERE certificate IS NULL;

CREATE TABLE ${s}.acme_authorization (
  id text COLLATE "C" PRIMARY KEY,
  order_id text COLLATE "C" NOT NULL,
  body json NOT NULL
);
CREATE INDEX acme_authorization_order ON ${s}.acme_authorization (order_id);
`;
