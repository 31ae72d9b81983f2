// Evaluating labels: for devices whose facts changed or whose time has come, and for the fleet when a label is new.
import type { LabelDevice, LabelLook, MembershipChange } from '../contracts/labels.ts';
import { type Context, chunks } from './context.ts';
import { allFacts } from './facts.ts';
import { type CompiledLabel, type LabelSet, labelSet } from './label-set.ts';
import { createLocks } from './locks.ts';
import type { DeviceQuery } from './searching.ts';

/** What may have changed a device's labels. */
export interface Changed {
  /** Tokens of facts; `null` for all. */
  readonly tokens: readonly string[] | null;
  /** Ids of labels that it came into or left. */
  readonly labels?: readonly string[];
}

/** The evaluation of labels. */
export interface LabelEvaluation {
  /** The labels as they are defined now, compiled. */
  current(): Promise<LabelSet>;
  /**
   * Evaluates labels for devices: those that read one of the changed facts, those that refer to one of the changed
   * labels, and whatever depends on these. Returns how many memberships changed.
   */
  devices(ids: readonly string[], changed: Changed, cause: string): Promise<number>;
  /** Evaluates a label, and those that depend on it, for the whole fleet. */
  fleet(labelId: string, cause: string): Promise<number>;
  /** Evaluates the devices whose time has come. Returns how many. */
  due(): Promise<number>;
  /** Evaluates the labels whose evaluation was cut off. */
  leftBehind(): Promise<void>;
  /** Makes memberships so, with the labels that depend on them. */
  apply(changes: readonly MembershipChange[], cause: string): Promise<number>;
}

/** How long one process may take over the due devices that it took. */
const LEASE_MS = 60_000;
const BATCH = 500;

/** Makes the evaluation. */
export function createLabelEvaluation(context: Context): LabelEvaluation {
  const { store, clock } = context;
  // Evaluation reads, decides, then writes. The store refuses what was decided on old facts; this spares the work.
  const locks = createLocks();
  let known: LabelSet | null = null;

  async function current(): Promise<LabelSet> {
    const version = await store.labels.version();
    if (known?.version !== version) {
      // Read after the version: a definition that is newer than its number is compiled once more, and that is all.
      known = labelSet(version, await store.labels.definitions(), context.matcher, context.logger);
    }
    return known;
  }

  async function write(
    changes: readonly MembershipChange[],
    looks: readonly LabelLook[],
    cause: string,
  ): Promise<readonly MembershipChange[]> {
    if (changes.length === 0 && looks.length === 0) return [];
    const real = await store.labels.change({ changes, looks, at: clock.now(), cause });
    if (real.length > 0) {
      context.kick.reconciler();
      context.bus.poke();
    }
    return real;
  }

  /** Looks at devices and writes what follows. `always`: the due time is set also where it could stay. */
  async function evaluate(
    set: LabelSet,
    ids: readonly string[],
    wanted: (label: CompiledLabel) => boolean,
    cause: string,
    always: boolean,
  ): Promise<number> {
    let count = 0;
    for (const part of chunks(ids, 1_000)) {
      const devices = await store.labels.look(part);
      const now = clock.now();
      const changes: MembershipChange[] = [];
      const looks: LabelLook[] = [];
      let evaluations = 0;
      for (const device of devices) {
        const outcome = evaluateDevice(set, device, wanted, now);
        evaluations += outcome.evaluations;
        changes.push(...outcome.changes);
        const later = sooner(outcome.next.dueAt, device.labelsDueAt);
        const awaited = outcome.next.awaitsContact && !device.awaitsContact;
        if (!always && outcome.changes.length === 0 && !later && !awaited) continue;
        const { enrolment, revision, labelsDueAt } = device;
        const { id: enrolmentId, lastSeenAt } = enrolment;
        looks.push({ enrolmentId, revision, lastSeenAt, labelsDueAt, next: outcome.next });
      }
      context.meters.labelEvaluations.add({}, evaluations);
      count += (await write(changes, looks, cause)).length;
    }
    return count;
  }

  /** Evaluates one label for the fleet by two searches: who is to join, and who is to leave. */
  async function bySearch(label: CompiledLabel, cause: string): Promise<number> {
    const { matching } = label;
    let count = 0;
    for (const member of [true, false]) {
      const query: DeviceQuery = {
        matching,
        complement: !member,
        statuses: ['active'],
        label: { id: label.id, member: !member },
      };
      for await (const found of context.searching.found(query)) {
        for (const part of chunks(found, 5_000)) {
          const changes = part.map(({ enrolmentId }) => ({ labelId: label.id, enrolmentId, member }));
          const looks = part.map((device) => ({ ...device, lastSeenAt: null, labelsDueAt: null }));
          count += (await write(changes, looks, cause)).length;
        }
      }
    }
    return count;
  }

  /** The due times of a label that changes with time follow from each device's facts. */
  async function scheduleFleet(set: LabelSet, label: CompiledLabel): Promise<void> {
    if (set.timed.includes(label)) await store.labels.dueAll(clock.now());
  }

  async function fleet(set: LabelSet, labelId: string, cause: string): Promise<number> {
    const first = set.order.find(({ id }) => id === labelId);
    if (first === undefined) return 0;
    let count = 0;
    const touched = new Set<string>();
    for (const label of set.order) {
      if (label !== first && ![...label.references].some((id) => touched.has(id))) continue;
      const changed = await bySearch(label, cause);
      if (changed > 0) touched.add(label.id);
      count += changed;
      if (label === first) await scheduleFleet(set, label);
    }
    await store.labels.evaluated(first.id, first.expression);
    return count;
  }

  return {
    current,

    async devices(ids, changed, cause) {
      const set = await current();
      const { tokens, labels = [] } = changed;
      if (tokens === null) return locks.run('labels', () => evaluate(set, ids, () => true, cause, false));
      const wanted = new Set<CompiledLabel>();
      for (const token of tokens) for (const label of set.readers.get(token) ?? []) wanted.add(label);
      for (const id of labels) for (const label of set.dependants.get(id) ?? []) wanted.add(label);
      if (wanted.size === 0) return 0;
      return locks.run('labels', () => evaluate(set, ids, (label) => wanted.has(label), cause, false));
    },

    fleet: (labelId, cause) => locks.run('labels', async () => fleet(await current(), labelId, cause)),

    async due() {
      let count = 0;
      for (;;) {
        const at = clock.now();
        const ids = await store.labels.takeDue({ at, leaseMs: LEASE_MS, limit: BATCH });
        if (ids.length === 0) return count;
        const set = await current();
        await locks.run('labels', () => evaluate(set, ids, () => true, 'time', true));
        count += ids.length;
        if (ids.length < BATCH) return count;
      }
    },

    async leftBehind() {
      for (const id of await store.labels.unevaluated()) {
        await locks.run('labels', async () => fleet(await current(), id, 'label changed'));
      }
    },

    async apply(changes, cause) {
      const real: MembershipChange[] = [];
      for (const part of chunks(changes, 5_000)) real.push(...(await write(part, [], cause)));
      const labels = [...new Set(real.map(({ labelId }) => labelId))];
      const ids = [...new Set(real.map(({ enrolmentId }) => enrolmentId))];
      if (ids.length > 0) await this.devices(ids, { tokens: [], labels }, cause);
      return real.length;
    },
  };
}

