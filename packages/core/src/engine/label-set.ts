// All labels with an expression, compiled, with what each reads and refers to, in the order of their dependencies.
import { comparisonsOf } from '@espalier/search';
import type { Facts } from '../api/common.ts';
import type { LabelDefinition } from '../contracts/labels.ts';
import { CONTACT_TOKENS, LABEL_TOKEN } from './facts.ts';
import { type NamedLabel, referencesOf } from './label-references.ts';
import type { Matcher, Matching } from './matching.ts';
import type { Logger } from './options.ts';

/** A label with an expression, ready to be evaluated. */
export interface CompiledLabel extends NamedLabel {
  readonly expression: string;
  readonly matching: Matching;
  /** Ids of the labels that its expression names. */
  readonly references: ReadonlySet<string>;
  /** Whether a contact of the device changes the result, all else being as it is. */
  changesOnContact(facts: Facts, now: number, result: boolean): boolean;
}

/** The labels of one version of the definitions. */
export interface LabelSet {
  readonly version: number;
  /** Those with an expression, each after all that it refers to. One that cannot be compiled is not here. */
  readonly order: readonly CompiledLabel[];
  readonly names: ReadonlyMap<string, string>;
  /** Labels by the tokens that they read. */
  readonly readers: ReadonlyMap<string, readonly CompiledLabel[]>;
  /** Labels by the ids of those that they refer to. */
  readonly dependants: ReadonlyMap<string, readonly CompiledLabel[]>;
  /** Those whose result can change with time or contact. */
  readonly timed: readonly CompiledLabel[];
}

/** Compiles all labels. A label whose expression is at fault is left out and keeps its members; the fault is logged. */
export function labelSet(
  version: number,
  definitions: readonly LabelDefinition[],
  matcher: Matcher,
  logger: Logger,
): LabelSet {
  const compiled = definitions.flatMap((definition) => {
    if (definition.expression === null) return [];
    try {
      return [compileLabel({ ...definition, expression: definition.expression }, definitions, matcher)];
    } catch (error) {
      logger.error({ error, labelId: definition.id }, 'the expression of a label cannot be evaluated');
      return [];
    }
  });
  const { order, cyclic } = ordered(compiled);
  for (const { id } of cyclic) logger.error({ labelId: id }, 'a label refers to itself through others');
  const readers = new Map<string, CompiledLabel[]>();
  const dependants = new Map<string, CompiledLabel[]>();
  for (const label of order) {
    for (const token of label.matching.tokens) put(readers, token, label);
    for (const id of label.references) put(dependants, id, label);
  }
  return {
    version,
    order,
    names: new Map(definitions.map(({ id, name }) => [id, name])),
    readers,
    dependants,
    timed: order.filter(({ matching }) => matching.timeDependent || readsContact(matching)),
  };
}

/** Compiles one label. @throws as {@link Matcher.advanced} and {@link referencesOf} */
export function compileLabel(
  { id, name, expression }: NamedLabel & { readonly expression: string },
  labels: readonly NamedLabel[],
  matcher: Matcher,
): CompiledLabel {
  const matching = matcher.advanced(expression);
  const references = matching.tokens.has(LABEL_TOKEN)
    ? referencesOf(matching.expression, labels, matcher.catalogue)
    : new Set<string>();
  return { id, name, expression, matching, references, changesOnContact: contactTest(matching, matcher) };
}

/** The labels that lead from one back to itself, by the references of each; `null` when none do. */
export function cycleFrom(
  start: string,
  referencesOfLabel: (id: string) => Iterable<string>,
): readonly string[] | null {
  const seen = new Set<string>();
  const path: string[] = [];
  const walk = (id: string): boolean => {
    path.push(id);
    for (const next of referencesOfLabel(id)) {
      if (next === start) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      if (walk(next)) return true;
    }
    path.pop();
    return false;
  };
  return walk(start) ? [...path, start] : null;
}

/** Each label after those that it refers to; what is in, or behind, a cycle is left over. */
function ordered(labels: readonly CompiledLabel[]): { order: CompiledLabel[]; cyclic: CompiledLabel[] } {
  const dynamic = new Set(labels.map(({ id }) => id));
  const done = new Set<string>();
  const order: CompiledLabel[] = [];
  let left = [...labels];
  for (;;) {
    const ready = left.filter(({ references }) => [...references].every((id) => done.has(id) || !dynamic.has(id)));
    if (ready.length === 0) return { order, cyclic: left };
    order.push(...ready);
    for (const { id } of ready) done.add(id);
    left = left.filter(({ id }) => !done.has(id));
  }
}

function put<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

const readsContact = ({ tokens }: Matching): boolean => CONTACT_TOKENS.some((token) => tokens.has(token));

/**
 * A contact only moves the time of the last contact to now. Comparisons with a length of time can be tried out; one with
 * a fixed date turns at a contact that nobody can tell yet, so each contact counts.
 */
function contactTest(matching: Matching, { catalogue }: Matcher): CompiledLabel['changesOnContact'] {
  if (!readsContact(matching)) return () => false;
  const fixed = [...comparisonsOf(matching.expression)].some(
    ({ field, operator }) =>
      CONTACT_TOKENS.includes(catalogue.get(field)?.token ?? '') && !operator.endsWith('within the last'),
  );
  if (fixed) return () => true;
  return (facts, now, result) => {
    const then: Record<string, Facts[string]> = { ...facts };
    for (const token of CONTACT_TOKENS) then[token] = now;
    return matching.matches(then, now) !== result;
  };
}
