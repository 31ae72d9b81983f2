// The process that `startAdeWorker` starts: it syncs its account each time it is told to, until it is cut off or killed.
import { createEnrolmentClient, type ServerToken } from '@espalier/ade';
import { createEngine } from '@espalier/core';
import { type AdeReport, type AdeTask, adeKeys, openAdeStore } from './ade.ts';

const report = (message: AdeReport): void => {
  process.send?.(message);
};
const { store: place, accountId, origin, leaseMs, limit, assign } = JSON.parse(process.argv[2]!) as AdeTask;
const store = await openAdeStore(place);
const engine = createEngine({ store, keys: adeKeys() });
await engine.ready();
const token = JSON.parse(await engine.ade.token(accountId), (key, value: unknown) =>
  key === 'accessTokenExpiry' ? new Date(String(value)) : value,
) as ServerToken;
const client = createEnrolmentClient({ token, clock: Date, origin });
await client.account();

process.on('message', () => {
  void (async () => {
    globalThis.gc?.();
    report({ kind: 'ready', resident: process.memoryUsage.rss() });
    const started = performance.now();
    const result = await engine.ade.sync(accountId, assign ? client : { sync: client.sync }, {
      ...(leaseMs !== undefined && { leaseMs }),
      ...(limit !== undefined && { limit }),
      onProgress: ({ pages }) => report({ kind: 'page', pages, resident: process.memoryUsage.rss() }),
    });
    report({ kind: 'done', result, seconds: (performance.now() - started) / 1000 });
  })();
});
process.on('disconnect', () => void store.close());
report({ kind: 'listening' });
