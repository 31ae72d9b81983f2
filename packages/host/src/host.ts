// The host: all routes behind one fetch handler, with errors turned into answers and into the log.
import { randomBytes } from 'node:crypto';
import { type PushVendor, serviceDiscoveryPath } from '@espalier/apple-mdm';
import type {
  Engine,
  EngineInput,
  Facts,
  LateSource,
  RandomBytes,
  RenewalOptions,
  RevokeAtIssuer,
} from '@espalier/core';
import {
  type CaCertificate,
  type CertificateAuthority,
  createCaSet,
  readCertificate,
  type Signer,
} from '@espalier/pki';
import { recoveryKeyRedirectSource } from '@espalier/policy';
import type { AdeService } from './ade/types.ts';
import { type AdminToken, createAuthorise, createTokenCheck } from './api/auth.ts';
import { apiRoutes } from './api/routes.ts';
import { appsRoutes } from './apps/notifications.ts';
import type { AppsService } from './apps/types.ts';
import { type AcmeOptions, acmeRoutes } from './ca/acme.ts';
import { challengeMaker, type ScepChallengeOptions } from './ca/challenge.ts';
import {
  type ConfigurationCertificateOptions,
  type ConfiguredIdentities,
  createConfiguredIdentities,
} from './ca/configured.ts';
import { createIdentityCertificates, type IdentityCertificateOptions } from './ca/identity-certificate.ts';
import { createRevocation, type RevocationOptions } from './ca/revocation.ts';
import { hostScepServer, type ScepRegistrar } from './ca/scep.ts';
import { type AccountDoor, type AccountOptions, accountRoutes, createAccountDoor } from './enrol/account.ts';
import { type AccountTokens, createAccountTokens } from './enrol/account-token.ts';
import { type AdeOptions, createAdeDoor } from './enrol/ade.ts';
import type { MachineOptions } from './enrol/machine.ts';
import { otaRoutes } from './enrol/ota.ts';
import { type ProfileAccount, type ProfileOptions, publicUrls, signedEnrolmentProfile } from './enrol/profile.ts';
import { type EnrolContext, enrolRoutes } from './enrol/routes.ts';
import { HostError, isEspalierError } from './errors.ts';
import { clientAddress, createProxyList } from './http/addresses.ts';
import { createLimiter, defaultLockout, type LockoutRules } from './http/limiter.ts';
import { type Answer, fromWeb, type IncomingRequest, offerDirect, toWeb } from './http/message.ts';
import { describe, problemResponse } from './http/problem.ts';
import { json } from './http/respond.ts';
import { type Context, createRouter } from './http/router.ts';
import { createIdentifier, type IdentityOptions } from './identity/identify.ts';
import { createAccountLookup } from './mdm/accounts.ts';
import { contentRoutes } from './mdm/content.ts';
import { recoveryKeyRoutes, redirectSource } from './mdm/recovery-key.ts';
import { type MdmContext, mdmRoutes } from './mdm/routes.ts';
import { createHostMeters, metricsRoute } from './metrics.ts';
import { pageRoutes } from './page/routes.ts';
import { createSessions } from './page/session.ts';
import { type ConnectionInfo, type FetchHandler, type Logger, silentLogger } from './types.ts';
import { type UserOptions, userRoutes } from './user/credentials.ts';
import type { Webhooks } from './webhooks/types.ts';

/** Limits of what a request may bring. */
export interface HostLimits {
  /** Largest body of a device's message, in bytes (default 8 MiB: a long application list has a few). */
  readonly mdmBytes?: number;
  /** Largest body of anything else, in bytes (default 1 MiB). */
  readonly bodyBytes?: number;
  /** Largest body of an action, in bytes: those of wallpapers have up to 10 MB of images (default 14 MiB, which holds them as base64). */
  readonly actionBytes?: number;
  /** How long a body may take to arrive, in milliseconds (default 30,000). */
  readonly bodyTimeoutMs?: number;
  /** How guessing of PINs and tokens is slowed down (default: {@link defaultLockout}). */
  readonly lockout?: LockoutRules;
}

