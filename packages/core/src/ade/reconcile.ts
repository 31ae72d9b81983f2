// What Apple's list says of enrolled devices, as facts: whether they are in it, and what was staged for them.
import type { FactValue } from '../api/common.ts';
import type { Enrolment } from '../api/records.ts';
import type { Context } from '../engine/context.ts';
import type { LabelService } from '../engine/labels.ts';
import type { RegistrationService } from '../engine/registrations.ts';

/** The search token of "DEP Device": the serial number is in the list of an account. */
export const LISTED_FACT = 'ios.dep_device';

/** Keeps the facts of enrolled devices as the lists have them. */
export interface AdeReconciler {
  /**
   * Devices are in an account's list now, or (`listed` false) not any more. Called before a page is committed, so that it
   * happens again when the page does.
   */
  listed(accountId: string, serialNumbers: readonly string[], listed: boolean): Promise<void>;
  /** The facts that a device gets with its enrolment; `first`: whose it is and what is staged for it, too. */
  factsFor(
    serialNumber: string,
    first: boolean,
    enrolment: Pick<Enrolment, 'id' | 'invitationId'>,
  ): Promise<Readonly<Record<string, FactValue>>>;
}

/** Makes it. */
export function createAdeReconciler(
  { store, clock }: Context,
  labels: LabelService,
  registrations: Pick<RegistrationService, 'factsFor'>,
): AdeReconciler {
  const isListed = async (serialNumber: string, except: string): Promise<boolean> =>
    (await store.ade.findDevice(serialNumber)).some(({ goneAt, accountId }) => goneAt === null && accountId !== except);

  return {
    async listed(accountId, serialNumbers, listed) {
      if (serialNumbers.length === 0) return;
      for (const { serialNumber, enrolmentId } of await store.ade.enrolled(serialNumbers)) {
        // Another account may list what this one does not.
        const value = listed || (await isListed(serialNumber, accountId));
        const facts = { [LISTED_FACT]: value };
        const report = { enrolmentId, at: clock.now(), facts, complete: false, event: null };
        const applied = await store.inventory.apply(report);
        if (applied === null || applied.changed.length === 0) continue;
        await labels.evaluateDevices([enrolmentId], applied.changed, 'ade');
      }
    },

    async factsFor(serialNumber, first, enrolment) {
      const known = await store.ade.findDevice(serialNumber);
      const facts: Record<string, FactValue> = {};
      // Of a device that no account ever listed nothing is said.
      if (known.length > 0) facts[LISTED_FACT] = known.some(({ goneAt }) => goneAt === null);
      if (!first) return facts;
      Object.assign(facts, await registrations.factsFor(serialNumber, enrolment));
      const staged = await store.ade.staged(serialNumber.toUpperCase());
      for (const [name, value] of Object.entries(staged)) facts[`device.custom.${name}`] = value;
      return facts;
    },
  };
}
