// The search language against filtrex, jexl, sift and json-logic-js: equivalent filters over the same 100,000 records.
import { createRequire } from 'node:module';
import type { Facts } from '@espalier/core';
import { check, compile, type Expression, fieldsOf, type Matcher, parse, type SearchRecord } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { evaluateDevice } from '../packages/core/src/engine/label-evaluation.ts';
import { labelSet } from '../packages/core/src/engine/label-set.ts';
import { createMatcher } from '../packages/core/src/engine/matching.ts';
import type { BenchResult } from './result.ts';
import { run as runStores } from './search-sql.ts';

// These packages have no types of their own, or none that fit; this is what is used of them.
interface Jexl {
  compile(text: string): { evalSync(context: object): unknown };
}
interface JsonLogic {
  apply(rule: unknown, data: object): unknown;
}
type Filtrex = (text: string) => (record: object) => unknown;
type Sift = (query: object) => (record: object) => boolean;

const require = createRequire(import.meta.url);
const { compileExpression: filtrex } = require('filtrex') as { compileExpression: Filtrex };
const jexl = require('jexl') as Jexl;
const siftModule = require('sift') as { default: Sift } | Sift;
const sift = typeof siftModule === 'function' ? siftModule : siftModule.default;
const jsonLogic = require('json-logic-js') as JsonLogic;

const RECORDS = 100_000;
const ROUNDS = 15;

/** A device as the peers see it: plain names, because a dot means nesting to most of them. */
interface Flat {
  platform: string;
  supervised: boolean;
  battery: number;
  country: string | null;
  name: string;
  status: string;
  seen: number;
  lost: boolean;
}

const TOKENS: Record<keyof Flat, string> = {
  platform: 'common.platform',
  supervised: 'ios.Supervised',
  battery: 'common.battery_level',
  country: 'common.home_country_code',
  name: 'ios.DeviceName',
  status: 'common.status',
  seen: 'common.storage_free',
  lost: 'ios.IsMDMLostModeEnabled',
};

/** Bytes in use after a collection (the bench runs with `--expose-gc`). */
function heapUsed(): number {
  (globalThis as { readonly gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

/** A fixed sequence of numbers in [0, 1). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function fleet(): { flat: Flat[]; records: SearchRecord[] } {
  const next = sequence(42);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
  const flat = Array.from(
    { length: RECORDS },
    (_, i): Flat => ({
      platform: pick(['iOS', 'iPadOS', 'macOS', 'tvOS', 'visionOS']),
      supervised: next() < 0.6,
      battery: Math.floor(next() * 101),
      country: next() < 0.1 ? null : pick(['US', 'DE', 'FR', 'JP', 'GB']),
      name: `${pick(['iPad', 'iPhone', 'MacBook', 'Studio'])} of ${pick(['Sales', 'School', 'Ward', 'Lab'])} ${i}`,
      status: pick(['Active', 'Active', 'Active', 'Pending', 'Retired', 'Wiped']),
      seen: Math.floor(next() * 1e12),
      lost: next() < 0.01,
    }),
  );
  const keys = Object.keys(TOKENS) as (keyof Flat)[];
  const records = flat.map((f) => Object.fromEntries(keys.map((k) => [TOKENS[k], f[k]])));
  return { flat, records };
}

interface Filter {
  readonly name: string;
  readonly ours: string;
  readonly filtrex: string;
  readonly jexl: string;
  readonly sift: object;
  readonly jsonLogic: object;
}

const v = (name: keyof Flat): object => ({ var: name });
const FILTERS: readonly Filter[] = [
  {
    name: 'two equalities',
    ours: '"common.platform" = "iOS" AND "ios.Supervised" = true',
    filtrex: 'platform == "iOS" and supervised',
    jexl: 'platform == "iOS" && supervised == true',
    sift: { platform: 'iOS', supervised: true },
    jsonLogic: { and: [{ '==': [v('platform'), 'iOS'] }, { '==': [v('supervised'), true] }] },
  },
  {
    name: 'or, not equal, number',
    ours: '("common.platform" = "iOS" OR "common.platform" = "macOS") AND "common.home_country_code" != "US" AND "common.battery_level" < 20',
    filtrex: '(platform == "iOS" or platform == "macOS") and country != "US" and battery < 20',
    jexl: '(platform == "iOS" || platform == "macOS") && country != "US" && battery < 20',
    sift: {
      $and: [
        { $or: [{ platform: 'iOS' }, { platform: 'macOS' }] },
        { country: { $ne: 'US' } },
        { battery: { $lt: 20 } },
      ],
    },
    jsonLogic: {
      and: [
        { or: [{ '==': [v('platform'), 'iOS'] }, { '==': [v('platform'), 'macOS'] }] },
        { '!=': [v('country'), 'US'] },
        { '<': [v('battery'), 20] },
      ],
    },
  },
  {
    name: 'number range, flag',
    ours: '"common.battery_level" >= 10 AND "common.battery_level" <= 90 AND "common.storage_free" > 500000000000 AND "ios.IsMDMLostModeEnabled" = false',
    filtrex: 'battery >= 10 and battery <= 90 and seen > 500000000000 and not lost',
    jexl: 'battery >= 10 && battery <= 90 && seen > 500000000000 && lost == false',
    sift: { battery: { $gte: 10, $lte: 90 }, seen: { $gt: 500000000000 }, lost: false },
    jsonLogic: {
      and: [
        { '>=': [v('battery'), 10] },
        { '<=': [v('battery'), 90] },
        { '>': [v('seen'), 500000000000] },
        { '==': [v('lost'), false] },
      ],
    },
  },
  {
    name: 'list of values',
    ours: '"common.status" in ("Pending", "Retired", "Wiped") AND "common.home_country_code" in ("DE", "FR")',
    filtrex: 'status in ("Pending", "Retired", "Wiped") and country in ("DE", "FR")',
    jexl: 'status in ["Pending", "Retired", "Wiped"] && country in ["DE", "FR"]',
    sift: { status: { $in: ['Pending', 'Retired', 'Wiped'] }, country: { $in: ['DE', 'FR'] } },
    jsonLogic: { and: [{ in: [v('status'), ['Pending', 'Retired', 'Wiped']] }, { in: [v('country'), ['DE', 'FR']] }] },
  },
  {
    name: 'part of a text',
    ours: '"ios.DeviceName" contains "Sales" AND "ios.Supervised" = true',
    filtrex: 'name ~= "Sales" and supervised',
    jexl: '"Sales" in name && supervised == true',
    sift: { name: /Sales/, supervised: true },
    jsonLogic: { and: [{ in: ['Sales', v('name')] }, { '==': [v('supervised'), true] }] },
  },
];

/** The least time of some rounds of each function, in milliseconds, the rounds taken in turn. */
function timesOf(runs: Record<string, () => unknown>): Record<string, number> {
  const least: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now();
      run();
      const time = performance.now() - start;
      least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, time);
    }
  }
  return least;
}

