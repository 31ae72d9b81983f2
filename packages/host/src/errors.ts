// The error that this package throws, and the shape that every Espalier error shares.

const brand: unique symbol = Symbol.for('espalier.error') as never;

/** What went wrong, as the HTTP answer needs to know it. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unavailable'
  | 'internal';

/** Where in the input the fault lies. */
export interface ErrorPlace {
  readonly offset?: number;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
}

/** What every Espalier error has, whichever package threw it. */
export interface EspalierErrorLike extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly at?: ErrorPlace;
  readonly remedy?: string;
}

/** What a {@link HostError} may carry besides its code. */
export interface HostErrorOptions {
  readonly at?: ErrorPlace;
  readonly remedy?: string;
  readonly cause?: unknown;
  /** The HTTP status, where the kind alone does not say it (405, 408, 429 …). */
  readonly status?: number;
  /** Headers of the answer (`Allow`, `Retry-After`, `WWW-Authenticate`). */
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON body that stands in place of the problem document, where the caller is a device that reads another one. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/**
 * A refusal or a fault of the host, with a stable dotted code.
 *
 * Codes: `host.route.unknown`, `host.route.method`, `host.request.bad_url`, `host.request.malformed`, `host.body.too_large`, `host.body.timeout`,
 * `host.body.aborted`, `host.body.media_type`, `host.input.invalid`, `host.identity.missing`, `host.identity.untrusted`,
 * `host.identity.bad_signature`, `host.admin.token`, `host.admin.permission`, `host.enrol.pin`, `host.enrol.machine_info`,
 * `host.enrol.refused`, `host.enrol.challenge`, `host.enrol.push`, `host.enrol.sign_in`, `host.enrol.web`, `host.enrol.principal`, `host.ade.linked`, `host.ade.refused`,
 * `host.ade.profile`, `host.ade.lock`, `host.apps.*`, `host.webhook.*`, `host.account.token`, `host.account.mode`, `host.account.domain`, `host.account.other`, `host.session.required`, `host.session.forged`, `host.locked`,
 * `host.not_found`, `host.conflict`, `host.challenge`, `host.options`, `host.data.*` (see `openDataFolder`).
 */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly [brand] = true;
  readonly code: string;
  readonly kind: ErrorKind;
  readonly at?: ErrorPlace;
  readonly remedy?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, code: string, message: string, options: HostErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    if (options.at) this.at = options.at;
    if (options.remedy !== undefined) this.remedy = options.remedy;
    if (options.status !== undefined) this.status = options.status;
    if (options.headers) this.headers = options.headers;
    if (options.body) this.body = options.body;
  }
}

/** Whether a thrown value is one of Espalier's errors, of any package. */
export function isEspalierError(error: unknown): error is EspalierErrorLike {
  return error instanceof Error && (error as { [brand]?: unknown })[brand] === true;
}
