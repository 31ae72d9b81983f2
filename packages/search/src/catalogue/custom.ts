// Fields that come into being at run time: custom attributes of devices and users, further LDAP attributes.
import type { Field, FieldType } from '../field.ts';

/** A custom attribute as an administrator declares it. */
export interface CustomAttribute {
  /** The name: letters, digits, spaces, `-` and `_`. */
  readonly name: string;
  readonly type: 'str' | 'int' | 'bool' | 'ts' | 'ver';
  readonly displayName?: string;
  readonly multi?: boolean;
}

function field(
  token: string,
  alias: string | undefined,
  category: string,
  path: string[],
  from: 'Server' | 'Directory',
  attribute: { name: string; displayName?: string; type: FieldType; multi?: boolean },
): Field {
  return {
    token,
    displayName: attribute.displayName ?? attribute.name,
    path,
    category,
    type: attribute.type,
    ...(attribute.multi === true ? { multi: true } : {}),
    platforms: [],
    vendor: 'server',
    sources: [from === 'Directory' ? { from, key: attribute.name } : { from, note: 'custom attribute' }],
    ...(alias === undefined ? {} : { aliases: [alias] }),
  };
}

/** The field `device.custom.<name>` (also readable as `custom_device.<name>`) of a custom device attribute. */
export function deviceAttribute(attribute: CustomAttribute): Field {
  const { name } = attribute;
  const path = ['Custom Attributes', 'Device Attributes'];
  return field(`device.custom.${name}`, `custom_device.${name}`, 'custom device', path, 'Server', attribute);
}

/** The field `user.custom.<name>` (also readable as `custom_user.<name>`) of a custom user attribute. */
export function userAttribute(attribute: CustomAttribute): Field {
  const { name } = attribute;
  const path = ['Custom Attributes', 'User Attributes'];
  return field(`user.custom.${name}`, `custom_user.${name}`, 'custom user', path, 'Server', attribute);
}

/** The field `user.ldap.user_attributes.<name>` of a further directory attribute. */
export function ldapAttribute(name: string, options: { displayName?: string; multi?: boolean } = {}): Field {
  const attribute = { name, type: 'str' as const, ...options };
  return field(
    `user.ldap.user_attributes.${name}`,
    undefined,
    'user',
    ['LDAP', 'User Attributes'],
    'Directory',
    attribute,
  );
}
