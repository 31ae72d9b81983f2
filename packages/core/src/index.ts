// @espalier/core: the engine, its storage contracts and the memory store.
export {
  isPermission,
  type Permission,
  permissionMeanings,
  permissions,
  permissionsOfAction,
  permissionsOfCommand,
  permissionsOfRecipe,
} from './access/permissions.ts';
export { actionNames, actions } from './actions/catalogue.ts';
export { systemApps } from './actions/system-apps.ts';
export type * from './api/actions.ts';
export type * from './api/ade.ts';
export type * from './api/common.ts';
export type * from './api/credentials.ts';
export type * from './api/declarations.ts';
export type * from './api/engine.ts';
export type * from './api/hooks.ts';
export type * from './api/locations.ts';
export type * from './api/mdm-profile.ts';
export type * from './api/migration.ts';
export type * from './api/push-certificates.ts';
export type * from './api/recipes.ts';
export type * from './api/records.ts';
export type * from './api/registrations.ts';
export type * from './api/user-enrolment.ts';
export { REVOCATIONS_SETTING } from './contracts/certificates.ts';
export type * from './contracts/index.ts';
export { FACT_KEY_LENGTH, LABEL_ID_TOKEN } from './contracts/search.ts';
export { declareSoftwareUpdate } from './declarations/software-update.ts';
export { createEngine } from './engine/create.ts';
export { type ServerColumns, serverColumns } from './engine/facts.ts';
export type { IssuerStatus } from './engine/issuer-check.ts';
export type { RevokeAtIssuer } from './engine/issuer-revocation.ts';
export { type Binding, bindingOf } from './engine/issuing.ts';
export {
  type CompileConfiguration,
  type CompiledConfiguration,
  type EngineInput,
  type EngineOptions,
  type EscrowIdentity,
  engineDefaults,
  type LateAnswer,
  type LateRequest,
  type LateSource,
  type LateValue,
  type Logger,
  type Pusher,
  type PushResult,
  type RenewalOptions,
  type SignProfile,
  type SoftwareUpdateDeclaration,
} from './engine/options.ts';
export { withoutSecrets } from './engine/sensitive.ts';
export { CoreError, type CoreErrorDetails, type CoreErrorKind } from './errors.ts';
export { sameFact, sameList } from './inventory/compare.ts';
export { masterKey } from './keys/derive.ts';
export { createKeyRing, type KeyRing, type MasterKey } from './keys/ring.ts';
export { INDEX_KEY_SETTING } from './keys/vault.ts';
export { createMemoryStore } from './memory/index.ts';
export type { OpenTelemetryMeter, OpenTelemetryObservable, OpenTelemetryResult } from './metrics/opentelemetry.ts';
export { exportToOpenTelemetry } from './metrics/opentelemetry.ts';
export { PROMETHEUS_TYPE, prometheusText } from './metrics/prometheus.ts';
export { createMetrics } from './metrics/registry.ts';
export { measureStore } from './metrics/store.ts';
export type * from './metrics/types.ts';
export type { ClosablePusher } from './push-certificates/pusher.ts';
export { backoffDelay } from './queue/backoff.ts';
export { recipeNames } from './recipes/run.ts';
