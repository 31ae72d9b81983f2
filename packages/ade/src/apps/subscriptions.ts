// Subscriptions of Apps and Books: seats that renew or expire, who has them, and who administers them.
import { AdeError } from '../errors.ts';
import { type JsonObject, lacking } from '../http/json.ts';
import { batches, unique } from './batches.ts';
import type { AppsLimits, AppsPage } from './types.ts';

/** Seats by what becomes of them at the end of the billing period. */
export interface SeatCounts {
  readonly renewing: number;
  readonly expiring: number;
}

/** How many seats there are of a subscription. */
export interface SubscriptionCounts {
  /** Seats that somebody has, by the state of the assignment. Notifications do not tell. */
  readonly assigned?: SeatCounts;
  readonly available: SeatCounts;
  /** Seats that the organisation owns, by the state of the licence. */
  readonly total: SeatCounts;
}

/** A subscription that the organisation has, or had: then all counts are 0. Source: Apple, `ResponseSubscription`. */
export interface Subscription {
  /** The subscription product. */
  readonly adamId: number;
  /** The app that it belongs to. */
  readonly parentAdamId?: number;
  /** `ACTIVE`, `INACTIVE`, `PAUSED`. */
  readonly status?: string;
  /** End of the billing period, `YYYY-MM-DD`: expiring seats end with it. */
  readonly periodEndDate?: string;
  readonly counts?: SubscriptionCounts;
}

/** A seat that a user has. */
export interface SubscriptionAssignment {
  readonly adamId: number;
  readonly clientUserId: string;
  /** Whether it goes on after the billing period. */
  readonly renewing?: boolean;
}

/** Who administers a subscription. */
export interface SubscriptionAdmin {
  readonly adamId: number;
  readonly clientUserId: string;
  readonly idHash?: string;
  /** `Registered`, `Associated` …; only where it was asked for. */
  readonly userStatus?: string;
}

/** Which subscriptions. */
export interface SubscriptionQuery {
  readonly parentAdamId?: number;
  readonly adamId?: number;
}

/** To whom, and what. */
export interface SubscriptionChange {
  readonly adamIds: readonly number[];
  readonly clientUserIds: readonly string[];
}

/** What the client can do with subscriptions. Source: Apple, Device Management, "Managing subscriptions". */
export interface SubscriptionMethods {
  /** Declares that this server manages subscriptions: from then on they can be bought for the location. The state at Apple. */
  enableSubscriptions(): Promise<boolean>;
  /**
   * Declares that it does not. The state at Apple.
   * @throws AdeError `ade.apps.subscriptions_exist` while the location has subscriptions.
   */
  disableSubscriptions(): Promise<boolean>;
  subscriptions(query?: SubscriptionQuery): AsyncIterable<AppsPage<Subscription>>;
  subscriptionAssignments(
    query?: SubscriptionQuery & { readonly clientUserId?: string },
  ): AsyncIterable<AppsPage<SubscriptionAssignment>>;
  /**
   * Gives users seats, in as many requests as it takes. Gives the id of each event.
   * @param change With `renewing: false` the seats are for the present billing period only.
   */
  associateSubscriptions(change: SubscriptionChange & { readonly renewing: boolean }): AsyncIterable<string>;
  /**
   * Takes seats from users. Gives the id of each event.
   * @param change With `deferred` they keep them until the billing period ends.
   */
  disassociateSubscriptions(change: SubscriptionChange & { readonly deferred?: boolean }): AsyncIterable<string>;
  subscriptionAdmins(query?: {
    readonly adamId?: number;
    readonly includeUserState?: boolean;
  }): AsyncIterable<AppsPage<SubscriptionAdmin>>;
  /** Makes users administrators of subscriptions; done when it returns. */
  addSubscriptionAdmins(change: SubscriptionChange): Promise<void>;
  removeSubscriptionAdmins(change: SubscriptionChange): Promise<void>;
}

/** What the methods need of the client. */
export interface SubscriptionTransport {
  call(
    method: 'GET' | 'POST',
    path: string,
    content?: { readonly query?: Readonly<Record<string, string>>; readonly body?: unknown },
  ): Promise<JsonObject>;
  /** Sends a request that becomes an event; its id. */
  begin(path: string, body: unknown): Promise<string>;
  limits(): Promise<AppsLimits>;
}

