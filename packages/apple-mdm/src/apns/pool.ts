// Push clients by topic: one connection for each push certificate, and certificates that are renewed while pushes go out.
import { type ApnsClient, type ApnsClientOptions, createApnsClient, type PushTarget } from './client.ts';
import type { PushOutcome } from './outcome.ts';

/** A push certificate that the pool sends with. */
export type ApnsIdentity = Pick<ApnsClientOptions, 'certificate' | 'privateKey' | 'topic'>;

/** Sends pushes of several topics, each over its own connection. */
export interface ApnsPool {
  /** Sends with the certificate of the target's topic; without one the push is `refused`. Never rejects. */
  push(target: PushTarget & { readonly topic: string }): Promise<PushOutcome>;
  /**
   * Adds a topic's certificate, or puts it in the place of the one before: from now on pushes take the new one, and those
   * under way finish over the old connection, which then closes.
   * @throws MdmError `mdm.apns.option`; nothing has changed then
   */
  use(identity: ApnsIdentity): void;
  /** The topics that have a certificate, in the order in which they were added. */
  topics(): readonly string[];
  /** Lets what is under way finish, refuses what comes after, and closes all connections. */
  close(): Promise<void>;
}

/**
 * Makes a pool of APNs clients, one for each topic.
 *
 * @throws MdmError `mdm.apns.option`
 * @example
 * const apns = createApnsPool({ identities: [{ topic, certificate, privateKey }] });
 * await apns.push({ token, pushMagic, topic });
 * apns.use(renewed); // the same topic, the next year's certificate
 */
export function createApnsPool(
  options: Omit<ApnsClientOptions, keyof ApnsIdentity> & { readonly identities?: readonly ApnsIdentity[] },
): ApnsPool {
  const { identities = [], ...shared } = options;
  const clients = new Map<string, ApnsClient>();
  const leaving = new Set<Promise<void>>();
  let closed = false;

  function use(identity: ApnsIdentity): void {
    const client = createApnsClient({ ...shared, ...identity });
    const before = clients.get(identity.topic);
    clients.set(identity.topic, client);
    if (before === undefined) return;
    const left = before.close().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  for (const identity of identities) use(identity);
  return {
    push(target) {
      if (closed) {
        return Promise.resolve({
          outcome: 'retry',
          reason: 'the client is closed',
          afterMs: 0,
          mayHaveBeenDelivered: false,
        });
      }
      const client = clients.get(target.topic);
      if (client !== undefined) return client.push(target);
      return Promise.resolve({ outcome: 'refused', reason: 'no push certificate for this topic' });
    },
    use,
    topics: () => [...clients.keys()],
    async close() {
      closed = true;
      await Promise.all([...[...clients.values()].map((client) => client.close()), ...leaving]);
    },
  };
}
