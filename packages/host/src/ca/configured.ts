// Identities of configurations: what devices ask for by SCEP and ACME besides their enrolment's, and what the server makes itself.
import { createHash } from 'node:crypto';
import type { Configuration, DeviceRow, Engine, EngineInput, Facts, LateAnswer, LateSource } from '@espalier/core';
import {
  type AppleAttestedProperties,
  type CertificateAuthority,
  type CertificateContents,
  formatName,
  issueIdentity,
  PkiError,
  type RandomSource,
  resolveSans,
  resolveSubject,
  type SanTemplate,
  userSidExtensions,
  type VariableValues,
} from '@espalier/pki';
import {
  type AcmeConfiguration,
  appleSubject,
  appleSubjectAltName,
  readAcmeConfiguration,
  readIssuedIdentity,
  readScepConfiguration,
  rowsOf,
  type ScepConfiguration,
} from '@espalier/policy';
import type { PublicUrls } from '../enrol/profile.ts';
import { HostError, isEspalierError } from '../errors.ts';
import type { CertificateHolder } from './identity-certificate.ts';
import { variablesOf } from './variables.ts';

/** Identities that configurations give to devices. */
export interface ConfigurationCertificateOptions {
  /** Further values of variables, before all others: from a directory. */
  readonly values?: (holder: CertificateHolder) => VariableValues | Promise<VariableValues>;
  /** Makers of challenges for other SCEP servers, by the name in `challenge` of a `scep` configuration: `ndesChallenge`, a secret. */
  readonly challenges?: Readonly<Record<string, () => Promise<string>>>;
  /** Minutes that a challenge or a client identifier of this server lives once a device has it (default 60). */
  readonly challengeMinutes?: number;
}

/** A certificate for a configuration, about to be issued. */
interface Issuance {
  readonly configurationId: string;
  readonly enrolmentId: string;
  readonly attested: AppleAttestedProperties | null;
}

/** The host's part in the identities of configurations. */
export interface ConfiguredIdentities {
  /** Fills in what devices ask for: for the engine's `late`. */
  readonly late: { readonly scep: LateSource; readonly acme: LateSource };
  /** Makes key and certificate: for the engine's `issueIdentity`. */
  readonly issueIdentity: NonNullable<EngineInput['issueIdentity']>;
  contents(issuance: Issuance): Promise<CertificateContents>;
  /**
   * What a certificate of a configuration would say for a device, after the way to this server's authority was tried; none is
   * issued (CERT-18).
   * @throws HostError `host.not_found`; PkiError `pki.variable.unresolved` and what else would refuse the certificate
   */
  test(configurationId: string, enrolmentId: string): Promise<TestedCertificate>;
  /** Whether the configuration asks devices for an attestation; `null` when there is no such configuration. */
  attests(configurationId: string): Promise<boolean | null>;
}

/** What a certificate would say. */
export interface TestedCertificate {
  /** RFC 4514 text. */
  readonly subject: string;
  readonly sans: readonly { readonly type: string; readonly value: string }[];
  /** Whether the user's security identifier would be in an extension. */
  readonly microsoftSid: boolean;
}

/** What {@link createConfiguredIdentities} works with. */
export interface ConfiguredIdentitiesInput {
  readonly engine: Engine;
  readonly ca: CertificateAuthority;
  readonly options: ConfigurationCertificateOptions;
  readonly urls: PublicUrls | null;
  readonly random: RandomSource;
  /** Challenges of devices come from somewhere else, and go on to the authority. */
  readonly foreignChallenges: boolean;
}

const gone = (reason: string): LateAnswer => ({ outcome: 'gone', reason });
const hold = (reason: string): LateAnswer => ({ outcome: 'hold', reason });

