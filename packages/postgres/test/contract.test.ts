// The contract suite on PostgreSQL.
import type { Store } from '@espalier/core';
import { storeContract } from '@espalier/core/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { emptySchema, startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

async function openEmpty(): Promise<Store> {
  await emptySchema(server.url);
  return openPostgresStore(server.url, { maxConnections: 4 });
}

storeContract('PostgreSQL', openEmpty, { describe, it, expect });
