// A process that opens a store and enrols a device named after itself; started several times at once by a test.
import { openSqliteStore } from '../src/index.ts';
import { enrol } from './support.ts';

const store = openSqliteStore(process.argv[2] ?? '', { durability: 'normal', busyTimeoutMs: 20_000 });
await enrol(store, `P${process.pid}`);
await store.close();
console.log('open');
