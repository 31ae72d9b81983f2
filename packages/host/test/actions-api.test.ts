// Device actions by the admin API, and what a device hears that was retired.
import { encodeXml } from '@espalier/plist';
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

it('a device that was retired by force is told to remove its enrolment', async () => {
  const to = await world();
  const phone = await enrol(to, 'A1');
  await to.api('POST', '/actions', { target: { enrolmentIds: ['A1'] }, action: 'force-retire' });
  const answer = await to.fetch('/mdm/connect', phone.request(encodeXml(messages.idle('A1'))));
  expect([answer.status, await answer.json()]).toMatchObject([403, { code: 'com.apple.unrecognized.device' }]);
});
