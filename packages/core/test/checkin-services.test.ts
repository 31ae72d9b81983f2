// Check-ins that need a decision: re-enrolment, users who log in, tokens, return to service, declarative management.
import { createHash } from 'node:crypto';
import { type DigestResponse, digestHash, verifyDigest } from '@espalier/apple-mdm';
import { decodeDict } from '@espalier/plist';
import { describe, expect, it, vi } from 'vitest';
import { CoreError, type ReenrolmentRequest, type UserAuthenticator } from '../src/index.ts';
import { bench, identity, ScriptedDevice } from './support.ts';

const text = (value: unknown): string => new TextDecoder().decode(value as Uint8Array);
const md5 = (value: string): string => createHash('md5').update(value).digest('hex');

async function events(engine: ReturnType<typeof bench>['engine'], type: Parameters<typeof engine.events.list>[0] = {}) {
  return (await engine.events.list({ order: 'oldest', limit: 1000, ...type })).items;
}

function certificateOf(
  { identity: { fingerprint, certificate } }: ScriptedDevice,
  more: { invitationId?: string } = {},
) {
  return {
    fingerprint,
    certificate,
    serialNumber: fingerprint.slice(0, 8),
    subject: 'CN=again',
    notBefore: 0,
    notAfter: 1,
    invitationId: null,
    authorityKeyId: null,
    enrolmentId: null,
    attestation: null,
    deliveredAt: null,
    credentialId: null,
    deviceId: null,
    ...more,
  };
}

describe('topics', () => {
  it('a device that enrols for the topic of another server is refused, once and typed', async () => {
    const { engine } = bench({ topics: ['com.apple.mgmt.External.ours'] });
    const device = new ScriptedDevice(engine, 'U1');
    for (let i = 0; i < 20; i++) {
      await expect(device.authenticate()).rejects.toMatchObject({
        code: 'core.enrolment.foreign_topic',
        kind: 'forbidden',
      });
    }
    expect(await engine.devices.get('U1')).toBe(null);
    const told = await events(engine, { type: 'enrolment.identity-refused' });
    expect(told).toHaveLength(5);
    expect(told[0]?.data).toMatchObject({ enrolmentId: 'U1', reason: 'foreign-topic' });
  });

  it('a token for another topic is refused, too', async () => {
    const { engine } = bench({ topics: ['com.apple.mgmt.External.test'] });
    const device = new ScriptedDevice(engine, 'U1');
    await device.authenticate();
    await expect(device.tokenUpdate({ Topic: 'com.apple.mgmt.External.other' })).rejects.toMatchObject({
      code: 'core.enrolment.foreign_topic',
    });
    await device.tokenUpdate();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('active');
  });
});

describe('refusals', () => {
  it('are kept, but do not fill the store', async () => {
    const { engine, store, clock } = bench({ options: { refusalsPerHour: 20 } });
    for (let i = 0; i < 100; i++) {
      const stranger = new ScriptedDevice(engine, `X${i}`);
      await expect(stranger.idle()).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
      await engine.protocol.refused({ code: 'host.identity.bad_signature', address: `192.0.2.${i}` });
    }
    const told = await events(engine, { type: 'door.refused' });
    expect(told).toHaveLength(20);
    expect(told[0]).toMatchObject({ enrolmentId: null, data: { code: 'core.enrolment.unknown', enrolmentId: 'X0' } });
    expect(told[1]?.data).toEqual({ code: 'host.identity.bad_signature', address: '192.0.2.0' });
    // An hour later the next one says how many were left out.
    clock.advance(3_600_000);
    await engine.protocol.refused({ code: 'host.identity.missing', address: 'x'.repeat(1000) });
    const last = (await events(engine, { type: 'door.refused' })).at(-1);
    expect(last?.data).toEqual({ code: 'host.identity.missing', address: 'x'.repeat(200), suppressed: 180 });
    await store.close();
    await expect(engine.protocol.refused({ code: 'host.identity.missing' })).resolves.toBe(undefined);
  });
});

