// Device actions by the admin API, and what a device hears that was retired.
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { expect, it } from 'vitest';
import { enrol, messages, world } from './world.ts';

it('actions are listed, run on many devices, and refused one by one', async () => {
  const to = await world();
  await enrol(to, 'A1');
  const list = (await (await to.api('GET', '/actions')).json()) as { items: { action: string }[] };
  expect(list.items.find(({ action }) => action === 'wipe')).toEqual({
    action: 'wipe',
    bulk: true,
    destructive: true,
    notifies: 'on',
    statuses: ['Active', 'Lost', 'Retire Pending'],
  });
  const run = async (action: string, parameters: unknown = {}, enrolmentIds = ['A1']) => {
    const answer = await to.api('POST', '/actions', { target: { enrolmentIds }, action, parameters });
    return [answer.status, await answer.json()];
  };
  expect(await run('lost', {}, ['A1', 'nobody'])).toMatchObject([
    202,
    {
      items: [
        { enrolmentId: 'A1', outcome: 'done' },
        { enrolmentId: 'nobody', outcome: 'refused', code: 'core.enrolment.unknown' },
      ],
    },
  ]);
  const device = (await (await to.api('GET', '/devices/A1')).json()) as Record<string, Record<string, unknown>>;
  expect([device['enrolment']?.['phase'], device['facts']?.['common.status']]).toEqual(['lost', 'Lost']);
  expect(await run('hotspot', { enabled: 'yes' })).toMatchObject([400, { path: 'body.parameters.enabled' }]);
  expect(await run('selective-wipe')).toMatchObject([400, { code: 'host.input.invalid' }]);
  const available = (await (await to.api('GET', '/devices/A1/actions')).json()) as {
    items: { action: string; allowed: boolean }[];
  };
  expect(available.items.filter(({ allowed }) => allowed).map(({ action }) => action)).toContain('found');
  expect((await to.api('GET', '/devices/nobody/actions')).status).toBe(404);
});

it('takes images up to what an action may have, and nothing else that is as large', async () => {
  const to = await world();
  const ipad = await enrol(to, 'A1', { ProductName: 'iPad13,1' });
  await to.engine.devices.learn('A1', { 'ios.Supervised': true });
  const png = Buffer.alloc(10_000_000, 0x5a);
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).copy(png);
  const wallpaper = (image: Buffer) =>
    to.api('POST', '/actions', {
      target: { enrolmentIds: ['A1'] },
      action: 'wallpaper',
      parameters: { image: image.toString('base64') },
    });
  const answer = await wallpaper(png);
  expect([answer.status, await answer.json()]).toMatchObject([202, { items: [{ outcome: 'queued' }] }]);
  const more = await wallpaper(Buffer.concat([png, Buffer.alloc(1)]));
  expect([more.status, await more.json()]).toMatchObject([400, { code: 'core.action.bad_parameters' }]);
  expect((await wallpaper(Buffer.concat([png, png]))).status).toBe(413);
  const other = await to.api('POST', '/labels', { name: 'x', description: 'x'.repeat(2_000_000) });
  expect(other.status).toBe(413);
  // The device gets it as it was.
  let got: Uint8Array | null = null;
  for (let message: PlistInput = messages.idle('A1'); got === null; ) {
    const body = new Uint8Array(await (await to.fetch('/mdm/connect', ipad.request(encodeXml(message)))).arrayBuffer());
    const { CommandUUID, Command } = decodeDict(body) as { CommandUUID: string; Command: PlistDict };
    const [item] = (Command['Settings'] ?? []) as PlistDict[];
    if (item?.['Item'] === 'Wallpaper') got = item['Image'] as Uint8Array;
    message = { Status: 'NotNow', UDID: 'A1', CommandUUID };
  }
  expect(Buffer.compare(got, png)).toBe(0);
});

it('a device that was retired by force is told to remove its enrolment', async () => {
  const to = await world();
  const phone = await enrol(to, 'A1');
  await to.api('POST', '/actions', { target: { enrolmentIds: ['A1'] }, action: 'force-retire' });
  const answer = await to.fetch('/mdm/connect', phone.request(encodeXml(messages.idle('A1'))));
  expect([answer.status, await answer.json()]).toMatchObject([403, { code: 'com.apple.unrecognized.device' }]);
});
