// Reads an HTML form's body (`application/x-www-form-urlencoded`).
import { HostError } from '../errors.ts';
import { type BodyLimits, readBody } from './body.ts';
import type { Headed } from './message.ts';

/**
 * The fields of a form.
 * @throws HostError `host.body.media_type` (415) for any other content type; as {@link readBody}
 */
export async function readForm(request: Request, limits: BodyLimits): Promise<URLSearchParams> {
  const type = mediaType(request);
  if (type !== 'application/x-www-form-urlencoded') {
    throw new HostError('invalid', 'host.body.media_type', 'This address takes a form.', {
      status: 415,
      remedy: 'Send application/x-www-form-urlencoded.',
    });
  }
  return new URLSearchParams(new TextDecoder().decode(await readBody(request, limits)));
}

/** The content type without its parameters, in lower case. */
export function mediaType(request: Headed): string {
  return ((request.headers.get('content-type') ?? '').split(';')[0] as string).trim().toLowerCase();
}
