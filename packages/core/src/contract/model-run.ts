// Runs the same actions on a store and on the model, and compares what can be seen of both after each.
import type { NewCommand, PollInput } from '../contracts/queue.ts';
import type { Store } from '../contracts/store.ts';
import { command, enrol, pinOf, T0 } from './fixtures.ts';
import { MODEL_BACKOFF, ModelEnrolment } from './model.ts';

/** The enrolments that a run is about. */
export const MODEL_IDS: readonly string[] = ['A', 'B'];

type Status = NonNullable<PollInput['result']>['status'];

/** One action. `which` picks one of the commands so far, counted from the newest. */
export type QueueAction =
  | {
      readonly kind: 'enqueue';
      readonly ids: readonly string[];
      readonly priority: number;
      readonly notBeforeIn: number | null;
      readonly expiresIn: number | null;
      readonly key: string | null;
      readonly onDuplicate: 'replace' | 'keep';
      readonly maxAttempts: number | null;
      readonly onError: 'fail' | 'retry' | 'drop-chain';
      /** Length of the chain; 1 for a command of its own. */
      readonly chain: number;
      readonly push: boolean;
    }
  | { readonly kind: 'idle'; readonly id: string }
  | { readonly kind: 'answer'; readonly id: string; readonly which: number | 'last'; readonly status: Status }
  | {
      readonly kind: 'end';
      readonly ids: readonly string[];
      readonly what: number | string | 'all';
      readonly state: 'cancelled' | 'superseded';
    }
  | { readonly kind: 'requeue'; readonly id: string; readonly which: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'advance'; readonly ms: number };

/** A run of actions on a store, checked against the model. */
export class ModelRun {
  readonly #store: Store;
  readonly #model = new Map(MODEL_IDS.map((id) => [id, new ModelEnrolment()]));
  readonly #uuids: string[] = [];
  readonly #last = new Map<string, string>();
  #at = T0;
  #chains = 0;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Enrols the run's devices. */
  static async start(store: Store): Promise<ModelRun> {
    await enrol(store, ...MODEL_IDS);
    return new ModelRun(store);
  }

  /** Does one action on both. @throws Error that says where they differ */
  async apply(action: QueueAction): Promise<void> {
    await this.#act(action);
    await this.#compare(action);
  }

