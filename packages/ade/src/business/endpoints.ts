// The endpoints of the Apple Business and School Manager API that the client uses.
import type { ActivityMethods } from './activities.ts';
import type { BlueprintPart } from './blueprints.ts';
import type { BusinessClient } from './client.ts';

/** An endpoint, and the client's method for it. */
export interface BusinessEndpoint {
  readonly title: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly client: keyof BusinessClient | 'token';
  readonly statuses: readonly number[];
  /** Apple Business Manager only. */
  readonly businessOnly?: true;
}

type Method = BusinessEndpoint['client'];
const listed = [400, 401, 403, 429];
const looked = [400, 401, 403, 404, 429];

/** The one endpoint of activities, for each of its kinds that the client has a method for. */
const activities = (...methods: readonly (keyof ActivityMethods)[]): BusinessEndpoint[] =>
  methods.map((client) => ({
    title: 'Assign or Unassign Devices to a Device Management Service or Release Devices',
    method: 'POST',
    path: '/v1/orgDeviceActivities',
    client,
    statuses: [400, 401, 403, 409, 422, 429],
  }));

/** A list, and one of it. */
const reading = (path: string, list: string, all: Method, info: string, one: Method): BusinessEndpoint[] => [
  { title: list, method: 'GET', path, client: all, statuses: listed, businessOnly: true },
  { title: info, method: 'GET', path: `${path}/{id}`, client: one, statuses: looked, businessOnly: true },
];

/** What makes, changes and deletes one. */
function writing(path: string, what: string, name: 'Blueprint' | 'Configuration'): BusinessEndpoint[] {
  const changed = [400, 401, 403, 409, 422, 429];
  const common = { path: `${path}/{id}`, businessOnly: true } as const;
  return [
    { ...common, path, title: `Create ${what}`, method: 'POST', client: `create${name}`, statuses: changed },
    {
      ...common,
      title: `Update ${what}`,
      method: 'PATCH',
      client: `update${name}`,
      statuses: [...changed, 404].sort(),
    },
    {
      ...common,
      title: `Delete ${what}`,
      method: 'DELETE',
      client: `delete${name}`,
      statuses: [400, 401, 403, 404, 409, 429],
    },
  ];
}

/** Ids that belong to a resource. */
const linked = (
  title: string,
  method: 'GET' | 'POST' | 'DELETE',
  type: string,
  part: string,
  client: Method,
): BusinessEndpoint => ({
  title,
  method,
  path: `/v1/${type}/{id}/relationships/${part}`,
  client,
  statuses: method === 'GET' ? looked : [401, 403, 404, 409, 422, 429],
  businessOnly: true,
});

/** The parts of a Blueprint, and how Apple calls one and many of them. */
const parts: readonly (readonly [part: BlueprintPart, one: string, many: string])[] = [
  ['apps', 'App', 'Apps'],
  ['configurations', 'Configuration', 'Configurations'],
  ['packages', 'Package', 'Packages'],
  ['orgDevices', 'Device', 'Devices'],
  ['users', 'User', 'Users'],
  ['userGroups', 'User Group', 'User Groups'],
];

