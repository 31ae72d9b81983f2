// `espalier explain`: what it prints, that it fits the terminal, and what it says about names that are not there.
import { schema, schemaKinds } from '@espalier/apple-mdm';
import { describe, expect, test } from 'vitest';
import { espalier } from './io.ts';

async function explain(...args: string[]): Promise<string> {
  const { code, out } = await espalier(['explain', ...args]);
  expect(code).toBe(0);
  return out;
}

describe('pages', () => {
  test.each([
    ['DeviceInformation', '--target', 'macos:15.0,supervised'],
    ['com.apple.wifi.managed'],
    ['DeviceLock'],
    ['TokenUpdate', '--target', 'ios:17.4,user-enrolment'],
    ['com.apple.configuration.passcode.settings'],
    ['passcode.is-present'],
    ['com.apple.well-known.failed'],
    ['com.apple.TCC.configuration-profile-policy', '--target', 'macos:15.0'],
  ])('%s %s %s', async (...args) => {
    await expect(`${await explain(...args.filter((arg) => arg !== undefined))}\n`).toMatchFileSnapshot(
      `fixtures/explain/${args.join(' ').replace(/[^\w.-]+/g, '_')}.txt`,
    );
  });

  test('every page of the catalogue fits 80 columns, with and without a target', { timeout: 60_000 }, async () => {
    for (const kind of schemaKinds) {
      for (const name of schema.names(kind)) {
        for (const target of [[], ['--target', 'ios:17.4,unsupervised,user-enrolment,user-channel']]) {
          const out = await explain(name, ...target);
          for (const line of out.split('\n')) {
            // A key's name is not cut: the few that are longer than a line have one to themselves.
            expect(line.length <= 80 || /^ *\S+$/.test(line), `${name}: ${line}`).toBe(true);
            expect(line, name).not.toMatch(/\s$|undefined|\[object/);
          }
        }
      }
    }
  });

  test('a wider terminal is used', async () => {
    const { out } = await espalier(['explain', 'com.apple.wifi.managed'], {}, { columns: 140 });
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeGreaterThan(80);
  });
});

describe('names', () => {
  test('com.apple. and the declaration prefixes may be left out; case does not matter', async () => {
    expect(await explain('wifi.managed')).toBe(await explain('com.apple.wifi.managed'));
    expect(await explain('passcode.settings')).toContain('com.apple.configuration.passcode.settings');
    expect(await explain('devicelock')).toBe(await explain('DeviceLock'));
  });

  test('a name of several things shows all of them', async () => {
    const out = await explain('DeclarativeManagement');
    expect(out).toContain('MDM command');
    expect(out).toContain('check-in message');
    expect((await explain('com.apple.MCX')).match(/^com\.apple\.MCX$/gm)).toHaveLength(6);
  });

  test('a key tells where it is', async () => {
    expect(await explain('SSID_STR')).toBe('SSID_STR is a key of\n  com.apple.wifi.managed (profile payload)');
  });

  test('what is not there is exit 1 with suggestions', async () => {
    const { code, out, err } = await espalier(['explain', 'DevceLock']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe("espalier explain: the schema has nothing named 'DevceLock'\nDid you mean\n  DeviceLock");
    expect((await espalier(['explain', '__proto__'])).code).toBe(1);
    // Also when what may be left out is.
    expect((await espalier(['explain', 'wifi.manged'])).err).toContain('Did you mean\n  com.apple.wifi.managed');
    expect((await espalier(['explain', 'zzzzzzzzzz'])).err).not.toContain('Did you mean');
  });
});

describe('--target', () => {
  test('says whether the whole is available, and what of it is not', async () => {
    expect(await explain('EraseDevice', '--target', 'ios:17.4,user-enrolment')).toContain(
      'For ios:17.4,user-enrolment: is not allowed with User Enrolment.',
    );
    const out = await explain('DeviceLock', '--target', 'ios:17.4');
    expect(out).toContain('For ios:17.4: available.');
    expect(out).toMatch(/Not for ios:17.4\n {2}is not available on iOS\n {4}PIN/);
  });
});

describe('--json', () => {
  test('gives the facts', async () => {
    const [result] = JSON.parse(await explain('DeviceLock', '--json', '--target', 'ios:17.4'));
    expect(result).toMatchObject({
      name: 'DeviceLock',
      matches: [
        {
          kind: 'command',
          file: 'mdm/commands/device.lock.yaml',
          objections: [],
          unavailable: [{ key: 'PIN', objections: [{ code: 'target.platform' }] }],
        },
      ],
    });
  });

  test('and suggestions, or where a key is', async () => {
    const { code, out } = await espalier(['explain', 'DevceLock', 'SSID_STR', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual([
      { name: 'DevceLock', matches: [], suggestions: ['DeviceLock'] },
      {
        name: 'SSID_STR',
        matches: [],
        keyOf: [{ kind: 'profile', id: 'com.apple.wifi.managed', file: 'mdm/profiles/com.apple.wifi.managed.yaml' }],
      },
    ]);
  });
});
