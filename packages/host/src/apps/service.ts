// Apps and Books put together: locations by their tokens, Apple's client for each, the refresh, notifications.
import { randomBytes } from 'node:crypto';
import {
  type AppsClient,
  type AppsPage,
  type ContentToken,
  contentTokenState,
  createAppsClient,
  isAdeError,
  readAppsNotification,
  readContentToken,
} from '@espalier/ade';
import { HostError, isEspalierError } from '../errors.ts';
import { silentLogger } from '../types.ts';
import { createAppsRecords, linked } from './records.ts';
import type { AppsLocation, AppsLocationView, AppsService, AppsServiceOptions } from './types.ts';

const MINUTE = 60_000;
/** A refresh that failed is tried again after this. */
const PAUSE_MS = 15 * MINUTE;
/** Longer than a refresh takes: nobody else begins meanwhile. */
const LEASE_MS = 10 * MINUTE;
const NOTIFICATIONS = ['ASSET_MANAGEMENT', 'ASSET_COUNT'];

/** Does what Apple is asked for; that Apple does not take the token is no fault of whoever asks this server. */
async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isAdeError(cause) || (cause.kind !== 'unauthenticated' && cause.kind !== 'forbidden')) throw cause;
    throw new HostError('conflict', 'host.apps.refused', `Apple refuses the token: ${cause.message} (${cause.code}).`, {
      cause,
      remedy: cause.remedy ?? 'Download a new content token for this location and give it.',
    });
  }
}

async function all<T>(pages: AsyncIterable<AppsPage<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) for (const item of page.items) items.push(item);
  return items;
}

/** The ids of the events that a change becomes. Each that was begun is done by Apple, even where a later one is refused. */
const ids = (events: AsyncIterable<string>): Promise<string[]> =>
  asked(async () => {
    const begun: string[] = [];
    for await (const id of events) begun.push(id);
    return begun;
  });

/**
 * Makes the service: give it to `createHost` as `appsService`, then start it.
 *
 * @example
 * const appsService = createAppsService({ engine, store, keys, name: 'Example', publicUrl: 'https://mdm.example.com' });
 * const host = createHost({ engine, ca, identity, profile, appsService });
 * appsService.start();
 */
