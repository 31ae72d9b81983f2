// The README's example is run as it stands.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { enrolmentProfile, readProfile, validate } from '../src/index.ts';
import { authenticate, plist, tokenUpdate, udid } from './fixtures/messages.ts';

const folder = new URL('..', import.meta.url);

/** The code block after the comment `<!-- name -->`. */
function example(name: string): string {
  const readme = readFileSync(new URL('README.md', folder), 'utf8');
  const match = new RegExp(`<!-- ${name} -->\n\`\`\`ts\n([\\s\\S]*?)\`\`\``).exec(readme);
  return match![1]!;
}

test('the protocol core of the README works', () => {
  const answer = plist(
    `<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><string>info-1</string><key>UDID</key><string>${udid}</string>
     <key>QueryResponses</key><dict><key>OSVersion</key><string>18.3</string></dict>`,
  );
  const idle = plist(`<key>Status</key><string>Idle</string><key>UDID</key><string>${udid}</string>`);
  const bytes = (body: Uint8Array): string => `Buffer.from('${Buffer.from(body).toString('base64')}', 'base64')`;
  const script = `${example('core')}
    checkin(${bytes(authenticate)});
    checkin(${bytes(tokenUpdate)});
    const first = connect(${bytes(idle)});
    const second = connect(${bytes(answer)});
    console.log(JSON.stringify([Buffer.from(first!).toString().includes('DeviceInformation'), second, [...devices.values()][0]!.facts]));`;
  const output = execFileSync(
    process.execPath,
    [
      '--conditions=espalier-source',
      '--input-type=module-typescript',
      '--disable-warning=ExperimentalWarning',
      '-e',
      script,
    ],
    { cwd: folder, encoding: 'utf8' },
  );
  expect(JSON.parse(output)).toEqual([
    true,
    null,
    { serial: 'F4GDV3QYN72J', 'common.manufacturer': 'Apple', 'common.os_version': '18.3' },
  ]);
});

test('the enrolment profile is one that the schema has nothing against', () => {
  const { value } = readProfile(
    enrolmentProfile({
      organisation: 'Example',
      serverUrl: 'https://mdm.example.com/connect',
      checkInUrl: 'https://mdm.example.com/checkin',
      topic: 'com.apple.mgmt.External.x',
      identity: { url: 'https://mdm.example.com/scep', challenge: 'c', subject: [['CN', 'device']] },
      rootCertificates: [Uint8Array.from([1])],
    }),
  );
  for (const platform of ['iOS', 'macOS', 'tvOS'] as const) {
    expect(validate('profile', value, { platform, osVersion: platform === 'macOS' ? '15.3' : '18.3' })).toEqual([]);
  }
});
