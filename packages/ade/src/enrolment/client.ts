// The client of Apple's device enrolment service (automated device enrolment).
import { AdeError, isAdeError } from '../errors.ts';
import { createSender, type HttpOptions } from '../http/exchange.ts';
import { type JsonObject, jsonAnswer, lacking } from '../http/json.ts';
import type { ServerToken } from '../token/open.ts';
import type { SyncOptions, SyncState } from './pages.ts';
import { createRosterMethods, type RosterMethods } from './roster.ts';
import { createSession, type SessionRequest } from './session.ts';
import { type DevicePage, readPages } from './sync.ts';
import {
  type EnrolmentAccount,
  type EnrolmentDevice,
  type OutcomeBatch,
  readAccount,
  readDevice,
  readOutcomes,
} from './types.ts';

/** What {@link createEnrolmentClient} needs. */
export interface EnrolmentClientOptions extends HttpOptions {
  readonly token: ServerToken;
  /** Default `https://mdmenrollment.apple.com`. */
  readonly origin?: string;
  /** Default `Espalier`. Apple refuses requests without one. */
  readonly userAgent?: string;
  /** `X-Server-Protocol-Version`. Default 10: with IMEI and MAC addresses, throttling by device, replacements. */
  readonly protocolVersion?: number;
  /** Devices in one request, where the account says nothing else. Default 1,000, Apple's limit. */
  readonly batchSize?: number;
  /** Lets {@link EnrolmentClient.disown} work. Default false: it cannot be undone. */
  readonly allowDisown?: boolean;
  /** Random bytes for nonces. Default: the system's. */
  readonly randomBytes?: (size: number) => Uint8Array;
}

/** What became of a request to lock a device. Source: Apple, `ActivationLockStatusResponse`. */
export type ActivationLockStatus =
  | 'SUCCESS'
  | 'NOT_ACCESSIBLE'
  | 'ORG_NOT_SUPPORTED'
  | 'DEVICE_NOT_SUPPORTED'
  | 'DEVICE_ALREADY_LOCKED'
  | 'FAILED';

/** A token with which a device joins a beta programme. */
export interface BetaToken {
  /** `iOS`, `OSX`, `tvOS`, `visionOS`, `watchOS`, `homePodOS`. */
  readonly os: string;
  readonly title: string;
  readonly token: string;
}

/** Which device another one replaces. */
export interface Replacement {
  readonly serial_number: string;
  readonly original_device_serial_number: string;
  /** `YYYY-MM-DD`. */
  readonly replacement_date?: string;
}

/** A profile that Apple has taken. */
export interface DefinedProfile {
  readonly profileUuid: string;
  /** The outcome for each device that the profile named. */
  readonly devices: OutcomeBatch;
}