describe('re-enrolment', () => {
  async function again(policy: NonNullable<Parameters<typeof bench>[0]>['hooks'], register = false) {
    const made = bench(policy === undefined ? {} : { hooks: policy });
    const device = new ScriptedDevice(made.engine, 'U1');
    await device.enrol();
    device.identity = identity('another');
    if (register) {
      const event = { type: 'certificate.issued', at: 0, enrolmentId: null, data: {} } as const;
      await made.store.certificates.register(certificateOf(device), event);
    }
    return { ...made, device };
  }
  const refused = { code: 'core.enrolment.identity_mismatch', kind: 'forbidden' };

  it('refuses a certificate that this engine did not issue, and changes nothing', async () => {
    const { engine, store, device } = await again(undefined);
    const before = await store.enrolments.get('U1');
    await expect(device.authenticate()).rejects.toMatchObject(refused);
    expect(await store.enrolments.get('U1')).toEqual(before);
    expect(await events(engine, { type: 'enrolment.identity-refused' })).toMatchObject([
      { data: { enrolmentId: 'U1', reason: 'reenrolment' } },
    ]);
  });

  it('refuses one that it issued to whoever came, unless the policy allows that', async () => {
    const { device } = await again(undefined, true);
    await expect(device.authenticate()).rejects.toMatchObject(refused);
  });

  it('takes one that it issued to whoever came when nobody is there to be robbed', async () => {
    const { engine, store, device } = await again(undefined, true);
    await store.push.request({ enrolmentIds: ['U1'], at: 0 });
    const [target] = await store.push.claim({ lease: 'l', at: 0, leaseMs: 1, limit: 1 });
    expect(target?.enrolmentId).toBe('U1');
    const settlements = [{ enrolmentId: 'U1', lease: 'l', outcome: 'token-dead', dueAt: 0 }] as const;
    await store.push.settle({ at: 0, settlements });
    await device.enrol();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('active');
  });

  it.each([
    ['the same serial number', { serialNumber: 'sU1' }, true],
    ['the same UDID', { udid: 'u1' }, true],
    ['another serial number', { serialNumber: 'S2', udid: 'U1' }, false],
    ['another UDID', { udid: 'U2' }, false],
  ])('takes one of an invitation for this device: %s', async (_, binding, taken) => {
    const { engine, store, clock } = bench();
    const first = new ScriptedDevice(engine, 'U1');
    await first.enrol();
    const invitation = await engine.enrolling.invite(binding);
    expect(invitation.binding).toEqual(binding);
    const enter = async (udid: string) => {
      const device = new ScriptedDevice(engine, udid, { SerialNumber: 'SU1' });
      device.identity = identity(`for ${udid}`);
      const entry = certificateOf(device, { invitationId: invitation.id });
      await store.certificates.register(entry, {
        type: 'certificate.issued',
        at: clock.now(),
        enrolmentId: null,
        data: {},
      });
      return device;
    };
    const again = await enter('U1');
    if (taken) {
      await again.enrol();
      expect((await engine.devices.get('U1'))?.enrolment.certificateFingerprint).toBe(again.identity.fingerprint);
    } else {
      await expect(again.authenticate()).rejects.toMatchObject({ code: 'core.enrolment.other_device' });
      expect(await events(engine, { type: 'enrolment.identity-refused' })).toMatchObject([
        { data: { enrolmentId: 'U1', reason: 'other-device' } },
      ]);
    }
  });

  it('a new device is refused, too, with a certificate for another one', async () => {
    const { engine, store } = bench();
    const { id } = await engine.enrolling.invite();
    expect(await engine.enrolling.bind(id, { serialNumber: 'S1' })).toEqual({ serialNumber: 'S1' });
    expect(await engine.enrolling.bind(id, { serialNumber: 's1', udid: 'U1' })).toMatchObject({ udid: 'U1' });
    await expect(engine.enrolling.bind(id, { serialNumber: 'S2' })).rejects.toMatchObject({
      code: 'core.invitation.bound',
    });
    await expect(engine.enrolling.bind('nobody', {})).rejects.toMatchObject({ code: 'core.invitation.unknown' });
    await expect(engine.enrolling.invite({ serialNumber: ' ' })).rejects.toMatchObject({ kind: 'invalid' });
    const device = new ScriptedDevice(engine, 'U9');
    const event = { type: 'certificate.issued', at: 0, enrolmentId: null, data: {} } as const;
    await store.certificates.register(certificateOf(device, { invitationId: id }), event);
    await expect(device.authenticate()).rejects.toMatchObject({ code: 'core.enrolment.other_device' });
    expect(await engine.devices.get('U9')).toBe(null);
  });

  it('takes one that it issued and nobody used under "issued"', async () => {
    const { engine, device } = await again({ reenrolment: 'issued' }, true);
    await device.enrol();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('active');
    expect((await events(engine, { type: 'enrolment.authenticated' })).map(({ data }) => data['again'])).toEqual([
      false,
      true,
    ]);
  });

  it('refuses even that under "refuse", and after CheckOut takes any', async () => {
    const { engine, device } = await again({ reenrolment: 'refuse' }, true);
    await expect(device.authenticate()).rejects.toMatchObject(refused);
    const own = new ScriptedDevice(engine, 'U1');
    await own.checkin({ MessageType: 'CheckOut', Topic: 't' });
    await device.enrol();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('active');
  });

  it('asks a function, with what it needs to decide', async () => {
    const asked: ReenrolmentRequest[] = [];
    const { device } = await again({
      reenrolment: (request) => {
        asked.push(request);
        return asked.length > 1;
      },
    });
    await expect(device.authenticate()).rejects.toMatchObject(refused);
    await device.authenticate();
    expect(asked[0]).toMatchObject({ enrolment: { id: 'U1', status: 'active' }, issued: false });
    expect(asked[0]?.identity).toEqual(device.identity);
  });
});

