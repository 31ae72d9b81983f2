// The contract suite on SQLite, in files.
import { storeContract } from '@espalier/core/contract';
import { afterAll, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let files = 0;

storeContract('sqlite', async () => openSqliteStore(folder.file(`${files++}.db`), { durability: 'normal' }), {
  describe,
  it,
  expect,
});
