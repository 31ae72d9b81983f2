// A device's facts as people read them: grouped and named by the search catalogue, each in the form of its type.
import type { DeviceDetail, FactValue } from '@espalier/core';
import type { FieldType } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { type Html, type HtmlValue, html } from './html.ts';
import { fields, known, when, yesNo } from './layout.ts';

const GROUPS: Readonly<Record<string, string>> = {
  common: 'Device',
  ios: 'Apple',
  macos: 'macOS',
  user: 'User',
  apple_education: 'Education',
};

const SHORT_LIST = 8;

/** All facts of a device, group by group. */
export function factGroups({ facts }: DeviceDetail): Html {
  const groups = new Map<string, (readonly [string, HtmlValue])[]>();
  for (const [token, value] of Object.entries(facts)) {
    if (value === null) continue;
    const field = catalogue.get(token);
    const prefix = field?.category ?? (token.split('.')[0] as string);
    const group = GROUPS[prefix] ?? prefix;
    const name = field?.displayName ?? wordsOf(token);
    const shown = field?.sensitive ? html`<span class="soft">kept secret</span>` : factText(value, field?.type);
    groups.set(group, [...(groups.get(group) ?? []), [name, shown]]);
  }
  if (groups.size === 0) return html`<p class="empty">Nothing is known yet.</p>`;
  return html`${[...groups].map(
    ([group, entries], index) =>
      html`<details class="group"${index === 0 && html` open`}><summary>${group} <span class="soft">(${entries.length})</span></summary>${fields(
        entries.sort(([left], [right]) => (left < right ? -1 : 1)),
      )}</details>`,
  )}`;
}

/** A token that the catalogue does not have: `asset.room_number` reads as `Room number`. */
function wordsOf(token: string): string {
  const words = token.split('.').slice(1).join(' ').replaceAll('_', ' ') || token;
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function factText(value: FactValue, type: FieldType | undefined): HtmlValue {
  if (typeof value === 'boolean') return yesNo(value);
  if (typeof value === 'number') return numberText(value, type);
  if (typeof value === 'object' && value !== null) {
    return value.length === 0 ? known(null) : listText(value.map(String));
  }
  return known(value);
}

/** Long lists, such as every installed app, are folded. */
function listText(items: readonly string[]): HtmlValue {
  if (items.length <= SHORT_LIST) return items.join(', ');
  return html`<details><summary>${items.length} values</summary>${items.join(', ')}</details>`;
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;

function numberText(value: number, type: FieldType | undefined): HtmlValue {
  if (type === 'ts') return when(value);
  if (type === 'date') return html`<time>${new Date(value).toISOString().slice(0, 10)}</time>`;
  if (type === 'pct') return `${value} %`;
  if (type !== 'bytes') return value;
  // Decimal units, as Apple's systems show storage.
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${Number((value / 1000 ** step).toPrecision(4))} ${UNITS[step]}`;
}
