// What device identity certificates look like: subject, names, security identifier, key, usages and validity (CERT-6, 11, 19, 20).
import { createHash } from 'node:crypto';
import { bindingOf, type DeviceRow, type Engine } from '@espalier/core';
import {
  type AlternativeName,
  type AppleAttestedProperties,
  type CertificateAuthority,
  type CertificateContents,
  type CertificateTemplate,
  type ClientTemplateOptions,
  type DistinguishedName,
  formatName,
  identityVariables,
  type NameInput,
  type RandomSource,
  resolveSans,
  resolveSubject,
  type SanTemplate,
  userSidExtensions,
  type VariableValues,
} from '@espalier/pki';
import { appleSubject, appleSubjectAltName } from '@espalier/policy';
import type { ProfileOptions, ProfilePurpose } from '../enrol/profile.ts';
import type { ConfiguredIdentities } from './configured.ts';
import { checkIdentityCertificate } from './identity-checks.ts';
import { variablesOf } from './variables.ts';

/** The key that a device makes. By SCEP devices make RSA keys only. */
export type IdentityKey =
  | { readonly type: 'rsa'; readonly bits: 1024 | 2048 | 3072 | 4096 }
  | { readonly type: 'ec'; readonly bits: 256 | 384 | 521 };

/** For whom a certificate is. */
export interface CertificateHolder {
  /** Set for a first certificate. */
  readonly invitationId: string | null;
  /** Set for a renewal. */
  readonly enrolmentId: string | null;
  /** Set for an identity that a configuration gives to the device. */
  readonly configurationId: string | null;
  /** The enrolled device, for a renewal: nobody knows a device that has not enrolled yet. */
  readonly device: DeviceRow | null;
  /** What Apple attested of the device (ACME). */
  readonly attested: AppleAttestedProperties | null;
}

/** What the certificates say by which devices are let in. */
export interface IdentityCertificateOptions {
  /**
   * The subject, leaf first, with variables: `CN=$RANDOM_32$,O=Example`. Default: what the profile has the device ask for,
   * `CN=Device <invitation>,O=<organisation>`.
   */
  readonly subject?: string;
  /**
   * Which variables the subject may have. `identity` (default): random values, time and `$CONFIG_UUID$` alone, since whoever
   * listens to a connection may read the certificate (CERT-11). `all`: those that tell of device and user, too.
   */
  readonly subjectVariables?: 'identity' | 'all';
  /** Alternative names, with any variables. A row with `$USER_SID$` is left out for users without one. */
  readonly sans?: readonly SanTemplate[];
  /** Adds Microsoft's extension with `$USER_SID$`, for users who have one. Default false. */
  readonly microsoftSid?: boolean;
  /** Default: `keySize` and `acme` of the profile. */
  readonly key?: IdentityKey;
  /** Validity, usages, hash, least key size. Default: the template `device`. An authority that forwards requests has its own. */
  readonly template?: ClientTemplateOptions;
  /**
   * Further values of variables, before all others: from a directory, of the user behind an invitation. What has no value
   * then refuses the certificate, with the reason in the log.
   */
  readonly values?: (holder: CertificateHolder) => VariableValues | Promise<VariableValues>;
}

/** A certificate about to be issued, as SCEP and ACME tell it. */
interface Issuance {
  readonly grant: { readonly reference: string; readonly subject?: NameInput };
  readonly csr: { readonly publicKeyHash: string };
  readonly attested?: AppleAttestedProperties | null;
  readonly renews?: unknown;
}

/** What a profile has a device ask for. */
export interface AskedIdentity {
  /** Name and value of each part, root first. */
  readonly subject: readonly (readonly [name: string, value: string])[];
  /** The same as text, which the challenge is then good for alone. */
  readonly subjectText: string;
  readonly subjectAltName?: NonNullable<ReturnType<typeof appleSubjectAltName>>;
}

/** The identity certificates of a host. */
export interface IdentityCertificates {
  readonly template?: CertificateTemplate;
  /** For SCEP and ACME servers. */
  readonly contents: (issuance: Issuance) => Promise<CertificateContents>;
  /** What the profile must say, since the authority forwards requests as they are; null where the server says it. */
  asked(purpose: ProfilePurpose): Promise<AskedIdentity | null>;
  readonly key?: IdentityKey;
  /** 1 signing, 5 signing and encryption. */
  readonly keyUsage?: 1 | 5;
}

/** What {@link createIdentityCertificates} works with. */
export interface IdentityCertificatesInput {
  readonly engine: Engine;
  readonly ca: CertificateAuthority;
  readonly profile: ProfileOptions;
  readonly options: IdentityCertificateOptions | undefined;
  readonly random: RandomSource;
  readonly configured: Pick<ConfiguredIdentities, 'contents'>;
}

