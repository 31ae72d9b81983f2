// The invitations page: who may enrol, with PIN and link, and a form for one more.
import { html } from './html.ts';
import { card, known, pager, state, table, when } from './layout.ts';
import type { View } from './routes.ts';

const PAGE_SIZE = 50;

/** `/invitations` */
export async function invitationsPage(view: View): Promise<Response> {
  const after = view.query.get('after');
  const found = await view.engine.enrolling.invitations({ limit: PAGE_SIZE, ...(after === null ? {} : { after }) });
  const rows = found.items.map((item) => {
    const open = item.status === 'valid';
    const device =
      item.enrolmentId === null
        ? known(null)
        : html`<a class="mono wrap" href="${view.link(`/devices/${encodeURIComponent(item.enrolmentId)}`)}">${item.enrolmentId}</a>`;
    return [
      html`<span class="mono">${open ? item.pin : '••••••'}</span>`,
      known(item.note),
      state(item.status),
      when(item.expiresAt),
      open ? html`<a href="${view.urls.enrol(item.token)}">Enrolment profile</a>` : device,
      open &&
        html`<form method="post" action="${view.link(`/invitations/${encodeURIComponent(item.id)}/revoke`)}">${view.formField}<button class="plain">Revoke</button></form>`,
    ];
  });
  const columns = ['PIN', 'Note', 'Status', 'Expires (UTC)', 'Device', 'Action'];
  const body = html`<h1>Invitations</h1><p class="lead">Each lets one device in: at <a href="${view.urls.base}/enrol">${view.urls.base}/enrol</a> with the PIN, or by its link.</p>
<section class="card" aria-label="New invitation"><div class="pad"><form class="search" method="post" action="${view.link('/invitations')}">${view.formField}
<div class="grow"><label for="note">Note for a new invitation</label><input type="text" id="note" name="note" maxlength="500" placeholder="whose device it is for"></div>
<div><button>Invite a device</button></div></form></div></section>
${card('Invitations', html`${table('Invitations', columns, rows, 'Nobody is invited yet.')}${pager(view.link('/invitations'), after === null ? {} : { after }, found.next)}`)}`;
  return view.show('Invitations', 'invitations', body);
}
