// One device: what is known of it, what it has, and its commands.
import type { CommandEntry, DeviceDetail } from '@espalier/core';
import { unknown } from '../api/devices.ts';
import { placeTold, readableResponse } from '../api/secrecy.ts';
import { modelOf, nameOf, systemOf } from './devices.ts';
import { factGroups } from './facts.ts';
import { type Html, html } from './html.ts';
import { card, fields, known, pager, state, table, when, yesNo } from './layout.ts';
import type { View } from './routes.ts';

const RECENT = 15;
const IDENTITIES = 5;
const HISTORY = 50;

/** `/devices/:id` */
export async function devicePage(view: View): Promise<Response> {
  const device = await deviceOf(view);
  const { enrolment } = device;
  const commands = await view.engine.commands.history(enrolment.id, { limit: RECENT });
  const identities = await view.engine.certificates.list({
    enrolmentId: enrolment.parent ?? enrolment.id,
    limit: IDENTITIES,
  });
  const here = deviceLink(view, enrolment.id);
  const all = html`<a href="${here}/commands">All commands</a>`;
  const summary = [modelOf(device), systemOf(device), enrolment.serialNumber].filter(Boolean);
  const body = html`<p class="crumb"><a href="${view.link('/')}">Devices</a></p>
<h1>${nameOf(device)}</h1>
<p class="lead">${summary.join(' · ')}</p>
${card('Enrolment', enrolmentFields(view, device), state(enrolment.phase ?? enrolment.status))}
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
${card(
  'Identity',
  table(
    'Identity certificates',
    ['Subject', 'State', 'From (UTC)', 'Until (UTC)', 'Attested', 'SHA-256'],
    identities.items.map((item) => [
      item.subject,
      state(item.status),
      when(item.notBefore),
      when(item.notAfter),
      yesNo(item.attestation !== null),
      html`<span class="mono wrap">${item.fingerprint}</span>`,
    ]),
    'No certificate was issued here.',
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
  const found = await view.engine.commands.get(enrolment.id, view.params['commandUuid'] as string);
  if (found === null) throw unknown('command');
  const outcome = readableResponse(found, view.access);
  await placeTold(view.engine, enrolment.id, view.access, outcome);
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

/** The answer as the device sent it; a binary one has no text to show. */
function answerOf(response: Uint8Array): Html {
  const text = new TextDecoder().decode(response.subarray(0, 100_000));
  const shown = text.startsWith('bplist') ? `${response.byteLength} bytes (binary property list)` : text;
  return html`<div class="pad"><pre class="mono wrap">${shown}</pre></div>`;
}
