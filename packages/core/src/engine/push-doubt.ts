// Whether Apple's word on a device token is believed. A server that asks the wrong one of Apple's two push services
// (sandbox for production) hears BadDeviceToken for every device: it must not silence its fleet by that.
import type { PushResult } from './options.ts';

/** Believes or doubts what push services say of tokens. */
export interface PushDoubt {
  /** What is to be made of results, and which topics are doubted. */
  judge(results: readonly { readonly topic: string; readonly result: PushResult }[]): {
    /** In the order of the results: whether the token is dead for sure. */
    readonly dead: readonly boolean[];
    /** Topics with tokens that are not believed to be bad. */
    readonly doubted: readonly { readonly topic: string; readonly bad: number; readonly delivered: number }[];
  };
}

/** The last results of a topic that count. */
const WINDOW = 200;
/** The device itself told Apple that it is gone: HTTP 410. */
const CERTAIN = new Set(['Unregistered', 'ExpiredToken', 'not a device token']);

/**
 * A token is dead when Apple says that it was unregistered, or calls it bad while most pushes of the same topic are
 * delivered. Kept per process: after a start, nothing is known, and so nothing but the certain is believed.
 */
export function createPushDoubt(): PushDoubt {
  const windows = new Map<string, boolean[]>();
  const bad = ({ outcome, ...rest }: PushResult): boolean =>
    outcome === 'token-dead' && !CERTAIN.has((rest as { readonly reason: string }).reason);
  return {
    judge(results) {
      for (const { topic, result } of results) {
        if (!bad(result) && result.outcome !== 'delivered') continue;
        const window = windows.get(topic) ?? [];
        window.push(result.outcome === 'delivered');
        if (window.length > WINDOW) window.shift();
        windows.set(topic, window);
      }
      const counts = new Map<string, { bad: number; delivered: number }>();
      for (const [topic, window] of windows) {
        const delivered = window.filter(Boolean).length;
        counts.set(topic, { delivered, bad: window.length - delivered });
      }
      const believed = (topic: string): boolean => {
        const count = counts.get(topic);
        return count !== undefined && count.delivered > count.bad;
      };
      const doubted = new Set(results.flatMap(({ topic, result }) => (bad(result) && !believed(topic) ? topic : [])));
      return {
        dead: results.map(({ topic, result }) => result.outcome === 'token-dead' && (!bad(result) || believed(topic))),
        doubted: [...doubted].map((topic) => ({ topic, ...counts.get(topic)! })),
      };
    },
  };
}