/** Runs the benchmark; the stores' part, which takes minutes, is left out with `--evaluator`. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const before = heapUsed();
  const { flat, records } = fleet();
  const heap = heapUsed() - before;
  const results: BenchResult[] = [];
  const now = Date.UTC(2026, 0, 1);
  const count = <T>(list: readonly T[], matches: (item: T) => unknown): number => {
    let n = 0;
    for (const item of list) if (matches(item) === true) n++;
    return n;
  };

  const totals: Record<string, number> = {};
  for (const f of FILTERS) {
    const ours = compile(parse(f.ours), { catalogue });
    const byFiltrex = filtrex(f.filtrex);
    const byJexl = jexl.compile(f.jexl);
    const bySift = sift(f.sift);
    const runs: Record<string, () => number> = {
      ours: () => count(records, (r) => ours(r, now)),
      filtrex: () => count(flat, (r) => byFiltrex(r)),
      jexl: () => count(flat, (r) => byJexl.evalSync(r)),
      sift: () => count(flat, (r) => bySift(r)),
      'json-logic-js': () => count(flat, (r) => jsonLogic.apply(f.jsonLogic, r)),
    };
    const counts = Object.entries(runs).map(([name, r]) => `${name} ${r()}`);
    if (new Set(counts.map((c) => c.split(' ')[1])).size !== 1) throw new Error(`${f.name}: ${counts.join(', ')}`);
    const times = timesOf(runs);
    for (const [name, time] of Object.entries(times)) totals[name] = (totals[name] ?? 0) + time;
    const [peer, best] = bestOf(times);
    results.push({
      name: `evaluate: ${f.name}`,
      value: RECORDS / (times['ours']! / 1000) / 1e6,
      unit: 'million records/s',
      peer,
      ratio: best / times['ours']!,
    });
  }
  const evaluated = RECORDS * FILTERS.length;
  for (const [name, time] of Object.entries(totals)) {
    if (name === 'ours') continue;
    results.push({
      name: `evaluate: all filters, ${name}`,
      value: evaluated / (time / 1000) / 1e6,
      unit: 'million records/s',
    });
  }
  const [peer, best] = bestOf(totals);
  const ratio = best / totals['ours']!;
  results.push({
    name: 'evaluate: all filters',
    value: evaluated / (totals['ours']! / 1000) / 1e6,
    unit: 'million records/s',
    peer,
    ratio,
    required: 3,
    ok: ratio >= 3,
  });

  results.push(...preparation(), labels(records, now), ...engineLabels(records, now));
  results.push({ name: '100,000 records in memory', value: heap / 2 ** 20, unit: 'MiB (both shapes)' });
  if (!args.includes('--evaluator')) results.push(...(await runStores(args)));
  return results;
}

// One fact of one device changes: which of 1,000 labels is it in now? Only those that read the field are asked.
function labels(records: readonly SearchRecord[], now: number): BenchResult {
  const next = sequence(7);
  const tokens = Object.values(TOKENS);
  const texts = Array.from({ length: 1000 }, (_, i) => {
    const parts = FILTERS[i % FILTERS.length]!.ours;
    return `${parts} AND "ios.DeviceName" does not contain "${i}" OR "common.battery_level" > ${i % 100}`;
  });
  const readers = new Map<string, Matcher[]>();
  for (const text of texts) {
    const tree = parse(text);
    const matcher = compile(tree, { catalogue });
    for (const token of fieldsOf(tree, catalogue)) readers.set(token, [...(readers.get(token) ?? []), matcher]);
  }
  const times: number[] = [];
  let members = 0;
  for (let i = 0; i < 2000; i++) {
    const record = records[Math.floor(next() * records.length)]!;
    const token = tokens[i % tokens.length]!;
    const start = performance.now();
    for (const matches of readers.get(token) ?? []) if (matches(record, now)) members++;
    times.push(performance.now() - start);
  }
  if (members === 0) throw new Error('no label matched');
  const value = times.sort((a, b) => a - b)[times.length / 2]!;
  return { name: "one device's changed fact, 1,000 labels", value, unit: 'ms, median', required: 1, ok: value < 1 };
}

// The same as the engine does it: labels that read the fact, what depends on them, and when to look again.
function engineLabels(records: readonly SearchRecord[], now: number): BenchResult[] {
  const before = heapUsed();
  const definitions = Array.from({ length: 1000 }, (_, i) => ({
    id: `label-${i}`,
    name: `Label ${i}`,
    description: '',
    kind: 'dynamic' as const,
    expression:
      i % 10 === 0
        ? `"common.label" = "Label ${i + 1}" AND "common.last_connected_at" within the last ${i + 1} days`
        : `${FILTERS[i % FILTERS.length]!.ours} AND "ios.DeviceName" does not contain "${i}"`,
    createdAt: 0,
    updatedAt: 0,
  }));
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const set = labelSet(1, definitions, createMatcher(catalogue), silent);
  const heap = heapUsed() - before;
  if (set.order.length !== 1000) throw new Error('not all labels were compiled');
  const enrolment = {
    id: 'D',
    channel: 'device',
    kind: 'device',
    parent: null,
    status: 'active',
    phase: null,
    udid: null,
    serialNumber: null,
    model: null,
    productName: null,
    osVersion: null,
    deviceName: null,
    topic: null,
    certificateFingerprint: null,
    pushable: true,
    enrolledAt: now,
    lastSeenAt: now,
    checkedOutAt: null,
    invitationId: null,
  } as const;
  const tokens = Object.values(TOKENS);
  const next = sequence(9);
  const times: number[] = [];
  let changes = 0;
  for (let i = 0; i < 2000; i++) {
    const facts = records[Math.floor(next() * records.length)]! as Facts;
    const device = { enrolment, facts, revision: 1, labelIds: [], labelsDueAt: null, awaitsContact: false };
    const start = performance.now();
    const wanted = new Set(set.readers.get(tokens[i % tokens.length]!));
    changes += evaluateDevice(set, device, (label) => wanted.has(label), now).changes.length;
    times.push(performance.now() - start);
  }
  if (changes === 0) throw new Error('no label matched');
  const value = times.sort((a, b) => a - b)[times.length / 2]!;
  return [
    { name: 'the same in the engine, with due times', value, unit: 'ms, median', required: 1, ok: value < 1 },
    { name: '1,000 compiled labels in memory', value: heap / 2 ** 20, unit: 'MiB' },
  ];
}

function bestOf(times: Record<string, number>): [string, number] {
  const peers = Object.entries(times).filter(([name]) => name !== 'ours');
  return peers.reduce((a, b) => (b[1] < a[1] ? b : a));
}

// How long it takes from the text to a filter that is ready.
function preparation(): BenchResult[] {
  const repeat = 200;
  const each = (body: (f: Filter) => unknown) => (): void => {
    for (let i = 0; i < repeat; i++) for (const f of FILTERS) body(f);
  };
  const trees: readonly Expression[] = FILTERS.map((f) => parse(f.ours));
  const many = (body: (tree: Expression) => unknown) => (): void => {
    for (let i = 0; i < repeat; i++) for (const tree of trees) body(tree);
  };
  const micro = (time: number): number => (time * 1000) / (repeat * FILTERS.length);
  const times = timesOf({
    ours: each((f) => compile(parse(f.ours), { catalogue })),
    filtrex: each((f) => filtrex(f.filtrex)),
    jexl: each((f) => jexl.compile(f.jexl)),
  });
  const parts = timesOf({
    parse: each((f) => parse(f.ours)),
    check: many((tree) => check(tree, catalogue)),
    compile: many((tree) => compile(tree, { catalogue })),
  });
  const [peer, best] = bestOf(times);
  return [
    { name: 'parse', value: micro(parts['parse']!), unit: 'µs per expression' },
    { name: 'check', value: micro(parts['check']!), unit: 'µs per expression' },
    { name: 'compile', value: micro(parts['compile']!), unit: 'µs per expression' },
    {
      name: 'text to filter',
      value: micro(times['ours']!),
      unit: 'µs per expression',
      peer,
      ratio: best / times['ours']!,
    },
  ];
}
