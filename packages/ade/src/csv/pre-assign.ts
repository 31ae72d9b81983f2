// Pre-assignment of devices by CSV (ABM-6): serial numbers, and attributes that devices get when they enrol.
import { type CsvFault, decodeText, parseCsv } from './parse.ts';
import { type AttributeType, type AttributeValue, readValue } from './values.ts';

/** A custom attribute of devices. */
export interface DeviceAttribute {
  /** The column's heading must be the same, letter by letter. */
  readonly name: string;
  readonly type: AttributeType;
}

/** What a file is checked against. */
export interface PreAssignmentOptions {
  /** The custom attributes that there are. */
  readonly attributes: readonly DeviceAttribute[];
  /** Whether the chosen profile makes Shared iPads. */
  readonly multiUser?: boolean;
  /** Whether a serial number is one of this server's, as Apple lists them. Left out: every one is. */
  readonly isKnownSerial?: (serial: string) => boolean;
  /** Name of the attribute with the Managed Apple Account. */
  readonly managedAppleIdAttribute?: string;
  /** Name of the attribute with the device cart. With a Shared iPad profile the column is needed, and a cart in each row. */
  readonly cartAttribute?: string;
  /** Attributes that need a column, and a value in each row. */
  readonly required?: readonly string[];
  /** What is wrong with a value, beside its type; undefined for nothing. */
  readonly check?: (attribute: string, value: AttributeValue) => string | undefined;
  /** Devices in a file. Default 5,000. */
  readonly maxDevices?: number;
}

/** What a row says of a device. */
export interface PreAssignment {
  readonly serial: string;
  /** Values to stage. */
  readonly set: ReadonlyMap<string, AttributeValue>;
  /** Attributes that are removed: their column is there, and this row's cell is empty. */
  readonly clear: readonly string[];
}

/** A fault in a table, or something worth a look. */
export interface PreAssignmentProblem extends CsvFault {
  /** Heading of the column, where there is one. */
  readonly heading?: string;
}

/** The whole file, or why none of it. */
export type PreAssignmentResult =
  | {
      readonly ok: true;
      readonly devices: readonly PreAssignment[];
      /** The attributes that the file speaks of; others are left as they are. */
      readonly attributes: readonly string[];
      readonly warnings: readonly PreAssignmentProblem[];
    }
  | {
      readonly ok: false;
      /** The first hundred. */
      readonly problems: readonly PreAssignmentProblem[];
      /** How many more there are. */
      readonly more: number;
    };

const maxProblems = 100;
const serialHeading = /^(?:device[ _])?serial(?:[ _]?(?:number|no\.?))?s?$/i;
/** Columns of Apple's export that say nothing. */
const ignoredHeadings = new Set(['device_type', 'device type', 'model', 'product_type']);
const serialForm = /^[A-Za-z0-9]{8,14}$/;
const limits = { maxBytes: 8 * 1024 * 1024, maxColumns: 200, maxCell: 4096 };

/**
 * Reads a pre-assignment file: serial numbers in the first column, one column for each attribute that is to be set.
 *
 * A file is taken whole or not at all. An attribute whose column is there and whose cell is empty is removed from that
 * device; one without a column is left alone. `DEVICE_TYPE` and `MODEL`, as Apple's export has them, are passed over
 * with a warning.
 *
 * @param file CSV in UTF-8, with or without byte order mark.
 * @example
 * const result = readPreAssignment(bytes, { attributes: [{ name: 'ManagedAppleID', type: 'string' }] });
 * if (!result.ok) show(result.problems); // each with row, column and message
 */