/** The device enrolment service, for one account. Every method throws AdeErrors: `ade.enrolment.*`, `ade.http.*`, `ade.token.expired`. */
export interface EnrolmentClient extends RosterMethods {
  /** The account's details. From then on requests follow the limits that they name. */
  account(): Promise<EnrolmentAccount>;
  /**
   * The devices of the account, page by page: all of them without a state, the changes since with one. Ends when there
   * is no more for now. Keep `page.next` with each page, to go on there after a crash.
   */
  sync(from?: SyncState, options?: SyncOptions): AsyncIterable<DevicePage>;
  /** What Apple knows of these devices; those it knows nothing of are left out or have another `response_status`. */
  details(serials: Iterable<string>): AsyncIterable<ReadonlyMap<string, EnrolmentDevice>>;
  /**
   * Releases devices from the organisation, for good.
   * @throws AdeError `ade.disown.not_allowed` unless the client was made with `allowDisown`, `ade.disown.unconfirmed`.
   */
  disown(serials: Iterable<string>, confirmation: { readonly irreversible: true }): AsyncIterable<OutcomeBatch>;
  /** Locks a device to the organisation. `escrow_key`: see `createBypassCode`. */
  activationLock(request: {
    readonly device: string;
    readonly escrow_key?: string;
    readonly lost_message?: string;
  }): Promise<ActivationLockStatus>;
  /** Which device this one replaces; undefined when it is no replacement. */
  replacement(serial: string): Promise<Replacement | undefined>;
  /** The beta programmes that the organisation's devices may join. */
  betaTokens(): Promise<readonly BetaToken[]>;
  /** Gives Apple an enrolment profile: see `compileEnrolmentProfile`. It never changes; another one gets another UUID. */
  defineProfile(profile: object): Promise<DefinedProfile>;
  /** A profile as Apple has it; undefined when it has none with this UUID. */
  profile(uuid: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Assigns a profile to devices, as many requests as it takes. Each batch tells what became of its devices. */
  assignProfile(uuid: string, serials: Iterable<string>): AsyncIterable<OutcomeBatch>;
  /** Takes the profile from devices. Those that are set up keep theirs until they are erased. */
  removeProfile(serials: Iterable<string>): AsyncIterable<OutcomeBatch>;
  /** Where devices of the organisation's people find this server (account-driven enrolment); undefined when not set. */
  serviceDiscovery(): Promise<{ readonly url: string; readonly updated?: string } | undefined>;
  setServiceDiscovery(url: string): Promise<void>;
  removeServiceDiscovery(): Promise<void>;
}

const lockStatuses: readonly string[] = [
  'SUCCESS',
  'NOT_ACCESSIBLE',
  'ORG_NOT_SUPPORTED',
  'DEVICE_NOT_SUPPORTED',
  'DEVICE_ALREADY_LOCKED',
];

/**
 * Makes a client of the device enrolment service, for one server token. Sessions, their renewal, throttling and passing
 * failures are its own affair; nothing is kept but the session.
 *
 * @throws AdeError `ade.option`.
 * @example
 * const client = createEnrolmentClient({ token, clock: Date });
 * for await (const page of client.sync(state)) await store.save(page.devices, page.next);
 */
export function createEnrolmentClient(options: EnrolmentClientOptions): EnrolmentClient {
  const { origin = 'https://mdmenrollment.apple.com', batchSize = 1000, protocolVersion = 10 } = options;
  if (!URL.canParse(origin)) throw new AdeError('ade.option', 'origin must be a URL', { at: { path: 'origin' } });
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 1000) {
    throw new AdeError('ade.option', 'batchSize must be a whole number from 1 to 1000', { at: { path: 'batchSize' } });
  }
  const sender = createSender(options);
  const session = createSession({
    token: options.token,
    origin,
    userAgent: options.userAgent ?? 'Espalier',
    protocolVersion,
    sender,
    ...(options.randomBytes && { randomBytes: options.randomBytes }),
  });
  let known: EnrolmentAccount | undefined;

  const send = async (request: SessionRequest): Promise<JsonObject> => {
    const answer = await session.send(request);
    return jsonAnswer(answer.text, 'device-enrolment', answer.status);
  };
  const get = (path: string): Promise<JsonObject> => send({ method: 'GET', path, repeatable: true });
  const post = (path: string, body: unknown, repeatable = true): Promise<JsonObject> =>
    send({ method: 'POST', path, body, repeatable });

  /** The account's bound for a path, where it names one. */
  function bound(path: string): number {
    const maximum = known?.urls.find((url) => url.uri === path)?.limit?.maximum;
    return maximum !== undefined && maximum >= 1 ? Math.min(Math.floor(maximum), batchSize) : batchSize;
  }

  async function* inBatches<T>(
    path: string,
    serials: Iterable<string>,
    each: (batch: readonly string[]) => Promise<T>,
  ): AsyncGenerator<T, void, undefined> {
    let batch: string[] = [];
    for (const serial of serials) {
      batch.push(serial);
      if (batch.length < bound(path)) continue;
      yield await each(batch);
      batch = [];
    }
    if (batch.length > 0) yield await each(batch);
  }

