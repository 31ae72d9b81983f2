// The client of Apps and Books (the asset management API, formerly VPP), for one location.
import { AdeError } from '../errors.ts';
import { createSender, type HttpOptions } from '../http/exchange.ts';
import { type JsonObject, jsonAnswer, lacking } from '../http/json.ts';
import { batches, unique } from './batches.ts';
import { appsError } from './errors.ts';
import { createSubscriptionMethods, type SubscriptionMethods } from './subscriptions.ts';
import type { ContentToken } from './token.ts';
import {
  type AppsEvent,
  type AppsLimits,
  type AppsPage,
  type AppsUser,
  type Asset,
  type AssetReference,
  type Assignment,
  type ClientConfig,
  knownLimits,
  type MdmInfo,
  readAsset,
  readAssignment,
  readClientConfig,
  readEvent,
  readLimits,
  readMdmInfo,
  readUser,
} from './types.ts';

/** What {@link createAppsClient} needs. */
export interface AppsClientOptions extends HttpOptions {
  readonly token: ContentToken;
  /** Default `https://vpp.itunes.apple.com`. */
  readonly origin?: string;
  /**
   * This server's id. When it is given, an answer that names another server that manages the location is an error:
   * two servers on one location take licences from each other.
   */
  readonly mdmId?: string;
}

/** To whom, and what. */
export interface AssetChange {
  readonly assets: readonly AssetReference[];
  readonly clientUserIds?: readonly string[];
  readonly serialNumbers?: readonly string[];
}

/** Whom an asset or a change is looked for. */
export interface AssignmentQuery {
  readonly sinceVersionId?: string;
  readonly adamId?: string;
  readonly pricingParam?: string;
  readonly clientUserId?: string;
  readonly serialNumber?: string;
}

/** Which users. */
export interface UserQuery {
  readonly sinceVersionId?: string;
  readonly activeOnly?: boolean;
  readonly retiredOnly?: boolean;
  readonly clientUserId?: string;
}

/** A user to register or change. */
export interface UserChange {
  readonly clientUserId: string;
  readonly email?: string;
  readonly managedAppleId?: string;
}

/** How to wait for an event. */
export interface EventWait {
  /** Milliseconds between two looks. Default 30,000, the least that Apple asks for. */
  readonly pollMs?: number;
  /** When to give up. Default 600,000: from then on Apple says to send the request again. */
  readonly timeoutMs?: number;
}

/** What a location is to be told of this server. */
export interface ClientConfigChange {
  readonly mdmInfo?: MdmInfo;
  readonly notificationUrl?: string;
  readonly notificationAuthToken?: string;
  /** `ASSET_MANAGEMENT`, `USER_MANAGEMENT`, `USER_ASSOCIATED`, `ASSET_COUNT`, `SUBSCRIPTION_MANAGEMENT`, `SUBSCRIPTION_COUNT`. */
  readonly notificationTypes?: readonly string[];
}

/** Apps and Books, for one location. Every method throws AdeErrors: `ade.apps.*`, `ade.http.*`. */
export interface AppsClient extends SubscriptionMethods {
  /** The limits of requests. The client asks for them itself, every five minutes at most. */
  limits(): Promise<AppsLimits>;
  clientConfig(): Promise<ClientConfig>;
  /** Changes the location's settings. Apple tries the notification URL at once. */
  setClientConfig(change: ClientConfigChange): Promise<ClientConfig>;
  /**
   * Makes this server the one that manages the location.
   * @throws AdeError `ade.apps.other_mdm` when another one does, unless it is to be taken over.
   */
  claim(info: MdmInfo, options?: { readonly takeOver?: boolean }): Promise<ClientConfig>;
  assets(query?: { readonly productType?: 'App' | 'Book' }): AsyncIterable<AppsPage<Asset>>;
  assignments(query?: AssignmentQuery): AsyncIterable<AppsPage<Assignment>>;
  users(query?: UserQuery): AsyncIterable<AppsPage<AppsUser>>;
  /** Assigns assets to users and devices, in as many requests as it takes. Gives the id of each event. */
  associate(change: AssetChange): AsyncIterable<string>;
  disassociate(change: AssetChange): AsyncIterable<string>;
  /** Takes all assets that can be taken from users and devices. */
  revoke(from: Omit<AssetChange, 'assets'>): AsyncIterable<string>;
  createUsers(users: readonly UserChange[]): AsyncIterable<string>;
  updateUsers(users: readonly UserChange[]): AsyncIterable<string>;
  retireUsers(clientUserIds: readonly string[]): AsyncIterable<string>;
  event(eventId: string): Promise<AppsEvent>;
  /**
   * Waits until an event is no more pending.
   * @throws AdeError `ade.apps.event_timeout`.
   */
  finished(eventId: string, wait?: EventWait): Promise<AppsEvent>;
}

