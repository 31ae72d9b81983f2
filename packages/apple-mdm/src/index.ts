// The public names of the package.
export {
  type ApnsClient,
  type ApnsClientOptions,
  type ApnsEvent,
  createApnsClient,
  type PushTarget,
} from './apns/client.ts';
export type { Timers } from './apns/connection.ts';
export type {
  PushDelivered,
  PushFailed,
  PushOutcome,
  PushRefused,
  PushRetry,
  PushTokenDead,
} from './apns/outcome.ts';
export { type ApnsIdentity, type ApnsPool, createApnsPool } from './apns/pool.ts';
export {
  type DigestResponse,
  digestChallenge,
  digestHash,
  readDigestResponse,
  verifyDigest,
} from './checkin/digest.ts';
export type {
  Authenticate,
  Checkin,
  CheckinType,
  CheckOut,
  DeclarativeEndpoint,
  DeclarativeManagement,
  GetBootstrapToken,
  GetToken,
  ReturnToService,
  SetBootstrapToken,
  TokenUpdate,
  UserAuthenticate,
} from './checkin/messages.ts';
export { checkinTypes, readCheckin } from './checkin/read.ts';
export { type ManagedAccountTokenInput, managedAccountToken } from './checkin/service-token.ts';
export {
  type Capability,
  type CommandCheck,
  checkCommand,
  commandCapabilities,
  requiredAccessRight,
} from './command/capability.ts';
export {
  type Command,
  type CommandOptions,
  command,
  type RawPayload,
  type ReceivedCommand,
  rawCommand,
  readCommand,
} from './command/command.ts';
export {
  accountConfiguration,
  type MacAccounts,
  type ManagedAdministrator,
  macPasswordHash,
} from './command/mac-accounts.ts';
export { type RejectionFacts, rejectionReasons } from './command/rejection.ts';
export {
  type CommandResponse,
  type CommandStatus,
  type ErrorChainItem,
  type IdleResponse,
  type ResultResponse,
  readResponse,
  type SettingResult,
  settingResults,
} from './command/response.ts';
export { responseValue } from './command/value.ts';
export {
  type Declaration,
  type DeclarationOptions,
  declaration,
  type RawDeclarationPayload,
  rawDeclaration,
} from './declaration/build.ts';
export { canonicalJson, type JsonInput, type JsonObject } from './declaration/json.ts';
export { type DeclarationKind, declarationKind, declarationKinds, maxIdentifierBytes } from './declaration/kinds.ts';
export { type DeviceStatus, mergeStatus, secretStatusItems } from './declaration/merge.ts';
export {
  type DeclarationItem,
  type DeclarationItems,
  declarationItemsResponse,
  declarationsToken,
  readDeclarationItems,
  readTokensResponse,
  type SyncTokens,
  tokensResponse,
} from './declaration/protocol.ts';
export { declarationPayload, type ReadDeclaration, readDeclaration } from './declaration/read.ts';
export {
  checkReferences,
  type DeclarationProblem,
  type DeclarationReference,
  declarationReferences,
} from './declaration/references.ts';
export {
  type ClientCapabilities,
  clientCapabilities,
  type DeclarationReason,
  type DeclarationState,
  type DeclarationStates,
  declarationStates,
} from './declaration/states.ts';
export { readStatusReport, type StatusError, type StatusReportMessage, statusValue } from './declaration/status.ts';
export { factStatusItems, statusFacts } from './declaration/status-facts.ts';
export {
  subscribableStatusItems,
  takesDeclaration,
  takesDeclarativeManagement,
  takesStatusItem,
} from './declaration/support.ts';
export {
  type AccountChallenge,
  type AccountEnrolmentMode,
  accountChallenge,
  authenticationResult,
  bearerOf,
  type EnrolmentService,
  serviceDiscovery,
  serviceDiscoveryPath,
} from './enrolling/account.ts';
export { type MachineInformation, readMachineInfo } from './enrolling/machine-info.ts';
export { type DeviceAttribute, type ProfileServiceInput, profileService } from './enrolling/profile-service.ts';
export {
  type EnrolmentRefusal,
  pairingTokenMissing,
  platformSsoRequired,
  type RefusalText,
  softwareUpdateRequired,
  unrecognisedDevice,
  wellKnownFailed,
} from './enrolling/refusals.ts';
export {
  type EnrolmentIds,
  type EnrolmentKind,
  type ResolvedEnrolment,
  resolveEnrolment,
  sharedIpadUserId,
} from './enrolment.ts';
export { MdmError, type MdmErrorCode, type MdmPlace } from './errors.ts';
export { deviceInformationFacts } from './facts/device-information.ts';
export {
  type DeviceLocation,
  type DeviceRestrictions,
  type DeviceUser,
  type ManagedApp,
  type ManagedBook,
  type ProvisioningProfile,
  readLocation,
  readManagedApps,
  readManagedBooks,
  readProvisioningProfiles,
  readRestrictions,
  readUsers,
} from './facts/device-lists.ts';
export { type Inventory, inventoryCommands, readInventory } from './facts/inventory.ts';
export {
  type InstalledApp,
  type InstalledCertificate,
  type InstalledProfile,
  readCertificateList,
  readInstalledApps,
  readProfileList,
} from './facts/lists.ts';
export type { ReadList } from './facts/read.ts';
export { encryptionStatus, securityInfoFacts } from './facts/security-info.ts';
export {
  type AvailableUpdate,
  mainUpdate,
  readAvailableUpdates,
  readUpdateStatus,
  type UpdateStatus,
} from './facts/updates.ts';
export { authenticateFacts, type Facts, type FactValue, platformOf, tokenUpdateFacts } from './facts/values.ts';
export { type RecoveryKeyRequest, readRecoveryKeyRequest, recoveryKeyResponse } from './filevault/redirect.ts';
export { checkinContentType, connectContentType, profileContentType, signatureHeader } from './http.ts';
export { defaultMessageLimits, type MessageLimits } from './keys.ts';
export { isDict } from './plist.ts';
export * from './predicate/index.ts';
export {
  type AccessRightName,
  accessRight,
  accessRightNames,
  accessRights,
  allAccessRights,
  checkAccessRights,
  compareAccessRights,
} from './profile/access-rights.ts';
export {
  type BuiltProfile,
  buildProfile,
  type PayloadCommon,
  type PayloadContent,
  type ProfileInput,
  type ProfilePayload,
  payload,
  payloadIdentifier,
  payloadUuid,
} from './profile/build.ts';
export {
  type AcmeIdentity,
  buildEnrolmentProfile,
  type EnrolmentProfileInput,
  enrolmentProfile,
  type Pkcs12Identity,
  type ScepIdentity,
  type ServerCapability,
} from './profile/enrolment.ts';
export { type ReadPayload, type ReadProfile, type ReadProfileOptions, readProfile } from './profile/read.ts';
export { uuidFrom } from './profile/uuid.ts';
export { type PushVendor, signPushRequest } from './push-certificate/vendor.ts';
export * from './schema/index.ts';
export * from './validate/index.ts';
