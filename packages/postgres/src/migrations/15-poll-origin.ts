// Migration 15: a poll tells where the command came from that was answered, which spares reading it after each answer.
import { pollRoutine } from './04-queue.ts';

/** The statements, for a schema (already quoted). */
export const pollOrigin = (s: string): string => `
DROP FUNCTION ${s}.poll(
  text, text, bigint, bigint, bigint, text, text, bytea, boolean, json, text, bigint, text, text
);
${pollRoutine(s, true)}`;
