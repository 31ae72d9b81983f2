// The client of the Apple Business Manager API and the Apple School Manager API.
import { randomUUID } from 'node:crypto';
import { AdeError } from '../errors.ts';
import { type Answer, createSender, type HttpOptions } from '../http/exchange.ts';
import { type JsonObject, jsonAnswer, lacking } from '../http/json.ts';
import { type ActivityMethods, createActivityMethods } from './activities.ts';
import { clientAssertion, importApiKey } from './assertion.ts';
import { type BlueprintMethods, createBlueprintMethods } from './blueprints.ts';
import { createDirectoryMethods, type DirectoryMethods } from './directory.ts';
import { businessError, tokenError } from './errors.ts';
import { readId } from './fields.ts';
import { apiPath, type BusinessTransport, type Call, isoTime, unlessMissing } from './transport.ts';
import {
  type AppleCareCoverage,
  type AuditEvent,
  type MdmServer,
  type MdmServerChange,
  mdmServerAttributes,
  type OrgDevice,
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
  /** Lets `release` work. Default false: it cannot be undone. */
  readonly allowRelease?: boolean;
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

/** Activation Lock of a device as the organisation sees it. */
export interface ActivationLockState {
  readonly isLocked: boolean;
  /** `MDM`, `USER`, `NONE`. */
  readonly lockType?: string;
}

/** The API, for one account. Every method throws AdeErrors: `ade.business.*`, `ade.http.*`. Lists come in pages. */
export interface BusinessClient extends ActivityMethods, DirectoryMethods, BlueprintMethods {
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
  /** Whether a device has Activation Lock. */
  activationLock(deviceId: string): Promise<ActivationLockState>;
  /** The AppleCare agreements of a device. */
  appleCare(deviceId: string): AsyncIterable<readonly AppleCareCoverage[]>;
  /** What happened in the organisation. Apple Business Manager only. */
  auditEvents(query: AuditQuery): AsyncIterable<readonly AuditEvent[]>;
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
    reader: (object: JsonObject) => T | undefined,
    query: Readonly<Record<string, string>> = {},
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

  const onlyBusiness = (what: string): void => {
    if (manager === 'business') return;
    throw new AdeError('ade.business.not_there', `Apple School Manager has no ${what} for its API`);
  };
  const transport: BusinessTransport = {
    send,
    one,
    pages,
    onlyBusiness,
    now: sender.now,
    sleep: (ms) => sender.sleep(ms, sender.signal),
  };

  return {
    ...createActivityMethods(transport, options.allowRelease === true),
    ...createDirectoryMethods(transport),
    ...createBlueprintMethods(transport),
    devices: () => pages('/v1/orgDevices', readOrgDevice),
    device: (id) => unlessMissing(() => one({ path: apiPath('orgDevices', id) }, readOrgDevice)),
    servers: () => pages('/v1/mdmServers', readMdmServer),
    server: (id) => unlessMissing(() => one({ path: apiPath('mdmServers', id) }, readMdmServer)),
    serverDevices: (id) => pages(apiPath('mdmServers', id, 'relationships', 'devices'), readId),
    async createServer(server) {
      onlyBusiness('servers to change');
      const data = { type: 'mdmServers', attributes: mdmServerAttributes(server) };
      // Sent again, it might be there twice.
      return one({ path: '/v1/mdmServers', body: { data }, repeatable: false }, readMdmServer);
    },
    async updateServer(id, change) {
      onlyBusiness('servers to change');
      const data = { type: 'mdmServers', id, attributes: mdmServerAttributes(change) };
      return one({ method: 'PATCH', path: apiPath('mdmServers', id), body: { data } }, readMdmServer);
    },
    async deleteServer(id) {
      onlyBusiness('servers to change');
      await send({ method: 'DELETE', path: apiPath('mdmServers', id) });
    },
    assignedServerId: (id) =>
      unlessMissing(() => one({ path: apiPath('orgDevices', id, 'relationships', 'assignedServer') }, readId)),
    assignedServer: (id) =>
      unlessMissing(() => one({ path: apiPath('orgDevices', id, 'assignedServer') }, readMdmServer)),
    activationLock: (id) =>
      one({ path: apiPath('orgDevices', id, 'activationLockStatus') }, (object) => {
        const attributes = object.object('attributes');
        const isLocked = attributes?.boolean('isLocked');
        const lockType = attributes?.text('lockType');
        return isLocked === undefined ? undefined : { isLocked, ...(lockType !== undefined && { lockType }) };
      }),
    appleCare: (id) => pages(apiPath('orgDevices', id, 'appleCareCoverage'), readCoverage),
    auditEvents(query) {
      onlyBusiness('audit events');
      const filters = {
        'filter[startTimestamp]': isoTime(query.start, 'start'),
        'filter[endTimestamp]': isoTime(query.end, 'end'),
        ...(query.type !== undefined && { 'filter[type]': query.type }),
        ...(query.actorId !== undefined && { 'filter[actorId]': query.actorId }),
        ...(query.subjectId !== undefined && { 'filter[subjectId]': query.subjectId }),
      };
      return pages('/v1/auditEvents', readAuditEvent, filters);
    },
  };
}
