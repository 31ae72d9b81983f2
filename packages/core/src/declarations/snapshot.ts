// What one channel is to have: its sets' declarations, what they name, and what the engine adds.
import {
  type ClientCapabilities,
  type DeclarationItem,
  declarationKind,
  declarationReferences,
  declarationsToken,
  rawDeclaration,
  type Target,
  takesDeclaration,
  takesStatusItem,
} from '@espalier/apple-mdm';
import type { StoredDeclaration } from '../api/declarations.ts';

/** Identifiers that begin so are the engine's own. */
export const RESERVED = 'espalier.';
/** The subscription to status items. */
export const SUBSCRIPTIONS = `${RESERVED}status-subscriptions`;
/** The activation of all configurations that no other activation names. */
export const ACTIVATION = `${RESERVED}activation`;

/** One declaration of a snapshot; those that the engine made itself have their payload with them. */
export interface SnapshotItem extends DeclarationItem {
  readonly type: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** The device as far as it decides what it gets. */
export interface SnapshotDevice {
  readonly target: Target | null;
  readonly capabilities: ClientCapabilities | null;
}

const subscriptionType = 'com.apple.configuration.management.status-subscriptions';
const activationType = 'com.apple.activation.simple';

/**
 * Composes a snapshot. Types that the device does not take are left out. Without any declaration there is nothing to be
 * added either: such a device is to have none at all.
 */
export function composeSnapshot(
  declarations: readonly StoredDeclaration[],
  device: SnapshotDevice,
  statusItems: readonly string[],
): readonly SnapshotItem[] {
  if (declarations.length === 0) return [];
  const items: SnapshotItem[] = [];
  const activated = new Set<string>();
  for (const { identifier, type, kind, serverToken, payload } of declarations) {
    if (!takesDeclaration(type, device)) continue;
    items.push({ kind, identifier, type, serverToken });
    if (kind !== 'activation') continue;
    for (const reference of declarationReferences(type, payload)) activated.add(reference.identifier);
  }
  const names = statusItems.filter((name) => takesStatusItem(name, device));
  if (names.length > 0 && takesDeclaration(subscriptionType, device)) {
    const StatusItems = names.toSorted().map((Name) => ({ Name }));
    items.push(made('configuration', SUBSCRIPTIONS, subscriptionType, { StatusItems }));
  }
  const left = items.filter((item) => item.kind === 'configuration' && !activated.has(item.identifier));
  if (left.length > 0 && takesDeclaration(activationType, device)) {
    const StandardConfigurations = left.map((item) => item.identifier).sort();
    items.push(made('activation', ACTIVATION, activationType, { StandardConfigurations }));
  }
  return items;
}

function made(
  kind: DeclarationItem['kind'],
  identifier: string,
  type: string,
  payload: Parameters<typeof rawDeclaration>[2],
): SnapshotItem {
  return { kind, identifier, type, serverToken: rawDeclaration(type, identifier, payload).serverToken, payload };
}

/** The token of a channel that has nothing. */
export const EMPTY_TOKEN: string = declarationsToken([]);

/**
 * Declarations by identifier, with all that they name, as far as it exists. `load` is asked for what is not known yet.
 */
export async function withReferences(
  identifiers: readonly string[],
  known: Map<string, StoredDeclaration | null>,
  load: (identifiers: readonly string[]) => Promise<readonly StoredDeclaration[]>,
): Promise<readonly StoredDeclaration[]> {
  const found = new Map<string, StoredDeclaration>();
  let wanted = [...new Set(identifiers)];
  while (wanted.length > 0) {
    const missing = wanted.filter((identifier) => !known.has(identifier));
    if (missing.length > 0) {
      for (const identifier of missing) known.set(identifier, null);
      for (const declaration of await load(missing)) known.set(declaration.identifier, declaration);
    }
    const next = new Set<string>();
    for (const identifier of wanted) {
      const declaration = known.get(identifier) ?? null;
      if (declaration === null || found.has(identifier)) continue;
      found.set(identifier, declaration);
      for (const reference of declarationReferences(declaration.type, declaration.payload)) {
        if (!found.has(reference.identifier)) next.add(reference.identifier);
      }
    }
    wanted = [...next];
  }
  return [...found.values()].sort((a, b) => (a.identifier < b.identifier ? -1 : 1));
}

/** The JSON of one declaration as the device gets it. */
export function declarationBytes(declaration: {
  readonly type: string;
  readonly identifier: string;
  readonly serverToken: string;
  readonly payload: Readonly<Record<string, unknown>>;
}): Uint8Array {
  const { type, identifier, payload, serverToken } = declaration;
  // Payloads came out of JSON, so that they can go back into it.
  return rawDeclaration(type, identifier, payload as Parameters<typeof rawDeclaration>[2], { serverToken }).bytes;
}

/** Whether a declaration is asked for under the kind that it is of. */
export function isOfKind(type: string, kind: string): boolean {
  return declarationKind(type) === kind;
}
