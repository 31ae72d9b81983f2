// Renewing identities: finding certificates that are due, queueing their profiles, and the renewal-only path of expired ones.
import type { CommandResponse } from '@espalier/apple-mdm';
import type { Enrolment } from '../api/records.ts';
import type { NewCommand } from '../contracts/queue.ts';
import { buildCommand, enqueueCommands } from './commands.ts';
import type { Context } from './context.ts';
import type { RenewalOptions } from './options.ts';

/** The dedupe key of a queued renewal. */
export const RENEWAL_KEY = 'certificate-renewal';

/** The origin of renewals. */
export const RENEWAL_ORIGIN = 'renewal';

const MINUTE = 60_000;
const DAY = 86_400_000;
const BATCH = 200;
/** A device whose certificate has ended is offered a renewal this often at most. */
const OFFER_MS = 10 * MINUTE;

/** Renewals. */
export interface Renewals {
  /** Queues what is due, when it is time to look. */
  run(): Promise<void>;
  /** Queues one enrolment's renewal; false when there is none to queue. */
  renew(enrolmentId: string): Promise<boolean>;
  /** The renewal for a device that comes with an expired certificate, not by way of the queue; `null` for none now. */
  offer(enrolment: Enrolment, response: CommandResponse): Promise<Uint8Array | null>;
  /** Ends queued renewals: the enrolment has its new certificate. */
  settle(enrolmentId: string): Promise<void>;
}

/** Makes the renewals. */
export function createRenewals(context: Context, renewal: RenewalOptions | undefined): Renewals {
  const { store, clock, logger, options, vault } = context;
  const offered = new Map<string, number>();

  async function build(enrolment: Enrolment): Promise<NewCommand | null> {
    const ttlMs = options.renewalTtlMs;
    const profile = (await renewal?.profile({ enrolment, ttlMinutes: ttlMs / MINUTE })) ?? null;
    if (profile === null) return null;
    await vault.ready();
    return buildCommand(context, {
      requestType: 'InstallProfile',
      payload: { Payload: profile },
      dedupeKey: RENEWAL_KEY,
      onDuplicate: 'replace',
      expiresAt: clock.now() + ttlMs,
      origin: RENEWAL_ORIGIN,
      // The profile is the enrolment's own, not a configuration's: what follows is that the device holds what it says.
      followUp: true,
    });
  }

  async function begun(enrolment: Enrolment, commandUuid: string): Promise<void> {
    const { id: enrolmentId, certificateFingerprint: fingerprint } = enrolment;
    if (fingerprint === null) return;
    const at = clock.now();
    const data = { fingerprint, commandUuid };
    await store.certificates.renewalBegun(fingerprint, at, {
      ...{ type: 'certificate.renewal-begun', at, enrolmentId, data },
    });
  }

  async function renew(enrolmentId: string): Promise<boolean> {
    const enrolment = await store.enrolments.get(enrolmentId);
    if (enrolment?.channel !== 'device' || enrolment.status !== 'active') return false;
    const command = await build(enrolment);
    if (command === null) return false;
    const [queued = 0] = await enqueueCommands(context, [command], [enrolmentId]);
    // After the queue: a crash in between queues it once more, in the place of this one.
    if (queued > 0) await begun(enrolment, command.commandUuid);
    return queued > 0;
  }

  return {
    renew,

    async run() {
      if (renewal === undefined) return;
      const now = clock.now();
      const last = Number((await store.settings.get('core.renewals-at')) ?? Number.NEGATIVE_INFINITY);
      if (now - last < options.renewalIntervalMs) return;
      const window = Math.min(270, Math.max(1, options.renewalWindowDays));
      // Its command has ended after that time, one way or another.
      const due = { at: now, windowMs: window * DAY, retryBefore: now - options.renewalTtlMs, limit: BATCH };
      let endsAfter = now - options.renewalGraceDays * DAY;
      for (;;) {
        const batch = await store.certificates.dueForRenewal({ ...due, endsAfter });
        let renewed = 0;
        for (const { enrolmentId } of batch) {
          try {
            if (await renew(enrolmentId)) renewed++;
          } catch (error) {
            logger.error({ error, enrolmentId }, 'a renewal could not be queued');
          }
        }
        const last = batch.at(-1);
        if (last === undefined || batch.length < BATCH) break;
        // What was renewed is no longer due; what could not be comes again the next time, and holds up nothing now.
        endsAfter = renewed > 0 ? last.notAfter - 1 : last.notAfter;
      }
      await store.settings.set('core.renewals-at', String(now));
    },

    async offer(enrolment, response) {
      const at = clock.now();
      if (response.status !== 'Idle') {
        logger.info({ enrolmentId: enrolment.id, status: response.status }, 'a device answered its renewal');
        return null;
      }
      // The profile is the device's, also where a user's agent comes first.
      if (enrolment.channel !== 'device') return null;
      if (at - (offered.get(enrolment.id) ?? Number.NEGATIVE_INFINITY) < OFFER_MS) return null;
      const command = await build(enrolment);
      if (command === null) return null;
      offered.delete(enrolment.id);
      offered.set(enrolment.id, at);
      if (offered.size > 10_000) offered.delete(offered.keys().next().value as string);
      await begun(enrolment, command.commandUuid);
      return vault.read(command.body, { kind: 'command', key: [command.commandUuid] });
    },

    async settle(enrolmentId) {
      offered.delete(enrolmentId);
      const at = clock.now();
      await store.queue.end({ enrolmentIds: [enrolmentId], dedupeKey: RENEWAL_KEY, state: 'cancelled', at });
    },
  };
}