/** Source: Apple, Apple Business API and Apple School Manager API. */
export const businessEndpoints: readonly BusinessEndpoint[] = [
  {
    title: 'Implementing OAuth',
    method: 'POST',
    path: '/auth/oauth2/token',
    client: 'token',
    statuses: [400, 401, 429],
  },
  {
    title: 'Get Organization Devices',
    method: 'GET',
    path: '/v1/orgDevices',
    client: 'devices',
    statuses: [400, 401, 403, 429],
  },
  {
    title: 'Get Device Information',
    method: 'GET',
    path: '/v1/orgDevices/{id}',
    client: 'device',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get the Activation Lock Status for a Device',
    method: 'GET',
    path: '/v1/orgDevices/{id}/activationLockStatus',
    client: 'activationLock',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get AppleCare Coverage Information for a Device',
    method: 'GET',
    path: '/v1/orgDevices/{id}/appleCareCoverage',
    client: 'appleCare',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get the Assigned Device Management Service ID for a Device',
    method: 'GET',
    path: '/v1/orgDevices/{id}/relationships/assignedServer',
    client: 'assignedServerId',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get the Assigned Device Management Service Information for a Device',
    method: 'GET',
    path: '/v1/orgDevices/{id}/assignedServer',
    client: 'assignedServer',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get Device Management Services',
    method: 'GET',
    path: '/v1/mdmServers',
    client: 'servers',
    statuses: [400, 401, 403, 429],
  },
  {
    title: 'Get Device Management Service Information',
    method: 'GET',
    path: '/v1/mdmServers/{id}',
    client: 'server',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Create a Device Management Service',
    method: 'POST',
    path: '/v1/mdmServers',
    client: 'createServer',
    statuses: [400, 401, 403, 409, 422, 429],
    businessOnly: true,
  },
  {
    title: 'Update a Device Management Service',
    method: 'PATCH',
    path: '/v1/mdmServers/{id}',
    client: 'updateServer',
    statuses: [400, 401, 403, 404, 409, 422, 429],
    businessOnly: true,
  },
  {
    title: 'Delete a Device Management Service',
    method: 'DELETE',
    path: '/v1/mdmServers/{id}',
    client: 'deleteServer',
    statuses: [400, 401, 403, 404, 409, 429],
    businessOnly: true,
  },
  {
    title: 'Get the Device Serial Numbers for a Device Management Service',
    method: 'GET',
    path: '/v1/mdmServers/{id}/relationships/devices',
    client: 'serverDevices',
    statuses: [400, 401, 403, 404, 429],
  },
  ...activities('assign', 'unassign', 'changeMigrationDeadline', 'cancelMigration'),
  ...activities('release').map((endpoint) => ({ ...endpoint, businessOnly: true as const })),
  {
    title: 'Get Organization Device Activity Information',
    method: 'GET',
    path: '/v1/orgDeviceActivities/{id}',
    client: 'activity',
    statuses: [400, 401, 403, 404, 429],
  },
  ...reading('/v1/users', 'Get Users', 'users', 'Get User Information', 'user'),
  ...reading('/v1/userGroups', 'Get User Groups', 'userGroups', 'Get User Group Information', 'userGroup'),
  linked('Get User IDs for a User Group', 'GET', 'userGroups', 'users', 'userGroupUsers'),
  ...reading(
    '/v1/organizationalUnits',
    'Get Organizational Units',
    'organisationalUnits',
    'Get Organizational Unit Information',
    'organisationalUnit',
  ),
  linked('Get User IDs for an Organizational Unit', 'GET', 'organizationalUnits', 'users', 'organisationalUnitUsers'),
  ...reading('/v1/apps', 'Get Apps', 'apps', 'Get App Information', 'app'),
  ...reading('/v1/packages', 'Get Packages', 'packages', 'Get Package Information', 'package'),
  {
    title: 'Get Devices Enrolled in Apple Device Management Service',
    method: 'GET',
    path: '/v1/mdmDevices',
    client: 'builtInDevices',
    statuses: listed,
    businessOnly: true,
  },
  {
    title: 'Get Details for a Device Enrolled in Apple Device Management Service',
    method: 'GET',
    path: '/v1/mdmDevices/{id}/details',
    client: 'builtInDevice',
    statuses: looked,
    businessOnly: true,
  },
  ...reading('/v1/blueprints', 'Get Blueprints', 'blueprints', 'Get Blueprint Information', 'blueprint'),
  ...writing('/v1/blueprints', 'a Blueprint', 'Blueprint'),
  ...parts.flatMap(([part, one, many]) => [
    linked(`Get ${one} IDs for a Blueprint`, 'GET', 'blueprints', part, 'blueprintParts'),
    linked(`Add ${many} to a Blueprint`, 'POST', 'blueprints', part, 'addToBlueprint'),
    linked(`Remove ${many} from a Blueprint`, 'DELETE', 'blueprints', part, 'removeFromBlueprint'),
  ]),
  ...reading(
    '/v1/configurations',
    'Get Configurations',
    'configurations',
    'Get Configuration Information',
    'configuration',
  ),
  ...writing('/v1/configurations', 'a Configuration', 'Configuration'),
  {
    title: 'Get Audit Events',
    method: 'GET',
    path: '/v1/auditEvents',
    client: 'auditEvents',
    statuses: [400, 401, 403, 429],
    businessOnly: true,
  },
];
