// FileVault recovery keys (POL-9) and the Recovery Lock of Macs: set, verified, rotated, kept.
import { isDict } from '@espalier/apple-mdm';
import type { RecipeParameters } from '../api/recipes.ts';
import {
  badParameters,
  type Decision,
  fail,
  type Recipe,
  type RecipeTools,
  send,
  succeed,
  unavailable,
} from './types.ts';

function keysOf({ recoveryKeys }: RecipeTools): NonNullable<RecipeTools['recoveryKeys']> {
  if (recoveryKeys !== null) return recoveryKeys;
  throw unavailable(
    'recovery keys cannot be decrypted',
    'give the engine an escrow identity, whose certificate the Mac encrypts to',
  );
}

/** Decrypts a recovery key and keeps it. */
async function keep(cms: unknown, tools: RecipeTools): Promise<Decision> {
  if (!(cms instanceof Uint8Array))
    return fail('the Mac told no recovery key: is FileVault on, and the escrow profile installed?');
  let key: string;
  try {
    key = keysOf(tools).decrypt(cms);
  } catch (error) {
    // For another certificate, or no recovery key: nothing that a repetition would mend.
    return fail(`the recovery key cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
  }
  await tools.escrow('filevault-key', key);
  return succeed();
}

/** Fetch the FileVault recovery key. */
export const fileVaultEscrow: Recipe<RecipeParameters['filevault-escrow']> = {
  commands: () => ['SecurityInfo', 'RotateFileVaultKey'],
  start(_parameters, tools) {
    keysOf(tools);
    return send('SecurityInfo');
  },
  next({ value }, _parameters, tools) {
    const info = value['SecurityInfo'];
    return keep(isDict(info) ? info['FDE_PersonalRecoveryKeyCMS'] : undefined, tools);
  },
};

/** Make a new FileVault recovery key. */
export const fileVaultRotate: Recipe<RecipeParameters['filevault-rotate']> = {
  commands: () => ['RotateFileVaultKey'],
  async start({ password }, tools) {
    const { certificate } = keysOf(tools);
    const unlock = password ?? (await tools.escrowed('filevault-key'));
    if (!unlock) {
      throw unavailable(
        'neither a password was given nor is a recovery key in escrow',
        'give the password of a FileVault user',
      );
    }
    return send('RotateFileVaultKey', {
      KeyType: 'personal',
      FileVaultUnlock: { Password: unlock },
      ReplyEncryptionCertificate: certificate,
    });
  },
  next({ value }, _parameters, tools) {
    const result = value['RotateResult'];
    return keep(isDict(result) ? result['EncryptedNewRecoveryKey'] : undefined, tools);
  },
};

const verified: Recipe<never>['next'] = ({ value }) =>
  value['PasswordVerified'] === true ? succeed() : fail('the Mac has another Recovery Lock password');

/** Set the Recovery Lock. */
export const recoveryLockSet: Recipe<RecipeParameters['recovery-lock-set']> = {
  commands: () => ['SetRecoveryLock', 'VerifyRecoveryLock'],
  async start({ password, currentPassword }, tools) {
    if (password === '') throw badParameters('an empty password would clear the Recovery Lock', '/password');
    const next = password ?? tools.password(20);
    const current = currentPassword ?? (await tools.escrowed('recovery-lock'));
    return send(
      'SetRecoveryLock',
      { NewPassword: next, ...(current ? { CurrentPassword: current } : {}) },
      { memo: { password: next } },
    );
  },
  async next(outcome, _parameters, tools) {
    if (outcome.requestType === 'VerifyRecoveryLock') return verified(outcome, undefined as never, tools);
    const password = String(tools.memo['password'] ?? '');
    // The Mac has it from now on, whatever the verification says.
    await tools.escrow('recovery-lock', password);
    return send('VerifyRecoveryLock', { Password: password });
  },
};

/** Compare the Recovery Lock with the escrow. */
export const recoveryLockVerify: Recipe<RecipeParameters['recovery-lock-verify']> = {
  commands: () => ['VerifyRecoveryLock'],
  async start(_parameters, { escrowed }) {
    const password = await escrowed('recovery-lock');
    if (password === null) throw unavailable('no Recovery Lock password is in escrow', 'set one first');
    return send('VerifyRecoveryLock', { Password: password });
  },
  next: verified as Recipe<RecipeParameters['recovery-lock-verify']>['next'],
};

/** Clear the Recovery Lock. */
export const recoveryLockClear: Recipe<RecipeParameters['recovery-lock-clear']> = {
  commands: () => ['SetRecoveryLock'],
  async start({ currentPassword }, { escrowed }) {
    const current = currentPassword ?? (await escrowed('recovery-lock'));
    if (!current) throw unavailable('no Recovery Lock password is in escrow', 'give the password in force');
    return send('SetRecoveryLock', { CurrentPassword: current, NewPassword: '' });
  },
  async next(_outcome, _parameters, { escrow }) {
    await escrow('recovery-lock', '');
    return succeed();
  },
};
