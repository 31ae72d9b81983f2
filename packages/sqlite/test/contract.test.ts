// The contract suite on SQLite: in memory and in a file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeContract } from '@espalier/core/contract';
import { afterAll, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'espalier-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

storeContract('sqlite in memory', async () => openSqliteStore(':memory:'), { describe, it, expect });
storeContract(
  'sqlite in a file',
  async () => openSqliteStore(join(folder, `${files++}.db`), { durability: 'normal' }),
  { describe, it, expect },
);
