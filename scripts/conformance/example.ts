// The least valid value of each thing of Apple's schema, made from the schema's own facts.
import type { SchemaItem, SchemaKey } from '@espalier/apple-mdm';

type Value = string | number | boolean | Date | Uint8Array | Value[] | { [key: string]: Value };

/** Whether values go as JSON, where dates and data are texts. */
export type Notation = 'plist' | 'json';

/** The identifier of the example of a declaration type: others name it by this. */
export function identifierOf(type: string): string {
  return type.replace(/^com\.apple\./, 'x.');
}

const texts: Readonly<Record<string, string>> = {
  url: 'https://example.com/a',
  email: 'ann@example.com',
  hostname: 'example.com',
};

function sampleOf(key: SchemaKey, notation: Notation): Value {
  const [asset] = key.assettypes ?? [];
  if (asset !== undefined && key.type === 'string') return identifierOf(asset);
  const [first] = key.rangelist ?? [];
  if (first !== undefined && key.type !== 'array' && key.type !== 'dictionary') return first;
  switch (key.type) {
    case 'boolean':
      return true;
    case 'integer':
    case 'real':
      return Math.max(key.range?.min ?? 1, key.type === 'real' ? 0.5 : 1);
    case 'date':
      return notation === 'json' ? '2026-01-01T00:00:00Z' : new Date(Date.UTC(2026, 0, 1));
    case 'data':
      return notation === 'json' ? 'AQI=' : new Uint8Array([1, 2]);
    case 'array': {
      const [item] = key.subkeys ?? [];
      return item === undefined ? [] : [sampleOf(item, notation)];
    }
    case 'dictionary':
      return dictionaryOf(key.subkeys ?? [], notation);
    default:
      return texts[key.valuetype ?? ''] ?? 'example';
  }
}

function dictionaryOf(keys: readonly SchemaKey[], notation: Notation): { [key: string]: Value } {
  const result: { [key: string]: Value } = {};
  for (const key of keys) {
    if (key.presence === 'required' && !/^ANY( |$)/.test(key.key) && key.until === undefined)
      result[key.key] = sampleOf(key, notation);
  }
  return result;
}

/** The same for declarations. */
const extraJson: Readonly<Record<string, { readonly [key: string]: Value }>> = {
  'com.apple.activation.simple': { StandardConfigurations: [identifierOf('com.apple.configuration.management.test')] },
  'com.apple.configuration.app.managed': { AppStoreID: '1' },
  'com.apple.configuration.extensible-sso': { Hosts: ['example.com'] },
  'com.apple.configuration.network.dns-settings': {
    DNSSettings: { DNSProtocol: 'HTTPS', ServerURL: 'https://example.com/dns-query' },
  },
  'com.apple.configuration.network.vpn.vpn-plugin': {
    Authentication: {
      Method: 'Password',
      CredentialsAssetReference: identifierOf('com.apple.asset.credential.userpassword'),
    },
  },
};

/** What combination rules ask for beyond the required keys, and values that a schema describes in words only. */
const extra: Readonly<Record<string, { readonly [key: string]: Value }>> = {
  ClearPasscode: { UnlockToken: new Uint8Array([1]) },
  DeleteUser: { UserName: 'ann@example.com' },
  EnableLostMode: { Message: 'Please call' },
  InstallApplication: { ManifestURL: 'https://example.com/app.plist' },
  InstallEnterpriseApplication: { ManifestURL: 'https://example.com/app.plist' },
  InviteToProgram: {},
  InstallMedia: { iTunesStoreID: 1 },
  RemoveMedia: { iTunesStoreID: '1' },
  RefreshCellularPlans: { eSIMServerURL: 'https://example.com/plans' },
  RequestMirroring: { DestinationName: 'TV' },
  RotateFileVaultKey: { FileVaultUnlock: { Password: 'secret' }, ReplyEncryptionCertificate: new Uint8Array([1]) },
  Settings: { Settings: [{ Item: 'Bluetooth', Enabled: true }] },
};

/** The least payload of an item. */
export function exampleOf(item: SchemaItem, notation: Notation = 'plist'): { [key: string]: Value } {
  return { ...dictionaryOf(item.keys, notation), ...(notation === 'json' ? extraJson : extra)[item.id] };
}

/** The least answer of a command or a check-in. */
export function replyOf(item: SchemaItem): { [key: string]: Value } {
  return dictionaryOf(item.replies ?? [], 'plist');
}

/** The least value of a status item. */
export function statusValueOf(item: SchemaItem): Value {
  const [key] = item.keys;
  return key === undefined ? true : sampleOf(key, 'json');
}
