// What PostgreSQL's and the network's failures mean to the engine.
import { CoreError } from '@espalier/core';

/** The code of an error of pg or of Node, when it has one. */
function codeOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : null;
}

/** The constraint that an error names. */
function constraintOf(error: unknown): string | null {
  const constraint = (error as { readonly constraint?: unknown }).constraint;
  return typeof constraint === 'string' ? constraint : null;
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
  'EACCES',
]);

/** Messages of pg for failures that it gives no code. */
const connectionMessages =
  /^(Connection terminated|timeout e(xceeded|xpired) when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed|The server does not support SSL|Connection ended)/;

/** Server states in which a connection is of no more use: shutdown, crash, not yet up, lost, gone read-only. */
const deadStates = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04', '25006']);

/** Whether the connection that failed like this must not be used again. */
export function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error);
  if (code === null) return error instanceof Error && connectionMessages.test(error.message);
  return networkCodes.has(code) || deadStates.has(code) || code.startsWith('08');
}

/**
 * Whether the store cannot do its work at the moment but may soon: the connection failed, or the server lacks
 * connections, room or time (53…, 57014 statement timeout, 55P03 lock timeout, 58… its own I/O).
 */
function isUnavailable(error: unknown): boolean {
  if (isConnectionFailure(error)) return true;
  const code = codeOf(error);
  return code !== null && (/^(53|58)/.test(code) || code === '57014' || code === '55P03');
}

/** Constraints on identifiers that whoever creates a record chose. */
const identifiers = new Set(['command_uuid', 'label_pkey', 'configuration_pkey']);

/** Whether trying the same again can succeed at once: a deadlock, a serialization failure, or a key inserted at the same moment. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error);
  if (code === '40001' || code === '40P01') return true;
  // A name that was taken at the same moment is found by the next try; an identifier that is taken stays so.
  return code === '23505' && !identifiers.has(constraintOf(error) ?? '');
}

/** The engine's error for whatever a statement failed with. */
export function toCoreError(error: unknown): CoreError {
  if (error instanceof CoreError) return error;
  if (isUnavailable(error)) {
    return new CoreError('core.store.unavailable', 'unavailable', 'the database cannot be reached or is too busy', {
      cause: error,
      remedy: 'try again; if it stays so, look at the PostgreSQL server and its log',
    });
  }
  const code = codeOf(error);
  if (code === '23505' && constraintOf(error) === 'command_uuid') {
    return new CoreError('core.command.duplicate_uuid', 'conflict', 'a command with this identifier exists already');
  }
  if (code === '23505' && identifiers.has(constraintOf(error) ?? '')) {
    return new CoreError('core.store.duplicate_id', 'conflict', 'a record with this id exists already', {
      cause: error,
    });
  }
  // A NUL character, or one that is no Unicode: PostgreSQL's text holds neither.
  if (code === '22021' || code === '22P05') {
    return new CoreError('core.store.text', 'invalid', 'a value holds a character that cannot be stored', {
      cause: error,
    });
  }
  if (code !== null && /^(28|3D000)/.test(code)) {
    return new CoreError('core.store.refused', 'unavailable', 'the database server refused the connection', {
      cause: error,
      remedy: 'check user, password and database name of the store',
    });
  }
  if (code === '42501') {
    return new CoreError('core.store.permission', 'internal', 'the database user lacks a permission', {
      cause: error,
      remedy: 'let the user own the schema, or grant it usage and all rights on its tables, sequences and functions',
    });
  }
  return new CoreError('core.store.failed', 'internal', 'a statement of the store failed', { cause: error });
}

/** The error of every call after close. */
export function closedError(): CoreError {
  return new CoreError('core.store.closed', 'unavailable', 'the store is closed');
}
