// Which endpoints there are, how each does, and their secrets: all in the store, shared by every process.
import type { KeyRing, RandomBytes, Store } from '@espalier/core';
import { HostError } from '../errors.ts';
import { createWebhookSecret } from './signature.ts';
import type { NewWebhook, Webhook, WebhookStatus } from './types.ts';

/** The list of endpoints: JSON. */
const LIST = 'host.webhooks';
const MAX_ENDPOINTS = 50;
const DAY = 86_400_000;
/** Secrets are kept where the engine keeps its own, so that a change of the master key seals them anew. */
const SCOPE = 'webhook';
const placeOf = (id: string): readonly string[] => ['secret', SCOPE, id];
const statusName = (id: string): string => `host.webhook.${id}`;

/** What the registry works with. */
export interface RegistryContext {
  readonly store: Pick<Store, 'settings' | 'secrets' | 'events'>;
  readonly keys: KeyRing;
  readonly random: RandomBytes;
  readonly now: () => number;
}

/** The registry. */
export interface Registry {
  list(): Promise<readonly Webhook[]>;
  add(webhook: NewWebhook): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  remove(id: string): Promise<void>;
  status(id: string): Promise<WebhookStatus | null>;
  /** Puts another status in the place of this one; false when somebody else did. */
  move(id: string, from: WebhookStatus, to: WebhookStatus): Promise<boolean>;
  /** The secrets to sign with, the newest first. */
  secrets(id: string): Promise<readonly string[]>;
  rotate(id: string): Promise<string>;
}

interface StoredSecret {
  readonly secret: string;
  readonly before?: string;
  readonly beforeUntil?: number;
}

/** Makes the registry. */
export function createRegistry({ store, keys, random, now }: RegistryContext): Registry {
  const { settings } = store;

  const read = (text: string | null): readonly Webhook[] => (text === null ? [] : (JSON.parse(text) as Webhook[]));

  async function change(step: (list: readonly Webhook[]) => readonly Webhook[]): Promise<void> {
    for (;;) {
      const text = await settings.get(LIST);
      if (await settings.replace(LIST, text, JSON.stringify(step(read(text))))) return;
    }
  }

  async function secretOf(id: string): Promise<StoredSecret> {
    const blob = await store.secrets.get(SCOPE, id);
    if (blob === null) throw unknown();
    return JSON.parse(new TextDecoder().decode(keys.open(blob, placeOf(id)))) as StoredSecret;
  }

  async function keep(id: string, secret: StoredSecret): Promise<void> {
    const blob = keys.seal(new TextEncoder().encode(JSON.stringify(secret)), placeOf(id));
    await store.secrets.put({ scope: SCOPE, name: id, blob, at: now() });
  }

  return {
    list: async () => read(await settings.get(LIST)),

    async add({ url, format = 'standard', types = [] }) {
      checkUrl(url);
      for (const type of types) {
        if (/^[a-z-]{1,40}\.(?:\*|[a-z-]{1,40})$/.test(type)) continue;
        throw new HostError(
          'invalid',
          'host.webhook.types',
          'An event type is two names with a dot between, or name.*',
        );
      }
      const id = Buffer.from(random(12)).toString('hex');
      const webhook: Webhook = { id, url, format, types: [...new Set(types)], createdAt: now() };
      const secret = createWebhookSecret(random);
      await keep(id, { secret });
      const status: WebhookStatus = { ...fresh, cursor: await store.events.lastSeq() };
      await settings.set(statusName(id), JSON.stringify(status));
      await change((list) => {
        if (list.length >= MAX_ENDPOINTS) {
          throw new HostError('conflict', 'host.webhook.too_many', `There are ${MAX_ENDPOINTS} webhooks already.`);
        }
        return [...list, webhook];
      });
      return { webhook, secret };
    },

    async remove(id) {
      await change((list) => {
        if (!list.some((webhook) => webhook.id === id)) throw unknown();
        return list.filter((webhook) => webhook.id !== id);
      });
      await store.secrets.delete(SCOPE, id);
    },

    async status(id) {
      const text = await settings.get(statusName(id));
      return text === null ? null : (JSON.parse(text) as WebhookStatus);
    },

    move: (id, from, to) => settings.replace(statusName(id), JSON.stringify(from), JSON.stringify(to)),

    async secrets(id) {
      const { secret, before, beforeUntil = 0 } = await secretOf(id);
      return before !== undefined && now() < beforeUntil ? [secret, before] : [secret];
    },

    async rotate(id) {
      const before = await secretOf(id);
      const secret = createWebhookSecret(random);
      await keep(id, { secret, before: before.secret, beforeUntil: now() + DAY });
      return secret;
    },
  };
}

/** An endpoint that has no trouble. */
export const fresh: Omit<WebhookStatus, 'cursor'> = {
  failures: 0,
  failingSince: null,
  nextAt: 0,
  lastError: null,
  disabledAt: null,
};

/** The refusal of an id that is no endpoint's. */
export function unknown(): HostError {
  return new HostError('not-found', 'host.webhook.unknown', 'There is no such webhook.');
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) && text.length <= 2000 ? new URL(text) : null;
  const local = url !== null && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  const allowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && local);
  if (allowed && url?.username === '' && url.password === '' && url.hash === '') return;
  throw new HostError('invalid', 'host.webhook.url', 'A webhook has an https: address, without a user name in it.');
}
