// The activity log of a device: filtered commands, with what went wrong and what helps (ABM-26).
import { rejectionReasons } from '@espalier/apple-mdm';
import { expect, it } from 'vitest';
import { bench, ScriptedDevice } from './support.ts';

async function setting() {
  const made = bench();
  const device = new ScriptedDevice(made.engine, 'U1', {});
  await device.enrol();
  await device.session();
  const queue = (requestType: string, payload = {}) =>
    made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, requestType, payload, { force: true });
  return { ...made, device, queue };
}

it('tells each command with its state and date, newest first, filtered', async () => {
  const { engine, device, clock, queue } = await setting();
  const start = clock.now();
  clock.advance(1_000);
  await queue('RestartDevice');
  const command = await device.idle();
  clock.advance(1_000);
  await device.say('Acknowledged', { CommandUUID: command!.commandUuid });
  clock.advance(1_000);
  await queue('ShutDownDevice');
  const all = await engine.commands.activity('U1', { from: start + 1 });
  expect(all.items.map((item) => [item.requestType, item.state, item.at - start, item.failure])).toEqual([
    ['ShutDownDevice', 'queued', 3_000, null],
    ['RestartDevice', 'acknowledged', 2_000, null],
  ]);
  const types = async (query: Parameters<typeof engine.commands.activity>[1]) =>
    (await engine.commands.activity('U1', query)).items.map((item) => item.requestType);
  expect(await types({ states: ['queued'] })).toEqual(['ShutDownDevice']);
  expect(await types({ requestType: 'RestartDevice' })).toEqual(['RestartDevice']);
  expect(await types({ from: start + 1, to: start + 2_500 })).toEqual(['RestartDevice']);
  expect(await types({ from: start + 9_000 })).toEqual([]);
  // Page by page, whatever is filtered out in between.
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof engine.commands.activity>> = await engine.commands.activity('U1', {
      from: start + 1,
      limit: 1,
      ...(after === null ? {} : { after }),
    });
    expect(page.items.length).toBeLessThanOrEqual(1);
    seen.push(...page.items.map((item) => item.requestType));
    after = page.next;
  } while (after !== null);
  expect(seen).toEqual(['ShutDownDevice', 'RestartDevice']);
  expect(await engine.commands.activity('nobody')).toEqual({ items: [], next: null });
});

it('says why an app was rejected and what helps, and what else a device reported', async () => {
  const { engine, device, queue } = await setting();
  const install = { iTunesStoreID: 361309726 };
  for (const reason of ['AppAlreadyInstalled', 'SomethingNew', 'constructor']) {
    await queue('InstallApplication', install);
    const command = await device.idle();
    const { commandUuid } = command!;
    await device.say('Error', { CommandUUID: commandUuid, RejectionReason: reason, State: 'Failed' });
  }
  await queue('RestartDevice');
  const command = await device.idle();
  const chain = [{ ErrorCode: 12021, ErrorDomain: 'MCMDMErrorDomain', LocalizedDescription: 'Not now, please' }];
  await device.say('Error', { CommandUUID: command!.commandUuid, ErrorChain: chain });
  const { items } = await engine.commands.activity('U1', { states: ['error'] });
  expect(items.map((item) => item.failure)).toEqual([
    { reason: 'MCMDMErrorDomain 12021', cause: 'Not now, please', remedy: null },
    { reason: 'constructor', cause: expect.stringContaining('not known'), remedy: null },
    { reason: 'SomethingNew', cause: expect.stringContaining('not known'), remedy: null },
    { reason: 'AppAlreadyInstalled', ...rejectionReasons['AppAlreadyInstalled'] },
  ]);
});
