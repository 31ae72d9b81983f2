// Who has which text in a fact: an index for each token that was asked for, kept up from then on.
import { fold } from '@espalier/search';
import type { FactValue } from '../api/common.ts';
import type { EnrolmentRow } from './state.ts';

/** The index over device channels. */
export interface FactHolders {
  of(token: string, text: string): Iterable<string>;
  /** A fact of a row changed. */
  changed(row: EnrolmentRow, token: string, before: FactValue | undefined, after: FactValue | undefined): void;
}

/** Makes the index; nothing is kept of tokens that nobody asks for. */
export function createFactHolders(rows: () => Iterable<EnrolmentRow>): FactHolders {
  const indexes = new Map<string, Map<string, Set<string>>>();

  function add(index: Map<string, Set<string>>, row: EnrolmentRow, value: FactValue | undefined): void {
    if (typeof value !== 'string' || row.channel !== 'device') return;
    const key = fold(value);
    const ids = index.get(key);
    if (ids === undefined) index.set(key, new Set([row.id]));
    else ids.add(row.id);
  }

  return {
    of(token, text) {
      let index = indexes.get(token);
      if (index === undefined) {
        index = new Map();
        for (const row of rows()) add(index, row, Object.hasOwn(row.facts, token) ? row.facts[token] : undefined);
        indexes.set(token, index);
      }
      return index.get(fold(text)) ?? [];
    },
    changed(row, token, before, after) {
      const index = indexes.get(token);
      if (index === undefined) return;
      if (typeof before === 'string') {
        const key = fold(before);
        const ids = index.get(key);
        ids?.delete(row.id);
        if (ids?.size === 0) index.delete(key);
      }
      add(index, row, after);
    },
  };
}
