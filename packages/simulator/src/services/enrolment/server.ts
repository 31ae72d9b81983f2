// A simulated device enrolment service (mdmenrollment.apple.com): sessions, devices, profiles, and its failures.
import { createRandom } from '../../random.ts';
import { bodyOf, type Handler, json, text } from '../answers.ts';
import type { Organisation, OwnedDevice } from '../organisation.ts';
import { type AccountFacts, accountDetails, createDiscovery } from './account.ts';
import {
  type DeviceService,
  deviceDetails,
  disownDevices,
  fetchDevices,
  lockDevice,
  replacementDetails,
  syncDevices,
} from './devices.ts';
import { assignProfile, defineProfile, type ProfileService, readProfile, removeProfile } from './profiles.ts';
import { createRegistry, type RegistryOptions } from './registry.ts';
import { createRoster, type SimulatedRoster } from './roster.ts';
import { type Credentials, checkSignature } from './signature.ts';
import { tokenFile } from './token-file.ts';

/** Options of {@link createSimulatedEnrolmentService}. */
export interface SimulatedEnrolmentOptions extends RegistryOptions {
  readonly clock?: { now(): number };
  /** Name of the server in the portal. Default `Simulated server`. */
  readonly serverName?: string;
  readonly organisationName?: string;
  /** `org` (default) or `edu`. */
  readonly organisationType?: 'org' | 'edu';
  /** The roster, of `edu`. Default: an empty one. */
  readonly roster?: SimulatedRoster;
  /** Largest page that is given. Default 1,000, as Apple. */
  readonly maxPage?: number;
  /** A session ends when it is not used for so long. Default 180,000 ms. */
  readonly sessionIdleMs?: number;
  /** Each session is replaced after so many requests, by the header of an answer. Default 100. */
  readonly sessionRequests?: number;
  /** How long after an assignment a device is throttled, in milliseconds. Default 0: never. */
  readonly throttleAssignmentMs?: number;
}

/** A request as scripts see it. */
export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  /** Counts the requests since the script was set, from 1; those for a session or an access token do not count. */
  readonly number: number;
}

/** A simulated device enrolment service. */
export interface SimulatedEnrolmentService {
  /** The service: give it to a client as `fetch`, or serve it with `listenService`. */
  readonly fetch: Handler;
  /** All devices that the organisation has bought, this server's or not. */
  readonly organisation: Organisation;
  /**
   * Downloads a server token from the portal, for the certificate (DER) that was uploaded: S/MIME, AES-128. Tokens from
   * before end.
   */
  downloadToken(certificate: Uint8Array): Uint8Array;
  /** Buys devices and assigns them to this server. Their serial numbers. */
  add(count: number): readonly string[];
  /** Takes devices from this server, in the portal. */
  remove(serialNumbers: Iterable<string>): void;
  /** Gives devices back to this server. */
  restore(serialNumbers: Iterable<string>): void;
  /** Something about devices changes. */
  modify(serialNumbers: Iterable<string>): void;
  /** The device fetches its profile in Setup Assistant; the profile that it gets, as it was defined. */
  pushed(serialNumber: string): Readonly<Record<string, unknown>> | undefined;
  /** Apple has sent a new device for an old one, and released the old. */
  replace(original: string, replacement: string): void;
  /** Adds records to the roster, or changes them. */
  changeRoster(roster: SimulatedRoster): void;
  /** Removes records from the roster, which no change tells of. */
  removeFromRoster(uniqueIdentifiers: Iterable<string>): void;
  /** What the service knows of a device. */
  look(serialNumber: string): (OwnedDevice & { readonly profileUuid?: string; readonly status: string }) | undefined;
  /** Ends all sessions, as a restart of the service does. */
  endSessions(): void;
  /** Whether the organisation has accepted Apple's terms. */
  termsSigned: boolean;
  /** Whether the server's entry in the portal is open. */
  accessAllowed: boolean;
  /** Whether the organisation allows beta software. */
  seedForIt: boolean;
  /** Whether account-driven enrolment is there for the organisation. */
  discoverySupported: boolean;
  /** Scripts the answer to each request in a session; `undefined` leaves it to its way. */
  respond(
    script: ((request: ServiceRequest) => Response | undefined | Promise<Response | undefined>) | undefined,
  ): void;
  /** How often each request came: `POST /devices/sync` … */
  readonly counters: ReadonlyMap<string, number>;
}

