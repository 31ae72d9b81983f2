// Small makers of responses; each sets the length, the type and the headers that keep a browser careful.

import { type Answer, toWeb } from './message.ts';

const encoder = new TextEncoder();

/** Sent with everything: no sniffing, no framing, no referrer to other origins. */
const CAREFUL: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
};

type HeaderFields = Readonly<Record<string, string>>;

/** An answer with bytes; `null` is an empty body. */
export function answerOf(
  body: Uint8Array | null,
  status: number,
  type: string | null,
  headers: HeaderFields = {},
): Answer {
  const all: Record<string, string> = { ...CAREFUL, ...headers };
  if (type !== null) all['content-type'] = type;
  if (status !== 204 && status !== 304) all['content-length'] = String(body?.byteLength ?? 0);
  return { status, headers: all, body };
}

/** The same as a response. */
export function bytes(...answer: Parameters<typeof answerOf>): Response {
  return toWeb(answerOf(...answer));
}

/** A JSON answer; never cached. */
export function json(value: unknown, status = 200, headers: HeaderFields = {}): Response {
  return bytes(encoder.encode(JSON.stringify(value)), status, headers['content-type'] ?? 'application/json', {
    'cache-control': 'no-store',
    ...headers,
  });
}

/** A text answer of the given type, in UTF-8. */
export function text(body: string, type = 'text/plain', status = 200, headers: HeaderFields = {}): Response {
  return bytes(encoder.encode(body), status, `${type}; charset=utf-8`, headers);
}

/** No content. */
export function empty(status = 204, headers: HeaderFields = {}): Response {
  return bytes(null, status, null, headers);
}

/** A redirect that makes the browser use GET. */
export function seeOther(location: string, headers: HeaderFields = {}): Response {
  return bytes(null, 303, null, { location, 'cache-control': 'no-store', ...headers });
}
