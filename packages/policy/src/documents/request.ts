// What devices ask for by SCEP and ACME, as an administrator says it: subject, names, key, template (CERT-18, 19, 20, 22, 31).
import {
  type CertificateTemplate,
  type ClientTemplateOptions,
  checkSanTemplates,
  checkSubjectTemplate,
  checkTemplateKey,
  clientTemplate,
  type KeySpec,
  type SanTemplate,
  sidSanTemplate,
} from '@espalier/pki';
import { reading } from '../credentials/check.ts';
import type { KeyUse } from '../credentials/identities.ts';
import { appleSubjectAltName } from '../credentials/names.ts';
import { type Settings, type SettingsReader, settingsReader, wrongSetting } from './read.ts';

/** What configurations of the types `scep` and `acme` have in common. */
export interface CertificateRequestSettings {
  /** The subject, leaf first, with variables: `CN=$DEVICE_SN$,O=Example`. */
  readonly subject: string;
  /** Alternative names, with variables; four at most. A row with `$USER_SID$` is left out for users without one. */
  readonly sans: readonly SanTemplate[];
  /** Whether the user's security identifier is in the certificate. Default false. */
  readonly microsoftSid: boolean;
  readonly use?: KeyUse;
  /** This server's own authority: validity, usages, hash, least key size. */
  readonly template?: CertificateTemplate;
  /** This server's own authority: days before its end from which on the certificate is renewed, 1 to 270. Default: the server's. */
  readonly renewalWindowDays?: number;
  readonly keyIsExtractable?: boolean;
  readonly allowAllAppsAccess?: boolean;
  /** User channels of Macs: names (hosts, addresses, e-mail) to which the identity is shown without asking. */
  readonly identityPreferences: readonly string[];
  /** Certificates that go along: `{ name, file }`, the file as PEM or base64 of DER. */
  readonly certificates: readonly Settings[];
  /** Payloads of the same profile, with Apple's own keys: `$IDENTITY:identity$` and `$CERTIFICATE:name$` stand for UUIDs. */
  readonly payloads: readonly Settings[];
}

/** Settings of a `scep` configuration. */
export interface ScepConfiguration extends CertificateRequestSettings {
  /** The SCEP server. Absent: this server, with a single-use challenge for each device. */
  readonly url?: string;
  /** Which authority of that server. */
  readonly name?: string;
  readonly caFingerprint?: string;
  /** Who makes the challenges of another server: a name that the host knows. Absent: there are none. */
  readonly challenge?: string;
  readonly keySize: 1024 | 2048 | 4096;
  readonly retries?: number;
  readonly retryDelay?: number;
}

/** Settings of an `acme` configuration. */
export interface AcmeConfiguration extends CertificateRequestSettings {
  /** The directory of the ACME server, `https:`. Absent: this server, with a single-use identifier for each device. */
  readonly directoryUrl?: string;
  /** For another server: what it knows the device by, with variables. */
  readonly clientIdentifier?: string;
  readonly keyType: 'RSA' | 'ECSECPrimeRandom';
  readonly keySize: number;
  readonly hardwareBound: boolean;
  readonly attest: boolean;
  readonly extendedKeyUsage?: readonly string[];
}

const common = [
  ...['subject', 'sans', 'microsoftSid', 'use', 'template', 'keyIsExtractable', 'allowAllAppsAccess'],
  ...['identityPreferences', 'certificates', 'payloads', 'renewalWindowDays'],
];

const sanTypes = ['upn', 'email', 'uri', 'dns', 'dn', 'none'] as const;
const templateKeys = [
  ...['hash', 'minRsaBits', 'lifetimeDays', 'limitedByCa', 'usage', 'clientAuth', 'ipsec', 'smartCardLogon'],
  'customOids',
];

/** The members that have a value. */
function defined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}

function sansOf(read: SettingsReader): readonly SanTemplate[] {
  return (read.objects('sans') ?? []).map((row, index) => {
    const entry = settingsReader(row, ['type', 'value'], `sans/${index}/`);
    const type = entry.one('type', sanTypes);
    if (type === undefined) throw wrongSetting(`sans/${index}/type`, 'an alternative name has a type');
    return { type, value: entry.text('value') ?? '' };
  });
}

