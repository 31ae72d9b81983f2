// The profile endpoints of the simulated service: define, read, assign, remove.
import { json, text, textsOf } from '../answers.ts';
import { profileProblem } from './profile-check.ts';
import type { Registry } from './registry.ts';

/** What the endpoints need. */
export interface ProfileService {
  readonly registry: Registry;
  readonly now: () => number;
  readonly newUuid: () => string;
  /** By number, from 1. */
  readonly profiles: { readonly uuid: string; readonly profile: ReadonlyMap<string, unknown> }[];
  /** How long after an assignment a device refuses the next one, in milliseconds; 0: it never does. */
  readonly throttleMs: number;
}

type Body = ReadonlyMap<string, unknown>;

/** Apple takes no more in one request. */
const maxDevices = 1000;

/** `POST /profile`. */
export function defineProfile(service: ProfileService, body: Body): Response {
  const problem = profileProblem(body);
  if (problem !== undefined) return text(problem, 400);
  const uuid = service.newUuid();
  service.profiles.push({ uuid, profile: new Map([...body, ['profile_uuid', uuid]]) });
  const devices = textsOf(body.get('devices')) ?? [];
  return json({ profile_uuid: uuid, devices: assignAll(service, service.profiles.length, devices, 1).devices });
}

/** `GET /profile`. */
export function readProfile(service: ProfileService, url: URL): Response {
  const uuid = url.searchParams.get('profile_uuid');
  if (uuid === null || uuid === '') return text('PROFILE_UUID_REQUIRED', 400);
  const found = service.profiles.find((item) => item.uuid === uuid);
  return found === undefined ? text('NOT_FOUND', 400) : json(Object.fromEntries(found.profile));
}

/** `POST` and `PUT /profile/devices`. */
export function assignProfile(service: ProfileService, body: Body, version: number): Response {
  const devices = textsOf(body.get('devices'));
  if (devices === undefined || devices.length === 0) return text('DEVICE_ID_REQUIRED', 400);
  if (devices.length > maxDevices) return text('MALFORMED_REQUEST_BODY', 400);
  const uuid = body.get('profile_uuid');
  if (typeof uuid !== 'string' || uuid === '') return text('PROFILE_UUID_REQUIRED', 400);
  const number = service.profiles.findIndex((item) => item.uuid === uuid) + 1;
  if (number === 0) return text('PROFILE_NOT_FOUND', 404);
  const { devices: outcomes, throttled } = assignAll(service, number, devices, version);
  const wait = Math.ceil(service.throttleMs / 1000);
  return json({
    profile_uuid: uuid,
    devices: outcomes,
    ...(throttled && version >= 10 && { retry_after_seconds: wait }),
  });
}

function assignAll(
  service: ProfileService,
  profile: number,
  serials: readonly string[],
  version: number,
): { readonly devices: Record<string, string>; readonly throttled: boolean } {
  const at = service.now();
  let throttled = false;
  const outcomes = serials.map((serial): [string, string] => {
    const number = service.registry.number(serial);
    if (number < 0) return [serial, 'NOT_ACCESSIBLE'];
    const before = service.registry.assignment(number);
    if (version >= 9 && before.status !== 'empty' && at - before.assignedAt < service.throttleMs) {
      throttled = true;
      return [serial, 'THROTTLED'];
    }
    service.registry.assign(number, profile, at);
    return [serial, 'SUCCESS'];
  });
  return { devices: Object.fromEntries(outcomes), throttled };
}

/** `DELETE /profile/devices`. */
export function removeProfile(service: ProfileService, body: Body): Response {
  const devices = textsOf(body.get('devices'));
  if (devices === undefined || devices.length === 0) return text('DEVICE_ID_REQUIRED', 400);
  const outcomes = devices.map((serial) => {
    const number = service.registry.number(serial);
    if (number >= 0) service.registry.remove(number);
    return [serial, number >= 0 ? 'SUCCESS' : 'NOT_ACCESSIBLE'];
  });
  return json({ devices: Object.fromEntries(outcomes) });
}
