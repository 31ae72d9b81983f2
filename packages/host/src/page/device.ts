// One device: what is known of it, what it has, and its commands.
import type { CommandEntry, DeviceDetail, FactValue } from '@espalier/core';
import { unknown } from '../api/devices.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { card, known, pager, state, table, when } from './layout.ts';
import type { View } from './routes.ts';

const RECENT = 15;
const HISTORY = 50;

/** `/devices/:id` */
export async function devicePage(view: View): Promise<Response> {
  const device = await deviceOf(view);
  const { enrolment } = device;
  const commands = await view.engine.commands.history(enrolment.id, { limit: RECENT });
  const here = deviceLink(view, enrolment.id);
  const all = html`<a href="${here}/commands">All commands</a>`;
  const summary = [enrolment.productName ?? enrolment.model, enrolment.osVersion, enrolment.serialNumber].filter(
    Boolean,
  );
  const body = html`<p class="crumb"><a href="${view.link('/')}">Devices</a></p>
<h1>${nameOf(device)}</h1>
<p class="lead">${summary.join(' · ')}</p>
${card('Enrolment', enrolmentFields(view, device), state(enrolment.status))}
${card('Commands', commandTable(view, commands.items), all)}
${card(
  'Configurations',
  table(
    'Configurations',
    ['Configuration', 'State', 'Version', 'Detail', 'Changed (UTC)'],
    device.assignments.map((row) => [
      html`<a href="${view.link(`/configurations/${encodeURIComponent(row.configurationId)}`)}">${row.configurationName}</a>`,
      state(row.status),
      row.version,
      known(row.detail),
      when(row.updatedAt),
    ]),
    'No configuration is assigned.',
  ),
)}
${card('Facts', factGroups(device), device.inventoryAt === null ? 'no inventory yet' : html`from ${when(device.inventoryAt)}`)}
${card(
  'Profiles',
  table(
    'Profiles',
    ['Name', 'Identifier', 'Organisation', 'Managed'],
    device.profiles.map((profile) => [
      profile.displayName,
      html`<span class="mono wrap">${profile.identifier}</span>`,
      known(profile.organisation),
      yesNo(profile.managed),
    ]),
    'No profile is known.',
  ),
)}
${card(
  'Apps',
  table(
    'Apps',
    ['Name', 'Identifier', 'Version', 'Managed'],
    device.apps.map((app) => [
      app.name,
      html`<span class="mono wrap">${app.identifier}</span>`,
      app.shortVersion ?? app.version,
      yesNo(app.managed),
    ]),
    'No app is known.',
  ),
)}
${card(
  'Certificates',
  table(
    'Certificates',
    ['Name', 'Identity', 'SHA-256'],
    device.certificates.map((item) => [
      item.commonName,
      yesNo(item.isIdentity),
      html`<span class="mono wrap">${item.fingerprint}</span>`,
    ]),
    'No certificate is known.',
  ),
)}`;
  return view.show(nameOf(device), 'devices', body);
}

/** `/devices/:id/commands` */
export async function historyPage(view: View): Promise<Response> {
  const device = await deviceOf(view);
  const after = view.query.get('after');
  const here = deviceLink(view, device.enrolment.id);
  const found = await view.engine.commands.history(device.enrolment.id, {
    limit: HISTORY,
    ...(after === null ? {} : { after }),
  });
  const body = html`<p class="crumb"><a href="${view.link('/')}">Devices</a> / <a href="${here}">${nameOf(device)}</a></p>
<h1>Commands</h1><p class="lead">Newest first.</p>
${card('History', html`${commandTable(view, found.items)}${pager(`${here}/commands`, after === null ? {} : { after }, found.next)}`)}`;
  return view.show('Commands', 'devices', body);
}

/** `/devices/:id/commands/:commandUuid` */
export async function commandPage(view: View): Promise<Response> {
  const device = await deviceOf(view);
  const { enrolment } = device;
  const outcome = await view.engine.commands.get(enrolment.id, view.params['commandUuid'] as string);
  if (outcome === null) throw unknown('command');
  const here = deviceLink(view, enrolment.id);
  const errors = outcome.errorChain.map((error) => [error.code, error.domain, error.description]);
  const body = html`<p class="crumb"><a href="${view.link('/')}">Devices</a> / <a href="${here}">${nameOf(device)}</a> / <a href="${here}/commands">Commands</a></p>
<h1>${outcome.requestType}</h1><p class="lead mono wrap">${outcome.commandUuid}</p>
${card(
  'Course',
  fields([
    ['Asked by', outcome.origin],
    ['Queued (UTC)', when(outcome.queuedAt)],
    ['Sent (UTC)', when(outcome.sentAt)],
    ['Finished (UTC)', when(outcome.finishedAt)],
    ['Attempts', outcome.attempts],
    ['Priority', outcome.priority],
  ]),
  state(outcome.state),
)}
${errors.length > 0 && card('Errors', table('Errors', ['Code', 'Domain', 'Description'], errors, ''))}
${card('Answer', outcome.response === null ? html`<p class="empty">The device has not answered.</p>` : answerOf(outcome.response))}`;
  return view.show(outcome.requestType, 'devices', body);
}

