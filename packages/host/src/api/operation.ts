// One operation of the admin API: its address, its schemas, its handler. Routes and OpenAPI both come from these.
import type { Permission } from '@espalier/core';
import type { z } from 'zod';
import { HostError } from '../errors.ts';
import { type BodyLimits, readBody } from '../http/body.ts';
import { mediaType } from '../http/form.ts';
import { bytes, empty, json } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import type { Access, Authorise } from './auth.ts';
import { toJson } from './json.ts';

/** The input of a handler, each part as its schema gives it. */
export interface Input<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly context: Context;
  /** What the caller may do beside this. */
  readonly access: Access;
}

/** An answer in another format than JSON. */
export interface RawAnswer {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An operation as it is written down. */
export interface OperationInput<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly id: string;
  /** What the caller’s token must be allowed; each of a list. */
  readonly permission: Permission | readonly Permission[];
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the API's root, parameters in braces: `/devices/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** 200 unless told; 204 has no body. */
  readonly status?: 200 | 201 | 202 | 204;
  readonly response?: R;
  /** For an answer that is not JSON. */
  readonly responseType?: string;
  /** Its body may have images: the larger limit counts. */
  readonly large?: boolean;
  /** Statuses that it may answer besides 400, 401, 403 and 500. */
  readonly refusals?: readonly (404 | 409 | 413)[];
  /** What this input needs beside `permission`. */
  needs?(input: Input<z.output<P>, z.output<Q>, z.output<B>>): readonly Permission[];
  handle(input: Input<z.output<P>, z.output<Q>, z.output<B>>): Promise<z.input<R> | RawAnswer | undefined>;
}

/** An operation whose types no longer matter: a row of the table. */
export interface Operation {
  readonly id: string;
  readonly permissions: readonly Permission[];
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params: z.ZodType | null;
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly status: number;
  readonly response: z.ZodType | null;
  readonly responseType: string;
  readonly large: boolean;
  readonly refusals: readonly number[];
  run(context: Context, limits: BodyLimits, access: Access): Promise<Response>;
}

type None = z.ZodUndefined;

/** Writes an operation down. */
export function operation<
  P extends z.ZodType = None,
  Q extends z.ZodType = None,
  B extends z.ZodType = None,
  R extends z.ZodType = z.ZodUnknown,
>(input: OperationInput<P, Q, B, R>): Operation {
  const status = input.status ?? 200;
  return {
    id: input.id,
    permissions: typeof input.permission === 'string' ? [input.permission] : input.permission,
    method: input.method,
    path: input.path,
    tag: input.tag,
    summary: input.summary,
    params: input.params ?? null,
    query: input.query ?? null,
    body: input.body ?? null,
    status,
    response: input.response ?? null,
    responseType: input.responseType ?? 'application/json',
    large: input.large ?? false,
    refusals: input.refusals ?? [],
    async run(context, limits, access) {
      const params = input.params ? check(input.params, context.params, 'params') : undefined;
      const query = input.query ? check(input.query, queryOf(context.url), 'query') : undefined;
      const body = input.body ? check(input.body, await readJson(context.request, limits), '') : undefined;
      const given = {
        params: params as z.output<P>,
        query: query as z.output<Q>,
        body: body as z.output<B>,
        context,
        access,
      };
      if (input.needs) access.require(input.needs(given));
      const answer = await input.handle(given);
      if (isRaw(answer))
        return bytes(answer.bytes, status, answer.type, { 'cache-control': 'no-store', ...answer.headers });
      return status === 204 || answer === undefined ? empty(status) : json(toJson(answer), status);
    },
  };
}

/** The operation as a route below the API's root. */
export function routeOf(op: Operation, root: string, limits: BodyLimits, authorise: Authorise): Route {
  return {
    methods: [op.method],
    path: root + op.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    handle: async (context) => await op.run(context, limits, await authorise(context, op.permissions)),
  };
}

function isRaw(answer: unknown): answer is RawAnswer {
  return typeof answer === 'object' && answer !== null && 'bytes' in answer && answer.bytes instanceof Uint8Array;
}

/** One value for each name; a name given twice is refused, since which one counts would be a guess. */
function queryOf(url: URL): Record<string, string> {
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of url.searchParams) {
    if (name in query) throw invalid(`The parameter ${name} is given twice.`, name);
    query[name] = value;
  }
  return { ...query };
}

const MAX_DEPTH = 64;

async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const raw = await readBody(request, limits);
  if (raw.byteLength === 0) return {};
  const type = mediaType(request);
  if (type !== 'application/json' && !type.endsWith('+json')) {
    throw new HostError('invalid', 'host.body.media_type', 'This address takes JSON.', {
      status: 415,
      remedy: 'Send Content-Type: application/json.',
    });
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
    if (depthOf(text) > MAX_DEPTH) throw invalid(`The JSON is nested deeper than ${MAX_DEPTH} levels.`, '');
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw new HostError('invalid', 'host.input.invalid', `The body is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** How deep brackets are nested, without parsing: what comes after walks the value recursively. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (quoted) {
      if (code === 0x5c) index += 1;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return deepest;
}

function check<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = [where, ...(issue?.path ?? [])]
    .filter((part) => part !== '')
    .map(String)
    .join('.');
  throw invalid(issue?.message ?? 'The input is not valid.', path, result.error);
}

/** The refusal of an input, with the path of the fault. */
export function invalid(message: string, path: string, cause?: unknown): HostError {
  return new HostError('invalid', 'host.input.invalid', message, {
    ...(path === '' ? {} : { at: { path } }),
    cause,
  });
}
