// The client of the Apple Business Manager API and the Apple School Manager API.
import { randomUUID } from 'node:crypto';
import { AdeError, isAdeError } from '../errors.ts';
import { type Answer, createSender, type HttpOptions } from '../http/exchange.ts';
import { type JsonObject, jsonAnswer, lacking } from '../http/json.ts';
import { clientAssertion, importApiKey } from './assertion.ts';
import { businessError, tokenError } from './errors.ts';
import {
  type AppleCareCoverage,
  type AuditEvent,
  type DeviceActivity,
  type MdmServer,
  type MdmServerChange,
  mdmServerAttributes,
  type OrgDevice,
  readActivity,
  readAuditEvent,
  readCoverage,
  readMdmServer,
  readOrgDevice,
} from './types.ts';

/** What {@link createBusinessClient} needs. */
export interface BusinessClientOptions extends HttpOptions {
  /** Apple Business Manager (`business`, default) or Apple School Manager (`school`). */
  readonly manager?: 'business' | 'school';
  /** Client id of the API account: `BUSINESSAPI.…`. */
  readonly clientId: string;
  readonly keyId: string;
  /** The account's private key (P-256): PEM, or DER. */
  readonly privateKey: string | Uint8Array;
  /** Default `https://api-business.apple.com` or `https://api-school.apple.com`. */
  readonly origin?: string;
  /** Default `https://account.apple.com`. */
  readonly accountOrigin?: string;
  /** A unique id for each assertion. Default: a random UUID. */
  readonly newId?: () => string;
}

/** Which audit events. */
export interface AuditQuery {
  readonly start: Date;
  readonly end: Date;
  readonly type?: string;
  readonly actorId?: string;
  readonly subjectId?: string;
}

/** How to wait for an activity. */
export interface ActivityWait {
  /** Milliseconds between two looks. Default 5,000. */
  readonly pollMs?: number;
  /** When to give up, in milliseconds. Default 600,000. */
  readonly timeoutMs?: number;
}

/** Activation Lock of a device as the organisation sees it. */
export interface ActivationLockState {
  readonly isLocked: boolean;
  /** `MDM`, `USER`, `NONE`. */
  readonly lockType?: string;
}

/** The API, for one account. Every method throws AdeErrors: `ade.business.*`, `ade.http.*`. Lists come in pages. */
export interface BusinessClient {
  /** All devices of the organisation. */
  devices(): AsyncIterable<readonly OrgDevice[]>;
  /** A device; undefined when the organisation has none with this id. */
  device(id: string): Promise<OrgDevice | undefined>;
  /** The servers (device management services) of the organisation. */
  servers(): AsyncIterable<readonly MdmServer[]>;
  /** A server; undefined when the organisation has none with this id. */
  server(id: string): Promise<MdmServer | undefined>;
  /** The serial numbers of the devices that are assigned to a server. */
  serverDevices(serverId: string): AsyncIterable<readonly string[]>;
  /** Adds a server to the organisation. Apple Business Manager only. @throws AdeError `ade.business.not_there` */
  createServer(
    server: MdmServerChange & Required<Pick<MdmServerChange, 'serverName' | 'certificate'>>,
  ): Promise<MdmServer>;
  /** Changes what is given of a server. Apple Business Manager only. @throws AdeError `ade.business.not_there` */
  updateServer(id: string, change: MdmServerChange): Promise<MdmServer>;
  /**
   * Deletes a server that has no devices. Apple Business Manager only.
   * @throws AdeError `ade.business.conflict` while it has devices, `ade.business.not_there`
   */
  deleteServer(id: string): Promise<void>;
  /** The id of the server that a device is assigned to; undefined for none. */
  assignedServerId(deviceId: string): Promise<string | undefined>;
  /** The server that a device is assigned to; undefined for none. */
  assignedServer(deviceId: string): Promise<MdmServer | undefined>;
  /** Begins to assign devices to a server. It takes effect later: see `finished`. */
  assign(serverId: string, deviceIds: readonly string[]): Promise<DeviceActivity>;
  /** Begins to take devices from a server. */
  unassign(serverId: string, deviceIds: readonly string[]): Promise<DeviceActivity>;
  /** How an activity of the last 30 days is getting on. */
  activity(id: string): Promise<DeviceActivity>;
  /**
   * Waits until an activity is no more in progress.
   * @throws AdeError `ade.business.activity_timeout`.
   */
  finished(id: string, wait?: ActivityWait): Promise<DeviceActivity>;
  /** Whether a device has Activation Lock. */
  activationLock(deviceId: string): Promise<ActivationLockState>;
  /** The AppleCare agreements of a device. */
  appleCare(deviceId: string): AsyncIterable<readonly AppleCareCoverage[]>;
  /** What happened in the organisation. Apple Business Manager only. */
  auditEvents(query: AuditQuery): AsyncIterable<readonly AuditEvent[]>;
}

