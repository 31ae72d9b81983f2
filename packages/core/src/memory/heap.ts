// A min-heap of things that are due; each thing is in it at most once, knows its place, and its time may change.

/** What a thing needs to be in a heap. */
export interface Placed {
  /** Where in the heap it is; -1 when it is not. The heap's own. */
  place: number;
}

interface Entry<T> {
  readonly dueAt: number;
  readonly item: T;
}

/** Things by due time. */
export class DueHeap<T extends Placed> {
  readonly #entries: Entry<T>[] = [];

  /** Makes a thing due at a time, or not at all. */
  set(item: T, dueAt: number | null): void {
    const { place } = item;
    if (dueAt === null) {
      if (place >= 0) this.#remove(item);
      return;
    }
    const entry = { dueAt, item };
    if (place < 0) this.#up(this.#entries.push(entry) - 1, entry);
    else if (dueAt < this.#entries[place]!.dueAt) this.#up(place, entry);
    else this.#down(place, entry);
  }

  /** The earliest thing. */
  peek(): Entry<T> | null {
    return this.#entries[0] ?? null;
  }

  #remove(item: T): void {
    const { place } = item;
    item.place = -1;
    const last = this.#entries.pop()!;
    if (last.item === item) return;
    const { dueAt } = this.#entries[place]!;
    if (last.dueAt < dueAt) this.#up(place, last);
    else this.#down(place, last);
  }

  /** Puts an entry at a place or above it: entries on the way move down by one. */
  #up(from: number, entry: Entry<T>): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.#entries[above]!.dueAt <= entry.dueAt) break;
      this.#put(place, this.#entries[above]!);
      place = above;
    }
    this.#put(place, entry);
  }

  /** Puts an entry at a place or below it. */
  #down(from: number, entry: Entry<T>): void {
    const entries = this.#entries;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1]!.dueAt < entries[child]!.dueAt) child++;
      if (entries[child]!.dueAt >= entry.dueAt) break;
      this.#put(place, entries[child]!);
      place = child;
    }
    this.#put(place, entry);
  }

  #put(place: number, entry: Entry<T>): void {
    this.#entries[place] = entry;
    entry.item.place = place;
  }
}
