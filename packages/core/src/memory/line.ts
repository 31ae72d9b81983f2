// A line of things: who came first is taken first, each in the same short time however long the line is.

/** Things in the order in which they came. */
export class Line<T> {
  #items: (T | null)[] = [];
  #taken = 0;

  add(item: T): void {
    this.#items.push(item);
  }

  /** The first thing. */
  first(): T | null {
    return this.#items[this.#taken] ?? null;
  }

  /** Takes the first thing out. */
  take(): void {
    if (this.#taken >= this.#items.length) return;
    this.#items[this.#taken++] = null;
    // The places of those who are gone are given up when they are half of all.
    if (this.#taken < 1_024 || this.#taken * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#taken);
    this.#taken = 0;
  }
}