describe('network users of a Mac', () => {
  const hash = digestHash({ username: 'net1', realm: 'fusion.home', password: 'secret' });
  const directory: UserAuthenticator = {
    begin: ({ userId }) => (userId === 'GUEST' ? 'decline' : userId === 'FREE' ? 'accept' : { realm: 'fusion.home' }),
    verify: (_user, digest: DigestResponse, challenge) => verifyDigest(digest, { hash, ...challenge }),
  };

  async function mac(userAuthenticate?: UserAuthenticator | 'accept' | 'decline') {
    const made = bench(userAuthenticate === undefined ? {} : { hooks: { userAuthenticate } });
    const device = new ScriptedDevice(made.engine, 'M1', { ProductName: 'Mac14,7' });
    await device.enrol();
    const begin = (UserID = 'NET1') => device.checkin({ MessageType: 'UserAuthenticate', UserID });
    /** Answers a challenge as a Mac does: the digest of RFC 2617 without qop. */
    const answer = (challenge: string, password = 'secret', UserID = 'NET1') => {
      const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
      const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? '';
      const response = md5(`${md5(`net1:${realm}:${password}`)}:${nonce}:${md5('PUT:/')}`);
      const DigestResponse = `Digest username="net1",realm="${realm}",nonce="${nonce}", uri="/",response="${response}"`;
      return device.checkin({ MessageType: 'UserAuthenticate', UserID, DigestResponse });
    };
    const challengeFor = async (UserID?: string): Promise<string> =>
      decodeDict((await begin(UserID))!)['DigestChallenge'] as string;
    return { ...made, device, begin, answer, challengeFor };
  }

  it('are declined by default', async () => {
    const { engine, begin } = await mac();
    await expect(begin()).rejects.toMatchObject({ code: 'core.user.declined' });
    expect(await events(engine, { type: 'enrolment.user-refused' })).toMatchObject([
      { enrolmentId: 'M1', data: { userId: 'NET1', method: 'declined' } },
    ]);
  });

  it('are accepted without a password by an empty challenge', async () => {
    const { engine, begin, device } = await mac('accept');
    expect(decodeDict((await begin())!)).toEqual({ DigestChallenge: '' });
    await device.tokenUpdate({ UserID: 'NET1', UserShortName: 'net1' });
    expect((await engine.devices.get('M1:NET1'))?.enrolment.status).toBe('active');
  });

  it('get a token for the right digest, which every later message of theirs needs', async () => {
    const { engine, device, answer, challengeFor } = await mac(directory);
    const { AuthToken } = decodeDict((await answer(await challengeFor()))!);
    expect(AuthToken).toMatch(/^[A-Za-z0-9+/]{27}=$/);
    const user = { UserID: 'NET1', UserShortName: 'net1' };
    const refused = { code: 'core.user.bad_token', kind: 'unauthenticated' };
    await expect(device.tokenUpdate(user)).rejects.toMatchObject(refused);
    await device.tokenUpdate({ ...user, AuthToken: AuthToken as string });
    await expect(device.say('Idle', user)).rejects.toMatchObject(refused);
    await expect(device.say('Idle', { ...user, AuthToken: 'guessed' })).rejects.toMatchObject(refused);
    expect(await device.say('Idle', { ...user, AuthToken: AuthToken as string })).toBeNull();
    // Local users never log in by digest, and the device channel has no token.
    await device.tokenUpdate({ UserID: 'LOCAL' });
    await device.idle();
    expect(await events(engine, { type: 'enrolment.user-authenticated' })).toMatchObject([
      { data: { userId: 'NET1', method: 'digest' } },
    ]);
    // A new login ends the token of the one before.
    await challengeFor();
    expect(await device.say('Idle', user)).toBeNull();
  });

  it('get an empty token for a wrong password, a stale or a used challenge', async () => {
    const { engine, clock, answer, challengeFor } = await mac(directory);
    const empty = { AuthToken: '' };
    expect(decodeDict((await answer(await challengeFor(), 'wrong'))!)).toEqual(empty);
    const challenge = await challengeFor();
    expect(decodeDict((await answer(challenge))!)['AuthToken']).not.toBe('');
    expect(decodeDict((await answer(challenge))!)).toEqual(empty);
    const late = await challengeFor();
    clock.advance(5 * 60_000 + 1);
    expect(decodeDict((await answer(late))!)).toEqual(empty);
    const methods = (await events(engine, { type: 'enrolment.user-refused' })).map(({ data }) => data['method']);
    expect(methods).toEqual(['digest', 'challenge', 'challenge']);
  });

  it('are told apart by their decision', async () => {
    const { begin } = await mac(directory);
    expect(decodeDict((await begin('FREE'))!)).toEqual({ DigestChallenge: '' });
    await expect(begin('GUEST')).rejects.toMatchObject({ code: 'core.user.declined' });
    await expect(begin('x'.repeat(201))).rejects.toMatchObject({ code: 'core.user.bad_id', kind: 'invalid' });
  });

  it('keep no secret in the open', async () => {
    const { store, answer, challengeFor } = await mac(directory);
    const { AuthToken } = decodeDict((await answer(await challengeFor()))!);
    const blob = await store.secrets.get('M1', 'user-token.NET1');
    expect(Buffer.from(blob!).includes(AuthToken as string)).toBe(false);
  });
});

