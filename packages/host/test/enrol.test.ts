// Enrolment: links, PINs and their lockout, the signed profile, SCEP, the root certificate.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair, oids, scepEnrol, signCms, toPem, verifyCms } from '@espalier/pki';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { toNodeListener } from '../src/node.ts';
import { folder, need, put, run } from './tools.ts';
import { authority, messages, ORIGIN, START, TOPIC, type World, world } from './world.ts';

async function signer() {
  const ca = await authority();
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({
    publicKey,
    subject: 'CN=Profile signing',
    template: { keyUsage: ['digitalSignature'], extendedKeyUsage: [oids.emailProtection] },
  });
  return (bytes: Uint8Array) => signCms(bytes, { certificate, privateKey, chain: [ca.certificate] });
}

async function signedWorld(): Promise<World> {
  return await world({ profile: { organisation: 'Example', topic: TOPIC, sign: await signer() } });
}

const payloadOf = (profile: PlistDict, type: string) =>
  (profile['PayloadContent'] as PlistDict[]).find((item) => item['PayloadType'] === type) as PlistDict;

describe('the enrolment profile', () => {
  it('comes by the invitation’s link, signed, with a fresh challenge each time', async () => {
    const to = await signedWorld();
    const { token } = await to.engine.enrolling.invite();
    const challenges: unknown[] = [];
    for (let count = 0; count < 2; count += 1) {
      const answer = await to.fetch(`/enrol/${token}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/x-apple-aspen-config');
      expect(answer.headers.get('content-disposition')).toBe('attachment; filename="enrolment.mobileconfig"');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const { content } = verifyCms(new Uint8Array(await answer.arrayBuffer()));
      const profile = decodeDict(content);
      expect(payloadOf(profile, 'com.apple.mdm')).toMatchObject({
        ServerURL: `${ORIGIN}/mdm/connect`,
        CheckInURL: `${ORIGIN}/mdm/checkin`,
        Topic: TOPIC,
        SignMessage: true,
        AccessRights: 8191,
      });
      const scep = payloadOf(profile, 'com.apple.security.scep')['PayloadContent'] as PlistDict;
      expect(scep['URL']).toBe(`${ORIGIN}/scep`);
      const sha1 = new X509Certificate(to.ca.certificate).fingerprint.replaceAll(':', '').toLowerCase();
      expect(Buffer.from(scep['CAFingerprint'] as Uint8Array).toString('hex')).toBe(sha1);
      expect(payloadOf(profile, 'com.apple.security.root')['PayloadContent']).toEqual(
        new Uint8Array(to.ca.certificate),
      );
      challenges.push(scep['Challenge']);
    }
    expect(new Set(challenges).size).toBe(2);
    expect(JSON.stringify(to.lines)).not.toContain(token);
  });

  it('is accepted by openssl against the CA, and read by Python', async (context) => {
    need(context, 'openssl');
    need(context, 'python3');
    const to = await signedWorld();
    const { token } = await to.engine.enrolling.invite();
    const dir = folder(context);
    const file = put(dir, 'e.mobileconfig', new Uint8Array(await (await to.fetch(`/enrol/${token}`)).arrayBuffer()));
    const ca = put(dir, 'ca.pem', await (await to.fetch('/ca.pem')).text());
    const out = `${dir}/profile.plist`;
    const time = String(Math.floor(START / 1000));
    const verify = run('openssl', [
      'cms',
      '-verify',
      '-inform',
      'DER',
      '-in',
      file,
      '-CAfile',
      ca,
      '-out',
      out,
      '-attime',
      time,
    ]);
    expect([verify.status, verify.stderr]).toEqual([0, expect.stringContaining('successful')]);
    const script =
      'import plistlib,sys; p=plistlib.load(open(sys.argv[1],"rb")); print(p["PayloadType"], *sorted(c["PayloadType"] for c in p["PayloadContent"]))';
    expect(run('python3', ['-c', script, out]).stdout.trim()).toBe(
      'Configuration com.apple.mdm com.apple.security.root com.apple.security.scep',
    );
    const other = put(dir, 'other.pem', toPem((await authority('Other')).certificate));
    expect(
      run('openssl', ['cms', '-verify', '-inform', 'DER', '-in', file, '-CAfile', other, '-out', out, '-attime', time])
        .status,
    ).not.toBe(0);
  });

  it('takes the origin of the request where no public address is set, and http only then', async () => {
    const ca = await authority();
    const to = await world();
    const { createHost } = await import('../src/index.ts');
    const host = createHost({
      engine: to.engine,
      ca,
      identity: { anchors: [ca.certificate] },
      profile: { organisation: 'Example', topic: TOPIC, sign: (bytes) => bytes },
    });
    const { token } = await to.engine.enrolling.invite();
    const answer = await host.fetch(new Request(`http://127.0.0.1:81/enrol/${token}`));
    const profile = decodeDict(new Uint8Array(await answer.arrayBuffer()));
    expect(payloadOf(profile, 'com.apple.mdm')['ServerURL']).toBe('http://127.0.0.1:81/mdm/connect');
  });

  it('is refused for tokens that are unknown, used, expired or revoked; HEAD does not redeem', async () => {
    const to = await world();
    const status = async (token: string, method = 'GET') => (await to.fetch(`/enrol/${token}`, { method })).status;
    expect(await status('nothing')).toBe(404);
    const { token, id } = await to.engine.enrolling.invite({ ttlHours: 1 });
    expect(await status(token, 'HEAD')).toBe(405);
    to.clock.advance(3_600_001);
    expect(await status(token)).toBe(403);
    await to.engine.enrolling.revoke(id);
    expect(await status(token)).not.toBe(200);
    expect((await to.engine.enrolling.certificates()).items).toHaveLength(0);
  });
});

describe('the registration PIN', () => {
  const post = (to: World, pin: string, address: string, accept = 'text/html') =>
    to.fetch(
      '/enrol',
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept },
        body: new URLSearchParams({ pin }),
      },
      { remoteAddress: address },
    );

  it('gives the profile, by address or by form', async () => {
    const to = await world();
    const { pin } = await to.engine.enrolling.invite();
    expect((await to.fetch(`/enrol?pin=${pin}`)).headers.get('content-type')).toBe('application/x-apple-aspen-config');
    const spaced = `${pin.slice(0, 3)} ${pin.slice(3)}`;
    expect((await post(to, spaced, '192.0.2.1')).headers.get('content-type')).toBe('application/x-apple-aspen-config');
    const form = await to.fetch('/enrol');
    expect(form.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await form.text()).toContain('<label for="pin">');
  });

  it('locks a client out after six failures, for thirty seconds, without looking at the PIN', async () => {
    const to = await world();
    const { pin } = await to.engine.enrolling.invite();
    const wrong = pin === '000000' ? '000001' : '000000';
    for (let count = 0; count < 6; count += 1) {
      const answer = await post(to, wrong, '192.0.2.1');
      expect([answer.status, (await answer.text()).includes('role="alert"')]).toEqual([403, true]);
    }
    const locked = await post(to, pin, '192.0.2.1');
    expect([locked.status, locked.headers.get('retry-after')]).toEqual([429, '30']);
    expect(await locked.text()).toContain('30 seconds');
    expect((await post(to, pin, '192.0.2.2')).status).toBe(200);
    to.clock.advance(29_999);
    expect((await post(to, pin, '192.0.2.1', '*/*')).status).toBe(429);
    to.clock.advance(1);
    expect((await post(to, pin, '192.0.2.1')).status).toBe(200);
    // A success clears the count.
    for (let count = 0; count < 5; count += 1) await post(to, wrong, '192.0.2.1');
    expect((await post(to, pin, '192.0.2.1')).status).toBe(200);
    for (let count = 0; count < 5; count += 1) await post(to, wrong, '192.0.2.1');
    expect((await post(to, pin, '192.0.2.1')).status).toBe(200);
  });

  it('counts attempts that are made at once, one IPv6 network as one client, and everybody together', async () => {
    const to = await world();
    const { pin } = await to.engine.enrolling.invite();
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => post(to, 'x', '192.0.2.7', '*/*')))).map(
      ({ status }) => status,
    );
    expect(statuses.filter((status) => status === 404)).toHaveLength(6);
    expect(statuses.filter((status) => status === 429)).toHaveLength(14);
    // Behind one address many may come at once, and nobody is turned away for that.
    const { pin: good } = await to.engine.enrolling.invite();
    const school = await Promise.all(Array.from({ length: 200 }, () => post(to, good, '192.0.2.8', '*/*')));
    expect(school.map(({ status }) => status)).toEqual(Array.from({ length: 200 }, () => 200));
    for (let count = 0; count < 6; count += 1) await post(to, 'x', `2001:db8:1:2::${count}`);
    expect((await post(to, pin, '2001:db8:1:2:ffff::9')).status).toBe(429);
    expect((await post(to, pin, '2001:db8:1:3::1')).status).toBe(200);
    for (let count = 0; count < 60; count += 1) await post(to, 'x', `198.51.100.${count}`);
    expect((await post(to, pin, '203.0.113.77')).status).toBe(429);
    // The link still works: it cannot be guessed.
    const { token } = await to.engine.enrolling.invite();
    expect((await to.fetch(`/enrol/${token}`, {}, { remoteAddress: '203.0.113.77' })).status).toBe(200);
  });

  it('sees the client through a trusted proxy, and nobody else’s word for it', async () => {
    const to = await world({ trustedProxies: ['10.0.0.1'] });
    const attempt = (from: string, forwarded: string) =>
      to.fetch('/enrol?pin=000000', { headers: { 'x-forwarded-for': forwarded } }, { remoteAddress: from });
    for (let count = 0; count < 6; count += 1) await attempt('10.0.0.1', '203.0.113.5, 198.51.100.9');
    expect((await attempt('10.0.0.1', '198.51.100.9')).status).toBe(429);
    expect((await attempt('10.0.0.1', '198.51.100.10')).status).toBe(404);
    for (let count = 0; count < 5; count += 1) await attempt('192.0.2.1', `1.1.1.${count}`);
    expect((await attempt('192.0.2.1', '2.2.2.2')).status).toBe(404);
    expect((await attempt('192.0.2.1', '3.3.3.3')).status).toBe(429);
  });
});

