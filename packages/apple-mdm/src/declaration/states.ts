// What a status report tells of the declarations on the device, and of what the device can take.
import { optional } from '../optional.ts';
import { isObject, type JsonObject } from './json.ts';
import { type DeclarationKind, declarationKinds } from './kinds.ts';

/** Why a declaration is as it is. Codes: Apple's DeclarationBase (`Error.MissingAssets`, `Info.Predicate` …). */
export interface DeclarationReason {
  readonly code: string;
  readonly description?: string;
  readonly details?: JsonObject;
}

/** How one declaration stands on a device. */
export interface DeclarationState {
  readonly kind: DeclarationKind;
  readonly identifier: string;
  /** The revision that the device has. */
  readonly serverToken: string;
  /** Whether the device applies it. Management declarations are never active. */
  readonly active: boolean;
  readonly valid: 'valid' | 'invalid' | 'unknown';
  readonly reasons: readonly DeclarationReason[];
}

/** What a report tells of declarations. */
export interface DeclarationStates {
  readonly states: readonly DeclarationState[];
  /** Identifiers that the device said it has removed. */
  readonly removed: readonly string[];
}

const lists: Readonly<Record<DeclarationKind, string>> = {
  activation: 'activations',
  asset: 'assets',
  configuration: 'configurations',
  management: 'management',
};

const own = (value: JsonObject, key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/**
 * The states of declarations in a status report (`management.declarations`); `null` when the report has none. An entry
 * that is malformed is left out, since the rest of the report counts all the same.
 *
 * @param items `readStatusReport(…).items`
 */
export function declarationStates(items: ReadonlyMap<string, unknown>): DeclarationStates | null {
  const value = items.get('management.declarations');
  if (!isObject(value)) return null;
  const states: DeclarationState[] = [];
  const removed: string[] = [];
  for (const kind of declarationKinds) {
    const list = own(value, lists[kind]);
    for (const item of Array.isArray(list) ? (list as readonly unknown[]) : []) {
      if (!isObject(item)) continue;
      const identifier = textOf(own(item, 'identifier'));
      if (identifier === undefined) continue;
      if (own(item, '_removed') === true) {
        removed.push(identifier);
        continue;
      }
      const valid = own(item, 'valid');
      states.push({
        kind,
        identifier,
        serverToken: textOf(own(item, 'server-token')) ?? '',
        active: own(item, 'active') === true,
        valid: valid === 'valid' || valid === 'invalid' ? valid : 'unknown',
        reasons: reasonsOf(own(item, 'reasons')),
      });
    }
  }
  return { states, removed };
}

function reasonsOf(value: unknown): readonly DeclarationReason[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((reason: unknown): DeclarationReason[] => {
    const code = isObject(reason) ? textOf(own(reason, 'code')) : undefined;
    if (!isObject(reason) || code === undefined) return [];
    const details = own(reason, 'details');
    return [
      {
        code,
        ...optional('description', textOf(own(reason, 'description'))),
        ...optional('details', isObject(details) ? details : undefined),
      },
    ];
  });
}

/** What a device said that it can take (`management.client-capabilities`). */
export interface ClientCapabilities {
  readonly versions: readonly string[];
  /** Declaration types. */
  readonly declarations: readonly string[];
  readonly statusItems: readonly string[];
  /** Names of optional features. */
  readonly features: readonly string[];
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

/** The device's capabilities in a status report; `null` when the report has none. */
export function clientCapabilities(items: ReadonlyMap<string, unknown>): ClientCapabilities | null {
  const value = items.get('management.client-capabilities');
  if (!isObject(value)) return null;
  const payloads = own(value, 'supported-payloads');
  if (!isObject(payloads)) return null;
  const declarations = own(payloads, 'declarations');
  const features = own(value, 'supported-features');
  return {
    versions: textsOf(own(value, 'supported-versions')),
    declarations: isObject(declarations) ? Object.values(declarations).flatMap(textsOf) : [],
    statusItems: textsOf(own(payloads, 'status-items')),
    features: isObject(features) ? Object.keys(features) : [],
  };
}
