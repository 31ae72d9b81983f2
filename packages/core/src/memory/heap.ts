// A min-heap of things that are due, with lazy removal: an entry whose time no longer is its thing's is skipped.

/** Things by due time. */
export class DueHeap<T> {
  readonly #entries: { dueAt: number; item: T }[] = [];
  readonly #dueOf: (item: T) => number | null;

  constructor(dueOf: (item: T) => number | null) {
    this.#dueOf = dueOf;
  }

  push(item: T, dueAt: number): void {
    const entries = this.#entries;
    entries.push({ dueAt, item });
    let i = entries.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (entries[parent]!.dueAt <= entries[i]!.dueAt) break;
      [entries[parent], entries[i]] = [entries[i]!, entries[parent]!];
      i = parent;
    }
  }

  /** The earliest thing that still is due at its entry's time. */
  peek(): { readonly dueAt: number; readonly item: T } | null {
    for (;;) {
      const top = this.#entries[0];
      if (top === undefined) return null;
      if (this.#dueOf(top.item) === top.dueAt) return top;
      this.pop();
    }
  }

  /** Takes the top entry off. */
  pop(): void {
    const entries = this.#entries;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return;
    entries[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < entries.length && entries[left]!.dueAt < entries[least]!.dueAt) least = left;
      if (right < entries.length && entries[right]!.dueAt < entries[least]!.dueAt) least = right;
      if (least === i) return;
      [entries[least], entries[i]] = [entries[i]!, entries[least]!];
      i = least;
    }
  }
}
