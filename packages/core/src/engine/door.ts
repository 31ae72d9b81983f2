// Letting a device in by its certificate: the one it is pinned to, or one that was issued to it since.
import type { DeviceIdentity } from '../api/engine.ts';
import { cameBack } from '../lifecycle/phases.ts';
import { profileArrived } from '../mdm-profile/service.ts';
import type { Context } from './context.ts';
import { refuse } from './refuse.ts';
import type { Renewals } from './renewal.ts';

/** An enrolment as a message names it. */
export interface Caller {
  readonly id: string;
  /** The device channel's id, on a user channel. */
  readonly parent?: string | null | undefined;
}

/** Runs steps that check the pin. */
export interface Door {
  /**
   * Runs a step. Where the certificate is not the pin and yet was issued to this enrolment (a renewal), it becomes the
   * pin, the earlier one is superseded (CERT-14), and the step runs again. Else the refusal is recorded and thrown.
   * @throws CoreError `core.enrolment.identity_mismatch`, `.certificate_revoked`, `.certificate_expired`, `.unknown`
   */
  pass<T extends { readonly outcome: string }>(
    caller: Caller,
    identity: DeviceIdentity,
    step: () => Promise<T>,
    options?: {
      /** The message answers a command, which may be the very renewal. */
      readonly answers?: boolean;
      /** Let an expired certificate through: for renewals alone. */
      readonly expired?: boolean;
    },
  ): Promise<Exclude<T, { readonly outcome: 'unknown' | 'identity-mismatch' }>>;
}

/** Makes the door. */
export function createDoor(context: Context, renewals: Renewals): Door {
  const { store, clock, bus, logger } = context;

  async function adopt(id: string, { fingerprint, source }: DeviceIdentity): Promise<boolean> {
    const at = clock.now();
    const before = await store.enrolments.get(id);
    const data = { fingerprint, replaces: before?.certificateFingerprint ?? null, source };
    const { outcome } = await store.enrolments.adopt({
      id,
      certificateFingerprint: fingerprint,
      at,
      events: [{ type: 'certificate.renewed', at, enrolmentId: id, data }],
    });
    if (outcome === 'refused') {
      // Somebody else may have done it at the same moment: another request of this device.
      return (await store.enrolments.get(id))?.certificateFingerprint === fingerprint;
    }
    // The identity came with the profile, whose answer may never come.
    await profileArrived(context, id);
    bus.poke();
    logger.info({ enrolmentId: id, fingerprint }, 'a device uses its renewed certificate');
    return true;
  }

  return {
    async pass(caller, identity, step, { answers = false, expired = false } = {}) {
      type Passed = Exclude<Awaited<ReturnType<typeof step>>, { readonly outcome: 'unknown' | 'identity-mismatch' }>;
      if (identity.expired === true && !expired) throw await refuse(context, 'expired', caller.id, identity);
      let result = await step();
      if (result.outcome === 'identity-mismatch' && identity.expired !== true) {
        const device = caller.parent ?? caller.id;
        if (await adopt(device, identity)) {
          // A renewal that waits is of no use any more; one that is being answered ends by its answer.
          if (!answers) await renewals.settle(device);
          result = await step();
          if (answers) await renewals.settle(device);
        }
      }
      if (result.outcome === 'unknown' && identity.expired !== true && (await cameBack(context, caller, identity))) {
        result = await step();
      }
      const { outcome } = result;
      if (outcome === 'unknown' || outcome === 'identity-mismatch') {
        throw await refuse(context, outcome, caller.id, identity);
      }
      return result as Passed;
    },
  };
}