/** Whether a due time is before the one that is kept. */
function sooner(dueAt: number | null, kept: number | null): boolean {
  return dueAt !== null && (kept === null || dueAt < kept);
}

/** What follows for one device: the memberships that change, and when to look again. */
export function evaluateDevice(
  set: LabelSet,
  device: LabelDevice,
  wanted: (label: CompiledLabel) => boolean,
  now: number,
): {
  readonly changes: readonly MembershipChange[];
  readonly next: { readonly dueAt: number | null; readonly awaitsContact: boolean };
  /** How many labels were evaluated. */
  readonly evaluations: number;
} {
  const { enrolment } = device;
  const active = enrolment.status === 'active';
  const members = new Set(device.labelIds);
  const moved = new Set<string>();
  const changes: MembershipChange[] = [];
  const nameOf = (id: string): string => set.names.get(id) ?? '';
  let evaluations = 0;
  let facts = allFacts(device, device.labelIds.map(nameOf));
  for (const label of set.order) {
    if (!wanted(label) && !(moved.size > 0 && [...label.references].some((id) => moved.has(id)))) continue;
    evaluations++;
    const member = active && label.matching.matches(facts, now);
    if (member === members.has(label.id)) continue;
    changes.push({ labelId: label.id, enrolmentId: enrolment.id, member });
    if (member) members.add(label.id);
    else members.delete(label.id);
    moved.add(label.id);
    if (set.dependants.has(label.id)) facts = allFacts(device, [...members].map(nameOf));
  }
  let dueAt: number | null = null;
  let awaitsContact = false;
  if (active) {
    for (const { matching, changesOnContact } of set.timed) {
      const next = matching.nextChange(facts, now);
      if (next !== null && (dueAt === null || next < dueAt)) dueAt = next;
      awaitsContact ||= changesOnContact(facts, now, matching.matches(facts, now));
    }
  }
  return { changes, next: { dueAt, awaitsContact }, evaluations };
}
