// The host: all routes behind one fetch handler.
import { randomBytes } from 'node:crypto';
import type { EngineInput, Facts, LateSource, RenewalOptions, RevokeAtIssuer } from '@espalier/core';
import { createCaSet, readCertificate, type Signer } from '@espalier/pki';
import { recoveryKeyRedirectSource } from '@espalier/policy';
import { createAuthorise, createTokenCheck } from './api/auth.ts';
import { apiRoutes } from './api/routes.ts';
import { appsRoutes } from './apps/notifications.ts';
import { acmeRoutes } from './ca/acme.ts';
import { challengeMaker } from './ca/challenge.ts';
import { type ConfiguredIdentities, createConfiguredIdentities } from './ca/configured.ts';
import { createIdentityCertificates } from './ca/identity-certificate.ts';
import { createRevocation } from './ca/revocation.ts';
import { hostScepServer } from './ca/scep.ts';
import { type AccountDoor, type AccountOptions, accountRoutes, createAccountDoor } from './enrol/account.ts';
import { type AccountTokens, createAccountTokens } from './enrol/account-token.ts';
import { createAdeDoor } from './enrol/ade.ts';
import { otaRoutes } from './enrol/ota.ts';
import { type ProfileAccount, publicUrls, signedEnrolmentProfile } from './enrol/profile.ts';
import { type EnrolContext, enrolRoutes } from './enrol/routes.ts';
import { HostError } from './errors.ts';
import { createProxyList } from './http/addresses.ts';
import { createLimiter, defaultLockout } from './http/limiter.ts';
import { fromWeb, offerDirect, toWeb } from './http/message.ts';
import { json } from './http/respond.ts';
import { createResponder } from './http/responder.ts';
import { type Context, createRouter } from './http/router.ts';
import { createIdentifier } from './identity/identify.ts';
import { createAccountLookup } from './mdm/accounts.ts';
import { contentRoutes } from './mdm/content.ts';
import { recoveryKeyRoutes, redirectSource } from './mdm/recovery-key.ts';
import { type MdmContext, mdmRoutes } from './mdm/routes.ts';
import { createHostMeters, metricsRoute } from './metrics.ts';
import type { HostOptions } from './options.ts';
import { pageRoutes } from './page/routes.ts';
import { createSessions } from './page/session.ts';
import { type FetchHandler, silentLogger } from './types.ts';
import { userRoutes } from './user/credentials.ts';

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

  const respond = createResponder({ router, engine, meters, proxies, basePath, random, logger });
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
