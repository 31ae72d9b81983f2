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
  const after = view.query.get('after');
  try {
    const found = await view.engine.devices.list({
      limit: PAGE_SIZE,
      ...(text.trim() === '' ? {} : advanced ? { expression: text } : { basic: text }),
      ...(after === null ? {} : { after }),
    });
    const count = found.total === 1 ? '1 device' : `${found.total.toLocaleString('en')} devices`;
    const query = { ...(text === '' ? {} : { q: text }), ...(advanced ? { mode: 'advanced' } : {}) };
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
${searchForm(view, text, advanced)}${card('Devices', rows)}`,
    );
  } catch (error) {
    if (!isEspalierError(error) || !isAboutSearch(error)) throw error;
    return view.show(
      'Devices',
      'devices',
      html`<h1>Devices</h1><p class="lead">The search could not be read.</p>
${searchForm(view, text, advanced)}${problemOf(error, text)}`,
      400,
    );
  }
}

function rowOf(view: View, { enrolment, facts }: DeviceRow): HtmlValue[] {
  const name = enrolment.deviceName ?? enrolment.serialNumber ?? enrolment.id;
  const platform = facts['common.platform'];
  const system = [typeof platform === 'string' ? platform : null, enrolment.osVersion].filter(Boolean).join(' ');
  return [
    html`<a href="${view.link(`/devices/${encodeURIComponent(enrolment.id)}`)}">${name}</a>`,
    html`<span class="mono">${known(enrolment.serialNumber)}</span>`,
    known(enrolment.productName ?? enrolment.model),
    known(system),
    state(enrolment.status),
    when(enrolment.lastSeenAt),
  ];
}

function searchForm(view: View, text: string, advanced: boolean): Html {
  const clear = text !== '' && html` <a class="button plain" href="${view.link('/')}">Clear</a>`;
  return html`<section class="card" aria-label="Search"><div class="pad"><form class="search" role="search" action="${view.link('/')}">
<div class="grow"><label for="q">Search devices</label>
<input type="search" id="q" name="q" value="${text}" placeholder="a name, sn:C02…, or an expression" autocapitalize="off" autocomplete="off" spellcheck="false" aria-describedby="q-help"></div>
<fieldset><legend>Read it as</legend><div class="choice">
<label><input type="radio" name="mode" value="basic"${!advanced && html` checked`}> Words</label>
<label><input type="radio" name="mode" value="advanced"${advanced && html` checked`}> Expression</label></div></fieldset>
<div><button>Search</button>${clear}</div>
</form><p class="note" id="q-help">An expression compares fields: <code class="mono wrap">"common.platform" = "iOS" AND "common.os_version" &gt;= "17"</code></p></div></section>
`;
}

function isAboutSearch(error: EspalierErrorLike): boolean {
  return error.code.startsWith('search.') && error.kind !== 'internal';
}

/** The fault in words, with the place marked in what was typed. */
function problemOf(error: EspalierErrorLike, text: string): Html {
  const offset = error.at?.offset;
  const end = (error as { end?: unknown }).end;
  const stop = offset === undefined ? 0 : Math.max(offset + 1, typeof end === 'number' ? end : 0);
  const marked =
    offset === undefined
      ? null
      : html`<pre>${text.slice(0, offset)}<mark>${text.slice(offset, stop) || '␣'}</mark>${text.slice(stop)}</pre>`;
  const place = error.at?.column === undefined ? null : html`<p class="soft">At character ${(offset ?? 0) + 1}.</p>`;
  return html`<div class="problem" role="alert"><p><strong>${error.message}</strong></p>${marked}${place}${
    error.remedy !== undefined && html`<p>${error.remedy}</p>`
  }</div>`;
}
