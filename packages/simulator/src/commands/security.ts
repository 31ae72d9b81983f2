// Commands for secrets of the device: recovery lock, firmware password, FileVault, activation lock, unlock token.
import { encryptCms, PkiError } from '@espalier/pki';
import { isAppleSilicon } from '../catalogue.ts';
import { managedOf, newRecoveryKey } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import { fromBase64 } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for secrets. */
export const securityHandlers: Handlers = {
  SetRecoveryLock: { run: setRecoveryLock },
  VerifyRecoveryLock: {
    run({ state, payload }) {
      const { Password: password } = payload;
      if (typeof password !== 'string') return malformed;
      if (!isAppleSilicon(state.productName)) return notOnThisMac();
      return acknowledged({ PasswordVerified: managedOf(state).recoveryLock === password });
    },
  },
  SetFirmwarePassword: { run: setFirmwarePassword },
  VerifyFirmwarePassword: {
    run({ state, payload }) {
      const { Password: password } = payload;
      if (typeof password !== 'string') return malformed;
      if (isAppleSilicon(state.productName)) return notOnThisMac();
      const verified = managedOf(state).firmwarePassword === password;
      return acknowledged({ VerifyFirmwarePassword: { PasswordVerified: verified } });
    },
  },
  RotateFileVaultKey: { run: rotateKey },
  ActivationLockBypassCode: {
    run({ state }) {
      const { activationLockBypassCode: code } = managedOf(state);
      return code === null
        ? failed(mdmDomain, 12010, 'There is no bypass code for Activation Lock.')
        : acknowledged({ ActivationLockBypassCode: code });
    },
  },
  ClearActivationLockBypassCode: {
    run({ state }) {
      managedOf(state).activationLockBypassCode = null;
      return acknowledged();
    },
  },
  ClearRestrictionsPassword: { run: () => acknowledged() },
  RequestUnlockToken: { run: ({ state }) => acknowledged({ UnlockToken: fromBase64(state.unlockToken) }) },
};

function notOnThisMac(): CommandResult {
  return failed(mdmDomain, 12021, 'The processor of this Mac does not have it.');
}

/** An empty password takes the lock away; whoever changes it must know it. */
function setRecoveryLock({ state, payload }: CommandContext): CommandResult {
  const { CurrentPassword: current, NewPassword: password } = payload;
  if (typeof password !== 'string') return malformed;
  if (!isAppleSilicon(state.productName)) return notOnThisMac();
  const managed = managedOf(state);
  if (managed.recoveryLock !== null && managed.recoveryLock !== current) {
    return failed(mdmDomain, 12007, 'The current password of the recovery lock is another one.');
  }
  managed.recoveryLock = password === '' ? null : password;
  return acknowledged();
}

function setFirmwarePassword({ state, payload }: CommandContext): CommandResult {
  const { CurrentPassword: current, NewPassword: password } = payload;
  if (typeof password !== 'string') return malformed;
  if (isAppleSilicon(state.productName)) return notOnThisMac();
  const managed = managedOf(state);
  const changed = managed.firmwarePassword === null || managed.firmwarePassword === current;
  if (changed) managed.firmwarePassword = password === '' ? null : password;
  return acknowledged({ SetFirmwarePassword: { PasswordChanged: changed } });
}

/** The volumes are APFS: there are personal keys only, and a user's password or the key itself unlocks. */
function rotateKey({ state, payload }: CommandContext): CommandResult {
  const { KeyType: type, FileVaultUnlock: unlock, ReplyEncryptionCertificate: certificate } = payload;
  if (!isDict(unlock) || (type !== 'personal' && type !== 'institutional')) return malformed;
  if (!state.fileVault) return failed(mdmDomain, 12010, 'FileVault is off.');
  if (type === 'institutional') return failed(mdmDomain, 12010, 'The volume takes no institutional key.');
  const { Password: password } = unlock;
  if (typeof password !== 'string') return malformed;
  const managed = managedOf(state);
  if (password !== managed.recoveryKey && password !== state.passcode) {
    return failed(mdmDomain, 12007, 'The password does not unlock the volume.');
  }
  const next = newRecoveryKey(state, managed.recoveryKey);
  let keys = {};
  if (certificate !== undefined) {
    if (!(certificate instanceof Uint8Array)) return malformed;
    try {
      const encrypted = encryptCms(new TextEncoder().encode(next), { recipients: [certificate] });
      keys = { RotateResult: { EncryptedNewRecoveryKey: encrypted } };
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      return failed('MCCertificateErrorDomain', 9005, error.message);
    }
  }
  managed.recoveryKey = next;
  return acknowledged(keys);
}