/** Makes the methods. */
export function createSubscriptionMethods(transport: SubscriptionTransport): SubscriptionMethods {
  const { call, begin } = transport;

  async function declare(path: string): Promise<boolean> {
    const state = (await call('POST', path)).boolean('subscriptionManagement');
    if (state === undefined) throw lacking('subscriptionManagement', 'apps-and-books');
    return state;
  }

  async function* pages<T>(
    path: string,
    key: string,
    query: Readonly<Record<string, string | number | boolean | undefined>>,
    reader: (object: JsonObject) => T | undefined,
  ): AsyncGenerator<AppsPage<T>, void, undefined> {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    let cursor: string | undefined;
    let version: string | undefined;
    for (;;) {
      const parameters = Object.fromEntries(given) as Record<string, string>;
      const object = await call('GET', path, { query: { ...parameters, ...(cursor !== undefined && { cursor }) } });
      version ??= object.text('versionId');
      yield {
        items: (object.objects(key) ?? []).map(reader).filter((item) => item !== undefined),
        ...(version !== undefined && { versionId: version }),
      };
      const next = object.text('nextCursor');
      if (next === undefined || next === '') return;
      if (next === cursor) {
        throw new AdeError('ade.apps.page_loop', 'the service repeats a page', { kind: 'unavailable' });
      }
      cursor = next;
    }
  }

  /** The requests that a change takes within the limits. */
  async function* parts({ adamIds, clientUserIds }: SubscriptionChange): AsyncGenerator<SubscriptionChange> {
    const { maxSubscriptions, maxSubscriptionClientUserIds } = await transport.limits();
    for (const ids of batches(unique(adamIds), maxSubscriptions)) {
      for (const users of batches(unique(clientUserIds), maxSubscriptionClientUserIds)) {
        yield { adamIds: ids, clientUserIds: users };
      }
    }
  }

  return {
    enableSubscriptions: () => declare('/subscriptions/enable'),
    disableSubscriptions: () => declare('/subscriptions/disable'),
    subscriptions: (query = {}) => pages('/subscriptions', 'subscriptions', { ...query }, readSubscription),
    subscriptionAssignments: (query = {}) =>
      pages('/subscriptions/assignments', 'assignments', { ...query }, readSubscriptionAssignment),
    async *associateSubscriptions({ renewing, ...change }) {
      for await (const part of parts(change)) yield await begin('/subscriptions/associate', { ...part, renewing });
    },
    async *disassociateSubscriptions({ deferred = false, ...change }) {
      for await (const part of parts(change)) yield await begin('/subscriptions/disassociate', { ...part, deferred });
    },
    subscriptionAdmins: (query = {}) => pages('/subscriptions/admins', 'admins', { ...query }, readAdmin),
    async addSubscriptionAdmins(change) {
      for await (const body of parts(change)) await call('POST', '/subscriptions/admins/add', { body });
    },
    async removeSubscriptionAdmins(change) {
      for await (const body of parts(change)) await call('POST', '/subscriptions/admins/remove', { body });
    },
  };
}

function readSeats(object: JsonObject | undefined): SeatCounts | undefined {
  if (object === undefined) return undefined;
  return { renewing: object.number('renewing') ?? 0, expiring: object.number('expiring') ?? 0 };
}

/** Reads a subscription, also of a notification; undefined without its id. */
export function readSubscription(object: JsonObject): Subscription | undefined {
  const [adamId, parentAdamId] = [object.number('adamId'), object.number('parentAdamId')];
  if (adamId === undefined) return undefined;
  const [status, periodEndDate] = [object.text('status'), object.text('periodEndDate')];
  const counts = object.object('counts');
  const [assigned, available, total] = ['assigned', 'available', 'total'].map((key) => readSeats(counts?.object(key)));
  return {
    adamId,
    ...(parentAdamId !== undefined && { parentAdamId }),
    ...(status !== undefined && { status }),
    ...(periodEndDate !== undefined && { periodEndDate }),
    ...(available && total && { counts: { ...(assigned && { assigned }), available, total } }),
  };
}

/** Reads an assignment; undefined when it does not say whose, or of what. */
export function readSubscriptionAssignment(object: JsonObject): SubscriptionAssignment | undefined {
  const [adamId, clientUserId] = [object.number('adamId'), object.text('clientUserId')];
  if (adamId === undefined || clientUserId === undefined) return undefined;
  const renewing = object.boolean('renewing');
  return { adamId, clientUserId, ...(renewing !== undefined && { renewing }) };
}

function readAdmin(object: JsonObject): SubscriptionAdmin | undefined {
  const [adamId, clientUserId] = [object.number('adamId'), object.text('clientUserId')];
  if (adamId === undefined || clientUserId === undefined) return undefined;
  const [idHash, userStatus] = [object.text('idHash'), object.text('userStatus')];
  return {
    adamId,
    clientUserId,
    ...(idHash !== undefined && { idHash }),
    ...(userStatus !== undefined && { userStatus }),
  };
}
