// Apps and Books as the host runs it: locations by their content tokens, their assets with counts, assignments, notifications.
import type { AppsEvent, AppsUser, Asset, AssetChange, FetchFunction, UserChange } from '@espalier/ade';
import type { Engine, KeyRing, RandomBytes, Store } from '@espalier/core';
import type { Logger } from '../types.ts';

/** What {@link createAppsService} is made of. */
export interface AppsServiceOptions {
  readonly engine: Engine;
  /** The engine's store and keys: content tokens are sealed and kept there. */
  readonly store: Pick<Store, 'secrets' | 'settings'>;
  readonly keys: KeyRing;
  /** How Apple and administrators know this server: the location shows it to others that want to manage it. */
  readonly name: string;
  /**
   * The address of this server, with the base path: Apple sends notifications to its `/apps/notifications`. Without an `https:`
   * address there are none, and changes are found out by the next refresh.
   */
  readonly publicUrl?: string;
  /** How often the assets of a location are read anew, by whichever process (default 24 hours). */
  readonly refreshIntervalMs?: number;
  /** Where Apple's service is, for tests: default Apple's. */
  readonly origin?: string;
  readonly fetch?: FetchFunction;
  readonly logger?: Logger;
  readonly random?: RandomBytes;
}

/** A location of the organisation (ABM-22), by its content token. */
export interface AppsLocation {
  readonly id: string;
  /** The organisation’s name, of the token. */
  readonly organisation: string;
  /** The location’s name; `null` where Apple tells none. */
  readonly name: string | null;
  /** Apple’s identifier of the location. */
  readonly uId: string;
  readonly linkedAt: number;
  readonly tokenExpiresAt: number;
  /** Whether Apple sends notifications here. */
  readonly notified: boolean;
  /** When the assets were last read; `null`: not yet. */
  readonly refreshedAt: number | null;
  /** Something has changed at Apple since. */
  readonly stale: boolean;
  /** Why the last refresh failed, and when; `null` when it did not. */
  readonly failure: { readonly at: number; readonly code: string; readonly message: string } | null;
}

/** A location as an administrator sees it. */
export interface AppsLocationView extends AppsLocation {
  readonly state: 'valid' | 'expiring' | 'expired';
  /** How many assets are known. */
  readonly assets: number;
}

/** The service. AdeErrors `ade.apps.*` and `ade.http.*` tell what Apple answered; HostError `host.apps.refused` that it wants another token. */
export interface AppsService {
  locations(): Promise<readonly AppsLocationView[]>;
  /** @throws HostError `host.not_found` */
  location(id: string): Promise<AppsLocationView>;
  /**
   * Links a location by its content token (`.vpptoken`): this server manages it from then on, and reads its assets.
   * @throws AdeError `ade.content_token.*`; `ade.apps.other_mdm` (conflict) where another server manages the location, unless
   *   it is to be taken over; HostError `host.apps.linked` (conflict) for a location that is linked already
   */
  link(token: string, options?: { readonly takeOver?: boolean }): Promise<AppsLocationView>;
  /** Gives a location a new token, or takes it back from another server. @throws HostError `host.apps.other_location` (conflict), and as {@link AppsService.link} */
  renew(id: string, token: string, options?: { readonly takeOver?: boolean }): Promise<AppsLocationView>;
  /** Forgets a location. At Apple nothing changes. */
  unlink(id: string): Promise<void>;
  /** Reads the assets anew. */
  refresh(id: string): Promise<AppsLocationView>;
  /** The assets with their counts, as they were at the last refresh. */
  assets(id: string): Promise<{ readonly items: readonly Asset[]; readonly refreshedAt: number | null }>;
  /** Assigns assets to devices, by serial number, and to registered users. Apple does it in its time: the ids of its events. */
  assign(id: string, change: AssetChange): Promise<readonly string[]>;
  /** Takes assets away; without any named, all that can be taken. */
  revoke(id: string, change: Omit<AssetChange, 'assets'> & Partial<AssetChange>): Promise<readonly string[]>;
  /** The registered users, as Apple lists them now. */
  users(id: string): Promise<readonly AppsUser[]>;
  /** Registers users, which assignments to users need. */
  register(id: string, users: readonly UserChange[]): Promise<readonly string[]>;
  retire(id: string, clientUserIds: readonly string[]): Promise<readonly string[]>;
  /** How an event is getting on, as Apple says now. */
  event(id: string, eventId: string): Promise<AppsEvent>;
  /**
   * Takes a notification of Apple: what it says has changed is read anew soon.
   * @throws AdeError `ade.notification.*`; HostError `host.not_found`
   */
  notification(id: string, body: string, authorization: string | null): Promise<void>;
  /** Reads anew what is stale, or older than the interval. Part of what {@link AppsService.start} does again and again. */
  refreshDue(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}
