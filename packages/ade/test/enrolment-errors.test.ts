// Every error string that Apple documents for device enrolment becomes a typed code, in every form of body.
import { describe, expect, it } from 'vitest';
import { enrolmentError, errorName } from '../src/enrolment/errors.ts';
import { commonErrors, type EnrolmentErrorName, enrolmentEndpoints, enrolmentErrors } from '../src/index.ts';
import { setting } from './apple.ts';

const names = Object.keys(enrolmentErrors) as EnrolmentErrorName[];
const answer = (status: number, text: string, headers: Record<string, string> = {}) => ({
  status,
  text,
  headers: new Headers(headers),
});

describe('error strings', () => {
  for (const name of names) {
    it(`${name} is a code of its own`, async () => {
      const { apple, client } = await setting();
      const facts = enrolmentErrors[name];
      for (const body of [name, `"${name}"`, `${name}\n`, JSON.stringify({ code: name }), name.toLowerCase()]) {
        apple.respond(() => new Response(body, { status: facts.status }));
        await expect(client.account()).rejects.toMatchObject({
          name: 'AdeError',
          code: `ade.enrolment.${name.toLowerCase()}`,
          kind: facts.kind,
          apple: { code: name, status: facts.status },
        });
      }
    });
  }

  it('are all used by an endpoint, and every endpoint knows only such', () => {
    const used = new Set([...commonErrors, ...enrolmentEndpoints.flatMap((endpoint) => endpoint.errors)]);
    expect([...used].sort()).toEqual([...names].sort());
  });

  it('are told from everything else', () => {
    for (const text of ['', 'constructor', '__proto__', 'toString', '{"code":7}', '{', 'X'.repeat(10_000), '<html>']) {
      expect(errorName(text)).toBeUndefined();
    }
  });
});

describe('a status without a known string', () => {
  it('has a code of its own, too, and nothing of the body', () => {
    for (const [status, code, kind] of [
      [400, 'bad_request', 'invalid'],
      [401, 'unauthorized', 'unauthenticated'],
      [403, 'forbidden', 'unauthenticated'],
      [404, 'not_found', 'not-found'],
      [405, 'method_not_allowed', 'internal'],
      [418, 'unexpected', 'unavailable'],
      [429, 'throttled', 'unavailable'],
      [500, 'unavailable', 'unavailable'],
      [503, 'unavailable', 'unavailable'],
    ] as const) {
      const error = enrolmentError(answer(status, 'CS_secret'), 0);
      expect(error).toMatchObject({ code: `ade.enrolment.${code}`, kind, apple: { status } });
      expect(JSON.stringify(error) + String(error)).not.toContain('CS_secret');
    }
  });

  it('says how long to wait', () => {
    const wait = (value: string) =>
      enrolmentError(answer(429, '', { 'Retry-After': value }), 1_000_000).apple?.retryAfterMs;
    expect(wait('120')).toBe(120_000);
    expect(wait(new Date(1_060_000).toUTCString())).toBe(60_000);
    expect(wait(new Date(0).toUTCString())).toBe(0);
    for (const nonsense of ['-5', 'soon', '', '99999999999', '2026-03-01']) expect(wait(nonsense)).toBeUndefined();
  });
});
