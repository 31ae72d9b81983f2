// The documents of the simulated Apple Business and School Manager API: errors and pages.
import { json } from '../answers.ts';

/** An error document. */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const error = { id: `${code}-${status}`, status: String(status), code, title: code, detail };
  return json({ errors: [error] }, status, headers);
}

/** What one asks for that is not there. */
export function missing(type: string, id: string): Response {
  return problem(404, 'NOT_FOUND', `There is no resource of type '${type}' with id '${id}'`);
}

/** A page of `size` items that come from `at(index)`; what is `undefined` is left out. */
export function pageOf(url: URL, maxPage: number, size: number, at: (index: number) => object | undefined): Response {
  const wanted = Number(url.searchParams.get('limit') ?? '100');
  if (!Number.isInteger(wanted) || wanted < 1) return problem(400, 'PARAMETER_ERROR.INVALID', 'limit');
  const limit = Math.min(wanted, maxPage);
  const cursor = url.searchParams.get('cursor');
  let index = cursor === null ? 0 : Number(Buffer.from(cursor, 'base64url').toString().replace(/^at:/, ''));
  if (!Number.isInteger(index) || index < 0) return problem(400, 'PARAMETER_ERROR.INVALID', 'cursor');
  const data: object[] = [];
  for (; index < size && data.length < limit; index++) {
    const item = at(index);
    if (item !== undefined) data.push(item);
  }
  const nextCursor = index < size ? Buffer.from(`at:${index}`).toString('base64url') : undefined;
  return json({ data, links: { self: url.href }, meta: { paging: { limit, ...(nextCursor && { nextCursor }) } } });
}