/** @throws PolicyError for choices that are none. */
function templateOf(given: Settings | undefined): CertificateTemplate | undefined {
  if (given === undefined) return undefined;
  const read = settingsReader(given, templateKeys, 'template/');
  const options = defined({
    hash: read.one('hash', ['sha256', 'sha384', 'sha512']),
    minRsaBits: read.whole('minRsaBits'),
    lifetimeDays: read.whole('lifetimeDays'),
    limitedByCa: read.flag('limitedByCa'),
    usage: read.one('usage', ['signing', 'encryption', 'both']),
    clientAuth: read.flag('clientAuth'),
    ipsec: read.flag('ipsec'),
    smartCardLogon: read.flag('smartCardLogon'),
    customOids: read.texts('customOids'),
  }) as ClientTemplateOptions;
  return reading('template', () => clientTemplate(options));
}

/** The common part; `own` for this server, which may put names in that no payload can say. */
function requestOf(read: SettingsReader, own: boolean, key: KeySpec): CertificateRequestSettings {
  const subject = read.text('subject');
  if (subject === undefined) throw wrongSetting('subject', 'a certificate has a subject', 'Write CN=$DEVICE_SN$.');
  reading('subject', () => checkSubjectTemplate(subject));
  const sans = sansOf(read);
  const microsoftSid = read.flag('microsoftSid') ?? false;
  const rows = rowsOf({ sans, microsoftSid });
  reading('sans', () => checkSanTemplates(rows, { maxRows: own ? 20 : 4 }));
  if (!own) appleSubjectAltName(rows.flatMap(({ type, value }) => (type === 'none' ? [] : [{ type, value }])));
  const template = templateOf(read.object('template'));
  if (template !== undefined && !own) {
    throw wrongSetting('template', 'another server has templates of its own', 'Leave the template out.');
  }
  const renewalWindowDays = read.whole('renewalWindowDays');
  if (renewalWindowDays !== undefined) {
    if (!own) {
      const remedy = 'Leave the window out, and save the configuration again when it is time.';
      throw wrongSetting('renewalWindowDays', 'what another server issues is not known here', remedy);
    }
    if (renewalWindowDays < 1 || renewalWindowDays > 270) {
      throw wrongSetting('renewalWindowDays', 'the window has 1 to 270 days', 'Leave it out for the default.');
    }
  }
  if (template !== undefined) reading('keySize', () => checkTemplateKey(template, key));
  const { keyIsExtractable, allowAllAppsAccess, use } = {
    keyIsExtractable: read.flag('keyIsExtractable'),
    allowAllAppsAccess: read.flag('allowAllAppsAccess'),
    use: read.one('use', ['signing', 'encryption', 'both']),
  };
  return {
    ...{ subject, sans, microsoftSid, identityPreferences: read.texts('identityPreferences') ?? [] },
    ...{ certificates: read.objects('certificates') ?? [], payloads: read.objects('payloads') ?? [] },
    ...defined({ use, template, renewalWindowDays, keyIsExtractable, allowAllAppsAccess }),
  };
}

/** The rows of alternative names that a device has to ask for. */
export const rowsOf = ({
  sans,
  microsoftSid,
}: Pick<CertificateRequestSettings, 'sans' | 'microsoftSid'>): readonly SanTemplate[] =>
  microsoftSid ? [...sans, sidSanTemplate] : sans;

/**
 * Reads the settings of a `scep` configuration.
 * @throws PolicyError `policy.settings.invalid`, `policy.credential.invalid`, with the setting in `at.path`.
 */
