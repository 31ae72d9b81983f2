// Every endpoint of the device enrolment service, with the errors that Apple documents for it.
import type { EnrolmentClient } from './client.ts';
import type { EnrolmentErrorName } from './errors.ts';

/** An endpoint, and the client's method for it. */
export interface EnrolmentEndpoint {
  /** Apple's name of the page. */
  readonly title: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly client: keyof EnrolmentClient | 'session';
  readonly errors: readonly EnrolmentErrorName[];
}

/** What every endpoint may answer. */
export const commonErrors: readonly EnrolmentErrorName[] = [
  'UNAUTHORIZED',
  'FORBIDDEN',
  'ACCESS_DENIED',
  'T_C_NOT_SIGNED',
  'USER_AGENT_INVALID',
  'USER_AGENT_MISSING',
  'MALFORMED_REQUEST_BODY',
];

const profileErrors: readonly EnrolmentErrorName[] = [
  'CONFIG_NAME_INVALID',
  'CONFIG_NAME_REQUIRED',
  'CONFIG_URL_INVALID',
  'CONFIG_URL_REQUIRED',
  'DEPARTMENT_INVALID',
  'FLAGS_INVALID',
  'LOCALE_INVALID',
  'MAGIC_INVALID',
  'SUPPORT_EMAIL_INVALID',
  'SUPPORT_PHONE_INVALID',
];

/** The endpoints. Source: Apple, Device Management, "Device assignment" and "Roster management". */
export const enrolmentEndpoints: readonly EnrolmentEndpoint[] = [
  { title: 'Authenticating', method: 'GET', path: '/session', client: 'session', errors: [] },
  { title: 'Get Account Detail', method: 'GET', path: '/account', client: 'account', errors: [] },
  {
    title: 'Get a List of Devices',
    method: 'POST',
    path: '/server/devices',
    client: 'sync',
    errors: ['INVALID_CURSOR', 'EXHAUSTED_CURSOR'],
  },
  {
    title: 'Sync the List of Devices',
    method: 'POST',
    path: '/devices/sync',
    client: 'sync',
    errors: ['CURSOR_REQUIRED', 'INVALID_CURSOR', 'EXHAUSTED_CURSOR', 'EXPIRED_CURSOR'],
  },
  { title: 'Get Device Details', method: 'POST', path: '/devices', client: 'details', errors: ['DEVICE_ID_REQUIRED'] },
  {
    title: 'Disown Devices',
    method: 'POST',
    path: '/devices/disown',
    client: 'disown',
    errors: ['DEVICE_ID_REQUIRED'],
  },
  {
    title: 'Activation Lock a Device',
    method: 'POST',
    path: '/device/activationlock',
    client: 'activationLock',
    errors: [],
  },
  {
    title: 'Get Replacement Details',
    method: 'GET',
    path: '/device/replacementDetails',
    client: 'replacement',
    errors: ['DEVICE_ID_REQUIRED', 'DEVICE_NOT_FOUND'],
  },
  {
    title: 'Get Beta Enrollment Tokens',
    method: 'GET',
    path: '/os-beta-enrollment/tokens',
    client: 'betaTokens',
    errors: ['APPLE_SEED_FOR_IT_TURNED_OFF'],
  },
  { title: 'Define a Profile', method: 'POST', path: '/profile', client: 'defineProfile', errors: profileErrors },
  {
    title: 'Get a Profile',
    method: 'GET',
    path: '/profile',
    client: 'profile',
    errors: ['PROFILE_UUID_REQUIRED', 'NOT_FOUND'],
  },
  {
    title: 'Assign a Profile',
    method: 'POST',
    path: '/profile/devices',
    client: 'assignProfile',
    errors: ['DEVICE_ID_REQUIRED', 'PROFILE_UUID_REQUIRED', 'PROFILE_NOT_FOUND'],
  },
  {
    title: 'Remove a Profile',
    method: 'DELETE',
    path: '/profile/devices',
    client: 'removeProfile',
    errors: ['DEVICE_ID_REQUIRED'],
  },
  {
    title: 'Assign Account-Driven Enrollment Service Discovery',
    method: 'POST',
    path: '/account-driven-enrollment/profile',
    client: 'setServiceDiscovery',
    errors: ['MDM_SERVICE_DISCOVERY_URL_REQUIRED', 'MDM_SERVICE_DISCOVERY_URL_NOT_VALID', 'ORG_NOT_SUPPORTED'],
  },
  {
    title: 'Fetch Account-Driven Enrollment Service Discovery',
    method: 'GET',
    path: '/account-driven-enrollment/profile',
    client: 'serviceDiscovery',
    errors: ['ORG_NOT_SUPPORTED', 'NOT_FOUND'],
  },
  {
    title: 'Remove Account-Driven Enrollment Profile',
    method: 'DELETE',
    path: '/account-driven-enrollment/profile',
    client: 'removeServiceDiscovery',
    errors: ['ORG_NOT_SUPPORTED'],
  },
  ...(['Classes', 'People', 'Courses', 'Locations'] as const).flatMap(roster),
];

/** The two endpoints of a part of the roster. */
function roster(name: 'Classes' | 'People' | 'Courses' | 'Locations'): EnrolmentEndpoint[] {
  const paths = { Classes: '', People: '/person', Courses: '/course', Locations: '/location' };
  const path = `/roster/class${paths[name]}`;
  const sync = name === 'Locations' ? 'Sync the Locations' : `Sync the List of ${name}`;
  const client = `roster${name}` as const;
  return [
    { title: `Get the List of ${name}`, method: 'POST', path, client, errors: ['INVALID_CURSOR'] },
    {
      title: sync,
      method: 'POST',
      path: `${path}/sync`,
      client,
      errors: ['CURSOR_REQUIRED', 'INVALID_CURSOR', 'EXPIRED_CURSOR'],
    },
  ];
}
