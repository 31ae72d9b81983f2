// Searching devices: expressions are parsed, checked and compiled once, then run over the facts.
import { type Catalogue, check, compile, type Expression, fieldsOf, parse, parseBasic } from '@espalier/search';
import type { Clock } from '../api/common.ts';
import type { DeviceRow, EnrolmentStatus } from '../api/records.ts';
import type { Store } from '../contracts/store.ts';
import { CoreError } from '../errors.ts';
import { allPages } from './context.ts';
import { allFacts } from './facts.ts';

/** A compiled expression. */
export interface Matching {
  /** The fields that it reads. */
  readonly tokens: ReadonlySet<string>;
  matches(row: DeviceRow, now: number): boolean;
}

/** Compiles expressions. */
export interface Matcher {
  /**
   * An advanced search.
   * @throws SearchSyntaxError, SearchError for a text that is no expression; CoreError `core.search.unknown_field`
   */
  advanced(text: string): Matching;
  /** The one-box search. @throws SearchSyntaxError */
  basic(text: string): Matching;
}

/** How many compiled expressions are kept. */
const KEPT = 500;

/** Makes a matcher over a catalogue of fields; it keeps what it compiled last. */
export function createMatcher(catalogue: Catalogue): Matcher {
  const compiled = new Map<string, Matching>();

  function matchingOf(expression: Expression): Matching {
    for (const { code, message, suggestion } of check(expression, catalogue)) {
      if (code !== 'unknown-field') continue;
      const remedy = suggestion === undefined ? {} : { remedy: `perhaps ${suggestion} was meant` };
      throw new CoreError('core.search.unknown_field', 'invalid', message, remedy);
    }
    const test = compile(expression, { catalogue });
    return {
      tokens: new Set(fieldsOf(expression, catalogue)),
      matches: (row, now) => test(allFacts(row), now),
    };
  }

  return {
    advanced(text) {
      const kept = compiled.get(text);
      if (kept !== undefined) return kept;
      const made = matchingOf(parse(text));
      if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value ?? '');
      compiled.set(text, made);
      return made;
    },
    basic: (text) => matchingOf(parseBasic(text)),
  };
}

/** The device channels that match, in order of id, a chunk at a time. */
export async function* matchingDevices(
  store: Store,
  clock: Clock,
  search: Matching,
  statuses?: readonly EnrolmentStatus[],
): AsyncGenerator<readonly DeviceRow[]> {
  const filter = { channel: 'device', ...(statuses === undefined ? {} : { statuses }) } as const;
  for await (const rows of allPages((page) => store.inventory.scan(filter, page))) {
    const now = clock.now();
    yield rows.filter((row) => search.matches(row, now));
  }
}
