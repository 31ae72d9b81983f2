// Every kind of device in every way that Apple allows it, through each host, on each store; and what Apple does not allow.
// By default each pair of kind and way goes through each host once and on each store once (a Latin square of the nine
// servers); ESPALIER_NIGHTLY=1 takes the full product.
import { join } from 'node:path';
import type { Store } from '@espalier/core';
import { createMemoryStore } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { createKeyPool } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer as startPostgres, type TestServer } from '../packages/postgres/test/server.ts';
import { declaration, type PairReport, runPairs } from './enrolment-matrix/run.ts';
import { type Pair, pairs } from './enrolment-matrix/table.ts';
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
  return nightly ? pairs : pairs.filter((_, index) => (host + store + index) % 3 === 0);
}

describe.each(hosts)('%s', (host) => {
  describe.each(Object.keys(stores))('%s', (store) => {
    let world: MatrixWorld;
    const reports = new Map<string, PairReport>();
    const here = pairsOf(hosts.indexOf(host), Object.keys(stores).indexOf(store));

    beforeAll(async () => {
      world = await startWorld(await stores[store]!(), host, authorities);
      for (const report of await runPairs(world, here, keyPool)) reports.set(report.pair.name, report);
    }, 120_000);
    afterAll(() => world?.close());

    test.each(here.map((pair) => [pair.name, pair] as const))('%s', (name, pair) => {
      check(pair, reports.get(name)!);
    });
  });
});

test('each pair goes through each host and on each store', () => {
  for (const pair of pairs) {
    const through = hosts.flatMap((host, h) =>
      Object.keys(stores).flatMap((store, s) => (pairsOf(h, s).includes(pair) ? [[host, store] as const] : [])),
    );
    expect(new Set(through.map(([host]) => host)).size, pair.name).toBe(3);
    expect(new Set(through.map(([, store]) => store)).size, pair.name).toBe(3);
  }
});

function check(pair: Pair, report: PairReport): void {
  const { kind, way, wayName } = pair;
  const { device, channels, refused } = report;
  if (pair.outcome === 'refuses') {
    expect(refused).toMatchObject({ code: 'simulator.unsupported' });
    expect(device).toMatchObject({ phase: 'none', mdm: null, certificate: null });
    return;
  }
  expect(refused).toBeNull();
  const byUser = way.enrolment === 'user-enrolment-device';
  const byAde = wayName.startsWith('ade');
  const byAccount = way.enrolledBy.startsWith('account');
  const supervised = kind.platform !== 'macOS' && (byAde || wayName === 'watch');

  expect(device).toMatchObject({ phase: 'enrolled', supervised, awaitingConfiguration: false });
  if (pair.outcome === 'enrols') expect(device.enrolledBy).toBe(way.enrolledBy);
  expect(device.enrolmentId === undefined).toBe(!byUser);
  expect(device.mdm).toMatchObject(pair.identity === 'scep' ? { scep: {} } : { scep: null, acme: {} });
  expect(device.sharedIpad === true).toBe(kind.sharedIpad === true);
  if (wayName === 'ade-update') {
    const updated =
      pair.outcome === 'enrols' ? kind.traits.osVersion : expect.not.stringMatching(String(kind.traits.osVersion));
    expect(device.osVersion).toEqual(updated);
  }

  // The device channel, and a channel for each user.
  const users =
    kind.platform === 'macOS'
      ? byUser
        ? ['user-enrolment-user']
        : ['user', 'user']
      : kind.sharedIpad
        ? ['shared-ipad-user']
        : [];
  expect(channels.map(({ detail }) => detail?.enrolment.kind)).toEqual([way.enrolment, ...users]);
  for (const { id, detail, command, declarations } of channels) {
    expect(detail?.enrolment, id).toMatchObject({ id, status: 'active' });
    expect(command, id).toMatchObject({ requestType: 'ProfileList', state: 'acknowledged' });
    const [held] = declarations.filter(({ identifier }) => identifier === declaration);
    expect(held, id).toMatchObject({ status: 'applied', active: true, valid: 'valid' });
  }
  const [{ detail, supported } = { detail: null, supported: new Set<string>() }, ...userChannels] = channels;
  expect(detail!.enrolment).toMatchObject({
    channel: 'device',
    parent: null,
    serialNumber: byUser ? null : device.serialNumber,
    udid: byUser ? null : device.udid,
  });
  expect(detail!.facts).toMatchObject({
    'common.platform': kind.platform,
    'common.os_version': device.osVersion,
    ...(byUser ? { 'ios.apple_user_enrolled_device': true } : {}),
    ...(byAccount ? { 'ios.account_driven': byUser ? 'BYOD' : 'ADDE' } : {}),
  });
  for (const { detail: user } of userChannels) {
    expect(user!.enrolment).toMatchObject({ channel: 'user', parent: channels[0]!.id });
  }

  // What Apple lets a server do depends on the enrolment (schema, supportedOS of each command).
  expect(supported.has('DeviceInformation')).toBe(true);
  expect(supported.has('EraseDevice')).toBe(!byUser);
  expect(supported.has('DeleteUser')).toBe(kind.sharedIpad === true || (kind.platform === 'macOS' && !byUser));
  expect(supported.has('SetRecoveryLock')).toBe(kind.platform === 'macOS' && !byUser);
  expect(supported.has('EnableLostMode')).toBe(kind.platform === 'iOS' && supervised);
  expect(report.bootstrapToken).toBe(kind.platform === 'macOS' && !byUser);
}
