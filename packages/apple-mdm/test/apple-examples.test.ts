// The examples of Apple's documentation pages, retyped: they decode as the pages say. Where a page writes `...`, so does
// the example; `<boolean>true</boolean>` of one page, which is no property list, is `<true/>` here.
import { decodeDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import {
  digestChallenge,
  readCheckin,
  readCommand,
  readDigestResponse,
  readMachineInfo,
  readResponse,
  resolveEnrolment,
} from '../src/index.ts';
import { plist } from './fixtures/messages.ts';

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
    const read = readMachineInfo(
      plist(string('LANGUAGE', 'en-US') + string('PRODUCT', 'iPhone10,2') + string('VERSION', '19A240')),
    );
    expect(read).toMatchObject({ language: 'en-US', product: 'iPhone10,2', build: '19A240' });
  });
});