describe('GetToken', () => {
  const message = { MessageType: 'GetToken', TokenServiceType: 'com.apple.maid' };

  it('gives what the hook gives', async () => {
    const getToken = vi.fn().mockResolvedValue('header.claims.signature');
    const { engine } = bench({ hooks: { getToken } });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const parameters = { SecurityToken: 'S', PhoneUDID: 'P', WatchUDID: 'W' };
    const answer = decodeDict((await device.checkin({ ...message, TokenParameters: parameters }))!);
    expect(text(answer['TokenData'])).toBe('header.claims.signature');
    expect(getToken).toHaveBeenCalledWith({
      enrolment: expect.objectContaining({ id: 'U1', kind: 'device' }),
      service: 'com.apple.maid',
      securityToken: 'S',
      phoneUdid: 'P',
      watchUdid: 'W',
    });
    expect(await events(engine, { type: 'enrolment.token-issued' })).toMatchObject([
      { enrolmentId: 'U1', data: { service: 'com.apple.maid' } },
    ]);
  });

  it('refuses a service that is not known, and a stranger', async () => {
    const { engine } = bench({ hooks: { getToken: async () => null } });
    const device = new ScriptedDevice(engine, 'U1');
    await expect(device.checkin(message)).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
    await device.enrol();
    await expect(device.checkin(message)).rejects.toMatchObject({
      code: 'core.checkin.unknown_service',
      kind: 'invalid',
    });
    const bare = new ScriptedDevice(bench().engine, 'U1');
    await bare.enrol();
    await expect(bare.checkin(message)).rejects.toMatchObject({ code: 'core.checkin.unknown_service' });
  });
});

