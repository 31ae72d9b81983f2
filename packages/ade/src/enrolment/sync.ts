// The list of devices and its changes, page by page.
import {
  isLater,
  type ListPage,
  type ListSource,
  latestBy,
  type PageRequest,
  readList,
  type SyncOptions,
  type SyncState,
} from './pages.ts';
import { type EnrolmentDevice, readDevice } from './types.ts';

/** A part of the list of devices, or of its changes (`op_type`). */
export interface DevicePage extends Omit<ListPage<EnrolmentDevice>, 'items'> {
  /** Devices of the list, or changes, oldest first, each serial number once: its latest record. */
  readonly devices: readonly EnrolmentDevice[];
}

const source: ListSource<EnrolmentDevice> = {
  fetch: '/server/devices',
  sync: '/devices/sync',
  key: 'devices',
  read: readDevice,
  latest,
};

/** The pages from a state on, until there is no more for now: see {@link readList}. */
export async function* readPages(
  request: PageRequest,
  from: SyncState | undefined,
  options: SyncOptions = {},
): AsyncGenerator<DevicePage, void, undefined> {
  for await (const { items, ...page } of readList(source, request, from, options)) yield { ...page, devices: items };
}

/** Each serial number once, with the record of the latest `op_date`; of equal ones the later in the list. */
export function latest(devices: readonly EnrolmentDevice[]): readonly EnrolmentDevice[] {
  return latestBy(
    devices,
    (device) => device.serial_number,
    (device) => device.op_date,
  );
}

/**
 * Whether record `a` tells of a later change than `b`. Apple may send one device several times; the latest `op_date`
 * counts. A record without a date is not newer.
 */
export function isNewer(a: Pick<EnrolmentDevice, 'op_date'>, b: Pick<EnrolmentDevice, 'op_date'>): boolean {
  return isLater(a.op_date, b.op_date);
}
