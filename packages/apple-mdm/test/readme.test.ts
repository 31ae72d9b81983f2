// Every example of the README is run as it stands.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as api from '../src/index.ts';
import { enrolmentProfile, readProfile, validate } from '../src/index.ts';
import { authenticate, deviceInformation, idle, plist, tokenUpdate, udid } from './fixtures/messages.ts';

const folder = new URL('..', import.meta.url);

/** Every example, by the name in the comment `<!-- name -->` before it. */
const examples = [
  ...readFileSync(new URL('README.md', folder), 'utf8').matchAll(/(?:<!-- (\w+) -->\n\n?)?```ts\n([\s\S]*?)```/g),
].map(([, name, code]) => ({ name, code: code! }));

function example(name: string): string {
  return examples.find((one) => one.name === name)!.code;
}

/** Runs a module in a process of its own; gives what it prints. */
function runModule(script: string): string {
  const flags = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning'];
  const args = [...flags, '--input-type=module-typescript', '-e', script];
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
}

const bytes = (body: Uint8Array): string => `Buffer.from('${Buffer.from(body).toString('base64')}', 'base64')`;
const json = (value: unknown): string => bytes(new TextEncoder().encode(JSON.stringify(value)));

test('the protocol core of the README works', () => {
  const answer = plist(
    `<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><string>info-1</string><key>UDID</key><string>${udid}</string>
     <key>QueryResponses</key><dict><key>OSVersion</key><string>18.3</string></dict>`,
  );
  const output = runModule(`${example('core')}
    checkin(${bytes(authenticate)});
    checkin(${bytes(tokenUpdate)});
    const first = connect(${bytes(idle)});
    const second = connect(${bytes(answer)});
    console.log(JSON.stringify([Buffer.from(first!).toString().includes('DeviceInformation'), second, [...devices.values()][0]!.facts]));`);
  expect(JSON.parse(output)).toEqual([
    true,
    null,
    { serial: 'F4GDV3QYN72J', 'common.manufacturer': 'Apple', 'common.os_version': '18.3' },
  ]);
});

/** An identity of the CMS package's own making. */
const identity = `
  const pki = await import('@espalier/pki');
  const { verifyCms, decryptCms, signCms } = pki;
  const ca = await pki.createRootCa({ subject: 'CN=server', key: { type: 'rsa', bits: 2048 }, clock: Date });
  const { certificate, privateKey } = ca;`;

/** What each of the other examples needs, and what is true after it. */
const around: Readonly<Record<string, { readonly before?: string; readonly after: string }>> = {
  commands: {
    before: `const mobileconfig = Buffer.from('x'), commandUuid = 'A'; const body = ${bytes(idle)};`,
    after: `assert.equal(received.requestType, 'InstallProfile'); assert.equal(response.status, 'Idle');
      assert.equal(brandNew.requestType, 'SomethingNew');`,
  },
  response: { before: `const body = ${bytes(deviceInformation)};`, after: 'assert.equal(capacity, 128);' },
  profile: {
    after: `assert.equal(profile.uuid, uuid); assert.equal(profile.payloads[0].type, 'com.apple.mobiledevice.passwordpolicy');`,
  },
  signed: {
    before: `${identity}
      const { value } = buildProfile({ identifier: 'a', displayName: 'A', payloads: [{ type: 't', content: {} }] });
      const { PayloadContent, ...rest } = value;
      const EncryptedPayloadContent = pki.encryptCms(encodeXml(PayloadContent), { recipients: [certificate] });
      const signedAndEncrypted = signCms(encodeXml({ ...rest, IsEncrypted: true, EncryptedPayloadContent }), { certificate, privateKey });`,
    after: `assert.equal(opened.signed && opened.encrypted, true); assert.equal(opened.payloads[0].type, 't');`,
  },
  enrolment: {
    before: `${identity} const challenge = 'c', chain = [];`,
    after: `const read = readProfile(mobileconfig, { openSigned: verifyCms });
      assert.deepEqual(read.payloads.map((one) => one.type).sort(), ['com.apple.mdm', 'com.apple.security.root', 'com.apple.security.scep']);`,
  },
  declaration: { after: 'assert.equal(MinimumLength, 6);' },
  status: {
    before: `const data = ${json({ StatusItems: { device: { 'operating-system': { version: '18.3' } } }, Errors: [] })};`,
    after: `assert.equal(version, '18.3'); assert.deepEqual(printed, ['device.operating-system.version 18.3']);`,
  },
  push: {
    before: `const { startApns } = await import('./test/apns-server.ts');
      const { clientCertificate: certificate, clientKey: privateKey, rootCertificate } = await import('./test/fixtures/apns-pem.ts');
      const server = await startApns();
      const createApnsClient = (options) => api.createApnsClient({ ...options, origin: server.origin, ca: rootCertificate });
      const topic = 't', token = 'ABCD', pushMagic = 'm';`,
    after: `await apns.close(); await server.close(); assert.equal(result.outcome, 'delivered');`,
  },
  types: {
    after: `assert.deepEqual(validate('payload', { PayloadType: 'com.apple.wifi.managed', PayloadVersion: 1,
      PayloadIdentifier: 'a', PayloadUUID: 'b', ...wifi }), []); assert.equal(lock.PIN, '123456');`,
  },
  schema: {
    after: `assert.deepEqual(schema.command('DeviceLock').keys.map((key) => key.key), ['Message', 'PhoneNumber', 'PIN']);
      assert.equal(schema.payload('com.apple.wifi.managed').supportedOS.iOS.introduced, '4.0');
      assert.equal(schema.names('status')[0], 'account.list.caldav');
      assert.deepEqual(schema.find('DeclarativeManagement').map((match) => match.kind), ['command', 'checkin']);`,
  },
  validate: {
    after: `assert.deepEqual(printed, ['warning /NotifyUsers is not in the schema Did you mean NotifyUser?']);`,
  },
  target: {
    after: `assert.deepEqual(target, { platform: 'iOS', osVersion: '17.4', supervised: true, channel: 'user' });`,
  },
};

describe('the examples', () => {
  test('have a name, and a test', () => {
    expect(examples.map((one) => one.name)).toEqual(['core', ...Object.keys(around)]);
  });

  test.each(Object.keys(around))('%s', (name) => {
    const { before = '', after } = around[name]!;
    const used = Object.keys(api).filter((one) => one !== 'default' && !before.includes(`const ${one} =`));
    const imports = example(name).match(/^import .*$/gm) ?? [];
    const code = example(name).replace(/^import .*$/gm, '');
    runModule(`${imports.join('\n')}
      import assert from 'node:assert/strict';
      import { encodeXml } from '@espalier/plist';
      import * as api from '@espalier/apple-mdm';
      const { ${used.join(', ')} } = api;
      const printed = [];
      const console = { log: (...words) => printed.push(words.join(' ')) };
      await (async () => { ${before}
        ${code}
        ${after} })();`);
  });
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
