// How long the store takes: a store that measures each call of another one.
import type { Store } from '../contracts/store.ts';
import type { Metrics } from './types.ts';

/**
 * Wraps a store so that the time of each call is recorded in `espalier_store_call_duration_seconds`, by `call`
 * (`queue.poll`, `events.append` …) and `outcome` (`ok`, `failed`).
 *
 * @example
 * const store = measureStore(createMemoryStore(), metrics);
 */
export function measureStore(store: Store, metrics: Metrics): Store {
  const duration = metrics.histogram({
    name: 'espalier_store_call_duration_seconds',
    help: 'Time that calls of the store took, by call and outcome.',
    labels: ['call', 'outcome'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
  });

  async function measured(method: Method, target: object, input: unknown[], ok: Labels, failed: Labels) {
    const seconds = metrics.time();
    try {
      const result: unknown = await Reflect.apply(method, target, input);
      duration.record(seconds(), ok);
      return result;
    } catch (error) {
      duration.record(seconds(), failed);
      throw error;
    }
  }

  function wrap<T extends object>(domain: string, methods: T): T {
    const made = new Map<PropertyKey, { readonly method: unknown; readonly wrapped: unknown }>();
    return new Proxy(methods, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        const kept = made.get(key);
        // A method that was replaced meanwhile is wrapped anew.
        if (kept !== undefined && kept.method === method) return kept.wrapped;
        if (typeof method !== 'function') return method;
        const call = `${domain}.${String(key)}`;
        const ok = { call, outcome: 'ok' };
        const failed = { call, outcome: 'failed' };
        const wrapped = (...input: unknown[]) => measured(method as Method, target, input, ok, failed);
        made.set(key, { method, wrapped });
        return wrapped;
      },
    });
  }

  // A domain that a later release adds is measured like the others.
  const domains = Object.entries(store).map(([name, domain]: [string, unknown]) => [
    name,
    typeof domain === 'object' && domain !== null ? wrap(name, domain) : domain,
  ]);
  return { ...(Object.fromEntries(domains) as Store), close: () => store.close() };
}

type Method = (...input: unknown[]) => unknown;
type Labels = { readonly call: string; readonly outcome: string };
