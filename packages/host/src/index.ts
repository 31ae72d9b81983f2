// @espalier/host: the MDM server as one fetch handler.
export { createAdeService } from './ade/service.ts';
export type {
  AdeAccountView,
  AdeProfileInput,
  AdeService,
  AdeServiceOptions,
  PreAssignmentOutcome,
  WrittenAdeProfile,
} from './ade/types.ts';
export { type AdminToken, createAdminToken, hashAdminToken } from './api/auth.ts';
export { createAppsService } from './apps/service.ts';
export type { AppsLocation, AppsLocationView, AppsService, AppsServiceOptions } from './apps/types.ts';
export type { AcmeOptions } from './ca/acme.ts';
export {
  type DelegatedDecision,
  type DelegatedRequest,
  type HttpChallengeOptions,
  httpChallengeVerifier,
  type ScepChallengeOptions,
} from './ca/challenge.ts';
export type { ConfigurationCertificateOptions } from './ca/configured.ts';
export type { CertificateHolder, IdentityCertificateOptions, IdentityKey } from './ca/identity-certificate.ts';
export type { RevocationOptions } from './ca/revocation.ts';
export type { ScepRegistrar } from './ca/scep.ts';
export { type DataFolder, type DataFolderOptions, openDataFolder } from './data/open.ts';
export type { MasterKeyInput } from './data/secrets.ts';
export type { AccountOptions, SignIn, SignInMethod } from './enrol/account.ts';
export type { AccountUser } from './enrol/account-token.ts';
export type { AdeOptions, RequiredSystem, WebVisit } from './enrol/ade.ts';
export type { MachineOptions } from './enrol/machine.ts';
export type { ProfileOptions } from './enrol/profile.ts';
export type { ProfileSignIn, ProfileSignInPage } from './enrol/user-profile.ts';
export {
  type ErrorKind,
  type ErrorPlace,
  type EspalierErrorLike,
  HostError,
  type HostErrorOptions,
  isEspalierError,
} from './errors.ts';
export { createHost, type Host, hostSources } from './host.ts';
export { defaultLockout, type LockoutRule, type LockoutRules } from './http/limiter.ts';
export type { ForwardedFormat } from './identity/forwarded.ts';
export type { IdentityOptions, IdentitySource } from './identity/identify.ts';
export { createLogger } from './log.ts';
export { createMetricsHandler } from './metrics.ts';
export type { HostLimits, HostOptions } from './options.ts';
export { type ConnectionInfo, type FetchHandler, type Logger, silentLogger } from './types.ts';
export type { UserOptions } from './user/credentials.ts';
export { createWebhooks, type WebhooksOptions } from './webhooks/service.ts';
export { createWebhookSecret, signWebhook } from './webhooks/signature.ts';
export type { NewWebhook, Webhook, WebhookFormat, WebhookStatus, Webhooks } from './webhooks/types.ts';
