// The device endpoints of the simulated service: the list, its changes, details, disown, activation lock.
import { json, text, textsOf } from '../answers.ts';
import { readCursor, writeCursor } from './cursor.ts';
import type { Change, Registry } from './registry.ts';

/** What the endpoints need. */
export interface DeviceService {
  readonly registry: Registry;
  readonly secret: string;
  readonly now: () => number;
  /** Largest page. */
  readonly maxPage: number;
  /** UUID of a profile by its number. */
  readonly profileUuid: (number: number) => string | undefined;
  readonly assignedBy: string;
  /** Devices that are locked, by number. */
  readonly locked: Set<number>;
  /** Which device another one replaces, by serial number. */
  readonly replacements: Map<string, { readonly original: string; readonly date: string }>;
}

type Body = ReadonlyMap<string, unknown>;

const week = 7 * 86_400_000;
const iso = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** A device as the protocol version shows it. */
export function describe(service: DeviceService, number: number, version: number): Record<string, unknown> {
  const device = service.registry.device(number);
  const { profile, status, assignedAt, pushedAt } = service.registry.assignment(number);
  const uuid = service.profileUuid(profile);
  const record: Record<string, unknown> = {
    serial_number: device.serialNumber,
    model: device.model,
    description: device.description,
    color: device.color,
    profile_status: status,
    device_assigned_date: iso(device.orderedAt + 3_600_000),
    device_assigned_by: service.assignedBy,
  };
  if (uuid !== undefined) {
    record['profile_uuid'] = uuid;
    record['profile_assign_time'] = iso(assignedAt);
    if (status === 'pushed') record['profile_push_time'] = iso(pushedAt);
  }
  if (version >= 2) {
    record['device_family'] = device.kind;
    const system = device.kind === 'Mac' ? 'OSX' : device.kind === 'AppleTV' ? 'tvOS' : 'iOS';
    record['os'] = device.kind === 'iPad' && version >= 7 ? 'iPadOS' : system;
  }
  if (version >= 10) record['wifi_mac_address'] = macAddress(number);
  return record;
}

const macAddress = (number: number): string =>
  [0xf0, 0x18, 0x98, (number >> 16) & 255, (number >> 8) & 255, number & 255]
    .map((byte) => byte.toString(16).padStart(2, '0').toUpperCase())
    .join(':');

function limitOf(service: DeviceService, body: Body): number {
  const limit = body.get('limit');
  return typeof limit === 'number' && limit >= 1 ? Math.min(Math.floor(limit), service.maxPage) : 100;
}

/** `POST /server/devices`. */
export function fetchDevices(service: DeviceService, body: Body, version: number): Response {
  const { registry, secret, now } = service;
  const given = body.get('cursor');
  let position = 0;
  let since = registry.changes.length;
  if (given !== undefined && given !== '') {
    const cursor = typeof given === 'string' ? readCursor(given, secret) : undefined;
    if (cursor === undefined) return text('INVALID_CURSOR', 400);
    if (cursor.kind === 'sync') return text('EXHAUSTED_CURSOR', 400);
    ({ position, since } = cursor);
  }
  const devices: unknown[] = [];
  const limit = limitOf(service, body);
  const end = registry.organisation.size;
  for (; position < end && devices.length < limit; position++) {
    if (registry.has(position)) devices.push(describe(service, position, version));
  }
  while (position < end && !registry.has(position)) position++;
  const more = position < end;
  const at = now();
  const cursor = more
    ? writeCursor({ kind: 'fetch', position, since, at }, secret)
    : writeCursor({ kind: 'sync', position: since, since, at }, secret);
  return json({ devices, cursor, fetched_until: iso(at), more_to_follow: more });
}

