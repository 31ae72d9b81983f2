// Facts as rows: made for every report, so that a store can search by itself, and made anew when the fields change.
import { createHash } from 'node:crypto';
import type { Catalogue } from '@espalier/search';
import { factRows } from '@espalier/search/sql';
import type { Facts } from '../api/common.ts';
import type { InventoryStore } from '../contracts/inventory.ts';
import { FACT_KEY_LENGTH, type FactRow, type IndexedDevice, type SearchStore } from '../contracts/search.ts';
import type { Store } from '../contracts/store.ts';
import { allPages } from './context.ts';

/** The rows that searches in the store run over. */
export interface FactIndex {
  /** The store's own search, once its rows are complete; `null` where devices have to be read one by one. */
  search(): Promise<SearchStore | null>;
  /** Makes the rows of all devices unless they are made already. `goOn` is asked before each part. Returns how many. */
  rebuild(goOn: () => Promise<boolean>): Promise<number>;
}

const SETTING = 'core.search-index';

/** Makes the index over a store. */
export function createFactIndex(store: Store, catalogue: Catalogue): FactIndex {
  // Rows are made from the types of the fields: with other types they are other rows.
  const made = createHash('sha256')
    .update(`1 ${FACT_KEY_LENGTH}\n`)
    .update(
      catalogue.fields
        .map(({ token, type }) => `${token}\t${type}`)
        .sort()
        .join('\n'),
    )
    .digest('hex');
  let ready = false;

  async function isReady(): Promise<boolean> {
    ready ||= (await store.settings.get(SETTING)) === made;
    return ready;
  }

  return {
    async search() {
      return store.search !== undefined && (await isReady()) ? store.search : null;
    },

    async rebuild(goOn) {
      const { search } = store;
      if (search === undefined || (await isReady())) return 0;
      let count = 0;
      for await (const devices of allPages((page) => store.inventory.scan({ channel: 'device' }, page), 500)) {
        if (!(await goOn())) return count;
        let left: readonly IndexedDevice[] = devices.map(({ enrolment, facts, revision }) => ({
          enrolmentId: enrolment.id,
          revision,
          rows: rowsOf(facts, catalogue),
        }));
        while (left.length > 0) {
          const changed = await search.reindex(left);
          left = (await store.inventory.rows(changed)).map(({ enrolment, facts, revision }) => ({
            enrolmentId: enrolment.id,
            revision,
            rows: rowsOf(facts, catalogue),
          }));
        }
        count += devices.length;
      }
      await store.settings.set(SETTING, made);
      return count;
    },
  };
}

function rowsOf(facts: Facts, catalogue: Catalogue): FactRow[] {
  // What no field stands for cannot be searched.
  const known = Object.entries(facts).filter(([token]) => catalogue.get(token)?.token === token);
  return factRows(Object.fromEntries(known), catalogue, { keyLength: FACT_KEY_LENGTH });
}

/** The store, with every report given its rows. */
export function withFactRows(store: Store, catalogue: Catalogue): Store {
  if (store.search === undefined) return store;
  const { inventory } = store;
  const indexed: InventoryStore = {
    apply: (report) => inventory.apply({ ...report, rows: rowsOf(report.facts, catalogue) }),
    get: (id) => inventory.get(id),
    rows: (ids) => inventory.rows(ids),
    scan: (filter, page) => inventory.scan(filter, page),
    profiles: (ids) => inventory.profiles(ids),
  };
  return new Proxy(store, {
    get: (target, key) => (key === 'inventory' ? indexed : Reflect.get(target, key, target)),
  });
}
