// TypeScript names for the schema's items: readable, unique and the same on every run.
import type { Item } from './model.ts';

/** `com.apple.wifi.managed` -> `WifiManaged`; words keep the capitals that they have. */
export function pascal(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

const suffix: Record<Item['kind'], string> = {
  command: 'Command',
  checkin: 'Message',
  profile: 'Payload',
  declaration: '',
  credential: '',
  protocol: '',
  status: 'Status',
  error: 'Error',
  other: '',
};

/** The interface name of one item (its request or payload side). */
export function interfaceName(item: Item): string {
  if (item.id === 'CommonPayloadKeys' || item.file.endsWith('/CommonPayloadKeys.yaml')) return 'CommonPayloadKeys';
  if (item.file.endsWith('/TopLevel.yaml')) return 'TopLevelKeys';
  if (item.file.endsWith('/declarationbase.yaml')) return 'DeclarationBase';
  if (item.id === 'status-reason') return 'StatusReason';
  const id = item.id.replace(/^\.?com\.apple\./, '');
  const base = item.variant === undefined ? pascal(id) : `${pascal(id)}_${pascal(item.variant)}`;
  return base.endsWith(suffix[item.kind]) && item.kind !== 'profile' ? base : base + suffix[item.kind];
}
