// The endpoints of Apps and Books.
import type { AppsClient } from './client.ts';

/** An endpoint, and the client's method for it. */
export interface AppsEndpoint {
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly client: keyof AppsClient;
}

/** Source: Apple, Device Management, "App, book, and subscription management". */
export const appsEndpoints: readonly AppsEndpoint[] = [
  { title: 'Service Config', method: 'GET', path: '/mdm/v2/service/config', client: 'limits' },
  { title: 'Client Config (read)', method: 'GET', path: '/mdm/v2/client/config', client: 'clientConfig' },
  { title: 'Client Config', method: 'POST', path: '/mdm/v2/client/config', client: 'setClientConfig' },
  { title: 'Get Assets', method: 'GET', path: '/mdm/v2/assets', client: 'assets' },
  { title: 'Get Assignments', method: 'GET', path: '/mdm/v2/assignments', client: 'assignments' },
  { title: 'Get Users', method: 'GET', path: '/mdm/v2/users', client: 'users' },
  { title: 'Associate Assets', method: 'POST', path: '/mdm/v2/assets/associate', client: 'associate' },
  { title: 'Disassociate Assets', method: 'POST', path: '/mdm/v2/assets/disassociate', client: 'disassociate' },
  { title: 'Revoke Assets', method: 'POST', path: '/mdm/v2/assets/revoke', client: 'revoke' },
  { title: 'Create Users', method: 'POST', path: '/mdm/v2/users/create', client: 'createUsers' },
  { title: 'Update Users', method: 'POST', path: '/mdm/v2/users/update', client: 'updateUsers' },
  { title: 'Retire Users', method: 'POST', path: '/mdm/v2/users/retire', client: 'retireUsers' },
  { title: 'Event Status', method: 'GET', path: '/mdm/v2/status', client: 'event' },
  {
    title: 'Enable Subscriptions',
    method: 'POST',
    path: '/mdm/v2/subscriptions/enable',
    client: 'enableSubscriptions',
  },
  {
    title: 'Disable Subscriptions',
    method: 'POST',
    path: '/mdm/v2/subscriptions/disable',
    client: 'disableSubscriptions',
  },
  {
    title: 'Get Subscriptions',
    method: 'GET',
    path: '/mdm/v2/subscriptions',
    client: 'subscriptions',
  },
  {
    title: 'Get Subscription Assignments',
    method: 'GET',
    path: '/mdm/v2/subscriptions/assignments',
    client: 'subscriptionAssignments',
  },
  {
    title: 'Associate Subscriptions',
    method: 'POST',
    path: '/mdm/v2/subscriptions/associate',
    client: 'associateSubscriptions',
  },
  {
    title: 'Disassociate Subscriptions',
    method: 'POST',
    path: '/mdm/v2/subscriptions/disassociate',
    client: 'disassociateSubscriptions',
  },
  {
    title: 'Get Subscription Administrators',
    method: 'GET',
    path: '/mdm/v2/subscriptions/admins',
    client: 'subscriptionAdmins',
  },
  {
    title: 'Add Subscription Administrators',
    method: 'POST',
    path: '/mdm/v2/subscriptions/admins/add',
    client: 'addSubscriptionAdmins',
  },
  {
    title: 'Remove Subscription Administrators',
    method: 'POST',
    path: '/mdm/v2/subscriptions/admins/remove',
    client: 'removeSubscriptionAdmins',
  },
];
