// The watch over the push certificate's end: an event at each threshold, once, and a gauge.
import type { PushCertificates } from '../api/push-certificates.ts';
import type { Context } from '../engine/context.ts';
import type { Metrics } from '../metrics/types.ts';

const DAY = 86_400_000;
/** Days before the end at which an event is written. */
const THRESHOLDS = [30, 14, 7, 3, 1, 0] as const;
/** Which threshold was told last, of which certificate: `fingerprint days`. */
const SETTING = 'core.push-certificate.told';

/** Makes the watch: writes an event when another threshold has been passed. For the housekeeping. */
export function createPushCertificateWatch(context: Context, certificates: PushCertificates): () => Promise<void> {
  const { store, clock, logger } = context;
  return async () => {
    const current = await certificates.get();
    if (current === null) return;
    const at = clock.now();
    const days = (current.notAfter - at) / DAY;
    const passed = THRESHOLDS.findLast((threshold) => days <= threshold);
    if (passed === undefined) return;
    const told = `${current.fingerprint} ${passed}`;
    if ((await store.settings.get(SETTING)) === told) return;
    const { topic, notAfter, fingerprint } = current;
    const daysLeft = Math.max(0, Math.floor(days));
    const type = passed === 0 ? 'push-certificate.expired' : 'push-certificate.expiring';
    // The event first: after a crash in between it is there twice rather than never.
    await store.events.append([{ type, at, enrolmentId: null, data: { topic, fingerprint, notAfter, daysLeft } }]);
    await store.settings.set(SETTING, told);
    logger.warn(
      { topic, notAfter, daysLeft },
      passed === 0 ? 'the push certificate has expired' : 'the push certificate is about to expire',
    );
  };
}

/** Shows when the push certificate ends. */
export function measurePushCertificate(metrics: Metrics, context: Context, certificates: PushCertificates): void {
  const gauge = metrics.gauge({
    name: 'espalier_push_certificate_expiry_seconds',
    help: 'Seconds until the push certificate ends; negative after its end, absent where none was imported.',
  });
  metrics.onCollect(async () => {
    try {
      const current = await certificates.get();
      if (current === null) gauge.clear();
      else gauge.set((current.notAfter - context.clock.now()) / 1000);
    } catch (error) {
      gauge.clear();
      context.logger.warn({ error }, 'the push certificate could not be looked up');
    }
  });
}
