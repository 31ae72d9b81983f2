// A simulated Apple Business Manager API (or Apple School Manager API): devices, servers, activities, audit events.
import { createRandom } from '../../random.ts';
import { bodyOf, type Handler, json } from '../answers.ts';
import { createOrganisation, type Organisation, type OrganisationOptions } from '../organisation.ts';
import { createThrottle } from '../throttle.ts';
import { createActivities, type DeviceEvent, type DeviceStates } from './activities.ts';
import { readAuditEvents } from './audit.ts';
import { createBlueprints } from './blueprints.ts';
import { missing, pageOf, problem } from './documents.ts';
import { type ApiAccount, judgeTokenRequest, readPublicKey } from './oauth.ts';
import { readResources, type SimulatedResources, smallOrganisation } from './resources.ts';
import { createServers } from './servers.ts';

/** Options of {@link createSimulatedBusinessApi}. */
export interface SimulatedBusinessOptions extends OrganisationOptions {
  readonly manager?: 'business' | 'school';
  readonly clock?: { now(): number };
  readonly clientId?: string;
  readonly keyId?: string;
  /** The API account's public key (P-256): PEM, or DER. */
  readonly publicKey: string | Uint8Array;
  /** Devices that the API speaks of, where another simulated service has them. Default: computed from the seed. */
  readonly organisation?: Organisation;
  /** Names of the servers. Default one, `Simulated server`; all devices begin with none. */
  readonly servers?: readonly string[];
  /** Users, groups, units, apps and packages. Default: a few of each. */
  readonly resources?: Partial<SimulatedResources>;
  /** How long an activity takes, in milliseconds. Default 10,000. */
  readonly activityMs?: number;
  /** How long an access token is good, in seconds. Default 3,600. */
  readonly tokenSeconds?: number;
  /** Requests that are answered in a minute. Default: any number. */
  readonly requestsPerMinute?: number;
  /** Largest page. Default 1,000. */
  readonly maxPage?: number;
  /** Hears of devices that came to a server (`null`: to none), when the activity is done. */
  readonly onAssigned?: (serialNumbers: readonly string[], serverName: string | null) => void;
}

/** A simulated Apple Business or School Manager API. */
export interface SimulatedBusinessApi {
  /** The API and the token endpoint in one. */
  readonly fetch: Handler;
  readonly clientId: string;
  readonly keyId: string;
  readonly organisation: Organisation;
  readonly servers: readonly { readonly id: string; readonly name: string }[];
  /** Locks a device. */
  lock(serialNumber: string, type: 'MDM' | 'USER'): void;
  /** The built-in device management takes a device over. */
  enrolBuiltIn(serialNumber: string): void;
  /** A device that is to be migrated has moved to its new server. */
  migrated(serialNumber: string): void;
  /** Ends all access tokens. */
  endTokens(): void;
  /** Revokes the API account's key. */
  revoked: boolean;
  /** Whether the API account may ask and change things. */
  allowed: boolean;
  /** Whether the API account may get tokens. */
  mayGetTokens: boolean;
  /** Scripts the answer to each request; `undefined` leaves it to its way. */
  respond(
    script:
      | ((request: { readonly method: string; readonly path: string; readonly number: number }) => Response | undefined)
      | undefined,
  ): void;
  readonly counters: ReadonlyMap<string, number>;
}

const year = 365 * 86_400_000;

/**
 * Makes a simulated API.
 *
 * @example
 * const apple = createSimulatedBusinessApi({ publicKey, count: 500 });
 * const { clientId, keyId } = apple;
 * const client = createBusinessClient({ clientId, keyId, privateKey, fetch: apple.fetch, clock: Date });
 */
