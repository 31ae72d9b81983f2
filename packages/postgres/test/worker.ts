// What the process tests run in processes of their own, told by messages: writing until killed, serving a fleet, leasing.
import type { Store } from '@espalier/core';
import { openPostgresStore } from '../src/index.ts';
import { answer, command, enqueue, event, poll } from './support.ts';

/** What a worker is to do. */
export type Task =
  | { readonly kind: 'write'; readonly url: string; readonly devices: readonly string[]; readonly name: string }
  | { readonly kind: 'serve'; readonly url: string; readonly devices: readonly string[]; readonly stride: number }
  | { readonly kind: 'lease'; readonly url: string; readonly name: string };

/** What a worker tells, each only after the store has confirmed it. */
export type Report =
  | { readonly kind: 'queued' | 'stored'; readonly id: string; readonly uuid: string }
  | { readonly kind: 'served'; readonly stored: readonly string[]; readonly repeated: number }
  | { readonly kind: 'leased'; readonly ids: readonly string[] };

const report = (message: Report): void => {
  process.send?.(message);
};

/** Queues and answers commands on every device until it is killed. */
async function write(store: Store, devices: readonly string[], name: string): Promise<void> {
  await Promise.all(
    devices.map(async (id) => {
      for (let i = 0; ; i++) {
        const uuid = `${name}-${id}-${i}`;
        await enqueue(store, [command(uuid, { followUp: i % 3 === 0 })], [id], i);
        report({ kind: 'queued', id, uuid });
        let next = await poll(store, id, i);
        while (next.outcome === 'ok' && next.command !== null) {
          const { commandUuid } = next.command;
          next = await poll(store, id, i, answer(commandUuid));
          if (next.outcome === 'ok' && next.result === 'stored') report({ kind: 'stored', id, uuid: commandUuid });
        }
      }
    }),
  );
}

/** Answers for all devices, in an order of its own, until nothing is pending and it is told that nothing will come. */
async function serve(store: Store, devices: readonly string[], stride: number): Promise<void> {
  let closing = false;
  process.on('message', (message) => {
    if (message === 'close') closing = true;
  });
  const stored: string[] = [];
  let repeated = 0;
  const session = async (id: string): Promise<void> => {
    let next = await poll(store, id, 100);
    while (next.outcome === 'ok' && next.command !== null) {
      const { commandUuid } = next.command;
      next = await poll(
        store,
        id,
        101,
        answer(commandUuid, 'acknowledged', { event: event('command.acknowledged', 101, id) }),
      );
      if (next.outcome !== 'ok') throw new Error(`${id} was refused`);
      if (next.result === 'stored') stored.push(`${id} ${commandUuid}`);
      else if (next.result === 'repeated') repeated++;
      else throw new Error(`${commandUuid}: ${next.result}`);
    }
  };
  // Every device once in a round, in steps that differ between the workers (and share no factor with the fleet's size).
  for (;;) {
    const last = closing;
    for (let i = 0; i < devices.length; i += 4) {
      await Promise.all([0, 1, 2, 3].map((k) => session(devices[((i + k) * stride) % devices.length]!)));
    }
    if (last && (await store.queue.withWork({ limit: 1 })).items.length === 0) break;
  }
  report({ kind: 'served', stored, repeated });
}

/** Takes pushes that are due until none is left. */
async function lease(store: Store, name: string): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; ; i++) {
    const targets = await store.push.claim({ lease: `${name}-${i}`, at: 1_000, leaseMs: 60_000, limit: 7 });
    if (targets.length === 0 && (await store.push.nextDueAt())! > 1_000) break;
    ids.push(...targets.map((target) => target.enrolmentId));
    const settled = targets.map(({ enrolmentId }) => enrolmentId);
    await store.push.settle({
      at: 1_000,
      settlements: settled.map((enrolmentId) => ({
        enrolmentId,
        lease: `${name}-${i}`,
        outcome: 'sent' as const,
        dueAt: 90_000,
      })),
    });
  }
  report({ kind: 'leased', ids });
}

process.once('message', async (task: Task) => {
  const store = await openPostgresStore(task.url, { maxConnections: 4, applicationName: `worker-${task.kind}` });
  if (task.kind === 'write') await write(store, task.devices, task.name);
  else if (task.kind === 'serve') await serve(store, task.devices, task.stride);
  else await lease(store, task.name);
  await store.close();
  process.disconnect?.();
});
