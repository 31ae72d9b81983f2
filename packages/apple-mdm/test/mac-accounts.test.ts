// The accounts of a Mac in Setup Assistant, and the hash of their passwords. Python computes the hash, too.
import { execFileSync } from 'node:child_process';
import { decodeDict } from '@espalier/plist';
import { expect, it } from 'vitest';
import { accountConfiguration, checkCommand, type MacAccounts, macPasswordHash } from '../src/index.ts';

const salt = Uint8Array.from({ length: 32 }, (_, index) => index * 7);
const target = { platform: 'macOS', osVersion: '15.0', enrolment: 'device', channel: 'device', ade: true } as const;

it('the hash is what Python computes, in the form that macOS keeps', async (context) => {
  const hash = decodeDict(await macPasswordHash('correct horse é', { salt, iterations: 1_000 }))[
    'SALTED-SHA512-PBKDF2'
  ];
  const { entropy, ...rest } = hash as { entropy: Uint8Array };
  expect(rest).toEqual({ iterations: 1_000, salt });
  expect(entropy).toHaveLength(128);
  try {
    execFileSync('python3', ['-c', 'import hashlib'], { stdio: 'ignore' });
  } catch {
    expect(process.env['CI']).toBeUndefined();
    console.log('skipped: python3 is not installed');
    return context.skip();
  }
  const script =
    'import hashlib,sys; print(hashlib.pbkdf2_hmac("sha512", sys.argv[1].encode(), bytes.fromhex(sys.argv[2]), 1000, 128).hex())';
  const output = execFileSync('python3', ['-c', script, 'correct horse é', Buffer.from(salt).toString('hex')]);
  expect(Buffer.from(entropy).toString('hex')).toBe(output.toString().trim());
});

it('refuses what makes no hash', async () => {
  for (const [password, options] of [
    ['', { salt }],
    ['x', { salt: new Uint8Array(8) }],
    ['x', { salt, iterations: 0 }],
  ] as const) {
    await expect(macPasswordHash(password, options)).rejects.toMatchObject({ code: 'mdm.command.bad_key' });
  }
});

const passwordHash = Uint8Array.of(1);
const admin = { shortName: 'itadmin', fullName: 'IT', passwordHash, hidden: true };

it.each([
  ['an administrator', { primary: 'administrator' }, {}],
  [
    'a standard user',
    { primary: 'standard', managedAdministrator: admin, fullName: 'Ann', userName: 'ann', locked: true },
    {
      SetPrimarySetupAccountAsRegularUser: true,
      PrimaryAccountFullName: 'Ann',
      PrimaryAccountUserName: 'ann',
      LockPrimaryAccountInfo: true,
      AutoSetupAdminAccounts: [admin],
    },
  ],
  [
    'no account of the user',
    { primary: 'none', managedAdministrator: { shortName: 'itadmin', passwordHash } },
    { SkipPrimarySetupAccountCreation: true, AutoSetupAdminAccounts: [{ shortName: 'itadmin', passwordHash }] },
  ],
] as [string, MacAccounts, object][])('a Mac is set up with %s', (_, accounts, payload) => {
  const made = accountConfiguration(accounts);
  expect(made).toEqual(payload);
  expect(checkCommand('AccountConfiguration', { ...made }, { target })).toEqual([]);
});

it.each([
  ['no administrator', { primary: 'standard' }],
  ['no administrator at all', { primary: 'none' }],
  ['a name with spaces', { primary: 'administrator', managedAdministrator: { ...admin, shortName: 'it admin' } }],
  ['the same name twice', { primary: 'standard', managedAdministrator: admin, userName: 'itadmin' }],
  ['a name for nobody', { primary: 'none', managedAdministrator: admin, userName: 'ann' }],
  ['a lock on nothing', { primary: 'administrator', locked: true, userName: 'ann' }],
] as [string, MacAccounts][])('refuses %s', (_, accounts) => {
  expect(() => accountConfiguration(accounts)).toThrow(expect.objectContaining({ code: 'mdm.command.bad_key' }));
});
