// Sets of declarations and their members.
import type { DeclarationSet, Declarations } from '../api/declarations.ts';
import { type Context, pageOf, uuid } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

type Sets = Pick<
  Declarations,
  'createSet' | 'updateSet' | 'deleteSet' | 'getSet' | 'listSets' | 'members' | 'setMembers'
>;

/** Makes the part of the service that is about sets. */
export function createSets(context: Context): Sets {
  const { store, clock } = context;
  const { declarations } = store;

  async function find(id: string): Promise<DeclarationSet | null> {
    return (await declarations.getSets([id]))[0] ?? null;
  }

  async function require(id: string): Promise<DeclarationSet> {
    const set = await find(id);
    if (set === null) throw unknown(id);
    return set;
  }

  async function checkLabels(ids: readonly string[]): Promise<readonly string[]> {
    const known = new Set((await store.labels.definitions()).map((label) => label.id));
    for (const id of ids) {
      if (known.has(id)) continue;
      throw new CoreError('core.label.unknown', 'not-found', `there is no label ${JSON.stringify(id)}`);
    }
    return [...new Set(ids)];
  }

  const changed = (set: DeclarationSet, change: string) =>
    ({
      type: 'declaration-set.changed',
      at: clock.now(),
      enrolmentId: null,
      data: { setId: set.id, name: set.name, version: set.version, change },
    }) as const;

  async function write(set: DeclarationSet, expected: number | null, change: string): Promise<boolean> {
    const outcome = await declarations.putSet(set, expected, clock.now(), changed(set, change));
    if (outcome === 'name-taken') {
      const message = `there is a set ${JSON.stringify(set.name)} already`;
      throw new CoreError('core.declaration_set.name_taken', 'conflict', message);
    }
    if (outcome === 'unknown-declaration') {
      const there = new Set((await declarations.getMany(set.identifiers)).map((one) => one.identifier));
      const missing = set.identifiers.find((identifier) => !there.has(identifier)) ?? '';
      const message = `there is no declaration ${JSON.stringify(missing)}`;
      throw new CoreError('core.declaration.unknown', 'not-found', message);
    }
    context.bus.poke();
    return outcome === 'written';
  }

  return {
    async createSet({ name, description = '', channel = 'device', identifiers = [], labelIds = [] }) {
      checkName(name);
      const at = clock.now();
      const set: DeclarationSet = {
        id: uuid(context.random).toLowerCase(),
        name,
        description,
        channel,
        identifiers: [...new Set(identifiers)],
        labelIds: await checkLabels(labelIds),
        version: 1,
        createdAt: at,
        updatedAt: at,
      };
      if (!(await write(set, null, 'created'))) throw conflict();
      return set;
    },

    async updateSet(id, change) {
      if (change.name !== undefined) checkName(change.name);
      const labelIds = change.labelIds === undefined ? undefined : await checkLabels(change.labelIds);
      // Somebody else may write in between: their change is kept, and this one is made on top of it.
      for (let attempt = 0; attempt < 5; attempt++) {
        const old = await require(id);
        const next: DeclarationSet = {
          ...old,
          name: change.name ?? old.name,
          description: change.description ?? old.description,
          identifiers: change.identifiers === undefined ? old.identifiers : [...new Set(change.identifiers)],
          labelIds: labelIds ?? old.labelIds,
          version: old.version + 1,
          updatedAt: clock.now(),
        };
        if (await write(next, old.version, 'updated')) return next;
      }
      throw conflict();
    },

    async deleteSet(id) {
      const set = await require(id);
      await declarations.deleteSet(id, clock.now(), changed(set, 'deleted'));
      context.bus.poke();
    },

    getSet: find,
    listSets: () => declarations.listSets(),

    async members(setId, page) {
      await require(setId);
      return declarations.members(setId, pageOf(page));
    },

    async setMembers(setId, { add = [], remove = [] }) {
      const set = await require(setId);
      const event = changed(set, 'members');
      const outcome = await declarations.changeMembers({ setId, add, remove, at: clock.now(), event });
      if (outcome === null) throw unknown(setId);
      context.bus.poke();
      return outcome;
    },
  };
}

function checkName(name: string): void {
  if (name.trim() === '' || name.length > 255) {
    throw new CoreError('core.declaration_set.bad_name', 'invalid', 'a set has a name of 1 to 255 characters');
  }
}

function unknown(id: string): CoreError {
  return new CoreError('core.declaration_set.unknown', 'not-found', `there is no set ${JSON.stringify(id)}`);
}

function conflict(): CoreError {
  return new CoreError('core.declaration_set.conflict', 'conflict', 'the set is being changed by others', {
    remedy: 'read it again and repeat the change',
  });
}
