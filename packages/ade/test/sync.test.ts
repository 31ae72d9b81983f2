// Reading the list of devices: the whole, the changes, failing cursors, going on after a crash.
import { createSimulatedEnrolmentService } from '@espalier/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNewer, latest } from '../src/enrolment/sync.ts';
import type { DevicePage, EnrolmentDevice, SyncState } from '../src/index.ts';
import { all, setting } from './apple.ts';

/** What a store would do with pages. */
class Mirror {
  state: SyncState | undefined;
  readonly devices = new Map<string, EnrolmentDevice>();
  #seen: Set<string> | undefined;

  take(page: DevicePage): void {
    if (page.restarted !== undefined) this.#seen = new Set();
    for (const device of page.devices) {
      this.#seen?.add(device.serial_number);
      if (device.op_type === 'deleted') this.devices.delete(device.serial_number);
      else this.devices.set(device.serial_number, device);
    }
    if (page.complete && this.#seen !== undefined) {
      for (const serial of this.devices.keys()) if (!this.#seen.has(serial)) this.devices.delete(serial);
      this.#seen = undefined;
    }
    this.state = page.next;
  }
}

describe('the whole list', () => {
  it('comes in pages, and then changes only', async () => {
    const { apple, client } = await setting({ count: 2500 });
    const mirror = new Mirror();
    const pages = await all(client.sync());
    expect(pages.map((page) => [page.phase, page.devices.length, page.restarted, page.complete])).toEqual([
      ['fetch', 1000, 'first', false],
      ['fetch', 1000, undefined, false],
      ['fetch', 500, undefined, true],
    ]);
    for (const page of pages) mirror.take(page);
    expect(mirror.devices.size).toBe(2500);
    expect(mirror.state?.phase).toBe('sync');

    const none = await all(client.sync(mirror.state));
    expect(none).toMatchObject([{ phase: 'sync', devices: [], complete: false, unusable: 0 }]);

    const [first, second] = [...mirror.devices.keys()];
    apple.remove([first!]);
    const added = apple.add(3);
    apple.modify([second!]);
    const changes = await all(client.sync(none[0]!.next));
    expect(changes[0]!.devices.map((device) => device.op_type)).toEqual([
      'deleted',
      'added',
      'added',
      'added',
      'modified',
    ]);
    for (const page of changes) mirror.take(page);
    expect(mirror.devices.size).toBe(2502);
    expect(mirror.devices.has(added[2]!)).toBe(true);
    expect(apple.counters.get('POST /server/devices')).toBe(3);
  });

  it('has no device of another server, and is empty for a new one', async () => {
    const { client } = await setting();
    expect(await all(client.sync())).toMatchObject([{ devices: [], complete: true, next: { phase: 'sync' } }]);
  });

  it('goes on where it was after a crash at any page', async () => {
    for (let crash = 0; crash < 5; crash++) {
      const { apple, client, another } = await setting({ count: 450, seed: crash });
      const mirror = new Mirror();
      let pages = 0;
      for await (const page of client.sync(undefined, { limit: 100 })) {
        mirror.take(page);
        if (pages++ === crash) break;
      }
      apple.remove([apple.organisation.device(1).serialNumber]);
      for await (const page of another().sync(mirror.state, { limit: 100 })) mirror.take(page);
      for await (const page of another().sync(mirror.state, { limit: 100 })) mirror.take(page);
      expect(mirror.devices.size).toBe(449);
    }
  });
});

describe('a cursor that fails', () => {
  it('is older than seven days: the whole list again, and what is gone is gone', async () => {
    const { apple, client, clock } = await setting({ count: 20 });
    const mirror = new Mirror();
    for await (const page of client.sync()) mirror.take(page);
    apple.remove([apple.organisation.device(3).serialNumber]);
    clock.move(8 * 86_400_000);
    const pages = await all(client.sync(mirror.state));
    expect(pages.map((page) => page.restarted)).toEqual(['expired_cursor']);
    for (const page of pages) mirror.take(page);
    expect(mirror.devices.size).toBe(19);
  });

  it('is not one: the whole list again', async () => {
    const { client } = await setting({ count: 3 });
    for (const phase of ['sync', 'fetch'] as const) {
      const pages = await all(client.sync({ phase, cursor: 'DEADBEEF' }));
      expect(pages).toMatchObject([{ restarted: 'invalid_cursor', complete: true }]);
    }
    expect(await all(client.sync({ phase: 'sync', cursor: '' }))).toMatchObject([{ restarted: 'cursor_required' }]);
  });

  it('is exhausted: a list ends, and changes follow from there', async () => {
    const { apple, client } = await setting({ count: 3 });
    const [page] = await all(client.sync());
    // A crash between Apple's last page and what was kept of it.
    const late = await all(client.sync({ phase: 'fetch', cursor: page!.next.cursor }));
    expect(late).toMatchObject([{ devices: [], complete: true, next: page!.next }]);
    apple.add(1);
    expect((await all(client.sync(late[0]!.next)))[0]!.devices).toHaveLength(1);
    apple.respond(({ path }) =>
      path === '/devices/sync' ? new Response('EXHAUSTED_CURSOR', { status: 400 }) : undefined,
    );
    expect(await all(client.sync(page!.next))).toMatchObject([{ devices: [], complete: false, next: page!.next }]);
  });

  it('fails again after a new start: the error comes through', async () => {
    const { apple, client } = await setting({ count: 3 });
    const [page] = await all(client.sync());
    apple.respond(() => new Response('INVALID_CURSOR', { status: 400 }));
    await expect(all(client.sync(page!.next))).rejects.toMatchObject({ code: 'ade.enrolment.invalid_cursor' });
  });

  it('fails in the middle of the new list, too: no endless beginning', async () => {
    const { apple, client } = await setting({ count: 30 });
    const [page] = await all(client.sync());
    apple.respond(({ number }) => (number % 2 === 1 ? new Response('INVALID_CURSOR', { status: 400 }) : undefined));
    let pages = 0;
    const read = async (): Promise<void> => {
      for await (const _ of client.sync(page!.next, { limit: 10 })) if (++pages > 20) return;
    };
    await expect(read()).rejects.toMatchObject({ code: 'ade.enrolment.invalid_cursor' });
    expect(pages).toBeLessThan(3);
  });

  it('comes back with more to follow: no endless loop', async () => {
    const { apple, client } = await setting();
    const body = { devices: [], cursor: 'AA', more_to_follow: true, fetched_until: '2026-03-01T00:00:00Z' };
    apple.respond(() => Response.json(body));
    await expect(all(client.sync())).rejects.toMatchObject({ code: 'ade.enrolment.cursor_loop' });
    apple.respond(() => Response.json({ devices: [] }));
    await expect(all(client.sync())).rejects.toMatchObject({ code: 'ade.http.answer', at: { path: 'cursor' } });
  });
});

describe('records', () => {
  it('that are unusable are counted, not a reason to stop; wrong values are left out', async () => {
    const { apple, client } = await setting();
    const devices = [
      { serial_number: 'A', model: 7, imei: ['1', 2], is_replacement_device: 'yes', op_type: 'exploded' },
      { model: 'no number' },
      { serial_number: '' },
      'text',
      null,
      { serial_number: 'B', os: 'iOS', surprise: { deep: [1] } },
    ];
    apple.respond(() => Response.json({ devices, cursor: 'AA', more_to_follow: false }));
    const [page] = await all(client.sync());
    expect(page!.devices).toEqual([
      { serial_number: 'A', imei: ['1'] },
      { serial_number: 'B', os: 'iOS' },
    ]);
    expect(page!.unusable).toBe(2);
  });

  it('of one device: the latest counts, in the order of what counts', () => {
    const record = (
      serial_number: string,
      op_date?: string,
      op_type: 'added' | 'deleted' = 'added',
    ): EnrolmentDevice => ({
      serial_number,
      op_type,
      ...(op_date !== undefined && { op_date }),
    });
    const early = record('A', '2026-01-01T00:00:00Z');
    const late = record('A', '2026-01-02T00:00:00Z', 'deleted');
    const other = record('B', '2026-01-01T12:00:00Z');
    expect(latest([early, other, late])).toEqual([other, late]);
    expect(latest([late, other, early])).toEqual([late, other]);
    expect(latest([record('A'), record('A', undefined, 'deleted')])[0]!.op_type).toBe('deleted');
    expect(isNewer(late, early)).toBe(true);
    expect(isNewer(early, early)).toBe(false);
    expect(isNewer(record('A'), early)).toBe(false);
  });
});

describe('whatever happens in between', () => {
  it('the mirror is the service’s list in the end', async () => {
    const runs = process.env['ESPALIER_NIGHTLY'] === '1' ? 300 : 25;
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constantFrom('remove' as const, 'restore' as const, 'modify' as const), count: fc.nat(60) }),
      fc.record({ kind: fc.constantFrom('sync' as const, 'crash' as const, 'restart' as const), count: fc.nat(3) }),
      fc.record({ kind: fc.constant('week' as const), count: fc.nat(1) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { apple, client, clock } = await setting({ count: 40 });
        const mirror = new Mirror();
        for (const { kind, count } of steps) {
          clock.move(1000);
          const serial = (): string => apple.organisation.device(count % apple.organisation.size).serialNumber;
          if (kind === 'add') apple.add(count);
          else if (kind === 'remove') apple.remove([serial()]);
          else if (kind === 'restore') apple.restore([serial()]);
          else if (kind === 'modify') apple.modify([serial()]);
          else if (kind === 'restart') apple.endSessions();
          else if (kind === 'week') clock.move(8 * 86_400_000);
          else {
            let left = kind === 'crash' ? count : Number.POSITIVE_INFINITY;
            for await (const page of client.sync(mirror.state, { limit: 7 })) {
              mirror.take(page);
              if (left-- <= 0) break;
            }
          }
        }
        for (let round = 0; round < 2; round++) for await (const page of client.sync(mirror.state)) mirror.take(page);
        const wanted = Array.from({ length: apple.organisation.size }, (_, index) => apple.organisation.device(index))
          .map((device) => device.serialNumber)
          .filter((serial) => apple.look(serial) !== undefined);
        expect([...mirror.devices.keys()].sort()).toEqual(wanted.sort());
      }),
      { seed: 8, numRuns: runs },
    );
  });
});

describe('a large organisation', () => {
  it('is found by number and serial number, and paged without holding it', async () => {
    const apple = createSimulatedEnrolmentService({ count: 1_000_000 });
    for (const number of [0, 1, 499_999, 999_999]) {
      expect(apple.organisation.find(apple.organisation.device(number).serialNumber)).toBe(number);
    }
    expect(apple.organisation.find('CCCC000000')).toBeLessThan(1_000_000);
    const { client } = await setting({ count: 30_000 });
    const serials = new Set<string>();
    for await (const page of client.sync()) for (const device of page.devices) serials.add(device.serial_number);
    expect(serials.size).toBe(30_000);
  });
});
