// Property test: any sequence of actions on the queue does what the model does.
import { MODEL_IDS, ModelRun, type QueueAction } from '@espalier/core/contract';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { queueActions } from '../../core/test/queue-actions.ts';
import { openSqliteStore } from '../src/index.ts';

it('the queue on SQLite does what the model does', async () => {
  const property = fc.asyncProperty(queueActions(MODEL_IDS), async (actions: readonly QueueAction[]) => {
    const store = openSqliteStore(':memory:');
    const run = await ModelRun.start(store);
    for (const action of actions) await run.apply(action);
    await store.close();
  });
  const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 5_000 : 100;
  const result = await fc.check(property, { seed: 2026, numRuns });
  expect(result.failed, fc.defaultReportMessage(result)).toBe(false);
});