async function deviceOf(view: View): Promise<DeviceDetail> {
  const device = await view.engine.devices.get(view.params['id'] as string);
  if (device === null) throw unknown('device');
  return device;
}

function deviceLink(view: View, id: string): string {
  return view.link(`/devices/${encodeURIComponent(id)}`);
}

function nameOf({ enrolment }: DeviceDetail): string {
  return enrolment.deviceName ?? enrolment.serialNumber ?? enrolment.id;
}

function enrolmentFields(view: View, { enrolment, labels }: DeviceDetail): Html {
  const tags =
    labels.length === 0
      ? known(null)
      : html`<ul class="tags">${labels.map(
          ({ id, name }) =>
            html`<li><a class="tag" href="${view.link(`/labels/${encodeURIComponent(id)}`)}">${name}</a></li>`,
        )}</ul>`;
  return html`${fields([
    ['Labels', tags],
    ['Enrolled (UTC)', when(enrolment.enrolledAt)],
    ['Last seen (UTC)', when(enrolment.lastSeenAt)],
    ['Can be woken by push', yesNo(enrolment.pushable)],
    ['UDID', html`<span class="mono wrap">${known(enrolment.udid)}</span>`],
    ['Enrolment', html`<span class="mono wrap">${enrolment.id}</span>`],
    ['Kind', enrolment.kind],
    ['Identity certificate (SHA-256)', html`<span class="mono wrap">${known(enrolment.certificateFingerprint)}</span>`],
  ])}<div class="pager"><form method="post" action="${deviceLink(view, enrolment.id)}/refresh">${view.formField}<button class="plain">Ask for the inventory now</button></form></div>`;
}

function commandTable(view: View, items: readonly CommandEntry[]): Html {
  return table(
    'Commands',
    ['Command', 'State', 'Asked by', 'Attempts', 'Queued (UTC)', 'Finished (UTC)'],
    items.map((entry) => {
      const link = `${deviceLink(view, entry.enrolmentId)}/commands/${encodeURIComponent(entry.commandUuid)}`;
      const reason = entry.errorChain[0]?.description;
      return [
        html`<a href="${link}">${entry.requestType}</a>`,
        html`${state(entry.state)}${reason !== undefined && html`<br><span class="soft">${reason}</span>`}`,
        entry.origin,
        entry.attempts,
        when(entry.queuedAt),
        entry.finishedAt === null ? known(null) : when(entry.finishedAt),
      ];
    }),
    'No command yet.',
  );
}

const GROUPS: Readonly<Record<string, string>> = {
  common: 'Common',
  ios: 'iOS and iPadOS',
  macos: 'macOS',
  mac: 'macOS',
  tvos: 'tvOS',
  watchos: 'watchOS',
  visionos: 'visionOS',
  user: 'User',
};

function factGroups({ facts }: DeviceDetail): Html {
  const groups = new Map<string, [string, FactValue][]>();
  for (const [token, value] of Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === null) continue;
    const [prefix = '', ...rest] = token.split('.');
    const group = GROUPS[prefix] ?? prefix;
    groups.set(group, [...(groups.get(group) ?? []), [rest.join('.') || token, value]]);
  }
  if (groups.size === 0) return html`<p class="empty">Nothing is known yet.</p>`;
  return html`${[...groups].map(
    ([group, entries], index) =>
      html`<details class="group"${index === 0 && html` open`}><summary>${group} <span class="soft">(${entries.length})</span></summary>${fields(
        entries.map(([token, value]) => [wordsOf(token), factText(token, value)]),
      )}</details>`,
  )}`;
}

/** `os_version` and `osVersion` read as `os version`. */
function wordsOf(token: string): string {
  const words = token.replaceAll(/[._]/g, ' ').replaceAll(/([a-z])([A-Z])/g, '$1 $2');
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** Facts do not say which numbers are dates; a number as large as this under such a name is one. */
function factText(token: string, value: FactValue): HtmlValue {
  if (typeof value === 'boolean') return yesNo(value);
  if (
    typeof value === 'number' &&
    value > 100_000_000_000 &&
    /(^|[._])(at|on|date|time|seen|since|until|check_?in)([._]|$)|(At|Date|Time|Seen)$/.test(token)
  ) {
    return when(value);
  }
  if (Array.isArray(value)) return value.length === 0 ? known(null) : value.map(String).join(', ');
  return known(value as string | number | null);
}

function fields(entries: readonly (readonly [name: string, value: HtmlValue])[]): Html {
  return html`<div class="pad"><dl class="fields">${entries.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl></div>`;
}

function yesNo(value: boolean | null): HtmlValue {
  return value === null ? known(null) : value ? 'yes' : 'no';
}

/** The answer as the device sent it; a binary one has no text to show. */
function answerOf(response: Uint8Array): Html {
  const text = new TextDecoder().decode(response.subarray(0, 100_000));
  const shown = text.startsWith('bplist') ? `${response.byteLength} bytes (binary property list)` : text;
  return html`<div class="pad"><pre class="mono wrap">${shown}</pre></div>`;
}
