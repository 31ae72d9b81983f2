import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRootCa, decodeName, encodeName, formatName, oids, parseName, readCertificate } from '../src/index.ts';
import { clock, codeOf, openssl, oracle, pemFile } from './support.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';

describe('distinguished names', () => {
  it('reads RFC 4514 text leaf first into encoding order', () => {
    const name = parseName('CN=Steve Kille,O=Isode Limited,C=GB');
    expect(name.map((rdn) => rdn[0]!.type)).toEqual([oids.country, oids.organization, oids.commonName]);
    expect(formatName(name)).toBe('CN=Steve Kille,O=Isode Limited,C=GB');
  });

  // The examples of RFC 4514, section 4.
  it.each([
    ['UID=jsmith,DC=example,DC=net', 'UID=jsmith,DC=example,DC=net'],
    ['OU=Sales+CN=J.  Smith,DC=example,DC=net', 'OU=Sales+CN=J.  Smith,DC=example,DC=net'],
    ['CN=James \\"Jim\\" Smith\\, III,DC=example,DC=net', 'CN=James \\"Jim\\" Smith\\, III,DC=example,DC=net'],
    ['CN=Before\\0dAfter,DC=example,DC=net', 'CN=Before\rAfter,DC=example,DC=net'],
    ['1.3.6.1.4.1.1466.0=#04024869', '1.3.6.1.4.1.1466.0=#04024869'],
    ['CN=Lu\\C4\\8Di\\C4\\87', 'CN=Lučić'],
  ])('round-trips %s', (text, printed) => {
    expect(formatName(parseName(text))).toBe(printed);
    expect(formatName(decodeName(encodeName(text)))).toBe(printed);
  });

  it('splits at a comma only where an attribute follows', () => {
    const name = parseName('O=Company Name, Inc.,L=Mountain View');
    expect(name).toEqual([
      [{ type: oids.locality, value: 'Mountain View' }],
      [{ type: oids.organization, value: 'Company Name, Inc.' }],
    ]);
    expect(formatName(name)).toBe('O=Company Name\\, Inc.,L=Mountain View');
  });

  it('knows S for ST, lower case, spaces, quotes and root-first order', () => {
    expect(formatName(parseName('cn = x , s=California'))).toBe('CN=x,ST=California');
    expect(formatName(parseName('CN="a, b=c",O=x'))).toBe('CN=a\\, b\\=c,O=x');
    expect(formatName(parseName('C=US,DC=com,DC=ivanti,OU=InfoTech', 'root-first'))).toBe(
      'OU=InfoTech,DC=ivanti,DC=com,C=US',
    );
  });

  it('keeps a value that begins with # apart from the hex form', () => {
    const name = parseName('CN=\\#04024869');
    expect(formatName(decodeName(encodeName(name)))).toBe('CN=\\#04024869');
  });

  it.each([
    ['C=USA', 'a country of three letters'],
    [`CN=${'x'.repeat(65)}`, 'a common name over 64 characters'],
    ['CN=', 'an empty value'],
    ['XX=1', 'an unknown code'],
    ['just text', 'no code at all'],
    ['CN=x,', 'a trailing comma'],
    ['CN="x', 'an open quote'],
    ['CN=x\\', 'a backslash at the end'],
    ['DC=bücher', 'a domain component outside ASCII'],
    ['CN=\\ff\\fe', 'bytes that are not UTF-8'],
    [`CN=${'a'.repeat(5000)}`, 'a text without bound'],
  ])('refuses %.20s: %s', (text) => {
    expect(['pki.name.invalid', 'pki.string.not_ascii']).toContain(codeOf(() => encodeName(parseName(text))));
  });

  it('prints what it parses back to the same name (property)', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => [...text].length <= 64);
    const attribute = fc.record({ type: fc.constantFrom(oids.commonName, oids.organization, oids.locality), value });
    fc.assert(
      fc.property(fc.array(fc.array(attribute, { minLength: 1, maxLength: 2 }), { maxLength: 5 }), (rdns) => {
        const name = rdns.map((rdn) =>
          rdn.map(({ type, value: text }) => ({ type, value: text.startsWith('#') ? `\\${text}` : text })),
        );
        const der = encodeName(name);
        expect(encodeName(parseName(formatName(decodeName(der))))).toEqual(der);
      }),
      { seed: 7, numRuns: nightly ? 20_000 : 300 },
    );
  });

  oracle('openssl', 'prints as openssl does (RFC 2253)', async () => {
    for (const text of [
      'CN=Lučić,O=A\\, B \\"C\\" \\\\ D\\+E,C=DE',
      'CN=\\#x,OU=\\ lead,O=trail\\ ',
      'UID=u,CN=v,DC=a,DC=b',
    ]) {
      const { certificate } = await createRootCa({ subject: text, key: { type: 'ec', curve: 'P-256' }, clock });
      const args = ['x509', '-in', pemFile('c.pem', certificate), '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb'];
      expect(`subject=${readCertificate(certificate).subject}`).toBe(
        (await openssl(args)).toString().replace(/\n$/, ''),
      );
    }
  });
});
