// What a source's page means for the store: one change for each serial number.
import type { AdeSourceDevice } from '../api/ade.ts';
import type { AdeChange } from '../contracts/ade.ts';

/** What is about one message and not about the device. */
const passing = new Set(['op_type', 'op_date', 'response_status']);

/** The changes of a page, each serial number once: the latest; and how many records cannot be kept. */
export function changesOf(
  devices: readonly AdeSourceDevice[],
  choose: (device: AdeSourceDevice) => string | null,
): { readonly changes: readonly AdeChange[]; readonly unusable: number } {
  const changes = new Map<string, AdeChange>();
  let unusable = 0;
  for (const device of devices) {
    const serialNumber = device.serial_number;
    if (!/^[\x21-\x7e]{1,64}$/.test(serialNumber)) {
      unusable++;
      continue;
    }
    const at = timeOf(device.op_date);
    const other = changes.get(serialNumber);
    if (other?.at != null && at !== null && at < other.at) continue;
    const deleted = device.op_type === 'deleted';
    changes.set(serialNumber, {
      serialNumber,
      deleted,
      at,
      record: Object.fromEntries(Object.entries(device).filter(([key]) => !passing.has(key))),
      profileUuid: device.profile_uuid ?? null,
      profileStatus: device.profile_status ?? 'empty',
      wantedProfileUuid: deleted ? null : choose(device),
    });
  }
  return { changes: [...changes.values()], unusable };
}

function timeOf(date: string | undefined): number | null {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? null : time;
}