export function createAppsService(options: AppsServiceOptions): AppsService {
  const { engine, logger = silentLogger, refreshIntervalMs = 24 * 60 * MINUTE } = options;
  const random = options.random ?? ((length: number) => new Uint8Array(randomBytes(length)));
  const { clock } = engine;
  const now = () => clock.now();
  const records = createAppsRecords(options.store, options.keys, random, now);
  const owner = Buffer.from(random(8)).toString('hex');
  const clients = new Map<string, { readonly sToken: string; readonly client: AppsClient }>();
  const base = options.publicUrl?.startsWith('https:') ? options.publicUrl.replace(/\/+$/, '') : null;
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<unknown> = Promise.resolve();

  const clientFor = (token: ContentToken, mdmId?: string): AppsClient =>
    createAppsClient({
      token,
      clock,
      ...(mdmId === undefined ? {} : { mdmId }),
      ...(options.origin === undefined ? {} : { origin: options.origin }),
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    });

  /** The location's client: the same, with the limits that it knows, until the token is another one. */
  async function clientOf(id: string): Promise<AppsClient> {
    const { token } = await records.secrets(id);
    const known = clients.get(id);
    if (known?.sToken === token.sToken) return known.client;
    const client = clientFor(token, await records.mdmId());
    clients.set(id, { sToken: token.sToken, client });
    return client;
  }

  async function view(location: AppsLocation): Promise<AppsLocationView> {
    const state = contentTokenState({ expires: new Date(location.tokenExpiresAt) }, clock);
    return { ...location, state, assets: (await records.assets(location.id)).length };
  }

  const viewOf = async (id: string): Promise<AppsLocationView> => view(await records.get(id));

  /** Who a token is for: asks Apple, which also shows that the token is good. */
  async function described(token: ContentToken) {
    const config = await asked(() => clientFor(token).clientConfig());
    if (config.uId === undefined) {
      throw new HostError(
        'unavailable',
        'host.apps.no_location',
        'Apple does not say which location the token is for.',
      );
    }
    return { ...config, uId: config.uId };
  }

  /** Makes this server the one that manages the location. */
  async function claim(token: ContentToken, takeOver: boolean): Promise<void> {
    const info = { id: await records.mdmId(), name: options.name, metadata: '' };
    await asked(() => clientFor(token).claim(info, { takeOver }));
  }

  /** Has Apple send notifications here. Without them changes are found later: no reason to refuse a location. */
  async function subscribe(id: string): Promise<void> {
    if (base === null) return;
    const { notificationToken } = await records.secrets(id);
    try {
      await (await clientOf(id)).setClientConfig({
        notificationUrl: `${base}/apps/notifications/${id}`,
        notificationAuthToken: notificationToken,
        notificationTypes: NOTIFICATIONS,
      });
      await records.change(id, { notified: true });
    } catch (error) {
      if (!isAdeError(error)) throw error;
      await records.change(id, { notified: false });
      logger.warn({ error, locationId: id }, 'Apple does not send notifications of Apps and Books here');
    }
  }

  async function refresh(id: string): Promise<void> {
    // What is said to be stale while this runs is looked at again.
    if (!(await records.change(id, { stale: false }))) await records.get(id);
    try {
      const assets = await asked(async () => all((await clientOf(id)).assets()));
      await records.keepAssets(id, assets);
      await records.change(id, { refreshedAt: now(), failure: null });
    } catch (error) {
      if (isEspalierError(error)) {
        const failure = { at: now(), code: error.code, message: error.message };
        await records.change(id, { stale: true, failure });
      }
      throw error;
    }
  }

  /** What fails is noted with the location, which is linked all the same. */
  async function tried(id: string): Promise<AppsLocationView> {
    try {
      await refresh(id);
    } catch (error) {
      if (!isEspalierError(error)) throw error;
    }
    return viewOf(id);
  }

  async function refreshDue(): Promise<void> {
    for (const { id, stale, refreshedAt, failure } of await records.list()) {
      const at = now();
      const due = stale || refreshedAt === null || refreshedAt + refreshIntervalMs <= at;
      if (!due || (failure !== null && failure.at + PAUSE_MS > at)) continue;
      if (!(await options.store.settings.lease({ name: `apps.${id}`, owner, at, until: at + LEASE_MS }))) continue;
      try {
        await refresh(id);
      } catch (error) {
        // Noted with the location; a later round tries again.
        logger.warn({ error, locationId: id }, 'the assets of a location were not read');
      }
    }
  }

  function soon(): void {
    if (timer === undefined) return;
    work = work.then(refreshDue).catch((error: unknown) => {
      logger.error({ error, job: 'apps-refresh' }, 'a background job failed');
    });
  }

  /** A change was asked for: the counts are others when Apple has made it. */
  async function changed(id: string, events: AsyncIterable<string>): Promise<readonly string[]> {
    try {
      return await ids(events);
    } finally {
      await records.change(id, { stale: true });
    }
  }

  return {
    locations: async () => Promise.all((await records.list()).map(view)),
    location: viewOf,
    async link(text, { takeOver = false } = {}) {
      const token = readContentToken(text);
      const config = await described(token);
      if ((await records.list()).some(({ uId }) => uId === config.uId)) throw linked();
      await claim(token, takeOver);
      const id = Buffer.from(random(12)).toString('hex');
      const location: AppsLocation = {
        ...{ id, organisation: token.orgName, name: config.locationName ?? null, uId: config.uId, linkedAt: now() },
        ...{ tokenExpiresAt: token.expires.getTime(), notified: false, refreshedAt: null, stale: true, failure: null },
      };
      // Kept before Apple is told of the address, which it tries at once.
      await records.add(location, { token, notificationToken: Buffer.from(random(32)).toString('base64url') });
      await subscribe(id);
      return tried(id);
    },
    async renew(id, text, { takeOver = false } = {}) {
      const location = await records.get(id);
      const token = readContentToken(text);
      if ((await described(token)).uId !== location.uId) {
        throw new HostError('conflict', 'host.apps.other_location', 'The token is for another location.', {
          remedy: 'Link it as a location of its own.',
        });
      }
      await claim(token, takeOver);
      await records.keep(id, { ...(await records.secrets(id)), token });
      await records.change(id, { tokenExpiresAt: token.expires.getTime(), failure: null });
      await subscribe(id);
      return tried(id);
    },
    async unlink(id) {
      await records.get(id);
      await records.remove(id);
      clients.delete(id);
    },
    async refresh(id) {
      await refresh(id);
      return viewOf(id);
    },
    async assets(id) {
      const { refreshedAt } = await records.get(id);
      return { items: await records.assets(id), refreshedAt };
    },
    assign: async (id, change) => changed(id, (await clientOf(id)).associate(change)),
    async revoke(id, { assets = [], ...from }) {
      const client = await clientOf(id);
      return changed(id, assets.length === 0 ? client.revoke(from) : client.disassociate({ ...from, assets }));
    },
    users: (id) => asked(async () => all((await clientOf(id)).users())),
    register: async (id, users) => ids((await clientOf(id)).createUsers(users)),
    retire: async (id, clientUserIds) => ids((await clientOf(id)).retireUsers(clientUserIds)),
    async event(id, eventId) {
      const event = await asked(async () => (await clientOf(id)).event(eventId));
      // Where Apple does not tell of it, whoever asks finds out.
      if (event.eventStatus !== 'PENDING' && !(await records.get(id)).notified) {
        await records.change(id, { stale: true });
      }
      return event;
    },
    async notification(id, body, authorization) {
      const { notificationToken } = await records.secrets(id);
      const { notificationType } = readAppsNotification(body, authorization, notificationToken);
      // Told twice, or of several at once: it is read anew, not added up.
      if (!NOTIFICATIONS.includes(notificationType)) return;
      await records.change(id, { stale: true });
      soon();
    },
    refreshDue,
    start() {
      if (timer !== undefined) return;
      timer = setInterval(soon, MINUTE);
      soon();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await work;
    },
  };
}