export function readScepConfiguration(settings: Settings): ScepConfiguration {
  const own = [...common, 'url', 'name', 'caFingerprint', 'challenge', 'keySize', 'retries', 'retryDelay'];
  const read = settingsReader(settings, own);
  const url = read.text('url');
  const elsewhere = {
    name: read.text('name'),
    caFingerprint: read.text('caFingerprint'),
    challenge: read.text('challenge'),
  };
  for (const [key, value] of Object.entries(elsewhere)) {
    if (url !== undefined || value === undefined) continue;
    throw wrongSetting(key, `${key} is about another SCEP server`, 'Give its url, or leave this out.');
  }
  const keySize = read.one('keySize', [1024, 2048, 4096]) ?? 2048;
  return {
    ...requestOf(read, url === undefined, { type: 'rsa', bits: keySize }),
    keySize,
    ...defined({ url, ...elsewhere, retries: read.whole('retries'), retryDelay: read.whole('retryDelay') }),
  };
}

/**
 * Reads the settings of an `acme` configuration.
 * @throws PolicyError `policy.settings.invalid`, `policy.credential.invalid`, with the setting in `at.path`.
 */
export function readAcmeConfiguration(settings: Settings): AcmeConfiguration {
  const own = ['directoryUrl', 'clientIdentifier', 'keyType', 'keySize', 'hardwareBound', 'attest', 'extendedKeyUsage'];
  const read = settingsReader(settings, [...common, ...own]);
  const directoryUrl = read.text('directoryUrl');
  const clientIdentifier = read.text('clientIdentifier');
  if ((directoryUrl === undefined) !== (clientIdentifier === undefined)) {
    const remedy = 'Give both for another ACME server, and none for this one.';
    throw wrongSetting('clientIdentifier', 'an ACME server knows devices by an identifier of its own', remedy);
  }
  const keyType = read.one('keyType', ['RSA', 'ECSECPrimeRandom']) ?? 'ECSECPrimeRandom';
  const keySize = read.whole('keySize') ?? (keyType === 'RSA' ? 2048 : 384);
  const forHardware = keyType === 'ECSECPrimeRandom' && (keySize === 256 || keySize === 384);
  const hardwareBound = read.flag('hardwareBound') ?? forHardware;
  const curve = `P-${keySize}` as 'P-256';
  const key: KeySpec = keyType === 'RSA' ? { type: 'rsa', bits: keySize } : { type: 'ec', curve };
  const isOwn = directoryUrl === undefined;
  if (clientIdentifier !== undefined) {
    reading('clientIdentifier', () => checkSanTemplates([{ type: 'upn', value: clientIdentifier }]));
  }
  return {
    ...requestOf(read, isOwn, key),
    ...{ keyType, keySize, hardwareBound, attest: read.flag('attest') ?? hardwareBound },
    ...defined({ directoryUrl, clientIdentifier, extendedKeyUsage: read.texts('extendedKeyUsage') }),
  };
}

/** What an identity is that the server makes, key and all (CERT-27): the `options` of a credential setting. */
export interface IssuedIdentityConfiguration
  extends Pick<CertificateRequestSettings, 'subject' | 'sans' | 'microsoftSid' | 'template'> {
  readonly key: KeySpec;
}

const rsaSizes = [1024, 1536, 2048, 3072, 4096];

/**
 * Reads what an identity is that the server makes: `subject`, `sans`, `microsoftSid`, `template`, `keyType` (`RSA` or
 * `ECSECPrimeRandom`, default RSA) and `keySize` (1024, 1536, 2048, 3072 or 4096; 256, 384 or 521; default 2048 or 256).
 * @throws PolicyError `policy.settings.invalid`, `policy.credential.invalid`, with the setting in `at.path`.
 */
export function readIssuedIdentity(settings: Settings): IssuedIdentityConfiguration {
  const read = settingsReader(settings, ['subject', 'sans', 'microsoftSid', 'template', 'keyType', 'keySize']);
  const rsa = (read.one('keyType', ['RSA', 'ECSECPrimeRandom']) ?? 'RSA') === 'RSA';
  const size = read.one('keySize', rsa ? rsaSizes : [256, 384, 521]) ?? (rsa ? 2048 : 256);
  const key: KeySpec = rsa ? { type: 'rsa', bits: size } : { type: 'ec', curve: `P-${size}` as 'P-256' };
  const { subject, sans, microsoftSid, template } = requestOf(read, true, key);
  return { subject, sans, microsoftSid, key, ...(template === undefined ? {} : { template }) };
}
