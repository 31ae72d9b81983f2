// The digest of UserAuthenticate, against the examples of RFC 2617 and of Apple's documentation.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestChallenge, digestHash, MdmError, readDigestResponse, verifyDigest } from '../src/index.ts';

describe('the digest of UserAuthenticate', () => {
  // RFC 2617, section 3.5.
  const rfc =
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ' +
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", ' +
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
  const challenge = { nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093', realm: 'testrealm@host.com' };
  const account = { username: 'Mufasa', realm: 'testrealm@host.com', password: 'Circle Of Life' };

  it('verifies the example of RFC 2617', () => {
    const hash = digestHash(account);
    expect(hash).toBe('939e7578ed9e3c518a452acee763bce9');
    const digest = readDigestResponse(rfc);
    expect(verifyDigest(digest, { hash, ...challenge })).toBe(true);
    expect(verifyDigest(digest, { hash, ...challenge, methods: ['PUT'] })).toBe(false);
    expect(verifyDigest(digest, { hash, ...challenge, nonce: 'other' })).toBe(false);
    expect(verifyDigest(digest, { hash, ...challenge, realm: 'other' })).toBe(false);
    expect(verifyDigest(digest, { hash: digestHash({ ...account, password: 'x' }), ...challenge })).toBe(false);
  });

  it('verifies one without qop (RFC 2069, with the value of its erratum)', () => {
    const hash = digestHash({ ...account, password: 'CircleOfLife' });
    const text = rfc
      .replace(/ qop=auth, nc=00000001, cnonce="0a4f113b",/, '')
      .replace(/response="[^"]+"/, 'response="1949323746fe6a43ef61f9606e7febea"');
    expect(verifyDigest(readDigestResponse(text), { hash, ...challenge })).toBe(true);
  });

  it('reads the example of Apple (Enabling network and mobile user logins)', () => {
    const digest = readDigestResponse(
      'Digest username="net1",realm="fusion.home",nonce="8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs", uri="/",response="84db40bbaf5e0d49cabb0ef7d8cac369"',
    );
    expect(digest).toEqual({
      username: 'net1',
      realm: 'fusion.home',
      nonce: '8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs',
      uri: '/',
      response: '84db40bbaf5e0d49cabb0ef7d8cac369',
    });
    expect(digestChallenge({ nonce: digest.nonce, realm: digest.realm })).toBe(
      'Digest nonce="8BrAkk4GZgrG2XaDLMSSSo89VenjV5E8Se73z98RvSW7Rs",realm="fusion.home"',
    );
  });

  it.each([
    ['', 'is not a digest'],
    ['Basic abc', 'is not a digest'],
    ['Digest ,,,', 'is not a list'],
    ['Digest username="a"', 'has no response'],
    ['Digest username="a",username="b"', 'twice'],
    ['Digest algorithm=SHA-256,response="84db40bbaf5e0d49cabb0ef7d8cac369"', 'algorithm'],
    ['Digest response="zz"', 'MD5 hash'],
    [`Digest username="${'a'.repeat(5000)}"`, 'too long'],
    [`Digest username="${'\\a'.repeat(2000)}`, 'is not a list'],
  ])('refuses %.30s', (text, problem) => {
    expect(() => readDigestResponse(text)).toThrow(MdmError);
    expect(() => readDigestResponse(text)).toThrow(problem);
  });

  it('reads anything or refuses it with its own error', () => {
    const piece = fc.constantFrom(
      'Digest ',
      'username=',
      '"',
      '\\',
      ',',
      '=',
      'a',
      ' ',
      'nonce="n"',
      'response="',
      '0'.repeat(32),
      '\u{1f600}',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          readDigestResponse(`Digest ${pieces.join('')}`);
        } catch (error) {
          expect(error).toBeInstanceOf(MdmError);
        }
      }),
      { seed: 20261123, numRuns: process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 500 },
    );
  });

  it('refuses a challenge that would end its own quotes', () => {
    for (const realm of ['a"b', 'a\\b', '', 'a\nb']) {
      expect(() => digestChallenge({ nonce: 'n', realm })).toThrow(MdmError);
    }
  });
});
