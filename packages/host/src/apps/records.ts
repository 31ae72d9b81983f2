// What is kept of Apps and Books: the list of locations, the assets of each, and, sealed, their tokens.
import { type Asset, type ContentToken, readContentToken } from '@espalier/ade';
import type { KeyRing, RandomBytes, Store } from '@espalier/core';
import { HostError } from '../errors.ts';
import type { AppsLocation } from './types.ts';

/** The list of locations: JSON. */
const LIST = 'host.apps';
const MAX_LOCATIONS = 200;
/** Secrets are kept where the engine keeps its own, so that a change of the master key seals them anew. */
const SCOPE = 'apps-location';
const assetsName = (id: string): string => `host.apps.assets.${id}`;

/** The secrets of a location. */
export interface LocationSecrets {
  readonly token: ContentToken;
  /** What Apple’s notifications carry. */
  readonly notificationToken: string;
}

/** The records. */
export interface AppsRecords {
  list(): Promise<readonly AppsLocation[]>;
  /** @throws HostError `host.not_found` */
  get(id: string): Promise<AppsLocation>;
  /** @throws HostError `host.apps.linked`, `host.apps.too_many` (conflict) */
  add(location: AppsLocation, secrets: LocationSecrets): Promise<void>;
  /** Changes a location that is still there; whether it is. */
  change(id: string, change: Partial<AppsLocation>): Promise<boolean>;
  remove(id: string): Promise<void>;
  secrets(id: string): Promise<LocationSecrets>;
  keep(id: string, secrets: LocationSecrets): Promise<void>;
  assets(id: string): Promise<readonly Asset[]>;
  keepAssets(id: string, assets: readonly Asset[]): Promise<void>;
  /** This server as Apple knows it: made once. */
  mdmId(): Promise<string>;
}

/** Makes them. */
export function createAppsRecords(
  store: Pick<Store, 'secrets' | 'settings'>,
  keys: KeyRing,
  random: RandomBytes,
  now: () => number,
): AppsRecords {
  const { settings } = store;
  const parse = (text: string | null): AppsLocation[] => (text === null ? [] : (JSON.parse(text) as AppsLocation[]));
  const list = async (): Promise<AppsLocation[]> => parse(await settings.get(LIST));

  async function step(work: (locations: AppsLocation[]) => AppsLocation[]): Promise<void> {
    for (;;) {
      const text = await settings.get(LIST);
      if (await settings.replace(LIST, text, JSON.stringify(work(parse(text))))) return;
    }
  }

  async function keep(id: string, { token, notificationToken }: LocationSecrets): Promise<void> {
    const text = JSON.stringify({ sToken: token.sToken, notificationToken });
    const blob = keys.seal(new TextEncoder().encode(text), ['secret', SCOPE, id]);
    await store.secrets.put({ scope: SCOPE, name: id, blob, at: now() });
  }

  return {
    list,
    keep,
    async get(id) {
      const found = (await list()).find((location) => location.id === id);
      if (found === undefined) throw unknownLocation();
      return found;
    },
    async add(location, secrets) {
      await keep(location.id, secrets);
      try {
        await step((locations) => {
          if (locations.some(({ uId }) => uId === location.uId)) throw linked();
          if (locations.length < MAX_LOCATIONS) return [...locations, location];
          throw new HostError('conflict', 'host.apps.too_many', `There are ${MAX_LOCATIONS} locations already.`);
        });
      } catch (error) {
        await store.secrets.delete(SCOPE, location.id);
        throw error;
      }
    },
    async change(id, change) {
      let there = false;
      await step((locations) => {
        there = locations.some((location) => location.id === id);
        return locations.map((location) => (location.id === id ? { ...location, ...change } : location));
      });
      return there;
    },
    async remove(id) {
      await step((locations) => locations.filter((location) => location.id !== id));
      await store.secrets.delete(SCOPE, id);
      await settings.set(assetsName(id), '[]');
    },
    async secrets(id) {
      const blob = await store.secrets.get(SCOPE, id);
      if (blob === null) throw unknownLocation();
      const text = new TextDecoder().decode(keys.open(blob, ['secret', SCOPE, id]));
      const { sToken, notificationToken } = JSON.parse(text) as { sToken: string; notificationToken: string };
      return { token: readContentToken(sToken), notificationToken };
    },
    assets: async (id) => JSON.parse((await settings.get(assetsName(id))) ?? '[]') as Asset[],
    keepAssets: (id, assets) => settings.set(assetsName(id), JSON.stringify(assets)),
    mdmId: () => settings.setIfAbsent('host.apps.mdm-id', Buffer.from(random(16)).toString('hex')),
  };
}

/** The refusal of an id that is no location’s. */
export function unknownLocation(): HostError {
  return new HostError('not-found', 'host.not_found', 'There is no such location.');
}

/** The refusal of a token whose location is there. */
export function linked(): HostError {
  return new HostError('conflict', 'host.apps.linked', 'This location is linked already.', {
    remedy: 'Give the new token to the location that is there.',
  });
}
