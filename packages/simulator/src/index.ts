// The public names of the package.
export {
  type ApnsCounters,
  createSimulatedApns,
  type ReceivedPush,
  type ScriptedAnswer,
  type SimulatedApns,
  type SimulatedApnsOptions,
} from './apns/server.ts';
export {
  appCatalogue,
  type DeviceKind,
  type Model,
  modelsOf,
  type Platform,
  type SimulatedApp,
  versionsOf,
} from './catalogue.ts';
export { knownCommands } from './commands/execute.ts';
export {
  type AttestationRequest,
  type AttestationService,
  createSimulatedAttestation,
  type SimulatedAttestation,
} from './device/attestation.ts';
export type { RequestEvent } from './device/channel.ts';
export { type DeclarationType, declarationTypes, type PayloadKey } from './device/declarations/catalogue.ts';
export type { DeclarationVerdict } from './device/declarations/client.ts';
export { type Answers, PredicateFault, predicateHolds, UnreadablePredicate } from './device/declarations/predicate.ts';
export type { DeclarativeState, HeldDeclaration, ReportedState } from './device/declarations/state.ts';
export { knownStatusItems } from './device/declarations/status.ts';
export { createSimulatedDevice, restoreDevice } from './device/device.ts';
export { type SignIn, signInWith, type WebPage } from './device/enrolling/browser.ts';
export {
  createSimulatedDeviceAuthority,
  type DeviceAuthority,
  type SimulatedDeviceAuthority,
} from './device/enrolling/machine-info.ts';
export type { AccountToken } from './device/enrolling/tokens.ts';
export type {
  AccountEnrolment,
  AdeEnrolment,
  AdeProfile,
  EnrolmentType,
  EnrolmentWay,
  WatchEnrolment,
} from './device/enrolling/types.ts';
export type { DeviceTraits } from './device/factory.ts';
export type {
  ManagedState,
  SimulatedUser,
  StoredBook,
  StoredProvisioningProfile,
  UpdateInProgress,
} from './device/managed-state.ts';
export type { ExecutedCommand, SessionResult } from './device/session.ts';
export type {
  AcmeSettings,
  DeviceState,
  EnrolmentPhase,
  MdmSettings,
  ScepSettings,
  StoredPayload,
  StoredProfile,
  UserChannelState,
} from './device/state.ts';
export type {
  DeviceEnvironment,
  EnrolResult,
  PushService,
  SimulatedDevice,
  SimulatedDeviceOptions,
} from './device/types.ts';
export type { UserLogin, UserSession } from './device/users.ts';
export { SimulatorError, type SimulatorErrorCode } from './errors.ts';
export { type Fault, type FaultShares, type Faults, randomFaults, type Step } from './faults.ts';
export { createFleet, type FleetMix, type FleetOptions } from './fleet.ts';
export { createKeyPool, type KeyPool } from './key-pool.ts';
export { createLatencyRecorder, type LatencyRecorder, type LatencySummary } from './latency.ts';
export { runLimited } from './limited.ts';
export type { RetryOptions } from './net/retry.ts';
export {
  type ConnectionState,
  createFetchTransport,
  createNodeTransport,
  type DeviceRequest,
  type DeviceResponse,
  type NodeTransportOptions,
  type TlsIdentity,
  type Transport,
} from './net/transport.ts';
export { createRandom, type Random } from './random.ts';
export * from './services/index.ts';
