// An organisation's devices as Apple knows them: computed from a seed, so that a million cost nothing until they change.
import { type DeviceKind, modelsOf } from '../catalogue.ts';
import { SimulatorError } from '../errors.ts';
import { createRandom } from '../random.ts';

/** A device that the organisation has bought. */
export interface OwnedDevice {
  readonly serialNumber: string;
  readonly kind: DeviceKind;
  /** `iPhone15,2` … */
  readonly productType: string;
  /** `IPHONE 15,2 128GB BLACK-USA`: the text on the order. */
  readonly description: string;
  readonly model: string;
  readonly color: string;
  readonly orderNumber: string;
  /** Epoch milliseconds. */
  readonly orderedAt: number;
}

/** A device to begin with that is not left to the seed, as one that really is going to enrol. */
export interface GivenDevice {
  readonly serialNumber: string;
  readonly kind: DeviceKind;
  readonly productType?: string;
}

/** What an organisation starts with. */
export interface OrganisationOptions {
  /** Default 0. The same seed gives the same devices. */
  readonly seed?: string | number;
  /** How many devices are computed. Default 0; up to 2^30. */
  readonly count?: number;
  /** Devices before the computed ones. */
  readonly devices?: readonly GivenDevice[];
  /** When the devices were ordered, epoch milliseconds. Default 2025-01-01. */
  readonly orderedAt?: number;
}

/** Devices by number (0, 1, 2 …) and by serial number. */
export interface Organisation {
  /** How many there are. */
  readonly size: number;
  /** The device with this number, below `size`. */
  device(number: number): OwnedDevice;
  /** The number of the device with this serial number; -1 when it is none of the organisation's. */
  find(serialNumber: string): number;
  /** Buys devices: as many more computed ones. Returns the number of the first. */
  buy(count: number): number;
}

const alphabet = '0123456789CDEFGHJKLMNPQRTVWXYZAB'; // 32 letters: five bits each
const space = 2 ** 30;
const kinds: readonly DeviceKind[] = ['iPhone', 'iPhone', 'iPhone', 'iPad', 'iPad', 'Mac', 'Mac', 'AppleTV'];
const colors = ['BLACK', 'SILVER', 'SPACE GRAY', 'BLUE', 'STARLIGHT'] as const;

/**
 * Makes an organisation.
 * @throws SimulatorError `simulator.option`.
 */
export function createOrganisation(options: OrganisationOptions = {}): Organisation {
  const { seed = 0, devices: given = [], orderedAt = Date.UTC(2025, 0, 1) } = options;
  let computed = options.count ?? 0;
  if (!Number.isInteger(computed) || computed < 0 || computed > space) {
    throw new SimulatorError('simulator.option', 'count must be a whole number up to 2^30');
  }
  const random = createRandom(`organisation/${seed}`);
  const prefix = random.text(4, 'CDFGHJKLMNPQRTVWXY');
  // n -> n * factor + offset is one to one below 2^30, because the factor is odd; so serial numbers look random.
  const factor = (random.int(2 ** 29) * 2 + 1) | 1;
  const inverse = inverseOf(factor);
  const offset = random.int(space);
  const numbers = new Map(given.map((device, index) => [device.serialNumber, index]));
  if (numbers.size !== given.length) throw new SimulatorError('simulator.option', 'two devices have one serial number');

  const serialOf = (index: number): string => {
    let value = (Math.imul(index, factor) + offset) & (space - 1);
    let text = '';
    for (let digit = 0; digit < 6; digit++) {
      text = alphabet[value & 31]! + text;
      value >>>= 5;
    }
    return prefix + text;
  };

  return {
    get size() {
      return given.length + computed;
    },
    device(number) {
      const own = given[number];
      const index = number - given.length;
      const kind = own?.kind ?? kinds[mix(index) % kinds.length]!;
      const models = modelsOf(kind);
      const model =
        models.find((item) => item.productName === own?.productType) ?? models[mix(index + 7) % models.length]!;
      const color = colors[mix(index + 13) % colors.length]!;
      const capacity = model.capacities[mix(index + 17) % model.capacities.length]!;
      return {
        serialNumber: own?.serialNumber ?? serialOf(index),
        kind,
        productType: own?.productType ?? model.productName,
        model: model.modelName,
        description: `${model.productName.toUpperCase()} ${capacity}GB ${color}-USA`,
        color,
        // Orders of fifty devices, a minute apart.
        orderNumber: `W${String(100_000_000 + Math.floor(Math.max(0, number) / 50))}`,
        orderedAt: orderedAt + Math.floor(number / 50) * 60_000,
      };
    },
    find(serialNumber) {
      const own = numbers.get(serialNumber);
      if (own !== undefined) return own;
      if (serialNumber.length !== 10 || !serialNumber.startsWith(prefix)) return -1;
      let value = 0;
      for (const letter of serialNumber.slice(4)) {
        const digit = alphabet.indexOf(letter);
        if (digit < 0) return -1;
        value = (value << 5) | digit;
      }
      const index = Math.imul(value - offset, inverse) & (space - 1);
      return index < computed ? given.length + index : -1;
    },
    buy(count) {
      const first = given.length + computed;
      if (!Number.isInteger(count) || count < 1 || computed + count > space) {
        throw new SimulatorError('simulator.option', 'count must be a whole number from 1, up to 2^30 in all');
      }
      computed += count;
      return first;
    },
  };
}

/** The inverse of an odd number modulo 2^32, by Newton's method. */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let step = 0; step < 5; step++) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

/** A number that looks random, from 0 (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