const limitsAgeMs = 300_000;

/**
 * Makes a client of Apps and Books for a location. Requests about many assets, users or devices are split within the
 * service's limits; they are asynchronous, and each gives the id of an event.
 *
 * @example
 * const client = createAppsClient({ token, mdmId, clock: Date });
 * for await (const id of client.associate({ assets: [{ adamId: '408709785' }], serialNumbers })) await client.finished(id);
 */
export function createAppsClient(options: AppsClientOptions): AppsClient {
  const origin = options.origin ?? 'https://vpp.itunes.apple.com';
  const sender = createSender(options);
  let limits: AppsLimits = knownLimits;
  let limitsAt = Number.NEGATIVE_INFINITY;

  async function call(
    method: 'GET' | 'POST',
    path: string,
    content: { readonly query?: Readonly<Record<string, string>>; readonly body?: unknown; readonly open?: true } = {},
  ): Promise<JsonObject> {
    const url = new URL(`/mdm/v2${path}`, origin);
    for (const [name, value] of Object.entries(content.query ?? {})) url.searchParams.set(name, value);
    if (content.open !== true && options.token.expires.getTime() <= sender.now()) {
      throw new AdeError('ade.apps.token_expired', 'the content token has expired', {
        kind: 'unauthenticated',
        remedy: 'Download a new content token for this location and give it.',
      });
    }
    const answer = await sender.send({
      method,
      url,
      // The same assignment made twice is made once.
      repeatable: true,
      headers() {
        const headers = new Headers({ Accept: 'application/json' });
        if (content.open !== true) headers.set('Authorization', `Bearer ${options.token.sToken}`);
        if (content.body !== undefined) headers.set('Content-Type', 'application/json');
        return headers;
      },
      ...(content.body === undefined ? {} : { body: JSON.stringify(content.body) }),
    });
    const error = appsError(answer, sender.now());
    if (error !== undefined) throw error;
    const object = jsonAnswer(answer.text, 'apps-and-books', answer.status);
    const other = readMdmInfo(object);
    if (path !== '/client/config' && options.mdmId !== undefined && other !== undefined && other.id !== options.mdmId) {
      throw otherMdm(other);
    }
    return object;
  }

  async function* pages<T>(
    path: string,
    key: string,
    query: Readonly<Record<string, string | boolean | undefined>>,
    reader: (object: JsonObject) => T | undefined,
  ): AsyncGenerator<AppsPage<T>, void, undefined> {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    let version: string | undefined;
    for (let index = 0; ; ) {
      const parameters = Object.fromEntries(given) as Record<string, string>;
      if (index > 0) parameters['pageIndex'] = String(index);
      const object = await call('GET', path, { query: parameters });
      // The first page's version: what changes while the pages are read is found by the next query.
      version ??= object.text('versionId');
      const totalPages = object.number('totalPages');
      yield {
        items: (object.objects(key) ?? []).map(reader).filter((item) => item !== undefined),
        ...(version !== undefined && { versionId: version }),
        ...(totalPages !== undefined && { totalPages }),
      };
      const next = object.number('nextPageIndex');
      if (next === undefined) return;
      if (next <= index) {
        throw new AdeError('ade.apps.page_loop', 'the service repeats a page', { kind: 'unavailable' });
      }
      index = next;
    }
  }

  async function begin(path: string, body: unknown): Promise<string> {
    const eventId = (await call('POST', path, { body })).text('eventId');
    if (eventId === undefined || eventId === '') throw lacking('eventId', 'apps-and-books');
    return eventId;
  }

  async function* change(path: string, { assets, clientUserIds, serialNumbers }: AssetChange): AsyncGenerator<string> {
    const bounds = await client.limits();
    for (const part of batches(
      unique(assets, (asset) => `${asset.adamId}/${asset.pricingParam}`),
      bounds.maxAssets,
    )) {
      for (const users of batches(unique(clientUserIds ?? []), bounds.maxClientUserIds)) {
        yield await begin(path, { assets: part, clientUserIds: users });
      }
      for (const serials of batches(unique(serialNumbers ?? []), bounds.maxSerialNumbers)) {
        yield await begin(path, { assets: part, serialNumbers: serials });
      }
    }
  }

  async function* changeUsers(path: string, users: readonly UserChange[]): AsyncGenerator<string> {
    const { maxUsers } = await client.limits();
    for (const part of batches(
      unique(users, (user) => user.clientUserId),
      maxUsers,
    ))
      yield await begin(path, { users: part });
  }

  const client: AppsClient = {
    ...createSubscriptionMethods({ call, begin, limits: () => client.limits() }),
    async limits() {
      if (sender.now() - limitsAt >= limitsAgeMs) {
        limits = readLimits(await call('GET', '/service/config', { open: true }));
        limitsAt = sender.now();
      }
      return limits;
    },
    clientConfig: async () => readClientConfig(await call('GET', '/client/config')),
    setClientConfig: async (body) => readClientConfig(await call('POST', '/client/config', { body })),
    async claim(info, { takeOver = false } = {}) {
      const { mdmInfo } = await client.clientConfig();
      if (mdmInfo !== undefined && mdmInfo.id !== info.id && !takeOver) throw otherMdm(mdmInfo);
      return client.setClientConfig({ mdmInfo: info });
    },
    assets: (query = {}) => pages('/assets', 'assets', { ...query }, readAsset),
    assignments: (query = {}) => pages('/assignments', 'assignments', { ...query }, readAssignment),
    users: (query = {}) => pages('/users', 'users', { ...query }, readUser),
    associate: (wanted) => change('/assets/associate', wanted),
    disassociate: (wanted) => change('/assets/disassociate', wanted),
    async *revoke({ clientUserIds, serialNumbers }) {
      const bounds = await client.limits();
      for (const users of batches(unique(clientUserIds ?? []), bounds.maxRevokeClientUserIds)) {
        yield await begin('/assets/revoke', { clientUserIds: users });
      }
      for (const serials of batches(unique(serialNumbers ?? []), bounds.maxRevokeSerialNumbers)) {
        yield await begin('/assets/revoke', { serialNumbers: serials });
      }
    },
    createUsers: (users) => changeUsers('/users/create', users),
    updateUsers: (users) => changeUsers('/users/update', users),
    retireUsers: (ids) =>
      changeUsers(
        '/users/retire',
        ids.map((clientUserId) => ({ clientUserId })),
      ),
    async event(eventId) {
      const event = readEvent(await call('GET', '/status', { query: { eventId } }));
      if (event === undefined) throw lacking('eventStatus', 'apps-and-books');
      return event;
    },
    async finished(eventId, { pollMs = 30_000, timeoutMs = 600_000 } = {}) {
      const end = sender.now() + timeoutMs;
      for (;;) {
        const event = await client.event(eventId);
        if (event.eventStatus !== 'PENDING') return event;
        if (sender.now() + pollMs > end) {
          throw new AdeError('ade.apps.event_timeout', 'the event is still pending', {
            kind: 'unavailable',
            remedy: 'Send the request again: repeating it does no harm.',
          });
        }
        await sender.sleep(pollMs, sender.signal);
      }
    },
  };
  return client;
}

function otherMdm(info: MdmInfo): AdeError {
  return new AdeError('ade.apps.other_mdm', `the location is managed by “${info.name.slice(0, 100)}”`, {
    kind: 'conflict',
    remedy: 'Use a location of its own for this server, or take this one over.',
  });
}
