// Recipes and escrow by the admin API.

import { readCommand } from '@espalier/apple-mdm';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { expect, it } from 'vitest';
import { type Device, enrol, messages, type World, world } from './world.ts';

/** Answers commands until there is none. */
async function session(
  to: World,
  device: Device,
  answers: Record<string, Record<string, PlistInput>>,
): Promise<string[]> {
  const seen: string[] = [];
  let body = encodeXml(messages.idle(device.udid));
  for (;;) {
    const bytes = new Uint8Array(await (await to.fetch('/mdm/connect', device.request(body))).arrayBuffer());
    if (bytes.length === 0) return seen;
    const { requestType, commandUuid } = readCommand(bytes);
    seen.push(requestType);
    body = encodeXml({ Status: 'Acknowledged', UDID: device.udid, CommandUUID: commandUuid, ...answers[requestType] });
  }
}

const json = async (answer: Response): Promise<unknown> => (answer.status === 204 ? null : answer.json());

it('recipes start, are listed, withdrawn, and refused with a reason', async () => {
  const to = await world();
  const phone = await enrol(to, 'A1');
  await session(to, phone, { DeviceInformation: { QueryResponses: { IsSupervised: true } } });
  const start = (recipe: string, body: unknown = {}, id = 'A1') =>
    to.api('POST', `/devices/${id}/recipes/${recipe}`, body);
  const started = await start('lost-mode-on', { message: 'Call', locate: true });
  expect([started.status, await json(started)]).toMatchObject([
    202,
    { status: 'running', step: { requestType: 'EnableLostMode' } },
  ]);
  expect((await start('lost-mode-on', { message: 'Call' })).status).toBe(409);
  await session(to, phone, { DeviceLocation: { Latitude: 1.5, Longitude: 2.5 } });
  const list = await json(await to.api('GET', '/devices/A1/recipes'));
  expect(list).toMatchObject({
    items: [{ recipe: 'lost-mode-on', status: 'succeeded', result: { location: { latitude: 1.5 } } }],
  });
  const reads = async () => (await to.engine.events.list({ type: 'location.read' })).items;
  expect(await reads()).toMatchObject([{ enrolmentId: 'A1', data: { actor: expect.stringMatching(/^token:./) } }]);
  expect(await json(await to.api('GET', '/devices/A1/location'))).toEqual({
    location: { latitude: 1.5, longitude: 2.5 },
  });
  const located = (await to.engine.recipes.get('A1', 'lost-mode-on'))!.step!.commandUuid;
  await to.api('GET', `/devices/A1/commands/${located}`);
  expect(await reads()).toMatchObject([{ data: { commandUuid: located } }, {}, {}]);
  expect((await to.api('GET', '/devices/A2/location')).status).toBe(404);
  expect((await to.api('DELETE', '/devices/A1/recipes/lost-mode-on')).status).toBe(404);
  await start('lost-mode-off');
  expect((await to.api('DELETE', '/devices/A1/recipes/lost-mode-off')).status).toBe(204);
  expect(await json(await start('lost-mode-on', { mesage: 'x' }))).toMatchObject({
    status: 400,
    code: 'host.input.invalid',
  });
  expect(await json(await start('recovery-lock-set'))).toMatchObject({ status: 409, code: 'core.command.unsupported' });
  expect((await start('no-such-recipe')).status).toBe(400);
  expect((await start('lost-mode-off', {}, 'nobody')).status).toBe(404);
  expect((await to.api('GET', '/devices/nobody/recipes')).status).toBe(404);
  const release = { commands: [{ requestType: 'InstallProfile', payload: { Payload: 'AQI=' } }] };
  await start('release-awaiting', release);
  expect(await session(to, phone, {})).toEqual(['InstallProfile', 'DeviceConfigured']);
});

it('escrow is read by who may, and each reading is an event', async () => {
  const to = await world();
  await enrol(to, 'M1', { ProductName: 'Mac14,7' });
  await to.engine.escrow.store('M1', 'recovery-lock', 'sesame');
  expect((await to.fetch('/api/v1/devices/M1/escrow/recovery-lock')).status).toBe(401);
  const answer = await to.api('GET', '/devices/M1/escrow/recovery-lock');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(await json(answer)).toMatchObject({ items: [{ value: 'sesame' }] });
  expect((await to.engine.events.list({ type: 'escrow.read' })).items).toHaveLength(1);
  expect((await to.api('GET', '/devices/nobody/escrow/recovery-lock')).status).toBe(404);
});
