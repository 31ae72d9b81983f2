// Configurations: kept, and assigned by label; what follows on devices is the reconciler's.
import type { Configurations } from '../api/engine.ts';
import type { Configuration } from '../api/records.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import { CoreError } from '../errors.ts';
import { type Context, pageOf, uuid } from './context.ts';

/** Makes the configuration service. */
export function createConfigurations(context: Context): Configurations {
  const { store, clock } = context;

  async function require(id: string): Promise<Configuration> {
    const configuration = await store.configurations.get(id);
    if (configuration === null) throw unknown(id);
    return configuration;
  }

  async function checkLabels(ids: readonly string[]): Promise<readonly string[]> {
    const known = new Set((await store.labels.definitions()).map((label) => label.id));
    for (const id of ids) {
      if (!known.has(id)) {
        throw new CoreError('core.label.unknown', 'not-found', `there is no label ${JSON.stringify(id)}`);
      }
    }
    return [...new Set(ids)];
  }

  const changed = (configuration: Configuration, change: string) =>
    ({
      type: 'configuration.changed',
      at: clock.now(),
      enrolmentId: null,
      data: { configurationId: configuration.id, name: configuration.name, version: configuration.version, change },
    }) as const;

  return {
    async create({ name, type, description = '', settings, labelIds = [] }) {
      checkName(name);
      const at = clock.now();
      const configuration: Configuration = {
        id: uuid(context.random).toLowerCase(),
        name,
        type,
        description,
        settings,
        version: 1,
        labelIds: await checkLabels(labelIds),
        createdAt: at,
        updatedAt: at,
      };
      const outcome = await store.configurations.create(configuration, at, changed(configuration, 'created'));
      if (outcome === 'name-taken') throw nameTaken(name);
      context.kick.reconciler();
      context.bus.poke();
      return configuration;
    },

    async update(id, change) {
      if (change.name !== undefined) checkName(change.name);
      const labelIds = change.labelIds === undefined ? undefined : await checkLabels(change.labelIds);
      // Somebody else may write in between: their change is kept, and this one is made on top of it.
      for (let attempt = 0; attempt < 5; attempt++) {
        const old = await require(id);
        const next: Configuration = {
          ...old,
          name: change.name ?? old.name,
          description: change.description ?? old.description,
          settings: change.settings ?? old.settings,
          labelIds: labelIds ?? old.labelIds,
          // Saving pushes the settings again, even when they are equal (CFG-6); a new description or other labels do not.
          version: change.settings === undefined && change.name === undefined ? old.version : old.version + 1,
          updatedAt: clock.now(),
        };
        const event = changed(next, 'updated');
        const outcome = await store.configurations.update(next, old.version, clock.now(), event);
        if (outcome === 'name-taken') throw nameTaken(next.name);
        if (outcome === 'unknown') throw unknown(id);
        if (outcome === 'conflict') continue;
        context.kick.reconciler();
        context.bus.poke();
        return next;
      }
      throw new CoreError('core.configuration.conflict', 'conflict', 'the configuration is being changed by others', {
        remedy: 'read it again and repeat the change',
      });
    },

    async delete(id) {
      const configuration = await store.configurations.get(id);
      if (configuration === null) return;
      await store.configurations.delete(id, clock.now(), changed(configuration, 'deleted'));
      context.kick.reconciler();
      context.bus.poke();
    },

    list: () => store.configurations.list(),
    get: (id) => store.configurations.get(id),

    async assignments(id, page) {
      const { items, next } = await store.configurations.assignments(id, pageOf(page));
      return { items: items.map(publicAssignment), next };
    },
  };
}

/** An assignment without what only the reconciler needs. */
export function publicAssignment({ profileUuid: _, verifiable: __, ...assignment }: AssignmentRecord) {
  return assignment;
}

function checkName(name: string): void {
  if (name.trim() === '' || name.length > 255) {
    throw new CoreError('core.configuration.bad_name', 'invalid', 'a configuration has a name of 1 to 255 characters');
  }
}

function nameTaken(name: string): CoreError {
  const message = `there is a configuration ${JSON.stringify(name)} already`;
  return new CoreError('core.configuration.name_taken', 'conflict', message);
}

function unknown(id: string): CoreError {
  return new CoreError('core.configuration.unknown', 'not-found', `there is no configuration ${JSON.stringify(id)}`);
}
