// Pushing with the certificate in the store: the client is made anew when another process imports another one.
import type { PushIdentity } from '../api/push-certificates.ts';
import type { Context } from '../engine/context.ts';
import type { Pusher } from '../engine/options.ts';
import type { PushCertificateService } from './service.ts';

/** A pusher that can be closed. */
export interface ClosablePusher extends Pusher {
  close(): Promise<void>;
}

/** How often the store is asked whether the certificate is still the same. */
const LOOK_MS = 5_000;

/** Makes the pusher. */
export function createStoredPusher(
  context: Context,
  certificates: PushCertificateService,
  open: (identity: PushIdentity) => ClosablePusher,
): ClosablePusher {
  const { clock, logger } = context;
  let client: { readonly fingerprint: string; readonly topic: string; readonly pusher: ClosablePusher } | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const info = await certificates.get();
    if (info?.fingerprint !== client?.fingerprint) {
      const identity = info === null ? null : await certificates.identity();
      const before = client;
      client =
        info === null || identity === null
          ? null
          : { fingerprint: info.fingerprint, topic: identity.topic, pusher: open(identity) };
      // Not waited for: what is under way there may take long, and nobody here needs it.
      before?.pusher.close().catch((error: unknown) => logger.warn({ error }, 'closing a push client failed'));
    }
    lookedAt = clock.now();
  }

  return {
    async push(target) {
      if (clock.now() - lookedAt >= LOOK_MS) {
        looking ??= look().finally(() => {
          looking = null;
        });
        await looking;
      }
      if (client === null) return { outcome: 'refused', reason: 'there is no push certificate' };
      // Apple's word for it would be that the token is dead, and it is not.
      if (target.topic !== client.topic)
        return { outcome: 'refused', reason: 'the push certificate has another topic' };
      return await client.pusher.push(target);
    },
    async close() {
      const before = client;
      client = null;
      lookedAt = Number.NEGATIVE_INFINITY;
      await before?.pusher.close();
    },
  };
}
