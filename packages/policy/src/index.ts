// The public names of the package.
export {
  type CompiledConfiguration,
  type CompilerOptions,
  compileConfiguration,
  createCompiler,
  type DroppedSetting,
  type LateSetting,
  type PolicyConfiguration,
} from './compile.ts';
export * from './credentials/index.ts';
export { type FactValue, type PolicyDevice, targetOf } from './device.ts';
export {
  type AcmeConfiguration,
  type CertificateRequestSettings,
  type IssuedIdentityConfiguration,
  readAcmeConfiguration,
  readIssuedIdentity,
  readScepConfiguration,
  rowsOf,
  type ScepConfiguration,
} from './documents/request.ts';
export {
  type CredentialConfigurationType,
  credentialConfigurationType,
  credentialConfigurationTypes,
  type DocumentPayload,
} from './documents/types.ts';
export { PolicyError, type PolicyErrorCode } from './errors.ts';
export { type FileVaultEscrowSettings, recoveryKeyRedirectSource } from './filevault-escrow.ts';
export type { IdentitySettings, IdentityUse } from './identity.ts';
export { validateSettings } from './settings.ts';
export {
  type ConfigurationType,
  configurationType,
  configurationTypes,
  type Implication,
  type PasscodeSettings,
  type RestrictionsSettings,
  type SettingsByType,
} from './types.ts';
