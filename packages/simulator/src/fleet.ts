// A fleet: many devices of different kinds, all from one seed.
import { type DeviceKind, platformOf, versionsOf } from './catalogue.ts';
import { createSimulatedDevice } from './device/device.ts';
import type { DeviceEnvironment, SimulatedDevice } from './device/types.ts';
import { SimulatorError } from './errors.ts';
import { createKeyPool } from './key-pool.ts';
import { createRandom } from './random.ts';

/** Shares of the kinds; they need not add up to anything. */
export type FleetMix = { readonly [K in DeviceKind]?: number };

/** Options of {@link createFleet}; the rest is every device's environment. */
export interface FleetOptions extends Omit<DeviceEnvironment, 'transport'> {
  readonly count: number;
  /** Default: 12 iPhones, 6 iPads, 6 Macs, 1 Apple TV in 25. */
  readonly mix?: FleetMix;
  /** Share of devices other than Macs that are supervised (default 0.4). */
  readonly supervisedShare?: number;
  /** All have the newest system that the simulator knows, as some ways to enrol need (default: any that fits the model). */
  readonly newestSystems?: boolean;
}

const usualMix: FleetMix = { iPhone: 12, iPad: 6, Mac: 6, AppleTV: 1 };
const kinds: readonly DeviceKind[] = ['iPhone', 'iPad', 'Mac', 'AppleTV', 'Watch', 'VisionPro'];

/**
 * Makes a fleet. The same seed and count give the same devices; the kinds are as close to the mix as whole devices
 * can be, in an order that the seed decides. Keys come from one shared pool.
 *
 * @throws SimulatorError `simulator.option`
 * @example
 * const fleet = createFleet({ count: 200, seed: 'demo', trustedRoots: [root], apns });
 * await runLimited(fleet, 16, (device) => device.enrol(profileUrl));
 * @example
 * const fleet = createFleet({ count: 50, mix: { iPad: 1 }, deviceAuthority, trustedRoots: [root] });
 * await runLimited(fleet, 8, (ipad) => ipad.enrol({ type: 'ade', profile: { url, is_multi_user: true } }));
 */
export function createFleet(options: FleetOptions): SimulatedDevice[] {
  const { count, mix = usualMix, supervisedShare = 0.4, seed = 'fleet', newestSystems, ...environment } = options;
  if (!Number.isInteger(count) || count < 0)
    throw new SimulatorError('simulator.option', 'count must be a whole number');
  const random = createRandom(seed);
  const order = shuffle(shareOut(count, mix), random.fork('order'));
  const keyPool = environment.keyPool ?? createKeyPool();
  const traits = random.fork('traits');
  return order.map((kind, index) =>
    createSimulatedDevice({
      ...environment,
      kind,
      seed: `${seed}/${index}`,
      ...(newestSystems === true ? { osVersion: versionsOf(platformOf(kind)).at(-1)! } : {}),
      supervised: kind !== 'Mac' && traits.next() < supervisedShare,
      keyPool,
    }),
  );
}

/** Largest remainders: whole numbers that add up to `count`. */
function shareOut(count: number, mix: FleetMix): DeviceKind[] {
  const shares = kinds.map((kind) => Math.max(0, mix[kind] ?? 0));
  const whole = shares.reduce((sum, share) => sum + share, 0);
  if (!(whole > 0)) throw new SimulatorError('simulator.option', 'the mix names no kind of device');
  const exact = shares.map((share) => (share / whole) * count);
  const counts = exact.map(Math.floor);
  const byRemainder = kinds.map((_, i) => i).sort((a, b) => exact[b]! - counts[b]! - (exact[a]! - counts[a]!) || a - b);
  let missing = count - counts.reduce((sum, n) => sum + n, 0);
  for (const index of byRemainder) {
    if (missing-- <= 0) break;
    counts[index]!++;
  }
  return kinds.flatMap((kind, index) => Array<DeviceKind>(counts[index]!).fill(kind));
}

function shuffle<T>(items: T[], random: { int(below: number): number }): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
