// The endpoints of the Apple Business and School Manager API that the client uses.
import type { BusinessClient } from './client.ts';

/** An endpoint, and the client's method for it. */
export interface BusinessEndpoint {
  readonly title: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Absent: the client does not have it. */
  readonly client?: keyof BusinessClient | 'token';
  readonly statuses: readonly number[];
  /** Apple Business Manager only. */
  readonly businessOnly?: true;
}

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
  {
    title: 'Assign or Unassign Devices to a Device Management Service',
    method: 'POST',
    path: '/v1/orgDeviceActivities',
    client: 'assign',
    statuses: [400, 401, 403, 409, 422, 429],
  },
  {
    title: 'Get Organization Device Activity Information',
    method: 'GET',
    path: '/v1/orgDeviceActivities/{id}',
    client: 'activity',
    statuses: [400, 401, 403, 404, 429],
  },
  {
    title: 'Get Audit Events',
    method: 'GET',
    path: '/v1/auditEvents',
    client: 'auditEvents',
    statuses: [400, 401, 403, 429],
    businessOnly: true,
  },
];
