// Refusals as events, rate-limited: who knocks on the door for fun must not fill the store.

import type { Clock } from '../api/common.ts';
import type { DoorRefusal } from '../api/engine.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Store } from '../contracts/store.ts';
import type { EventBus } from './bus.ts';
import type { Logger } from './options.ts';

/** Decides which refusals are kept. */
export interface DoorLog {
  /** Keeps the event unless too many of its kind were kept; the next one that is kept says how many were not. */
  keep(event: NewEvent, about: string): Promise<void>;
  /** For hosts: as {@link DoorLog.keep} for `door.refused`; never rejects. */
  refused(refusal: DoorRefusal): Promise<void>;
}

const HOUR = 3_600_000;
/** Of one kind about one device, certificate or address, within an hour. */
const SAME = 5;
const MOST_KEYS = 10_000;
const MOST_TEXT = 200;

/** Makes the log; `perHour` bounds what one process keeps. */
export function createDoorLog(store: Store, bus: EventBus, clock: Clock, logger: Logger, perHour: number): DoorLog {
  let hour = Number.NEGATIVE_INFINITY;
  let kept = 0;
  let suppressed = 0;
  const counts = new Map<string, number>();

  /** Whether one more may be kept. */
  function admits(key: string): boolean {
    const now = Math.floor(clock.now() / HOUR);
    if (now !== hour) {
      hour = now;
      kept = 0;
      counts.clear();
    }
    const count = counts.get(key) ?? 0;
    if (kept >= perHour || count >= SAME || (count === 0 && counts.size >= MOST_KEYS)) {
      suppressed++;
      return false;
    }
    counts.set(key, count + 1);
    kept++;
    return true;
  }

  async function keep(event: NewEvent, about: string): Promise<void> {
    if (!admits(`${event.type} ${about}`)) return;
    const data = suppressed === 0 ? event.data : { ...event.data, suppressed };
    suppressed = 0;
    await store.events.append([{ ...event, data }]);
    bus.poke();
  }

  return {
    keep,
    async refused({ code, address, enrolmentId, fingerprint }) {
      const about = { enrolmentId, fingerprint, address };
      const data = Object.fromEntries(
        Object.entries(about).flatMap(([name, text]) => (text === undefined ? [] : [[name, text.slice(0, MOST_TEXT)]])),
      );
      const event = { type: 'door.refused', at: clock.now(), enrolmentId: null, data: { code, ...data } } as const;
      try {
        await keep(event, `${code} ${enrolmentId ?? fingerprint ?? address ?? ''}`);
      } catch (error) {
        // The refusal stands, whether it can be written down or not.
        logger.warn({ error, code }, 'a refusal could not be kept');
      }
    },
  };
}
