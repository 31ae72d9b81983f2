// Subscriptions of a simulated location: seats that renew or expire, assignments, administrators, billing periods.
import { textsOf } from '../answers.ts';
import type { Listed } from './lists.ts';
import type { Judged, Limits } from './requests.ts';
import type { EventOutcome, Location } from './state.ts';

/** A subscription that the location has bought. */
export interface SimulatedSubscription {
  readonly adamId: number;
  readonly parentAdamId: number;
  /** Seats that go on at the end of the period. */
  readonly renewing: number;
  /** Seats that end with the period. Default 0. */
  readonly expiring?: number;
  /** End of the present period, epoch milliseconds. Default in 30 days; the next ones are as long. */
  readonly periodEnd?: number;
  /** Users who have it by a group, and cannot get it a second time. */
  readonly groupUsers?: readonly string[];
}

interface Owned {
  readonly adamId: number;
  readonly parentAdamId: number;
  readonly groupUsers: ReadonlySet<string>;
  renewing: number;
  expiring: number;
  periodEnd: number;
  /** By user. */
  readonly seats: Map<string, { renewing: boolean; leaving?: { readonly eventId: string } }>;
  readonly admins: Set<string>;
}

/** Something that the server under test is told. */
export interface SubscriptionNews {
  readonly type: 'SUBSCRIPTION_COUNT' | 'SUBSCRIPTION_MANAGEMENT';
  readonly notification: object;
}

const month = 30 * 86_400_000;

/** The subscriptions of a location. */
export class Subscriptions {
  /** Undefined until the server under test declares something. */
  managed: boolean | undefined;
  readonly #owned = new Map<number, Owned>();
  readonly #location: Location;
  readonly #now: () => number;
  readonly #pageSize: number;

  constructor(location: Location, now: () => number, pageSize: number) {
    this.#location = location;
    this.#now = now;
    this.#pageSize = pageSize;
  }

  /** A content manager buys; what is to be told, or undefined where the server does not manage subscriptions. */
  buy(bought: SimulatedSubscription): SubscriptionNews | undefined {
    if (this.managed !== true) return undefined;
    const owned: Owned = {
      adamId: bought.adamId,
      parentAdamId: bought.parentAdamId,
      groupUsers: new Set(bought.groupUsers),
      renewing: bought.renewing,
      expiring: bought.expiring ?? 0,
      periodEnd: bought.periodEnd ?? this.#now() + month,
      seats: new Map(),
      admins: new Set(),
    };
    this.#owned.set(bought.adamId, owned);
    this.#location.version++;
    return countNews(owned);
  }

