// The frame of every page, and the small parts that pages share.
import type { Access } from '../api/auth.ts';
import { bytes } from '../http/respond.ts';
import { type Html, type HtmlValue, html } from './html.ts';

const encoder = new TextEncoder();

/** Nothing runs, nothing is loaded but our style sheet, nothing frames us, forms go only to us. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** What a page is made of. */
export interface PageInput {
  readonly title: string;
  readonly organisation: string;
  /** The base path, without a slash at its end. */
  readonly base: string;
  readonly body: Html;
  /** For a page with a session: the token of its forms, which part of the site it belongs to, and what may be done. */
  readonly signedIn?: { readonly formToken: string; readonly section: string; readonly access: Access };
}

const SECTIONS = [
  ['devices', '/', 'Devices', 'view devices'],
  ['labels', '/labels', 'Labels', 'view devices'],
  ['configurations', '/configurations', 'Configurations', 'view devices'],
  ['invitations', '/invitations', 'Invitations', 'enrol devices'],
  ['events', '/events', 'Events', 'view devices'],
] as const;

const LOGO = html`<svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><path d="M12 22V3M12 8H4M12 8h8M12 14H4M12 14h8M4 8V5M20 8V5M4 14v-3M20 14v-3"/></svg>`;

/** The page as a response. */
export function page(input: PageInput, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const { base, signedIn } = input;
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${input.title} · ${input.organisation}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${base}/style.css">
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header class="top"><div>
<a class="brand" href="${base}/">${LOGO}<span>${input.organisation}</span></a>
${signedIn && navigation(base, signedIn)}
</div></header>
<main id="content">
${input.body}
</main>
<footer>Espalier · device management</footer>
</body>
</html>
`;
  return bytes(encoder.encode(text.toString()), status, 'text/html; charset=utf-8', {
    'content-security-policy': POLICY,
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    ...headers,
  });
}

function navigation(base: string, { formToken, section, access }: NonNullable<PageInput['signedIn']>): Html {
  return html`<nav class="main" aria-label="Main"><ul>${SECTIONS.filter(([, , , needed]) => access.may(needed)).map(
    ([id, path, name]) =>
      html`<li><a href="${base}${path}"${id === section && html` aria-current="page"`}>${name}</a></li>`,
  )}</ul></nav>
<form method="post" action="${base}/logout"><input type="hidden" name="form" value="${formToken}"><button class="plain">Sign out</button></form>`;
}

/** A section with a heading. */
export function card(title: string, content: HtmlValue, note: HtmlValue = null): Html {
  const id = `h-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return html`<section class="card" aria-labelledby="${id}"><div class="head"><h2 id="${id}">${title}</h2>${
    note !== null && html`<span class="note">${note}</span>`
  }</div>${content}</section>
`;
}

/** A table; each row's first cell is its header. On a narrow screen each row becomes a block. */
export function table(
  caption: string,
  columns: readonly (string | { readonly name: string; readonly number: true })[],
  rows: readonly (readonly HtmlValue[])[],
  none: string,
): Html {
  if (rows.length === 0) return html`<p class="empty">${none}</p>`;
  const names = columns.map((column) => (typeof column === 'string' ? column : column.name));
  const numeric = columns.map((column) => typeof column !== 'string');
  return html`<div class="scroll"><table class="rows" aria-label="${caption}"><thead><tr>${names.map(
    (name, index) => html`<th scope="col"${numeric[index] && html` class="number"`}>${name}</th>`,
  )}</tr></thead><tbody>
${rows.map(
  ([first, ...rest]) =>
    html`<tr><th scope="row">${first}</th>${rest.map(
      (value, index) =>
        html`<td data-label="${names[index + 1]}"${numeric[index + 1] && html` class="number"`}><div>${value}</div></td>`,
    )}</tr>
`,
)}</tbody></table></div>`;
}

/** A moment, exact in the markup and short to read (UTC). */
export function when(at: number | null): Html {
  if (at === null) return html`<span class="soft">never</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`;
}

/** Something that may be unknown. */
export function known(value: string | number | null | undefined): HtmlValue {
  return value === null || value === undefined || value === '' ? html`<span class="soft">–</span>` : value;
}

/** A state with its colour; the word says it too. */
export function state(word: string): Html {
  return html`<span class="state ${COLOURS[word] ?? 'idle'}">${word}</span>`;
}

const COLOURS: Readonly<Record<string, string>> = {
  active: 'good',
  'in-force': 'good',
  acknowledged: 'good',
  applied: 'good',
  valid: 'good',
  consumed: 'idle',
  pending: 'wait',
  'wipe-pending': 'wait',
  'retire-pending': 'wait',
  lost: 'wait',
  queued: 'wait',
  sent: 'wait',
  'not-now': 'wait',
  'update-pending': 'wait',
  'removal-pending': 'wait',
  'partially-applied': 'bad',
  error: 'bad',
  'format-error': 'bad',
  exhausted: 'bad',
  expired: 'bad',
  revoked: 'bad',
};

/** Links to the first and the following page of a listing. */
export function pager(path: string, query: Readonly<Record<string, string>>, next: string | null): HtmlValue {
  const { after, ...rest } = query;
  if (next === null && after === undefined) return null;
  const link = (values: Readonly<Record<string, string>>) => {
    const search = new URLSearchParams(values).toString();
    return search === '' ? path : `${path}?${search}`;
  };
  return html`<nav class="pager" aria-label="Pages">${
    after !== undefined && html`<a class="button plain" href="${link(rest)}">First page</a>`
  }${next !== null && html`<a class="button" rel="next" href="${link({ ...rest, after: next })}">Next page</a>`}</nav>`;
}

/** Names and values, side by side. */
export function fields(entries: readonly (readonly [name: string, value: HtmlValue])[]): Html {
  return html`<div class="pad"><dl class="fields">${entries.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl></div>`;
}

/** A truth, in words. */
export function yesNo(value: boolean | null): HtmlValue {
  return value === null ? known(null) : value ? 'yes' : 'no';
}