/** What a host is made of. */
export interface HostOptions {
  readonly engine: Engine;
  /**
   * Issues device certificates by SCEP and ACME: an authority of this server (`openCa`, or of a data folder), one behind
   * another SCEP server (`openScepProxy`), or an adapter of your own. Its certificate is served at `/ca.crt`.
   */
  readonly ca: CertificateAuthority;
  /** Needed for SCEP where the authority's key is no RSA key, or is not at hand. */
  readonly scepRegistrar?: ScepRegistrar;
  /** Where SCEP challenges come from, and who judges those of others (default: this server). */
  readonly scepChallenge?: ScepChallengeOptions;
  /** What device identity certificates say, and which key they are for. */
  readonly identityCertificate?: IdentityCertificateOptions;
  /** Identities that configurations give to devices: `scep`, `acme`, and what credential settings make. */
  readonly configurationCertificates?: ConfigurationCertificateOptions;
  /**
   * Authorities around a change (CERT-12): the next one is announced by SCEP and in profiles; certificates of the earlier
   * ones let devices in, renew themselves and are told revoked (where the key is at hand). All count as anchors of
   * `identity`. `openDataFolder` keeps them.
   */
  readonly rollover?: {
    readonly next?: CaCertificate;
    readonly earlier?: readonly (CaCertificate & { readonly signer?: Signer })[];
    /** Takes an earlier one, by key identifier, out of where they are kept: for the admin API. */
    readonly retire?: (keyId: string) => Promise<boolean>;
  };
  /** How devices prove who they are. */
  readonly identity: IdentityOptions;
  /** What the enrolment profile says. */
  readonly profile: ProfileOptions;
  /**
   * The admin tokens: hashes as `hashAdminToken` writes them, alone (everything is allowed) or with permissions.
   * Without any, the admin API and the page let nobody in.
   * @example
   * adminTokens: [hash, { hash: other, permissions: ['view devices', 'manage device enrolment'] }]
   */
  readonly adminTokens?: readonly (string | AdminToken)[];
  /**
   * The address that devices and people use, with the base path: it goes into profiles and invitations.
   * Without it, the origin of each request is taken, which is right only where clients connect directly.
   */
  readonly publicUrl?: string;
  /** Mounts everything below this path, e.g. `/mdm-server` (default: at the root). */
  readonly basePath?: string;
  /** Addresses and networks of proxies whose `X-Forwarded-For` and forwarded certificates are believed. */
  readonly trustedProxies?: readonly string[];
  /** A SCEP server of your own, in place of one over `ca` and the engine's store. */
  readonly scep?: { handle(request: Request): Promise<Response> };
  /**
   * Which SCEP requests wait until somebody approves them (`/api/v1/scep/requests`): `never` (default) lets a good
   * challenge decide, `without-challenge` has those wait that bring none, `always` those with a good challenge as well.
   * A wrong challenge is refused in any case.
   */
  readonly scepApproval?: 'never' | 'without-challenge' | 'always';
  /** ACME at `/acme/directory`: `false` for none (default: served, for attested devices). */
  readonly acme?: AcmeOptions | false;
  /** The revocation list at `/ca.crl` and OCSP at `/ocsp`; served where the authority's key is at hand. */
  readonly revocation?: RevocationOptions;
  /** Whether the status page is served (default true). */
  readonly page?: boolean;
  /**
   * Serves `GET /metrics` (Prometheus' text) to whoever has an admin token that may view devices or one of these tokens, given as hashes like
   * `adminTokens`. Default: not served; `createMetricsHandler` serves the same on a listener that the public does not reach.
   */
  readonly metrics?: { readonly tokens?: readonly string[] };
  /** 32 bytes that sign the page's sessions; processes behind one address share them (default: random per host). */
  readonly sessionSecret?: Uint8Array;
  readonly limits?: HostLimits;
  /** Automated Device Enrolment at `/enrol/ade`; default: not served without `adeService`. */
  readonly ade?: AdeOptions;
  /**
   * Accounts at Apple, their devices and profiles (`createAdeService`): managed by the admin API, and followed by `/enrol/ade`;
   * who gives it starts and stops it. Default: none.
   */
  readonly adeService?: AdeService;
  /**
   * Apps and Books (`createAppsService`): managed by the admin API, told by Apple at `/apps/notifications`; who gives it starts and
   * stops it. Default: none.
   */
  readonly appsService?: AppsService;
  /**
   * Account-driven enrolment: discovery at `/.well-known/com.apple.remotemanagement`, which devices ask at the domain of
   * the user's account. Its tokens are signed with `sessionSecret`. Default: not served.
   */
  readonly account?: AccountOptions;
  /** Enrolment by the profile service at `/enrol/ota/:token`; default: not served. */
  readonly profileService?: MachineOptions;
  /**
   * Whether a device that this server does not know is told to remove its enrolment (403 with
   * `com.apple.unrecognized.device`, iOS 17 and macOS 14). Default false: after a mishap with the database, the whole
   * fleet would leave.
   */
  readonly unenrolUnknown?: boolean;
  /** What users do themselves at `/user/v1`: upload their own identities; default: not served. */
  readonly users?: UserOptions;
  /** Signs requests for push certificates in the admin API; default: they go to a vendor elsewhere. */
  readonly pushVendor?: PushVendor;
  /** Webhooks to be managed by the admin API (`createWebhooks`); who gives them starts and stops them. Default: none. */
  readonly webhooks?: Webhooks;
  readonly logger?: Logger;
  /** Randomness for request ids and session secrets (default: `crypto.randomBytes`). */
  readonly random?: RandomBytes;
}

