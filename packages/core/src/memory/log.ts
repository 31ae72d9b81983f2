// A long list that grows at its end and is pruned at its beginning, in columns: its rows are no objects of their own, so
// that the collector has nothing to copy or to walk through for each of them.

/** Rows in a chunk. */
export const CHUNK = 1_024;

/** Rows numbered from 0 in the order in which they came, in chunks that hold a column each of what a row has. */
export class Log<Columns> {
  readonly #make: () => Columns;
  readonly #chunks: Columns[] = [];
  /** The number of the first row that is there. */
  first = 0;
  /** The number that the next row will have. */
  end = 0;

  constructor(make: () => Columns) {
    this.#make = make;
  }

  /** Makes place for a row; returns its number. */
  add(): number {
    if (this.end % CHUNK === 0) this.#chunks.push(this.#make());
    return this.end++;
  }

  /** The chunk that a row is in, at the place {@link slotOf} tells. */
  columns(row: number): Columns {
    return this.#chunks[Math.floor(row / CHUNK) - Math.floor(this.first / CHUNK)]!;
  }

  /** Takes the first row out. */
  take(): void {
    this.first++;
    if (this.first % CHUNK === 0) this.#chunks.shift();
  }
}

/** A row's place in its chunk. */
export function slotOf(row: number): number {
  return row % CHUNK;
}
