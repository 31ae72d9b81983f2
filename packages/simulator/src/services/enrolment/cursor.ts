// Cursors: opaque to clients, they say where in the list or in the changes they stand, and when they were given out.
import { createHash } from 'node:crypto';

/** What a cursor says. */
export interface Cursor {
  /** `fetch`: in the middle of the list; `sync`: at a place in the changes. */
  readonly kind: 'fetch' | 'sync';
  /** The next device, or the next change. */
  readonly position: number;
  /** For `fetch`: the change at which the list was begun, where the changes go on after it. */
  readonly since: number;
  /** When it was given out, epoch milliseconds. */
  readonly at: number;
}

/** A cursor as hexadecimal, sealed with the server's secret. */
export function writeCursor(cursor: Cursor, secret: string): string {
  const text = [cursor.kind === 'fetch' ? 'f' : 's', cursor.position, cursor.since, cursor.at].join(':');
  return Buffer.from(`${text}:${sealOf(text, secret)}`)
    .toString('hex')
    .toUpperCase();
}

/** The cursor that was written; undefined for anything else. */
export function readCursor(text: string, secret: string): Cursor | undefined {
  const plain = Buffer.from(text, 'hex').toString();
  const match = /^(([fs]):(\d+):(\d+):(\d+)):([0-9a-f]{16})$/.exec(plain);
  if (match === null || match[6] !== sealOf(match[1]!, secret)) return undefined;
  return {
    kind: match[2] === 'f' ? 'fetch' : 'sync',
    position: Number(match[3]),
    since: Number(match[4]),
    at: Number(match[5]),
  };
}

const sealOf = (text: string, secret: string): string =>
  createHash('sha256').update(`${secret}/${text}`).digest('hex').slice(0, 16);
