// Migration 2: how the busy tables are kept: room on the page for updates, and vacuum that keeps up with a queue.

/** The statements, for a schema (already quoted). */
export const storage = (s: string): string => `
ALTER TABLE ${s}.live SET (
  fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE ${s}.pending SET (
  fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE ${s}.mark SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE ${s}.assignment SET (fillfactor = 80);
`;
