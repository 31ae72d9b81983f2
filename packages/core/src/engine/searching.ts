// Searching devices: by the store where it can, else by reading every device.
import { not } from '@espalier/search';
import { toSql } from '@espalier/search/sql';
import type { Clock, Page } from '../api/common.ts';
import type { DeviceRow, EnrolmentStatus } from '../api/records.ts';
import type { FoundDevice, StoreSearch } from '../contracts/search.ts';
import type { StorePage } from '../contracts/shared.ts';
import type { Store } from '../contracts/store.ts';
import { allPages } from './context.ts';
import type { FactIndex } from './fact-index.ts';
import { allFacts, LABEL_TOKEN } from './facts.ts';
import { byLabelIds, type NamedLabel, NOTHING, withLabelIds } from './label-references.ts';
import type { Matcher, Matching } from './matching.ts';

/** Which devices are looked for. */
export interface DeviceQuery {
  readonly matching: Matching;
  /** Those that do not match instead. */
  readonly complement?: boolean;
  readonly statuses?: readonly EnrolmentStatus[];
  /** Only members, or only others. */
  readonly label?: { readonly id: string; readonly member: boolean };
}

/** Searches over one store. */
export interface Searching {
  /** One page of the devices, by id, and how many there are on all. */
  page(query: DeviceQuery, page: StorePage): Promise<Page<DeviceRow> & { readonly total: number }>;
  /** All of them, in parts, ordered by id. */
  found(query: DeviceQuery): AsyncGenerator<readonly FoundDevice[]>;
}

/** How many ids are taken from the store at once. */
const PART = 20_000;

/** Makes the searches. */
export function createSearching(store: Store, clock: Clock, matcher: Matcher, index: FactIndex): Searching {
  const internal = withLabelIds(matcher.catalogue);

  async function labelsFor({ matching }: DeviceQuery): Promise<readonly NamedLabel[]> {
    return matching.tokens.has(LABEL_TOKEN) ? store.labels.definitions() : [];
  }

  async function compiled(query: DeviceQuery): Promise<StoreSearch> {
    const { matching, complement = false, statuses, label } = query;
    // Stores keep times as whole milliseconds.
    const now = Math.floor(clock.now());
    const byIds = byLabelIds(matching.expression, await labelsFor(query), matcher.catalogue);
    const expression = !complement ? byIds : byIds.kind === 'everything' ? NOTHING : not(byIds);
    const { sensitive } = matching;
    return {
      sql: (target) => toSql(expression, { ...target, catalogue: internal, now, sensitive }),
      ...(statuses === undefined ? {} : { statuses }),
      ...(label === undefined ? {} : { label }),
    };
  }

  /** All matching devices by reading every one. */
  async function* scan(query: DeviceQuery): AsyncGenerator<readonly (DeviceRow & { readonly revision: number })[]> {
    const { matching, complement = false, statuses, label } = query;
    const names = new Map((await labelsFor(query)).map(({ id, name }) => [id, name]));
    const filter = { channel: 'device', ...(statuses === undefined ? {} : { statuses }) } as const;
    for await (const rows of allPages((page) => store.inventory.scan(filter, page))) {
      const ids = rows.map(({ enrolment }) => enrolment.id);
      const needed = label !== undefined || matching.tokens.has(LABEL_TOKEN);
      const labelsOf = needed ? await store.labels.ofMany(ids) : new Map<string, readonly string[]>();
      const now = clock.now();
      yield rows.filter((row) => {
        const labelIds = labelsOf.get(row.enrolment.id) ?? [];
        if (label !== undefined && labelIds.includes(label.id) !== label.member) return false;
        const facts = allFacts(
          row,
          labelIds.map((id) => names.get(id) ?? ''),
        );
        return matching.matches(facts, now) !== complement;
      });
    }
  }

  return {
    async page(query, page) {
      const search = await index.search();
      if (search !== null) return search.page(await compiled(query), page);
      const items: DeviceRow[] = [];
      let total = 0;
      let more = false;
      for await (const rows of scan(query)) {
        total += rows.length;
        for (const row of rows) {
          if (page.after !== undefined && row.enrolment.id <= page.after) continue;
          if (items.length < page.limit) items.push({ enrolment: row.enrolment, facts: row.facts });
          else more = true;
        }
      }
      return { items, next: more ? (items.at(-1)?.enrolment.id ?? null) : null, total };
    },

    async *found(query) {
      const search = await index.search();
      if (search === null) {
        for await (const rows of scan(query)) {
          yield rows.map(({ enrolment, revision }) => ({ enrolmentId: enrolment.id, revision }));
        }
        return;
      }
      const asked = await compiled(query);
      yield* allPages((page) => search.ids(asked, page), PART);
    },
  };
}
