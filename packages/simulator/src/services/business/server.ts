// A simulated Apple Business Manager API (or Apple School Manager API): devices, servers, activities, audit events.
import { createRandom } from '../../random.ts';
import { bodyOf, type Handler, json } from '../answers.ts';
import { createOrganisation, type Organisation, type OrganisationOptions } from '../organisation.ts';
import { missing, pageOf, problem } from './documents.ts';
import { type ApiAccount, judgeTokenRequest, readPublicKey } from './oauth.ts';
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
  /** How long an activity takes, in milliseconds. Default 10,000. */
  readonly activityMs?: number;
  /** How long an access token is good, in seconds. Default 3,600. */
  readonly tokenSeconds?: number;
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
  /** Ends all access tokens. */
  endTokens(): void;
  /** Revokes the API account's key. */
  revoked: boolean;
  /** Scripts the answer to each request; `undefined` leaves it to its way. */
  respond(
    script:
      | ((request: { readonly method: string; readonly path: string; readonly number: number }) => Response | undefined)
      | undefined,
  ): void;
  readonly counters: ReadonlyMap<string, number>;
}

interface Activity {
  readonly id: string;
  readonly created: number;
  readonly type: string;
  readonly serverId: string;
  readonly numbers: readonly number[];
  done: boolean;
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
  const countOf = (id: string): number => [...assigned.values()].filter((server) => server === id).length;
  const servers = createServers(
    options.servers ?? ['Simulated server'],
    () => random.uuid().replaceAll('-', ''),
    now,
    (id) => countOf(id),
  );
  /** Which server a device is assigned to; devices that are not here have none. */
  const assigned = new Map<number, string>();
  const locks = new Map<number, 'MDM' | 'USER'>();
  const tokens = new Map<string, number>();
  const used = new Set<string>();
  const activities = new Map<string, Activity>();
  const events: { readonly at: number; readonly type: string; readonly number: number }[] = [];
  const counters = new Map<string, number>();
  let script: Parameters<SimulatedBusinessApi['respond']>[0];
  let requests = 0;

  async function giveToken(request: Request): Promise<Response> {
    if (api.revoked) return json({ error: 'invalid_client' }, 400);
    const refused = await judgeTokenRequest(request, account, used, now());
    if (refused !== undefined) return refused;
    const token = Buffer.from(random.bytes(32)).toString('base64url');
    tokens.set(token, now() + tokenSeconds * 1000);
    return json({ access_token: token, token_type: 'Bearer', expires_in: tokenSeconds, scope: account.scope });
  }

  /** Does what activities were to do by now. */
  function settle(): void {
    for (const activity of activities.values()) {
      if (activity.done || now() < activity.created + activityMs) continue;
      activity.done = true;
      const server = activity.serverId;
      const assigns = activity.type === 'ASSIGN_DEVICES';
      for (const number of activity.numbers) {
        if (assigns) assigned.set(number, server);
        else if (assigned.get(number) === server) assigned.delete(number);
        const type = assigns ? 'DEVICE_ASSIGNED_TO_SERVER' : 'DEVICE_UNASSIGNED_FROM_SERVER';
        events.push({ at: activity.created + activityMs, type, number });
      }
      const serials = activity.numbers.map((number) => organisation.device(number).serialNumber);
      const name = servers.list.find((item) => item.id === server)?.name ?? null;
      options.onAssigned?.(serials, assigns ? name : null);
    }
  }

