// Reads the status reports that devices send for declarative management.
import { MdmError } from '../errors.ts';
import type { StatusItems } from '../generated/types-status.ts';
import type { MessageLimits } from '../keys.ts';
import { optional } from '../optional.ts';
import { schema } from '../schema/catalogue.ts';
import { typedValue } from '../typed.ts';
import { compileItem } from '../validate/compile.ts';
import { statusPrefixes } from '../validate/declaration.ts';
import { validate } from '../validate/validate.ts';
import { isObject, type JsonObject, readObject } from './json.ts';

/** Why a device could not tell a status item. */
export interface StatusError {
  /** The status item's name. */
  readonly statusItem: string;
  readonly reasons: readonly {
    readonly code: string;
    readonly description?: string;
    readonly details?: JsonObject;
  }[];
}

/** A status report that was read. */
export interface StatusReportMessage {
  /** Name -> value as sent, for every status item, e.g. `device.operating-system.version`. */
  readonly items: ReadonlyMap<string, unknown>;
  readonly errors: readonly StatusError[];
  /** True: items that are not in the report have no value. False: they have not changed. */
  readonly fullReport: boolean;
  /** The whole as decoded. */
  readonly value: JsonObject;
  /** The bytes as they were sent. */
  readonly raw: Uint8Array;
}

const own = (value: JsonObject, key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);

function bad(path: string, wanted: string): MdmError {
  return new MdmError('mdm.declaration.bad_key', `${path} is not ${wanted}`, { at: { path } });
}

/**
 * Reads a status report (JSON), as `DeclarativeManagement` brings it in `data`. Items that the schema does not know are
 * in `items` as well, by the longest name that can be told apart.
 *
 * @throws MdmError `mdm.declaration.not_json`, `mdm.too_large`, `mdm.too_complex`, `mdm.declaration.missing_key`,
 *   `mdm.declaration.bad_key`
 * @example
 * const report = readStatusReport(message.data);
 * statusValue('device.operating-system.version', report); // string | undefined
 */
export function readStatusReport(bytes: Uint8Array, limits?: MessageLimits): StatusReportMessage {
  const value = readObject(bytes, limits);
  const given = own(value, 'StatusItems');
  if (given === undefined) {
    throw new MdmError('mdm.declaration.missing_key', '/StatusItems is missing', { at: { path: '/StatusItems' } });
  }
  if (!isObject(given)) throw bad('/StatusItems', 'an object');
  const fullReport = own(value, 'FullReport') ?? false;
  if (typeof fullReport !== 'boolean') throw bad('/FullReport', 'a boolean');
  const items = new Map<string, unknown>();
  collect(items, given, '', statusPrefixes());
  return { items, errors: readErrors(own(value, 'Errors')), fullReport, value, raw: bytes };
}

/** Names are dotted; a report nests by the dots. What no item's name begins with is an item itself. */
function collect(items: Map<string, unknown>, value: JsonObject, name: string, inner: ReadonlySet<string>): void {
  for (const [key, child] of Object.entries(value)) {
    const full = name === '' ? key : `${name}.${key}`;
    if (schema.status(full) === undefined && inner.has(full) && isObject(child)) collect(items, child, full, inner);
    else items.set(full, child);
  }
}

function readErrors(value: unknown): readonly StatusError[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw bad('/Errors', 'an array');
  return value.map((item: unknown, index) => {
    const path = `/Errors/${index}`;
    const statusItem = isObject(item) ? own(item, 'StatusItem') : undefined;
    if (!isObject(item) || typeof statusItem !== 'string') throw bad(`${path}/StatusItem`, 'a string');
    const reasons = own(item, 'Reasons') ?? [];
    if (!Array.isArray(reasons)) throw bad(`${path}/Reasons`, 'an array');
    return { statusItem, reasons: reasons.map((reason: unknown) => readReason(reason, path)) };
  });
}

function readReason(value: unknown, path: string): StatusError['reasons'][number] {
  const code = isObject(value) ? own(value, 'Code') : undefined;
  if (!isObject(value) || typeof code !== 'string') throw bad(`${path}/Reasons`, 'a list of reasons with a Code');
  const description = own(value, 'Description');
  const details = own(value, 'Details');
  return {
    code,
    ...optional('description', typeof description === 'string' ? description : undefined),
    ...optional('details', isObject(details) ? details : undefined),
  };
}

/**
 * The value of one status item, typed and checked; `undefined` when it is not in the report.
 *
 * @throws MdmError `mdm.declaration.bad_key`, `mdm.declaration.missing_key` with the path of what is not as the schema
 *   has it
 * @example
 * statusValue('passcode.is-present', report); // boolean | undefined
 */
export function statusValue<T extends keyof StatusItems & string>(
  name: T,
  report: StatusReportMessage,
): StatusItems[T] | undefined {
  const item = schema.status(name);
  const given = report.items.get(name);
  if (item === undefined || given === undefined) return undefined;
  const wrong = validate('status', given, null, { name }).find((issue) => issue.severity === 'error');
  const root = `/StatusItems/${name.replaceAll('.', '/')}`;
  if (wrong !== undefined) {
    const code = wrong.code === 'key.missing' ? 'mdm.declaration.missing_key' : 'mdm.declaration.bad_key';
    const path = wrong.path === '/' ? root : `${root}${wrong.path}`;
    throw new MdmError(code, `${path} ${wrong.message}`, { at: { path }, remedy: 'read report.items' });
  }
  const node = compileItem(item).fields.byName.get(item.keys[0]?.key ?? '');
  return typedValue(node, given, 'json') as StatusItems[T];
}
