// A made-up account at Apple, the same in each process: pages of a whole list, then pages of changes.
import { type AdeCursor, type AdeSource, createEngine, createKeyRing, type Engine, type Store } from '@espalier/core';
import { T0 } from './support.ts';

const PAGE = 50;
type Device = Parameters<NonNullable<Awaited<ReturnType<typeof pageAt>>>['devices']['push']>[0];

const serial = (i: number): string => `S${String(i).padStart(7, '0')}`;

/** A page by its number: of `fetch` pages the list consists, those after it are changes. */
function pageAt(number: number, fetch: number, pages: number) {
  if (number >= pages) return null;
  const listed = fetch * PAGE;
  const devices = Array.from({ length: PAGE }, (_, i) => {
    const base = { model: 'iPad', color: 'blue', profile_status: 'empty' };
    if (number < fetch) return { serial_number: serial(number * PAGE + i), ...base };
    const step = (number - fetch) * PAGE + i;
    const op_date = new Date(T0 + step * 1000).toISOString();
    const op_type = (['added', 'modified', 'deleted'] as const)[step % 3]!;
    // New devices; changed ones and deleted ones all over the list, some of them more than once.
    const which = op_type === 'added' ? listed + step : (step * 7919) % listed;
    return { serial_number: serial(which), ...base, color: `colour ${step}`, op_type, op_date };
  });
  return { devices, complete: number === fetch - 1, restarted: number === 0 ? 'first' : undefined };
}

/** What the account holds in the end: colour by serial number. */
export function expected(fetch: number, pages: number): Map<string, string> {
  const held = new Map<string, string>();
  for (let number = 0; number < pages; number++) {
    for (const device of pageAt(number, fetch, pages)!.devices as (Device & { op_type?: string })[]) {
      if (device.op_type === 'deleted') held.delete(device.serial_number);
      else held.set(device.serial_number, device.color);
    }
  }
  return held;
}

/** The source. */
export function madeUpSource(fetch: number, pages: number): AdeSource {
  return {
    async *sync(from?: AdeCursor) {
      for (let number = Number(from?.cursor ?? 0); ; number++) {
        const page = pageAt(number, fetch, pages);
        if (page === null) return;
        await new Promise<void>((resolve) => setImmediate(resolve));
        const { devices, complete, restarted } = page;
        const phase = number + 1 < fetch ? 'fetch' : 'sync';
        const next: AdeCursor = { phase, cursor: String(number + 1) };
        yield { devices, complete, next, ...(restarted === undefined ? {} : { restarted }) };
      }
    },
  };
}

/** An engine over the store whose clock the caller owns. */
export function engineOver(store: Store, now: () => number): Engine {
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(3) } });
  return createEngine({ store, keys, clock: { now } });
}
