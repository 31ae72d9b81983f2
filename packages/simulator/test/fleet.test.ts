// Fleets, and the helpers around them.
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { toPem } from '@espalier/pki';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createFleet,
  createKeyPool,
  createLatencyRecorder,
  createRandom,
  createSimulatedApns,
  createSimulatedDevice,
  modelsOf,
  randomFaults,
  runLimited,
  versionsOf,
} from '../src/index.ts';
import { startMdm } from './server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

describe('createFleet', () => {
  const summary = (seed: string | number, count = 25) => createFleet({ count, seed }).map((device) => device.state());

  test('has the usual mix: 12 iPhones, 6 iPads, 6 Macs and an Apple TV in 25', () => {
    const count = (kind: string) => summary(1).filter((state) => state.kind === kind).length;
    expect(['iPhone', 'iPad', 'Mac', 'AppleTV'].map(count)).toEqual([12, 6, 6, 1]);
  });

  test('is the same for the same seed, and another for another', () => {
    expect(summary('a')).toEqual(summary('a'));
    expect(summary('a').map((state) => state.udid)).not.toEqual(summary('b').map((state) => state.udid));
  });

  test('has different devices, versions, and some that are supervised', () => {
    const states = summary(1, 200);
    for (const key of ['udid', 'serialNumber', 'pushToken', 'wifiMac'] as const) {
      expect(new Set(states.map((state) => state[key])).size).toBe(200);
    }
    expect(new Set(states.map((state) => state.osVersion)).size).toBeGreaterThan(8);
    const supervised = states.filter((state) => state.supervised);
    expect(supervised.length).toBeGreaterThan(20);
    expect(supervised.length).toBeLessThan(150);
    expect(supervised.every((state) => state.kind !== 'Mac')).toBe(true);
  });

  test('takes another mix, to the last device', () => {
    const kinds = createFleet({ count: 7, mix: { iPad: 1, Mac: 1 } }).map((device) => device.kind);
    expect(kinds).toHaveLength(7);
    expect(new Set(kinds)).toEqual(new Set(['iPad', 'Mac']));
    expect(createFleet({ count: 0 })).toEqual([]);
    for (const bad of [{ count: -1 }, { count: 1.5 }, { count: 1, mix: {} }]) {
      expect(() => createFleet(bad)).toThrow(expect.objectContaining({ code: 'simulator.option' }));
    }
  });

  test('enrols and works all at once, over TLS, with faults', async () => {
    const mdm = await startMdm();
    const apns = await createSimulatedApns({ ...mdm.serverPem, clientCa: toPem(mdm.root) });
    open.push(apns, mdm);
    const latency = createLatencyRecorder();
    const fleet = createFleet({
      count: 30,
      seed: 'crowd',
      trustedRoots: [mdm.root],
      apns,
      retry: { firstMs: 1 },
      faults: randomFaults({ dropRequest: 0.05, dropResponse: 0.05, duplicate: 0.05 }),
      onRequest: (event) => latency.record(event.kind, event.ms),
    });
    await runLimited(fleet, 8, (device) => device.enrol(`${mdm.url}/enrol`));
    expect(fleet.every((device) => device.phase === 'enrolled')).toBe(true);
    expect(new Set(mdm.issued().map((der) => createHash('sha256').update(der).digest('hex'))).size).toBe(30);
    for (const device of fleet) mdm.enqueue(device.udid, { RequestType: 'SecurityInfo' });
    const results = await runLimited(fleet, 8, (device) => device.poll());
    expect(results.every(({ ended, commands }) => ended === 'idle' && commands.length >= 1)).toBe(true);
    expect(latency.summary()['token-update']!.count).toBeGreaterThanOrEqual(30);
  });
});

describe('a device', () => {
  test('has what its traits say', () => {
    const traits = {
      udid: 'U',
      serialNumber: 'S',
      deviceName: 'N',
      osVersion: '19.9.1',
      supervised: true,
      passcode: null,
      apps: [],
    };
    const device = createSimulatedDevice({ kind: 'iPad', model: 'iPad13,16', ...traits });
    expect(device.state()).toMatchObject({ ...traits, productName: 'iPad13,16', buildVersion: '23J101' });
    expect(() => createSimulatedDevice({ kind: 'iPad', model: 'iPhone1,1' })).toThrow(
      expect.objectContaining({ code: 'simulator.option' }),
    );
  });

  test('runs no system older than itself', () => {
    for (const kind of ['iPhone', 'iPad', 'Mac', 'AppleTV'] as const) {
      for (const model of modelsOf(kind)) {
        for (let seed = 0; seed < 10; seed++) {
          const { osVersion } = createSimulatedDevice({ kind, model: model.productName, seed }).state();
          expect(Number.parseFloat(osVersion)).toBeGreaterThanOrEqual(Number.parseFloat(model.firstVersion));
        }
      }
    }
    expect(versionsOf('iOS')).toContain('18.3');
  });

  test('gives its state as JSON', () => {
    const state = createSimulatedDevice({ kind: 'Mac' }).state();
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe('createKeyPool', () => {
  test('gives valid keys, all different', async () => {
    const pool = createKeyPool({ bits: 1024 });
    const keys = await Promise.all(Array.from({ length: 12 }, () => pool.take()));
    const moduli = new Set<string>();
    for (const der of keys) {
      const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
      expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 1024, publicExponent: 65537n });
      const signature = sign('sha256', Buffer.from('text'), key);
      expect(verify('sha256', Buffer.from('text'), createPublicKey(key), signature)).toBe(true);
      moduli.add(createPublicKey(key).export({ format: 'jwk' }).n!);
    }
    expect(moduli.size).toBe(12);
  });
});

describe('runLimited', () => {
  test('keeps the order and the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await runLimited([5, 4, 3, 2, 1], 2, async (item, index) => {
      most = Math.max(most, ++running);
      for (let i = 0; i < item; i++) await null;
      running--;
      return `${index}:${item}`;
    });
    expect(results).toEqual(['0:5', '1:4', '2:3', '3:2', '4:1']);
    expect(most).toBe(2);
    expect(await runLimited([], 5, async () => 1)).toEqual([]);
  });

  test('stops at the first error, after what is under way', async () => {
    const begun: number[] = [];
    const run = runLimited([1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      await null;
      if (item === 1) throw new Error('one');
    });
    await expect(run).rejects.toThrow('one');
    expect(begun).not.toContain(4);
  });
});

describe('createLatencyRecorder', () => {
  test('gives percentiles by phase', async () => {
    let time = 0;
    const latency = createLatencyRecorder(() => time);
    for (let ms = 1; ms <= 100; ms++) latency.record('poll', ms);
    await latency.measure('enrol', async () => {
      time += 7;
    });
    await expect(
      latency.measure('enrol', async () => {
        time += 9;
        throw new Error('x');
      }),
    ).rejects.toThrow('x');
    expect(latency.summary()).toEqual({
      poll: { count: 100, p50: 50, p95: 95, max: 100 },
      enrol: { count: 2, p50: 7, p95: 9, max: 9 },
    });
  });
});

describe('createRandom', () => {
  test('is the same for the same seed, and spread out', () => {
    const [a, b] = [createRandom(1), createRandom(1)];
    expect(a.bytes(100)).toEqual(b.bytes(100));
    expect(a.fork('x').uuid()).toBe(b.fork('x').uuid());
    expect(a.fork('x').uuid()).not.toBe(a.fork('y').uuid());
    expect(a.uuid()).toMatch(/^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/);
    const counts = Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[a.int(10)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});
