// What the demo draws: a progress bar for each phase, and tables.
import { stripVTControlCharacters } from 'node:util';

/** Shows how far a phase is; a line that is redrawn on a terminal, one line per phase elsewhere. */
export interface Progress {
  /** Sets how much is done, and an optional remark. */
  at(done: number, remark?: string): void;
  /** Ends the phase. */
  end(remark?: string): void;
}

/** Draws on `stream`; `quiet` draws nothing (for `--json`). */
export function createScreen(stream: NodeJS.WriteStream, quiet: boolean) {
  const live = stream.isTTY === true && !quiet;

  function progress(title: string, total: number): Progress {
    const started = performance.now();
    let done = 0;
    let remark = '';
    let drawn = 0;
    const draw = (force: boolean): void => {
      const now = performance.now();
      if (!live || (!force && now - drawn < 50)) return;
      drawn = now;
      const width = 28;
      const filled = total === 0 ? width : Math.round((Math.min(done, total) / total) * width);
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
      stream.write(`\r\x1b[2K  ${title.padEnd(22)} ${bar} ${String(done).padStart(5)}/${total}  ${remark}`);
    };
    draw(true);
    return {
      at(value, text) {
        done = value;
        if (text !== undefined) remark = text;
        draw(false);
      },
      end(text) {
        remark = `${((performance.now() - started) / 1000).toFixed(1)} s${text ? `  ${text}` : ''}`;
        if (live) {
          draw(true);
          stream.write('\n');
        } else if (!quiet) {
          stream.write(`  ${title.padEnd(22)} ${done}/${total}  ${remark}\n`);
        }
      },
    };
  }

  function line(text = ''): void {
    if (!quiet) stream.write(`${text}\n`);
  }

  /** Prints rows under headings; columns named in `right` are aligned to the right. */
  function table(
    headings: readonly string[],
    rows: readonly (readonly string[])[],
    right: readonly number[] = [],
  ): void {
    const all = [headings, ...rows];
    const widths = headings.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? ''))));
    const render = (row: readonly string[]): string =>
      row
        .map((cell, i) => {
          const gap = ' '.repeat(widths[i]! - visible(cell));
          return right.includes(i) ? gap + cell : cell + gap;
        })
        .join('  ')
        .trimEnd();
    line(`  ${render(headings)}`);
    line(`  ${widths.map((width) => '─'.repeat(width)).join('  ')}`);
    for (const row of rows) line(`  ${render(row)}`);
  }

  return { progress, line, table };
}

function visible(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
