// More list responses, structured: managed apps, provisioning profiles, users, media, restrictions, location.
// Keys: Apple's schema, mdm/commands.
import { optional } from '../optional.ts';
import { isDict, numberOf, type PlistDict, type PlistValue } from '../plist.ts';
import { flag, instantOf, integer, type ReadList, readList, text } from './read.ts';

/** An app that MDM manages (`ManagedApplicationList`). */
export interface ManagedApp {
  readonly bundleId: string;
  /** `Managed`, `Installing`, `ManagedButUninstalled`, `Failed` …; some are told once and then the entry is gone. */
  readonly status: string;
  readonly managementFlags?: number;
  readonly hasConfiguration?: boolean;
  readonly hasFeedback?: boolean;
  readonly validated?: boolean;
  readonly externalVersionId?: number;
}

/** A provisioning profile (`ProvisioningProfileList`). */
export interface ProvisioningProfile {
  readonly uuid: string;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt?: number;
}

/** A user of a Shared iPad or a Mac (`UserList`). */
export interface DeviceUser {
  /** The Managed Apple Account on a Shared iPad, the short name on a Mac. */
  readonly name: string;
  readonly fullName?: string;
  readonly uid?: number;
  readonly guid?: string;
  readonly loggedIn: boolean;
  /** Deleting the user now would lose what is not in iCloud yet. */
  readonly hasDataToSync?: boolean;
  /** Bytes. */
  readonly dataQuota?: number;
  readonly dataUsed?: number;
  readonly mobileAccount?: boolean;
  readonly hasSecureToken?: boolean;
}

/** A book that MDM manages (`ManagedMediaList`). */
export interface ManagedBook {
  readonly state: string;
  readonly storeId?: number;
  readonly persistentId?: string;
  readonly kind?: string;
  readonly version?: string;
  readonly author?: string;
  readonly title?: string;
}

/** Restrictions by name, as the device combines them (`Restrictions`). */
export interface DeviceRestrictions {
  readonly booleans: Readonly<Record<string, boolean>>;
  readonly values: Readonly<Record<string, number>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
}

/** Where a device in lost mode is (`DeviceLocation`). Personal data: keep it sealed, and no longer than needed. */
export interface DeviceLocation {
  /** Degrees. */
  readonly latitude: number;
  readonly longitude: number;
  /** Metres; negative where unknown. */
  readonly horizontalAccuracy?: number;
  readonly verticalAccuracy?: number;
  readonly altitude?: number;
  /** Metres per second; negative where unknown. */
  readonly speed?: number;
  /** Degrees from north. */
  readonly course?: number;
  /** When it was determined, in milliseconds since the Unix epoch. */
  readonly at?: number;
}

/** Reads a `ManagedApplicationList` response. */
export function readManagedApps(value: PlistDict): ReadList<ManagedApp> {
  const list = value['ManagedApplicationList'];
  if (!isDict(list)) return { items: [], unreadable: 0 };
  const items: ManagedApp[] = [];
  for (const [bundleId, app] of Object.entries(list)) {
    const status = isDict(app) ? text(app['Status']) : undefined;
    if (!isDict(app) || status === undefined || bundleId === '') continue;
    items.push({
      bundleId,
      status,
      ...optional('managementFlags', integer(app['ManagementFlags'])),
      ...optional('hasConfiguration', flag(app['HasConfiguration'])),
      ...optional('hasFeedback', flag(app['HasFeedback'])),
      ...optional('validated', flag(app['IsValidated'])),
      ...optional('externalVersionId', integer(app['ExternalVersionIdentifier'])),
    });
  }
  return { items, unreadable: Object.keys(list).length - items.length };
}

/** Reads a `ProvisioningProfileList` response. */
export function readProvisioningProfiles(value: PlistDict): ReadList<ProvisioningProfile> {
  return readList(value['ProvisioningProfileList'], (profile) => {
    const uuid = text(profile['UUID']);
    if (uuid === undefined || uuid === '') return undefined;
    return { uuid, name: text(profile['Name']) ?? '', ...optional('expiresAt', instantOf(profile['ExpiryDate'])) };
  });
}

