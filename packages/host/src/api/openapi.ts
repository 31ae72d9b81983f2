// The OpenAPI 3.1 document, made from the same table of operations that the routes are made from.
import { permissionMeanings, permissions } from '@espalier/core';
import { z } from 'zod';
import type { Operation } from './operation.ts';

type Json = Record<string, unknown>;

const REASONS: Readonly<Record<number, string>> = {
  200: 'Done.',
  201: 'Made.',
  202: 'Accepted; the device is told.',
  204: 'Done.',
  400: 'The input is not valid; `path` says where.',
  401: 'The admin token is missing or not known.',
  403: 'Refused: the token lacks a permission (`host.admin.permission`), or what `code` says.',
  404: 'Not found.',
  409: 'Does not fit the present state.',
  413: 'Too large.',
  500: 'A fault of the server; the log has it under `requestId`.',
};

const problem = z
  .object({
    title: z.string(),
    status: z.number().int(),
    code: z.string().meta({ description: 'Stable and dotted; made for programs.' }),
    detail: z.string(),
    path: z.string().optional().meta({ description: 'Where in the input.' }),
    offset: z.number().int().optional(),
    remedy: z.string().optional().meta({ description: 'What to do next.' }),
    requestId: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with a code.' });

/** The document for a list of operations below `root`. */
export function openApi(operations: readonly Operation[], root: string): Json {
  const components: Record<string, Json> = {};
  const describe = (schema: z.ZodType, io: 'input' | 'output') => schemaOf(schema, io, components);
  const failure = { 'application/problem+json': { schema: describe(problem, 'output') } };

  const paths: Record<string, Record<string, Json>> = {};
  for (const op of operations) {
    const refusals = [400, 401, 403, ...op.refusals, 500];
    paths[op.path] ??= {};
    (paths[op.path] as Record<string, Json>)[op.method.toLowerCase()] = {
      operationId: op.id,
      tags: [op.tag],
      summary: op.summary,
      // OpenAPI 3.1: for schemes without scopes, the roles that it needs, all of them.
      security: [{ adminToken: op.permissions }],
      parameters: [...parametersOf(op.params, 'path', describe), ...parametersOf(op.query, 'query', describe)],
      ...(op.body
        ? { requestBody: { required: true, content: { 'application/json': { schema: describe(op.body, 'input') } } } }
        : {}),
      responses: {
        [op.status]: { description: REASONS[op.status], ...contentOf(op, describe) },
        ...Object.fromEntries(refusals.map((code) => [code, { description: REASONS[code], content: failure }])),
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Espalier admin API',
      version: '1',
      description: 'Times are milliseconds since the Unix epoch. Bytes are base64.',
    },
    servers: [{ url: root }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description: `Each operation names the permissions that its token needs:\n${permissions
            .map((permission) => `\n- \`${permission}\`: ${permissionMeanings[permission]}`)
            .join('')}`,
        },
      },
    },
  };
}

type Describe = (schema: z.ZodType, io: 'input' | 'output') => Json;

function contentOf(op: Operation, describe: Describe): Json {
  if (op.response) return { content: { [op.responseType]: { schema: describe(op.response, 'output') } } };
  if (op.responseType !== 'application/json') return { content: { [op.responseType]: { schema: { type: 'string' } } } };
  return {};
}

function parametersOf(schema: z.ZodType | null, place: 'path' | 'query', describe: Describe): Json[] {
  if (schema === null) return [];
  const { properties = {}, required = [] } = describe(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}

/** A schema as JSON Schema 2020-12; its named parts move to the components. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Record<string, Json>): Json {
  const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  for (const [name, part] of Object.entries(($defs ?? {}) as Record<string, Json>)) {
    components[name] = relink(part) as Json;
  }
  return relink(rest) as Json;
}

function relink(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relink);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'id' || typeof (value as Json)['id'] !== 'string')
      .map(([key, item]) => [
        key,
        key === '$ref' && typeof item === 'string' ? item.replace('#/$defs/', '#/components/schemas/') : relink(item),
      ]),
  );
}
