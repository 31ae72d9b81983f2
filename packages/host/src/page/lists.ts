// The pages of labels, configurations and events.
import { unknown } from '../api/devices.ts';
import { watchList } from '../api/watchlist.ts';
import { bytes } from '../http/respond.ts';
import { type Html, html } from './html.ts';
import { card, known, pager, state, table, when } from './layout.ts';
import type { View } from './routes.ts';

const PAGE_SIZE = 50;

const number = (name: string) => ({ name, number: true }) as const;

function pageOf(view: View) {
  const after = view.query.get('after');
  return {
    request: { limit: PAGE_SIZE, ...(after === null ? {} : { after }) },
    query: after === null ? {} : { after },
  };
}

function deviceAnchor(view: View, id: string, name: string | null = null): Html {
  return html`<a class="${name === null ? 'mono wrap' : ''}" href="${view.link(`/devices/${encodeURIComponent(id)}`)}">${name ?? id}</a>`;
}

/** `/labels` */
export async function labelsPage(view: View): Promise<Response> {
  const labels = await view.engine.labels.list();
  const rows = labels.map((label) => [
    html`<a href="${view.link(`/labels/${encodeURIComponent(label.id)}`)}">${label.name}</a>`,
    label.kind === 'manual' ? 'picked by hand' : html`<code class="mono wrap">${label.expression}</code>`,
    known(label.description),
    label.memberCount,
  ]);
  const body = html`<h1>Labels</h1><p class="lead">Groups of devices, by a search or by hand.</p>
${card('Labels', table('Labels', ['Name', 'Who has it', 'Description', number('Members')], rows, 'There is no label yet.'))}`;
  return view.show('Labels', 'labels', body);
}

/** `/labels/:id` */
export async function labelPage(view: View): Promise<Response> {
  const id = view.params['id'] as string;
  const label = await view.engine.labels.get(id);
  if (label === null) throw unknown('label');
  const { request, query } = pageOf(view);
  const members = await view.engine.labels.members(id, request);
  const rows = members.items.map((member) => [
    deviceAnchor(view, member.id, member.deviceName ?? member.serialNumber),
    html`<span class="mono">${known(member.serialNumber)}</span>`,
    known(member.productName ?? member.model),
    known(member.osVersion),
    state(member.status),
  ]);
  const body = html`<p class="crumb"><a href="${view.link('/labels')}">Labels</a></p><h1>${label.name}</h1>
<p class="lead">${label.description || (label.kind === 'manual' ? 'Picked by hand.' : 'Found by a search.')}</p>
${label.expression !== null && card('Expression', html`<div class="pad"><code class="mono wrap">${label.expression}</code></div>`)}
${card(
  'Members',
  html`${table('Members', ['Name', 'Serial number', 'Model', 'System', 'Status'], rows, 'No device has this label.')}${pager(
    view.link(`/labels/${encodeURIComponent(id)}`),
    query,
    members.next,
  )}`,
  `${label.memberCount.toLocaleString('en')} in all`,
)}`;
  return view.show(label.name, 'labels', body);
}

/** `/configurations` */
export async function configurationsPage(view: View): Promise<Response> {
  const list = await view.engine.configurations.list();
  const rows = list.map((item) => [
    html`<a href="${view.link(`/configurations/${encodeURIComponent(item.id)}`)}">${item.name}</a>`,
    item.type,
    known(item.description),
    item.version,
    item.applied,
    item.waiting,
  ]);
  const columns = ['Name', 'Type', 'Description', number('Version'), number('Applied'), number('Waiting')];
  const body = html`<h1>Configurations</h1><p class="lead">What devices get, by label.</p>
${card('Configurations', table('Configurations', columns, rows, 'There is no configuration yet.'))}`;
  return view.show('Configurations', 'configurations', body);
}

/** `/configurations/:id` */
export async function configurationPage(view: View): Promise<Response> {
  const id = view.params['id'] as string;
  const configuration = await view.engine.configurations.get(id);
  if (configuration === null) throw unknown('configuration');
  const here = view.link(`/configurations/${encodeURIComponent(id)}`);
  const names = new Map((await view.engine.labels.list()).map((label) => [label.id, label.name]));
  const { request, query } = pageOf(view);
  const assignments = await view.engine.configurations.assignments(id, request);
  const rows = assignments.items.map((item) => [
    deviceAnchor(view, item.enrolmentId),
    state(item.status),
    item.version,
    known(item.detail),
    when(item.updatedAt),
  ]);
  const body = html`<p class="crumb"><a href="${view.link('/configurations')}">Configurations</a></p>
<h1>${configuration.name}</h1><p class="lead">${configuration.description || `A ${configuration.type} configuration.`}</p>
${card(
  'Settings',
  html`<div class="pad">${
    view.access.may('view configurations')
      ? html`<pre class="mono wrap">${JSON.stringify(configuration.settings, null, 2)}</pre>`
      : html`<p class="soft">Only who may view configurations sees what is in them.</p>`
  }
<ul class="tags" aria-label="Labels">${configuration.labelIds.map(
    (label) =>
      html`<li><a class="tag" href="${view.link(`/labels/${encodeURIComponent(label)}`)}">${names.get(label) ?? label}</a></li>`,
  )}</ul></div>`,
  `${configuration.type}, version ${configuration.version}`,
)}
${card(
  'Devices',
  html`${table('Devices', ['Device', 'State', 'Version', 'Detail', 'Changed (UTC)'], rows, 'No device is assigned.')}${pager(here, query, assignments.next)}`,
  html`<a href="${here}/watchlist.csv">Waiting devices as CSV</a>`,
)}`;
  return view.show(configuration.name, 'configurations', body);
}

/** `/configurations/:id/watchlist.csv` */
export async function watchListFile(view: View): Promise<Response> {
  const id = view.params['id'] as string;
  if ((await view.engine.configurations.get(id)) === null) throw unknown('configuration');
  return bytes(new TextEncoder().encode(await watchList(view.engine, id)), 200, 'text/csv; charset=utf-8', {
    'content-disposition': 'attachment; filename="watchlist.csv"',
    'cache-control': 'no-store',
  });
}

/** `/events` */
export async function eventsPage(view: View): Promise<Response> {
  const { request, query } = pageOf(view);
  const events = await view.engine.events.list(request);
  const rows = events.items.map((event) => [
    event.type,
    when(event.at),
    event.enrolmentId === null ? known(null) : deviceAnchor(view, event.enrolmentId),
    html`<span class="soft wrap">${Object.entries(event.data)
      .map(([key, value]) => `${key}: ${Array.isArray(value) ? value.join(', ') : String(value)}`)
      .join(' · ')}</span>`,
  ]);
  const body = html`<h1>Events</h1><p class="lead">What happened, newest first.</p>
${card('Events', html`${table('Events', ['Event', 'At (UTC)', 'Device', 'What'], rows, 'Nothing has happened yet.')}${pager(view.link('/events'), query, events.next)}`)}`;
  return view.show('Events', 'events', body);
}
