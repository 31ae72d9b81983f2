// Admin API: taking over enrolments from NanoMDM and MicroMDM.
import type { Engine } from '@espalier/core';
import { z } from 'zod';
import { type BodyLimits, readBody } from '../http/body.ts';
import type { Limiter } from '../http/limiter.ts';
import { json } from '../http/respond.ts';
import type { Route } from '../http/router.ts';
import { createAuthorise, type TokenCheck, tokenOfAnyKind } from './auth.ts';
import { invalid, type Operation, operation } from './operation.ts';

const associations = z.strictObject({
  items: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(500).meta({ description: 'UDID or EnrollmentID.' }),
        sha256: z.string().max(100).meta({ description: 'SHA-256 of the identity certificate, hexadecimal.' }),
      }),
    )
    .max(10_000),
});

/** The operation that tells certificates. */
export function migrationOperations({ migration }: Engine): Operation[] {
  return [
    operation({
      id: 'associateCertificates',
      permission: 'manage settings',
      method: 'POST',
      path: '/migration/certificates',
      tag: 'Migration',
      summary:
        'Tells which certificates enrolments use that are about to be imported (NanoMDM’s cert_auth_associations).',
      body: associations,
      response: z.object({ count: z.number().int() }),
      refusals: [413],
      handle: async ({ body }) => ({
        count: await migration.associate(
          body.items.map(({ id, sha256 }) => ({ enrolmentId: id, fingerprint: sha256 })),
        ),
      }),
    }),
  ];
}

/**
 * `PUT` of a raw check-in message, as `nano2nano` and `llorne` send them: property lists, with the token as the password of
 * HTTP's basic authentication. They take nothing but 200 for success.
 */
export function migrationRoute(
  engine: Engine,
  options: {
    readonly path: string;
    readonly checkToken: TokenCheck;
    readonly limiter: Limiter;
    readonly bodyLimits: BodyLimits;
  },
): Route {
  const authorise = createAuthorise(options.checkToken, options.limiter, tokenOfAnyKind);
  return {
    methods: ['PUT'],
    path: options.path,
    handle: async (context) => {
      await authorise(context, ['manage settings']);
      const given = context.url.searchParams.getAll('sha256');
      if (given.length > 1) throw invalid('The parameter sha256 is given twice.', 'sha256');
      const body = await readBody(context.request, options.bodyLimits);
      const [fingerprint] = given;
      return json(await engine.migration.checkin(body, fingerprint === undefined ? {} : { fingerprint }));
    },
  };
}
