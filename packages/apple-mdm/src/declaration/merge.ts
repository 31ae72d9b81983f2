// Keeps a device's status: reports are incremental, and lists change by their items' identifiers.
import { isObject, type JsonObject } from './json.ts';
import type { StatusReportMessage } from './status.ts';

/**
 * Status items that let whoever has them act as the server (push magic, push token) or as support staff. They are left
 * out of the kept status; the report as it was sent has them, and is to be kept sealed.
 */
export const secretStatusItems: ReadonlySet<string> = new Set([
  'mdm.push-magic',
  'mdm.push-token',
  'management.push-token',
  'enhanced-logging.applecare-token',
]);

/** A device's status: value by name of the status item, as JSON has it. */
export type DeviceStatus = ReadonlyMap<string, unknown>;

/**
 * The status after a report. An item that is in the report replaces the one kept; a list of objects with identifiers is
 * merged by them, `_removed` takes one out. A full report replaces everything. Items with an error in the report lose
 * their value, since the device could not tell it.
 *
 * @example
 * status = mergeStatus(status, readStatusReport(message.data));
 */
export function mergeStatus(before: DeviceStatus, report: StatusReportMessage): DeviceStatus {
  const after = new Map(report.fullReport ? [] : before);
  for (const { statusItem } of report.errors) after.delete(statusItem);
  for (const [name, value] of report.items) {
    if (secretStatusItems.has(name)) continue;
    const kept = report.fullReport ? undefined : before.get(name);
    after.set(name, Array.isArray(value) ? mergeList(kept, value) : value);
  }
  return after;
}

const identifierOf = (item: unknown): string | undefined => {
  const identifier = isObject(item) && Object.hasOwn(item, 'identifier') ? item['identifier'] : undefined;
  return typeof identifier === 'string' ? identifier : undefined;
};

function mergeList(kept: unknown, reported: readonly unknown[]): readonly unknown[] {
  // A list of plain values, or of objects that nothing tells apart, is reported as a whole.
  if (!reported.every((item) => identifierOf(item) !== undefined)) return reported;
  const items = new Map<string, unknown>();
  for (const item of Array.isArray(kept) ? (kept as readonly unknown[]) : []) {
    const identifier = identifierOf(item);
    if (identifier !== undefined) items.set(identifier, item);
  }
  for (const item of reported) {
    const identifier = identifierOf(item) as string;
    const { _removed: removed, ...rest } = item as JsonObject;
    if (removed === true) items.delete(identifier);
    else items.set(identifier, rest);
  }
  return [...items.values()];
}
