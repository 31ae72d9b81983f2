// Devices that did not renew in time: nothing lets them in any more, so they are retired and have to enrol again (CERT-14).
import type { Context } from './context.ts';

/** When it was last looked, and until when nobody is retired, as `last postponed`. */
const SETTING = 'core.lapse';
const DAY = 86_400_000;
/** A clock that jumps, or a server that was off, must not retire a fleet before anybody has seen it. */
const POSTPONE_MS = 7 * DAY;
const BATCH = 500;

/** Makes the step of the housekeeping: once a day, it retires who lapsed. */
export function createLapse(context: Context): () => Promise<void> {
  const { store, clock, options, logger, bus } = context;

  async function retire(enrolmentId: string, fingerprint: string): Promise<void> {
    const at = clock.now();
    const data = { cause: 'certificate-lapsed', fingerprint };
    const ended = await store.enrolments.end({
      ...{ id: enrolmentId, status: 'retired', from: ['pending', 'active'], at, cause: 'retired' },
      events: [{ type: 'enrolment.retired', at, enrolmentId, data }],
    });
    if (ended === null) return;
    logger.info({ enrolmentId, fingerprint }, 'a device did not renew its certificate in time, and is retired');
    bus.poke();
    await context.ended(enrolmentId);
  }

  return async () => {
    if (!options.retireLapsed) return;
    const now = clock.now();
    const [last = 0, postponed = 0] = ((await store.settings.get(SETTING)) ?? '').split(' ').map(Number);
    if (now - last < DAY && now >= last) return;
    // Also the first time ever: it is not known what was before.
    const until = now - last > 3 * DAY || now < last ? now + POSTPONE_MS : postponed;
    await store.settings.set(SETTING, `${now} ${until}`);
    if (now < until) return;
    const before = now - options.renewalGraceDays * DAY;
    for (;;) {
      const batch = await store.certificates.lapsed({ before, at: now, limit: BATCH });
      for (const { enrolmentId, fingerprint } of batch) await retire(enrolmentId, fingerprint);
      if (batch.length < BATCH) return;
    }
  };
}
