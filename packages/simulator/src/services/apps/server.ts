// A simulated Apps and Books service for one location: assets, users, assignments by events, notifications.
import { createRandom } from '../../random.ts';
import { bodyOf, type Handler, json } from '../answers.ts';
import { createThrottle } from '../throttle.ts';
import { type Listed, listAssets, listAssignments, listUsers } from './lists.ts';
import { maintained, messages, notificationTypes } from './messages.ts';
import { appleLimits, type Judged, judgeAssets, judgeRevocation, judgeUsers, type Limits } from './requests.ts';
import { describeUser, Location, type SimulatedAsset, type SimulatedEvent } from './state.ts';
import { type SimulatedSubscription, Subscriptions } from './subscriptions.ts';

/** Options of {@link createSimulatedAppsService}. */
export interface SimulatedAppsOptions {
  readonly clock?: { now(): number };
  readonly seed?: string | number;
  readonly orgName?: string;
  readonly locationName?: string;
  /** What was bought. Default: two apps with 100 licences each, and a book with 10. */
  readonly assets?: readonly (Partial<Omit<SimulatedAsset, 'adamId'>> & { readonly adamId: string })[];
  /** How long an event takes, in milliseconds. Default 5,000. */
  readonly eventMs?: number;
  /** Records on a page. Default 500. */
  readonly pageSize?: number;
  /** Domains of the organisation's Managed Apple Accounts; others are not associated. Default: any. */
  readonly accountDomains?: readonly string[];
  /** When the content token ends, epoch milliseconds. Default in a year. */
  readonly expires?: number;
  readonly limits?: Partial<Limits>;
  /** Requests that are answered in a second; Apple names 15. Default: any number. */
  readonly requestsPerSecond?: number;
  /** Delivers notifications: `fetch`, or the server under test. Without it, none are sent. */
  readonly notify?: Handler;
}

/** A simulated Apps and Books service. */
export interface SimulatedAppsService {
  readonly fetch: Handler;
  /** The content token of the location, as it is downloaded. */
  readonly contentToken: string;
  /** Buys licences (or gives them back, with a negative number). */
  buy(adamId: string, count: number): Promise<void>;
  /**
   * Buys a subscription, or changes what was bought: nothing where the server under test has not declared that it
   * manages subscriptions. Whether it was bought.
   */
  subscribe(subscription: SimulatedSubscription): Promise<boolean>;
  /** A user accepts the invitation. */
  accept(clientUserId: string): Promise<void>;
  /** Another server takes the location over. */
  takeOver(info: { readonly id: string; readonly name: string; readonly metadata: string }): void;
  /** Revokes the content token. */
  revoked: boolean;
  /**
   * Why every request is refused: the service failed (9603), is no longer there (9634), is not for this account (9637) or
   * token (9647), or is not available at present (9729).
   */
  refusal: 9603 | 9634 | 9637 | 9647 | 9729 | undefined;
  /** Whether the service is being maintained: what is due fails. */
  maintenance: boolean;
  /** Does what is due by now, and sends the notifications of it; requests do so, too. */
  settle(): Promise<void>;
  respond(
    script:
      | ((request: { readonly method: string; readonly path: string; readonly number: number }) => Response | undefined)
      | undefined,
  ): void;
  readonly counters: ReadonlyMap<string, number>;
}

/**
 * Makes a simulated location.
 *
 * @example
 * const apple = createSimulatedAppsService({ assets: [{ adamId: '408709785', totalCount: 5 }] });
 * const client = createAppsClient({ token: readContentToken(apple.contentToken), fetch: apple.fetch, clock: Date });
 */
