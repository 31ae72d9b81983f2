// What becomes of the declarations on a device: valid or not, active or not, and why. Apple's rules: "Leveraging the
// declarative management data model to scale devices"; the reasons: the schema's declarationbase.yaml.
import { platformOf } from '../../catalogue.ts';
import type { DeviceState } from '../state.ts';
import { declarationTypes, isObject, isOfType, type Kind, typesOf } from './catalogue.ts';
import { type Answers, PredicateFault, predicateHolds, UnreadablePredicate } from './predicate.ts';
import type { HeldDeclaration, ReportedState } from './state.ts';

interface Verdict {
  active: boolean;
  valid: ReportedState['valid'];
  reasons: { code: string; description?: string; details?: object }[];
}

/** Judges all declarations. `failed`: configurations that could not be applied, with what the device said. */
export function evaluate(
  state: DeviceState,
  answers: Answers,
  failed: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, ReportedState & { readonly kind: Kind }> {
  const held = state.declarative?.declarations ?? [];
  const byId = new Map(held.map((one) => [one.identifier, one]));
  const verdicts = new Map(held.map((one) => [one.identifier, validity(state, one)]));
  const of = (identifier: string): Verdict => verdicts.get(identifier)!;
  const kind = (wanted: Kind): HeldDeclaration[] => held.filter((one) => one.kind === wanted);

  for (const configuration of kind('configuration')) {
    const missing = assetsOf(configuration.payload).filter((identifier) => byId.get(identifier)?.kind !== 'asset');
    if (missing.length > 0) {
      invalid(of(configuration.identifier), 'Error.MissingAssets', configuration, { AssetIdentifiers: missing });
    }
  }
  const named = new Set<string>();
  for (const activation of kind('activation')) {
    const verdict = of(activation.identifier);
    const wanted = configurationsOf(activation);
    for (const identifier of wanted) named.add(identifier);
    const missing = wanted.filter((identifier) => byId.get(identifier)?.kind !== 'configuration');
    if (verdict.valid === 'valid' && missing.length > 0) {
      invalid(verdict, 'Error.MissingConfigurations', activation, { ConfigurationIdentifiers: missing });
    }
    if (verdict.valid !== 'valid') continue;
    verdict.active = judgePredicate(activation, verdict, answers);
    if (!verdict.active) continue;
    for (const identifier of wanted) of(identifier).active = true;
  }
  const referenced = new Set<string>();
  const used = new Set<string>();
  for (const configuration of kind('configuration')) {
    const verdict = of(configuration.identifier);
    for (const asset of assetsOf(configuration.payload)) {
      referenced.add(asset);
      if (verdict.active && verdict.valid === 'valid') used.add(asset);
    }
    const problem = failed.get(configuration.identifier);
    if (verdict.active && verdict.valid === 'valid' && problem !== undefined) {
      verdict.valid = 'invalid';
      verdict.reasons.push({
        code: 'Error.ConfigurationCannotBeApplied',
        description: 'Configuration cannot be applied',
        details: { Error: problem },
      });
    }
    if (!named.has(configuration.identifier))
      verdict.reasons.push(reason('Info.NotReferencedByActivation', configuration));
  }
  for (const asset of kind('asset')) {
    const verdict = of(asset.identifier);
    verdict.active = verdict.valid === 'valid' && used.has(asset.identifier);
    if (!referenced.has(asset.identifier)) verdict.reasons.push(reason('Info.NotReferencedByConfiguration', asset));
  }
  return new Map(
    held.map((one) => {
      const { active, valid, reasons } = of(one.identifier);
      const shown = reasons.length === 0 ? {} : { reasons };
      const { identifier, serverToken, kind: itsKind } = one;
      return [identifier, { kind: itsKind, identifier, 'server-token': serverToken, active, valid, ...shown }];
    }),
  );
}

function reason(code: string, { identifier, serverToken }: HeldDeclaration, more: object = {}) {
  return { code, details: { Identifier: identifier, ServerToken: serverToken, ...more } };
}

function invalid(verdict: Verdict, code: string, declaration: HeldDeclaration, more: object = {}): void {
  verdict.valid = 'invalid';
  verdict.reasons.push(reason(code, declaration, more));
}

/** Type and payload by themselves. */
function validity(state: DeviceState, declaration: HeldDeclaration): Verdict {
  const verdict: Verdict = { active: false, valid: 'valid', reasons: [] };
  const type = declarationTypes().get(declaration.type);
  if (declaration.broken === true) {
    invalid(verdict, 'Error.InvalidPayload', declaration);
  } else if (type === undefined || !typesOf(platformOf(state.kind), state.osVersion).includes(type.name)) {
    const known = declaration.kind === 'configuration' ? 'Error.ConfigurationNotSupported' : 'Error.InvalidPayload';
    invalid(verdict, known, declaration);
  } else {
    const wrong = type.keys.filter(({ name, required, type: wanted }) => {
      const value = Object.hasOwn(declaration.payload, name) ? declaration.payload[name] : undefined;
      return value === undefined ? required : !isOfType(value, wanted);
    });
    const unknown = type.open
      ? []
      : Object.keys(declaration.payload).filter((name) => !type.keys.some((key) => key.name === name));
    if (wrong.length > 0) {
      const codes: { readonly [kind: string]: string } = {
        configuration: 'Error.ConfigurationCannotBeDeserialized',
        asset: 'Error.AssetCannotBeDeserialized',
      };
      const code = codes[declaration.kind] ?? 'Error.InvalidPayload';
      verdict.valid = 'invalid';
      verdict.reasons.push({
        code,
        details: { Error: `wrong or missing: ${wrong.map((key) => key.name).join(', ')}` },
      });
    }
    if (unknown.length > 0) {
      verdict.valid = 'invalid';
      verdict.reasons.push({ code: 'Error.UnknownPayloadKeys', details: { UnknownPayloadKeys: unknown } });
    }
  }
  return verdict;
}

/** Whether the predicate lets the activation be active; says why not. */
function judgePredicate(activation: HeldDeclaration, verdict: Verdict, answers: Answers): boolean {
  const predicate = activation.payload['Predicate'];
  if (typeof predicate !== 'string') return true;
  const more = { Predicate: predicate };
  try {
    if (predicateHolds(predicate, answers)) return true;
    verdict.reasons.push(reason('Info.Predicate', activation, more));
  } catch (error) {
    if (error instanceof UnreadablePredicate) invalid(verdict, 'Error.UnableToParsePredicate', activation, more);
    else if (error instanceof PredicateFault) invalid(verdict, 'Error.UnableToEvaluatePredicate', activation, more);
    else throw error;
  }
  return false;
}

/** What an activation names. */
function configurationsOf(activation: HeldDeclaration): readonly string[] {
  const list = activation.payload['StandardConfigurations'];
  return Array.isArray(list) ? list.filter((one): one is string => typeof one === 'string') : [];
}

/** What a configuration names: every key that is called an asset reference. */
function assetsOf(payload: unknown): readonly string[] {
  if (Array.isArray(payload)) return payload.flatMap(assetsOf);
  if (!isObject(payload)) return [];
  return Object.entries(payload).flatMap(([name, value]) => {
    if (!/AssetReferences?$/.test(name)) return assetsOf(value);
    return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string');
  });
}
