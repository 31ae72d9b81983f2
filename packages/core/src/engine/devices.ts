// Devices as an administrator sees them.
import type { Devices } from '../api/engine.ts';
import type { DeviceRow } from '../api/records.ts';
import { CoreError } from '../errors.ts';
import { publicAssignment } from './configurations.ts';
import { type Context, pageOf } from './context.ts';
import { allFacts } from './facts.ts';
import { queueInventory } from './inventory.ts';
import type { LabelService } from './labels.ts';
import { lockDevice, readLockPin } from './lock.ts';
import { ACCOUNT_TOKEN, reviewAccounts } from './superseding.ts';

/** Makes the device service. */
export function createDevices(context: Context, labelService: LabelService): Devices {
  const { store, clock, matcher, searching } = context;
  const shown = (row: DeviceRow): DeviceRow => ({ enrolment: row.enrolment, facts: allFacts(row) });
  return {
    async get(enrolmentId) {
      const [enrolment, inventory, labels, assignments] = await Promise.all([
        store.enrolments.get(enrolmentId),
        store.inventory.get(enrolmentId),
        store.labels.of(enrolmentId),
        store.configurations.assignmentsOf([enrolmentId]),
      ]);
      if (enrolment === null || inventory === null) return null;
      return {
        enrolment,
        facts: allFacts({ enrolment, facts: inventory.facts }),
        apps: inventory.apps,
        profiles: inventory.profiles,
        certificates: inventory.certificates,
        labels: labels.map(({ id, name }) => ({ id, name })),
        assignments: (assignments.get(enrolmentId) ?? []).map(publicAssignment),
        inventoryAt: inventory.inventoryAt,
      };
    },

    async list(query = {}) {
      const page = pageOf(query);
      const { expression, basic, labelId, sensitive = false } = query;
      if (expression !== undefined && basic !== undefined) {
        throw new CoreError('core.search.two_queries', 'invalid', 'give an expression or a basic search, not both');
      }
      if (labelId !== undefined && (await store.labels.get(labelId)) === null) {
        throw new CoreError('core.label.unknown', 'not-found', `there is no label ${JSON.stringify(labelId)}`);
      }
      const asked = expression !== undefined || (basic !== undefined && basic.trim() !== '');
      const { excludeRetired = asked } = query;
      if (!asked && !excludeRetired && labelId === undefined) {
        const [rows, total] = await Promise.all([
          store.inventory.scan({ channel: 'device' }, page),
          store.enrolments.count({ channel: 'device' }),
        ]);
        return { items: rows.items.map(shown), next: rows.next, total };
      }
      const meaning = { sensitive, excludeRetired };
      const matching =
        expression === undefined ? matcher.basic(basic ?? '', meaning) : matcher.advanced(expression, meaning);
      const label = labelId === undefined ? {} : { label: { id: labelId, member: true } };
      const found = await searching.page({ matching, ...label }, page);
      return { ...found, items: found.items.map(shown) };
    },

    async learn(enrolmentId, facts) {
      const report = { enrolmentId, at: clock.now(), facts, complete: false, event: null };
      const applied = await store.inventory.apply(report);
      if (applied === null) throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
      if (applied.changed.length === 0) return;
      await labelService.evaluateDevices([enrolmentId], applied.changed, 'learned');
      if (applied.changed.includes(ACCOUNT_TOKEN)) await reviewAccounts(context, [enrolmentId], { ask: true });
      // What is compiled for it may depend on any fact: its user's identities do.
      await store.configurations.mark({ enrolmentIds: [enrolmentId], at: clock.now() });
      context.kick.reconciler();
    },

    async refresh(enrolmentIds) {
      await queueInventory(context, enrolmentIds);
      await store.push.request({ enrolmentIds, at: clock.now() });
      context.kick.notifier();
    },

    lock: (enrolmentId, options) => lockDevice(context, enrolmentId, options),
    lockPin: (enrolmentId) => readLockPin(context, enrolmentId),
  };
}
