// Errors as answers: which status a kind has, and the `application/problem+json` document (RFC 9457).
import { type ErrorKind, type EspalierErrorLike, HostError, isEspalierError } from '../errors.ts';
import { json } from './respond.ts';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  internal: 500,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** A fault as the answer and the log describe it. */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** Where in the input, as a path (`settings.minLength`) or as `line 3, column 8`. */
  readonly path?: string;
  readonly offset?: number;
  readonly remedy?: string;
  readonly requestId: string;
}

/** What to answer for a thrown value. An unknown one is `host.internal`, and says nothing of its inside. */
export function describe(error: unknown, requestId: string): { problem: Problem; headers: Record<string, string> } {
  if (!isEspalierError(error)) {
    const problem: Problem = {
      title: 'Internal Server Error',
      status: 500,
      code: 'host.internal',
      detail: 'Something failed inside the server. The log has the reason under this request id.',
      requestId,
    };
    return { problem, headers: {} };
  }
  const status = (error instanceof HostError && error.status) || STATUS[error.kind] || 500;
  const headers: Record<string, string> = error instanceof HostError ? { ...error.headers } : {};
  if (status === 503) headers['retry-after'] ??= '30';
  const path = placeOf(error);
  return {
    headers,
    problem: {
      title: TITLES[status] ?? 'Error',
      status,
      code: error.code,
      // An internal fault's text may name files or keys; the log has it.
      detail: status === 500 ? 'Something failed inside the server.' : error.message,
      ...(path === undefined ? {} : { path }),
      ...(error.at?.offset === undefined ? {} : { offset: error.at.offset }),
      ...(error.remedy === undefined || status === 500 ? {} : { remedy: error.remedy }),
      requestId,
    },
  };
}

/** The problem document as a response. */
export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>>): Response {
  return json(problem, problem.status, {
    'content-type': 'application/problem+json',
    'x-request-id': problem.requestId,
    ...headers,
  });
}

function placeOf(error: EspalierErrorLike): string | undefined {
  if (error.at?.path !== undefined) return error.at.path;
  if (error.at?.line !== undefined) {
    return `line ${error.at.line}${error.at.column === undefined ? '' : `, column ${error.at.column}`}`;
  }
  return undefined;
}
