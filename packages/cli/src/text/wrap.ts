// Text in columns: wrapping, and tables that fit the terminal.

/** Breaks text into lines of at most `width` characters, at spaces; a longer word is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(/\s+/)) {
    while (word.length > width) {
      if (line !== '') lines.push(line);
      lines.push(word.slice(0, width));
      line = '';
      word = word.slice(width);
    }
    if (line === '') line = word;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** Text with every line, also the wrapped ones, behind an indent. */
export function paragraph(text: string, columns: number, indent = 0): string {
  const space = ' '.repeat(indent);
  return wrap(text, columns - indent)
    .map((line) => space + line)
    .join('\n');
}

const gap = 2;

/**
 * A table whose last column wraps. The other columns are as wide as they need to be, up to `most` each; a longer cell
 * pushes the rest of its row to the next line.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  most: readonly number[],
): string {
  const last = head.length - 1;
  const widths = head.slice(0, last).map((title, i) => {
    const needed = Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length));
    return Math.min(needed, most[i] ?? needed);
  });
  const start = widths.reduce((sum, width) => sum + width + gap, 0);
  const lines: string[] = [];
  for (const row of [head, ...rows]) {
    let line = '';
    let column = 0;
    for (let i = 0; i < last; i++) {
      const cell = row[i] ?? '';
      // A cell that is too long for its column keeps the line to itself.
      if (column > 0 && line.length >= column) {
        lines.push(line);
        line = '';
      }
      if (cell !== '') line = line.padEnd(column) + cell;
      column += (widths[i] as number) + gap;
    }
    const notes = row[last] ?? '';
    if (notes === '') {
      lines.push(line.trimEnd());
      continue;
    }
    if (line.length >= start) {
      lines.push(line);
      line = '';
    }
    for (const part of wrap(notes, Math.max(20, columns - start))) {
      lines.push((line.padEnd(start) + part).trimEnd());
      line = '';
    }
  }
  return lines.join('\n');
}
