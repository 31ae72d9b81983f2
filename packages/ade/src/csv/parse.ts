// Comma-separated values (RFC 4180), strictly, with the place of everything that is wrong.

/** A fault of a file. Rows count records from 1, the header being row 1, as spreadsheets show them; columns from 1. */
export interface CsvFault {
  /** Stable: `ade.csv.…`. */
  readonly code: string;
  readonly row: number;
  readonly column: number;
  readonly message: string;
}

/** A table, or its first fault. */
export type CsvTable =
  | { readonly rows: readonly (readonly string[])[]; readonly fault?: undefined }
  | { readonly fault: CsvFault };

/** Bounds of a file. */
export interface CsvLimits {
  readonly maxBytes: number;
  readonly maxRows: number;
  readonly maxColumns: number;
  readonly maxCell: number;
}

/**
 * Decodes UTF-8, with or without a byte order mark.
 * @returns the text, or the fault.
 */
export function decodeText(file: Uint8Array, maxBytes: number): string | CsvFault {
  const fault = (code: string, message: string, row = 1, column = 1): CsvFault => ({ code, row, column, message });
  if (file.length > maxBytes) return fault('ade.csv.too_large', `the file has more than ${maxBytes} bytes`);
  if ((file[0] === 0xff && file[1] === 0xfe) || (file[0] === 0xfe && file[1] === 0xff)) {
    return fault('ade.csv.encoding', 'the file is UTF-16; save it as CSV in UTF-8');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file);
  } catch {
    // Where it goes wrong: the first replacement character that lenient decoding makes and the file does not have.
    const text = new TextDecoder('utf-8').decode(file);
    const before = text.slice(0, Math.max(0, text.indexOf('\uFFFD')));
    const row = before.split('\n').length;
    const column = before.slice(before.lastIndexOf('\n') + 1).split(',').length;
    return fault('ade.csv.encoding', 'the text is not UTF-8; save the file as CSV in UTF-8', row, column);
  }
}

const comma = 0x2c;
const quote = 0x22;
const cr = 0x0d;
const lf = 0x0a;

/** Splits a text into rows of cells. Takes LF, CRLF and CR. Time is linear in the text's length. */
export function parseCsv(text: string, limits: CsvLimits): CsvTable {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  const fault = (code: string, message: string): CsvTable => ({
    fault: { code: `ade.csv.${code}`, row: rows.length + 1, column: row.length + 1, message },
  });
  for (;;) {
    let cell: string;
    if (text.charCodeAt(at) === quote) {
      const end = closing(text, at + 1);
      if (end < 0) return fault('quote', 'a quotation mark is opened and never closed');
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
      const next = text.charCodeAt(at);
      if (at < text.length && next !== comma && next !== cr && next !== lf) {
        return fault('quote', 'there is text after a closing quotation mark');
      }
    } else {
      const start = at;
      while (at < text.length && !isEnd(text.charCodeAt(at))) {
        if (text.charCodeAt(at) === quote) {
          return fault('quote', 'a quotation mark stands in a value that does not begin with one');
        }
        at++;
      }
      cell = text.slice(start, at);
    }
    if (cell.length > limits.maxCell) return fault('cell', `the value has more than ${limits.maxCell} characters`);
    if (hasControl(cell)) return fault('control', 'the value has control characters; is this a CSV file?');
    if (row.length >= limits.maxColumns) return fault('columns', `there are more than ${limits.maxColumns} columns`);
    row.push(cell);
    if (text.charCodeAt(at) === comma) {
      at++;
      continue;
    }
    rows.push(row);
    if (rows.length > limits.maxRows) {
      row = [];
      return {
        fault: { code: 'ade.csv.rows', row: rows.length, column: 1, message: `more than ${limits.maxRows} rows` },
      };
    }
    row = [];
    if (text.charCodeAt(at) === cr) at++;
    if (text.charCodeAt(at) === lf) at++;
    if (at >= text.length) return { rows };
  }
}

const isEnd = (code: number): boolean => code === comma || code === cr || code === lf;

/** Where the quotation ends that begins at `from`; doubled marks are part of it. */
function closing(text: string, from: number): number {
  let at = from;
  for (;;) {
    at = text.indexOf('"', at);
    if (at < 0 || text.charCodeAt(at + 1) !== quote) return at;
    at += 2;
  }
}

function hasControl(cell: string): boolean {
  for (let at = 0; at < cell.length; at++) {
    const code = cell.charCodeAt(at);
    if (code === 0x7f || (code < 0x20 && code !== 0x09 && code !== lf && code !== cr)) return true;
  }
  return false;
}