  /** `POST /subscriptions/enable` and `/disable`. */
  declare(managed: boolean): Listed {
    if (!managed && [...this.#owned.values()].some((owned) => owned.renewing + owned.expiring > 0)) return 9818;
    this.managed = managed;
    return { subscriptionManagement: managed };
  }

  /** Ends the billing periods that are over; what is to be told of it. */
  settle(): readonly SubscriptionNews[] {
    const news: SubscriptionNews[] = [];
    for (const owned of this.#owned.values()) {
      while (this.#now() >= owned.periodEnd) {
        owned.periodEnd += month;
        for (const [clientUserId, seat] of owned.seats) {
          if (seat.leaving === undefined && seat.renewing) continue;
          owned.seats.delete(clientUserId);
          if (seat.leaving === undefined) continue;
          const assignments = [{ adamId: owned.adamId, clientUserId, renewing: seat.renewing }];
          const notification = { assignments, eventId: seat.leaving.eventId, result: 'SUCCESS', type: 'DISASSOCIATE' };
          news.push({ type: 'SUBSCRIPTION_MANAGEMENT', notification });
        }
        owned.expiring = 0;
        this.#location.version++;
        news.push(countNews(owned));
      }
    }
    return news;
  }

  /** `GET /subscriptions`, `/subscriptions/assignments`, `/subscriptions/admins`; undefined for another path. */
  list(path: string, url: URL): Listed | undefined {
    const found = [...this.#owned.values()].filter(
      (owned) =>
        fits(url.searchParams.get('adamId'), owned.adamId) &&
        fits(url.searchParams.get('parentAdamId'), owned.parentAdamId),
    );
    switch (path) {
      case '/subscriptions':
        return this.#page(
          url,
          'subscriptions',
          found.map((owned) => describe(owned)),
        );
      case '/subscriptions/assignments': {
        const user = url.searchParams.get('clientUserId');
        const items = found.flatMap(({ adamId, seats }) =>
          [...seats].map(([clientUserId, { renewing }]) => ({ adamId, clientUserId, renewing })),
        );
        return this.#page(
          url,
          'assignments',
          items.filter((item) => user === null || item.clientUserId === user),
        );
      }
      case '/subscriptions/admins': {
        const withState = url.searchParams.get('includeUserState') === 'true';
        const items = found.flatMap(({ adamId, admins }) =>
          [...admins].map((clientUserId) => ({
            adamId,
            clientUserId,
            idHash: `hash-${clientUserId}`,
            ...(withState && { userStatus: this.#location.users.get(clientUserId)?.status }),
          })),
        );
        return this.#page(url, 'admins', items);
      }
      default:
        return undefined;
    }
  }

  #page(url: URL, key: string, items: readonly object[]): Listed {
    const cursor = url.searchParams.get('cursor');
    const plain = cursor === null ? 'at:0' : Buffer.from(cursor, 'base64url').toString();
    const at = Number(/^at:(\d{1,9})$/.exec(plain)?.[1] ?? Number.NaN);
    if (Number.isNaN(at)) return 9812;
    const end = at + this.#pageSize;
    return {
      [key]: items.slice(at, end),
      ...(end < items.length && { nextCursor: Buffer.from(`at:${end}`).toString('base64url') }),
      versionId: `v-${this.#location.version}`,
    };
  }

  /** What a request names, or what is wrong with it. */
  #named(body: ReadonlyMap<string, unknown>, limits: Limits): number | readonly [readonly Owned[], readonly string[]] {
    const ids = body.get('adamIds');
    const users = textsOf(body.get('clientUserIds')) ?? [];
    if (!Array.isArray(ids) || ids.length === 0 || users.length === 0) return 9811;
    if (ids.length > limits.maxSubscriptions || users.length > limits.maxSubscriptionClientUserIds) return 9816;
    const owned = ids.map((id) => (typeof id === 'number' ? this.#owned.get(id) : undefined));
    if (owned.includes(undefined)) return 9813;
    const active = (id: string): boolean => (this.#location.users.get(id)?.status ?? 'Retired') !== 'Retired';
    if (!users.every(active)) return 9814;
    return [owned.filter((item) => item !== undefined), users];
  }

  /** `POST /subscriptions/associate`. */
  judgeAssociation(body: ReadonlyMap<string, unknown>, limits: Limits): Judged {
    const renewing = body.get('renewing');
    const named = this.#named(body, limits);
    if (typeof named === 'number') return named;
    if (typeof renewing !== 'boolean') return 9811;
    const [subscriptions, users] = named;
    if (subscriptions.some((owned) => users.some((user) => owned.groupUsers.has(user)))) return 9817;
    return {
      type: 'ASSOCIATE',
      about: 'subscriptions',
      requested: subscriptions.length * users.length,
      run: () => this.#associate(subscriptions, users, renewing),
    };
  }

  #associate(subscriptions: readonly Owned[], users: readonly string[], renewing: boolean): EventOutcome {
    const elements: object[] = [];
    const without: string[] = [];
    for (const owned of subscriptions) {
      for (const clientUserId of users) {
        const { available } = countsOf(owned);
        const free = renewing ? available.renewing : available.renewing + available.expiring;
        if (!owned.seats.has(clientUserId) && free <= 0) {
          without.push(clientUserId);
          continue;
        }
        owned.seats.set(clientUserId, { renewing });
        elements.push({ adamId: owned.adamId, clientUserId, renewing });
      }
    }
    this.#location.version++;
    const errorMessage = 'There aren’t enough assets available';
    const failures =
      without.length === 0 ? [] : [{ errorNumber: 9709, errorMessage, errorInfo: { clientUserIds: without } }];
    return { completed: elements.length, failures, elements };
  }

  /** `POST /subscriptions/disassociate`. */
  judgeDisassociation(body: ReadonlyMap<string, unknown>, limits: Limits, eventId: string): Judged {
    const named = this.#named(body, limits);
    if (typeof named === 'number') return named;
    const [subscriptions, users] = named;
    if (!subscriptions.every((owned) => users.every((user) => owned.seats.has(user)))) return 9815;
    const requested = subscriptions.length * users.length;
    const deferred = body.get('deferred') === true;
    return {
      type: 'DISASSOCIATE',
      about: 'subscriptions',
      requested,
      run: () => {
        const elements: object[] = [];
        for (const owned of subscriptions) {
          for (const clientUserId of users) {
            const seat = owned.seats.get(clientUserId);
            if (seat === undefined) continue;
            // The notification of one that is deferred comes when the period ends.
            if (deferred) seat.leaving = { eventId };
            else {
              owned.seats.delete(clientUserId);
              elements.push({ adamId: owned.adamId, clientUserId, renewing: seat.renewing });
            }
          }
        }
        this.#location.version++;
        return { completed: requested, failures: [], elements };
      },
    };
  }

  /** `POST /subscriptions/admins/add` and `/remove`. */
  changeAdmins(body: ReadonlyMap<string, unknown>, limits: Limits, add: boolean): Listed {
    const named = this.#named(body, limits);
    if (typeof named === 'number') return named;
    const [subscriptions, users] = named;
    if (!add && !subscriptions.every((owned) => users.every((user) => owned.admins.has(user)))) return 9815;
    for (const { admins } of subscriptions) for (const user of users) add ? admins.add(user) : admins.delete(user);
    return { versionId: `v-${++this.#location.version}` };
  }
}

const fits = (wanted: string | null, id: number): boolean => wanted === null || wanted === String(id);

/** Seats: what is assigned and expires takes seats that expire first. */
function countsOf({ renewing, expiring, seats }: Owned) {
  const lasting = [...seats.values()].filter((seat) => seat.renewing).length;
  const ending = seats.size - lasting;
  return {
    assigned: { renewing: lasting, expiring: ending },
    available: {
      renewing: renewing - lasting - Math.max(0, ending - expiring),
      expiring: Math.max(0, expiring - ending),
    },
    total: { renewing, expiring },
  };
}

function describe(owned: Owned): object {
  return {
    parentAdamId: owned.parentAdamId,
    adamId: owned.adamId,
    status: owned.renewing + owned.expiring > 0 ? 'ACTIVE' : 'INACTIVE',
    periodEndDate: new Date(owned.periodEnd).toISOString().slice(0, 10),
    counts: countsOf(owned),
  };
}

function countNews(owned: Owned): SubscriptionNews {
  const { available, total } = countsOf(owned);
  const { parentAdamId, adamId } = owned;
  return { type: 'SUBSCRIPTION_COUNT', notification: { parentAdamId, adamId, counts: { available, total } } };
}
