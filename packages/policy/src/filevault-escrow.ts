// FileVault escrow (POL-9): the payload that has a Mac hand over its recovery key, by what its system knows.
import { type Issue, payload, validate } from '@espalier/apple-mdm';
import type { CompiledConfiguration, CompilerOptions, PolicyConfiguration } from './compile.ts';
import { checkedPayload } from './credentials/check.ts';
import { buildLinkedProfile, type NamedPayload, named, reference } from './credentials/references.ts';
import { type PolicyDevice, targetOf } from './device.ts';
import { against } from './documents/compile.ts';
import { LATER } from './documents/types.ts';
import { asPayload } from './payload.ts';

/** Settings of a `filevault-escrow` configuration: Apple's own keys. */
export interface FileVaultEscrowSettings {
  /** Where the key goes, shown to the user when FileVault is turned on. Default: the organisation. */
  readonly Location?: string;
  /** Shown to who forgot the password, so that the key is found. Default: the Mac shows its serial number. */
  readonly DeviceKey?: string;
}

const ESCROW = 'com.apple.security.FDERecoveryKeyEscrow';
const REDIRECT = 'com.apple.security.FDERecoveryRedirect';

/** The late source of the address to which a Mac before macOS 10.13 sends its key. */
export const recoveryKeyRedirectSource = 'recovery-key-redirect';

/** Checks the settings; see `validateSettings`. */
export function validateFileVaultEscrow(settings: Readonly<Record<string, unknown>>): Issue[] {
  const reserved = Object.keys(settings).find((key) => key.startsWith('Payload') || key === 'EncryptCertPayloadUUID');
  if (reserved !== undefined) {
    const message = `${reserved} is written by the compiler`;
    const remedy = 'Leave it out of the settings.';
    return [{ path: `/${reserved}`, code: 'key.unknown', severity: 'error', message, remedy }];
  }
  const whole = { Location: 'the organisation', EncryptCertPayloadUUID: 'later', ...settings };
  return validate('payload', asPayload(ESCROW, whole)).map((issue) =>
    issue.code === 'key.unknown' ? { ...issue, severity: 'error' } : issue,
  );
}

/** Compiles checked settings for a device. */
export function compileFileVaultEscrow(
  configuration: PolicyConfiguration,
  device: PolicyDevice,
  options: CompilerOptions,
  identifier: string,
): CompiledConfiguration {
  const no = (reason: string): CompiledConfiguration => ({ applicable: false, reason, dropped: [] });
  const target = targetOf(device);
  if (target === null) return no('the platform of the device is not known yet');
  const certificate = options.recoveryKeyCertificate;
  if (certificate === undefined) return no('this server has no certificate that recovery keys are encrypted to');
  const { organisation } = options;
  const { Location = organisation ?? 'your organisation', DeviceKey } =
    configuration.settings as FileVaultEscrowSettings;
  const EncryptCertPayloadUUID = reference('escrow');
  const escrow = payload(ESCROW, {
    ...{ Location, EncryptCertPayloadUUID },
    ...(DeviceKey === undefined ? {} : { DeviceKey }),
  });
  const redirect = payload(REDIRECT, { RedirectURL: LATER, EncryptCertPayloadUUID });
  const reason = against(escrow, target);
  // Up to macOS 10.12; what a later system knows takes its place as soon as the Mac tells that it has it.
  const early = reason !== undefined && against(redirect, target) === undefined;
  if (reason !== undefined && !early) return no(reason);
  const payloads: NamedPayload[] = [early ? redirect : escrow, named('escrow', escrowCertificate(certificate))];
  const built = buildLinkedProfile({
    ...{ identifier, displayName: configuration.name, payloads },
    ...(configuration.description ? { description: configuration.description } : {}),
    ...(organisation === undefined ? {} : { organisation }),
  });
  const { name: displayName, id, version = 0 } = configuration;
  return {
    applicable: true,
    profile: { identifier: built.identifier, uuid: built.uuid, displayName, bytes: built.bytes },
    verifiable: true,
    // No key is lost by it: the record number takes the place of the DeviceKey there.
    dropped: early && DeviceKey !== undefined ? [{ key: 'DeviceKey', reason: reason ?? '' }] : [],
    implied: [],
    ...(early
      ? { late: [{ payload: 0, source: recoveryKeyRedirectSource, reference: id, revision: String(version) }] }
      : {}),
  };
}

/** Whatever the certificate is, the Mac looks for it in a payload of this type. */
const escrowCertificate = (certificate: Uint8Array): NamedPayload =>
  checkedPayload(
    'com.apple.security.pkcs1',
    { PayloadContent: certificate, PayloadCertificateFileName: 'recovery-key-escrow.cer' },
    { displayName: 'Recovery key escrow' },
  );
