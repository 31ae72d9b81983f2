// Labels: definitions, membership by expression, membership by hand.
import type { Labels } from '../api/engine.ts';
import type { Label } from '../api/records.ts';
import type { LabelDefinition, MembershipChange } from '../contracts/labels.ts';
import { CoreError } from '../errors.ts';
import { allPages, type Context, chunks, pageOf, uuid } from './context.ts';
import { createLocks } from './locks.ts';
import type { Matching } from './matching.ts';

/** Labels, and what the rest of the engine asks of them. */
export interface LabelService extends Labels {
  /**
   * Evaluates dynamic labels for devices: those that read one of the changed facts, or all (`null`). Returns how many memberships changed.
   */
  evaluateDevices(ids: readonly string[], changed: readonly string[] | null, cause: string): Promise<number>;
  /** Evaluates all dynamic labels for all devices. */
  evaluateAll(cause: string): Promise<number>;
}

/** Makes the label service. */
export function createLabels(context: Context): LabelService {
  const { store, clock } = context;
  // Evaluation reads, decides, then writes; two of them over the same devices at once could write what is stale.
  const locks = createLocks();

  async function apply(changes: readonly MembershipChange[], cause: string): Promise<number> {
    let count = 0;
    for (const part of chunks(changes, 5_000)) {
      count += (await store.labels.change({ changes: part, at: clock.now(), cause })).length;
    }
    if (count > 0) {
      context.kick.reconciler();
      context.bus.poke();
    }
    return count;
  }

  /** A label whose expression cannot be compiled keeps its members: the fault is logged, and editing the label mends it. */
  function compiled(label: LabelDefinition): Matching | null {
    if (label.expression === null) return null;
    try {
      return context.matcher.advanced(label.expression);
    } catch (error) {
      context.logger.error({ error, labelId: label.id }, 'the expression of a label cannot be evaluated');
      return null;
    }
  }

  async function evaluateLabels(labels: readonly LabelDefinition[], cause: string): Promise<number> {
    const dynamic = labels.flatMap((label) => {
      const test = compiled(label);
      return test === null ? [] : [{ id: label.id, test }];
    });
    if (dynamic.length === 0) return 0;
    let count = 0;
    const filter = { channel: 'device', statuses: ['active'] } as const;
    const members = new Map<string, Set<string>>();
    for (const { id } of dynamic) members.set(id, new Set(await store.labels.memberIds(id)));
    for await (const rows of allPages((page) => store.inventory.scan(filter, page))) {
      const now = clock.now();
      const changes: MembershipChange[] = [];
      context.meters.labelEvaluations.add({}, rows.length * dynamic.length);
      for (const row of rows) {
        const enrolmentId = row.enrolment.id;
        for (const { id, test } of dynamic) {
          const member = test.matches(row, now);
          if (member !== members.get(id)!.has(enrolmentId)) changes.push({ labelId: id, enrolmentId, member });
        }
      }
      count += await apply(changes, cause);
    }
    return count;
  }

  async function require(id: string): Promise<Label> {
    const label = await store.labels.get(id);
    if (label === null) throw unknown(id);
    return label;
  }

  const service: LabelService = {
    async create({ name, description = '', expression }) {
      checkName(name);
      if (expression !== undefined) context.matcher.advanced(expression);
      const at = clock.now();
      const label: LabelDefinition = {
        id: uuid(context.random).toLowerCase(),
        name,
        description,
        kind: expression === undefined ? 'manual' : 'dynamic',
        expression: expression ?? null,
        createdAt: at,
        updatedAt: at,
      };
      if ((await store.labels.create(label)) === 'name-taken') throw nameTaken(name);
      await locks.run('labels', () => evaluateLabels([label], 'label created'));
      return require(label.id);
    },

    async update(id, change) {
      const { memberCount: _, ...old } = await require(id);
      if (change.name !== undefined) checkName(change.name);
      if (change.expression !== undefined) {
        if (old.kind === 'manual') {
          throw new CoreError('core.label.manual', 'conflict', 'a manual label has no expression', {
            remedy: 'create a label with the expression',
          });
        }
        context.matcher.advanced(change.expression);
      }
      const label: LabelDefinition = {
        ...old,
        name: change.name ?? old.name,
        description: change.description ?? old.description,
        expression: change.expression ?? old.expression,
        updatedAt: clock.now(),
      };
      const outcome = await store.labels.update(label);
      if (outcome === 'name-taken') throw nameTaken(label.name);
      if (outcome === 'unknown') throw unknown(id);
      if (label.expression !== old.expression) {
        await locks.run('labels', () => evaluateLabels([label], 'label changed'));
      }
      return require(id);
    },

    async delete(id) {
      if (await store.labels.delete(id, clock.now())) context.kick.reconciler();
    },

    list: () => store.labels.list(),
    get: (id) => store.labels.get(id),

    async members(id, page) {
      await require(id);
      return store.labels.members(id, pageOf(page));
    },

    async setMembers(id, { add = [], remove = [] }) {
      const label = await require(id);
      if (label.kind !== 'manual') {
        throw new CoreError('core.label.dynamic', 'conflict', 'the members of this label follow from its expression', {
          remedy: 'change the expression, or use a manual label',
        });
      }
      const changes = [
        ...add.map((enrolmentId) => ({ labelId: id, enrolmentId, member: true })),
        ...remove.map((enrolmentId) => ({ labelId: id, enrolmentId, member: false })),
      ];
      await apply(changes, 'by hand');
    },

    async evaluateDevices(ids, changed, cause) {
      const labels = (await store.labels.definitions()).flatMap((label) => {
        const test = compiled(label);
        if (test === null) return [];
        if (changed !== null && !changed.some((token) => test.tokens.has(token))) return [];
        return [{ id: label.id, test }];
      });
      if (labels.length === 0) return 0;
      return locks.run('labels', async () => {
        const [rows, current] = await Promise.all([store.inventory.rows(ids), store.labels.ofMany(ids)]);
        const now = clock.now();
        const changes: MembershipChange[] = [];
        context.meters.labelEvaluations.add({}, rows.length * labels.length);
        for (const row of rows) {
          const { id: enrolmentId, status, channel } = row.enrolment;
          if (channel !== 'device') continue;
          const inLabels = new Set(current.get(enrolmentId));
          for (const { id, test } of labels) {
            const member = status === 'active' && test.matches(row, now);
            if (member !== inLabels.has(id)) changes.push({ labelId: id, enrolmentId, member });
          }
        }
        return apply(changes, cause);
      });
    },

    async evaluateAll(cause) {
      const labels = await store.labels.definitions();
      return locks.run('labels', () => evaluateLabels(labels, cause));
    },
  };
  return service;
}

function checkName(name: string): void {
  if (name.trim() === '' || name.length > 255) {
    throw new CoreError('core.label.bad_name', 'invalid', 'a label has a name of 1 to 255 characters');
  }
}

function nameTaken(name: string): CoreError {
  return new CoreError('core.label.name_taken', 'conflict', `there is a label ${JSON.stringify(name)} already`);
}

function unknown(id: string): CoreError {
  return new CoreError('core.label.unknown', 'not-found', `there is no label ${JSON.stringify(id)}`);
}
