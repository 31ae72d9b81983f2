// What a simulated organisation has beside devices: users, groups, units, apps and packages, to be read.
import { json } from '../answers.ts';
import { missing, pageOf } from './documents.ts';

/** Kinds of resources that the API reads. */
export type ResourceType = 'users' | 'userGroups' | 'organizationalUnits' | 'apps' | 'packages';

/** A resource. */
export interface SimulatedResource {
  readonly id: string;
  /** Apple's attributes of its kind. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a group or an organisational unit: who belongs to it. */
  readonly userIds?: readonly string[];
}

/** Resources by kind. */
export type SimulatedResources = Readonly<Record<ResourceType, readonly SimulatedResource[]>>;

/** A small organisation: three users, a group of two, a unit of all, two apps and a package. */
export function smallOrganisation(now: number): SimulatedResources {
  const at = new Date(now).toISOString();
  const dates = { createdDateTime: at, updatedDateTime: at };
  const names = [
    ['Ada', 'Lovelace'],
    ['Alan', 'Turing'],
    ['Grace', 'Hopper'],
  ] as const;
  const users = names.map(([firstName, lastName], index) => {
    const email = `${firstName.toLowerCase()}@example.com`;
    const roleOuList = [{ roleName: index === 0 ? 'Organization Administrator' : 'Staff', ouId: 'unit-1' }];
    const phoneNumbers = [{ phoneNumber: `+44 20 7946 000${index}`, type: 'WORK' }];
    const person = { firstName, lastName, email, managedAppleAccount: email, roleOuList, phoneNumbers };
    const attributes = { ...person, status: 'ACTIVE', isExternalUser: false, department: 'Engineering', ...dates };
    return { id: `user-${index + 1}`, attributes };
  });
  const group = { ouId: 'unit-1', name: 'Engineering', type: 'STANDARD', totalMemberCount: 2, status: 'ACTIVE' };
  const apps = (['361309726', '409201541'] as const).map((id, index) => ({
    id,
    attributes: {
      name: `App ${index + 1}`,
      bundleId: `com.example.app${index + 1}`,
      version: '1.0',
      supportedOS: ['SUPPORTED_OS_IOS', 'SUPPORTED_OS_MACOS'],
      isCustomApp: false,
      appStoreUrl: `https://apps.apple.com/app/id${id}`,
    },
  }));
  const agent = { name: 'Agent', url: 'https://example.com/agent.pkg', hash: 'ab12', version: '2.1' };
  return {
    users,
    userGroups: [{ id: 'group-1', attributes: { ...group, ...dates }, userIds: ['user-1', 'user-2'] }],
    organizationalUnits: [
      { id: 'unit-1', attributes: { name: 'Headquarters', ...dates }, userIds: users.map((user) => user.id) },
    ],
    apps,
    packages: [{ id: 'package-1', attributes: { ...agent, bundleIds: ['com.example.agent'], ...dates } }],
  };
}

const types: ReadonlySet<string> = new Set<ResourceType>([
  'users',
  'userGroups',
  'organizationalUnits',
  'apps',
  'packages',
]);

/** Answers a request for resources: `GET /v1/{kind}`, `/{id}`, `/{id}/relationships/users`; undefined for another path. */
export function readResources(
  resources: SimulatedResources,
  url: URL,
  maxPage: number,
  [kind, id, part, relation]: readonly (string | undefined)[],
): Response | undefined {
  if (kind === undefined || !types.has(kind)) return undefined;
  const type = kind as ResourceType;
  const list = resources[type];
  const describe = ({ id: own, attributes }: SimulatedResource): object => ({ type, id: own, attributes });
  if (id === undefined) return pageOf(url, maxPage, list.length, (index) => describe(list[index]!));
  const found = list.find((item) => item.id === id);
  if (found === undefined) return missing(type, id);
  if (part === undefined) return json({ data: describe(found) });
  const { userIds } = found;
  if (part !== 'relationships' || relation !== 'users' || userIds === undefined) return undefined;
  return pageOf(url, maxPage, userIds.length, (index) => ({ type: 'users', id: userIds[index] }));
}
