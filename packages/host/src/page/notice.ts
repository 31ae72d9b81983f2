// A page that says one thing to a person who wants to enrol.
import { html } from './html.ts';
import { page } from './layout.ts';

/** The page: a heading and what to do. */
export function noticePage(
  organisation: string,
  publicBase: string,
  title: string,
  paragraphs: readonly string[],
  status: number,
): Response {
  const base = new URL(publicBase).pathname.replace(/\/$/, '');
  const body = html`<div class="narrow"><section class="card" aria-labelledby="notice">
<h1 id="notice">${title}</h1>
${paragraphs.map((text) => html`<p class="lead">${text}</p>`)}
</section></div>`;
  return page({ title, organisation, base, body }, status);
}
