// Migration 17: when pending commands are ended, those of given types are kept that the device has fetched, and those of a chain all end
// as they were asked to.
import { endRoutine } from './05-fleet.ts';

/** The statements, for a schema (already quoted). */
export const keepSent = (s: string): string => `
DROP FUNCTION ${s}.end_commands(text[], text, text, text, bigint);
${endRoutine(s, true)}`;
