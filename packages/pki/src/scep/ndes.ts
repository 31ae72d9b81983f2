// Challenge passwords of Microsoft's Network Device Enrollment Service: one for each request, from its page for administrators.
import { PkiError } from '../errors.ts';
import type { FetchFunction } from './client-server-info.ts';
import { readBody } from './http.ts';

/** Where challenge passwords come from. */
export interface NdesChallengeOptions {
  /** The page for administrators: `https://ndes.example.com/certsrv/mscep_admin/`. */
  readonly url: string | URL;
  /** The global `fetch` fits, where the page takes Basic authentication; for NTLM and Kerberos bring one that speaks them. */
  readonly fetch: FetchFunction;
  /** Sent by Basic authentication; `https:` only. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** Aborts a request. */
  readonly signal?: () => AbortSignal;
}

/** The page has some kilobytes. */
const MAX_PAGE = 256 * 1024;
const password = /challenge password is:(?:\s|<[^>]{0,200}>){0,10}([^\s<>]{1,256})/i;

/**
 * Fetches challenge passwords from NDES. They live for an hour there, and only five are handed out at a time: ask when
 * the profile goes out, not before.
 *
 * @returns a function that fetches another one: `challenge` of `openScepProxy`, or for a SCEP payload.
 * @throws PkiError `pki.ndes.options` for credentials over `http:`. The function throws `pki.ndes.unreachable`,
 * `pki.ndes.refused` (credentials or permissions), `pki.ndes.full` (too many are outstanding), `pki.ndes.malformed`, all of kind
 * `unavailable`.
 * @example
 * const challenge = ndesChallenge({ url: 'https://ndes.example.com/certsrv/mscep_admin/', fetch, credentials });
 * const authority = await openScepProxy({ url: 'https://ndes.example.com/certsrv/mscep/mscep.dll', challenge, … });
 */
export function ndesChallenge(options: NdesChallengeOptions): () => Promise<string> {
  const { credentials, fetch, signal } = options;
  const url = new URL(options.url);
  if (credentials && (url.protocol !== 'https:' || credentials.user.includes(':'))) {
    throw new PkiError('pki.ndes.options', 'credentials go over https: only, and a user has no colon in the name', {
      at: { path: 'url' },
      remedy: 'Reach the page by https:, or leave the credentials out.',
    });
  }
  const basic = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  const headers: Record<string, string> = basic === undefined ? {} : { authorization: `Basic ${basic}` };

  return async () => {
    const init: RequestInit = { headers, redirect: 'manual', ...(signal ? { signal: signal() } : {}) };
    let response: Response;
    let page: Uint8Array;
    try {
      response = await fetch(new Request(url, init));
      page = await readBody(response, MAX_PAGE);
    } catch (cause) {
      if (cause instanceof PkiError) throw away('malformed', cause.message, address, cause);
      throw away('unreachable', 'the page cannot be read', 'Check address and network.', cause);
    }
    const text = decode(page);
    if (response.status === 401 || response.status === 403 || /sufficient permission/i.test(text)) {
      const remedy = 'Check user, password, and the right to enrol on the templates of NDES.';
      throw away('refused', `this user gets none (HTTP ${response.status})`, remedy);
    }
    if (/password cache is full/i.test(text)) {
      const remedy = 'Wait until some are used or an hour old, or raise PasswordMax at NDES.';
      throw away('full', 'too many are outstanding', remedy);
    }
    const found = response.status === 200 ? password.exec(text)?.[1] : undefined;
    if (found !== undefined) return found;
    throw away('malformed', `HTTP ${response.status} without a challenge password`, address);
  };
}

const address = 'Check that the address is the page for administrators (…/certsrv/mscep_admin/).';
const away = (reason: string, message: string, remedy: string, cause?: unknown): PkiError =>
  new PkiError(`pki.ndes.${reason}`, `NDES gives no challenge password: ${message}`, {
    ...{ kind: 'unavailable', remedy },
    ...(cause === undefined ? {} : { cause }),
  });

/** NDES writes UTF-16 and does not always say so. */
function decode(page: Uint8Array): string {
  const wide = (page[0] === 0xff && page[1] === 0xfe) || (page.length > 1 && page[0] !== 0 && page[1] === 0);
  return new TextDecoder(wide ? 'utf-16le' : 'utf-8').decode(page);
}
