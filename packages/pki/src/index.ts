// Everything @espalier/pki offers.
export { appleEnterpriseAttestationRoot } from './acme/apple-root.ts';
export {
  type AppleAttestation,
  type AppleAttestedProperties,
  appleAttestationOids,
  type VerifyAttestationOptions,
  verifyAppleAttestation,
  verifyAttestationObject,
} from './acme/attestation.ts';
export type { AcmeAttestationOptions, AcmeServerOptions } from './acme/context.ts';
export { hardwareModule, permanentIdentifier } from './acme/identifiers.ts';
export type { AcmeJwk } from './acme/jwk.ts';
export { createMemoryAcmeStore, type MemoryAcmeStore, type MemoryAcmeStoreOptions } from './acme/memory-store.ts';
export type { AcmeProblem } from './acme/problem.ts';
export { type AcmeServer, createAcmeServer } from './acme/server.ts';
export type {
  AcmeAccount,
  AcmeAccountStore,
  AcmeAuthorization,
  AcmeCertificate,
  AcmeCertificateStore,
  AcmeChallenge,
  AcmeChallengePolicy,
  AcmeCommit,
  AcmeCommitOutcome,
  AcmeDevice,
  AcmeDeviceFacts,
  AcmeEvent,
  AcmeGrant,
  AcmeIdentifier,
  AcmeIdentifierStore,
  AcmeIssuance,
  AcmeNonceStore,
  AcmeOrder,
  AcmeOrderStore,
  AcmeRequest,
  AcmeSettlement,
  AcmeStore,
  AcmeVerdict,
} from './acme/types.ts';
export type {
  AuthorityCapabilities,
  AuthorityProfile,
  CertificateAuthority,
  CertificateContents,
  IssueRequest,
} from './ca/authority.ts';
export {
  type CreateRootCaOptions,
  createRootCa,
  type Identity,
  type LocalAuthority,
  type OpenCaOptions,
  openCa,
  selfSignCa,
} from './ca/ca.ts';
export {
  type ClientTemplateOptions,
  checkTemplateKey,
  clientTemplate,
  shortestLifetimeDays,
} from './ca/client-template.ts';
export { requestIntermediateCa } from './ca/intermediate.ts';
export { type IssueIdentityOptions, issueIdentity } from './ca/issue-identity.ts';
export { openScepProxy, type ScepProxyAuthority, type ScepProxyOptions } from './ca/scep-proxy.ts';
export {
  type CaCertificate,
  type CaRole,
  type CaSet,
  type CaSetOptions,
  createCaSet,
  type RolloverPlan,
  type RolloverPolicy,
  retirableCas,
  rolloverPlan,
} from './ca/set.ts';
export { type CertificateTemplate, type TemplateName, templates } from './ca/templates.ts';
export type { Clock, RandomSource } from './clock.ts';
export {
  decryptRecoveryKey,
  type MachineInfoOptions,
  type VerifiedMachineInfo,
  verifyMachineInfo,
} from './cms/apple.ts';
export { appleIphoneDeviceCa } from './cms/apple-device-ca.ts';
export type { ContentCipher } from './cms/ciphers.ts';
export { decryptCms, type EncryptCmsOptions, encryptCms, type KeyTransport } from './cms/enveloped.ts';
export { bundleCertificates, type SignCmsOptions, signCms, signCmsWith } from './cms/signed-write.ts';
export type { CmsLimits } from './cms/types.ts';
export { type VerifiedCms, type VerifyCmsOptions, verifyCms, verifyMdmSignature } from './cms/verify.ts';
export { isPkiError, PkiError, type PkiErrorKind, type PkiErrorOptions, type PkiErrorPlace } from './errors.ts';
export type { HashName, VerifyPolicy } from './keys/algorithms.ts';
export {
  generateKeyPair,
  type KeyPair,
  type KeySpec,
  type PrivateKeyInput,
  type PublicKeyFacts,
  publicKeyOf,
  readPublicKey,
  spkiHash,
} from './keys/keys.ts';
export { localSigner, type Signer } from './keys/signer.ts';
export { oids } from './oids.ts';
export { fromPem, type PemBlock, readPem, toPem } from './pem.ts';
export { type Pkcs12Identity, type Pkcs12Limits, readPkcs12 } from './pkcs12/read.ts';
export { type CreatePkcs12Options, createPkcs12 } from './pkcs12/write.ts';
export {
  listDue,
  type MaintenanceDecision,
  type MaintenancePolicy,
  type MaintenanceSchedule,
  maintain,
  nextMaintenance,
  type RegisteredCertificate,
  type RegisteredState,
  registeredState,
} from './registry/maintenance.ts';
export {
  type CertificateDates,
  type RenewalDecision,
  type RenewalPolicy,
  type RenewalState,
  renewalDue,
} from './registry/renewal.ts';
export { type CrlChecker, type CrlCheckerOptions, createCrlChecker } from './revocation/checker.ts';
export {
  type CertificateRevocationList,
  type CreateCrlOptions,
  createCrl,
  pruneRevoked,
  type RevokedCertificate,
  readCrl,
} from './revocation/crl.ts';
export {
  type CertificateStatus,
  combineOcspResponders,
  createOcspResponder,
  type OcspResponder,
  type OcspResponderOptions,
} from './revocation/ocsp.ts';
export {
  type CrlPolicy,
  type CrlPublisher,
  type CrlPublisherOptions,
  type CrlSchedule,
  type CrlStore,
  createCrlPublisher,
  crlSchedule,
  type NextCrlOptions,
  nextCrl,
  type PublishedCrl,
} from './revocation/publish.ts';
export type { RevocationReason } from './revocation/reasons.ts';
export { createMemoryRevocationStore, type RevocationStore, revocableAuthority } from './revocation/revocable.ts';
export {
  prepareScepRequest,
  type ScepEnrolOptions,
  type ScepIdentity,
  type ScepRequestOptions,
  scepEnrol,
  sendScepRequest,
} from './scep/client.ts';
export type { PreparedScepRequest, ScepResult } from './scep/client-message.ts';
export {
  type FetchFunction,
  getScepServerInfo,
  type ScepEndpoint,
  type ScepServerInfo,
  type ScepServerInfoOptions,
} from './scep/client-server-info.ts';
export { createMemoryScepStore, type MemoryScepStore, type MemoryScepStoreOptions } from './scep/memory-store.ts';
export type { ScepFailInfo } from './scep/message.ts';
export { type NdesChallengeOptions, ndesChallenge } from './scep/ndes.ts';
export { createScepServer, type ScepServer, type ScepServerOptions } from './scep/server.ts';
export { staticChallenge } from './scep/static-challenge.ts';
export type {
  ScepApplication,
  ScepCommit,
  ScepCommitOutcome,
  ScepDecision,
  ScepEvent,
  ScepGrant,
  ScepIssuance,
  ScepPending,
  ScepRegistrarRequest,
  ScepRenewal,
  ScepRequest,
  ScepStore,
} from './scep/types.ts';
export { readAuthorityChain } from './x509/authority-chain.ts';
export { type Certificate, fingerprintSha256, readCertificate } from './x509/certificate.ts';
export { type CertificateRequest, type CsrOptions, createCsr, readCsr } from './x509/csr.ts';
export {
  type BasicConstraints,
  type Extension,
  type KeyUsage,
  microsoftSid,
  microsoftSidUri,
  userSidExtensions,
} from './x509/extensions.ts';
export {
  type CertificateKind,
  type FileCertificate,
  type FileIdentity,
  readCertificateFile,
  readIdentityFiles,
  type UploadedFile,
} from './x509/files.ts';
export type { AlternativeName } from './x509/general-name.ts';
export {
  type DistinguishedName,
  decodeName,
  encodeName,
  formatName,
  type NameAttribute,
  type NameInput,
  parseName,
} from './x509/name.ts';
export { type TrustOptions, type TrustPurpose, verifyTrust } from './x509/trust.ts';
export {
  certificateVariables,
  checkSanTemplates,
  checkSubjectTemplate,
  identityVariables,
  maskIdentityVariables,
  type ResolveOptions,
  resolveSans,
  resolveSubject,
  type SanTemplate,
  sidSanTemplate,
  type TemplateRules,
  type VariableValues,
  variablesIn,
} from './x509/variables.ts';
