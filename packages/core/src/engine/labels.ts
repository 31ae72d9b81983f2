// Labels: definitions, membership by hand, searches that become labels, and what a change would do.
import { type Expression, parseBasic, print } from '@espalier/search';
import type { Labels, SavedSearch } from '../api/engine.ts';
import type { Label } from '../api/records.ts';
import type { LabelDefinition } from '../contracts/labels.ts';
import { CoreError } from '../errors.ts';
import { type Context, pageOf, uuid } from './context.ts';
import { createLabelEvaluation, type LabelEvaluation } from './label-evaluation.ts';
import { compileLabel, cycleFrom } from './label-set.ts';
import { createLocks } from './locks.ts';

/** Labels, and what the rest of the engine asks of them. */
export interface LabelService extends Labels {
  readonly evaluation: LabelEvaluation;
  /**
   * Evaluates dynamic labels for devices: those that read one of the changed facts, or all (`null`). Returns how many memberships changed.
   */
  evaluateDevices(ids: readonly string[], changed: readonly string[] | null, cause: string): Promise<number>;
}

/** Makes the label service. */
export function createLabels(context: Context): LabelService {
  const { store, clock, searching } = context;
  const evaluation = createLabelEvaluation(context);
  // Whether a change is allowed depends on the other labels: one change at a time.
  const locks = createLocks();

  async function require(id: string): Promise<Label> {
    const label = await store.labels.get(id);
    if (label === null) throw unknown(id);
    return label;
  }

  /** Refuses what the labels do not allow: an unknown reference, or one that leads back. */
  async function checkExpression(
    label: { readonly id: string; readonly name: string },
    expression: string,
  ): Promise<void> {
    const definitions = await store.labels.definitions();
    const { references } = compileLabel({ ...label, expression }, definitions, context.matcher);
    if (references.size === 0) return;
    const { order } = await evaluation.current();
    const cycle = cycleFrom(label.id, (id) =>
      id === label.id ? references : (order.find((other) => other.id === id)?.references ?? []),
    );
    if (cycle === null) return;
    const names = new Map(definitions.map(({ id, name }) => [id, name]));
    const path = cycle.map((id) => JSON.stringify(id === label.id ? label.name : names.get(id))).join(' → ');
    throw new CoreError('core.label.cycle', 'conflict', `the label would refer to itself: ${path}`, {
      remedy: 'take one of these references out',
    });
  }

  /** Refuses to take away a name that the expressions of other labels hold. */
  async function checkUnreferenced(label: Label, what: string): Promise<void> {
    const { dependants } = await evaluation.current();
    const users = dependants.get(label.id) ?? [];
    if (users.length === 0) return;
    const names = users.map(({ name }) => JSON.stringify(name)).join(', ');
    throw new CoreError('core.label.in_use', 'conflict', `${what}: ${names} refer to it`, {
      remedy: 'change their expressions first',
    });
  }

  async function create(input: Parameters<Labels['create']>[0]): Promise<Label> {
    const { name, description = '', expression } = input;
    checkName(name);
    const id = uuid(context.random).toLowerCase();
    if (expression !== undefined) await checkExpression({ id, name }, expression);
    const at = clock.now();
    const label: LabelDefinition = {
      id,
      name,
      description,
      kind: expression === undefined ? 'manual' : 'dynamic',
      expression: expression ?? null,
      createdAt: at,
      updatedAt: at,
    };
    if ((await store.labels.create(label)) === 'name-taken') throw nameTaken(name);
    if (expression !== undefined) await evaluation.fleet(id, 'label created');
    return require(id);
  }

  async function update(id: string, change: Parameters<Labels['update']>[1]): Promise<Label> {
    const before = await require(id);
    const { memberCount: _, ...old } = before;
    if (change.name !== undefined && change.name !== old.name) {
      checkName(change.name);
      await checkUnreferenced(before, 'the label cannot be renamed');
    }
    if (change.expression !== undefined) {
      if (old.kind === 'manual') {
        throw new CoreError('core.label.manual', 'conflict', 'a manual label has no expression', {
          remedy: 'create a label with the expression',
        });
      }
      await checkExpression({ id, name: change.name ?? old.name }, change.expression);
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
    if (label.expression !== old.expression) await evaluation.fleet(id, 'label changed');
    return require(id);
  }

  async function save(search: SavedSearch): Promise<Label> {
    const { name, overwrite = false } = search;
    const expression = textOf(search);
    const description = search.description === undefined ? {} : { description: search.description };
    const existing = (await store.labels.definitions()).find((label) => label.name === name);
    if (existing === undefined || !overwrite) return create({ name, expression, ...description });
    const label = await require(existing.id);
    await checkUnreferenced(label, 'the search cannot be saved to this label');
    const uses = (await store.configurations.list()).filter(({ labelIds }) => labelIds.includes(label.id));
    if (uses.length > 0) {
      const names = uses.map((use) => JSON.stringify(use.name)).join(', ');
      throw new CoreError('core.label.in_use', 'conflict', `the label is assigned: ${names}`, {
        remedy: 'save the search to a new label, or edit the label itself',
      });
    }
    return update(label.id, { expression, ...description });
  }

  const service: LabelService = {
    evaluation,
    create: (label) => locks.run('definitions', () => create(label)),
    update: (id, change) => locks.run('definitions', () => update(id, change)),
    saveSearch: (search) => locks.run('definitions', () => save(search)),

    delete: (id) =>
      locks.run('definitions', async () => {
        const label = await store.labels.get(id);
        if (label === null) return;
        await checkUnreferenced(label, 'the label cannot be deleted');
        if (await store.labels.delete(id, clock.now())) context.kick.reconciler();
        context.bus.poke();
      }),

    list: () => store.labels.list(),
    get: (id) => store.labels.get(id),

    async preview({ expression, labelId, limit }) {
      const label = labelId === undefined ? null : await require(labelId);
      if (label?.kind === 'manual') {
        throw new CoreError('core.label.manual', 'conflict', 'a manual label has no expression');
      }
      await checkExpression({ id: label?.id ?? 'new', name: label?.name ?? 'this label' }, expression);
      const page = pageOf(limit === undefined ? { limit: 20 } : { limit });
      const matching = context.matcher.advanced(expression);
      const statuses = ['active'] as const;
      const of = (member: boolean) => (label === null ? {} : { label: { id: label.id, member } });
      const [joining, leaving, staying] = await Promise.all([
        searching.page({ matching, statuses, ...of(false) }, page),
        label === null ? null : searching.page({ matching, statuses, complement: true, ...of(true) }, page),
        label === null ? null : searching.page({ matching, statuses, ...of(true) }, { limit: 1 }),
      ]);
      const side = (found: typeof leaving) =>
        found === null
          ? { count: 0, items: [] }
          : { count: found.total, items: found.items.map((row) => row.enrolment) };
      const dependants = label === null ? [] : ((await evaluation.current()).dependants.get(label.id) ?? []);
      return {
        joining: side(joining),
        leaving: side(leaving),
        staying: staying?.total ?? 0,
        dependants: dependants.map(({ id, name }) => ({ id, name })),
      };
    },

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
      await evaluation.apply(changes, 'by hand');
    },

    evaluateDevices: (ids, changed, cause) => evaluation.devices(ids, { tokens: changed }, cause),
  };
  return service;
}

/** The search as the expression of a label. Labels hold active devices, so the box for retired ones says nothing here. */
function textOf({ expression, basic }: SavedSearch): string {
  if (expression !== undefined && basic === undefined) return expression;
  if (basic === undefined || expression !== undefined) {
    throw new CoreError('core.search.two_queries', 'invalid', 'give an expression or a basic search');
  }
  const parsed: Expression = parseBasic(basic);
  return print(parsed);
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