export function createSimulatedAppsService(options: SimulatedAppsOptions = {}): SimulatedAppsService {
  const now = (): number => options.clock?.now() ?? Date.now();
  const random = createRandom(`apps/${options.seed ?? 0}`);
  const { eventMs = 5_000, pageSize = 500, orgName = 'Example Ltd' } = options;
  const limits: Limits = { ...appleLimits, ...options.limits };
  const expires = options.expires ?? now() + 365 * 86_400_000;
  const expDate = new Date(expires).toISOString().replace(/\.\d{3}Z$/, '+0000');
  const contentToken = Buffer.from(
    JSON.stringify({ token: Buffer.from(random.bytes(48)).toString('base64'), expDate, orgName }),
  ).toString('base64');
  const uId = String(2_000_000_000 + random.int(1_000_000_000));
  const location = new Location(options.accountDomains);
  const subscriptions = new Subscriptions(location, now, pageSize);
  const defaults = [
    { adamId: '361309726', totalCount: 100 },
    { adamId: '408709785', totalCount: 100 },
    { adamId: '490152466', totalCount: 10, productType: 'Book' as const, deviceAssignable: false, revocable: false },
  ];
  for (const asset of options.assets ?? defaults) {
    const full: SimulatedAsset = {
      pricingParam: 'STDQ',
      productType: 'App',
      deviceAssignable: true,
      revocable: true,
      supportedPlatforms: ['iOS'],
      totalCount: 10,
      ...asset,
    };
    location.assets.set(`${full.adamId}/${full.pricingParam}`, full);
  }
  const events = new Map<string, SimulatedEvent>();
  const counters = new Map<string, number>();
  const config = { mdmInfo: undefined as object | undefined, url: '', token: '', types: [] as readonly string[] };
  let script: Parameters<SimulatedAppsService['respond']>[0];
  let requests = 0;

  const throttle = createThrottle(options.requestsPerSecond, 1000, now);
  const fail = (errorNumber: number, wait?: number): Response => {
    const [status, errorMessage] = messages[errorNumber] ?? [400, `Error ${errorNumber}`];
    return json({ errorNumber, errorMessage }, status, wait === undefined ? {} : { 'Retry-After': String(wait) });
  };
  const answer = (value: object): Response => {
    const soon = expires - now() < 15 * 86_400_000;
    const common = {
      uId,
      ...(soon && { tokenExpirationDate: expDate }),
      ...(config.mdmInfo && { mdmInfo: config.mdmInfo }),
    };
    return json({ ...value, ...common });
  };

  const listed = (list: Listed): Response => (typeof list === 'number' ? fail(list) : answer(list));

  async function notify(type: string, notification: object): Promise<boolean> {
    if (options.notify === undefined || config.url === '') return false;
    const body = { notification, notificationId: random.uuid().toLowerCase(), notificationType: type, uId };
    const headers = { Authorization: `Bearer ${config.token}`, 'Content-Type': 'application/json' };
    try {
      const response = await options.notify(
        new Request(config.url, { method: 'POST', headers, body: JSON.stringify(body) }),
      );
      return response.ok;
    } catch {
      return false; // unreachable
    }
  }

  async function settle(): Promise<void> {
    for (const event of events.values()) {
      if (event.outcome !== undefined || now() < event.at + eventMs) continue;
      event.outcome = service.maintenance ? maintained : event.run();
      const users = event.type === 'CREATE' || event.type === 'UPDATE' || event.type === 'RETIRE';
      const type = users
        ? 'USER_MANAGEMENT'
        : event.about === 'subscriptions'
          ? 'SUBSCRIPTION_MANAGEMENT'
          : 'ASSET_MANAGEMENT';
      if (!config.types.includes(type)) continue;
      const common = { eventId: event.id, type: event.type };
      // A hundred elements in a notification at most.
      for (let at = 0; at < event.outcome.elements.length; at += 100) {
        const part = event.outcome.elements.slice(at, at + 100);
        await notify(type, { ...common, result: 'SUCCESS', [users ? 'users' : 'assignments']: part });
      }
      for (const { errorNumber, errorMessage } of event.outcome.failures) {
        await notify(type, { ...common, result: 'FAILURE', error: { errorNumber, errorMessage } });
      }
    }
    for (const { type, notification } of subscriptions.settle()) {
      if (config.types.includes(type)) await notify(type, notification);
    }
  }

  function begin(judged: Judged, id = random.uuid().toLowerCase()): Response {
    if (typeof judged === 'number') return fail(judged);
    const event: SimulatedEvent = { ...judged, id, at: now() };
    events.set(event.id, event);
    return answer({ eventId: event.id });
  }

  function status(url: URL): Response {
    const event = events.get(url.searchParams.get('eventId') ?? '');
    if (event === undefined) return fail(9708);
    const { outcome } = event;
    const state = outcome === undefined ? 'PENDING' : outcome.failures.length > 0 ? 'FAILED' : 'COMPLETE';
    return answer({
      eventStatus: state,
      eventType: event.type,
      numRequested: event.requested,
      numCompleted: outcome?.completed ?? 0,
      ...(outcome && outcome.failures.length > 0 && { failures: outcome.failures }),
    });
  }

  const showConfig = (): Response =>
    answer({
      countryISO2ACode: 'GB',
      defaultPlatform: 'volumestore',
      locationName: options.locationName ?? 'West Coast',
      ...(config.url !== '' && { notificationUrl: config.url, notificationAuthToken: config.token }),
      subscribedNotificationTypes: config.types,
    });

  async function setConfig(body: ReadonlyMap<string, unknown>): Promise<Response> {
    const info = body.get('mdmInfo') as { id?: unknown; name?: unknown; metadata?: unknown } | undefined;
    if (info !== undefined) {
      const { id, name, metadata } = info;
      if (typeof id !== 'string' || typeof name !== 'string' || typeof metadata !== 'string') return fail(9723);
      if (id.length > limits.maxMdmIdLength) return fail(9724);
      if (name.length > limits.maxMdmNameLength) return fail(9725);
      if (metadata.length > limits.maxMdmMetadataLength) return fail(9713);
    }
    const [url, token] = [body.get('notificationUrl'), body.get('notificationAuthToken')];
    if ((url === undefined) !== (token === undefined)) return fail(9710);
    if (typeof url === 'string' && typeof token === 'string') {
      if (Math.max(url.length, token.length) > limits.maxNotificationLength) return fail(9711);
      if (!URL.canParse(url) || new URL(url).protocol !== 'https:') return fail(9712);
      const before = { ...config };
      Object.assign(config, { url, token });
      if (!(await notify('TEST_NOTIFICATION', {}))) {
        Object.assign(config, before);
        return fail(9728);
      }
    }
    const types = body.get('notificationTypes');
    if (Array.isArray(types)) config.types = types.filter((type) => notificationTypes.includes(String(type)));
    if (info !== undefined) config.mdmInfo = info;
    return showConfig();
  }

  async function route(request: Request, url: URL): Promise<Response> {
    const path = url.pathname.replace(/^\/mdm\/v2/, '');
    if (request.method === 'GET') {
      if (path === '/client/config') return showConfig();
      if (path === '/assets') return listed(listAssets(location, url, pageSize));
      if (path === '/assignments') return listed(listAssignments(location, url, pageSize));
      if (path === '/users') return listed(listUsers(location, url, pageSize));
      if (path === '/status') return status(url);
      return listed(subscriptions.list(path, url) ?? 9726);
    }
    if (request.method !== 'POST') return fail(9726);
    if (path === '/subscriptions/enable') return listed(subscriptions.declare(true));
    if (path === '/subscriptions/disable') return listed(subscriptions.declare(false));
    if (!(request.headers.get('content-type') ?? '').startsWith('application/json')) return fail(9727);
    const body = await bodyOf(request);
    if (body === undefined) return fail(9602);
    if (path === '/client/config') return setConfig(body);
    if (path === '/assets/associate') return begin(judgeAssets(location, body, limits, 'ASSOCIATE'));
    if (path === '/assets/disassociate') return begin(judgeAssets(location, body, limits, 'DISASSOCIATE'));
    if (path === '/assets/revoke') return begin(judgeRevocation(location, body, limits));
    if (path === '/subscriptions/associate') return begin(subscriptions.judgeAssociation(body, limits));
    if (path === '/subscriptions/disassociate') {
      const id = random.uuid().toLowerCase();
      return begin(subscriptions.judgeDisassociation(body, limits, id), id);
    }
    if (path === '/subscriptions/admins/add') return listed(subscriptions.changeAdmins(body, limits, true));
    if (path === '/subscriptions/admins/remove') return listed(subscriptions.changeAdmins(body, limits, false));
    const code = (): string => Buffer.from(random.bytes(16)).toString('hex');
    if (path === '/users/create') return begin(judgeUsers(location, body, limits, 'CREATE', code));
    if (path === '/users/update') return begin(judgeUsers(location, body, limits, 'UPDATE', code));
    return path === '/users/retire' ? begin(judgeUsers(location, body, limits, 'RETIRE', code)) : fail(9726);
  }

  const service: SimulatedAppsService = {
    contentToken,
    counters,
    revoked: false,
    refusal: undefined,
    maintenance: false,
    settle,
    async fetch(request) {
      const url = new URL(request.url);
      const name = `${request.method} ${url.pathname}`;
      counters.set(name, (counters.get(name) ?? 0) + 1);
      const scripted = script?.({ method: request.method, path: url.pathname, number: ++requests });
      if (scripted !== undefined) return scripted;
      if (service.refusal !== undefined) return fail(service.refusal);
      const wait = throttle();
      if (wait !== undefined) return fail(9646, wait);
      if (name === 'GET /mdm/v2/service/config') return json({ limits, notificationTypes });
      const authorization = request.headers.get('authorization');
      if (authorization === null) return fail(9601);
      const given = /^Bearer (\S+)$/.exec(authorization)?.[1];
      if (given === undefined) return fail(9722);
      if (given !== contentToken) return fail(9601);
      if (service.revoked) return fail(9625);
      if (now() >= expires) return fail(9621);
      await settle();
      return route(request, url);
    },
    async buy(adamId, count) {
      const asset = location.asset(adamId);
      if (asset === undefined) return;
      asset.totalCount += count;
      if (config.types.includes('ASSET_COUNT')) {
        await notify('ASSET_COUNT', { adamId, pricingParam: asset.pricingParam, countDelta: count });
      }
    },
    async subscribe(subscription) {
      const news = subscriptions.buy(subscription);
      if (news !== undefined && config.types.includes(news.type)) await notify(news.type, news.notification);
      return news !== undefined;
    },
    async accept(clientUserId) {
      const user = location.users.get(clientUserId);
      if (user === undefined || user.status !== 'Registered') return;
      const associated = {
        ...user,
        status: 'Associated' as const,
        idHash: `hash-${clientUserId}`,
        version: ++location.version,
      };
      location.users.set(clientUserId, associated);
      if (config.types.includes('USER_ASSOCIATED')) {
        await notify('USER_ASSOCIATED', { associatedUsers: [describeUser(associated)] });
      }
    },
    takeOver(info) {
      config.mdmInfo = info;
    },
    respond(next) {
      script = next;
      requests = 0;
    },
  };
  return service;
}
