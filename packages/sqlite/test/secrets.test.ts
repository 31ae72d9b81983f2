// No secret in clear in the database files: plants secrets over the engine and looks for them in every byte.
import { createHash } from 'node:crypto';
import { createEngine, createKeyRing, type DeviceIdentity } from '@espalier/core';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { afterAll, expect, it } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { everyByte, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const text = (value: string) => new TextEncoder().encode(value);
const identity: DeviceIdentity = {
  fingerprint: createHash('sha256').update('x').digest('hex'),
  certificate: text('x'),
  source: 'tls',
};

it('keeps secrets sealed in the files and out of the logs', async () => {
  const store = openSqliteStore(folder.file('secrets.db'), { durability: 'normal' });
  const logs: string[] = [];
  const log = (data: unknown, message: string) => {
    logs.push(
      `${message} ${JSON.stringify(data, (_key, value: unknown) => (value instanceof Error ? `${value.stack}` : value))}`,
    );
  };
  const logger = { debug: log, info: log, warn: log, error: log };
  const keys = createKeyRing({ current: { id: 'k', key: text('PLANTED-master-key-of-32-bytes!!') } });
  const engine = createEngine({ store, keys, logger });
  const checkin = (message: Readonly<Record<string, PlistInput>>) =>
    engine.protocol.checkin(encodeXml({ UDID: 'M1', Topic: 'topic', ...message }), identity);
  const connect = (message: Readonly<Record<string, PlistInput>>) =>
    engine.protocol.connect(encodeXml({ UDID: 'M1', ...message }), identity);

  const invitation = await engine.enrolling.invite({ pinLength: 12 });
  const { challenge } = await engine.enrolling.challenge({ invitationId: invitation.id });
  await checkin({ MessageType: 'Authenticate', ProductName: 'Mac14,7', SerialNumber: 'IN-CLEAR-SERIAL' });
  await checkin({
    MessageType: 'TokenUpdate',
    Token: text('token'),
    PushMagic: 'PLANTED-push-magic',
    UnlockToken: text('PLANTED-unlock-token'),
  });
  await checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: text('PLANTED-bootstrap-token') });
  await engine.devices.lock('M1', { pin: '918273', message: 'PLANTED-lock-message' });
  const profile = text('PLANTED-profile-with-a-wifi-password');
  await engine.commands.enqueue({ enrolmentIds: ['M1'] }, 'InstallProfile', { Payload: profile }, { priority: 200 });
  const asked = await engine.commands.enqueue(
    { enrolmentIds: ['M1'] },
    'ActivationLockBypassCode',
    {},
    { priority: 300 },
  );
  const sent = await connect({ Status: 'Idle' });
  expect(Buffer.from(sent!).toString()).toContain('ActivationLockBypassCode');
  const next = await connect({
    Status: 'Acknowledged',
    CommandUUID: asked.commandUuid,
    ActivationLockBypassCode: 'PLANTED-bypass-code',
  });
  // What the device gets is not sealed, and neither is what an administrator asks for.
  expect(Buffer.from(next!).toString()).toContain(Buffer.from(profile).toString('base64').slice(0, 20));
  const outcome = await engine.commands.get('M1', asked.commandUuid);
  expect(Buffer.from(outcome!.response!).toString()).toContain('PLANTED-bypass-code');
  expect(await engine.devices.lockPin('M1')).toBe('918273');

  const planted = [invitation.pin, invitation.token, challenge, '918273', '<string>918273</string>'];
  const look = (haystack: Buffer) => {
    const names = ['PLANTED', ...planted];
    const forms = names.flatMap((name) => [
      name,
      Buffer.from(name).toString('base64').slice(0, 12),
      Buffer.from(name).toString('hex'),
    ]);
    return forms.filter((form) => haystack.includes(form));
  };
  // While open (the write-ahead log), and after closing (the main file).
  expect(look(everyByte(folder.path))).toEqual([]);
  expect(everyByte(folder.path).includes('IN-CLEAR-SERIAL')).toBe(true);
  await store.close();
  expect(look(everyByte(folder.path))).toEqual([]);
  expect(everyByte(folder.path).includes('IN-CLEAR-SERIAL')).toBe(true);
  expect(look(Buffer.from(logs.join('\n')))).toEqual([]);
});