/** A server as one function. */
export interface Host {
  /** Answers any request. Never rejects: every fault becomes an answer and, where it matters, a line in the log. */
  readonly fetch: FetchHandler;
  /**
   * Makes the profile that renews an enrolment's identity: for the engine's `renewal.profile`. `null` without `publicUrl`,
   * since a renewal must name the addresses that the device knows.
   * @example
   * const engine = createEngine({ store, keys, renewal: { profile: (request) => host.renewalProfile(request) } });
   * const host = createHost({ engine, ca, identity, profile, publicUrl });
   */
  readonly renewalProfile: RenewalOptions['profile'];
  /** Fills in what `scep`, `acme` and `filevault-escrow` configurations leave open: for the engine's `late`. See {@link hostSources}. */
  readonly late: ConfiguredIdentities['late'] & Readonly<Record<typeof recoveryKeyRedirectSource, LateSource>>;
  /** Makes the identities of credential settings: for the engine's `issueIdentity`. See {@link hostSources}. */
  readonly issueIdentity: ConfiguredIdentities['issueIdentity'];
  /** Revokes at the authority, where it has such an operation (CERT-9): for the engine's `issuerRevoke`. See {@link hostSources}. */
  readonly revokeAtIssuer: RevokeAtIssuer;
}

/**
 * What an engine has from its host, which is made after it.
 * @example
 * const engine = createEngine({ store, keys, ...hostSources(() => host) });
 * const host = createHost({ engine, ca, identity, profile, publicUrl });
 */
export function hostSources(
  host: () => Host,
): Required<Pick<EngineInput, 'renewal' | 'late' | 'issueIdentity' | 'issuerRevoke'>> {
  return {
    renewal: { profile: (request) => host().renewalProfile(request) },
    late: {
      scep: (request) => host().late.scep(request),
      acme: (request) => host().late.acme(request),
      [recoveryKeyRedirectSource]: (request) => host().late[recoveryKeyRedirectSource](request),
    },
    issueIdentity: (request) => host().issueIdentity(request),
    issuerRevoke: (certificate) => host().revokeAtIssuer(certificate),
  };
}

/**
 * Composes the routes of an MDM server over an engine:
 * the device protocol (`/mdm/checkin`, `/mdm/connect`), SCEP (`/scep`), ACME (`/acme`), revocation (`/ca.crl`, `/ocsp`), enrolment (`/enrol/:token`, `/enrol`),
 * the root certificate (`/ca.crt`, `/ca.pem`), the admin API (`/api/v1`), the status page (`/`) and `/health`.
 *
 * @throws HostError `host.options` where the options make no sense.
 * @example
 * const host = createHost({ engine, ca, identity: { anchors: [ca.certificate] }, profile, adminTokens: [hash] });
 * const response = await host.fetch(new Request('https://localhost/health'));
 */
