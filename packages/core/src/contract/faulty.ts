// Fault injection: a store whose calls fail, or take their time, as a plan says.
import type { Store } from '../contracts/store.ts';
import { CoreError } from '../errors.ts';

/** One call of a store method. */
export interface StoreCall {
  /** `queue.poll`, `enrolments.tokenUpdate` … */
  readonly name: string;
  /** Which call it is, from 0, over all methods. */
  readonly index: number;
  /** Which call of this method it is, from 0. */
  readonly count: number;
}

/**
 * What happens to a call: it goes through, it fails before it did anything, it fails after it did everything (the answer
 * was lost), or it takes its time.
 */
export type Fault = 'none' | 'before' | 'after' | { readonly delay: () => Promise<void> };

/** Decides for each call. */
export type FaultPlan = (call: StoreCall) => Fault;

/** The error of an injected fault. */
export function injectedFault(name: string): CoreError {
  return new CoreError('core.store.injected', 'unavailable', `an injected fault in ${name}`);
}

/**
 * Wraps a store so that its calls fail as the plan says. `close` never fails.
 *
 * @example
 * const store = faultyStore(createMemoryStore(), ({ name }) => (name === 'queue.poll' ? 'after' : 'none'));
 */
export function faultyStore(store: Store, plan: FaultPlan): Store {
  let index = 0;
  const counts = new Map<string, number>();

  async function call(name: string, run: () => Promise<unknown>): Promise<unknown> {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    const fault = plan({ name, index: index++, count });
    if (fault === 'before') throw injectedFault(name);
    if (typeof fault === 'object') await fault.delay();
    const result = await run();
    if (fault === 'after') throw injectedFault(name);
    return result;
  }

  function wrap<T extends object>(domain: string, methods: T): T {
    return new Proxy(methods, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== 'function') return method;
        return (...values: unknown[]) => call(`${domain}.${String(key)}`, () => Reflect.apply(method, target, values));
      },
    });
  }

  return {
    enrolments: wrap('enrolments', store.enrolments),
    queue: wrap('queue', store.queue),
    push: wrap('push', store.push),
    certificates: wrap('certificates', store.certificates),
    credentials: wrap('credentials', store.credentials),
    scepRequests: wrap('scepRequests', store.scepRequests),
    registrations: wrap('registrations', store.registrations),
    acme: wrap('acme', store.acme),
    secrets: wrap('secrets', store.secrets),
    inventory: wrap('inventory', store.inventory),
    labels: wrap('labels', store.labels),
    configurations: wrap('configurations', store.configurations),
    declarations: wrap('declarations', store.declarations),
    ade: wrap('ade', store.ade),
    events: wrap('events', store.events),
    settings: wrap('settings', store.settings),
    invitations: wrap('invitations', store.invitations),
    ...(store.search === undefined ? {} : { search: wrap('search', store.search) }),
    close: () => store.close(),
  };
}
