// What a simulated location checks of requests that change things, and the events that they become.
import { textsOf } from '../answers.ts';
import {
  describeUser,
  type EventOutcome,
  type Holder,
  type Location,
  type SimulatedAsset,
  type SimulatedEvent,
} from './state.ts';

/** Bounds of requests, by Apple's names. */
export interface Limits {
  readonly maxAssets: number;
  readonly maxUsers: number;
  readonly maxClientUserIds: number;
  readonly maxSerialNumbers: number;
  readonly maxRevokeClientUserIds: number;
  readonly maxRevokeSerialNumbers: number;
  readonly maxSubscriptions: number;
  readonly maxSubscriptionClientUserIds: number;
  readonly maxNotificationLength: number;
  readonly maxMdmNameLength: number;
  readonly maxMdmMetadataLength: number;
  readonly maxMdmIdLength: number;
}

/** Apple's limits. */
export const appleLimits: Limits = {
  maxAssets: 25,
  maxUsers: 100,
  maxClientUserIds: 1000,
  maxSerialNumbers: 1000,
  maxRevokeClientUserIds: 100,
  maxRevokeSerialNumbers: 100,
  maxSubscriptions: 25,
  maxSubscriptionClientUserIds: 1000,
  maxNotificationLength: 512,
  maxMdmNameLength: 100,
  maxMdmMetadataLength: 255,
  maxMdmIdLength: 100,
};

type Body = ReadonlyMap<string, unknown>;
/** An error number, or what the event is going to do. */
export type Judged = number | Pick<SimulatedEvent, 'type' | 'about' | 'requested' | 'run'>;

const twice = (items: readonly string[]): boolean => new Set(items).size < items.length;

/** `POST /assets/associate` and `/assets/disassociate`. */
export function judgeAssets(
  location: Location,
  body: Body,
  limits: Limits,
  type: 'ASSOCIATE' | 'DISASSOCIATE',
): Judged {
  const named = body.get('assets');
  if (!Array.isArray(named) || named.length === 0) return 9718;
  if (named.length > limits.maxAssets) return 9700;
  const references = named.map((item) => item as { adamId?: unknown; pricingParam?: unknown });
  if (twice(references.map((item) => `${item.adamId}/${item.pricingParam ?? 'STDQ'}`))) return 9703;
  const holders = holdersOf(body, limits.maxClientUserIds, limits.maxSerialNumbers);
  if (typeof holders === 'number') return holders;
  const assets: SimulatedAsset[] = [];
  for (const { adamId, pricingParam } of references) {
    const asset = location.asset(adamId, pricingParam);
    if (asset === undefined) return 9602;
    if (!asset.deviceAssignable && holders.some((holder) => holder.serialNumber !== undefined)) return 9707;
    if (type === 'DISASSOCIATE' && !asset.revocable) return 9706;
    assets.push(asset);
  }
  return {
    type,
    requested: assets.length * holders.length,
    run: () => (type === 'ASSOCIATE' ? location.associate(assets, holders) : location.disassociate(assets, holders)),
  };
}

/** `POST /assets/revoke`. */
export function judgeRevocation(location: Location, body: Body, limits: Limits): Judged {
  const holders = holdersOf(body, limits.maxRevokeClientUserIds, limits.maxRevokeSerialNumbers);
  if (typeof holders === 'number') return holders;
  return { type: 'REVOKE', requested: holders.length, run: () => location.revoke(holders) };
}

function holdersOf(body: Body, maxUsers: number, maxSerials: number): readonly Holder[] | number {
  const users = textsOf(body.get('clientUserIds')) ?? [];
  const serials = textsOf(body.get('serialNumbers')) ?? [];
  if (users.length === 0 && serials.length === 0) return 9719;
  if (users.length > maxUsers) return 9701;
  if (serials.length > maxSerials) return 9702;
  if (twice(users)) return 9704;
  if (twice(serials)) return 9705;
  return [...users.map((clientUserId) => ({ clientUserId })), ...serials.map((serialNumber) => ({ serialNumber }))];
}

interface GivenUser {
  readonly clientUserId: string;
  readonly email?: string;
  readonly managedAppleId?: string;
}

/** `POST /users/create`, `/users/update`, `/users/retire`. */
export function judgeUsers(
  location: Location,
  body: Body,
  limits: Limits,
  type: 'CREATE' | 'UPDATE' | 'RETIRE',
  newCode: () => string,
): Judged {
  const named = body.get('users');
  if (!Array.isArray(named) || named.length === 0) return 9720;
  if (named.length > limits.maxUsers) return 9714;
  const users = named as GivenUser[];
  if (users.some((user) => typeof user?.clientUserId !== 'string' || user.clientUserId === '')) return 9602;
  if (twice(users.map((user) => user.clientUserId))) return 9715;
  if (users.some((user) => user.email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(user.email))) return 9717;
  return { type, requested: users.length, run: () => changeUsers(location, users, type, newCode) };
}

function changeUsers(
  location: Location,
  users: readonly GivenUser[],
  type: 'CREATE' | 'UPDATE' | 'RETIRE',
  newCode: () => string,
): EventOutcome {
  const elements: object[] = [];
  const failed = new Map<number, string[]>();
  for (const given of users) {
    const { clientUserId, email, managedAppleId } = given;
    const before = location.users.get(clientUserId);
    const active = before !== undefined && before.status !== 'Retired';
    if (type === 'CREATE' ? active : !active) {
      const number = type === 'CREATE' ? 9716 : 9609;
      failed.set(number, [...(failed.get(number) ?? []), clientUserId]);
      continue;
    }
    const refused = managedAppleId === undefined ? undefined : location.refuses(managedAppleId, clientUserId);
    if (refused !== undefined) {
      failed.set(refused, [...(failed.get(refused) ?? []), clientUserId]);
      continue;
    }
    const user = type === 'CREATE' ? { clientUserId, inviteCode: newCode(), status: 'Registered' as const } : before!;
    // A Managed Apple Account needs no invitation.
    const status = type === 'RETIRE' ? 'Retired' : managedAppleId !== undefined ? 'Associated' : user.status;
    const changed = {
      ...user,
      status,
      version: ++location.version,
      ...(email !== undefined && { email }),
      ...(managedAppleId !== undefined && { managedAppleId, idHash: `hash-${clientUserId}` }),
    };
    location.users.set(clientUserId, changed);
    elements.push(describeUser(changed));
  }
  const messages: Readonly<Record<number, string>> = {
    9716: 'A registered user already exists',
    9609: 'Unable to find the registered user.',
    9635: 'Unable to associate the Apple Account with this user.',
    9641: 'The Apple Account is already associated with another user.',
  };
  const failures = [...failed].map(([errorNumber, clientUserIds]) => ({
    errorNumber,
    errorMessage: messages[errorNumber]!,
    errorInfo: { clientUserIds },
  }));
  return { completed: elements.length, failures, elements };
}
