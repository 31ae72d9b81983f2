// The suite: random actions on the queue, checked against the model.
import { ModelRun, randomActions } from './model-run.ts';
import type { Suite } from './runner.ts';

/** Registers the tests. */
export function modelTests({ test, expect }: Suite): void {
  for (let seed = 1; seed <= 12; seed++) {
    test(`does what the model does, seed ${seed}`, async (store) => {
      const run = await ModelRun.start(store);
      let count = 0;
      for (const action of randomActions(seed, 150)) {
        await run.apply(action);
        count++;
      }
      expect(count).toBe(150);
    });
  }
}