  return {
    async account() {
      known = readAccount(await get('/account'));
      return known;
    },
    ...createRosterMethods((path, body) => post(path, body)),
    sync: (from, syncOptions) => readPages((path, body) => post(path, body), from, syncOptions),
    details: (serials) =>
      inBatches('/devices', serials, async (devices) => {
        const found = new Map<string, EnrolmentDevice>();
        const answer = (await post('/devices', { devices })).object('devices');
        for (const serial of devices) {
          const object = answer?.object(serial);
          // Of a device that it does not know, Apple sends the status alone.
          const device = object && (readDevice(object) ?? { serial_number: serial, ...statusOf(object) });
          if (device) found.set(serial, device);
        }
        return found;
      }),
    disown(serials, confirmation) {
      if (options.allowDisown !== true) {
        throw new AdeError('ade.disown.not_allowed', 'this client may not release devices', {
          kind: 'forbidden',
          remedy: 'Make the client with allowDisown; a released device cannot be taken back by this service.',
        });
      }
      if (confirmation?.irreversible !== true) {
        throw new AdeError('ade.disown.unconfirmed', 'releasing devices must be confirmed: it cannot be undone');
      }
      return inBatches('/devices/disown', serials, async (devices) =>
        readOutcomes(devices, await post('/devices/disown', { devices })),
      );
    },
    async activationLock(request) {
      const status = (await post('/device/activationlock', request)).text('response_status');
      if (status === undefined) throw lacking('response_status', 'device-enrolment');
      return lockStatuses.includes(status) ? (status as ActivationLockStatus) : 'FAILED';
    },
    replacement: (serial) =>
      unless('ade.enrolment.device_not_found', async () => {
        const answer = await get(`/device/replacementDetails?${new URLSearchParams({ device: serial })}`);
        const original = answer.text('original_device_serial_number');
        if (original === undefined) throw lacking('original_device_serial_number', 'device-enrolment');
        const date = answer.text('replacement_date');
        return {
          serial_number: answer.text('serial_number') ?? serial,
          original_device_serial_number: original,
          ...(date !== undefined && { replacement_date: date }),
        };
      }),
    async betaTokens() {
      const answer = await get('/os-beta-enrollment/tokens');
      const items = answer.objects('betaEnrollmentTokens') ?? answer.objects('seedBuildTokens') ?? [];
      const tokens = items.map((item) => ({
        os: item.text('os') ?? '',
        title: item.text('title') ?? '',
        token: item.text('token') ?? '',
      }));
      return tokens.filter((item) => item.token !== '');
    },
    async defineProfile(profile) {
      // Not repeated blindly: each time it is taken makes another profile.
      const answer = await post('/profile', profile, false);
      const profileUuid = answer.text('profile_uuid');
      if (profileUuid === undefined || profileUuid === '') throw lacking('profile_uuid', 'device-enrolment');
      const named: unknown = 'devices' in profile ? profile.devices : [];
      const serials = Array.isArray(named) ? named.filter((item) => typeof item === 'string') : [];
      return { profileUuid, devices: readOutcomes(serials, answer) };
    },
    profile: (uuid) =>
      unless('ade.enrolment.not_found', async () =>
        Object.fromEntries((await get(`/profile?${new URLSearchParams({ profile_uuid: uuid })}`)).entries()),
      ),
    assignProfile: (uuid, serials) =>
      inBatches('/profile/devices', serials, async (devices) => {
        const url = known?.urls.find((item) => item.uri === '/profile/devices');
        // Older accounts list PUT alone.
        const method = url?.http_method.includes('PUT') && !url.http_method.includes('POST') ? 'PUT' : 'POST';
        const body = { profile_uuid: uuid, devices };
        return readOutcomes(devices, await send({ method, path: '/profile/devices', body, repeatable: true }));
      }),
    removeProfile: (serials) =>
      inBatches('/profile/devices', serials, async (devices) => {
        const request = { method: 'DELETE', path: '/profile/devices', body: { devices }, repeatable: true };
        return readOutcomes(devices, await send(request));
      }),
    serviceDiscovery: () =>
      unless('ade.enrolment.not_found', async () => {
        const answer = await get('/account-driven-enrollment/profile');
        const url = answer.text('mdm_service_discovery_url');
        if (url === undefined) throw lacking('mdm_service_discovery_url', 'device-enrolment');
        const updated = answer.text('last_updated_timestamp');
        return { url, ...(updated !== undefined && { updated }) };
      }),
    async setServiceDiscovery(url) {
      const body = { mdm_service_discovery_url: url };
      await session.send({ method: 'POST', path: '/account-driven-enrollment/profile', body, repeatable: true });
    },
    async removeServiceDiscovery() {
      await session.send({ method: 'DELETE', path: '/account-driven-enrollment/profile', repeatable: true });
    },
  };
}

function statusOf(object: JsonObject): { readonly response_status?: string } {
  const status = object.text('response_status');
  return status === undefined ? {} : { response_status: status };
}

/** Undefined where a call fails with one code. */
async function unless<T>(code: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isAdeError(error, code)) return undefined;
    throw error;
  }
}
