// Migration 13: enrolment profiles of automated device enrolment.

/** The statements, for a schema (already quoted). */
export const adeProfileTables = (s: string): string => `
CREATE TABLE ${s}.ade_profile (
  id text COLLATE "C" PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  definition json NOT NULL,
  version integer NOT NULL,
  apple_uuid text COLLATE "C",
  apple_version integer NOT NULL,
  failure text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX ade_profile_account ON ${s}.ade_profile (account, id);

ALTER TABLE ${s}.ade_device ADD COLUMN profile text COLLATE "C";
CREATE INDEX ade_device_profile ON ${s}.ade_device (account, profile, wanted) INCLUDE (profile_status)
  WHERE profile IS NOT NULL AND gone_at IS NULL;
`;