/** Makes the host's part. */
export function createConfiguredIdentities(input: ConfiguredIdentitiesInput): ConfiguredIdentities {
  const { engine, ca, options, urls, random } = input;
  const { challenges = {}, challengeMinutes: ttlMinutes = 60 } = options;
  const forwards = ca.capabilities?.requestOnly === true;

  async function valuesFor(
    device: DeviceRow,
    configurationId: string | null,
    attested: AppleAttestedProperties | null = null,
  ): Promise<VariableValues> {
    const { id: enrolmentId, invitationId } = device.enrolment;
    const own = await options.values?.({ invitationId, enrolmentId, configurationId, device, attested });
    const uuid = configurationId === null ? {} : { CONFIG_UUID: configurationId.toUpperCase() };
    return { ...uuid, ...variablesOf(device, attested), ...own };
  }

  const resolved = (template: { readonly subject: string }, rows: readonly SanTemplate[], values: VariableValues) => {
    const how = { values, now: engine.clock.now(), random };
    return { subject: resolveSubject(template.subject, how), sans: resolveSans(rows, how) };
  };

  /** What the profile says of the certificate; a server that decides itself is told nothing but the subject. */
  function namesFor(settings: ScepConfiguration | AcmeConfiguration, own: boolean, values: VariableValues) {
    const { subject, sans } = resolved(settings, own && !forwards ? [] : rowsOf(settings), values);
    const SubjectAltName = appleSubjectAltName(sans);
    return {
      text: formatName(subject),
      keys: {
        Subject: appleSubject(subject),
        ...(SubjectAltName === undefined ? {} : { SubjectAltName: { ...SubjectAltName } }),
      },
    };
  }

  /** The configuration as it was compiled. */
  async function current(id: string, revision: string, type: string): Promise<Configuration | null> {
    const found = await engine.configurations.get(id);
    return found !== null && found.type === type && String(found.version) === revision ? found : null;
  }

  /** What a device cannot have for now is offered again; it is told why in the log and the events. */
  async function orHold(make: () => Promise<LateAnswer>): Promise<LateAnswer> {
    try {
      return await make();
    } catch (error) {
      if (!isEspalierError(error) || error.kind === 'internal') throw error;
      return hold(`${error.message} (${error.code})`);
    }
  }

  const scep: LateSource = ({ enrolment, facts, reference, revision }) =>
    orHold(async () => {
      const found = await current(reference, revision, 'scep');
      if (found === null) return gone('the configuration is another one by now');
      const settings = readScepConfiguration(found.settings);
      const values = await valuesFor({ enrolment, facts }, reference);
      const { text, keys } = namesFor(settings, settings.url === undefined, values);
      if (settings.url !== undefined) {
        const { challenge } = settings;
        if (challenge === undefined) return { outcome: 'ready', values: { PayloadContent: keys } };
        const make = Object.hasOwn(challenges, challenge) ? challenges[challenge] : undefined;
        if (make === undefined) return hold(`nobody makes challenges called ${JSON.stringify(challenge)}`);
        return { outcome: 'ready', values: { PayloadContent: { ...keys, Challenge: await make() } } };
      }
      if (urls === null) return hold('this server has no public URL');
      if (input.foreignChallenges) return hold('the authority of this server wants challenges of its own');
      const { challenge: Challenge } = await engine.enrolling.challenge({
        ...{ enrolmentId: enrolment.id, configurationId: reference, subject: text, ttlMinutes },
      });
      const CAFingerprint = Uint8Array.from(createHash('sha1').update(ca.certificate).digest());
      return { outcome: 'ready', values: { PayloadContent: { ...keys, URL: urls.scep, Challenge, CAFingerprint } } };
    });

  const acme: LateSource = ({ enrolment, facts, reference, revision }) =>
    orHold(async () => {
      const found = await current(reference, revision, 'acme');
      if (found === null) return gone('the configuration is another one by now');
      const settings = readAcmeConfiguration(found.settings);
      const { directoryUrl, clientIdentifier } = settings;
      const values = await valuesFor({ enrolment, facts }, reference);
      const { text, keys } = namesFor(settings, directoryUrl === undefined, values);
      if (clientIdentifier !== undefined) {
        return { outcome: 'ready', values: { ...keys, ClientIdentifier: plainText(clientIdentifier, values) } };
      }
      if (urls === null) return hold('this server has no public URL');
      const made = await engine.enrolling.clientIdentifier({
        ...{ enrolmentId: enrolment.id, configurationId: reference, subject: text, ttlMinutes },
      });
      const DirectoryURL = `${urls.acme}/directory`;
      return { outcome: 'ready', values: { ...keys, DirectoryURL, ClientIdentifier: made.clientIdentifier } };
    });

  /** An identifier with variables; it is no name, and yet variables are put in as into one. */
  function plainText(template: string, values: VariableValues): string {
    const [name] = resolveSans([{ type: 'upn', value: template }], { values, now: engine.clock.now(), random });
    return name !== undefined && 'value' in name && typeof name.value === 'string' ? name.value : '';
  }

  async function settingsOf(configurationId: string) {
    const found = await engine.configurations.get(configurationId);
    if (found?.type === 'scep') return readScepConfiguration(found.settings);
    return found?.type === 'acme' ? readAcmeConfiguration(found.settings) : null;
  }

  return {
    late: { scep, acme },

    async attests(configurationId) {
      const settings = await settingsOf(configurationId);
      return settings === null ? null : 'attest' in settings && settings.attest;
    },

    async contents({ configurationId, enrolmentId, attested }) {
      const [settings, device] = await Promise.all([settingsOf(configurationId), engine.devices.get(enrolmentId)]);
      if (settings === null || device === null) {
        throw new PkiError('pki.ca.refused', 'the configuration, or the device, is not there any more');
      }
      const values = await valuesFor(device, configurationId, attested);
      const rows = forwards ? rowsOf(settings) : settings.sans;
      const { sans } = resolved({ subject: 'CN=unused' }, rows, values);
      const extensions = settings.microsoftSid && !forwards ? userSidExtensions(values['USER_SID']) : [];
      return {
        sans,
        ...(settings.template === undefined ? {} : { template: settings.template }),
        ...(extensions.length === 0 ? {} : { extensions }),
      };
    },

    async test(configurationId, enrolmentId) {
      const [settings, device] = await Promise.all([settingsOf(configurationId), engine.devices.get(enrolmentId)]);
      if (settings === null || device === null) {
        const what = settings === null ? 'configuration of SCEP or ACME' : 'device';
        throw new HostError('not-found', 'host.not_found', `There is no such ${what}.`);
      }
      const own = !('url' in settings) && !('directoryUrl' in settings);
      const values = await valuesFor(device, configurationId);
      const asked = !own || forwards;
      const { subject, sans } = resolved(settings, asked ? rowsOf(settings) : settings.sans, values);
      if (asked) appleSubjectAltName(sans);
      const extensions = settings.microsoftSid && !asked ? userSidExtensions(values['USER_SID']) : [];
      if (own) await ca.test?.();
      const names = sans.flatMap((san) => ('value' in san ? [{ type: san.type, value: String(san.value) }] : []));
      return { subject: formatName(subject), sans: names, microsoftSid: extensions.length > 0 };
    },

    async issueIdentity({ setting, enrolment, facts }) {
      const { microsoftSid, key, template = 'device', ...settings } = readIssuedIdentity(setting.options);
      const values = await valuesFor({ enrolment, facts: facts as Facts }, null);
      const rows = forwards ? rowsOf({ ...settings, microsoftSid }) : settings.sans;
      const { subject, sans } = resolved(settings, rows, values);
      const extensions = microsoftSid && !forwards ? userSidExtensions(values['USER_SID']) : [];
      const more = extensions.length === 0 ? {} : { extensions };
      return await issueIdentity(ca, { subject, sans, template, key, ...more });
    },
  };
}
