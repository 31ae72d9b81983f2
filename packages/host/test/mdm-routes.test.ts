// The answers of the device routes that Apple gives a meaning of their own, and the ways in which devices send.
import { decodeDict, encodeBinary, encodeXml } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { device, enrol, messages, world } from './world.ts';

describe('the device routes', () => {
  it('decline a user with 410, and answer 400 to a token service that is not known', async () => {
    const here = await world();
    const mac = await enrol(here, 'M1', { ProductName: 'Mac14,7' });
    const login = { MessageType: 'UserAuthenticate', UDID: 'M1', UserID: 'NET1' };
    expect((await here.fetch('/mdm/checkin', mac.request(login))).status).toBe(410);
    const token = { MessageType: 'GetToken', UDID: 'M1', TokenServiceType: 'com.example.none' };
    expect((await here.fetch('/mdm/checkin', mac.request(token))).status).toBe(400);
  });

  it('carry the whole login of a network user', async () => {
    const here = await world({}, { hooks: { userAuthenticate: 'accept' } });
    const mac = await enrol(here, 'M1', { ProductName: 'Mac14,7' });
    const answer = await here.fetch(
      '/mdm/checkin',
      mac.request({ MessageType: 'UserAuthenticate', UDID: 'M1', UserID: 'N' }),
    );
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/xml']);
    expect(decodeDict(new Uint8Array(await answer.arrayBuffer()))).toEqual({ DigestChallenge: '' });
  });

  it('take binary property lists, keys that nobody knows, and each content type', async () => {
    const here = await world();
    const one = await device('B1', here.ca);
    const send = (path: string, message: Parameters<typeof encodeXml>[0], type?: string, binary = true) => {
      const body = binary ? encodeBinary(message) : encodeXml(message);
      const request = one.request(body);
      const headers = { ...(request.headers as Record<string, string>), ...(type ? { 'content-type': type } : {}) };
      return here.fetch(path, { ...request, headers });
    };
    const authenticate = messages.authenticate('B1', { SomethingNew: { Deep: [1, 2, true] } });
    const checkin = 'application/x-apple-aspen-mdm-checkin';
    for (const [path, type] of [
      ['/mdm/checkin', undefined],
      ['/mdm/checkin', 'text/xml'],
      ['/mdm/connect', `${checkin}; charset=UTF-8`],
      ['/mdm', checkin.toUpperCase()],
      ['/mdm', 'application/xml'],
      ['/mdm', undefined],
    ] as const) {
      for (const binary of [true, false]) {
        const answer = await send(path, authenticate, type, binary);
        expect([path, type, answer.status, await answer.text()]).toEqual([path, type, 200, '']);
      }
    }
    expect((await send('/mdm', messages.tokenUpdate('B1'))).status).toBe(200);
    for (const [path, type] of [
      ['/mdm', 'application/x-apple-aspen-mdm'],
      ['/mdm', undefined],
      ['/mdm/connect', undefined],
      ['/mdm/connect', 'application/x-apple-aspen-mdm; charset=UTF-8'],
    ] as const) {
      const answer = await send(path, messages.idle('B1'), type);
      const { Command } = decodeDict(new Uint8Array(await answer.arrayBuffer()));
      expect(Command).toMatchObject({ RequestType: 'DeviceInformation' });
    }
    expect((await send('/mdm', 'no dictionary')).status).toBe(400);
  });

  it('tell a stranger to unenrol only where that was asked for', async () => {
    for (const unenrolUnknown of [false, true]) {
      const here = await world({ unenrolUnknown });
      const stranger = await device('S1', here.ca);
      const answer = await here.fetch('/mdm/connect', stranger.request(messages.idle('S1')));
      expect(answer.status).toBe(403);
      const body = (await answer.json()) as Record<string, unknown>;
      expect(body['code']).toBe(unenrolUnknown ? 'com.apple.unrecognized.device' : 'core.enrolment.unknown');
      expect(answer.headers.get('content-type')).toMatch(unenrolUnknown ? /^application\/json/ : /problem\+json/);
      // Another device's certificate is no reason to leave.
      await enrol(here, 'D1');
      const other = await here.fetch('/mdm/connect', stranger.request(messages.idle('D1')));
      expect(((await other.json()) as Record<string, unknown>)['code']).toBe('core.enrolment.identity_mismatch');
    }
  });
});
