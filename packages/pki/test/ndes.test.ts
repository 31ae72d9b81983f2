// Challenge passwords from NDES: its page as it is, what goes wrong with it, and what must not be sent.
import { describe, expect, it } from 'vitest';
import { ndesChallenge, type PkiError } from '../src/index.ts';
import { codeOf, codeOfAsync } from './support.ts';

const url = 'https://ndes.test/certsrv/mscep_admin/';
const credentials = { user: 'EXAMPLE\\ndes', password: 'pass:wörd' };
/** As NDES answers: HTML in UTF-16, little end first. */
const page = (body: string, mark = true): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(`${mark ? '\ufeff' : ''}<HTML><BODY><P> ${body}</BODY></HTML>`, 'utf16le'));
const good = (password: string): string =>
  `The thumbprint (hash value) for the CA certificate is: <B> 27F0D2A3 AA3A3AAC </B> <P> The enrollment challenge password is: <B> ${password} </B> <P> This password can be used only once and will expire within 60 minutes.`;
const from = (answer: () => Response | Promise<Response>, more = {}) =>
  ndesChallenge({ url, fetch: async () => answer(), ...more });

describe('a challenge password of NDES', () => {
  it('is read from its page, one for each call, with the credentials', async () => {
    const seen: Request[] = [];
    const challenge = ndesChallenge({
      ...{ url, credentials },
      fetch: async (request) => {
        seen.push(request);
        return new Response(page(good(`44A68B8BD${seen.length}AA3E15`)));
      },
    });
    expect([await challenge(), await challenge()]).toEqual(['44A68B8BD1AA3E15', '44A68B8BD2AA3E15']);
    expect(seen.map((request) => request.url)).toEqual([url, url]);
    const sent = Buffer.from(seen[0]!.headers.get('authorization')!.slice('Basic '.length), 'base64').toString();
    expect(sent).toBe('EXAMPLE\\ndes:pass:wörd');
  });

  it('is found without a byte order mark, and in UTF-8', async () => {
    expect(await from(() => new Response(page(good('ABCDEF0123456789'), false)))()).toBe('ABCDEF0123456789');
    expect(await from(() => new Response(`<p>${good('<b>12345678</b>')}`))()).toBe('12345678');
  });

  it('is not there when NDES says why', async () => {
    const cases: [() => Response, string][] = [
      [() => new Response(page('The password cache is full.')), 'pki.ndes.full'],
      [() => new Response(page('You do not have sufficient permission to enroll with SCEP.')), 'pki.ndes.refused'],
      [() => new Response('no', { status: 401 }), 'pki.ndes.refused'],
      [() => new Response(page(good('12345678')), { status: 500 }), 'pki.ndes.malformed'],
      [
        () => new Response(null, { status: 302, headers: { location: 'http://elsewhere.test/' } }),
        'pki.ndes.malformed',
      ],
      [() => new Response('The challenge password is: <b>'), 'pki.ndes.malformed'],
      [() => new Response(new Uint8Array(300_000)), 'pki.ndes.malformed'],
    ];
    for (const [answer, code] of cases) expect(await codeOfAsync(from(answer))).toBe(code);
    const away = from(() => Promise.reject(new TypeError('no network')), { credentials });
    const error = await away().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'pki.ndes.unreachable', kind: 'unavailable' });
    expect(String((error as PkiError).stack)).not.toContain(credentials.password);
  });

  it('takes no time to be missed in a page made to be slow', async () => {
    const began = performance.now();
    const slow = `The challenge password is: ${'<'.repeat(60_000)}${'challenge password is:<'.repeat(5_000)}`;
    expect(await codeOfAsync(from(() => new Response(slow)))).toBe('pki.ndes.malformed');
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('is not asked for with credentials in the clear', () => {
    const open = (given: object) => codeOf(() => ndesChallenge({ url, fetch, credentials, ...given }));
    expect(open({ url: 'http://ndes.test/certsrv/mscep_admin/' })).toBe('pki.ndes.options');
    expect(open({ credentials: { user: 'a:b', password: 'c' } })).toBe('pki.ndes.options');
  });
});
