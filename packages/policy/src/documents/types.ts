// The configuration types about certificates: the payloads that each becomes, and what is filled in when a device takes it.
import type { Issue } from '@espalier/apple-mdm';
import { checkConsumers, type Names } from '../consumers.ts';
import { certificatePayloads } from '../credentials/certificates.ts';
import { reading } from '../credentials/check.ts';
import { acmePayload, scepPayload } from '../credentials/identities.ts';
import { type NamedPayload, named, reference } from '../credentials/references.ts';
import {
  certificateRevocationPayload,
  certificateTransparencyPayload,
  identityPreferencePayload,
} from '../credentials/trust.ts';
import { PolicyError } from '../errors.ts';
import { fileOf, namedCertificates } from './certificates.ts';
import { type Settings, settingsReader, wrongSetting } from './read.ts';
import { type CertificateRequestSettings, readAcmeConfiguration, readScepConfiguration } from './request.ts';

/** One payload of a configuration. */
export interface DocumentPayload {
  readonly payload: NamedPayload;
  /** Who fills it in when a device takes it. */
  readonly late?: 'scep' | 'acme';
  /** The configuration is nothing without it (default), or does without where the platform has no such payload. */
  readonly optional?: boolean;
}

/** A configuration type about certificates. */
export interface CredentialConfigurationType {
  readonly name: 'scep' | 'acme' | 'certificate' | 'certificate-revocation' | 'certificate-transparency';
  readonly title: string;
  /** @throws PolicyError with the setting in `at.path`. */
  build(settings: Settings): readonly DocumentPayload[];
  /** Payloads that use what `build` makes, and what they may name. */
  consumers?(settings: Settings): Consumers;
}

/** Payloads with Apple's own keys. */
export interface Consumers {
  readonly payloads: readonly Settings[];
  readonly names: Names;
}

/** The identity and the certificates of a `scep` or `acme` configuration, for the payloads beside them. */
const usesOf = ({ payloads, certificates }: CertificateRequestSettings): Consumers => ({
  payloads,
  names: { identities: new Set(['identity']), certificates: namedCertificates(certificates).names },
});

const alongWith = ({ certificates }: Pick<CertificateRequestSettings, 'certificates'>): DocumentPayload[] =>
  namedCertificates(certificates).payloads.map((payload) => ({ payload }));

/** Stands where the real address comes with the delivery. */
export const LATER = 'https://this-server.invalid/';

function preferences({
  identityPreferences,
}: Pick<CertificateRequestSettings, 'identityPreferences'>): DocumentPayload[] {
  return identityPreferences.map((name) => ({
    payload: identityPreferencePayload(name, reference('identity')),
    optional: true,
  }));
}

const filesOf = (texts: readonly string[] | undefined): Uint8Array[] =>
  (texts ?? []).map((text, index) => fileOf(text, `certificates/${index}`));

const types: readonly CredentialConfigurationType[] = [
  {
    name: 'scep',
    title: 'SCEP',
    build(settings) {
      const {
        url = LATER,
        subject: _,
        sans: __,
        template: ___,
        challenge: ____,
        ...rest
      } = readScepConfiguration(settings);
      const payload = reading('settings', () => scepPayload({ ...rest, url }));
      return [{ payload: named('identity', payload), late: 'scep' }, ...alongWith(rest), ...preferences(rest)];
    },
    consumers: (settings) => usesOf(readScepConfiguration(settings)),
  },
  {
    name: 'acme',
    title: 'ACME',
    build(settings) {
      const { directoryUrl = LATER, sans: _, template: __, ...rest } = readAcmeConfiguration(settings);
      const payload = acmePayload({ ...rest, directoryUrl, clientIdentifier: 'later', subject: 'CN=later' });
      return [{ payload: named('identity', payload), late: 'acme' }, ...alongWith(rest), ...preferences(rest)];
    },
    consumers: (settings) => usesOf(readAcmeConfiguration(settings)),
  },
  {
    name: 'certificate',
    title: 'Trusted certificates',
    build(settings) {
      const read = settingsReader(settings, ['file', 'fileName', 'pem']);
      const file = read.text('file');
      if (file === undefined) throw wrongSetting('file', 'there is no file', 'Give PEM, or base64 of DER or PKCS#7.');
      const fileName = read.text('fileName');
      const pem = read.flag('pem') ?? false;
      const options = { pem, ...(fileName === undefined ? {} : { fileName }) };
      return certificatePayloads(fileOf(file, 'file'), options).map((payload) => ({ payload }));
    },
  },
  {
    name: 'certificate-revocation',
    title: 'Certificate revocation checks',
    build(settings) {
      const read = settingsReader(settings, ['certificates', 'hashes']);
      const certificates = filesOf(read.texts('certificates'));
      return [{ payload: certificateRevocationPayload({ certificates, hashes: read.texts('hashes') ?? [] }) }];
    },
  },
  {
    name: 'certificate-transparency',
    title: 'Certificate transparency exemptions',
    build(settings) {
      const read = settingsReader(settings, ['domains', 'certificates', 'hashes']);
      const certificates = filesOf(read.texts('certificates'));
      const hashes = read.texts('hashes') ?? [];
      return [
        { payload: certificateTransparencyPayload({ domains: read.texts('domains') ?? [], certificates, hashes }) },
      ];
    },
  },
];

/** The configuration types about certificates. */
export const credentialConfigurationTypes: readonly CredentialConfigurationType[] = types;

/** The type of this name; `undefined` when there is none. */
export const credentialConfigurationType = (name: string): CredentialConfigurationType | undefined =>
  types.find((type) => type.name === name);

/** What is wrong with settings of such a type: empty, or the first thing, and all that is wrong with the payloads beside it. */
export function checkDocument(type: CredentialConfigurationType, settings: Settings): Issue[] {
  try {
    type.build(settings);
    const issues: Issue[] = [];
    const uses = type.consumers?.(settings);
    if (uses === undefined) return issues;
    checkConsumers(uses.payloads, uses.names, issues, (path, message, remedy, code = 'type.wrong') => {
      issues.push({ path, code, severity: 'error', message, remedy });
    });
    return issues;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const path = error.at.path.startsWith('/') ? error.at.path : `/${error.at.path}`;
    return [{ path, code: 'value.format', severity: 'error', message: error.message, remedy: error.remedy }];
  }
}
