// OAuth 1.0a signatures against the examples of RFC 5849.
import { describe, expect, it } from 'vitest';
import { oauthHeader } from '../src/enrolment/oauth.ts';

describe('the Authorization header', () => {
  it('has the signature of RFC 5849, 1.2', () => {
    const header = oauthHeader({
      method: 'GET',
      url: 'http://photos.example.net/photos?file=vacation.jpg&size=original',
      realm: 'Photos',
      consumerKey: 'dpf43f3p2l4k3l03',
      consumerSecret: 'kd94hf93k423kf44',
      token: 'nnch734d00sl2jdk',
      tokenSecret: 'pfkkdhi9sl3r4s00',
      timestamp: 137131202,
      nonce: 'chapoH',
      version: null,
    });
    expect(header).toContain('realm="Photos"');
    expect(header).toContain('oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"');
  });

  it('escapes as RFC 5849, 3.6, wants, and sorts names and values', () => {
    // The signature base string of 3.4.1.1 cannot be had without a form body; what differs from encodeURIComponent can.
    const sign = (url: string, tokenSecret = "a!'()*b"): string =>
      /oauth_signature="([^"]+)"/.exec(
        oauthHeader({
          method: 'get',
          url,
          realm: 'ADM',
          consumerKey: 'c&k',
          consumerSecret: 'ü',
          token: 't',
          tokenSecret,
          timestamp: 1,
          nonce: 'n',
        }),
      )![1]!;
    expect(sign('https://a.example/x?b=2&a=1')).toBe(sign('https://a.example/x?a=1&b=2'));
    expect(sign('https://A.example:443/x')).toBe(sign('https://a.example/x'));
    expect(sign('https://a.example/x')).not.toBe(sign('https://a.example/y'));
    expect(sign('https://a.example/x')).not.toBe(sign('https://a.example/x', 'other'));
  });
});