/** `POST /devices/sync`. */
export function syncDevices(service: DeviceService, body: Body, version: number): Response {
  const { registry, secret, now } = service;
  const given = body.get('cursor');
  if (given === undefined || given === '') return text('CURSOR_REQUIRED', 400);
  const cursor = typeof given === 'string' ? readCursor(given, secret) : undefined;
  if (cursor?.kind !== 'sync') return text('INVALID_CURSOR', 400);
  const at = now();
  if (at - cursor.at > week) return text('EXPIRED_CURSOR', 400);
  const limit = limitOf(service, body);
  const changes = registry.changes.slice(cursor.position, cursor.position + limit);
  const position = cursor.position + changes.length;
  return json({
    devices: changes.map((change) => describeChange(service, change, version)),
    cursor: writeCursor({ kind: 'sync', position, since: position, at }, secret),
    fetched_until: iso(changes.at(-1)?.at ?? at),
    more_to_follow: position < registry.changes.length,
  });
}

function describeChange(service: DeviceService, change: Change, version: number): Record<string, unknown> {
  const date = iso(change.at);
  const record = describe(service, change.number, version);
  if (change.type === 'added') record['device_assigned_date'] = date;
  const replaced = version >= 10 && change.type === 'deleted' && isReplaced(service, String(record['serial_number']));
  return { ...record, op_type: change.type, op_date: date, ...(replaced && { released_by_replacement: true }) };
}

const isReplaced = (service: DeviceService, serial: string): boolean =>
  [...service.replacements.values()].some(({ original }) => original === serial);

/** `POST /devices`. */
export function deviceDetails(service: DeviceService, body: Body, version: number): Response {
  const serials = textsOf(body.get('devices'));
  if (serials === undefined || serials.length === 0) return text('DEVICE_ID_REQUIRED', 400);
  const devices = serials.map((serial) => {
    const number = service.registry.number(serial);
    const found = number >= 0;
    return [
      serial,
      found
        ? { ...describe(service, number, version), response_status: 'SUCCESS' }
        : { response_status: 'NOT_ACCESSIBLE' },
    ];
  });
  return json({ devices: Object.fromEntries(devices) });
}

/** `POST /devices/disown`. */
export function disownDevices(service: DeviceService, body: Body): Response {
  const serials = textsOf(body.get('devices'));
  if (serials === undefined || serials.length === 0) return text('DEVICE_ID_REQUIRED', 400);
  const devices = serials.map((serial) => {
    const number = service.registry.number(serial);
    if (number >= 0) service.registry.change('deleted', [number], service.now());
    return [serial, number >= 0 ? 'SUCCESS' : 'NOT_ACCESSIBLE'];
  });
  return json({ devices: Object.fromEntries(devices) });
}

/** `POST /device/activationlock`. */
export function lockDevice(service: DeviceService, body: Body): Response {
  const serial = body.get('device');
  const key = body.get('escrow_key');
  if (typeof serial !== 'string' || (key !== undefined && !/^[0-9A-Fa-f]{64}$/.test(String(key)))) {
    return text('MALFORMED_REQUEST_BODY', 400);
  }
  return json({ serial_number: serial, response_status: lockStatus(service, serial) });
}

function lockStatus(service: DeviceService, serial: string): string {
  const number = service.registry.number(serial);
  if (number < 0) return 'NOT_ACCESSIBLE';
  if (service.registry.device(number).kind === 'AppleTV') return 'DEVICE_NOT_SUPPORTED';
  if (service.locked.has(number)) return 'DEVICE_ALREADY_LOCKED';
  service.locked.add(number);
  return 'SUCCESS';
}

/** `GET /device/replacementDetails`. */
export function replacementDetails(service: DeviceService, url: URL): Response {
  const serial = url.searchParams.get('device');
  if (serial === null || serial === '') return text('DEVICE_ID_REQUIRED', 400);
  const found = service.replacements.get(serial);
  if (found === undefined) return text('DEVICE_NOT_FOUND', 404);
  return json({
    serial_number: serial,
    original_device_serial_number: found.original,
    replacement_date: found.date,
  });
}
