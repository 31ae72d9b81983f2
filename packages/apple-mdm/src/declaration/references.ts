// References between declarations: what an activation or a configuration names, and whether it is there and fits.
import { schema } from '../schema/catalogue.ts';
import type { SchemaKey } from '../schema/model.ts';
import { isWildcard } from '../schema/support.ts';
import { isObject, type JsonObject } from './json.ts';
import { type DeclarationKind, declarationKind } from './kinds.ts';

/** One declaration that another one names. */
export interface DeclarationReference {
  /** Where it is named, as `/Payload/StandardConfigurations/0`. */
  readonly path: string;
  /** The `Identifier` that is named. */
  readonly identifier: string;
  readonly kind: DeclarationKind;
  /** The types that fit there; any type of the kind when absent. */
  readonly types?: readonly string[];
}

const activationPrefix = 'com.apple.activation.';

/**
 * What a declaration names: an activation its configurations, a configuration its assets (the keys that Apple's schema
 * marks with asset types). Types that the schema does not know name nothing.
 *
 * @param payload `Payload` as decoded from JSON.
 * @example
 * declarationReferences('com.apple.activation.simple', { StandardConfigurations: ['a'] });
 * // [{ path: '/Payload/StandardConfigurations/0', identifier: 'a', kind: 'configuration' }]
 */
export function declarationReferences(type: string, payload: JsonObject): readonly DeclarationReference[] {
  const found: DeclarationReference[] = [];
  if (type.startsWith(activationPrefix)) {
    addEach(found, '/Payload/StandardConfigurations', payload['StandardConfigurations'], { kind: 'configuration' });
  }
  const item = schema.declaration(type);
  if (item !== undefined) walkDictionary(found, item.keys, payload, '/Payload');
  return found;
}

function walkDictionary(
  found: DeclarationReference[],
  keys: readonly SchemaKey[],
  value: JsonObject,
  path: string,
): void {
  const named = new Map(keys.map((key) => [key.key, key]));
  const wildcard = keys.find(isWildcard);
  for (const [name, child] of Object.entries(value)) {
    const key = named.get(name) ?? wildcard;
    if (key !== undefined) walkValue(found, key, child, `${path}/${name}`);
  }
}

function walkValue(found: DeclarationReference[], key: SchemaKey, value: unknown, path: string): void {
  if (key.assettypes !== undefined) {
    addEach(found, path, value, { kind: 'asset', types: key.assettypes });
  } else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      for (const inner of key.subkeys ?? []) walkValue(found, inner, item, `${path}/${index}`);
    });
  } else if (isObject(value)) {
    walkDictionary(found, key.subkeys ?? [], value, path);
  }
}

function addEach(
  found: DeclarationReference[],
  path: string,
  value: unknown,
  what: Pick<DeclarationReference, 'kind' | 'types'>,
): void {
  if (typeof value === 'string') found.push({ path, identifier: value, ...what });
  else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      if (typeof item === 'string') found.push({ path: `${path}/${index}`, identifier: item, ...what });
    });
  }
}

/** What is wrong between declarations that go to one device together. */
export interface DeclarationProblem {
  /** The declaration that is concerned. */
  readonly identifier: string;
  readonly path: string;
  /**
   * - `duplicate`: two declarations have this identifier.
   * - `missing`: what it names is not among the declarations; the device will not apply it.
   * - `wrong-type`: what it names is there, but is of another kind or type.
   * - `not-referenced`: nothing names it, so that it has no effect (a configuration without activation, an asset
   *   without configuration).
   */
  readonly code: 'duplicate' | 'missing' | 'wrong-type' | 'not-referenced';
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/**
 * Checks the references within a set of declarations, as a device does when it applies them.
 *
 * @example
 * checkReferences([readDeclaration(activation), readDeclaration(configuration)]);
 */
export function checkReferences(
  declarations: readonly { readonly type: string; readonly identifier: string; readonly payload: JsonObject }[],
): readonly DeclarationProblem[] {
  const problems: DeclarationProblem[] = [];
  const types = new Map<string, string>();
  for (const { identifier, type } of declarations) {
    if (types.has(identifier)) {
      const message = `two declarations are called ${identifier}`;
      problems.push({ identifier, path: '/Identifier', code: 'duplicate', severity: 'error', message });
    }
    types.set(identifier, type);
  }
  const named = new Set<string>();
  for (const { identifier, type, payload } of declarations) {
    for (const reference of declarationReferences(type, payload)) {
      named.add(reference.identifier);
      const found = types.get(reference.identifier);
      const wanted = reference.types?.join(' or ') ?? `a ${reference.kind}`;
      const at = { identifier, path: reference.path, severity: 'error' } as const;
      if (found === undefined) {
        problems.push({ ...at, code: 'missing', message: `there is no ${reference.kind} ${reference.identifier}` });
      } else if (
        declarationKind(found) !== reference.kind ||
        (reference.types !== undefined && !reference.types.includes(found))
      ) {
        const message = `${reference.identifier} is a ${found}, not ${wanted}`;
        problems.push({ ...at, code: 'wrong-type', message });
      }
    }
  }
  for (const { identifier, type } of declarations) {
    const kind = declarationKind(type);
    if (named.has(identifier) || (kind !== 'configuration' && kind !== 'asset')) continue;
    const message = `no ${kind === 'asset' ? 'configuration' : 'activation'} names it`;
    problems.push({ identifier, path: '/Identifier', code: 'not-referenced', severity: 'warning', message });
  }
  return problems;
}