/** Reads a `UserList` response. */
export function readUsers(value: PlistDict): ReadList<DeviceUser> {
  return readList(value['Users'], (user) => {
    const name = text(user['UserName']);
    if (name === undefined || name === '') return undefined;
    return {
      name,
      ...optional('fullName', text(user['FullName'])),
      ...optional('uid', integer(user['UID'])),
      ...optional('guid', text(user['UserGUID'])),
      loggedIn: user['IsLoggedIn'] === true,
      ...optional('hasDataToSync', flag(user['HasDataToSync'])),
      ...optional('dataQuota', integer(user['DataQuota'])),
      ...optional('dataUsed', integer(user['DataUsed'])),
      ...optional('mobileAccount', flag(user['MobileAccount'])),
      ...optional('hasSecureToken', flag(user['HasSecureToken'])),
    };
  });
}

/** Reads a `ManagedMediaList` response. */
export function readManagedBooks(value: PlistDict): ReadList<ManagedBook> {
  return readList(value['Books'], (book) => {
    const state = text(book['State']);
    if (state === undefined) return undefined;
    return {
      state,
      ...optional('storeId', integer(book['iTunesStoreID'])),
      ...optional('persistentId', text(book['PersistentID'])),
      ...optional('kind', text(book['Kind'])),
      ...optional('version', text(book['Version'])),
      ...optional('author', text(book['Author'])),
      ...optional('title', text(book['Title'])),
    };
  });
}

/**
 * Reads a `Restrictions` response: the restrictions in force, whichever profile they come from. Lists are those of
 * `intersection` and `union`, whose names differ.
 */
export function readRestrictions(value: PlistDict): DeviceRestrictions {
  const booleans: Record<string, boolean> = Object.create(null);
  const values: Record<string, number> = Object.create(null);
  const lists: Record<string, readonly string[]> = Object.create(null);
  const all = isDict(value['GlobalRestrictions']) ? value['GlobalRestrictions'] : {};
  for (const [name, entry] of entriesOf(all['restrictedBool'])) {
    const on = isDict(entry) ? flag(entry['value']) : undefined;
    if (on !== undefined) booleans[name] = on;
  }
  for (const [name, entry] of entriesOf(all['restrictedValue'])) {
    const amount = isDict(entry) ? numberOf(entry['value']) : undefined;
    if (amount !== undefined) values[name] = amount;
  }
  for (const group of ['intersection', 'union']) {
    for (const [name, entry] of entriesOf(all[group])) {
      const list = isDict(entry) ? entry['values'] : undefined;
      if (Array.isArray(list)) lists[name] = list.filter((item) => typeof item === 'string');
    }
  }
  return { booleans, values, lists };
}

/** Reads a `DeviceLocation` response; `null` when it holds no place. */
export function readLocation(value: PlistDict): DeviceLocation | null {
  const latitude = numberOf(value['Latitude']);
  const longitude = numberOf(value['Longitude']);
  if (latitude === undefined || longitude === undefined) return null;
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return null;
  const stamp = value['Timestamp'];
  const at = typeof stamp === 'string' ? Date.parse(stamp) : instantOf(stamp);
  return {
    latitude,
    longitude,
    ...optional('horizontalAccuracy', numberOf(value['HorizontalAccuracy'])),
    ...optional('verticalAccuracy', numberOf(value['VerticalAccuracy'])),
    ...optional('altitude', numberOf(value['Altitude'])),
    ...optional('speed', numberOf(value['Speed'])),
    ...optional('course', numberOf(value['Course'])),
    ...optional('at', at === undefined || Number.isNaN(at) ? undefined : at),
  };
}

function entriesOf(value: PlistValue | undefined): [string, PlistValue][] {
  return isDict(value) ? Object.entries(value) : [];
}
