// Contract: events, in the order they were stored.
import type { Page } from '../api/common.ts';
import type { EngineEvent, EventType } from '../api/records.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** The event log. Other contracts append to it inside their own steps. */
export interface EventStore {
  append(events: readonly NewEvent[]): Promise<readonly EngineEvent[]>;
  list(
    query: { readonly enrolmentId?: string; readonly type?: EventType; readonly order: 'newest' | 'oldest' },
    page: StorePage,
  ): Promise<Page<EngineEvent>>;
  /** The highest `seq` so far, 0 when there is none. */
  lastSeq(): Promise<number>;
  /**
   * Events with `seq` above `seq`, in order: for followers. An event never becomes visible after one with a higher
   * `seq` was, so that a follower that goes on from the last `seq` it saw misses none.
   */
  since(seq: number, limit: number): Promise<readonly EngineEvent[]>;
  /**
   * Deletes up to `limit` events older than `before`, oldest first; one whose time is out of the order of `seq` may stay behind one
   * that is kept. Returns how many.
   */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
