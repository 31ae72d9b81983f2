// A process that syncs an account, to be killed: it tells each page that is committed.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../src/index.ts';
import { engineOver, madeUpSource } from './ade-source.ts';

const [file = '', accountId = '', at = '0', fetch = '0', pages = '0'] = process.argv.slice(2);
const store = openSqliteStore(file, { durability: 'normal' });
const engine = engineOver(store, () => Number(at));
const { outcome } = await engine.ade.sync(accountId, madeUpSource(Number(fetch), Number(pages)), {
  onProgress: () => writeSync(1, 'page\n'),
});
writeSync(1, `${outcome}\n`);
await store.close();
