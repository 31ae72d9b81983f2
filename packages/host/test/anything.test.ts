// Whatever is asked, the host answers: it never rejects, and nothing that a stranger sends is a fault of the server.

import { describe, expect, it } from 'vitest';
import { toCsv } from '../src/api/csv.ts';
import { checkForwarded, forwardedBytes } from '../src/identity/forwarded.ts';
import { isEspalierError } from '../src/index.ts';
import { html } from '../src/page/html.ts';
import { fc, test } from './property.ts';
import { device, ORIGIN, world } from './world.ts';

const paths = [
  '',
  'mdm',
  'mdm/checkin',
  'mdm/connect',
  'scep',
  'enrol',
  'enrol/x',
  'login',
  'logout',
  'devices',
  'devices/%',
  'acme/directory',
  'acme/new-nonce',
  'acme/new-order',
  'acme/order/x/finalize',
  'ca.crl',
  'ocsp',
  'ocsp/MAo=',
  'scep',
  'api/v1',
  'api/v1/devices',
  'api/v1/devices/%zz',
  'api/v1/commands',
  'api/v1/labels',
  'style.css',
];
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const names = [
  'mdm-signature',
  'authorization',
  'cookie',
  'content-type',
  'content-length',
  'x-forwarded-for',
  'origin',
  'accept',
];

describe('any request', () => {
  it('is answered, and never with a fault', async () => {
    const to = await world({
      limits: {
        lockout: {
          client: { maxFailures: 1e9, lockMs: 1, windowMs: 1 },
          global: { maxFailures: 1e9, lockMs: 1, windowMs: 1 },
        },
      },
    });
    const phone = await device('A1', to.ca);
    const request = fc.record({
      method: fc.constantFrom(...methods),
      path: fc.oneof(
        fc.constantFrom(...paths),
        fc.webPath().map((path) => path.slice(1)),
      ),
      query: fc.webQueryParameters(),
      headers: fc.dictionary(
        fc.constantFrom(...names),
        fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
      ),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      proof: fc.constantFrom('none', 'tls', 'signature', 'admin'),
    });
    await test(request, 150, async ({ method, path, query, headers, body, proof }) => {
      const bodiless = method === 'GET' || method === 'HEAD';
      const all = {
        ...headers,
        ...(proof === 'signature' ? { 'mdm-signature': phone.sign(body) } : {}),
        ...(proof === 'admin' ? { authorization: `Bearer ${to.adminToken}`, 'content-type': 'application/json' } : {}),
      };
      const answer = await to.host.fetch(
        new Request(`${ORIGIN}/${path}?${query}`, {
          method,
          headers: all,
          ...(bodiless ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        }),
        proof === 'tls' ? { clientCertificate: phone.certificate } : {},
      );
      expect([answer.status < 500, await answer.text()].slice(0, answer.status < 500 ? 1 : 2)).toEqual([true]);
    });
  });
});

describe('any text', () => {
  it('as a forwarded certificate is refused with our own error', async () => {
    await test(
      fc.tuple(fc.string({ maxLength: 300 }), fc.constantFrom('pem', 'xfcc', 'rfc9440')),
      300,
      async ([text, format]) => {
        for (const value of [text, `Cert="${text}"`, `:${text}:`]) {
          try {
            checkForwarded(forwardedBytes(value, format as 'pem'));
            throw new Error('it was taken');
          } catch (error) {
            expect(isEspalierError(error)).toBe(true);
          }
        }
      },
    );
  });

  it('in HTML stays text, and in CSV stays one cell that is no formula', async () => {
    await test(fc.string({ unit: 'binary' }), 300, async (text) => {
      expect(html`${text}`.toString()).not.toMatch(/[<>"']/);
      const line = toCsv([[text, 'end']]);
      expect(line).not.toMatch(/^"?[=+\-@]/);
      const cell = line.slice(0, -',end\r\n'.length);
      const read = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
      expect([text, `'${text}`]).toContain(read);
    });
  });
});
