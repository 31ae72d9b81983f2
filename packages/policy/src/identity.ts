// Identity configurations: identities that the engine puts in at delivery, and the payloads that use them.
import { type Issue, payload } from '@espalier/apple-mdm';
import type { CompiledConfiguration, CompilerOptions, DroppedSetting, PolicyConfiguration } from './compile.ts';
import { checkConsumers, consumersFor, isRecord, MOST, type Wrong } from './consumers.ts';
import { buildLinkedProfile, type NamedPayload, named } from './credentials/index.ts';
import { type PolicyDevice, targetOf } from './device.ts';

/** One identity of an identity configuration. */
export interface IdentityUse {
  /** What the payloads call it. */
  readonly name: string;
  /** The id of a credential setting of the engine. */
  readonly credential: string;
  /** `PayloadCertificateFileName` (default `identity.p12`). */
  readonly fileName?: string;
  /** macOS: whether the private key can be exported (default false). */
  readonly keyIsExtractable?: boolean;
  /** macOS: whether all apps may use the private key. */
  readonly allowAllAppsAccess?: boolean;
}

/**
 * Settings of an identity configuration (CERT-21, CERT-35): identities of the engine's credential settings, and payloads
 * with Apple's own keys that use them. Where a payload names an identity it says `$IDENTITY:name$`.
 */
export interface IdentitySettings {
  readonly identities: readonly IdentityUse[];
  /** `{ PayloadType: 'com.apple.wifi.managed', SSID_STR: 'Example', PayloadCertificateUUID: '$IDENTITY:wifi$' }` */
  readonly payloads?: readonly Readonly<Record<string, unknown>>[];
}

/** Stands for the identity while settings are checked; it is put in at delivery. */
const PLACEHOLDER = new Uint8Array([0]);

/** Checks the settings; see `validateSettings`. */
export function validateIdentity(settings: Readonly<Record<string, unknown>>): Issue[] {
  const issues: Issue[] = [];
  const wrong = (path: string, message: string, remedy: string, code: Issue['code'] = 'type.wrong') => {
    issues.push({ path, code, severity: 'error', message, remedy });
  };
  for (const key of Object.keys(settings)) {
    if (key === 'identities' || key === 'payloads') continue;
    wrong(`/${escaped(key)}`, `there is no setting ${key}`, 'Use identities and payloads.', 'key.unknown');
  }
  const names = checkIdentities(settings['identities'], wrong);
  checkConsumers(settings['payloads'] ?? [], { identities: names, certificates: new Set() }, issues, wrong);
  return issues;
}

/** Returns the names. */
function checkIdentities(value: unknown, wrong: Wrong): ReadonlySet<string> {
  const names = new Set<string>();
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST) {
    wrong('/identities', `there are 1 to ${MOST} identities`, 'Name at least one credential setting.');
    return names;
  }
  const kinds: Readonly<Record<string, string>> = {
    name: 'string',
    credential: 'string',
    fileName: 'string',
    keyIsExtractable: 'boolean',
    allowAllAppsAccess: 'boolean',
  };
  for (const [index, given] of value.entries()) {
    const path = `/identities/${index}`;
    if (!isRecord(given)) {
      wrong(path, 'an identity is a dictionary', 'Give a name and the id of a credential setting.');
      continue;
    }
    for (const [key, item] of Object.entries(given)) {
      const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
      const at = `${path}/${escaped(key)}`;
      if (kind === undefined) wrong(at, `there is no key ${key}`, 'Leave it out.', 'key.unknown');
      else if (typeof item !== kind) wrong(at, `${key} is a ${kind}`, `Give a ${kind}.`);
    }
    const { name, credential } = given;
    if (typeof credential !== 'string' || credential === '') {
      wrong(`${path}/credential`, 'it is missing', 'Give the id of a credential setting.', 'key.missing');
    }
    if (typeof name !== 'string' || !/^[\w-]{1,50}$/.test(name)) {
      wrong(`${path}/name`, 'a name has 1 to 50 letters, digits, - and _', 'Give it a name for the payloads.');
    } else if (names.has(name)) wrong(`${path}/name`, `two are called ${name}`, 'Give each a name of its own.');
    else names.add(name);
  }
  return names;
}

/** Compiles checked settings for a device. */
export function compileIdentity(
  configuration: PolicyConfiguration,
  device: PolicyDevice,
  options: CompilerOptions,
  identifier: string,
): CompiledConfiguration {
  const settings = configuration.settings as unknown as IdentitySettings;
  const target = targetOf(device);
  if (target === null) return { applicable: false, reason: 'the platform of the device is not known yet', dropped: [] };
  const dropped: DroppedSetting[] = [];
  const consumers = consumersFor(settings.payloads ?? [], target, dropped);
  if (consumers.length === 0 && (settings.payloads ?? []).length > 0) {
    return { applicable: false, reason: dropped[0]?.reason ?? 'the device takes none of the payloads', dropped };
  }
  const uses = settings.identities.map((use) => ({
    ...use,
    revision: textFact(device, `credential.${use.credential}`),
    missing: textFact(device, `credential.${use.credential}.missing`),
  }));
  const profile = buildLinkedProfile({
    identifier,
    displayName: configuration.name,
    ...(configuration.description ? { description: configuration.description } : {}),
    ...(options.organisation === undefined ? {} : { organisation: options.organisation }),
    payloads: [...uses.map(identityPayload), ...consumers],
  });
  const [lacking] = uses.flatMap(({ revision, missing }) =>
    missing === null && revision !== null ? [] : [missing ?? 'there is no such credential setting'],
  );
  if (lacking !== undefined) {
    const keep = uses.every(({ revision }) => revision !== null) ? { keepUuid: profile.uuid } : {};
    return { applicable: false, reason: lacking, dropped, ...keep };
  }
  return {
    applicable: true,
    profile: {
      identifier: profile.identifier,
      uuid: profile.uuid,
      displayName: configuration.name,
      bytes: profile.bytes,
    },
    verifiable: true,
    late: uses.map(({ credential, revision }, index) => ({
      ...{ payload: index, source: 'credential', reference: credential, revision: revision ?? '' },
    })),
    dropped,
    implied: [],
  };
}

/** The payload without its identity: the revision alone, so that another identity makes another payload. */
function identityPayload(use: IdentityUse & { readonly revision: string | null }): NamedPayload {
  const content = {
    PayloadContent: use.revision === null ? PLACEHOLDER : new TextEncoder().encode(`${use.credential} ${use.revision}`),
    PayloadCertificateFileName: use.fileName ?? 'identity.p12',
    KeyIsExtractable: use.keyIsExtractable ?? false,
    ...(use.allowAllAppsAccess === undefined ? {} : { AllowAllAppsAccess: use.allowAllAppsAccess }),
  };
  return named(use.name, payload('com.apple.security.pkcs12', content, { displayName: use.name }));
}

function textFact({ facts }: PolicyDevice, token: string): string | null {
  const value = facts[token];
  return typeof value === 'string' ? value : null;
}

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
