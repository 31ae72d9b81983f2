// SIGKILL at random points of a sync with Apple: no device is lost, none is counted twice, whoever comes next goes on
// within the lease. 3 rounds; 50 with ESPALIER_NIGHTLY=1.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Engine, Store } from '@espalier/core';
import { afterAll, expect, it } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { engineOver, expected, madeUpSource } from './ade-source.ts';
import { T0, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const rounds = process.env['ESPALIER_NIGHTLY'] === '1' ? 50 : 3;
const child = fileURLToPath(new URL('./ade-crash-child.ts', import.meta.url));
const LEASE_MS = 60_000;

/** Runs the child and kills it after it said so many lines, and then some bytes; gives what it said. */
function runAndKill(values: readonly (string | number)[], lines: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const run = spawn(
      process.execPath,
      ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', child, ...values.map(String)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    run.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split('\n').length > lines) run.kill('SIGKILL');
    });
    run.on('error', reject);
    run.on('close', () => resolve(said));
  });
}

async function fleet(store: Store): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (let after: string | null = ''; after !== null; ) {
    const page: Awaited<ReturnType<Store['ade']['devices']>> = await store.ade.devices(
      {},
      after === '' ? { limit: 1000 } : { limit: 1000, after },
    );
    for (const device of page.items) {
      expect(found.has(device.serialNumber)).toBe(false);
      found.set(device.serialNumber, device.record['color']);
    }
    after = page.next;
  }
  return found;
}

async function eventSums(store: Store): Promise<{ added: number; deleted: number; pages: number }> {
  const sums = { added: 0, deleted: 0, pages: 0 };
  for (let seq = 0; ; ) {
    const batch = await store.events.since(seq, 1000);
    if (batch.length === 0) return sums;
    for (const event of batch) {
      seq = event.seq;
      if (event.type !== 'ade.page-synced') continue;
      sums.pages++;
      sums.added += Number(event.data['added']);
      sums.deleted += Number(event.data['deleted']);
    }
  }
}

async function account(engine: Engine): Promise<string> {
  const made = await engine.ade.createAccount({ name: 'A', token: 'secret', tokenExpiresAt: T0 + 1e9 });
  return made.id;
}

it(
  `survives ${rounds} kills without loss or duplicate`,
  async () => {
    const pages = rounds * 60;
    const fetch = Math.floor(pages * 0.7);
    const file = folder.file('ade.db');
    const store = openSqliteStore(file, { durability: 'normal' });
    let now = T0;
    const engine = engineOver(store, () => now);
    const id = await account(engine);
    let random = 4711;
    let killed = 0;
    for (let round = 0; round < rounds; round++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      const said = await runAndKill([file, id, now, fetch, pages], 1 + ((random >>> 8) % 30));
      if (!said.includes('done')) killed++;
      now += LEASE_MS;
    }
    expect(killed).toBe(rounds);
    const before = await store.ade.syncState(id);
    const result = await engine.ade.sync(id, madeUpSource(fetch, pages));
    expect(result.outcome).toBe('done');
    // It went on where the others were killed, and did not begin anew.
    expect(result.pages).toBe(pages - (before?.pages ?? 0));
    expect(before?.pages).toBeGreaterThanOrEqual(rounds);
    expect((await store.ade.syncState(id))?.fence).toBe(rounds + 1);
    const wanted = expected(fetch, pages);
    const held = await fleet(store);
    expect(held.size).toBe(wanted.size);
    expect(held).toEqual(wanted);
    const sums = await eventSums(store);
    expect(sums.pages).toBe(pages);
    expect(sums.added - sums.deleted).toBe(wanted.size);
    await store.close();
  },
  60_000 + rounds * 10_000,
);

it('leaves an account to whoever is at it, and goes on when that one was killed and the lease has ended', async () => {
  const file = folder.file('two.db');
  const store = openSqliteStore(file, { durability: 'normal' });
  let now = T0;
  const engine = engineOver(store, () => now);
  const id = await account(engine);
  const pages = 2_000;
  await runAndKill([file, id, now, pages, pages], 1);
  const source = madeUpSource(pages, pages);
  const { leasedUntil = 0 } = (await store.ade.syncState(id)) ?? {};
  expect(leasedUntil).toBeGreaterThan(now);
  expect(leasedUntil).toBeLessThanOrEqual(T0 + LEASE_MS);
  now = leasedUntil - 1;
  expect((await engine.ade.sync(id, source)).outcome).toBe('busy');
  now = leasedUntil;
  const stop = new AbortController();
  stop.abort();
  // One page is enough to see that it is ours.
  const { outcome, pages: read } = await engine.ade.sync(id, source, { signal: stop.signal });
  expect([outcome, read]).toEqual(['stopped', 1]);
  await store.close();
}, 60_000);
