// Values of the variables in certificate templates, as far as the server knows the device and its user.
import type { DeviceRow, Facts } from '@espalier/core';
import type { AppleAttestedProperties, VariableValues } from '@espalier/pki';

/** Facts behind variables, the first that has a value. */
const facts: Readonly<Record<string, readonly string[]>> = {
  DEVICE_SN: ['common.serial_number'],
  DEVICE_UDID: ['ios.UDID'],
  DEVICE_UUID: ['common.uuid'],
  DEVICE_IMEI: ['common.imei'],
  DEVICE_IMSI: ['common.imsi'],
  DEVICE_MAC: ['common.wifi_mac_address', 'common.ethernet_mac'],
  EMAIL: ['user.email_address'],
  USERID: ['user.user_id'],
  FIRST_NAME: ['user.first_name'],
  LAST_NAME: ['user.last_name'],
  DISPLAY_NAME: ['user.display_name'],
  USER_DN: ['user.ldap.dn'],
  USER_UPN: ['user.ldap.upn'],
  USER_LOCALE: ['user.ldap.locale'],
  USER_CUSTOM1: ['user.ldap.user_attributes.custom1'],
  USER_CUSTOM2: ['user.ldap.user_attributes.custom2'],
  USER_CUSTOM3: ['user.ldap.user_attributes.custom3'],
  USER_CUSTOM4: ['user.ldap.user_attributes.custom4'],
};

const textOf = (known: Facts, tokens: readonly string[]): string | undefined => {
  for (const token of tokens) {
    const value = known[token];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
};

/**
 * The values of variables for a device: what Apple attested outweighs what the device said. Of the user, what the device's facts
 * have; a security identifier (`USER_SID`) and a realm are in no fact.
 */
export function variablesOf(device: DeviceRow | null, attested: AppleAttestedProperties | null = null): VariableValues {
  const values: Record<string, string | undefined> = {};
  if (device !== null) {
    const { enrolment } = device;
    for (const [name, tokens] of Object.entries(facts)) values[name] = textOf(device.facts, tokens);
    values['DEVICE_ID'] = enrolment.id;
    values['DEVICE_CLIENT_ID'] = enrolment.id;
    values['DEVICE_UDID'] = enrolment.udid ?? values['DEVICE_UDID'];
    values['DEVICE_SN'] = enrolment.serialNumber ?? values['DEVICE_SN'];
  }
  if (attested?.serialNumber !== undefined) values['DEVICE_SN'] = attested.serialNumber;
  if (attested?.udid !== undefined) values['DEVICE_UDID'] = attested.udid;
  values['DEVICE_UUID_NO_DASHES'] = values['DEVICE_UUID']?.replaceAll('-', '');
  return values;
}