export function readPreAssignment(file: Uint8Array | string, options: PreAssignmentOptions): PreAssignmentResult {
  const maxDevices = options.maxDevices ?? 5000;
  const bytes = typeof file === 'string' ? Buffer.from(file) : file;
  const text = decodeText(bytes, limits.maxBytes);
  if (typeof text !== 'string') return { ok: false, problems: [text], more: 0 };
  // A blank line more than devices is told from one device too many only after the blank ones are left out.
  const table = parseCsv(text, { ...limits, maxRows: 2 * maxDevices + 100 });
  if (table.fault) return { ok: false, problems: [located(table.fault)], more: 0 };
  return new Reader(table.rows, options, maxDevices).read();
}

const located = (fault: CsvFault): PreAssignmentProblem => ({
  ...fault,
  message: `row ${fault.row}, column ${fault.column}: ${fault.message}`,
});

class Reader {
  readonly #rows: readonly (readonly string[])[];
  readonly #options: PreAssignmentOptions;
  readonly #maxDevices: number;
  readonly #problems: PreAssignmentProblem[] = [];
  readonly #warnings: PreAssignmentProblem[] = [];
  #more = 0;

  constructor(rows: readonly (readonly string[])[], options: PreAssignmentOptions, maxDevices: number) {
    this.#rows = rows;
    this.#options = options;
    this.#maxDevices = maxDevices;
  }

  read(): PreAssignmentResult {
    const columns = this.#columns();
    const devices: PreAssignment[] = [];
    // With a header that is wrong, every row would be.
    if (columns !== undefined) this.#readRows(columns, devices);
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems, more: this.#more };
    const attributes = (columns ?? []).flatMap((column) => (column === undefined ? [] : [column.name]));
    return { ok: true, devices, attributes, warnings: this.#warnings };
  }

  #report(code: string, row: number, column: number, message: string, warning = false): void {
    const heading = this.#rows[0]?.[column - 1]?.trim();
    const where = heading ? `row ${row}, column ${column} (${heading.slice(0, 60)})` : `row ${row}, column ${column}`;
    const list = warning ? this.#warnings : this.#problems;
    if (list.length >= maxProblems) {
      if (!warning) this.#more++;
      return;
    }
    list.push({ code: `ade.csv.${code}`, row, column, message: `${where}: ${message}`, ...(heading && { heading }) });
  }

  /** The attribute of each column; undefined for the first and those that are passed over. */
  #columns(): readonly (DeviceAttribute | undefined)[] | undefined {
    const header = this.#rows[0] ?? [''];
    if (header.length === 1 && header[0]!.trim() === '') {
      this.#report('empty', 1, 1, 'the file has no header row');
      return undefined;
    }
    if (!serialHeading.test(header[0]!.trim())) {
      const separated = header.length === 1 && /[;\t]/.test(header[0]!);
      const hint = separated
        ? 'the values are separated by something other than commas'
        : 'the first column must be the serial number, with the heading "serial number"';
      this.#report(separated ? 'separator' : 'serial_column', 1, 1, hint);
      return undefined;
    }
    const byName = new Map(this.#options.attributes.map((attribute) => [attribute.name, attribute]));
    const seen = new Set<string>();
    const columns = header.map((heading, index) => {
      if (index === 0) return undefined;
      const name = heading.trim();
      const column = index + 1;
      if (ignoredHeadings.has(name.toLowerCase()) && !byName.has(name)) {
        this.#report('ignored_column', 1, column, 'this column of Apple’s export is passed over', true);
        return undefined;
      }
      const attribute = byName.get(name);
      if (attribute === undefined) this.#unknownColumn(name, column);
      else if (seen.has(name)) this.#report('repeated_column', 1, column, 'the column is there twice');
      seen.add(name);
      return attribute;
    });
    for (const name of this.#options.required ?? []) {
      if (!seen.has(name)) this.#report('missing_column', 1, 1, `the column "${name}" is needed`);
    }
    const { cartAttribute: cart, multiUser = false } = this.#options;
    if (cart !== undefined && multiUser && !seen.has(cart)) {
      this.#report('cart_column', 1, 1, `for Shared iPads with carts the column "${cart}" is needed`);
    }
    if (cart !== undefined && !multiUser && seen.has(cart)) {
      const column = columns.findIndex((item) => item?.name === cart) + 1;
      this.#report('cart_profile', 1, column, 'carts are for profiles of Shared iPads; the chosen profile makes none');
    }
    return this.#problems.length > 0 ? undefined : columns;
  }

