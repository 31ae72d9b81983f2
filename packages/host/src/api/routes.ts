// The admin API: the table of its operations, guarded by the bearer token, and the document that describes it.
import type { PushVendor } from '@espalier/apple-mdm';
import type { Engine } from '@espalier/core';
import type { AdeService } from '../ade/types.ts';
import type { AppsService } from '../apps/types.ts';
import type { ConfiguredIdentities } from '../ca/configured.ts';
import type { AdeDoor } from '../enrol/ade.ts';
import type { PublicUrls } from '../enrol/profile.ts';
import type { BodyLimits } from '../http/body.ts';
import type { Limiter } from '../http/limiter.ts';
import { json } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import type { Webhooks } from '../webhooks/types.ts';
import { actionOperations } from './actions.ts';
import { adeDoorOperations, adeOperations } from './ade.ts';
import { appsOperations } from './apps.ts';
import { createAuthorise, type TokenCheck } from './auth.ts';
import { authorityOperations, type HostAuthorities } from './authorities.ts';
import { certificateOperations } from './certificates.ts';
import { credentialOperations } from './credentials.ts';
import { declarationOperations, declarationSetOperations, deviceDeclarationOperations } from './declarations.ts';
import { deviceOperations } from './devices.ts';
import { enrollingOperations } from './enrolling.ts';
import { eventOperations } from './events.ts';
import { mdmProfileOperations } from './mdm-profile.ts';
import { migrationOperations, migrationRoute } from './migration.ts';
import { openApi } from './openapi.ts';
import { routeOf } from './operation.ts';
import { configurationOperations, labelOperations } from './policy.ts';
import { pushCertificateOperations } from './push-certificate.ts';
import { recipeOperations } from './recipes.ts';
import { registrationOperations } from './registrations.ts';
import { userEnrolmentOperations } from './user-enrolment.ts';
import { webhookOperations } from './webhooks.ts';

/** Where the API lives below the base path. */
const ROOT = '/api/v1';

/** What the API works with. */
export interface ApiContext {
  readonly engine: Engine;
  readonly basePath: string;
  readonly checkToken: TokenCheck;
  readonly limiter: Limiter;
  readonly bodyLimits: BodyLimits;
  /** Of what may bring images. */
  readonly largeBodyLimits: BodyLimits;
  readonly authorities: HostAuthorities;
  readonly pushVendor?: PushVendor;
  readonly webhooks?: Webhooks;
  readonly adeService?: AdeService;
  readonly appsService?: AppsService;
  readonly configured: Pick<ConfiguredIdentities, 'test'>;
  readonly adeDoor?: AdeDoor;
  /** Whether users can sign in to enrol by their account. */
  readonly accounts: boolean;
  urls(context: Context): PublicUrls;
}

/** All routes of the admin API, `openapi.json` among them. */
export function apiRoutes(api: ApiContext): Route[] {
  const operations = [
    ...enrollingOperations(api.engine, api.urls),
    ...registrationOperations(api.engine),
    ...certificateOperations(api.engine),
    ...authorityOperations(api.engine, api.authorities),
    ...credentialOperations(api.engine),
    ...pushCertificateOperations(api.engine, api.pushVendor),
    ...mdmProfileOperations(api.engine),
    ...userEnrolmentOperations(api.engine, { signIn: api.accounts, urls: api.urls }),
    ...migrationOperations(api.engine),
    ...deviceOperations(api.engine),
    ...actionOperations(api.engine),
    ...recipeOperations(api.engine),
    ...labelOperations(api.engine),
    ...configurationOperations(api.engine, api.configured),
    ...declarationOperations(api.engine, api.urls),
    ...declarationSetOperations(api.engine),
    ...deviceDeclarationOperations(api.engine),
    ...eventOperations(api.engine),
    ...(api.adeService === undefined ? [] : adeOperations(api.engine, api.adeService)),
    ...(api.adeDoor === undefined ? [] : adeDoorOperations(api.adeDoor)),
    ...(api.appsService === undefined ? [] : appsOperations(api.appsService)),
    ...(api.webhooks === undefined ? [] : webhookOperations(api.webhooks)),
  ];

  const authorise = createAuthorise(api.checkToken, api.limiter);
  let document: Record<string, unknown> | undefined;
  return [
    ...operations.map((op) => routeOf(op, ROOT, op.large ? api.largeBodyLimits : api.bodyLimits, authorise)),
    migrationRoute(api.engine, { ...api, path: `${ROOT}/migration` }),
    {
      methods: ['GET'],
      path: `${ROOT}/openapi.json`,
      handle: () => {
        document ??= openApi(operations, api.basePath + ROOT);
        return json(document);
      },
    },
  ];
}
