// The public names of the package.
export {
  type AppsClient,
  type AppsClientOptions,
  type AssetChange,
  type AssignmentQuery,
  type ClientConfigChange,
  createAppsClient,
  type EventWait,
  type UserChange,
  type UserQuery,
} from './apps/client.ts';
export { type AppsEndpoint, appsEndpoints } from './apps/endpoints.ts';
export { type AppsErrorFacts, type AppsFailure, appsErrors } from './apps/errors.ts';
export { type AppsNotification, readAppsNotification } from './apps/notification.ts';
export type {
  SeatCounts,
  Subscription,
  SubscriptionAdmin,
  SubscriptionAssignment,
  SubscriptionChange,
  SubscriptionCounts,
  SubscriptionMethods,
  SubscriptionQuery,
} from './apps/subscriptions.ts';
export {
  type ContentToken,
  contentTokenState,
  effectiveLicence,
  type LicenceType,
  readContentToken,
} from './apps/token.ts';
export type {
  AppsEvent,
  AppsLimits,
  AppsPage,
  AppsUser,
  Asset,
  AssetReference,
  Assignment,
  ClientConfig,
  MdmInfo,
} from './apps/types.ts';
export type { ActivityMethods, ActivityWait } from './business/activities.ts';
export type {
  Blueprint,
  BlueprintChange,
  BlueprintMethods,
  BlueprintPart,
  BusinessConfiguration,
  ConfigurationChange,
} from './business/blueprints.ts';
export {
  type ActivationLockState,
  type AuditQuery,
  type BusinessClient,
  type BusinessClientOptions,
  createBusinessClient,
} from './business/client.ts';
export type {
  BuiltInDevice,
  BuiltInDeviceDetails,
  BusinessApp,
  BusinessPackage,
  BusinessUser,
  BusinessUserGroup,
  DirectoryMethods,
  OrganisationalUnit,
} from './business/directory.ts';
export { type BusinessEndpoint, businessEndpoints } from './business/endpoints.ts';
export { type BusinessErrorFacts, businessErrors, tokenErrors } from './business/errors.ts';
export type {
  AppleCareCoverage,
  AuditEvent,
  DeviceActivity,
  MdmServer,
  MdmServerChange,
  OrgDevice,
} from './business/types.ts';
export type { Clock } from './clock.ts';
export type { CsvFault } from './csv/parse.ts';
export {
  type DeviceAttribute,
  type PreAssignment,
  type PreAssignmentOptions,
  type PreAssignmentProblem,
  type PreAssignmentResult,
  readPreAssignment,
} from './csv/pre-assign.ts';
export {
  createPendingRegistrations,
  type DeviceRegistration,
  type PendingRegistrations,
  type RegistrationOptions,
  type RegistrationResult,
  readRegistrations,
} from './csv/registration.ts';
export type { AttributeType, AttributeValue } from './csv/values.ts';
export {
  checkOrganisation,
  type EducationDevice,
  type EducationPreflight,
  educationPreflight,
  type OrganisationFacts,
  type OrganisationFinding,
} from './education/checks.ts';
export {
  checkRoster,
  compareRosters,
  nextRosterSync,
  type Roster,
  type RosterChanges,
  type RosterClass,
  type RosterDifference,
  type RosterIssue,
  type RosterPerson,
  type RosterPlace,
  type RosterRole,
  rosterRoles,
} from './education/roster.ts';
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
export type { FetchReason, ListPage, SyncOptions, SyncState } from './enrolment/pages.ts';
export type {
  RosterMethods,
  RosterRecord,
  SchoolClass,
  SchoolPerson,
  SchoolPlace,
} from './enrolment/roster.ts';
export { type DevicePage, isNewer } from './enrolment/sync.ts';
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
export {
  type AssignableDevice,
  type AssignmentChoice,
  type AssignmentRule,
  type AssignmentRules,
  createProfileChooser,
  type ProfileChooser,
} from './profile/assign.ts';
export { compileEnrolmentProfile } from './profile/compile.ts';
export {
  type ChangePlan,
  type ProfileChange,
  type ProfiledDevice,
  type ProfileState,
  type ProfileStep,
  planProfileChange,
} from './profile/consequences.ts';
export type {
  AppleProfile,
  EnrolmentAuthentication,
  EnrolmentProfile,
  MacAccountSettings,
  SharedIpadSettings,
} from './profile/model.ts';
export {
  hasPane,
  impliedSkips,
  type SetupPlatform,
  type SetupTarget,
  type SkipItem,
  skipItems,
  skipKeysFor,
  withImpliedSkips,
} from './profile/skip.ts';
export { type ProfileCheckOptions, type ProfileIssue, validateEnrolmentProfile } from './profile/validate.ts';
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