describe('SCEP', () => {
  it('issues for a challenge once, and the certificate opens the door', async () => {
    const to = await world();
    const { challenge } = await to.engine.enrolling.challenge();
    const fetch = (input: string | URL | Request, init?: RequestInit) => to.host.fetch(new Request(input, init));
    const url = `${ORIGIN}/scep`;
    const got = await scepEnrol({ url, fetch, subject: 'CN=device', challenge, clock: to.clock });
    const { certificate, privateKey } = got;
    const { encodeXml } = await import('@espalier/plist');
    const body = encodeXml(messages.authenticate('S1'));
    const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
    const answer = await to.fetch('/mdm/checkin', {
      method: 'PUT',
      headers: { 'mdm-signature': signature },
      body: body as Uint8Array<ArrayBuffer>,
    });
    expect(answer.status).toBe(200);
    await expect(scepEnrol({ url, fetch, subject: 'CN=device', challenge, clock: to.clock })).rejects.toMatchObject({
      code: expect.stringMatching(/^pki\.scep/),
    });
    expect(to.lines.some(({ message }) => message === 'scep request issued')).toBe(true);
    expect(to.lines.some(({ message, level }) => message === 'scep request refused' && level === 'warn')).toBe(true);
    expect(JSON.stringify(to.lines)).not.toContain(challenge);
  });

  it('is limited in size', async () => {
    const to = await world({ limits: { bodyBytes: 500 } });
    const answer = await to.fetch('/scep?operation=PKIOperation', { method: 'POST', body: new Uint8Array(501) });
    expect(answer.status).toBe(413);
  });

  it('serves Debian’s scepclient with a challenge of the admin API, once', async (context) => {
    need(context, 'scepclient');
    need(context, 'openssl');
    const to = await world();
    const server = http.createServer((request, response) => void toNodeListener(to.host.fetch)(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/scep`;
    const { challenge } = (await (await to.api('POST', '/scep/challenges', {})).json()) as { challenge: string };
    const attempt = async () => {
      const dir = folder(context);
      const client = spawn(
        'scepclient',
        [
          '-server-url',
          url,
          '-challenge',
          challenge,
          '-private-key',
          `${dir}/key.pem`,
          '-certificate',
          `${dir}/cert.pem`,
          '-cn',
          'device',
          '-keySize',
          '2048',
        ],
        { cwd: dir, stdio: 'ignore' },
      );
      const [code] = (await once(client, 'exit')) as [number];
      return { code, certificate: `${dir}/cert.pem`, ca: put(dir, 'root.pem', toPem(to.ca.certificate)) };
    };
    const first = await attempt();
    expect(first.code).toBe(0);
    const verify = run('openssl', ['verify', '-CAfile', first.ca, '-attime', String(START / 1000), first.certificate]);
    expect(verify.stdout).toContain(': OK');
    expect((await attempt()).code).not.toBe(0);
  });
});

describe('the root certificate', () => {
  it('is served as DER and as PEM', async () => {
    const to = await world();
    const der = await to.fetch('/ca.crt');
    expect(der.headers.get('content-type')).toBe('application/x-x509-ca-cert');
    expect(new Uint8Array(await der.arrayBuffer())).toEqual(new Uint8Array(to.ca.certificate));
    expect(await (await to.fetch('/ca.pem')).text()).toBe(toPem(to.ca.certificate));
  });
});
