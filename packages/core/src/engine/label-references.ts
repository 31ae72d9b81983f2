// Labels in expressions: which ones an expression names, and the same expression by their ids.
import {
  type Catalogue,
  type Comparison,
  type Condition,
  compare,
  comparisonsOf,
  compile,
  type Expression,
  mapComparisons,
  not,
  operatorInfo,
  or,
} from '@espalier/search';
import { LABEL_ID_TOKEN } from '../contracts/search.ts';
import { CoreError } from '../errors.ts';
import { LABEL_TOKEN } from './facts.ts';

/** Matches no device: an OR of nothing. */
export const NOTHING: Condition = { kind: 'or', items: [] };

/** What is needed of a label to find it by name. */
export interface NamedLabel {
  readonly id: string;
  readonly name: string;
}

/** The catalogue with the field that compiled searches read the ids of labels under. */
export function withLabelIds(catalogue: Catalogue): Catalogue {
  return catalogue.extend([
    {
      token: LABEL_ID_TOKEN,
      displayName: 'Label ID',
      category: 'label',
      type: 'str',
      multi: true,
      platforms: [],
      vendor: 'server',
      sources: [{ from: 'Server' }],
    },
  ]);
}

const isReference = (comparison: Comparison, catalogue: Catalogue): boolean =>
  catalogue.get(comparison.field)?.token === LABEL_TOKEN;

/** The comparison with the positive form of its operator. */
function positive(comparison: Comparison): { readonly form: Comparison; readonly negated: boolean } {
  const { negates } = operatorInfo(comparison.operator);
  if (negates === undefined) return { form: comparison, negated: false };
  return { form: { ...comparison, operator: negates } as Comparison, negated: true };
}

/**
 * The ids of the labels that a label's expression names.
 * @throws CoreError `core.label.unknown_reference`, `core.label.open_reference` (any operator but equality with a name:
 *   which labels it means would change with every new label)
 */
export function referencesOf(
  expression: Expression,
  labels: readonly NamedLabel[],
  catalogue: Catalogue,
): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const comparison of comparisonsOf(expression)) {
    if (!isReference(comparison, catalogue)) continue;
    const { form } = positive(comparison);
    const names = form.operator === '=' ? [form.value] : form.operator === 'in' ? form.value : [];
    if (names.length === 0 || names.some((name) => String(name) === '')) {
      throw new CoreError('core.label.open_reference', 'invalid', 'a label refers to other labels by name only', {
        remedy: `write "${LABEL_TOKEN}" = "name", !=, in (…) or not in (…)`,
      });
    }
    for (const name of names) {
      const matches = compile(compare(LABEL_TOKEN, '=', name), { catalogue });
      const found = labels.filter((label) => matches({ [LABEL_TOKEN]: [label.name] }, 0));
      if (found.length === 0) {
        const message = `the expression refers to a label ${JSON.stringify(name)}, which there is not`;
        throw new CoreError('core.label.unknown_reference', 'invalid', message, { remedy: 'create that label first' });
      }
      for (const { id } of found) ids.add(id);
    }
  }
  return ids;
}

/** The same expression with label ids in place of names, for a store to run. */
export function byLabelIds(expression: Expression, labels: readonly NamedLabel[], catalogue: Catalogue): Expression {
  return mapComparisons(expression, (comparison): Condition => {
    if (!isReference(comparison, catalogue)) return comparison;
    const { form, negated } = positive(comparison);
    const matches = compile(form, { catalogue });
    const ids = labels.filter(({ name }) => matches({ [LABEL_TOKEN]: [name] }, 0)).map(({ id }) => id);
    const none = compare(LABEL_ID_TOKEN, 'is null');
    const some: Condition = ids.length === 0 ? NOTHING : compare(LABEL_ID_TOKEN, 'in', ids);
    const condition = matches({}, 0) ? (or(some, none) as Condition) : some;
    return negated ? not(condition) : condition;
  });
}