  function describe(number: number): object {
    const device = organisation.device(number);
    const ordered = new Date(device.orderedAt).toISOString();
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
      },
    };
  }

  function describeActivity(activity: Activity): object {
    const ended = new Date(activity.created + activityMs).toISOString();
    const state = activity.done
      ? {
          status: 'COMPLETED',
          subStatus: 'COMPLETED_WITH_SUCCESS',
          completedDateTime: ended,
          downloadUrl: `https://store.example/${activity.id}.csv`,
        }
      : { status: 'IN_PROGRESS', subStatus: 'SUBMITTED' };
    const attributes = { ...state, createdDateTime: new Date(activity.created).toISOString() };
    return { type: 'orgDeviceActivities', id: activity.id, attributes };
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

  function begin(body: ReadonlyMap<string, unknown> | undefined): Response {
    const data = body?.get('data') as
      | {
          attributes?: { activityType?: string };
          relationships?: { mdmServer?: { data?: { id?: string } }; devices?: { data?: { id?: string }[] } };
        }
      | undefined;
    const type = data?.attributes?.activityType;
    const devices = data?.relationships?.devices?.data;
    if (data === undefined || devices === undefined) return problem(400, 'ENTITY_INVALID', 'data');
    if (type !== 'ASSIGN_DEVICES' && type !== 'UNASSIGN_DEVICES') {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'activityType');
    }
    if (devices.length === 0) return problem(422, 'ENTITY_UNPROCESSABLE', 'devices');
    const serverId = data.relationships?.mdmServer?.data?.id;
    const server = servers.list.find((item) => item.id === serverId);
    const numbers = devices.map((device) => organisation.find(String(device.id)));
    if (server === undefined || numbers.some((number) => number < 0)) {
      return problem(409, 'ENTITY_ERROR.RELATIONSHIP.INVALID', server === undefined ? 'mdmServer' : 'devices');
    }
    const activity: Activity = {
      id: random.uuid().toLowerCase(),
      created: now(),
      type,
      serverId: server.id,
      numbers,
      done: false,
    };
    activities.set(activity.id, activity);
    return json({ data: describeActivity(activity) }, 201);
  }

  function auditEvents(url: URL): Response {
    const start = Date.parse(url.searchParams.get('filter[startTimestamp]') ?? '');
    const end = Date.parse(url.searchParams.get('filter[endTimestamp]') ?? '');
    if (Number.isNaN(start) || Number.isNaN(end))
      return problem(400, 'PARAMETER_ERROR.MISSING', 'filter[startTimestamp]');
    const type = url.searchParams.get('filter[type]');
    const subject = url.searchParams.get('filter[subjectId]');
    return page(url, events.length, (index) => {
      const event = events[index]!;
      const serialNumber = organisation.device(event.number).serialNumber;
      if (event.at < start || event.at > end || (type !== null && type !== event.type)) return undefined;
      if (subject !== null && subject !== serialNumber) return undefined;
      const key =
        event.type === 'DEVICE_ASSIGNED_TO_SERVER'
          ? 'eventDataDeviceAssignedToServer'
          : 'eventDataDeviceUnassignedFromServer';
      const attributes = {
        eventDateTime: new Date(event.at).toISOString(),
        type: event.type,
        category: 'DEVICE_INVENTORY',
        actorType: 'API_ACCOUNT',
        actorId: account.clientId,
        subjectType: 'DEVICE',
        subjectId: serialNumber,
        outcome: 'SUCCESS',
        eventDataPropertyKey: key,
        [key]: { serialNumber },
      };
      return { type: 'auditEvents', id: `event-${index}`, attributes };
    });
  }

  function route(request: Request, url: URL): Response | undefined {
    const [version, kind, id, part, relation] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    if (version !== 'v1' || request.method !== 'GET') return undefined;
    if (kind === 'orgDevices') {
      return id === undefined ? page(url, organisation.size, describe) : readDevice(url, id, part, relation);
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
    if (kind === 'orgDeviceActivities' && id !== undefined) {
      const activity = activities.get(id);
      return activity === undefined ? missing('orgDeviceActivities', id) : json({ data: describeActivity(activity) });
    }
    return kind === 'auditEvents' && manager === 'business' ? auditEvents(url) : undefined;
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
    async fetch(request) {
      const url = new URL(request.url);
      const name = `${request.method} ${url.pathname}`;
      counters.set(name, (counters.get(name) ?? 0) + 1);
      if (url.pathname === '/auth/oauth2/token') return giveToken(request);
      const scripted = script?.({ method: request.method, path: url.pathname, number: ++requests });
      if (scripted !== undefined) return scripted;
      const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
      if (!((tokens.get(token) ?? 0) > now())) return problem(401, 'NOT_AUTHORIZED', 'the access token is not valid');
      settle();
      if (name === 'POST /v1/orgDeviceActivities') return begin(await bodyOf(request));
      const [, , kind, id = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
      const { method } = request;
      if (manager === 'business' && kind === 'mdmServers' && rest.length === 0) {
        if (method === 'POST' && id === '') return servers.change(method, id, await bodyOf(request));
        if (method === 'PATCH' || method === 'DELETE') return servers.change(method, id, await bodyOf(request));
      }
      return route(request, url) ?? problem(404, 'NOT_FOUND', url.pathname);
    },
    lock(serial, type) {
      const number = organisation.find(serial);
      if (number >= 0) locks.set(number, type);
    },
    endTokens: () => tokens.clear(),
    respond(next) {
      script = next;
      requests = 0;
    },
  };
  return api;
}
