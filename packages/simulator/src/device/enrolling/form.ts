// The first form of a web page: where it goes, and its fields. Not a parser of HTML, but enough for sign-in pages.

/** A form. */
export interface Form {
  readonly action: string;
  readonly method: 'get' | 'post';
  readonly inputs: readonly { readonly name: string; readonly type: string; readonly value: string }[];
}

/** The first form; `null` where there is none. Time is linear in the page's length. */
export function firstForm(html: string): Form | null {
  const lower = html.toLowerCase();
  const start = lower.indexOf('<form');
  if (start < 0) return null;
  const end = lower.indexOf('</form', start);
  const tag = tagAt(html, start);
  const inputs: { name: string; type: string; value: string }[] = [];
  const last = end < 0 ? html.length : end;
  for (let at = lower.indexOf('<input', start); at >= 0 && at < last; at = lower.indexOf('<input', at + 6)) {
    const { name, type = 'text', value = '' } = attributes(tagAt(html, at));
    // Buttons are not pressed by name, and boxes that are not ticked say nothing.
    if (name !== undefined && !['submit', 'button', 'image', 'reset'].includes(type)) {
      inputs.push({ name, type: type.toLowerCase(), value });
    }
  }
  const { action = '', method = 'get' } = attributes(tag);
  return { action, method: method.toLowerCase() === 'post' ? 'post' : 'get', inputs };
}

function tagAt(html: string, start: number): string {
  const end = html.indexOf('>', start);
  return html.slice(start, end < 0 ? Math.min(html.length, start + 4096) : end).slice(0, 4096);
}

function attributes(tag: string): { readonly [name: string]: string | undefined } {
  const found: { [name: string]: string } = Object.create(null) as { [name: string]: string };
  for (const match of tag.matchAll(/\s([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gi)) {
    found[match[1]!.toLowerCase()] = plain(match[2] ?? match[3] ?? match[4] ?? '');
  }
  return found;
}

const entities: { readonly [name: string]: string } = {
  amp: '&',
  quot: '"',
  lt: '<',
  gt: '>',
  '#39': "'",
  '#x27': "'",
};

function plain(text: string): string {
  return text.replaceAll(/&(amp|quot|lt|gt|#39|#x27);/gi, (_, name: string) => entities[name.toLowerCase()]!);
}
