// What an organisation has in Apple Business Manager beside devices: users, groups, units, apps, packages.
import { type Fields, readerOf, readId } from './fields.ts';
import { apiPath, type BusinessTransport, unlessMissing } from './transport.ts';

/** A user of the organisation. Times are ISO 8601. Source: Apple Business API, `User.Attributes`. */
export interface BusinessUser {
  readonly id: string;
  readonly firstName?: string;
  readonly middleName?: string;
  readonly lastName?: string;
  /** `NEW`, `RELEASED`, `ACTIVE`, `DEACTIVATED`, `LOCKED`, `LOCKED_FOR_SHARED_IPAD`. */
  readonly status?: string;
  readonly managedAppleAccount?: string;
  /** Whether the user was invited from outside. */
  readonly isExternalUser?: boolean;
  /** Which roles the user has, and in which organisational units. */
  readonly roleOuList?: readonly { readonly roleName?: string; readonly ouId?: string }[];
  readonly email?: string;
  readonly employeeNumber?: string;
  readonly costCenter?: string;
  readonly division?: string;
  readonly department?: string;
  readonly jobTitle?: string;
  /** `type`: `WORK`, `HOME`, `MOBILE`. */
  readonly phoneNumbers?: readonly { readonly phoneNumber?: string; readonly type?: string }[];
  readonly startDateTime?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** A group of users. */
export interface BusinessUserGroup {
  readonly id: string;
  /** The organisational unit that it belongs to. */
  readonly ouId?: string;
  readonly name?: string;
  /** `STANDARD`, `SMART`. */
  readonly type?: string;
  readonly totalMemberCount?: number;
  /** `ACTIVE`. */
  readonly status?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** An organisational unit: what Apple called a location before. */
export interface OrganisationalUnit {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** An app that the built-in device management can give out. The id is the store's. */
export interface BusinessApp {
  readonly id: string;
  readonly name?: string;
  readonly bundleId?: string;
  readonly websiteUrl?: string;
  readonly version?: string;
  /** `SUPPORTED_OS_IOS`, `SUPPORTED_OS_MACOS` … */
  readonly supportedOS?: readonly string[];
  readonly isCustomApp?: boolean;
  readonly appStoreUrl?: string;
}

/** A package (for Macs) that the built-in device management can give out. */
export interface BusinessPackage {
  readonly id: string;
  readonly name?: string;
  readonly url?: string;
  readonly hash?: string;
  readonly bundleIds?: readonly string[];
  readonly description?: string;
  readonly version?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** A device that the built-in device management manages. */
export interface BuiltInDevice {
  readonly id: string;
  readonly serialNumber?: string;
  readonly deviceName?: string;
  readonly productFamily?: string;
  readonly enrolledUserId?: string;
}

/** What the built-in device management knows of a device. */
export interface BuiltInDeviceDetails {
  readonly id: string;
  readonly serialNumber?: string;
  readonly deviceName?: string;
  readonly deviceModel?: string;
  readonly osVersion?: string;
  readonly platform?: string;
  readonly imei?: readonly string[];
  readonly meid?: readonly string[];
  readonly wifiMacAddress?: string;
  readonly bluetoothMacAddress?: string;
  readonly ethernetMacAddress?: string;
  readonly lastCheckInDateTime?: string;
  readonly isFirewallEnabled?: boolean;
  readonly isFileVaultEnabled?: boolean;
  /** Bytes. */
  readonly storageFreeCapacity?: number;
  /** Bytes. */
  readonly storageTotalCapacity?: number;
  /** `LOCKED`, `UNLOCKED`. */
  readonly deviceLockStatus?: string;
  /** `ERASED`, `NOT_ERASED`. */
  readonly deviceEraseStatus?: string;
  /** `ENABLED`, `DISABLED`. */
  readonly lostModeStatus?: string;
}

/** What the client can look up. Apple Business Manager only: otherwise `ade.business.not_there`. */
export interface DirectoryMethods {
  users(): AsyncIterable<readonly BusinessUser[]>;
  /** A user; undefined when the organisation has none with this id. */
  user(id: string): Promise<BusinessUser | undefined>;
  userGroups(): AsyncIterable<readonly BusinessUserGroup[]>;
  userGroup(id: string): Promise<BusinessUserGroup | undefined>;
  /** The ids of a group's users. */
  userGroupUsers(id: string): AsyncIterable<readonly string[]>;
  organisationalUnits(): AsyncIterable<readonly OrganisationalUnit[]>;
  organisationalUnit(id: string): Promise<OrganisationalUnit | undefined>;
  /** The ids of a unit's users. */
  organisationalUnitUsers(id: string): AsyncIterable<readonly string[]>;
  apps(): AsyncIterable<readonly BusinessApp[]>;
  app(id: string): Promise<BusinessApp | undefined>;
  packages(): AsyncIterable<readonly BusinessPackage[]>;
  package(id: string): Promise<BusinessPackage | undefined>;
  /** The devices that the built-in device management manages. */
  builtInDevices(): AsyncIterable<readonly BuiltInDevice[]>;
  builtInDevice(id: string): Promise<BuiltInDeviceDetails | undefined>;
}

const dates = ['createdDateTime', 'updatedDateTime'] as const;
const names = ['firstName', 'middleName', 'lastName', 'managedAppleAccount', 'email'] as const;
const post = ['employeeNumber', 'costCenter', 'division', 'department', 'jobTitle', 'startDateTime'] as const;
const plainUser = readerOf<BusinessUser>({
  texts: ['status', ...names, ...post, ...dates],
  booleans: ['isExternalUser'],
});

const readUser: ReturnType<typeof readerOf<BusinessUser>> = (object) => {
  const user = plainUser(object);
  const attributes = object.object('attributes');
  const items = <K extends string>(key: string, [first, second]: readonly [K, K]) =>
    attributes?.objects(key)?.map((item) => {
      const [a, b] = [item.text(first), item.text(second)];
      return { ...(a !== undefined && { [first]: a }), ...(b !== undefined && { [second]: b }) };
    });
  const roleOuList = items('roleOuList', ['roleName', 'ouId']);
  const phoneNumbers = items('phoneNumbers', ['phoneNumber', 'type']);
  return user && { ...user, ...(roleOuList && { roleOuList }), ...(phoneNumbers && { phoneNumbers }) };
};

const readGroup = readerOf<BusinessUserGroup>({
  texts: ['ouId', 'name', 'type', 'status', ...dates],
  numbers: ['totalMemberCount'],
});
const readUnit = readerOf<OrganisationalUnit>({ texts: ['name', 'description', ...dates] });
const readApp = readerOf<BusinessApp>({
  texts: ['name', 'bundleId', 'websiteUrl', 'version', 'appStoreUrl'],
  booleans: ['isCustomApp'],
  lists: ['supportedOS'],
});
const readPackage = readerOf<BusinessPackage>({
  texts: ['name', 'url', 'hash', 'description', 'version', ...dates],
  lists: ['bundleIds'],
});
const readDevice = readerOf<BuiltInDevice>({
  texts: ['serialNumber', 'deviceName', 'productFamily', 'enrolledUserId'],
});
const addresses = ['wifiMacAddress', 'bluetoothMacAddress', 'ethernetMacAddress'] as const;
const states = ['deviceLockStatus', 'deviceEraseStatus', 'lostModeStatus', 'lastCheckInDateTime'] as const;
const details: Fields<BuiltInDeviceDetails> = {
  texts: ['serialNumber', 'deviceName', 'deviceModel', 'osVersion', 'platform', ...addresses, ...states],
  numbers: ['storageFreeCapacity', 'storageTotalCapacity'],
  booleans: ['isFirewallEnabled', 'isFileVaultEnabled'],
  lists: ['imei', 'meid'],
};
const readDetails = readerOf(details);

/** Makes the methods. */
export function createDirectoryMethods({ pages, one, onlyBusiness }: BusinessTransport): DirectoryMethods {
  /** The methods for a list and for one of it. */
  function both<T>(type: string, reader: Parameters<typeof pages<T>>[1], part: readonly string[] = []) {
    return {
      list() {
        onlyBusiness(type);
        return pages(apiPath(type), reader);
      },
      async get(id: string) {
        onlyBusiness(type);
        return unlessMissing(() => one({ path: apiPath(type, id, ...part) }, reader));
      },
      users(id: string) {
        onlyBusiness(type);
        return pages(apiPath(type, id, 'relationships', 'users'), readId);
      },
    };
  }
  const users = both('users', readUser);
  const groups = both('userGroups', readGroup);
  const units = both('organizationalUnits', readUnit);
  const apps = both('apps', readApp);
  const packages = both('packages', readPackage);
  return {
    users: users.list,
    user: users.get,
    userGroups: groups.list,
    userGroup: groups.get,
    userGroupUsers: groups.users,
    organisationalUnits: units.list,
    organisationalUnit: units.get,
    organisationalUnitUsers: units.users,
    apps: apps.list,
    app: apps.get,
    packages: packages.list,
    package: packages.get,
    builtInDevices: both('mdmDevices', readDevice).list,
    builtInDevice: both('mdmDevices', readDetails, ['details']).get,
  };
}
