// A min-heap of things that are due; each thing is in it at most once, and its time may change.

/** Things by due time. */
export class DueHeap<T> {
  readonly #entries: { dueAt: number; readonly item: T }[] = [];
  readonly #places = new Map<T, number>();

  /** Makes a thing due at a time, or not at all. */
  set(item: T, dueAt: number | null): void {
    const place = this.#places.get(item);
    if (dueAt === null) {
      if (place !== undefined) this.#remove(place);
    } else if (place === undefined) {
      this.#entries.push({ dueAt, item });
      this.#places.set(item, this.#entries.length - 1);
      this.#up(this.#entries.length - 1);
    } else {
      this.#entries[place]!.dueAt = dueAt;
      this.#up(place);
      this.#down(this.#places.get(item)!);
    }
  }

  /** The earliest thing. */
  peek(): { readonly dueAt: number; readonly item: T } | null {
    return this.#entries[0] ?? null;
  }

  #remove(place: number): void {
    const last = this.#entries.length - 1;
    this.#swap(place, last);
    const gone = this.#entries.pop();
    if (gone !== undefined) this.#places.delete(gone.item);
    if (place < last) {
      const moved = this.#entries[place]!.item;
      this.#up(place);
      this.#down(this.#places.get(moved)!);
    }
  }

  #up(from: number): void {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#due(parent) <= this.#due(i)) return;
      this.#swap(parent, i);
      i = parent;
    }
  }

  #down(from: number): void {
    let i = from;
    for (;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.#entries.length && this.#due(child) < this.#due(least)) least = child;
      }
      if (least === i) return;
      this.#swap(least, i);
      i = least;
    }
  }

  #due(place: number): number {
    return this.#entries[place]!.dueAt;
  }

  #swap(a: number, b: number): void {
    const entries = this.#entries;
    [entries[a], entries[b]] = [entries[b]!, entries[a]!];
    this.#places.set(entries[a]!.item, a);
    this.#places.set(entries[b]!.item, b);
  }
}
