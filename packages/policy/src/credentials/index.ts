// Credential payloads: certificates, identities, trust, and references between payloads.
export { type CertificatePayloadOptions, certificatePayloads } from './certificates.ts';
export {
  type AcmePayloadOptions,
  acmePayload,
  type KeyUse,
  type Pkcs12PayloadOptions,
  pkcs12Payload,
  type ScepPayloadOptions,
  scepPayload,
} from './identities.ts';
export { type AppleSubject, type AppleSubjectAltName, appleSubject, appleSubjectAltName } from './names.ts';
export { buildLinkedProfile, linkPayloads, type NamedPayload, named, reference } from './references.ts';
export {
  certificatePreferencePayload,
  certificateRevocationPayload,
  certificateTransparencyPayload,
  identityPreferencePayload,
  type PublicKeyList,
  publicKeySha256,
  type TransparencyExemptions,
} from './trust.ts';
