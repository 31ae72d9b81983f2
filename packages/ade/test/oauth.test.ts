// OAuth 1.0a signatures against the examples of RFC 5849.
import { describe, expect, it } from 'vitest';
import { need, run } from '../../../test/support/tools.ts';
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

  it('has the signature that python3 computes, also for letters that need escapes', async (context) => {
    need(context, 'python3');
    const request = {
      method: 'GET',
      url: "https://a.example/p%C3%A4th/x?q=1%20!*'()&b=%E6%9D%B1",
      realm: 'ADM',
      consumerKey: "CK_a!b*c'd(e)f",
      consumerSecret: "s!*'()",
      token: 'AT_~-._ /',
      tokenSecret: '%&=+ü',
      nonce: 'n!',
      timestamp: 1_700_000_000,
    };
    const python = [
      'import base64, hashlib, hmac, json, sys, urllib.parse as u',
      'r = json.load(sys.stdin)',
      "q = lambda s: u.quote(s, safe='-._~')",
      "p = u.parse_qsl(u.urlsplit(r['url']).query)",
      "p += [('oauth_consumer_key', r['consumerKey']), ('oauth_token', r['token']), ('oauth_nonce', r['nonce'])]",
      "p += [('oauth_signature_method', 'HMAC-SHA1'), ('oauth_timestamp', str(r['timestamp'])), ('oauth_version', '1.0')]",
      "line = '&'.join(k + '=' + v for k, v in sorted((q(k), q(v)) for k, v in p))",
      "base = '&'.join(map(q, [r['method'], r['url'].split('?')[0], line]))",
      "key = q(r['consumerSecret']) + '&' + q(r['tokenSecret'])",
      'print(q(base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()))',
    ].join('\n');
    const { stdout } = await run('python3', ['-c', python], { input: Buffer.from(JSON.stringify(request)) });
    expect(oauthHeader(request)).toContain(`oauth_signature="${stdout.toString().trim()}"`);
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
