// A min-heap of things that are due; each thing is in it at most once, knows its place, and its time may change.

/** What a thing needs to be in a heap. */
export interface Placed {
  /** Where in the heap it is; -1 when it is not. The heap's own. */
  place: number;
}

/** Things by due time. */
export class DueHeap<T extends Placed> {
  // Apart, so that finding a place reads numbers only.
  readonly #times: number[] = [];
  readonly #items: T[] = [];

  /** Makes a thing due at a time, or not at all. */
  set(item: T, dueAt: number | null): void {
    const { place } = item;
    if (dueAt === null) {
      if (place >= 0) this.#remove(item);
      return;
    }
    if (place < 0) {
      this.#times.push(dueAt);
      this.#up(this.#items.push(item) - 1, dueAt, item);
    } else if (dueAt < this.#times[place]!) this.#up(place, dueAt, item);
    else this.#down(place, dueAt, item);
  }

  /** The earliest thing. */
  peek(): { readonly dueAt: number; readonly item: T } | null {
    const item = this.#items[0];
    return item === undefined ? null : { dueAt: this.#times[0]!, item };
  }

  #remove(item: T): void {
    const { place } = item;
    item.place = -1;
    const last = this.#items.pop()!;
    const dueAt = this.#times.pop()!;
    if (last === item) return;
    if (dueAt < this.#times[place]!) this.#up(place, dueAt, last);
    else this.#down(place, dueAt, last);
  }

  /** Puts a thing at a place or above it: things on the way move down by one. */
  #up(from: number, dueAt: number, item: T): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.#times[above]! <= dueAt) break;
      this.#put(place, this.#times[above]!, this.#items[above]!);
      place = above;
    }
    this.#put(place, dueAt, item);
  }

  /** Puts a thing at a place or below it. */
  #down(from: number, dueAt: number, item: T): void {
    const times = this.#times;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= times.length) break;
      if (child + 1 < times.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= dueAt) break;
      this.#put(place, times[child]!, this.#items[child]!);
      place = child;
    }
    this.#put(place, dueAt, item);
  }

  #put(place: number, dueAt: number, item: T): void {
    this.#times[place] = dueAt;
    this.#items[place] = item;
    item.place = place;
  }
}
