// Taking over enrolments: what nano2nano and llorne send, and the devices that come afterwards.

import { readCertificate } from '@espalier/pki';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { device, messages, TOPIC, type World, world } from './world.ts';

/** As those tools send it: a PUT with the key as the password of `nanomdm`. */
async function put(to: World, message: PlistInput, query = '', authorization?: string) {
  const response = await to.fetch(`/api/v1/migration${query}`, {
    method: 'PUT',
    headers: { authorization: authorization ?? `Basic ${btoa(`nanomdm:${to.adminToken}`)}` },
    body: encodeXml(message) as Uint8Array<ArrayBuffer>,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const fingerprintOf = (certificate: Uint8Array): string => readCertificate(certificate).fingerprintSha256;

/** llorne (micro2nano) writes these keys, and no others. */
const llorne = {
  authenticate: (udid: string): PlistInput => ({
    MessageType: 'Authenticate',
    UDID: udid,
    Topic: TOPIC,
    BuildVersion: '22D63',
    DeviceName: 'Old friend',
    Model: 'MM1A3',
    ModelName: 'iPhone',
    OSVersion: '18.3',
    ProductName: 'iPhone15,2',
    SerialNumber: 'C02OLD',
  }),
  tokenUpdate: (udid: string, extra: Record<string, PlistInput> = {}): PlistInput => ({
    MessageType: 'TokenUpdate',
    UDID: udid,
    PushMagic: 'old-magic',
    Topic: TOPIC,
    Token: new Uint8Array(32).fill(9),
    ...extra,
  }),
};

describe('the migration', () => {
  it('imports a device that then goes on as if it had always been here', async () => {
    const pushed: { token: Uint8Array; pushMagic: string }[] = [];
    const to = await world(
      {},
      {
        push: {
          push: async (target) => {
            pushed.push(target);
            return { outcome: 'delivered' };
          },
        },
      },
    );
    const phone = await device('OLD-1', to.ca);
    const sha256 = fingerprintOf(phone.certificate).toUpperCase();
    const told = await to.api('POST', '/migration/certificates', { items: [{ id: 'OLD-1', sha256 }] });
    expect([told.status, await told.json()]).toEqual([200, { count: 1 }]);
    const unlock = { UnlockToken: new TextEncoder().encode('unlock') };
    expect(await put(to, llorne.authenticate('OLD-1'))).toEqual({
      status: 200,
      body: { enrolmentId: 'OLD-1', messageType: 'Authenticate', outcome: 'imported' },
    });
    expect(await put(to, llorne.tokenUpdate('OLD-1', unlock))).toMatchObject({
      status: 200,
      body: { outcome: 'imported' },
    });
    expect((await to.engine.devices.get('OLD-1'))?.enrolment).toMatchObject({
      status: 'active',
      serialNumber: 'C02OLD',
      topic: TOPIC,
      certificateFingerprint: sha256.toLowerCase(),
      pushable: true,
    });
    expect((await to.engine.events.list({ type: 'enrolment.authenticated' })).items).toMatchObject([
      { data: { source: 'migration' } },
    ]);
    // It is woken with the token that it gave the other server, and comes with its old certificate.
    await to.engine.tick();
    expect(pushed).toMatchObject([{ token: new Uint8Array(32).fill(9), pushMagic: 'old-magic' }]);
    const answer = await to.fetch('/mdm/connect', phone.request(messages.idle('OLD-1')));
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('DeviceInformation')]);
    // Nobody else gets in for it.
    const thief = await device('OLD-1', to.ca);
    expect((await to.fetch('/mdm/connect', thief.request(messages.idle('OLD-1')))).status).toBe(403);
  });

  it('changes nothing when it is repeated, nor what the device itself has told since', async () => {
    const to = await world();
    const phone = await device('OLD-1', to.ca);
    const query = `?sha256=${fingerprintOf(phone.certificate)}`;
    for (const message of [llorne.authenticate('OLD-1'), llorne.tokenUpdate('OLD-1')]) {
      expect(await put(to, message, query)).toMatchObject({ status: 200, body: { outcome: 'imported' } });
    }
    await to.fetch(
      '/mdm/checkin',
      phone.request({ ...(llorne.tokenUpdate('OLD-1') as object), PushMagic: 'new-magic' }),
    );
    await to.engine.commands.enqueue({ enrolmentIds: ['OLD-1'] }, 'RestartDevice', {});
    const events = async () => (await to.engine.events.list({ limit: 1000 })).items.length;
    const before = [await to.engine.devices.get('OLD-1'), await to.engine.commands.history('OLD-1'), await events()];
    for (const message of [llorne.authenticate('OLD-1'), llorne.tokenUpdate('OLD-1')]) {
      expect(await put(to, message, query)).toMatchObject({ status: 200, body: { outcome: 'present' } });
      // The pin is known by now.
      expect(await put(to, message)).toMatchObject({ status: 200, body: { outcome: 'present' } });
    }
    const after = [await to.engine.devices.get('OLD-1'), await to.engine.commands.history('OLD-1'), await events()];
    expect(after).toEqual(before);
    expect(await put(to, llorne.authenticate('OLD-1'), `?sha256=${'ab'.repeat(32)}`)).toMatchObject({
      status: 409,
      body: { code: 'core.migration.other_certificate' },
    });
  });

  it('imports user channels, User Enrolments and bootstrap tokens', async () => {
    const to = await world();
    const mac = await device('MAC-1', to.ca);
    const query = `?sha256=${fingerprintOf(mac.certificate)}`;
    const user = { UserID: 'USER-1', UserShortName: 'jo', UserLongName: 'Jo' };
    const early = await put(to, llorne.tokenUpdate('MAC-1', user), query);
    expect(early).toMatchObject({ status: 403, body: { code: 'core.enrolment.unknown' } });
    await put(to, llorne.authenticate('MAC-1'), query);
    await put(to, llorne.tokenUpdate('MAC-1'), query);
    // The device's pin is the user's as well.
    expect(await put(to, llorne.tokenUpdate('MAC-1', user))).toMatchObject({
      status: 200,
      body: { enrolmentId: 'MAC-1:USER-1', outcome: 'imported' },
    });
    const token = new TextEncoder().encode('bootstrap');
    const message = { MessageType: 'SetBootstrapToken', UDID: 'MAC-1', BootstrapToken: token };
    expect(await put(to, message)).toMatchObject({ body: { outcome: 'imported' } });
    expect(await put(to, message)).toMatchObject({ body: { outcome: 'present' } });
    const answer = await to.fetch('/mdm/checkin', mac.request({ MessageType: 'GetBootstrapToken', UDID: 'MAC-1' }));
    expect(await answer.text()).toContain(btoa('bootstrap'));
    const own = { EnrollmentID: 'E-1', Topic: TOPIC };
    const other = `?sha256=${'cd'.repeat(32)}`;
    await put(to, { MessageType: 'Authenticate', ...own, Model: 'iPhone' }, other);
    const update = { MessageType: 'TokenUpdate', ...own, PushMagic: 'm', Token: new Uint8Array(32) };
    expect(await put(to, update, other)).toMatchObject({ status: 200, body: { enrolmentId: 'E-1' } });
    expect((await to.engine.devices.get('E-1'))?.enrolment.kind).toBe('user-enrolment-device');
  });

  it('is for administrators, for these messages, and for known certificates', async () => {
    const to = await world();
    const message = llorne.authenticate('OLD-1');
    for (const wrong of ['', 'Basic', `Basic ${btoa('nanomdm:wrong')}`, 'Bearer wrong']) {
      expect(await put(to, message, '', wrong)).toMatchObject({ status: 401 });
    }
    expect(await put(to, message, `?sha256=${'ab'.repeat(32)}`, `Bearer ${to.adminToken}`)).toMatchObject({
      status: 200,
    });
    const cases: [PlistInput, string, string][] = [
      [llorne.authenticate('OLD-2'), '', 'core.migration.certificate'],
      [llorne.authenticate('OLD-2'), '?sha256=abc', 'core.migration.fingerprint'],
      [llorne.authenticate('OLD-2'), '?sha256=a&sha256=b', 'host.input.invalid'],
      [{ MessageType: 'CheckOut', UDID: 'OLD-1', Topic: TOPIC }, '', 'core.migration.message'],
      [{ UDID: 'OLD-1' }, '', 'mdm.checkin.missing_key'],
    ];
    for (const [body, query, code] of cases) {
      expect(await put(to, body, query), code).toMatchObject({ status: 400, body: { code } });
    }
    // The certificate of one device is not pinned to another.
    expect(await put(to, llorne.authenticate('OLD-3'), `?sha256=${'ab'.repeat(32)}`)).toMatchObject({ status: 403 });
    const bad = await to.api('POST', '/migration/certificates', {
      items: [
        { id: 'X', sha256: 'ab'.repeat(32) },
        { id: 'Y', sha256: 'no' },
      ],
    });
    expect(bad.status).toBe(400);
    expect(await put(to, llorne.authenticate('X'))).toMatchObject({
      status: 400,
      body: { code: 'core.migration.certificate' },
    });
  });
});
