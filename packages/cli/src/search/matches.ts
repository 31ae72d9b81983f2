// Runs an expression against a store, without writing to it.
import { CoreError, createEngine, type DeviceRow, type FactValue, type KeyRing } from '@espalier/core';
import type { StoreAddress } from '../store/address.ts';
import { withStore } from '../store/open.ts';

/** A device that matches. */
export interface Match {
  readonly id: string;
  readonly name: string | null;
  readonly serialNumber: string | null;
  readonly platform: string | null;
  readonly osVersion: string | null;
}

/** The first of the devices that match, and how many there are. */
export interface Matches {
  readonly total: number;
  readonly devices: readonly Match[];
}

/** What is looked for, and how it is meant. */
export interface SearchQuery {
  readonly expression: string;
  readonly excludeRetired: boolean;
  readonly sensitive: boolean;
}

function refuse(): never {
  throw new CoreError('core.keys.wrong_key', 'internal', 'a search needs no key');
}

// A search opens and seals nothing; this makes sure of it.
const noKeys: KeyRing = { currentId: 'none', ids: ['none'], seal: refuse, open: refuse, keyIdOf: refuse };

/**
 * Lists devices as the engine does, so that the same ones match as in the product.
 * @throws CliError, CoreError, SearchError
 */
export function matchesOf(address: StoreAddress, query: SearchQuery, limit: number, now: number): Promise<Matches> {
  return withStore(address, async (store) => {
    const engine = createEngine({ store, keys: noKeys, clock: { now: () => now } });
    const { items, total } = await engine.devices.list({ ...query, limit });
    return { total, devices: items.map(matchOf) };
  });
}

function matchOf({ enrolment, facts }: DeviceRow): Match {
  return {
    id: enrolment.id,
    name: enrolment.deviceName ?? textOf(facts['ios.DeviceName']),
    serialNumber: enrolment.serialNumber ?? textOf(facts['common.serial_number']),
    platform: textOf(facts['common.platform']),
    osVersion: textOf(facts['common.os_version']) ?? enrolment.osVersion,
  };
}

const textOf = (value: FactValue | undefined): string | null => (typeof value === 'string' ? value : null);
