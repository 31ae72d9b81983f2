// The memory store's history and events where they go from one chunk to the next, against plain lists.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventLog } from '../src/memory/event-log.ts';
import { History } from '../src/memory/history.ts';
import { CHUNK } from '../src/memory/log.ts';
import type { CommandRow, EnrolmentRow } from '../src/memory/state.ts';

const enrolmentRow = (): EnrolmentRow => ({ lastDone: -1 }) as EnrolmentRow;
const commandRow = (commandUuid: string): CommandRow => ({ commandUuid }) as CommandRow;

describe('the history of the memory store', () => {
  it('is what plain lists would be, whatever is added, taken back and pruned', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), who: fc.nat(4), count: fc.integer({ min: 1, max: CHUNK }) }),
      fc.record({ do: fc.constant('take back' as const), who: fc.nat(4), which: fc.nat(3_000) }),
      fc.record({ do: fc.constant('prune' as const), count: fc.integer({ min: 1, max: 2 * CHUNK }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const history = new History();
        const enrolments = Array.from({ length: 5 }, enrolmentRow);
        let model: { who: number; command: CommandRow; at: number }[] = [];
        let at = 0;
        for (const it of steps) {
          if (it.do === 'add') {
            for (let i = 0; i < it.count; i++) {
              const command = commandRow(`${at}`);
              const odd = at % 2 === 1;
              history.add(enrolments[it.who]!, {
                command,
                state: odd ? 'error' : 'acknowledged',
                sentAt: odd ? null : at,
                finishedAt: at,
                attempts: at,
                errorChain: odd ? [{ code: at, domain: 'domain', description: 'text' }] : [],
                response: { bytes: new Uint8Array([at & 255]), sealed: odd },
              });
              model.push({ who: it.who, command, at: at++ });
            }
          } else if (it.do === 'take back') {
            const own = model.filter(({ who }) => who === it.who);
            const gone = own[it.which % Math.max(1, own.length)];
            if (gone === undefined) continue;
            history.takeBack(enrolments[it.who]!, gone.command);
            model = model.filter((row) => row !== gone);
          } else {
            for (let i = 0; i < it.count; i++) {
              const first = model.shift();
              expect(history.takeFirst(at)).toBe(first?.command ?? null);
            }
          }
          expect(history.size).toBe(model.length);
        }
        for (const [who, enrolment] of enrolments.entries()) {
          const own = model.filter((row) => row.who === who).reverse();
          expect([...history.of(enrolment)].map(({ command }) => command)).toEqual(own.map(({ command }) => command));
          for (const row of own.slice(0, 3)) {
            const odd = row.at % 2 === 1;
            expect(history.find(enrolment, row.command)).toEqual({
              command: row.command,
              state: odd ? 'error' : 'acknowledged',
              sentAt: odd ? null : row.at,
              finishedAt: row.at,
              attempts: row.at,
              errorChain: odd ? [{ code: row.at, domain: 'domain', description: 'text' }] : [],
              response: { bytes: new Uint8Array([row.at & 255]), sealed: odd },
            });
          }
        }
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it('keeps what finished at the time of the pruning or later', () => {
    const history = new History();
    const enrolment = enrolmentRow();
    const done = { state: 'cancelled', sentAt: null, attempts: 0, errorChain: [], response: null } as const;
    history.add(enrolment, { ...done, command: commandRow('a'), finishedAt: 1 });
    history.add(enrolment, { ...done, command: commandRow('b'), finishedAt: 2 });
    expect([history.takeFirst(2)?.commandUuid, history.takeFirst(2), history.size]).toEqual(['a', null, 1]);
  });
});

describe('the events of the memory store', () => {
  it('keep their numbers, however many go', () => {
    const log = new EventLog();
    for (let i = 1; i <= 3 * CHUNK; i++) {
      expect(log.add({ type: 'recipe.step', at: i, enrolmentId: i % 2 === 0 ? null : 'X', data: { i } })).toBe(i);
    }
    let gone = 0;
    while (log.takeFirst(2 * CHUNK + 1)) gone++;
    expect([gone, log.firstSeq, log.lastSeq]).toEqual([2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK]);
    for (const seq of [log.firstSeq, log.lastSeq]) {
      const enrolmentId = seq % 2 === 0 ? null : 'X';
      expect(log.get(seq)).toEqual({ seq, type: 'recipe.step', at: seq, enrolmentId, data: { i: seq } });
    }
    while (log.takeFirst(Number.MAX_SAFE_INTEGER));
    expect(log.add({ type: 'recipe.step', at: 0, enrolmentId: null, data: {} })).toBe(3 * CHUNK + 1);
    expect(log.get(log.lastSeq).at).toBe(0);
  });
});
