// The public names of the package.
export type { Clock } from './clock.ts';
export {
  type BypassCode,
  createBypassCode,
  type EscrowUnlock,
  escrowKeyOf,
  escrowUnlockRequest,
} from './enrolment/bypass.ts';
export {
  type ActivationLockStatus,
  type BetaToken,
  createEnrolmentClient,
  type DefinedProfile,
  type EnrolmentClient,
  type EnrolmentClientOptions,
  type Replacement,
} from './enrolment/client.ts';
export { commonErrors, type EnrolmentEndpoint, enrolmentEndpoints } from './enrolment/endpoints.ts';
export { type AppleErrorFacts, type EnrolmentErrorName, enrolmentErrors } from './enrolment/errors.ts';
export { type DevicePage, type FetchReason, isNewer, type SyncOptions, type SyncState } from './enrolment/sync.ts';
export type {
  AccountUrl,
  DeviceOutcome,
  EnrolmentAccount,
  EnrolmentDevice,
  OutcomeBatch,
} from './enrolment/types.ts';
export {
  AdeError,
  type AdeErrorDetails,
  type AdeErrorKind,
  type AdePlace,
  type AppleAnswer,
  isAdeError,
} from './errors.ts';
export type { FetchFunction, HttpOptions, RetryPolicy, SleepFunction } from './http/exchange.ts';
export { createTokenKeyPair, type TokenKeyPair, type TokenKeyPairOptions } from './token/key-pair.ts';
export {
  type AccountState,
  accountState,
  checkRenewal,
  type KnownServer,
  type TokenLife,
  tokenLife,
} from './token/life.ts';
export { openServerToken, readServerToken, type ServerToken, type TokenKey } from './token/open.ts';