  async #act(action: QueueAction): Promise<void> {
    const at = this.#at;
    switch (action.kind) {
      case 'advance':
        this.#at += action.ms;
        return;
      case 'enqueue':
        return this.#enqueue(action);
      case 'idle':
        return this.#poll(action.id, undefined);
      case 'answer': {
        const uuid = action.which === 'last' ? this.#last.get(action.id) : this.#pick(action.which);
        return this.#poll(action.id, { uuid: uuid ?? 'never-queued', status: action.status });
      }
      case 'end': {
        const { ids, what, state } = action;
        const uuid = typeof what === 'number' ? this.#pick(what) : undefined;
        const key = typeof what === 'string' && what !== 'all' ? what : undefined;
        await this.#store.queue.end({
          enrolmentIds: ids,
          state,
          at,
          ...(uuid === undefined ? {} : { commandUuid: uuid }),
          ...(key === undefined ? {} : { dedupeKey: key }),
        });
        for (const id of ids) {
          this.#of(id).endSome(
            state,
            ({ command: { commandUuid, dedupeKey } }) =>
              (uuid === undefined || commandUuid === uuid) && (key === undefined || dedupeKey === key),
          );
        }
        return;
      }
      case 'requeue': {
        const commandUuid = this.#pick(action.which);
        const done = await this.#store.queue.requeue({ enrolmentId: action.id, commandUuid, at });
        same(done, this.#of(action.id).requeue(commandUuid, at), 'requeue', action);
        return;
      }
      case 'sweep':
        await this.#store.queue.sweep({ at, limit: 1_000 });
        for (const id of MODEL_IDS) this.#of(id).sweep(at);
    }
  }

  async #enqueue(action: Extract<QueueAction, { kind: 'enqueue' }>): Promise<void> {
    const at = this.#at;
    const chained = action.chain > 1;
    const chainId = `chain-${this.#chains++}`;
    const commands: NewCommand[] = [];
    for (let index = 0; index < action.chain; index++) {
      const uuid = `c${this.#uuids.length}`;
      this.#uuids.push(uuid);
      commands.push(
        command(uuid, {
          priority: action.priority,
          notBefore: action.notBeforeIn === null ? null : at + action.notBeforeIn,
          expiresAt: action.expiresIn === null ? null : at + action.expiresIn,
          dedupeKey: chained ? null : action.key,
          onDuplicate: action.onDuplicate,
          maxAttempts: action.maxAttempts,
          onError: action.onError,
          chain: chained ? { id: chainId, index } : null,
          push: action.push,
        }),
      );
    }
    const first = this.#uuids.length - commands.length;
    const { queued } = await this.#store.queue.enqueue({ commands, enrolmentIds: action.ids, at, events: [] });
    const expected = commands.map(
      (item, i) => action.ids.filter((id) => this.#of(id).enqueue(item, first + i, at)).length,
    );
    same(queued, expected, 'how many were queued', action);
  }

  async #poll(
    enrolmentId: string,
    answer: { readonly uuid: string; readonly status: Status } | undefined,
  ): Promise<void> {
    const at = this.#at;
    const outcome = await this.#store.queue.poll({
      enrolmentId,
      certificateFingerprint: pinOf(enrolmentId),
      at,
      backoff: MODEL_BACKOFF,
      ...(answer === undefined
        ? {}
        : { result: { commandUuid: answer.uuid, status: answer.status, response: null, errorChain: [], event: null } }),
    });
    const seen = outcome.outcome === 'ok' ? [outcome.result, outcome.command?.commandUuid ?? null] : [outcome.outcome];
    const expected = this.#of(enrolmentId).poll(at, answer);
    same(seen, expected, 'the poll', { enrolmentId, answer });
    if (expected[1] !== null) this.#last.set(enrolmentId, expected[1]);
  }

  async #compare(action: QueueAction): Promise<void> {
    for (const id of MODEL_IDS) {
      const { items } = await this.#store.queue.list(id, { limit: 10_000 });
      const seen = items.map((entry) => `${entry.commandUuid} ${entry.state} ${entry.attempts}`);
      const model = this.#of(id);
      const expected = [...model.entries]
        .sort((a, b) => b.order - a.order)
        .map((entry) => `${entry.command.commandUuid} ${entry.state} ${entry.attempts}`);
      same(seen, expected, `the commands of ${id}`, action);
      same((await this.#store.push.get(id))?.dueAt, model.due, `when ${id} is due`, action);
    }
  }

  #of(id: string): ModelEnrolment {
    return this.#model.get(id)!;
  }

  #pick(which: number): string {
    return this.#uuids[this.#uuids.length - 1 - (which % Math.max(1, this.#uuids.length))] ?? 'never-queued';
  }
}

function same(seen: unknown, expected: unknown, what: string, action: unknown): void {
  const [a, b] = [JSON.stringify(seen), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what} differs after ${JSON.stringify(action)}: the store has ${a}, the model ${b}`);
}

/** Actions drawn from a seed. */
export function* randomActions(seed: number, count: number): Generator<QueueAction> {
  let state = seed >>> 0;
  // Mulberry32: small, and the same everywhere.
  const random = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
  const of = <T>(...items: readonly T[]): T => items[random(items.length)]!;
  const MINUTE = 60_000;
  for (let i = 0; i < count; i++) {
    const id = of('A', 'B');
    const ids = of(['A'], ['B'], ['A', 'B']);
    const kind = random(20);
    if (kind < 5) {
      yield {
        kind: 'enqueue',
        ids,
        priority: of(0, 0, 0, 1, -1),
        notBeforeIn: of(null, null, null, MINUTE, 5 * MINUTE),
        expiresIn: of(null, null, null, 3 * MINUTE, 30 * MINUTE),
        key: of(null, null, 'k', 'l'),
        onDuplicate: of('replace', 'keep'),
        maxAttempts: of(null, null, 1, 2),
        onError: of('fail', 'retry', 'drop-chain'),
        chain: of(1, 1, 1, 1, 3),
        push: of(true, true, true, false),
      };
    } else if (kind < 8) yield { kind: 'idle', id };
    else if (kind < 15) {
      const status = of('acknowledged', 'acknowledged', 'error', 'not-now', 'format-error');
      yield { kind: 'answer', id, which: of<number | 'last'>('last', 'last', 'last', random(10)), status };
    } else if (kind === 15) {
      yield {
        kind: 'end',
        ids,
        what: of<number | string>(random(10), 'k', 'all'),
        state: of('cancelled', 'superseded'),
      };
    } else if (kind === 16) yield { kind: 'requeue', id, which: random(10) };
    else if (kind === 17) yield { kind: 'sweep' };
    else yield { kind: 'advance', ms: of(1, MINUTE, 3 * MINUTE, 20 * MINUTE) };
  }
}
