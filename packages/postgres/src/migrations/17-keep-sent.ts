// Migration 17: commands of given types that the device has fetched are kept when pending commands are ended.
import { endRoutine } from './05-fleet.ts';

/** The statements, for a schema (already quoted). */
export const keepSent = (s: string): string => `
DROP FUNCTION ${s}.end_commands(text[], text, text, text, bigint);
${endRoutine(s, true)}`;