/** A request of the client. */
interface Call {
  /** Default GET, and POST with a body. */
  readonly method?: 'PATCH' | 'DELETE';
  /** Whether it may be sent again when nobody knows what became of it. Default true. */
  readonly repeatable?: boolean;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const pageSize = '1000';

/**
 * Makes a client of the API. Access tokens are got with a client assertion (ES256), kept until shortly before they
 * expire, and got anew once when one is refused.
 *
 * @throws AdeError `ade.business.key`.
 * @example
 * const client = createBusinessClient({ clientId, keyId, privateKey, clock: Date });
 * const activity = await client.assign(serverId, ['C02ABCDEFGHJ']);
 * const { subStatus } = await client.finished(activity.id);
 */
export function createBusinessClient(options: BusinessClientOptions): BusinessClient {
  const { manager = 'business', clientId, keyId, newId = randomUUID } = options;
  const origin = options.origin ?? `https://api-${manager}.apple.com`;
  const account = options.accountOrigin ?? 'https://account.apple.com';
  const key = importApiKey(options.privateKey);
  const sender = createSender(options);
  let current: { readonly token: string; readonly until: number } | undefined;
  let getting: Promise<string> | undefined;

  async function getToken(): Promise<string> {
    const answer = await sender.send({
      method: 'POST',
      url: new URL('/auth/oauth2/token', account),
      repeatable: true,
      headers: () => new Headers({ 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' }),
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: clientAssertion({
          clientId,
          keyId,
          key,
          audience: new URL('/auth/oauth2/v2/token', account).href,
          now: sender.now(),
          id: newId(),
        }),
        scope: `${manager}.api`,
      }).toString(),
    });
    if (answer.status !== 200) throw tokenError(answer, sender.now());
    const object = jsonAnswer(answer.text, 'business', answer.status);
    const token = object.text('access_token');
    if (token === undefined || !/^[\x21-\x7e]{1,8192}$/.test(token)) throw lacking('access_token', 'business');
    // A minute early, so that a token does not end on its way.
    const seconds = Math.max(0, (object.number('expires_in') ?? 3600) - 60);
    current = { token, until: sender.now() + seconds * 1000 };
    return token;
  }

  async function tokenFor(refused?: string): Promise<string> {
    if (current !== undefined && current.token !== refused && sender.now() < current.until) return current.token;
    getting ??= getToken().finally(() => {
      getting = undefined;
    });
    return getting;
  }

  async function send({ method, repeatable = true, path, query, body }: Call): Promise<Answer> {
    const url = new URL(path, origin);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    let token = await tokenFor();
    for (let renewed = false; ; renewed = true) {
      const used = token;
      const answer = await sender.send({
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        url,
        // An activity that was begun twice does the same twice.
        repeatable,
        headers() {
          const headers = new Headers({ Authorization: `Bearer ${used}`, Accept: 'application/json' });
          if (body !== undefined) headers.set('Content-Type', 'application/json');
          return headers;
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (answer.status >= 200 && answer.status < 300) return answer;
      if (answer.status !== 401 || renewed) throw businessError(answer, sender.now());
      token = await tokenFor(used);
    }
  }

  async function read(call: Call): Promise<JsonObject> {
    const answer = await send(call);
    return jsonAnswer(answer.text, 'business', answer.status);
  }

  async function one<T>(call: Call, reader: (object: JsonObject) => T | undefined): Promise<T> {
    const data = (await read(call)).object('data');
    const item = data && reader(data);
    if (item === undefined) throw lacking('data', 'business');
    return item;
  }

  async function* pages<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    reader: (object: JsonObject) => T | undefined,
  ): AsyncGenerator<readonly T[], void, undefined> {
    let cursor: string | undefined;
    for (;;) {
      // The cursor, not the link: a link could lead anywhere, with the access token.
      const object = await read({ path, query: { limit: pageSize, ...query, ...(cursor && { cursor }) } });
      const data = object.objects('data');
      if (data === undefined) throw lacking('data', 'business');
      yield data.map(reader).filter((item) => item !== undefined);
      const next = object.object('meta')?.object('paging')?.text('nextCursor');
      if (next === undefined || next === '') return;
      if (next === cursor) {
        throw new AdeError('ade.business.cursor_loop', 'the API repeats a cursor', { kind: 'unavailable' });
      }
      cursor = next;
    }
  }

  const begin = (activityType: string, serverId: string, ids: readonly string[]): Promise<DeviceActivity> => {
    const devices = { data: ids.map((id) => ({ type: 'orgDevices', id })) };
    const mdmServer = { data: { type: 'mdmServers', id: serverId } };
    const data = { type: 'orgDeviceActivities', attributes: { activityType }, relationships: { mdmServer, devices } };
    return one({ path: '/v1/orgDeviceActivities', body: { data } }, readActivity);
  };
  const onlyBusiness = (what: string): void => {
    if (manager === 'business') return;
    throw new AdeError('ade.business.not_there', `Apple School Manager has no ${what} for its API`);
  };
  const path = (...parts: readonly string[]): string => `/v1/${parts.map(encodeURIComponent).join('/')}`;

  const client: BusinessClient = {
    devices: () => pages('/v1/orgDevices', {}, readOrgDevice),
    device: (id) => unlessMissing(() => one({ path: path('orgDevices', id) }, readOrgDevice)),
    servers: () => pages('/v1/mdmServers', {}, readMdmServer),
    server: (id) => unlessMissing(() => one({ path: path('mdmServers', id) }, readMdmServer)),
    serverDevices: (id) => pages(path('mdmServers', id, 'relationships', 'devices'), {}, (object) => object.text('id')),
    async createServer(server) {
      onlyBusiness('servers to change');
      const data = { type: 'mdmServers', attributes: mdmServerAttributes(server) };
      // Sent again, it might be there twice.
      return one({ path: '/v1/mdmServers', body: { data }, repeatable: false }, readMdmServer);
    },
    async updateServer(id, change) {
      onlyBusiness('servers to change');
      const data = { type: 'mdmServers', id, attributes: mdmServerAttributes(change) };
      return one({ method: 'PATCH', path: path('mdmServers', id), body: { data } }, readMdmServer);
    },
    async deleteServer(id) {
      onlyBusiness('servers to change');
      await send({ method: 'DELETE', path: path('mdmServers', id) });
    },
    assignedServerId: (id) =>
      unlessMissing(() =>
        one({ path: path('orgDevices', id, 'relationships', 'assignedServer') }, (object) => object.text('id')),
      ),
    assignedServer: (id) => unlessMissing(() => one({ path: path('orgDevices', id, 'assignedServer') }, readMdmServer)),
    assign: (serverId, ids) => begin('ASSIGN_DEVICES', serverId, ids),
    unassign: (serverId, ids) => begin('UNASSIGN_DEVICES', serverId, ids),
    activity: (id) => one({ path: path('orgDeviceActivities', id) }, readActivity),
    async finished(id, { pollMs = 5_000, timeoutMs = 600_000 } = {}) {
      const end = sender.now() + timeoutMs;
      for (;;) {
        const activity = await client.activity(id);
        if (activity.status !== 'IN_PROGRESS') return activity;
        if (sender.now() + pollMs > end) {
          throw new AdeError('ade.business.activity_timeout', 'the activity is still in progress', {
            kind: 'unavailable',
            remedy: 'Ask again later: Apple keeps activities for 30 days.',
          });
        }
        await sender.sleep(pollMs, sender.signal);
      }
    },
    activationLock: (id) =>
      one({ path: path('orgDevices', id, 'activationLockStatus') }, (object) => {
        const attributes = object.object('attributes');
        const isLocked = attributes?.boolean('isLocked');
        const lockType = attributes?.text('lockType');
        return isLocked === undefined ? undefined : { isLocked, ...(lockType !== undefined && { lockType }) };
      }),
    appleCare: (id) => pages(path('orgDevices', id, 'appleCareCoverage'), {}, readCoverage),
    auditEvents(query) {
      onlyBusiness('audit events');
      const filters = {
        'filter[startTimestamp]': query.start.toISOString(),
        'filter[endTimestamp]': query.end.toISOString(),
        ...(query.type !== undefined && { 'filter[type]': query.type }),
        ...(query.actorId !== undefined && { 'filter[actorId]': query.actorId }),
        ...(query.subjectId !== undefined && { 'filter[subjectId]': query.subjectId }),
      };
      return pages('/v1/auditEvents', filters, readAuditEvent);
    },
  };
  return client;
}

async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isAdeError(error, 'ade.business.not_found')) return undefined;
    throw error;
  }
}
