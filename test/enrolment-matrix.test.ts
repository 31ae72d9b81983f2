// Every kind of device in every way that Apple allows it, through each host, on each store; and what Apple does not allow.
// By default each pair of kind and way goes through each host once, on each store once, and with both kinds of identity (a Latin
// square of the nine servers); ESPALIER_NIGHTLY=1 takes the full product.
import { join } from 'node:path';
import type { Store } from '@espalier/core';
import { createMemoryStore } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { createKeyPool } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer as startPostgres, type TestServer } from '../packages/postgres/test/server.ts';
import { type PairReport, returnToService, runPairs } from './enrolment-matrix/run.ts';
import { type Pair, pairs } from './enrolment-matrix/table.ts';
import { problemsOf } from './enrolment-matrix/verdict.ts';
import { type Authorities, adapters, type MatrixWorld, makeAuthorities, startWorld } from './enrolment-matrix/world.ts';
import { folder } from './support/tools.ts';

const place = folder();
const keyPool = createKeyPool();
let postgres: TestServer;
let authorities: Authorities;
let schemas = 0;

const stores: { readonly [name: string]: () => Store | Promise<Store> } = {
  memory: () => createMemoryStore(),
  SQLite: () => openSqliteStore(join(place.path, `${++schemas}.sqlite`), { durability: 'normal' }),
  PostgreSQL: () => openPostgresStore(postgres.url, { schema: `matrix_${++schemas}` }),
};

beforeAll(async () => {
  [postgres, authorities] = await Promise.all([startPostgres(), makeAuthorities()]);
}, 60_000);
afterAll(async () => {
  await postgres?.close();
  place.remove();
});

const hosts = Object.keys(adapters) as (keyof typeof adapters)[];
const nightly = process.env['ESPALIER_NIGHTLY'] === '1';

/** The pairs of one of the nine servers. */
function pairsOf(host: number, store: number): readonly Pair[] {
  if (nightly) return pairs;
  return pairs.filter(({ number, identity }) => {
    const identityHere = (host + number) % 2 === 0 ? 'scep' : 'acme';
    return (host + store + number) % 3 === 0 && identity === identityHere;
  });
}

describe.each(hosts)('%s', (host) => {
  describe.each(Object.keys(stores))('%s', (store) => {
    let world: MatrixWorld;
    const reports = new Map<string, PairReport>();
    const here = pairsOf(hosts.indexOf(host), Object.keys(stores).indexOf(store));

    beforeAll(
      async () => {
        world = await startWorld(await stores[store]!(), host, authorities);
        for (const report of await runPairs(world, here, keyPool)) reports.set(report.pair.name, report);
      },
      nightly ? 600_000 : 180_000,
    );
    afterAll(() => world?.close());

    test.each(here.map(({ name }) => name))('%s', (name) => {
      expect(problemsOf(reports.get(name)!)).toEqual([]);
    });

    test('what is not as it should be is told', () => {
      const enrolled = [...reports.values()].find(({ refused }) => refused === null)!;
      const wrong = {
        ...enrolled,
        channels: [],
        left: 'active',
        device: { ...enrolled.device, phase: 'none' as const },
      };
      expect(problemsOf(wrong).length).toBeGreaterThan(5);
    });

    test('an iPad returns to service', async () => {
      expect(await returnToService(world, keyPool)).toEqual([true, 'erased']);
    });
  });
});

test('each pair goes through each host, on each store, and with each kind of identity', () => {
  for (const { number, name } of pairs) {
    const through = hosts.flatMap((host, h) =>
      Object.keys(stores).flatMap((store, s) =>
        pairsOf(h, s).flatMap((pair) => (pair.number === number ? [[host, store, pair.identity]] : [])),
      ),
    );
    for (const [at, size] of [3, 3, 2].entries()) expect(new Set(through.map((one) => one[at])).size, name).toBe(size);
  }
});
