// What the device enrolment service says of accounts, devices and assignments. Keys are Apple's.
import type { JsonObject } from '../http/json.ts';

/** A device's properties. Times are ISO 8601. Source: Apple, Device Management, `Device`. */
export interface EnrolmentDevice {
  readonly serial_number: string;
  readonly model?: string;
  readonly description?: string;
  readonly color?: string;
  readonly asset_tag?: string;
  /** `iPad`, `iPhone`, `iPod`, `Mac`, `AppleTV`, `Vision`. */
  readonly device_family?: string;
  /** `iOS`, `iPadOS`, `OSX`, `tvOS`, `visionOS`. */
  readonly os?: string;
  /** `empty`, `assigned`, `pushed`, `removed`. */
  readonly profile_status?: string;
  readonly profile_uuid?: string;
  readonly profile_assign_time?: string;
  readonly profile_push_time?: string;
  readonly device_assigned_date?: string;
  /** Mail address of the person who assigned the device to this server. */
  readonly device_assigned_by?: string;
  /** By when the device is to move to this server (protocol version 8). */
  readonly mdm_migration_deadline?: string;
  readonly imei?: readonly string[];
  readonly meid?: readonly string[];
  readonly eid?: string;
  readonly wifi_mac_address?: string;
  readonly bluetooth_mac_address?: string;
  readonly ethernet_mac_address?: string;
  readonly is_replacement_device?: boolean;
  /** In a list of changes: `added`, `modified`, `deleted`. */
  readonly op_type?: 'added' | 'modified' | 'deleted';
  readonly op_date?: string;
  readonly released_by_replacement?: boolean;
  /** In details: `SUCCESS`, `NOT_ACCESSIBLE`, `NOT_FOUND`. */
  readonly response_status?: string;
}

const textKeys = [
  'model',
  'description',
  'color',
  'asset_tag',
  'device_family',
  'os',
  'profile_status',
  'profile_uuid',
  'profile_assign_time',
  'profile_push_time',
  'device_assigned_date',
  'device_assigned_by',
  'mdm_migration_deadline',
  'eid',
  'wifi_mac_address',
  'bluetooth_mac_address',
  'ethernet_mac_address',
  'op_date',
  'response_status',
] as const;

/** A device as Apple describes it; undefined without a serial number. Values of a wrong type are left out. */
export function readDevice(object: JsonObject): EnrolmentDevice | undefined {
  const serial = object.text('serial_number');
  if (serial === undefined || serial === '' || serial.length > 64) return undefined;
  const device: { -readonly [K in keyof EnrolmentDevice]: EnrolmentDevice[K] } = { serial_number: serial };
  for (const key of textKeys) {
    const value = object.text(key);
    if (value !== undefined) device[key] = value;
  }
  for (const key of ['imei', 'meid'] as const) {
    const value = object.texts(key);
    if (value !== undefined) device[key] = value;
  }
  for (const key of ['is_replacement_device', 'released_by_replacement'] as const) {
    const value = object.boolean(key);
    if (value !== undefined) device[key] = value;
  }
  const op = object.text('op_type');
  if (op === 'added' || op === 'modified' || op === 'deleted') device.op_type = op;
  return device;
}

/** An endpoint as the account lists it, with its bounds. */
export interface AccountUrl {
  readonly uri: string;
  readonly http_method: readonly string[];
  readonly limit?: { readonly default?: number; readonly maximum?: number };
}

/** The account behind a server token. Source: Apple, Device Management, `AccountDetail`. */
export interface EnrolmentAccount {
  readonly server_name?: string;
  readonly server_uuid?: string;
  /** Who made the token. */
  readonly admin_id?: string;
  readonly org_name?: string;
  readonly org_email?: string;
  readonly org_phone?: string;
  readonly org_address?: string;
  readonly org_id?: string;
  readonly org_id_hash?: string;
  /** `edu`, `org`, `tvprovider`. */
  readonly org_type?: string;
  /** `v1`: the old deployment programmes; `v2`: Apple School Manager. */
  readonly org_version?: string;
  readonly urls: readonly AccountUrl[];
}

/** Reads an account. `facilitator_id`, the old name of `admin_id`, stands in for it. */
export function readAccount(object: JsonObject): EnrolmentAccount {
  const account: { -readonly [K in keyof EnrolmentAccount]: EnrolmentAccount[K] } = { urls: urlsOf(object) };
  const keys = ['server_name', 'server_uuid', 'org_name', 'org_email', 'org_phone', 'org_address'] as const;
  for (const key of [...keys, 'org_id', 'org_id_hash', 'org_type', 'org_version'] as const) {
    const value = object.text(key);
    if (value !== undefined) account[key] = value;
  }
  const admin = object.text('admin_id') ?? object.text('facilitator_id');
  if (admin !== undefined) account.admin_id = admin;
  return account;
}

function urlsOf(object: JsonObject): AccountUrl[] {
  const urls: AccountUrl[] = [];
  for (const item of object.objects('urls') ?? []) {
    const uri = item.text('uri');
    if (uri === undefined) continue;
    const limit = item.object('limit');
    const [standard, maximum] = [limit?.number('default'), limit?.number('maximum')];
    urls.push({
      uri,
      http_method: item.texts('http_method') ?? [],
      ...(limit && {
        limit: { ...(standard !== undefined && { default: standard }), ...(maximum !== undefined && { maximum }) },
      }),
    });
  }
  return urls;
}

/** What became of one device in a request that names many. `NO_ANSWER`: the answer does not speak of it. */
export type DeviceOutcome = 'SUCCESS' | 'NOT_ACCESSIBLE' | 'FAILED' | 'THROTTLED' | 'NO_ANSWER';

/** One request's outcome for each of its devices. */
export interface OutcomeBatch {
  readonly outcomes: ReadonlyMap<string, DeviceOutcome>;
  /** How long to wait before throttled devices are tried again, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Reads the outcomes of a batch. */
export function readOutcomes(serials: readonly string[], object: JsonObject): OutcomeBatch {
  const devices = object.object('devices');
  const outcomes = new Map<string, DeviceOutcome>();
  for (const serial of serials) {
    const text = devices?.text(serial);
    const known = text === 'SUCCESS' || text === 'NOT_ACCESSIBLE' || text === 'THROTTLED';
    outcomes.set(serial, text === undefined ? 'NO_ANSWER' : known ? text : 'FAILED');
  }
  const seconds = object.number('retry_after_seconds');
  return { outcomes, ...(seconds !== undefined && seconds >= 0 && { retryAfterMs: seconds * 1000 }) };
}
