// Migration 10: SCEP requests that wait.

/** The statements, for a schema (already quoted). */
export const scepRequestTables = (s: string): string => `
CREATE TABLE ${s}.scep_request (
  n bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" PRIMARY KEY,
  public_key_hash text COLLATE "C" NOT NULL,
  transaction_id text COLLATE "C" NOT NULL,
  state text NOT NULL,
  sealed bytea NOT NULL,
  requested_at bigint NOT NULL,
  decided_at bigint,
  expires_at bigint NOT NULL
);
CREATE UNIQUE INDEX scep_request_transaction ON ${s}.scep_request (public_key_hash, transaction_id);
CREATE INDEX scep_request_state ON ${s}.scep_request (state, n);
CREATE INDEX scep_request_expires ON ${s}.scep_request (expires_at);
`;
