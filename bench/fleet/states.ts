// What the devices of a large fleet remember between two visits: packed, outside of the heap.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { DeviceState } from '@espalier/simulator';

/** States by number. */
export interface PackedStates {
  set(index: number, state: DeviceState): void;
  get(index: number): DeviceState;
}

/** Makes an empty one. The first state is the dictionary of the others, which differ little from it. */
export function createPackedStates(): PackedStates {
  const held: Buffer[] = [];
  let dictionary: Buffer | undefined;
  const options = () => ({ level: 1, ...(dictionary === undefined ? {} : { dictionary }) });
  return {
    set(index, state) {
      const text = Buffer.from(JSON.stringify(state));
      dictionary ??= text.subarray(0, 32_768);
      held[index] = deflateRawSync(text, options());
    },
    get(index) {
      const packed = held[index];
      if (packed === undefined) throw new Error(`there is no device ${index}`);
      return JSON.parse(inflateRawSync(packed, options()).toString()) as DeviceState;
    },
  };
}
