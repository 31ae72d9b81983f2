// Property test: any sequence of actions on the queue does what the model does; failures shrink to the shortest one.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { MODEL_IDS, ModelRun, type QueueAction } from '../src/contract/index.ts';
import { createMemoryStore } from '../src/index.ts';
import { queueActions } from './queue-actions.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';

describe('the queue in memory', () => {
  it('does what the model does', async () => {
    await fc.assert(
      fc.asyncProperty(queueActions(MODEL_IDS), async (actions: readonly QueueAction[]) => {
        const store = createMemoryStore();
        const run = await ModelRun.start(store);
        for (const action of actions) await run.apply(action);
        await store.close();
      }),
      { seed: 2026, numRuns: nightly ? 5_000 : 150 },
    );
  });
});