describe('ReturnToService', () => {
  const message = { MessageType: 'ReturnToService' };

  it('is off unless the product says how', async () => {
    const device = new ScriptedDevice(bench().engine, 'U1');
    await device.enrol();
    expect(decodeDict((await device.checkin(message))!)).toEqual({ ReturnToService: { Enabled: false } });
  });

  it('hands over the profiles and the escrowed bootstrap token', async () => {
    const bytes = (value: string) => new TextEncoder().encode(value);
    let preserveApps = true;
    const { engine } = bench({
      hooks: {
        returnToService: async () => ({
          wifiProfile: bytes('wifi'),
          mdmProfile: bytes('mdm'),
          preserveApps,
          retryEnrolment: true,
        }),
      },
    });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: bytes('token') });
    const ask = async () => decodeDict((await device.checkin(message))!)['ReturnToService'] as Record<string, unknown>;
    const answer = await ask();
    expect(answer).toMatchObject({ Enabled: true, ShouldRetryEnrollment: true });
    expect([answer['WiFiProfileData'], answer['MDMProfileData'], answer['BootstrapToken']].map(text)).toEqual([
      'wifi',
      'mdm',
      'token',
    ]);
    preserveApps = false;
    expect(await ask()).not.toHaveProperty('BootstrapToken');
    expect((await events(engine, { type: 'enrolment.return-to-service' })).map(({ data }) => data)).toEqual([
      { enabled: true },
      { enabled: true },
    ]);
  });
});

describe('the hooks around every check-in', () => {
  it('refuse before anything changes, and hear afterwards; a failing listener changes nothing', async () => {
    const heard: string[] = [];
    let closed = true;
    const { engine, store, logs } = bench({
      hooks: {
        before: (message) => {
          if (closed) throw new CoreError('product.closed', 'forbidden', `no ${message.messageType} today`);
        },
        after: (message, id) => {
          heard.push(`${id} ${message.messageType}`);
          throw new Error('listener');
        },
      },
    });
    const device = new ScriptedDevice(engine, 'U1');
    await expect(device.authenticate()).rejects.toMatchObject({ code: 'product.closed' });
    expect(await store.enrolments.get('U1')).toBeNull();
    closed = false;
    await device.enrol();
    expect(heard).toEqual(['U1 Authenticate', 'U1 TokenUpdate']);
    expect(logs.filter(({ level }) => level === 'error')).toHaveLength(2);
  });

  it('answer declarative management', async () => {
    const { engine } = bench({
      hooks: {
        declarativeManagement: async ({ enrolment, message }) => {
          if (message.target.kind === 'status') return null;
          if (message.target.kind === 'unknown') throw new CoreError('product.none', 'not-found', 'none');
          return new TextEncoder().encode(JSON.stringify({ for: enrolment.id, endpoint: message.endpoint }));
        },
      },
    });
    const device = new ScriptedDevice(engine, 'U1');
    const ask = (Endpoint: string) => device.checkin({ MessageType: 'DeclarativeManagement', Endpoint });
    await expect(ask('tokens')).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
    await device.enrol();
    expect(JSON.parse(text(await ask('tokens')))).toEqual({ for: 'U1', endpoint: 'tokens' });
    expect(await ask('status')).toBeNull();
    await expect(ask('else')).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('are not needed for the device to say that Setup Assistant waits', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.authenticate();
    await device.tokenUpdate({ AwaitingConfiguration: true });
    expect((await engine.devices.get('U1'))?.facts['ios.AwaitingConfiguration']).toBe(true);
    await device.tokenUpdate();
    expect((await engine.devices.get('U1'))?.facts['ios.AwaitingConfiguration']).toBe(false);
  });

  it('hear of the bootstrap token as events without the token', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'M1', { ProductName: 'Mac14,7' });
    await device.enrol();
    await device.checkin({ MessageType: 'GetBootstrapToken' });
    await device.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: new Uint8Array([1]) });
    await device.checkin({ MessageType: 'GetBootstrapToken' });
    await device.checkin({ MessageType: 'SetBootstrapToken' });
    const seen = (await events(engine)).filter(({ type }) => type.startsWith('enrolment.bootstrap'));
    expect(seen.map(({ type, data }) => [type, data])).toEqual([
      ['enrolment.bootstrap-token-read', { found: false }],
      ['enrolment.bootstrap-token-stored', {}],
      ['enrolment.bootstrap-token-read', { found: true }],
      ['enrolment.bootstrap-token-removed', {}],
    ]);
  });
});
