// Slows down guessing (REG-5): after a number of failures a client is locked out for a while, without being checked.
import { HostError } from '../errors.ts';

/** When a client is locked out, and for how long. */
export interface LockoutRule {
  /** The lock falls after this many failures (REG-5: 6). */
  readonly maxFailures: number;
  /** How long it holds, in milliseconds (REG-5: 30,000). */
  readonly lockMs: number;
  /** Failures older than this are forgotten, in milliseconds. */
  readonly windowMs: number;
}

/** A rule per client address, and one over all clients together. */
export interface LockoutRules {
  readonly client: LockoutRule;
  readonly global: LockoutRule;
}

/** REG-5's numbers per client; over all clients, sixty failures in ten minutes close the door for five. */
export const defaultLockout: LockoutRules = {
  client: { maxFailures: 6, lockMs: 30_000, windowMs: 600_000 },
  global: { maxFailures: 60, lockMs: 300_000, windowMs: 600_000 },
};

/** Counts failures in memory, per process. */
export interface Limiter {
  /** Runs the attempt, unless the client is locked out. A rejection for which `counts` holds is a failure. */
  guard<T>(address: string, attempt: () => Promise<T>, counts: (error: unknown) => boolean): Promise<T>;
}

interface Tally {
  failures: number;
  /** Attempts under way. With the failures they stay below the limit, so that many at once cannot outrun the count. */
  pending: number;
  firstAt: number;
  lockedUntil: number;
  /** Whoever waits for an attempt to end: many devices may share one address, and need not be wrong. */
  waiting: (() => void)[];
}

/** At most this many clients are remembered; the one longest unseen goes first. */
const MAX_CLIENTS = 10_000;

/**
 * A limiter for one kind of secret.
 * @throws (from `guard`) HostError `host.locked` (429 with `Retry-After`), besides what the attempt throws.
 */
export function createLimiter(rules: LockoutRules, now: () => number): Limiter {
  const clients = new Map<string, Tally>();
  const everyone = newTally();

  function remember(key: string): Tally {
    const tally = clients.get(key) ?? newTally();
    clients.delete(key);
    clients.set(key, tally);
    if (clients.size > MAX_CLIENTS) clients.delete(clients.keys().next().value as string);
    return tally;
  }

  /** Takes a place among the attempts under way, as soon as there is one. */
  async function enter(key: string): Promise<Tally> {
    for (;;) {
      const client = remember(key);
      const full = [everyone, client].find((tally) =>
        isFull(tally, tally === client ? rules.client : rules.global, now()),
      );
      if (full === undefined) {
        client.pending += 1;
        everyone.pending += 1;
        return client;
      }
      await new Promise<void>((resolve) => full.waiting.push(resolve));
    }
  }

  function leave(tally: Tally): void {
    tally.pending -= 1;
    for (const wake of tally.waiting.splice(0)) wake();
  }

  return {
    async guard(address, attempt, counts) {
      const key = clientKey(address);
      const client = await enter(key);
      try {
        const result = await attempt();
        client.failures = 0;
        return result;
      } catch (error) {
        if (counts(error)) {
          fail(client, rules.client, now());
          fail(everyone, rules.global, now());
        }
        throw error;
      } finally {
        leave(client);
        leave(everyone);
        const idle = client.failures === 0 && client.pending === 0 && client.lockedUntil <= now();
        if (idle && clients.get(key) === client) clients.delete(key);
      }
    },
  };
}

function newTally(): Tally {
  return { failures: 0, pending: 0, firstAt: 0, lockedUntil: 0, waiting: [] };
}

function fail(tally: Tally, rule: LockoutRule, at: number): void {
  if (tally.failures === 0 || at - tally.firstAt > rule.windowMs) {
    tally.failures = 0;
    tally.firstAt = at;
  }
  tally.failures += 1;
  if (tally.failures < rule.maxFailures) return;
  tally.failures = 0;
  tally.lockedUntil = at + rule.lockMs;
}

/** Whether an attempt has to wait for another to end. @throws HostError `host.locked` during a lock */
function isFull(tally: Tally, rule: LockoutRule, at: number): boolean {
  if (tally.failures > 0 && at - tally.firstAt > rule.windowMs) tally.failures = 0;
  const seconds = Math.ceil((tally.lockedUntil - at) / 1000);
  if (seconds > 0) {
    const wait = seconds === 1 ? 'one second' : `${seconds} seconds`;
    throw new HostError('unavailable', 'host.locked', `Too many failed attempts. Try again in ${wait}.`, {
      status: 429,
      headers: { 'retry-after': String(seconds) },
    });
  }
  return tally.pending > 0 && tally.failures + tally.pending >= rule.maxFailures;
}

/** An IPv6 client commonly owns a whole /64; counting single addresses would not slow it down. */
function clientKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