/**
 * Makes what fills certificates in.
 * @throws HostError `host.options` with the option in `at.path`, for templates that could not work.
 */
export function createIdentityCertificates(input: IdentityCertificatesInput): IdentityCertificates {
  const { engine, ca, profile, random } = input;
  const forwards = ca.capabilities?.requestOnly === true;
  // What another authority certifies is never for the device to choose.
  if (input.options === undefined && !forwards) {
    return { asked: async () => null, contents: async (issuance) => (await forConfiguration(issuance)) ?? {} };
  }
  const { options = {} } = input;
  const { template, rows } = checkIdentityCertificate(options, ca, profile);
  const rules = options.subjectVariables === 'all' ? {} : { variables: identityVariables };
  const configUuid = uuidOf(profile.identifier ?? 'com.espalier.enrolment');

  async function valuesFor(reference: string, attested: AppleAttestedProperties | null): Promise<VariableValues> {
    const { invitationId, enrolmentId } = bindingOf(reference);
    const device = enrolmentId === null ? null : await engine.devices.get(enrolmentId);
    const own = await options.values?.({ invitationId, enrolmentId, configurationId: null, device, attested });
    return { CONFIG_UUID: configUuid, ...variablesOf(device, attested), ...own };
  }

  const subjectOf = (values: VariableValues, source: RandomSource): DistinguishedName | undefined =>
    options.subject === undefined
      ? undefined
      : resolveSubject(options.subject, { values, now: engine.clock.now(), random: source, ...rules });
  const sansOf = (values: VariableValues, source: RandomSource): AlternativeName[] =>
    resolveSans(rows, { values, now: engine.clock.now(), random: source });

  async function forConfiguration({ grant, attested = null }: Issuance): Promise<CertificateContents | null> {
    const { configurationId, enrolmentId } = bindingOf(grant.reference);
    if (configurationId === undefined || enrolmentId === null) return null;
    return await input.configured.contents({ configurationId, enrolmentId, attested });
  }

  async function contents(issuance: Issuance): Promise<CertificateContents> {
    const configured = await forConfiguration(issuance);
    if (configured !== null) return configured;
    const { grant, csr, attested = null, renews } = issuance;
    // What is renewed by an authority that forwards, says again what it said.
    if (forwards && renews !== undefined) return {};
    const values = await valuesFor(grant.reference, attested);
    const source = fromSeed(`${grant.reference}\n${csr.publicKeyHash}`);
    // Somebody may have named the subject who approved the request; or the profile, to an authority that forwards.
    const subject = forwards || grant.subject !== undefined ? undefined : subjectOf(values, source);
    const extensions = options.microsoftSid === true && !forwards ? userSidExtensions(values['USER_SID']) : [];
    return {
      ...(subject === undefined ? {} : { subject }),
      ...(options?.sans === undefined && rows.length === 0 ? {} : { sans: sansOf(values, source) }),
      ...(extensions.length === 0 ? {} : { extensions }),
    };
  }

  return {
    contents,
    ...(template === undefined ? {} : { template }),
    ...(options.key === undefined ? {} : { key: options.key }),
    ...(options.template?.usage === undefined ? {} : { keyUsage: options.template.usage === 'both' ? 5 : 1 }),
    async asked(purpose) {
      if (!forwards) return null;
      const reference =
        'invitation' in purpose ? `invitation:${purpose.invitation.id}` : `enrolment:${purpose.enrolment.id}`;
      const values = await valuesFor(reference, null);
      const subject = subjectOf(values, random) ?? plainSubject(profile.organisation, purpose);
      const subjectAltName = appleSubjectAltName(sansOf(values, random));
      return {
        subject: appleSubject(subject).flatMap((rdn) => rdn.map(([name, value]) => [name!, value!] as const)),
        subjectText: formatName(subject),
        ...(subjectAltName === undefined ? {} : { subjectAltName }),
      };
    },
  };
}

/** The subject of an identity of which nothing was said. */
export function plainSubject(organisation: string, purpose: ProfilePurpose): DistinguishedName {
  const id = 'invitation' in purpose ? purpose.invitation.id : (purpose.enrolment.invitationId ?? purpose.enrolment.id);
  return [[{ type: '2.5.4.10', value: organisation }], [{ type: '2.5.4.3', value: `Device ${id}` }]];
}

/** Random values that are the same for the same request, which is so the same again at an authority that takes its time. */
function fromSeed(seed: string): RandomSource {
  let count = 0;
  return (size) => createHash('sha256').update(`${seed}\n${count++}`).digest().subarray(0, size);
}

/** A UUID that stands for a profile (version 8 of RFC 9562). */
function uuidOf(identifier: string): string {
  const hex = createHash('sha256').update(identifier).digest('hex').toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
