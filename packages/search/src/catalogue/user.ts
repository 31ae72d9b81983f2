// The 24 fields of a device's user. A device without a user has none of them.
import { define } from './define.ts';

const ldap = ['LDAP'];
const control = ['LDAP', 'User Account Control'];
const attributes = ['LDAP', 'User Attributes'];

/** Fields of the category `user`. */
export const USER_FIELDS = /* @__PURE__ */ define('user', [
  ['display_name', 'Display Name', 'str', 'DR.displayName'],
  ['email_address', 'Email Address', 'str', 'DR.mail'],
  ['first_name', 'First Name', 'str', 'DR.givenName'],
  ['last_admin_portal_login_time', 'Last Admin Portal Login Time', 'ts', 'SV (sign-in to the console)'],
  ['last_name', 'Last Name', 'str', 'DR.sn'],
  [
    'ldap.attr_dn',
    'Attribute Distinguished Name',
    'str',
    'DR.distinguishedName',
    { path: ldap, aliases: ['user.attr_dn'] },
  ],
  ['ldap.groups.dn', 'LDAP Group Distinguished Name', 'str[]', 'DR (groups of the user)', { path: ['LDAP', 'Groups'] }],
  ['ldap.groups.name', 'Name', 'str[]', 'DR (groups of the user)', { path: ['LDAP', 'Groups'] }],
  ['ldap.dn', 'LDAP User Distinguished Name', 'str', 'DR.distinguishedName', { path: ldap, aliases: ['user.dn'] }],
  ['ldap.locale', 'LDAP User Locale', 'str', 'DR.preferredLanguage', { path: ldap, aliases: ['user.locale'] }],
  [
    'ldap.ou.dn',
    'LDAP Organizational Units Distinguished Name',
    'str[]',
    'DR (units above the user)',
    { path: ['LDAP', 'Organizational Units'] },
  ],
  [
    'ldap.principal',
    'Principal',
    'str',
    'DR (the attribute configured as User ID)',
    { path: ldap, aliases: ['user.principal'] },
  ],
  ['ldap.upn', 'upn', 'str', 'DR.userPrincipalName', { path: ldap, aliases: ['user.upn'] }],
  [
    'ldap.user_account_control.account-disabled',
    'Account Disabled',
    'bool',
    'DR.userAccountControl (bit 0x2)',
    { path: control, aliases: ['user.account_disabled'] },
  ],
  [
    'ldap.user_account_control.locked_out',
    'Locked Out',
    'bool',
    'DR.lockoutTime (not 0)',
    { path: control, aliases: ['user.locked_out'] },
  ],
  [
    'ldap.user_account_control.password_expired',
    'Password Expired',
    'bool',
    'DR.msDS-User-Account-Control-Computed (bit 0x800000)',
    { path: control, aliases: ['user.password_expired'] },
  ],
  [
    'ldap.user_attributes.custom1',
    'custom1',
    'str',
    'DR (the attribute configured)',
    { path: attributes, aliases: ['user.custom1'] },
  ],
  [
    'ldap.user_attributes.custom2',
    'custom2',
    'str',
    'DR (the attribute configured)',
    { path: attributes, aliases: ['user.custom2'] },
  ],
  [
    'ldap.user_attributes.custom3',
    'custom3',
    'str',
    'DR (the attribute configured)',
    { path: attributes, aliases: ['user.custom3'] },
  ],
  [
    'ldap.user_attributes.custom4',
    'custom4',
    'str',
    'DR (the attribute configured)',
    { path: attributes, aliases: ['user.custom4'] },
  ],
  ['ldap.user_attributes.memberOf', 'memberOf', 'str[]', 'DR.memberOf', { path: attributes }],
  ['sam_account_name', 'SAM Account Name', 'str', 'DR.sAMAccountName'],
  ['user_id', 'User ID', 'str', 'DR (the attribute configured as User ID) | RG'],
  ['uuid', 'User UUID', 'str', 'SV (user record)'],
]);