const sessionHeader = 'X-ADM-Auth-Session';
const year = 365 * 86_400_000;

/**
 * Makes a simulated device enrolment service. Devices come from the seed and cost nothing until they change, so that a
 * million of them start at once.
 *
 * @example
 * const apple = createSimulatedEnrolmentService({ count: 1_000_000 });
 * const token = openServerToken(apple.downloadToken(pair.certificate), pair);
 * const client = createEnrolmentClient({ token, fetch: apple.fetch, clock: Date });
 */
export function createSimulatedEnrolmentService(options: SimulatedEnrolmentOptions = {}): SimulatedEnrolmentService {
  const now = (): number => options.clock?.now() ?? Date.now();
  const random = createRandom(`enrolment/${options.seed ?? 0}`);
  const registry = createRegistry(options);
  const { sessionIdleMs = 180_000, sessionRequests = 100 } = options;
  const account: AccountFacts = {
    serverName: options.serverName ?? 'Simulated server',
    serverUuid: random.uuid(),
    organisationName: options.organisationName ?? 'Example Ltd',
    organisationType: options.organisationType ?? 'org',
    maxPage: options.maxPage ?? 1000,
  };
  const discovery = createDiscovery(now);
  const consumerKey = `CK_${hex(48)}`;
  const sessions = new Map<string, { used: number; requests: number }>();
  const nonces = new Set<string>();
  const counters = new Map<string, number>();
  let credentials: Credentials | undefined;
  let script: Parameters<SimulatedEnrolmentService['respond']>[0];
  let requests = 0;

  const profileService: ProfileService = {
    registry,
    now,
    newUuid: () => random.uuid().replaceAll('-', ''),
    profiles: [],
    throttleMs: options.throttleAssignmentMs ?? 0,
  };
  const deviceService: DeviceService = {
    registry,
    secret: random.uuid(),
    now,
    maxPage: account.maxPage,
    profileUuid: (number) => profileService.profiles[number - 1]?.uuid,
    assignedBy: 'buyer@example.com',
    locked: new Set(),
    replacements: new Map(),
  };

  const roster = createRoster(options.roster ?? {}, { secret: deviceService.secret, now, maxPage: account.maxPage });

  function hex(bytes: number): string {
    return Buffer.from(random.bytes(bytes)).toString('hex');
  }

  function newSession(): string {
    const token = `${Math.floor(now() / 1000)}O${hex(16)}`;
    sessions.set(token, { used: now(), requests: 0 });
    return token;
  }

  function startSession(request: Request): Response {
    if (credentials === undefined) return text('consumer_key_unknown', 401);
    const problem = checkSignature(request, credentials, nonces, now());
    if (problem !== undefined) return text(problem.reason, problem.status);
    if (!service.termsSigned) return text('T_C_NOT_SIGNED', 403);
    if (!service.accessAllowed) return text('ACCESS_DENIED', 403);
    return json({ auth_session_token: newSession() });
  }

  /** The header with a renewed session, or what is wrong with the present one. */
  function useSession(request: Request): Response | Readonly<Record<string, string>> {
    const token = request.headers.get(sessionHeader);
    const session = token === null ? undefined : sessions.get(token);
    if (token === null || session === undefined) return text('FORBIDDEN', 403);
    if (now() - session.used > sessionIdleMs) {
      sessions.delete(token);
      return text('UNAUTHORIZED', 401);
    }
    session.used = now();
    session.requests++;
    if (session.requests < sessionRequests) return { [sessionHeader]: token };
    sessions.delete(token);
    return { [sessionHeader]: newSession() };
  }

  async function route(request: Request, url: URL, version: number): Promise<Response> {
    const body = request.method === 'GET' || request.body === null ? new Map() : await bodyOf(request);
    if (body === undefined) return text('MALFORMED_REQUEST_BODY', 400);
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /account':
        return accountDetails(account, version);
      case 'POST /server/devices':
        return fetchDevices(deviceService, body, version);
      case 'POST /devices/sync':
        return syncDevices(deviceService, body, version);
      case 'POST /devices':
        return deviceDetails(deviceService, body, version);
      case 'POST /devices/disown':
        return disownDevices(deviceService, body);
      case 'POST /device/activationlock':
        return lockDevice(deviceService, body);
      case 'GET /device/replacementDetails':
        return replacementDetails(deviceService, url);
      case 'POST /profile':
        return defineProfile(profileService, body);
      case 'GET /profile':
        return readProfile(profileService, url);
      case 'POST /profile/devices':
      case 'PUT /profile/devices':
        return assignProfile(profileService, body, version);
      case 'DELETE /profile/devices':
        return removeProfile(profileService, body);
      case 'GET /os-beta-enrollment/tokens':
        return service.seedForIt
          ? json({ betaEnrollmentTokens: betaTokens })
          : text('APPLE_SEED_FOR_IT_TURNED_OFF', 403);
      default:
        if (request.method === 'POST' && url.pathname.startsWith('/roster/')) {
          // Apple says that businesses have no rosters, not how a request for one is refused.
          if (account.organisationType === 'org') return text('ORG_NOT_SUPPORTED', 400);
          return roster.answer(url.pathname, body) ?? text('', 404);
        }
        return url.pathname === '/account-driven-enrollment/profile'
          ? service.discoverySupported
            ? discovery(request.method, body)
            : text('ORG_NOT_SUPPORTED', 400)
          : text('', 404);
    }
  }

  const betaTokens = (['iOS', 'OSX', 'tvOS'] as const).map((os) => ({
    os,
    title: `${os} AppleSeed Beta`,
    token: hex(20),
  }));
  const numbers = function* (serials: Iterable<string>): Generator<number> {
    for (const serial of serials) {
      const number = registry.organisation.find(serial);
      if (number >= 0) yield number;
    }
  };

  const service: SimulatedEnrolmentService = {
    organisation: registry.organisation,
    counters,
    termsSigned: true,
    accessAllowed: true,
    seedForIt: true,
    discoverySupported: true,
    async fetch(request) {
      const url = new URL(request.url);
      const name = `${request.method} ${url.pathname}`;
      counters.set(name, (counters.get(name) ?? 0) + 1);
      const agent = request.headers.get('user-agent');
      if (agent === null || agent.trim() === '') return text('USER_AGENT_MISSING', 400);
      if (agent.length > 256) return text('USER_AGENT_INVALID', 400);
      if (name === 'GET /session') return startSession(request);
      const scripted = await script?.({ method: request.method, path: url.pathname, number: ++requests });
      if (scripted !== undefined) return scripted;
      const session = useSession(request);
      if (session instanceof Response) return session;
      if (!service.termsSigned) return text('T_C_NOT_SIGNED', 403);
      if (!service.accessAllowed) return text('ACCESS_DENIED', 403);
      const version = Number(request.headers.get('x-server-protocol-version') ?? '1');
      const answer = await route(request, url, version);
      for (const [header, value] of Object.entries(session)) answer.headers.set(header, value);
      return answer;
    },
    downloadToken(certificate) {
      const expires = now() + year;
      credentials = {
        consumerKey,
        consumerSecret: `CS_${hex(20)}`,
        accessToken: `AT_O${hex(20)}O${now()}`,
        accessSecret: `AS_${hex(20)}`,
        expires,
      };
      sessions.clear();
      return tokenFile(credentials, certificate);
    },
    add(count) {
      const first = registry.organisation.buy(count);
      const added = Array.from({ length: count }, (_, index) => first + index);
      registry.change('added', added, now());
      return added.map((number) => registry.device(number).serialNumber);
    },
    remove: (serials) => registry.change('deleted', numbers(serials), now()),
    restore: (serials) => registry.change('added', numbers(serials), now()),
    modify: (serials) => registry.change('modified', numbers(serials), now()),
    pushed(serial) {
      const number = registry.number(serial);
      if (number < 0) return undefined;
      registry.push(number, now());
      const found = profileService.profiles[registry.assignment(number).profile - 1];
      return found && Object.fromEntries(found.profile);
    },
    replace(original, replacement) {
      const date = new Date(now()).toISOString().slice(0, 10);
      deviceService.replacements.set(replacement, { original, date });
      service.remove([original]);
    },
    changeRoster: (changed) => roster.change(changed),
    removeFromRoster: (ids) => roster.remove(ids),
    look(serial) {
      const number = registry.number(serial);
      if (number < 0) return undefined;
      const { profile, status } = registry.assignment(number);
      const uuid = deviceService.profileUuid(profile);
      return { ...registry.device(number), status, ...(uuid !== undefined && { profileUuid: uuid }) };
    },
    endSessions: () => sessions.clear(),
    respond(next) {
      script = next;
      requests = 0;
    },
  };
  return service;
}