export function createHost(given: HostOptions): Host {
  const options = withRollover(given);
  const { engine, ca, rollover = {} } = options;
  const now = () => engine.clock.now();
  const random = options.random ?? ((length: number) => new Uint8Array(randomBytes(length)));
  const logger = options.logger ?? silentLogger;
  const basePath = checkBasePath(options.basePath ?? '');
  const fixedUrls = options.publicUrl === undefined ? null : publicUrls(checkUrl(options.publicUrl));
  const urls = (context: Context) => fixedUrls ?? publicUrls(context.url.origin + basePath);
  const proxies = createProxyList(options.trustedProxies ?? []);
  const timeoutMs = options.limits?.bodyTimeoutMs ?? 30_000;
  const mdmLimits = { maxBytes: options.limits?.mdmBytes ?? 8 * 1024 * 1024, timeoutMs };
  const bodyLimits = { maxBytes: options.limits?.bodyBytes ?? 1024 * 1024, timeoutMs };
  const largeBodyLimits = { maxBytes: options.limits?.actionBytes ?? 14 * 1024 * 1024, timeoutMs };
  const lockout = options.limits?.lockout ?? defaultLockout;
  const checkToken = createTokenCheck(options.adminTokens ?? []);
  // One limiter for both ways to offer an admin token, another one for PINs.
  const tokenLimiter = createLimiter(lockout, now);

  const meters = createHostMeters(engine.metrics);
  const metricsTokens = createTokenCheck(
    (options.metrics?.tokens ?? []).map((hash) => ({ hash, permissions: ['view devices'] })),
  );

  const revocation =
    ca.signer === undefined
      ? null
      : createRevocation(
          engine,
          [{ certificate: ca.certificate, signer: ca.signer }, ...(rollover.earlier ?? []).filter(hasSigner)],
          options.revocation ?? {},
          bodyLimits,
        );
  const configured = createConfiguredIdentities({
    ...{ engine, ca, random, urls: fixedUrls, options: options.configurationCertificates ?? {} },
    foreignChallenges: (options.scepChallenge?.source ?? 'engine') !== 'engine',
  });
  const certificates = createIdentityCertificates({
    ...{ engine, ca, random, configured, profile: options.profile, options: options.identityCertificate },
  });
  const { acme: profileKey } = options.profile;

  const sessionSecret = options.sessionSecret ?? random(32);
  const identifier = createIdentifier(options.identity, proxies, now);
  const issuing = { ca, certificates, challenge: challengeMaker(engine, ca, options.scepChallenge ?? {}) };
  const enrol = {
    engine,
    profile: options.profile,
    caCertificate: ca.certificate,
    authorities: [ca, ...(rollover.earlier ?? []), ...(rollover.next ? [rollover.next] : [])],
    issuing,
    scep:
      options.scep ??
      hostScepServer({
        ...{ engine, ca, certificates, revocation, logger, ra: options.scepRegistrar, identity: options.identity },
        challenge: options.scepChallenge ?? {},
        approval: options.scepApproval ?? 'never',
        nextCa: rollover.next,
        earlier: rollover.earlier ?? [],
      }),
    limiter: createLimiter(lockout, now),
    bodyLimits,
    urls,
  };

  const accounts = accountDoor(options.account, enrol, sessionSecret, now);
  const mdm: MdmContext = {
    engine,
    identifier,
    limits: mdmLimits,
    unenrolUnknown: options.unenrolUnknown ?? false,
    ...(accounts === null ? {} : { accounts: { user: accounts.door.user, of: createAccountLookup(engine) } }),
  };
  const adeDoor =
    options.ade === undefined && options.adeService === undefined
      ? null
      : createAdeDoor(enrol, options.ade ?? {}, options.adeService);

  const router = createRouter([
    { methods: ['GET'], path: '/health', handle: () => json({ status: 'ok' }) },
    ...mdmRoutes(mdm),
    ...contentRoutes(engine, identifier),
    ...recoveryKeyRoutes(engine, timeoutMs),
    ...(options.metrics === undefined
      ? []
      : [
          metricsRoute(
            engine.metrics,
            createAuthorise((token) => metricsTokens(token) ?? checkToken(token), tokenLimiter),
          ),
        ]),
    ...enrolRoutes(enrol),
    ...(adeDoor?.routes ?? []),
    ...(options.profileService === undefined ? [] : otaRoutes(enrol, options.profileService, sessionSecret)),
    ...(accounts === null
      ? []
      : [
          ...accountRoutes(enrol, accounts.options, accounts.door, accounts.tokens),
          ...mdmRoutes({ ...mdm, prefix: '/mdm/account', forAccounts: true }),
        ]),
    ...(options.acme === false
      ? []
      : acmeRoutes({
          engine,
          ca,
          earlier: rollover.earlier ?? [],
          certificates,
          configured,
          options: options.acme ?? {},
          attested: profileKey?.attest ?? profileKey?.hardwareBound ?? true,
          bodyLimits,
          logger,
          fixedUrls,
          urls,
        })),
    ...(revocation?.routes ?? []),
    ...apiRoutes({
      engine,
      authorities: { ...rollover, current: ca },
      configured,
      basePath,
      checkToken,
      limiter: tokenLimiter,
      bodyLimits,
      largeBodyLimits,
      urls,
      ...(options.pushVendor === undefined ? {} : { pushVendor: options.pushVendor }),
      ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks }),
      ...(options.adeService === undefined ? {} : { adeService: options.adeService }),
      ...(options.appsService === undefined ? {} : { appsService: options.appsService }),
      ...(adeDoor === null ? {} : { adeDoor }),
      accounts: accounts !== null,
    }),
    ...(options.appsService === undefined ? [] : appsRoutes(options.appsService, bodyLimits)),
    ...(options.users === undefined ? [] : userRoutes(engine, options.users, bodyLimits)),
    ...(options.page === false
      ? []
      : pageRoutes({
          engine,
          basePath,
          checkToken,
          limiter: tokenLimiter,
          bodyLimits,
          organisation: options.profile.organisation,
          sessions: createSessions(sessionSecret, random, now, checkToken.byId),
          urls,
        })),
  ]);

  async function answer(
    incoming: IncomingRequest,
    info: ConnectionInfo,
    found: (route: string) => void,
  ): Promise<Response | Answer> {
    const url = new URL(incoming.url);
    const { method, headers } = incoming;
    // At the root of the domain, wherever the rest is.
    const wellKnown = url.pathname === serviceDiscoveryPath;
    if (!wellKnown && !below(url.pathname, basePath)) {
      throw new HostError('not-found', 'host.route.unknown', 'There is nothing at this address.');
    }
    const path = wellKnown ? url.pathname : url.pathname.slice(basePath.length) || '/';
    const { route, params } = router.find(method, path);
    found(route.path);
    const context: Context = {
      get request() {
        return incoming.web();
      },
      method,
      headers,
      body: incoming.body,
      url,
      path,
      params,
      info,
      clientAddress: clientAddress(incoming, info, proxies),
    };
    const response = await route.handle(context);
    if (method !== 'HEAD') return response;
    if (!(response instanceof Response)) return { ...response, body: null };
    await response.body?.cancel();
    return new Response(null, { status: response.status, headers: response.headers });
  }

  async function respond(request: IncomingRequest, info: ConnectionInfo): Promise<Response | Answer> {
    const measured = meters.request();
    let route: string | null = null;
    try {
      const response = await answer(request, info, (path) => {
        route = path;
      });
      measured({ route, status: response.status });
      return response;
    } catch (error) {
      const requestId = Buffer.from(random(8)).toString('hex');
      const { problem, headers } = describe(error, requestId);
      measured({ route, status: problem.status, code: problem.code });
      if (isDoorRefusal(problem.code)) {
        await engine.protocol.refused({ code: problem.code, address: clientAddress(request, info, proxies) });
      }
      report(logger, error, problem.status, { requestId, method: request.method, path: pathOf(request.url) });
      if (error instanceof HostError && error.body) {
        return json(error.body, problem.status, { 'x-request-id': requestId, ...headers });
      }
      return problemResponse(problem, headers);
    }
  }
  const fetch: FetchHandler = async (request, info = {}) => toWeb(await respond(fromWeb(request), info));
  offerDirect(fetch, respond);

  return {
    fetch,
    late: { ...configured.late, [recoveryKeyRedirectSource]: redirectSource(engine, fixedUrls) },
    issueIdentity: configured.issueIdentity,
    async revokeAtIssuer({ serialNumber, revocationReason }) {
      if (ca.revoke === undefined) return false;
      await ca.revoke(serialNumber, revocationReason ?? 'unspecified');
      return true;
    },

    async renewalProfile({ enrolment, ttlMinutes }) {
      if (fixedUrls === null) {
        logger.warn({ enrolmentId: enrolment.id }, 'no renewal without a public URL');
        return null;
      }
      const facts = (await engine.devices.get(enrolment.id))?.facts;
      const account = accountOf(facts);
      const byProfile = enrolment.kind === 'user-enrolment-device' ? facts?.['ios.managed_apple_id'] : undefined;
      return await signedEnrolmentProfile(engine, options.profile, issuing, fixedUrls, {
        enrolment,
        ttlMinutes,
        ...(account !== null ? { account } : typeof byProfile === 'string' ? { managedAppleAccount: byProfile } : {}),
      });
    },
  };
}