  #unknownColumn(name: string, column: number): void {
    if (name === '') {
      this.#report('heading', 1, column, 'the column has no heading');
      return;
    }
    const near = this.#options.attributes.find((item) => item.name.toLowerCase() === name.toLowerCase());
    const hint = near ? `; the attribute is called "${near.name}", and every letter counts` : '';
    this.#report('unknown_column', 1, column, `there is no device attribute with this name${hint}`);
  }

  #readRows(columns: readonly (DeviceAttribute | undefined)[], devices: PreAssignment[]): void {
    const seen = new Map<string, number>();
    for (const [index, cells] of this.#rows.entries()) {
      const row = index + 1;
      if (row === 1 || (cells.length === 1 && cells[0]!.trim() === '')) continue; // blank lines say nothing
      if (devices.length >= this.#maxDevices) {
        this.#report('too_many', row, 1, `a file has at most ${this.#maxDevices} devices`);
        return;
      }
      if (cells.length !== columns.length) {
        const [count, wanted] = [cells.length, columns.length];
        const column = Math.min(count, wanted) + (count > wanted ? 1 : 0);
        this.#report('cells', row, column, `the row has ${count} values where the header has ${wanted}`);
        continue;
      }
      const serial = this.#serial(cells[0]!.trim(), row, seen);
      const values = this.#values(cells, columns, row);
      devices.push({ serial, ...values });
    }
    if (devices.length === 0 && this.#problems.length === 0) this.#report('empty', 2, 1, 'the file names no device');
  }

  #serial(serial: string, row: number, seen: Map<string, number>): string {
    const before = seen.get(serial.toUpperCase());
    if (serial === '') this.#report('serial', row, 1, 'the serial number is missing');
    else if (!serialForm.test(serial)) this.#report('serial', row, 1, 'this is no serial number');
    else if (before !== undefined) this.#report('repeated_serial', row, 1, `the device is in row ${before}, too`);
    else if (this.#options.isKnownSerial?.(serial) === false) {
      this.#report('unknown_serial', row, 1, 'the device is not assigned to this server');
    }
    seen.set(serial.toUpperCase(), row);
    return serial;
  }

  #values(
    cells: readonly string[],
    columns: readonly (DeviceAttribute | undefined)[],
    row: number,
  ): Omit<PreAssignment, 'serial'> {
    const { managedAppleIdAttribute: maid, cartAttribute: cart, multiUser = false } = this.#options;
    const set = new Map<string, AttributeValue>();
    const clear: string[] = [];
    for (const [index, attribute] of columns.entries()) {
      if (attribute === undefined) continue;
      const column = index + 1;
      const text = cells[index]!.trim();
      const education = attribute.name === maid || attribute.name === cart;
      if (text === '') {
        clear.push(attribute.name);
        if (this.#options.required?.includes(attribute.name))
          this.#report('value', row, column, 'the value is missing');
        if (attribute.name === cart && multiUser) this.#report('cart', row, column, 'each Shared iPad needs a cart');
        continue;
      }
      const value = readValue(text, education ? 'string' : attribute.type);
      if (value === undefined) this.#report('value', row, column, `the value is no ${attribute.type}`);
      else {
        set.set(attribute.name, value);
        const fault = this.#options.check?.(attribute.name, value);
        if (fault !== undefined) this.#report('check', row, column, fault);
      }
      if (attribute.name === maid && !/^[^@\s]+@[^@\s]+$/.test(text)) {
        this.#report('managed_apple_id', row, column, 'the value does not look like a Managed Apple Account', true);
      }
    }
    return { set, clear };
  }
}
