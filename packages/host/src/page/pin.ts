// The page where a person types the registration PIN.
import { html } from './html.ts';
import { page } from './layout.ts';

/** The form; `problem` is what was wrong with the last try. */
export function pinPage(
  organisation: string,
  publicBase: string,
  problem: string | null = null,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const base = new URL(publicBase).pathname.replace(/\/$/, '');
  const body = html`<div class="narrow"><section class="card" aria-labelledby="enrol">
<h1 id="enrol">Enrol this device</h1>
<p class="lead">${organisation} has given you a PIN. It lets this device in once.</p>
${problem !== null && html`<div class="problem" role="alert"><p>${problem}</p></div>`}
<form method="post" action="${base}/enrol" class="pin">
<div><label for="pin">Registration PIN</label>
<input type="text" id="pin" name="pin" inputmode="numeric" autocomplete="one-time-code" required maxlength="16" autofocus></div>
<button>Get the profile</button>
</form>
<p class="note">After the download, open Settings to install the profile.</p>
</section></div>`;
  return page({ title: 'Enrol', organisation, base, body }, status, headers);
}
