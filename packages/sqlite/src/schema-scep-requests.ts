// Migration: SCEP requests that wait.

/** The statements. */
export const scepRequestTables = `
  CREATE TABLE scep_requests (
    nr INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    public_key_hash TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    decided_at INTEGER,
    expires_at INTEGER NOT NULL,
    UNIQUE (public_key_hash, transaction_id)
  ) STRICT;
  CREATE INDEX scep_requests_state ON scep_requests (state, nr);
  CREATE INDEX scep_requests_expiry ON scep_requests (expires_at);
`;
