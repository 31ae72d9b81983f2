// What a source's page means for the store: one change for each serial number.
import type { AdeSourceDevice } from '../api/ade.ts';
import type { AdeChange } from '../contracts/ade.ts';

/** The profile for a device that newly appears: a stored one, or one at Apple. */
export type ChosenProfile = Pick<AdeChange, 'profileId' | 'wantedProfileUuid'>;

const none: ChosenProfile = { profileId: null, wantedProfileUuid: null };

/** The changes of a page, each serial number once: the latest; and how many records cannot be kept. */
export function changesOf(
  devices: readonly AdeSourceDevice[],
  choose: (device: AdeSourceDevice) => ChosenProfile,
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
    const { profileId, wantedProfileUuid } = deleted ? none : choose(device);
    changes.set(serialNumber, {
      serialNumber,
      deleted,
      at,
      record: recordOf(device),
      profileUuid: device.profile_uuid ?? null,
      profileStatus: device.profile_status ?? 'empty',
      profileId,
      wantedProfileUuid,
    });
  }
  return { changes: [...changes.values()], unusable };
}

/** What a device's record says of the device, and not only about this message. */
function recordOf(device: AdeSourceDevice): Readonly<Record<string, unknown>> {
  // In a whole list there is nothing of the kind, and no copy is needed.
  if (!('op_type' in device || 'op_date' in device || 'response_status' in device)) {
    return device as AdeSourceDevice & Readonly<Record<string, unknown>>;
  }
  const { op_type: _, op_date: __, response_status: ___, ...record } = device;
  return record;
}

function timeOf(date: string | undefined): number | null {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? null : time;
}