/** Account-driven enrolment: the tokens, and the door at which they are shown. */
function accountDoor(
  options: AccountOptions | undefined,
  enrol: EnrolContext,
  secret: Uint8Array,
  now: () => number,
): { readonly options: AccountOptions; readonly door: AccountDoor; readonly tokens: AccountTokens } | null {
  if (options === undefined) return null;
  const days = options.signIn.method === 'apple-as-web' ? (options.signIn.tokenDays ?? 90) : 90;
  const tokens = createAccountTokens(secret, days * 86_400_000, now);
  return { options, door: createAccountDoor(options, tokens, enrol.urls), tokens };
}

const hasSigner = <T extends { readonly signer?: Signer }>(ca: T): ca is T & { readonly signer: Signer } =>
  ca.signer !== undefined;

/** What follows from a change of the authority for devices' certificates and profiles. */
function withRollover(options: HostOptions): HostOptions {
  const { ca, rollover, identity, profile } = options;
  if (rollover === undefined) return options;
  const { next, earlier } = rollover;
  const around = { ...(next === undefined ? {} : { next }), ...(earlier === undefined ? {} : { earlier }) };
  const { anchors } = createCaSet({ current: ca, ...around, clock: options.engine.clock });
  const known = new Set(anchors.map((anchor) => readCertificate(anchor).fingerprintSha256));
  const others = identity.anchors.filter((anchor) => !known.has(readCertificate(anchor).fingerprintSha256));
  return {
    ...options,
    identity: { ...identity, anchors: [...anchors, ...others] },
    profile: { ...profile, rootCertificates: profile.rootCertificates ?? anchors },
  };
}

