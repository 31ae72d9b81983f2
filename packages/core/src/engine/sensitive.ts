// Which commands and responses are stored in the clear: only those that are known to hold no secret.
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';

/** Commands whose bodies hold nothing secret; every other body is sealed. */
const plainCommands = new Set([
  'AvailableOSUpdates',
  'CertificateList',
  'DeclarativeManagement',
  'DeviceInformation',
  'DeviceLocation',
  'InstalledApplicationList',
  'ManagedApplicationList',
  'OSUpdateStatus',
  'ProfileList',
  'ProvisioningProfileList',
  'RemoveApplication',
  'RemoveProfile',
  'RestartDevice',
  'Restrictions',
  'SecurityInfo',
  'ShutDownDevice',
  'UserList',
]);

/** Top-level keys of responses that hold nothing secret; a response with any other key is sealed. */
const plainKeys = new Set([
  'CertificateList',
  'CommandUUID',
  'EnrollmentID',
  'EnrollmentUserID',
  'ErrorChain',
  'InstalledApplicationList',
  'NotOnConsole',
  'ProfileList',
  'QueryResponses',
  'RequestType',
  'Status',
  'UDID',
  'UserID',
  'UserLongName',
  'UserShortName',
]);

/** Whether a command's body is to be sealed. */
export function isSecretCommand(requestType: string): boolean {
  return !plainCommands.has(requestType);
}

/** Whether a response is to be sealed. */
export function isSecretResponse(value: PlistDict): boolean {
  return Object.keys(value).some((key) => !plainKeys.has(key));
}

/**
 * A device's response without anything that may be secret (recovery keys, tokens, escrowed values), for those who are told
 * of it outside: the same bytes where there is nothing to leave out, else a property list of the harmless keys.
 */
export function withoutSecrets(response: Uint8Array): Uint8Array {
  const value = decodeDict(response);
  if (!isSecretResponse(value)) return response;
  return encodeXml(Object.fromEntries(Object.entries(value).filter(([key]) => plainKeys.has(key))));
}
