// The devices page: the search box, in words or as an expression, and what it finds.
import type { DeviceRow } from '@espalier/core';
import { type EspalierErrorLike, isEspalierError } from '../errors.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { card, known, pager, state, table, when } from './layout.ts';
import type { View } from './routes.ts';

const PAGE_SIZE = 50;

/** `/`: all devices, or those that the search finds. */
export async function devicesPage(view: View): Promise<Response> {
  const text = (view.query.get('q') ?? '').slice(0, 10_000);
  const advanced = view.query.get('mode') === 'advanced';
  const retired = view.query.get('retired') === 'included';
  const after = view.query.get('after');
  try {
    const found = await view.engine.devices.list({
      limit: PAGE_SIZE,
      ...(text.trim() === '' ? {} : advanced ? { expression: text } : { basic: text }),
      ...(retired ? { excludeRetired: false } : {}),
      ...(after === null ? {} : { after }),
    });
    const count = found.total === 1 ? '1 device' : `${found.total.toLocaleString('en')} devices`;
    const query = {
      ...(text === '' ? {} : { q: text }),
      ...(advanced ? { mode: 'advanced' } : {}),
      ...(retired ? { retired: 'included' } : {}),
    };
    const rows = html`${table(
      'Devices',
      ['Name', 'Serial number', 'Model', 'System', 'Status', 'Last seen (UTC)'],
      found.items.map((row) => rowOf(view, row)),
      text === '' ? 'No device has enrolled yet.' : 'No device fits this search.',
    )}${pager(view.link('/'), { ...query, ...(after === null ? {} : { after }) }, found.next)}`;
    return view.show(
      'Devices',
      'devices',
      html`<h1>Devices</h1>
<p class="lead">${text === '' ? `${count} under management` : `${count} found`}</p>
${searchForm(view, text, advanced, retired)}${card('Devices', rows)}`,
    );
  } catch (error) {
    if (!isEspalierError(error) || !isAboutSearch(error)) throw error;
    return view.show(
      'Devices',
      'devices',
      html`<h1>Devices</h1><p class="lead">The search could not be read.</p>
${searchForm(view, text, advanced, retired)}${problemOf(error, text)}`,
      400,
    );
  }
}

/** What people call the device: the name that it reported last, or else its serial number. */
export function nameOf({ enrolment, facts }: DeviceRow): string {
  const reported = facts['ios.DeviceName'];
  if (typeof reported === 'string' && reported !== '') return reported;
  return enrolment.deviceName || enrolment.serialNumber || enrolment.id;
}

function rowOf(view: View, row: DeviceRow): HtmlValue[] {
  const { enrolment } = row;
  return [
    html`<a href="${view.link(`/devices/${encodeURIComponent(enrolment.id)}`)}">${nameOf(row)}</a>`,
    html`<span class="mono">${known(enrolment.serialNumber)}</span>`,
    known(modelOf(row)),
    known(systemOf(row)),
    state(enrolment.phase ?? enrolment.status),
    when(enrolment.lastSeenAt),
  ];
}

/** The model as people call it, where the device has said so. */
export function modelOf({ enrolment, facts }: DeviceRow): string | null {
  const name = facts['common.model_name'];
  return typeof name === 'string' && name !== '' ? name : (enrolment.productName ?? enrolment.model);
}

/** The system and its version, such as `iOS 17.2`. */
export function systemOf({ enrolment, facts }: DeviceRow): string {
  const platform = facts['common.platform'];
  return [typeof platform === 'string' ? platform : null, enrolment.osVersion].filter(Boolean).join(' ');
}

function searchForm(view: View, text: string, advanced: boolean, retired: boolean): Html {
  const clear = text !== '' && html` <a class="button plain" href="${view.link('/')}">Clear</a>`;
  return html`<section class="card" aria-label="Search"><div class="pad"><form class="search" role="search" action="${view.link('/')}">
<div class="grow"><label for="q">Search devices</label>
<input type="search" id="q" name="q" value="${text}" placeholder="a name, sn:C02…, or an expression" autocapitalize="off" autocomplete="off" spellcheck="false" aria-describedby="q-help"></div>
<fieldset><legend>Read it as</legend><div class="choice">
<label><input type="radio" name="mode" value="basic"${!advanced && html` checked`}> Words</label>
<label><input type="radio" name="mode" value="advanced"${advanced && html` checked`}> Expression</label>
<label><input type="checkbox" name="retired" value="included"${retired && html` checked`}> Retired ones too</label></div></fieldset>
<div><button>Search</button>${clear}</div>
</form><p class="note" id="q-help">An expression compares fields: <code class="mono wrap">"common.platform" = "iOS" AND "common.os_version" &gt;= "17"</code></p></div></section>
`;
}

function isAboutSearch(error: EspalierErrorLike): boolean {
  return error.code.startsWith('search.') && error.kind !== 'internal';
}

/** The fault in words, with the place marked in what was typed. */
function problemOf(error: EspalierErrorLike, text: string): Html {
  const { end, expected } = error as { end?: unknown; expected?: unknown };
  const offset = error.at?.offset;
  const stop = offset === undefined ? 0 : Math.max(offset + 1, typeof end === 'number' ? end : 0);
  // The place is shown in the text itself, which says it better than numbers do.
  const message = error.message.replace(/ \(line \d+, column \d+\)$/, '');
  const wanted = Array.isArray(expected) ? expected.filter((item) => typeof item === 'string') : [];
  return html`<div class="problem" role="alert"><p><strong>${message.slice(0, 1).toUpperCase()}${message.slice(1)}</strong></p>${
    offset !== undefined &&
    html`<pre>${text.slice(0, offset)}<mark>${text.slice(offset, stop) || ' … '}</mark>${text.slice(stop)}</pre><p class="soft">At character ${offset + 1}${wanted.length > 0 && `: expected ${wanted.slice(0, 5).join(', ')}`}.</p>`
  }${error.remedy !== undefined && html`<p>${error.remedy.slice(0, 1).toUpperCase()}${error.remedy.slice(1)}</p>`}</div>`;
}