/** Codes of refusals before the protocol is reached, which whoever watches over the server wants to see. */
const doorCodes =
  /^(host\.identity\.|host\.account\.(token|domain|other|disabled)$|host\.enrol\.(pin|machine_info|challenge|refused)$|host\.locked$)/;
const isDoorRefusal = (code: string): boolean => doorCodes.test(code);

/** One line for each refusal, and the whole error (once) for a fault of the server. */
function report(logger: Logger, error: unknown, status: number, fields: Readonly<Record<string, unknown>>): void {
  if (!isEspalierError(error)) {
    logger.error({ ...fields, status, code: 'host.internal', err: error }, 'unexpected error');
    return;
  }
  const { code, kind, at } = error;
  const line = { ...fields, status, code, kind, ...(at ? { at } : {}) };
  if (status === 500) logger.error({ ...line, err: error }, error.message);
  else if (status === 404 || status === 405) logger.debug(line, error.message);
  else logger.warn(line, error.message);
}

/** The path for the log: an invitation's token is a secret, and so is the word of a recovery key's address. */
function pathOf(url: string): string {
  const { pathname } = new URL(url);
  return pathname.replace(/\/(enrol|recovery-key)\/.+$/, '/$1/[redacted]');
}

function below(pathname: string, basePath: string): boolean {
  return pathname === basePath || pathname.startsWith(`${basePath}/`);
}

function checkBasePath(basePath: string): string {
  const plain = basePath.replace(/\/+$/, '');
  if (plain === '' || /^(\/[A-Za-z0-9._~-]+)+$/.test(plain)) return plain;
  throw new HostError('internal', 'host.options', `basePath "${basePath}" is not a path such as /mdm-server.`);
}

function checkUrl(url: string): string {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'https:' || protocol === 'http:') return url;
  throw new HostError('internal', 'host.options', `publicUrl "${url}" is not an http: or https: address.`);
}

/** By whose account a device enrolled, as the check-in at the account's address left it. */
function accountOf(facts: Facts | undefined): ProfileAccount | null {
  const mode = facts?.['ios.account_driven'];
  const managedAppleAccount = facts?.['ios.managed_apple_id'];
  if ((mode !== 'BYOD' && mode !== 'ADDE') || typeof managedAppleAccount !== 'string') return null;
  return { mode, managedAppleAccount };
}
