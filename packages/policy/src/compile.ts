// Compiles a configuration for one device: settings in, profile out.
import { buildProfile, type PayloadContent, type Target, validate } from '@espalier/apple-mdm';
import { type PolicyDevice, targetOf } from './device.ts';
import { compileDocument } from './documents/compile.ts';
import { type CredentialConfigurationType, credentialConfigurationType } from './documents/types.ts';
import { PolicyError } from './errors.ts';
import { compileFileVaultEscrow } from './filevault-escrow.ts';
import { compileIdentity } from './identity.ts';
import { asPayload, speaksAgainst } from './payload.ts';
import { validateSettings } from './settings.ts';
import { type ConfigurationType, configurationType } from './types.ts';

/** A configuration as the engine keeps it; more fields do no harm. */
export interface PolicyConfiguration {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Goes into `late`, so that nothing of another version is filled in. */
  readonly version?: number;
}

/** A payload that is filled in when a device takes the profile: the engine's `LateValue`. */
export interface LateSetting {
  /** Which payload of the profile, from 0. */
  readonly payload: number;
  /** `scep`, `acme`, `credential` or `recovery-key-redirect`: who fills it in. */
  readonly source: string;
  /** The configuration's id, and its version; for `credential` the credential setting's id, and the identity's revision. */
  readonly reference: string;
  readonly revision: string;
}

/** A setting that the device would not take, and why. */
export interface DroppedSetting {
  readonly key: string;
  readonly reason: string;
}

/** What a configuration is for one device. */
export type CompiledConfiguration =
  | {
      readonly applicable: true;
      readonly profile: {
        readonly identifier: string;
        readonly uuid: string;
        readonly displayName: string;
        /** The profile, XML, unsigned. */
        readonly bytes: Uint8Array;
      };
      /** Whether `ProfileList` shows that it is on the device. */
      readonly verifiable: boolean;
      readonly dropped: readonly DroppedSetting[];
      /** Settings that were added because others imply them. */
      readonly implied: readonly string[];
      /** What is filled in when a device takes the profile: challenges must not wait in a queue (CERT-21). */
      readonly late?: readonly LateSetting[];
    }
  | {
      readonly applicable: false;
      readonly reason: string;
      readonly dropped: readonly DroppedSetting[];
      /** The PayloadUUID that the profile would have: where it is on the device already it may stay. */
      readonly keepUuid?: string;
    };

/** What all profiles of one organisation share. */
export interface CompilerOptions {
  /** Reverse DNS, before the configuration's id (default `org.espalier.configuration`). */
  readonly identifierPrefix?: string;
  /** `PayloadOrganization`. */
  readonly organisation?: string;
  /**
   * To which Macs encrypt their FileVault recovery keys (RSA, DER): that of the engine's `escrowIdentity`. Without it,
   * `filevault-escrow` configurations do not apply.
   */
  readonly recoveryKeyCertificate?: Uint8Array;
}

/**
 * Makes a compiler. The same configuration for the same kind of device gives the same bytes.
 *
 * Settings that the device would refuse or ignore by Apple's schema (platform, OS version, supervision, enrolment) are
 * left out and reported; a configuration of which nothing is left does not apply.
 *
 * @example
 * const compile = createCompiler({ organisation: 'Example Ltd' });
 * compile({ id: 'p1', name: 'Passcode', type: 'passcode', settings: { minLength: 6 } }, device);
 */
export function createCompiler(
  options: CompilerOptions = {},
): (configuration: PolicyConfiguration, device: PolicyDevice) => CompiledConfiguration {
  const prefix = options.identifierPrefix ?? 'org.espalier.configuration';
  return (configuration, device) => {
    const type = checked(configuration);
    if (type.name === 'identity') {
      return compileIdentity(configuration, device, options, `${prefix}.${configuration.id}`);
    }
    if (type.name === 'filevault-escrow') {
      return compileFileVaultEscrow(configuration, device, options, `${prefix}.${configuration.id}`);
    }
    const target = targetOf(device);
    if (target === null)
      return { applicable: false, reason: 'the platform of the device is not known yet', dropped: [] };
    const { organisation } = options;
    const head = {
      identifier: `${prefix}.${configuration.id}`,
      ...(organisation === undefined ? {} : { organisation }),
    };
    if ('build' in type) return compileDocument(type, configuration, target, head);
    const { settings, implied } = complete(type, configuration.settings);
    const fitted = fit(type, settings, target);
    if ('reason' in fitted) return { applicable: false, ...fitted };
    const profile = buildProfile({
      ...head,
      displayName: configuration.name,
      ...(configuration.description ? { description: configuration.description } : {}),
      payloads: [{ type: type.payloadType, content: fitted.content, displayName: type.title }],
    });
    return {
      applicable: true,
      profile: {
        identifier: profile.identifier,
        uuid: profile.uuid,
        displayName: configuration.name,
        bytes: profile.bytes,
      },
      verifiable: type.verifiable,
      dropped: fitted.dropped,
      implied: implied.filter((key) => key in fitted.content),
    };
  };
}

/**
 * Compiles a configuration for one device, with the default identifier prefix: see {@link createCompiler}.
 *
 * @throws PolicyError `policy.type.unknown`, `policy.settings.invalid`
 */
export const compileConfiguration = createCompiler();

/** The type of a configuration whose settings are right. */
function checked(configuration: PolicyConfiguration): ConfigurationType | CredentialConfigurationType {
  const type = credentialConfigurationType(configuration.type) ?? configurationType(configuration.type);
  const wrong = validateSettings(configuration.type, configuration.settings).find(
    (issue) => issue.severity === 'error',
  );
  if (type !== undefined && wrong === undefined) return type;
  throw new PolicyError(
    type === undefined ? 'policy.type.unknown' : 'policy.settings.invalid',
    `configuration '${configuration.name}': ${wrong?.message}`,
    type === undefined ? '/type' : `/settings${wrong?.path === '/' ? '' : wrong?.path}`,
    wrong?.remedy ?? '',
  );
}

/** The settings with those that they imply (SET-12). */
function complete(
  type: ConfigurationType,
  settings: Readonly<Record<string, unknown>>,
): { settings: Record<string, unknown>; implied: string[] } {
  const all: Record<string, unknown> = { ...settings };
  const implied: string[] = [];
  for (const { if: cause, sets } of type.implications) {
    if (!Object.hasOwn(all, cause.key) || all[cause.key] !== cause.is || all[sets.key] === sets.is) continue;
    all[sets.key] = sets.is;
    implied.push(sets.key);
  }
  return { settings: all, implied };
}

/** Leaves out what the target does not take. */
function fit(
  type: ConfigurationType,
  settings: Readonly<Record<string, unknown>>,
  target: Target,
): { content: PayloadContent; dropped: DroppedSetting[] } | { reason: string; dropped: DroppedSetting[] } {
  const content: Record<string, unknown> = { ...settings };
  const dropped: DroppedSetting[] = [];
  for (const issue of validate('payload', asPayload(type.payloadType, settings), target)) {
    if (!speaksAgainst(issue.code)) continue;
    const key = issue.path.split('/', 2)[1]?.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!key || key === 'PayloadType') return { reason: issue.message, dropped };
    if (!Object.hasOwn(content, key)) continue;
    delete content[key];
    dropped.push({ key, reason: issue.message });
  }
  if (Object.keys(content).length === 0) return { reason: 'the device takes none of the settings', dropped };
  return { content: content as PayloadContent, dropped };
}
