// What a webhook is, as its callers see it.

/** How events are written: Standard Webhooks' own shape, or the one that receivers of MicroMDM and NanoMDM read. */
export type WebhookFormat = 'standard' | 'micromdm';

/** An endpoint that hears of events. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly format: WebhookFormat;
  /** Event types, `enrolment.*` for all of a kind; none: every type. Of no matter to `micromdm`, which has four. */
  readonly types: readonly string[];
  readonly createdAt: number;
}

/** How an endpoint does. */
export interface WebhookStatus {
  /** The `seq` up to which everything was delivered. */
  readonly cursor: number;
  /** Attempts that failed since the last one that did not. */
  readonly failures: number;
  readonly failingSince: number | null;
  /** Not tried before. */
  readonly nextAt: number;
  /** Why the last attempt failed: a status, or what was wrong with the connection. */
  readonly lastError: string | null;
  /** Not tried any more, until it is enabled again; events wait for it as long as they are kept. */
  readonly disabledAt: number | null;
}

/** Input of {@link Webhooks.create}. */
export interface NewWebhook {
  /** https:, or http: to this very machine. */
  readonly url: string;
  readonly format?: WebhookFormat;
  readonly types?: readonly string[];
}

/** Webhooks: endpoints, and the delivery of events to them. */
export interface Webhooks {
  /**
   * Adds an endpoint, which hears of what happens from now on. The secret is given this once.
   * @throws HostError `host.webhook.url`, `host.webhook.types` (invalid), `host.webhook.too_many` (conflict)
   */
  create(webhook: NewWebhook): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  list(): Promise<readonly (Webhook & WebhookStatus)[]>;
  /** @throws HostError `host.webhook.unknown` (not-found), as the following */
  delete(id: string): Promise<void>;
  /** Lets an endpoint be tried again at once: it goes on where it was left. */
  enable(id: string): Promise<void>;
  /** Makes another secret. Messages are signed with both for a day. */
  rotateSecret(id: string): Promise<{ readonly secret: string }>;
  /** Delivers what waits and is due, once, to every endpoint; returns how many messages arrived. */
  run(): Promise<number>;
  /** Delivers in the background. */
  start(): void;
  /** Ends that, and waits for what is under way. */
  stop(): Promise<void>;
}
