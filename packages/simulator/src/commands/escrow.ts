// FileVault's personal recovery key, encrypted to the certificate that an installed profile names.
// Keys: Apple's schema, com.apple.security.FDERecoveryKeyEscrow.yaml and information.security.yaml.
import { encryptCms } from '@espalier/pki';
import { decodeDict } from '@espalier/plist';
import { managedOf } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import { type DeviceState, fromBase64 } from '../device/state.ts';

const escrowType = 'com.apple.security.FDERecoveryKeyEscrow';

/** The key as `SecurityInfo` shows it; nothing where no profile asks for it. */
export function escrowedKey(state: DeviceState): { readonly FDE_PersonalRecoveryKeyCMS?: Uint8Array } {
  const profile = state.profiles.find((item) => item.payloads.some(({ type }) => type === escrowType));
  if (profile === undefined) return {};
  const { PayloadContent: contents } = decodeDict(fromBase64(profile.plist));
  const payloads = Array.isArray(contents) ? contents.filter(isDict) : [];
  const named = payloads.find((payload) => payload['PayloadType'] === escrowType)?.['EncryptCertPayloadUUID'];
  const certificate = payloads.find((payload) => payload['PayloadUUID'] === named)?.['PayloadContent'];
  if (named === undefined || !(certificate instanceof Uint8Array)) return {};
  const key = new TextEncoder().encode(managedOf(state).recoveryKey);
  return { FDE_PersonalRecoveryKeyCMS: encryptCms(key, { recipients: [certificate] }) };
}
