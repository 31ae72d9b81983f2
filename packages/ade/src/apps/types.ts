// What Apps and Books says of assets, assignments, users and events. Keys are Apple's.
import type { JsonObject } from '../http/json.ts';
import { type AppsFailure, readFailure } from './errors.ts';

/** An app or a book in one of its qualities. */
export interface AssetReference {
  /** The store's identifier. */
  readonly adamId: string;
  /** `STDQ` (default) or `PLUS`. */
  readonly pricingParam?: string;
}

/** What the organisation has of an asset. */
export interface Asset extends AssetReference {
  /** `App`, `Book`. */
  readonly productType?: string;
  readonly assignedCount?: number;
  readonly availableCount?: number;
  readonly retiredCount?: number;
  /** 2147483647 for what is free and without limit. */
  readonly totalCount?: number;
  readonly deviceAssignable?: boolean;
  readonly revocable?: boolean;
  readonly supportedPlatforms?: readonly string[];
}

/** An asset that a user or a device has. */
export interface Assignment extends AssetReference {
  readonly clientUserId?: string;
  readonly serialNumber?: string;
}

/** A registered user. */
export interface AppsUser {
  readonly clientUserId: string;
  readonly email?: string;
  readonly managedAppleId?: string;
  readonly idHash?: string;
  readonly inviteCode?: string;
  /** `Registered`, `Associated`, `Retired`, `Deleted`. */
  readonly status?: string;
}

/** A part of a list. */
export interface AppsPage<T> {
  readonly items: readonly T[];
  /** From the first page: what to ask for changes since. */
  readonly versionId?: string;
  readonly totalPages?: number;
}

/** How an asynchronous request is getting on. */
export interface AppsEvent {
  readonly eventStatus: 'PENDING' | 'COMPLETE' | 'FAILED';
  /** `ASSOCIATE`, `DISASSOCIATE`, `REVOKE`, `CREATE`, `UPDATE`, `RETIRE`. */
  readonly eventType?: string;
  readonly numCompleted?: number;
  readonly numRequested?: number;
  readonly failures: readonly AppsFailure[];
}

/** A server as it tells Apple of itself. */
export interface MdmInfo {
  readonly id: string;
  readonly name: string;
  readonly metadata: string;
}

/** The location's settings. */
export interface ClientConfig {
  readonly countryISO2ACode?: string;
  readonly locationName?: string;
  readonly uId?: string;
  readonly notificationUrl?: string;
  readonly subscribedNotificationTypes: readonly string[];
  /** The server that manages the location. */
  readonly mdmInfo?: MdmInfo;
}

/** Bounds of requests; they may change at any time. */
export interface AppsLimits {
  readonly maxAssets: number;
  readonly maxClientUserIds: number;
  readonly maxSerialNumbers: number;
  readonly maxRevokeClientUserIds: number;
  readonly maxRevokeSerialNumbers: number;
  readonly maxUsers: number;
  /** Subscriptions in one request. */
  readonly maxSubscriptions: number;
  /** Users in one request about subscriptions. */
  readonly maxSubscriptionClientUserIds: number;
}

/** Apple's limits as they were in 2026; used until the service says otherwise. */
export const knownLimits: AppsLimits = {
  maxAssets: 25,
  maxClientUserIds: 1000,
  maxSerialNumbers: 1000,
  maxRevokeClientUserIds: 100,
  maxRevokeSerialNumbers: 100,
  maxUsers: 100,
  maxSubscriptions: 25,
  maxSubscriptionClientUserIds: 1000,
};

/** Reads the limits of a service configuration. */
export function readLimits(object: JsonObject): AppsLimits {
  const limits = object.object('limits');
  const entries = Object.entries(knownLimits).map(([key, known]) => {
    const value = limits?.number(key);
    return [key, value !== undefined && value >= 1 ? Math.floor(value) : known];
  });
  return Object.fromEntries(entries) as unknown as AppsLimits;
}

function pick<K extends string>(object: JsonObject, keys: readonly K[]): { readonly [P in K]?: string } {
  const found = keys.flatMap((key) => {
    const value = object.text(key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(found) as { readonly [P in K]?: string };
}

/** Reads an asset; undefined without its id. */
export function readAsset(object: JsonObject): Asset | undefined {
  const adamId = object.text('adamId');
  if (adamId === undefined) return undefined;
  const asset: { -readonly [K in keyof Asset]: Asset[K] } = {
    ...pick(object, ['pricingParam', 'productType']),
    adamId,
  };
  for (const key of ['assignedCount', 'availableCount', 'retiredCount', 'totalCount'] as const) {
    const value = object.number(key);
    if (value !== undefined) asset[key] = value;
  }
  for (const key of ['deviceAssignable', 'revocable'] as const) {
    const value = object.boolean(key);
    if (value !== undefined) asset[key] = value;
  }
  const platforms = object.texts('supportedPlatforms');
  return platforms === undefined ? asset : { ...asset, supportedPlatforms: platforms };
}

/** Reads an assignment; undefined without an asset. */
export function readAssignment(object: JsonObject): Assignment | undefined {
  const adamId = object.text('adamId');
  if (adamId === undefined) return undefined;
  return { ...pick(object, ['pricingParam', 'clientUserId', 'serialNumber']), adamId };
}

/** Reads a user; undefined without an id. */
export function readUser(object: JsonObject): AppsUser | undefined {
  const clientUserId = object.text('clientUserId');
  if (clientUserId === undefined) return undefined;
  return { ...pick(object, ['email', 'managedAppleId', 'idHash', 'inviteCode', 'status']), clientUserId };
}

/** Reads the state of an event; undefined when it has none that is known. */
export function readEvent(object: JsonObject): AppsEvent | undefined {
  const eventStatus = object.text('eventStatus');
  if (eventStatus !== 'PENDING' && eventStatus !== 'COMPLETE' && eventStatus !== 'FAILED') return undefined;
  const [completed, requested] = [object.number('numCompleted'), object.number('numRequested')];
  return {
    ...pick(object, ['eventType']),
    eventStatus,
    ...(completed !== undefined && { numCompleted: completed }),
    ...(requested !== undefined && { numRequested: requested }),
    failures: (object.objects('failures') ?? []).map(readFailure),
  };
}

/** Reads the server that manages a location. */
export function readMdmInfo(object: JsonObject): MdmInfo | undefined {
  const info = object.object('mdmInfo');
  const id = info?.text('id');
  if (id === undefined) return undefined;
  return { id, name: info?.text('name') ?? '', metadata: info?.text('metadata') ?? '' };
}

/** Reads the settings of a location. The notification token stays out: it is a secret of the server's own. */
export function readClientConfig(object: JsonObject): ClientConfig {
  const mdmInfo = readMdmInfo(object);
  return {
    ...pick(object, ['countryISO2ACode', 'locationName', 'uId', 'notificationUrl']),
    subscribedNotificationTypes: object.texts('subscribedNotificationTypes') ?? [],
    ...(mdmInfo && { mdmInfo }),
  };
}
