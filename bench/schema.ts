// The catalogue: what importing @espalier/apple-mdm costs in a fresh process (as built), and how fast it validates.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { schema, schemaKinds, validate } from '@espalier/apple-mdm';
import type { BenchResult } from './result.ts';

const root = join(import.meta.dirname, '..');
/** Fresh processes of each sort. */
const rounds = 25;

/** Builds what is measured, so that a stale build is never measured. */
function build(name: string): void {
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js');
  const cwd = join(root, 'packages', name);
  execFileSync(process.execPath, [tsup, '--config', join(root, 'tsup.config.ts')], { cwd, stdio: 'ignore' });
}

interface Cost {
  /** Processor time, all threads. */
  readonly cpu: number;
  readonly wall: number;
  readonly rss: number;
  readonly heap: number;
}

/** One import in a process of its own: milliseconds, and what memory grows by. */
function importCost(specifier: string): Cost {
  const script = `
    const memory = () => { gc(); const { rss, heapUsed, external } = process.memoryUsage(); return { rss, heap: heapUsed + external }; };
    const before = memory();
    const started = process.cpuUsage();
    const at = performance.now();
    await import(${JSON.stringify(specifier)});
    const wall = performance.now() - at;
    const { user, system } = process.cpuUsage(started);
    const after = memory();
    console.log(JSON.stringify({ cpu: (user + system) / 1000, wall, rss: after.rss - before.rss, heap: after.heap - before.heap }));`;
  const args = ['--expose-gc', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) as Cost;
}

/** A module of nothing: what importing costs by itself. */
const nothing = 'data:text/javascript,';

/**
 * What an import costs beyond importing nothing. Other programs use the processor, too: so processor time counts, the
 * two sorts of process take turns, and of the elapsed times the shortest are compared, which were disturbed least.
 */
function importCosts(specifier: string): Cost & { readonly cpuTotal: number } {
  const empty: Cost[] = [];
  const full: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    empty.push(importCost(nothing));
    full.push(importCost(specifier));
  }
  const by = (pick: (costs: readonly number[]) => number, what: keyof Cost): number =>
    pick(full.map((cost) => cost[what])) - pick(empty.map((cost) => cost[what]));
  return {
    cpu: by(median, 'cpu'),
    cpuTotal: median(full.map((cost) => cost.cpu)),
    wall: by((times) => Math.min(...times), 'wall'),
    rss: by(median, 'rss'),
    heap: by(median, 'heap'),
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

function atMost(name: string, value: number, unit: string, required: number): BenchResult {
  return { name, value, unit, required, ok: value < required };
}

function profileOf(payloads: number): object {
  const PayloadContent = Array.from({ length: payloads }, (_, i) => {
    const common = { PayloadVersion: 1, PayloadIdentifier: `com.example.${i}`, PayloadUUID: `${i}` };
    if (i % 3 === 0) {
      const EAPClientConfiguration = { AcceptEAPTypes: [13, 25], UserName: 'u', TLSTrustedServerNames: ['a', 'b'] };
      return {
        PayloadType: 'com.apple.wifi.managed',
        ...common,
        SSID_STR: 'Lobby',
        AutoJoin: true,
        EAPClientConfiguration,
      };
    }
    if (i % 3 === 1) {
      const restrictions = { allowCamera: true, allowAirDrop: false, allowAssistant: true, allowScreenShot: false };
      return { PayloadType: 'com.apple.applicationaccess', ...common, ...restrictions };
    }
    const PayloadContent = {
      URL: 'https://scep.example.com/',
      Subject: [[['CN', 'x']]],
      Keysize: 2048,
      'Key Usage': 5,
    };
    return { PayloadType: 'com.apple.security.scep', ...common, PayloadContent };
  });
  return {
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example',
    PayloadUUID: 'x',
    PayloadContent,
  };
}

function time(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** Runs the benchmark. */
export async function run(): Promise<BenchResult[]> {
  for (const name of ['plist', 'apple-mdm']) build(name);
  const cost = importCosts('@espalier/apple-mdm');
  const megabyte = 1024 * 1024;
  const results = [
    atMost('import, processor time over an empty import (median)', cost.cpu, 'ms', 30),
    atMost('import, processor time, all (median)', cost.cpuTotal, 'ms', 30),
    atMost('import, elapsed time over an empty import (least)', cost.wall, 'ms', 30),
    atMost('import, resident memory (median)', cost.rss / megabyte, 'MB', 10),
    atMost('import, heap and external (median)', cost.heap / megabyte, 'MB', 10),
  ];

  // Tables that are opened for the first time, in this process.
  results.push({ name: 'first command looked up', value: time(() => schema.command('DeviceLock')), unit: 'ms' });
  results.push({
    name: 'whole catalogue read',
    value: time(() => schemaKinds.map((kind) => schema.all(kind))),
    unit: 'ms',
  });

  const target = { platform: 'iOS', osVersion: '18.0', supervised: true } as const;
  const profile = profileOf(100);
  const issues = validate('profile', profile, target);
  if (issues.length > 0) throw new Error(`the profile of the benchmark has issues: ${JSON.stringify(issues[0])}`);
  const times = Array.from({ length: 501 }, () => time(() => validate('profile', profile, target)));
  results.push(atMost('validate, profile of 100 payloads (median)', median(times), 'ms', 5));
  results.push({ name: 'validate, profile of 100 payloads (worst of 501)', value: Math.max(...times), unit: 'ms' });
  return results;
}
