// Searching devices: expressions are parsed, checked and compiled once, then run over the facts.
import { compile, type Expression, fieldsOf, parse, parseBasic } from '@espalier/search';
import type { Clock } from '../api/common.ts';
import type { DeviceRow, EnrolmentStatus } from '../api/records.ts';
import type { Store } from '../contracts/store.ts';
import { allPages } from './context.ts';
import { allFacts } from './facts.ts';

/** A compiled expression. */
export interface Matching {
  /** The fields that it reads. */
  readonly tokens: ReadonlySet<string>;
  matches(row: DeviceRow, now: number): boolean;
}

const KEPT = 500;
const compiled = new Map<string, Matching>();

/**
 * Compiles an advanced search, or takes it from those compiled before.
 * @throws SearchSyntaxError, SearchError for an expression that is none
 */
export function matching(text: string): Matching {
  const kept = compiled.get(text);
  if (kept !== undefined) return kept;
  const made = matchingOf(parse(text));
  if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value ?? '');
  compiled.set(text, made);
  return made;
}

/** Compiles a one-box search. */
export function basicMatching(text: string): Matching {
  return matchingOf(parseBasic(text));
}

function matchingOf(expression: Expression): Matching {
  const test = compile(expression);
  return { tokens: new Set(fieldsOf(expression)), matches: (row, now) => test(allFacts(row), now) };
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
