// One item of the catalogue as text for a terminal.
import { formatTarget, objectionsTo, type SchemaItem, type SchemaKind, type Target } from '@espalier/apple-mdm';
import { paragraph, table } from '../text/wrap.ts';
import { keyRows, type Missing, nestedRules, ruleLines } from './keys.ts';
import { availabilityRows } from './support.ts';

/** What a kind is called. */
export const kindNames: Readonly<Record<SchemaKind, string>> = {
  command: 'MDM command',
  checkin: 'check-in message',
  profile: 'profile payload',
  declaration: 'declaration',
  credential: 'credential asset data',
  protocol: 'declarative management message',
  status: 'status item',
  error: 'error response',
  other: 'schema object',
};

/** What the keys of a kind are, and what the keys of its answer are. */
const keyTitles: Readonly<Record<SchemaKind, readonly [string, string]>> = {
  command: ['Keys of the command', "Keys of the device's response"],
  checkin: ['Keys of the message', "Keys of the server's reply"],
  profile: ['Keys of the payload', ''],
  declaration: ['Keys of Payload', ''],
  credential: ['Keys', ''],
  protocol: ['Keys', ''],
  status: ['Value', ''],
  error: ['Keys of the body', ''],
  other: ['Keys', ''],
};

const keyHead = ['KEY', 'TYPE', 'NEED', 'NOTES'];
const keyWidths = [30, 13, 4];

function missingText(missing: readonly Missing[], target: Target, columns: number): string {
  const byReason = new Map<string, Map<string, string[]>>();
  for (const { within, key, objections } of missing) {
    const reason = objections.map((one) => one.reason).join('; ');
    const groups = byReason.get(reason) ?? new Map<string, string[]>();
    groups.set(within, [...(groups.get(within) ?? []), key]);
    byReason.set(reason, groups);
  }
  const groups = [...byReason].map(([reason, places]) => {
    const lines = [...places].map(([within, keys]) =>
      paragraph((within === '' ? '' : `${within}: `) + keys.join(', '), columns, 4),
    );
    return [paragraph(reason, columns, 2), ...lines].join('\n');
  });
  return `Not for ${formatTarget(target)}\n${groups.join('\n')}`;
}

function keysText(
  title: string,
  keys: SchemaItem['keys'],
  item: SchemaItem,
  target: Target | undefined,
  columns: number,
): string[] {
  if (keys.length === 0) return [`${title}: none`];
  const { rows, missing } = keyRows(keys, item.supportedOS, target);
  const parts: string[] = [];
  if (rows.length > 0) parts.push(`${title}\n${table(keyHead, rows, columns, keyWidths)}`);
  if (missing.length > 0 && target !== undefined) parts.push(missingText(missing, target, columns));
  return parts;
}

function targetText(item: SchemaItem, target: Target, columns: number): string {
  const objections = objectionsTo(item.supportedOS, target);
  const verdict = objections.length === 0 ? 'available' : objections.map((one) => one.reason).join('; ');
  return paragraph(`For ${formatTarget(target)}: ${verdict}.`, columns);
}

/** The whole text of one item. */
export function itemText(
  kind: SchemaKind,
  item: SchemaItem,
  target: Target | undefined,
  columns: number,
  common: SchemaItem | undefined,
): string {
  const named = [kindNames[kind], item.title, item.variant].filter((part) => part !== undefined && part !== '');
  const facts = [item.apply === undefined ? '' : `several declarations: ${item.apply}`, item.beta ? 'beta' : ''];
  const head = [
    item.id,
    paragraph(named.join(' - '), columns),
    paragraph([`${item.file} (${item.level})`, ...facts].filter((part) => part !== '').join('; '), columns),
  ];
  const parts = [head.join('\n')];
  const rows = availabilityRows(item.supportedOS);
  if (rows.length > 0) parts.push(table(['PLATFORM', 'FROM', 'DEPRECATED', 'REMOVED', 'NOTES'], rows, columns, []));
  if (target !== undefined) parts.push(targetText(item, target, columns));
  const [keysTitle, repliesTitle] = keyTitles[kind];
  parts.push(...keysText(keysTitle, item.keys, item, target, columns));
  const rules = [...ruleLines(item.rules), ...nestedRules(item.keys)];
  if (rules.length > 0) parts.push(`Rules\n${rules.map((rule) => paragraph(rule, columns, 2)).join('\n')}`);
  if (repliesTitle !== '') parts.push(...keysText(repliesTitle, item.replies ?? [], item, target, columns));
  if (common !== undefined) {
    const names = common.keys.map((key) => (key.presence === 'required' ? `${key.key} (required)` : key.key));
    parts.push(`Every payload also has\n${paragraph(names.join(', '), columns, 2)}`);
  }
  if (item.reasons !== undefined) {
    const values = item.reasons.map((reason) => reason.value);
    parts.push(`Reason codes\n${paragraph(values.join(', '), columns, 2)}`);
  }
  if (item.related !== undefined) parts.push(`Status items\n${paragraph(item.related.join(', '), columns, 2)}`);
  return parts.join('\n\n');
}
