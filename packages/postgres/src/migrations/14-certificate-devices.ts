// Migration 14: the devices that have certificates for their configurations, and issuers that are to be told of revocations.

/** The statements, for a schema (already quoted). */
export const certificateDevices = (s: string): string => `
ALTER TABLE ${s}.certificate ADD COLUMN device_id text COLLATE "C", ADD COLUMN tell_at bigint;
CREATE INDEX certificate_of_device ON ${s}.certificate (device_id, credential_id, n) WHERE device_id IS NOT NULL;
CREATE INDEX certificate_on_devices ON ${s}.certificate (credential_id, not_after) WHERE device_id IS NOT NULL;
CREATE INDEX certificate_untold ON ${s}.certificate (tell_at) WHERE tell_at IS NOT NULL;
`;
