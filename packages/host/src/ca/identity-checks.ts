// Checks of an identity certificate's template when the host starts, so that no device finds out.
import {
  type CertificateAuthority,
  type CertificateTemplate,
  checkSanTemplates,
  checkSubjectTemplate,
  checkTemplateKey,
  clientTemplate,
  identityVariables,
  type KeySpec,
  type SanTemplate,
  sidSanTemplate,
  variablesIn,
} from '@espalier/pki';
import { appleSubjectAltName } from '@espalier/policy';
import type { ProfileOptions } from '../enrol/profile.ts';
import { HostError, isEspalierError } from '../errors.ts';
import type { IdentityCertificateOptions, IdentityKey } from './identity-certificate.ts';

const wrong = (path: string, message: string, remedy?: string, cause?: unknown): HostError =>
  new HostError('invalid', 'host.options', `identityCertificate: ${message}`, {
    at: { path: `identityCertificate/${path}` },
    ...(remedy === undefined ? {} : { remedy }),
    ...(cause === undefined ? {} : { cause }),
  });

/** Runs a check of another package; what it refuses is an error about that option. */
function checked<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isEspalierError(error)) throw error;
    const place = error.at?.path;
    const within = place === undefined || place === path ? path : place.startsWith(path) ? place : `${path}/${place}`;
    throw wrong(within, `${error.message} (${error.code})`, error.remedy, error);
  }
}

/** What the checked options come to. */
export interface CheckedIdentityCertificate {
  readonly template?: CertificateTemplate;
  /** The rows of alternative names, that of the security identifier among them where devices ask for it. */
  readonly rows: readonly SanTemplate[];
}

/** @throws HostError `host.options` with the option in `at.path`. */
export function checkIdentityCertificate(
  options: IdentityCertificateOptions,
  ca: CertificateAuthority,
  profile: ProfileOptions,
): CheckedIdentityCertificate {
  const { subject, subjectVariables = 'identity', template: choices } = options;
  const forwards = ca.capabilities?.requestOnly === true;
  if (subject !== undefined) {
    const rules = subjectVariables === 'all' ? {} : { variables: identityVariables };
    checked('subject', () => checkSubjectTemplate(subject, rules));
  }
  const rows = [...(options.sans ?? []), ...(options.microsoftSid && forwards ? [sidSanTemplate] : [])];
  checked('sans', () => checkSanTemplates(rows, { maxRows: forwards ? 4 : 20 }));
  if (forwards) checkAskedNames(rows);
  const template = choices === undefined ? undefined : checked('template', () => clientTemplate(choices));
  if (template !== undefined) checkUsages(template);
  const key = keyOf(options.key, profile);
  if (options.key !== undefined) checkKey(options.key, profile);
  if (template !== undefined) checked('key', () => checkTemplateKey(template, key));
  const kinds = ca.capabilities?.keys;
  if (kinds !== undefined && !kinds.includes(key.type)) {
    throw wrong('key', `the authority certifies ${kinds.join(' and ')} keys only`, 'Have devices make such keys.');
  }
  return { ...(template === undefined ? {} : { template }), rows };
}

/** Names that devices ask for: one of each kind that payloads have, and nothing that would be another one at issue. */
function checkAskedNames(rows: readonly SanTemplate[]): void {
  const names = rows.flatMap(({ type, value }) => (type === 'none' ? [] : [{ type, value }]));
  checked('sans', () => appleSubjectAltName(names));
  for (const [index, { value }] of rows.entries()) {
    const changing = variablesIn(value).find((name) => /^(RANDOM_|TIMESTAMP_)/.test(name));
    if (changing === undefined) continue;
    const remedy = 'Use variables that stay the same; random values fit into the subject.';
    throw wrong(`sans/${index}`, `the authority forwards requests, and $${changing}$ is never twice the same`, remedy);
  }
}

/** By its certificate a device signs its messages and connects. */
function checkUsages({ keyUsage, extendedKeyUsage }: CertificateTemplate): void {
  if (!keyUsage.includes('digitalSignature')) {
    throw wrong('template/usage', 'a device signs its messages with this key', 'Choose signing, or both.');
  }
  if (extendedKeyUsage.length > 0 && !extendedKeyUsage.includes('1.3.6.1.5.5.7.3.2')) {
    const remedy = 'Leave clientAuth on, or all extended usages out.';
    throw wrong('template/clientAuth', 'a certificate for other usages alone would not be let in', remedy);
  }
}

/** The key that devices are told to make. */
function keyOf(key: IdentityKey | undefined, { identity, keySize, acme }: ProfileOptions): KeySpec {
  if (key?.type === 'rsa') return key;
  if (key !== undefined) return { type: 'ec', curve: `P-${key.bits}` };
  return identity === 'acme'
    ? { type: 'ec', curve: `P-${acme?.keySize ?? 384}` }
    : { type: 'rsa', bits: keySize ?? 2048 };
}

function checkKey(key: IdentityKey, { identity = 'scep', keySize, acme }: ProfileOptions): void {
  const given = identity === 'scep' ? keySize : acme?.keySize;
  if (given !== undefined && given !== key.bits) {
    throw wrong('key', `the profile asks for ${given} bits, and this for ${key.bits}`, 'Say it in one place.');
  }
  if (identity === 'scep') {
    if (key.type === 'rsa' && key.bits !== 3072) return;
    const remedy = 'Use RSA of 1024, 2048 or 4096 bits, or get identities by ACME.';
    throw wrong('key', 'by SCEP, devices make RSA keys of 1024, 2048 and 4096 bits only', remedy);
  }
  const bindable = key.type === 'ec' && key.bits !== 521;
  if (!bindable && (acme?.hardwareBound ?? true)) {
    const remedy = 'Set profile.acme.hardwareBound to false, or use EC of 256 or 384 bits.';
    throw wrong('key', 'the Secure Enclave makes EC keys of 256 and 384 bits only', remedy);
  }
}
