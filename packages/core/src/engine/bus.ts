// Tells listeners of stored events, in their order, by following the log.
import type { EngineEvent } from '../api/records.ts';
import type { EventStore } from '../contracts/events.ts';
import type { Logger } from './options.ts';

/** Follows the event log for listeners. */
export interface EventBus {
  subscribe(listener: (event: EngineEvent) => void): () => void;
  /** Something was stored: tell the listeners soon. */
  poke(): void;
  /** Tells the listeners of everything stored so far. */
  flush(): Promise<void>;
}

/** Makes the bus. Without listeners it costs nothing. */
export function createEventBus(events: EventStore, logger: Logger): EventBus {
  const listeners = new Set<(event: EngineEvent) => void>();
  let position: Promise<number> | null = null;
  let running: Promise<void> | null = null;
  let again = false;

  async function deliver(): Promise<void> {
    do {
      again = false;
      if (position === null || listeners.size === 0) return;
      let seq = await position;
      for (;;) {
        const batch = await events.since(seq, 500);
        for (const event of batch) {
          seq = event.seq;
          for (const listener of listeners) {
            try {
              listener(event);
            } catch (error) {
              logger.error({ error, type: event.type, seq: event.seq }, 'an event listener failed');
            }
          }
        }
        position = Promise.resolve(seq);
        if (batch.length === 0) break;
      }
    } while (again);
  }

  function run(): Promise<void> {
    again = true;
    running ??= deliver().finally(() => {
      running = null;
    });
    return running;
  }

  return {
    subscribe(listener) {
      if (listeners.size === 0) {
        position = events.lastSeq();
        // Awaited in `deliver`, where a failure is reported.
        position.catch(() => {
          position = null;
        });
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    poke() {
      if (listeners.size === 0) return;
      run().catch((error: unknown) => logger.error({ error }, 'following the event log failed'));
    },
    flush: run,
  };
}