export function createSimulatedBusinessApi(options: SimulatedBusinessOptions): SimulatedBusinessApi {
  const { manager = 'business', activityMs = 10_000, tokenSeconds = 3600, maxPage = 1000 } = options;
  const now = (): number => options.clock?.now() ?? Date.now();
  const random = createRandom(`business/${options.seed ?? 0}`);
  const organisation = options.organisation ?? createOrganisation(options);
  const account: ApiAccount = {
    clientId: options.clientId ?? `${manager.toUpperCase()}API.${random.uuid().toLowerCase()}`,
    keyId: options.keyId ?? random.uuid().toLowerCase(),
    publicKey: readPublicKey(options.publicKey),
    scope: `${manager}.api`,
  };
  const states: DeviceStates = { assigned: new Map(), migrations: new Map(), released: new Map() };
  const { assigned, migrations, released } = states;
  const countOf = (id: string): number => [...assigned.values()].filter((server) => server === id).length;
  const servers = createServers(
    options.servers ?? ['Simulated server'],
    () => random.uuid().replaceAll('-', ''),
    now,
    (id) => countOf(id),
  );
  const resources: SimulatedResources = { ...smallOrganisation(now()), ...options.resources };
  const builtIn = new Set<number>();
  const locks = new Map<number, 'MDM' | 'USER'>();
  const tokens = new Map<string, number>();
  const used = new Set<string>();
  const events: DeviceEvent[] = [];
  const serialOf = (number: number): string => organisation.device(number).serialNumber;
  const isOwned = (number: number): boolean => number >= 0 && !released.has(number);
  const newId = (): string => random.uuid().toLowerCase();
  const blueprints = createBlueprints({
    now,
    newId,
    maxPage,
    knows: (part, id) =>
      part === 'orgDevices' ? isOwned(organisation.find(id)) : resources[part].some((item) => item.id === id),
  });
  const activities = createActivities({
    organisation,
    servers: () => servers.list,
    states,
    now,
    newId,
    takesMs: activityMs,
    releases: manager === 'business',
    onEvent(event) {
      events.push(event);
      if (event.type !== 'DEVICE_REMOVED_FROM_ORG') return;
      builtIn.delete(event.number);
      blueprints.dropDevice(serialOf(event.number));
    },
    onAssigned: (numbers, serverName) => options.onAssigned?.(numbers.map(serialOf), serverName),
  });
  const counters = new Map<string, number>();
  const throttle = createThrottle(options.requestsPerMinute, 60_000, now);
  let script: Parameters<SimulatedBusinessApi['respond']>[0];
  let requests = 0;

  async function giveToken(request: Request): Promise<Response> {
    if (api.revoked) return json({ error: 'invalid_client' }, 400);
    if (!api.mayGetTokens) return json({ error: 'unauthorized_client' }, 400);
    const refused = await judgeTokenRequest(request, account, used, now());
    if (refused !== undefined) return refused;
    const token = Buffer.from(random.bytes(32)).toString('base64url');
    tokens.set(token, now() + tokenSeconds * 1000);
    return json({ access_token: token, token_type: 'Bearer', expires_in: tokenSeconds, scope: account.scope });
  }

  function describe(number: number): object {
    const device = organisation.device(number);
    const ordered = new Date(device.orderedAt).toISOString();
    const [migration, releasedAt] = [migrations.get(number), released.get(number)];
    return {
      type: 'orgDevices',
      id: device.serialNumber,
      attributes: {
        serialNumber: device.serialNumber,
        addedToOrgDateTime: ordered,
        updatedDateTime: ordered,
        deviceModel: device.model,
        productFamily: device.kind,
        productType: device.productType,
        orderNumber: device.orderNumber,
        orderDateTime: ordered,
        color: device.color,
        status: assigned.has(number) ? 'ASSIGNED' : 'UNASSIGNED',
        purchaseSourceType: 'APPLE',
        isMdmMigrationCapable: assigned.has(number),
        ...(migration && {
          mdmMigrationStatus: migration.status,
          mdmMigrationDeadlineDateTime: new Date(migration.deadline).toISOString(),
        }),
        ...(releasedAt !== undefined && {
          releasedFromOrgDateTime: new Date(releasedAt).toISOString(),
          releaserEntityType: 'API',
          releaserId: account.clientId,
        }),
      },
    };
  }

  const page = (url: URL, size: number, at: (index: number) => object | undefined): Response =>
    pageOf(url, maxPage, size, at);

  function readDevice(url: URL, id: string, part: string | undefined, relation: string | undefined): Response {
    const number = organisation.find(id);
    if (number < 0) return missing('orgDevices', id);
    if (part === undefined) return json({ data: describe(number) });
    if (part === 'activationLockStatus') {
      const lockType = locks.get(number) ?? 'NONE';
      return json({ data: { type: part, id, attributes: { isLocked: lockType !== 'NONE', lockType } } });
    }
    if (part === 'appleCareCoverage') {
      const start = organisation.device(number).orderedAt;
      const attributes = {
        status: now() < start + year ? 'ACTIVE' : 'INACTIVE',
        paymentType: 'NONE',
        description: 'Limited Warranty',
        startDateTime: new Date(start).toISOString(),
        endDateTime: new Date(start + year).toISOString(),
      };
      return page(url, 1, () => ({ type: part, id: `${id}-warranty`, attributes }));
    }
    const server = servers.list.find((item) => item.id === assigned.get(number));
    if (server === undefined) return missing('mdmServers', id);
    if (part === 'relationships' && relation === 'assignedServer') {
      return json({ data: { type: 'mdmServers', id: server.id }, links: { self: url.href } });
    }
    return part === 'assignedServer' ? json({ data: servers.describe(server) }) : missing('orgDevices', url.pathname);
  }

  /** Devices that the built-in device management has: the list, or the details of one. */
  function readBuiltIn(url: URL, id: string | undefined, part: string | undefined): Response | undefined {
    if (id === undefined) {
      const numbers = [...builtIn];
      return page(url, numbers.length, (index) => {
        const { serialNumber, model, kind } = organisation.device(numbers[index]!);
        const attributes = { serialNumber, deviceName: model, productFamily: kind, enrolledUserId: 'user-1' };
        return { type: 'mdmDevices', id: serialNumber, attributes };
      });
    }
    if (part !== 'details') return undefined;
    const number = organisation.find(id);
    if (!builtIn.has(number)) return missing('mdmDevices', id);
    const { serialNumber, model, kind } = organisation.device(number);
    const attributes = {
      serialNumber,
      deviceName: model,
      deviceModel: model,
      osVersion: '26.1',
      platform: kind === 'Mac' ? 'macOS' : 'iOS',
      imei: [],
      lastCheckInDateTime: new Date(now()).toISOString(),
      ...(kind === 'Mac' && { isFirewallEnabled: true, isFileVaultEnabled: true }),
      storageFreeCapacity: 100_000_000_000,
      storageTotalCapacity: 256_000_000_000,
      deviceLockStatus: 'UNLOCKED',
      deviceEraseStatus: 'NOT_ERASED',
      lostModeStatus: 'DISABLED',
    };
    return json({ data: { type: 'mdmDeviceDetails', id: serialNumber, attributes } });
  }

  function route(request: Request, url: URL): Response | undefined {
    const [version, kind, id, part, relation] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    if (version !== 'v1' || request.method !== 'GET') return undefined;
    if (kind === 'orgDevices') {
      return id === undefined
        ? page(url, organisation.size, (number) => (isOwned(number) ? describe(number) : undefined))
        : readDevice(url, id, part, relation);
    }
    if (kind === 'mdmServers') {
      if (id === undefined) return page(url, servers.list.length, (index) => servers.describe(servers.list[index]!));
      const server = servers.list.find((item) => item.id === id);
      if (server === undefined) return missing('mdmServers', id);
      if (part === undefined) return json({ data: servers.describe(server) });
      if (part !== 'relationships' || relation !== 'devices') return undefined;
      const found = [...assigned].filter(([, item]) => item === id).map(([number]) => number);
      return page(url, found.length, (index) => ({
        type: 'orgDevices',
        id: organisation.device(found[index]!).serialNumber,
      }));
    }
    if (kind === 'orgDeviceActivities' && id !== undefined) return activities.read(id);
    if (manager !== 'business') return undefined;
    if (kind === 'mdmDevices') return readBuiltIn(url, id, part);
    if (kind === 'auditEvents') return readAuditEvents(events, url, maxPage, account.clientId, serialOf);
    return readResources(resources, url, maxPage, [kind, id, part, relation]);
  }

  const api: SimulatedBusinessApi = {
    clientId: account.clientId,
    keyId: account.keyId,
    organisation,
    get servers() {
      return servers.list;
    },
    counters,
    revoked: false,
    allowed: true,
    mayGetTokens: true,
    async fetch(request) {
      const url = new URL(request.url);
      const name = `${request.method} ${url.pathname}`;
      counters.set(name, (counters.get(name) ?? 0) + 1);
      if (url.pathname === '/auth/oauth2/token') return giveToken(request);
      const scripted = script?.({ method: request.method, path: url.pathname, number: ++requests });
      if (scripted !== undefined) return scripted;
      const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
      if (!((tokens.get(token) ?? 0) > now())) return problem(401, 'NOT_AUTHORIZED', 'the access token is not valid');
      if (!api.allowed) return problem(403, 'FORBIDDEN', 'the API account has no role for this');
      const wait = throttle();
      if (wait !== undefined) return problem(429, 'RATE_LIMIT_EXCEEDED', 'later', { 'Retry-After': String(wait) });
      activities.settle();
      if (name === 'POST /v1/orgDeviceActivities') return activities.begin(await bodyOf(request));
      const [, , kind, id = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
      const { method } = request;
      if (manager === 'business' && kind === 'mdmServers' && rest.length === 0) {
        if (method === 'POST' && id === '') return servers.change(method, id, await bodyOf(request));
        if (method === 'PATCH' || method === 'DELETE') return servers.change(method, id, await bodyOf(request));
      }
      if (manager === 'business' && (kind === 'blueprints' || kind === 'configurations')) {
        const segments = url.pathname.split('/').slice(2).map(decodeURIComponent);
        const body = method === 'GET' || request.body === null ? undefined : await bodyOf(request);
        return blueprints.handle({ method, url, segments, body }) ?? problem(404, 'NOT_FOUND', url.pathname);
      }
      return route(request, url) ?? problem(404, 'NOT_FOUND', url.pathname);
    },
    lock(serial, type) {
      const number = organisation.find(serial);
      if (number >= 0) locks.set(number, type);
    },
    enrolBuiltIn(serial) {
      const number = organisation.find(serial);
      if (isOwned(number)) builtIn.add(number);
    },
    migrated(serial) {
      const migration = migrations.get(organisation.find(serial));
      if (migration !== undefined) migration.status = 'SUCCESS';
    },
    endTokens: () => tokens.clear(),
    respond(next) {
      script = next;
      requests = 0;
    },
  };
  return api;
}
