// Migration 11: what an administrator wants of an active device and is not done yet.

/** The statements, for a schema (already quoted). */
export const phases = (s: string): string => `
ALTER TABLE ${s}.live ADD COLUMN phase text;
`;
