// Renewing what devices asked for by their configurations: the profile is delivered again, with a fresh challenge (CERT-2, CERT-14).
import type { Configuration } from '../api/records.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import type { Context } from './context.ts';
import { configurationCredential } from './issuing.ts';

const SETTING = 'core.configuration-renewals-at';
const DAY = 86_400_000;
const BATCH = 500;

/** Assignments whose profile the device has, or refused: any other is delivered anyway. */
const DELIVERED: readonly AssignmentRecord['status'][] = ['sent', 'applied', 'partially-applied'];

/** The days before the end of a certificate from which on it is renewed; a configuration may say so itself. */
export function renewalWindowDays(settings: Configuration['settings'], otherwise: number): number {
  const own = settings['renewalWindowDays'];
  return Math.min(270, Math.max(1, typeof own === 'number' && Number.isInteger(own) ? own : otherwise));
}

/** Makes the step of the housekeeping. */
export function createConfigurationRenewals(context: Context): () => Promise<void> {
  const { store, clock, options, logger } = context;

  /** Has one device's profile delivered again; false when it is not there, or on its way in any case. */
  async function redeliver(assignment: AssignmentRecord | undefined, fingerprint: string): Promise<boolean> {
    if (assignment === undefined || !DELIVERED.includes(assignment.status)) return false;
    const { enrolmentId, configurationId, commandUuid: expectedCommandUuid } = assignment;
    // No version of a configuration: the reconciler finds that the device has to have it anew.
    const to = { ...assignment, version: 0 };
    const changed = { enrolmentId, configurationId, expectedCommandUuid, to, events: [] };
    if (!(await store.configurations.transition(changed))) return false;
    const at = clock.now();
    await store.configurations.mark({ enrolmentIds: [enrolmentId], at });
    // Last: what is cut off before is done once more.
    const data = { fingerprint, configurationId };
    await store.certificates.renewalBegun(fingerprint, at, {
      ...{ type: 'certificate.renewal-begun', at, enrolmentId, data },
    });
    return true;
  }

  async function renew({ id, settings }: Configuration): Promise<number> {
    const at = clock.now();
    const due = {
      ...{ credentialId: configurationCredential(id), at, limit: BATCH },
      windowMs: renewalWindowDays(settings, options.renewalWindowDays) * DAY,
      retryBefore: at - options.renewalTtlMs,
    };
    let count = 0;
    let endsAfter = 0;
    for (;;) {
      const batch = await store.certificates.dueOnDevices({ ...due, endsAfter });
      const assignments = await store.configurations.assignmentsOf(batch.map(({ deviceId }) => deviceId));
      let renewed = 0;
      for (const { fingerprint, deviceId } of batch) {
        const assignment = assignments.get(deviceId)?.find(({ configurationId }) => configurationId === id);
        if (await redeliver(assignment, fingerprint)) renewed++;
      }
      count += renewed;
      const last = batch.at(-1);
      if (last === undefined || batch.length < BATCH) return count;
      // What was renewed is no longer due; what could not be comes again the next time.
      endsAfter = renewed > 0 ? last.notAfter - 1 : last.notAfter;
    }
  }

  return async () => {
    const now = clock.now();
    const last = Number((await store.settings.get(SETTING)) ?? Number.NEGATIVE_INFINITY);
    if (now - last < options.renewalIntervalMs) return;
    let count = 0;
    for (const configuration of await store.configurations.list()) count += await renew(configuration);
    await store.settings.set(SETTING, String(now));
    if (count === 0) return;
    logger.info({ count }, 'identities of configurations are renewed');
    context.bus.poke();
    context.kick.reconciler();
  };
}
