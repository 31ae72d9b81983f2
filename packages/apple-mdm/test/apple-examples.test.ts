// The examples of Apple's articles, retyped: they decode as the articles say. Where a page writes `...`, so does
// the example; `<boolean>true</boolean>` of one page, which is no property list, is `<true/>` here.
import { decodeDict, type PlistDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import {
  accountChallenge,
  authenticationResult,
  bearerOf,
  digestChallenge,
  profileService,
  readCheckin,
  readCommand,
  readDigestResponse,
  readMachineInfo,
  readProfile,
  readResponse,
  resolveEnrolment,
  validate,
} from '../src/index.ts';
import {
  appManifest,
  oauthAuthorization,
  profileService as ota,
  packageManifest,
  simpleFlow,
} from './fixtures/apple/enrolment.ts';
import { plist } from './fixtures/messages.ts';
import { comparesWithPython } from './support/python.ts';

const string = (key: string, value: string): string => `<key>${key}</key><string>${value}</string>`;
const udid = string('UDID', '23EB7CD8-5567-5E97-827F-06E4E4C456B2');

describe('Sending MDM commands to a device', () => {
  it('the result of a command', () => {
    const response = readResponse(
      plist(
        string('UDID', '...') +
          string('CommandUUID', '9F09D114-BCFD-42AD-A974-371AA7D6256E') +
          string('Status', 'Acknowledged'),
      ),
    );
    expect(response).toMatchObject({ status: 'Acknowledged', commandUuid: '9F09D114-BCFD-42AD-A974-371AA7D6256E' });
  });

  it('a command, with the comment that the page has', () => {
    const text = new TextDecoder().decode(
      plist(
        `${string('CommandUUID', '9F09D114-BCFD-42AD-A974-371AA7D6256E')}<key>Command</key><dict>${string('RequestType', '...')}</dict>`,
      ),
    );
    const command = readCommand(
      new TextEncoder().encode(text.replace('<plist', '<!-- PEALISTv1: TextSize:0| -->\n<plist')),
    );
    expect(command).toMatchObject({ commandUuid: '9F09D114-BCFD-42AD-A974-371AA7D6256E', requestType: '...' });
  });
});

describe('Mobile Device Management Protocol Reference', () => {
  it('the Authenticate message', () => {
    const message = readCheckin(
      plist(string('MessageType', 'Authenticate') + string('Topic', '...') + string('UDID', '...')),
    );
    expect(message).toMatchObject({ messageType: 'Authenticate', topic: '...', ids: { udid: '...' } });
  });
});

describe('Enabling network and mobile user logins', () => {
  const userId = '16C0477E-EB2F-4B5E-AAFD-92B2B91C4B16';
  const challenge = 'Digest nonce="8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs",realm="fusion.home"';

  it('the first request, the challenge and the answer to it', () => {
    const first = readCheckin(plist(string('MessageType', 'UserAuthenticate') + udid + string('UserID', userId)));
    expect(first).toMatchObject({ messageType: 'UserAuthenticate', userId, digestResponse: '' });
    const asked = decodeDict(plist(string('DigestChallenge', challenge)))['DigestChallenge'];
    expect(asked).toBe(
      digestChallenge({ nonce: '8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs', realm: 'fusion.home' }),
    );
    const response =
      'Digest username="net1",realm="fusion.home",nonce="8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs", ' +
      'uri="/",response="84db40bbaf5e0d49cabb0ef7d8cac369"';
    const second = readCheckin(
      plist(
        string('DigestResponse', response) +
          string('MessageType', 'UserAuthenticate') +
          udid +
          string('UserID', userId),
      ),
    );
    if (second.messageType !== 'UserAuthenticate') throw new Error('another message');
    expect(readDigestResponse(second.digestResponse)).toMatchObject({
      username: 'net1',
      realm: 'fusion.home',
      uri: '/',
    });
  });

  it('a request of the user who has logged in', () => {
    const response = readResponse(
      plist(
        string('AuthToken', 'uEOcQRJrXGbMJUDAkDZSCny5e90=') +
          string('Status', 'Idle') +
          udid +
          string('UserID', userId) +
          string('UserLongName', 'Net One') +
          string('UserShortName', 'net1'),
      ),
    );
    expect(response).toMatchObject({ status: 'Idle', ids: { userId, userLongName: 'Net One', userShortName: 'net1' } });
    expect(response.value['AuthToken']).toBe('uEOcQRJrXGbMJUDAkDZSCny5e90=');
    expect(resolveEnrolment(response.ids)).toMatchObject({ kind: 'user', channel: 'user' });
  });
});

describe('Managing devices and users in macOS', () => {
  it('a request of a user', () => {
    const response = readResponse(
      plist(
        string('Status', 'Idle') +
          udid +
          string('UserID', 'F17C470A-3ADC-47EC-A7CC-D432867F4793') +
          string('UserLongName', 'Jimmy Smith') +
          string('UserShortName', 'jimmys') +
          '<key>NeedSyncResponse</key><true/>',
      ),
    );
    expect(resolveEnrolment(response.ids)).toEqual({
      id: '23EB7CD8-5567-5E97-827F-06E4E4C456B2:F17C470A-3ADC-47EC-A7CC-D432867F4793',
      channel: 'user',
      kind: 'user',
      parent: '23EB7CD8-5567-5E97-827F-06E4E4C456B2',
    });
    expect(response.value['NeedSyncResponse']).toBe(true);
  });
});

describe('Implementing the simple authentication account-driven enrollment flow', () => {
  it('the enrolment request', () => {
    const read = readMachineInfo(simpleFlow.request);
    expect(read).toMatchObject({ language: 'en-US', product: 'iPhone17,2', build: '19A240' });
    // Apple's example leaves out a key that the schema requires.
    expect(validate('other', read.value, null, { name: 'MachineInfo' })).toMatchObject([
      { code: 'key.missing', path: '/OS_VERSION' },
    ]);
  });

  it('the challenge, the result and the token that comes back', () => {
    const url = 'https://mdmserver.example.com/authenticate';
    expect(accountChallenge({ method: 'apple-as-web', url })).toBe(simpleFlow.challenge);
    expect(authenticationResult('dXNlci1pZGVudGl0eQ')).toBe(simpleFlow.location);
    expect(bearerOf(simpleFlow.authorization)).toBe('dXNlci1pZGVudGl0eQ');
    expect(bearerOf(oauthAuthorization)).toBe('dXNlcm9hdXRo.MjZkNTkzZmMtNzk4MC00OWFkLTllZTAtZTA2NzhmNmVhNzg5');
  });
});

describe('Over-the-Air Profile Delivery and Configuration', () => {
  it('phase 1: the profile service is what ours is', () => {
    const built = decodeDict(
      profileService({
        url: 'https://profileserver.example.com/iphone',
        challenge: 'optional challenge',
        organisation: 'Example Inc.',
        displayName: 'Profile Service',
        description: 'Enter device into the Example Inc encrypted profile service',
        identifier: 'com.example.mobileconfig.profile-service',
        attributes: ['UDID', 'IMEI', 'ICCID', 'VERSION', 'PRODUCT'],
      }),
    );
    const example = decodeDict(ota.phase1);
    expect({ ...built, PayloadUUID: example['PayloadUUID'] }).toEqual(example);
  });

  it('phase 2: the answer is read once it has the product, which ours always asks for', () => {
    expect(() => readMachineInfo(ota.phase2)).toThrow(
      expect.objectContaining({ code: 'mdm.machine_info.missing_key', at: { path: '/PRODUCT' } }),
    );
    const whole = plist(
      string('UDID', '') + string('VERSION', '7A182') + string('CHALLENGE', 'String') + string('PRODUCT', 'iPhone1,2'),
    );
    expect(readMachineInfo(whole)).toMatchObject({ build: '7A182', challenge: 'String', product: 'iPhone1,2' });
    const asked = decodeDict(
      profileService({ url: 'https://x.example', challenge: 'x', organisation: 'x', attributes: ['UDID'] }),
    )['PayloadContent'] as PlistDict;
    expect(asked['DeviceAttributes']).toEqual(['UDID', 'VERSION', 'PRODUCT']);
  });

  it('phase 3: the identity', () => {
    const { payloads } = readProfile(ota.phase3);
    expect(payloads).toMatchObject([{ type: 'com.apple.security.scep', displayName: 'Encryption Identity' }]);
    expect(validate('profile', decodeDict(ota.phase3))).toEqual([]);
  });
});

// Each has a key that Apple's schema does not: a warning.
it.each([
  ['ManifestURL', appManifest, '/items/0/metadata/developer-name'],
  ['Installing packages', packageManifest, '/items/0/assets/0/sha256'],
])('the manifest of %s', (_, bytes, path) => {
  expect(validate('other', decodeDict(bytes), null, { name: 'ManifestURL' })).toMatchObject([
    { severity: 'warning', code: 'key.unknown', path },
  ]);
});

it('all decode to what Python’s plistlib says', (context) => {
  comparesWithPython(context, [simpleFlow.request, ota.phase1, ota.phase2, ota.phase3, appManifest, packageManifest]);
});
