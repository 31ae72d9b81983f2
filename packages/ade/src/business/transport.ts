// What the parts of the client of the Apple Business and School Manager API share.
import { AdeError, isAdeError } from '../errors.ts';
import type { Answer } from '../http/exchange.ts';
import type { JsonObject } from '../http/json.ts';

/** A request of the client. */
export interface Call {
  /** Default GET, and POST with a body. */
  readonly method?: 'PATCH' | 'DELETE';
  /** Whether it may be sent again when nobody knows what became of it. Default true. */
  readonly repeatable?: boolean;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Sends requests with an access token. */
export interface BusinessTransport {
  send(call: Call): Promise<Answer>;
  /** The resource that an answer has. */
  one<T>(call: Call, reader: (object: JsonObject) => T | undefined): Promise<T>;
  /** The resources of a list, page by page. */
  pages<T>(
    path: string,
    reader: (object: JsonObject) => T | undefined,
    query?: Readonly<Record<string, string>>,
  ): AsyncIterable<readonly T[]>;
  /** @throws AdeError `ade.business.not_there` in a client of Apple School Manager. */
  onlyBusiness(what: string): void;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * A path of the API.
 * @throws AdeError `ade.option` for an id that would make another path of it.
 */
export function apiPath(...parts: readonly string[]): string {
  if (parts.some((part) => /^\.{0,2}$/.test(part))) {
    throw new AdeError('ade.option', 'an id must not be empty or made of dots', { at: { path: 'id' } });
  }
  return `/v1/${parts.map(encodeURIComponent).join('/')}`;
}

/** Undefined where a call finds nothing. */
export async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isAdeError(error, 'ade.business.not_found')) return undefined;
    throw error;
  }
}

/** A time as the API has it. @throws AdeError `ade.option` for a date that is none. */
export function isoTime(date: Date, path: string): string {
  if (Number.isNaN(date.getTime())) throw new AdeError('ade.option', `${path} is no date`, { at: { path } });
  return date.toISOString();
}
