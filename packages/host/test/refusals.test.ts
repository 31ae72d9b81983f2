// The device routes: what is let in, and every refusal with its status, its line in the log, and nothing changed.

import { toPem } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { authority, device, enrol, messages, type World, world } from './world.ts';

const encoder = new TextEncoder();

/** All that a refused request could have changed. */
async function snapshot({ engine }: World): Promise<string> {
  const devices = await engine.devices.list();
  const histories = await Promise.all(devices.items.map(({ enrolment }) => engine.commands.history(enrolment.id)));
  const details = await Promise.all(devices.items.map(({ enrolment }) => engine.devices.get(enrolment.id)));
  return JSON.stringify({ devices, histories, details });
}

async function refused(
  to: World,
  path: string,
  init: RequestInit,
  info?: { clientCertificate?: Uint8Array; remoteAddress?: string },
) {
  const before = await snapshot(to);
  const response = await to.fetch(path, init, info);
  const problem = (await response.json()) as { status: number; code: string; requestId: string; detail: string };
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(response.status);
  expect(await snapshot(to)).toBe(before);
  const line = to.lines.find(({ fields }) => fields['requestId'] === problem.requestId);
  expect(line?.fields['code']).toBe(problem.code);
  return { status: response.status, code: problem.code, headers: response.headers };
}

describe('the device routes', () => {
  it('take a device from Authenticate to its first command', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    const { commandUuid } = await to.engine.commands.enqueue(
      { enrolmentIds: ['A1'] },
      'ProfileList',
      {},
      { priority: 100 },
    );
    const next = await to.fetch('/mdm/connect', phone.request(messages.idle('A1')));
    expect(next.status).toBe(200);
    expect(next.headers.get('content-type')).toBe('application/xml');
    const text = await next.text();
    expect(next.headers.get('content-length')).toBe(String(encoder.encode(text).byteLength));
    expect(text).toContain(commandUuid);
    expect((await to.engine.devices.get('A1'))?.enrolment.status).toBe('active');
  });

  it('tell whoever watches over the server of those who are turned away, without filling the store', async () => {
    const to = await world();
    for (let i = 0; i < 20; i++) await to.fetch('/mdm/connect', { method: 'PUT', body: 'x' });
    const phone = await device('A1', to.ca);
    await to.fetch('/mdm/connect', phone.request(messages.idle('A1')));
    const { items } = await to.engine.events.list({ type: 'door.refused', order: 'oldest' });
    expect(items.map(({ data }) => data['code'])).toEqual([
      ...Array.from({ length: 5 }, () => 'host.identity.missing'),
      'core.enrolment.unknown',
    ]);
    expect(items[0]?.data['address']).toBe('192.0.2.10');
    expect(items.at(-1)?.data).toMatchObject({ enrolmentId: 'A1', suppressed: 15 });
  });

  it('answer a check-in with an empty 200', async () => {
    const to = await world();
    const phone = await device('A1', to.ca);
    const answer = await to.fetch('/mdm/checkin', phone.request(messages.authenticate('A1')));
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });

  it('take both kinds of message at /mdm, by content type', async () => {
    const to = await world();
    const phone = await device('A1', to.ca);
    for (const message of [messages.authenticate('A1'), messages.tokenUpdate('A1')]) {
      const init = phone.request(message);
      const headers = { ...init.headers, 'content-type': 'application/x-apple-aspen-mdm-checkin' };
      expect((await to.fetch('/mdm', { ...init, headers })).status).toBe(200);
    }
    const init = phone.request(messages.idle('A1'));
    const headers = { ...init.headers, 'content-type': 'application/x-apple-aspen-mdm; charset=UTF-8' };
    const answer = await to.fetch('/mdm', { ...init, headers });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('RequestType');
  });

  it('accept a TLS client certificate in place of a signature', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    const answer = await to.fetch(
      '/mdm/connect',
      { method: 'PUT', body: encodeXml(messages.idle('A1')) as Uint8Array<ArrayBuffer> },
      { clientCertificate: phone.certificate, remoteAddress: '192.0.2.9' },
    );
    expect(answer.status).toBe(200);
  });
});

describe('refused with nothing changed', () => {
  it('no signature and no certificate: 401, without reading the body', async () => {
    const to = await world();
    await enrol(to, 'A1');
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(10));
        },
      },
      { highWaterMark: 0 },
    );
    const result = await refused(to, '/mdm/connect', { method: 'PUT', body, duplex: 'half' } as RequestInit);
    expect(result).toMatchObject({ status: 401, code: 'host.identity.missing' });
    expect(pulled).toBe(0);
  });

  it('a certificate of another CA: 401, as signature and on TLS', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const stranger = await device('A1', await authority('Other'));
    const message = messages.tokenUpdate('A1');
    expect(await refused(to, '/mdm/checkin', stranger.request(message))).toMatchObject({
      status: 401,
      code: 'host.identity.untrusted',
    });
    const info = { clientCertificate: stranger.certificate };
    const init = { method: 'PUT', body: encodeXml(message) as Uint8Array<ArrayBuffer> };
    expect(await refused(to, '/mdm/checkin', init, info)).toMatchObject({
      status: 401,
      code: 'host.identity.untrusted',
    });
  });

  it('a certificate of our CA that is no device’s: 401', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const { generateKeyPair } = await import('@espalier/pki');
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const server = await to.ca.issue({
      publicKey,
      subject: 'CN=server',
      sans: [{ type: 'dns', value: 'localhost' }],
      template: 'tls-server',
    });
    const init = { method: 'PUT', body: encodeXml(messages.idle('A1')) as Uint8Array<ArrayBuffer> };
    expect(await refused(to, '/mdm/connect', init, { clientCertificate: server })).toMatchObject({
      status: 401,
      code: 'host.identity.untrusted',
    });
  });

  it('an expired certificate: 403 while it may still be renewed, then 401, also when it was good a moment ago', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    to.clock.advance(366 * 86_400_000);
    expect(await refused(to, '/mdm/checkin', phone.request(messages.tokenUpdate('A1')))).toMatchObject({
      status: 403,
      code: 'core.enrolment.certificate_expired',
    });
    to.clock.advance(30 * 86_400_000);
    expect(await refused(to, '/mdm/connect', phone.request(messages.idle('A1')))).toMatchObject({
      status: 401,
      code: 'host.identity.untrusted',
    });
  });

  it('a signature over another body, or none at all: 401', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    const headers = { 'mdm-signature': phone.sign(encodeXml({ Status: 'Idle', UDID: 'A2' })) };
    const body = encodeXml(messages.idle('A1')) as Uint8Array<ArrayBuffer>;
    expect(await refused(to, '/mdm/connect', { method: 'PUT', headers, body })).toMatchObject({
      status: 401,
      code: 'host.identity.bad_signature',
    });
    for (const value of ['', 'AAAA', 'not base64 !', 'x'.repeat(70_000)]) {
      expect(
        await refused(to, '/mdm/connect', { method: 'PUT', headers: { 'mdm-signature': value }, body }),
      ).toMatchObject({ status: 401, code: 'host.identity.bad_signature' });
    }
  });

  it('another device’s certificate: 403', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const other = await enrol(to, 'B2');
    expect(await refused(to, '/mdm/connect', other.request(messages.idle('A1')))).toMatchObject({ status: 403 });
    expect(await refused(to, '/mdm/checkin', other.request(messages.tokenUpdate('A1')))).toMatchObject({ status: 403 });
  });

  it('a device that is not enrolled: 403', async () => {
    const to = await world();
    const phone = await device('NEW', to.ca);
    expect(await refused(to, '/mdm/connect', phone.request(messages.idle('NEW')))).toMatchObject({ status: 403 });
  });

  const bodies: readonly (readonly [string, Uint8Array])[] = [
    ['no property list', encoder.encode('{"Status":"Idle"}')],
    ['an empty body', new Uint8Array(0)],
    ['a property list that is no dictionary', encoder.encode('<plist version="1.0"><array/></plist>')],
    [
      'an entity bomb',
      encoder.encode(
        `<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa">${Array.from('bcdefgh', (name, index) => `<!ENTITY ${name} "${`&${'abcdefgh'[index]};`.repeat(10)}">`).join('')}]><plist version="1.0"><dict><key>UDID</key><string>&h;</string></dict></plist>`,
      ),
    ],
    [
      'nesting deeper than the limit',
      encoder.encode(
        `<plist version="1.0"><dict><key>Status</key>${'<array>'.repeat(5000)}${'</array>'.repeat(5000)}</dict></plist>`,
      ),
    ],
    [
      'an unknown MessageType',
      encodeXml({ MessageType: 'Surprise', UDID: 'A1', Topic: 'com.apple.mgmt.External.test' }),
    ],
  ];
  it.each(bodies)('%s: 400', async (_name, body) => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    expect(await refused(to, '/mdm/checkin', phone.request(body))).toMatchObject({ status: 400 });
    if (!new TextDecoder().decode(body).includes('Surprise')) {
      expect(await refused(to, '/mdm/connect', phone.request(body))).toMatchObject({ status: 400 });
    }
  });

  it('a body over the limit: 413, announced or not, before more than the limit is held', async () => {
    const to = await world({ limits: { mdmBytes: 1000 } });
    const phone = await enrol(to, 'A1');
    const big = new Uint8Array(1001);
    const headers = { 'mdm-signature': phone.sign(big) };
    const announced = { method: 'PUT', headers: { ...headers, 'content-length': '1001' }, body: big };
    expect(await refused(to, '/mdm/connect', announced)).toMatchObject({ status: 413, code: 'host.body.too_large' });
    let given = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          given += 100;
          controller.enqueue(new Uint8Array(100));
        },
      },
      { highWaterMark: 0 },
    );
    const streamed = { method: 'PUT', headers, body, duplex: 'half' } as RequestInit;
    expect(await refused(to, '/mdm/connect', streamed)).toMatchObject({ status: 413 });
    expect(given).toBeLessThanOrEqual(1200);
  });

  it('a body that takes too long: 408; one that breaks off: 400', async () => {
    const to = await world({ limits: { bodyTimeoutMs: 40 } });
    const phone = await enrol(to, 'A1');
    const headers = { 'mdm-signature': phone.sign(new Uint8Array(1)) };
    const slow = new ReadableStream({ pull: () => new Promise<void>(() => {}) });
    expect(
      await refused(to, '/mdm/connect', { method: 'PUT', headers, body: slow, duplex: 'half' } as RequestInit),
    ).toMatchObject({ status: 408, code: 'host.body.timeout' });
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new Error('gone'));
      },
    });
    expect(
      await refused(to, '/mdm/connect', { method: 'PUT', headers, body: broken, duplex: 'half' } as RequestInit),
    ).toMatchObject({ status: 400, code: 'host.body.aborted' });
  });

  it('a response to a command that was never sent: 200 and an event', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    const answer = await to.fetch(
      '/mdm/connect',
      phone.request({ Status: 'Acknowledged', UDID: 'A1', CommandUUID: 'never-sent' }),
    );
    expect(answer.status).toBe(200);
    const events = await to.engine.events.list({ type: 'command.unknown-response' });
    expect(events.items).toHaveLength(1);
    expect(events.items[0]?.enrolmentId).toBe('A1');
  });
});

describe('forwarded certificates', () => {
  const proxy = '10.0.0.5';
  const forwarded = (format: 'pem' | 'xfcc' | 'rfc9440') =>
    world({
      trustedProxies: ['10.0.0.0/24'],
      identity: { anchors: [], sources: ['forwarded'], forwarded: { header: 'x-client-cert', format } },
    });

  async function ask(
    format: 'pem' | 'xfcc' | 'rfc9440',
    value: (pem: string, der: Uint8Array) => string,
    from = proxy,
  ) {
    const ca = await authority();
    const to = await world({
      trustedProxies: ['10.0.0.0/24', '2001:db8::/32'],
      identity: {
        anchors: [ca.certificate],
        sources: ['forwarded'],
        forwarded: { header: 'x-client-cert', format },
      },
    });
    const phone = await device('A1', ca);
    const answer = await to.fetch(
      '/mdm/checkin',
      {
        method: 'PUT',
        headers: { 'x-client-cert': value(toPem(phone.certificate), phone.certificate) },
        body: encodeXml(messages.authenticate('A1')) as Uint8Array<ArrayBuffer>,
      },
      { remoteAddress: from },
    );
    return [answer.status, answer.status === 200 ? '' : ((await answer.json()) as { code: string }).code];
  }

  it('are believed from a trusted proxy, in each format', async () => {
    expect(await ask('pem', (pem) => encodeURIComponent(pem))).toEqual([200, '']);
    expect(
      await ask(
        'xfcc',
        (pem) => `By=spiffe://x;Hash=abc;Cert="${encodeURIComponent(pem)}";Subject="CN=a, O=\\"b;c\\""`,
      ),
    ).toEqual([200, '']);
    expect(await ask('xfcc', (pem) => `Hash=first,Hash=abc;Cert="${encodeURIComponent(pem)}"`)).toEqual([200, '']);
    // As Envoy's documentation has it: several elements, quoted values with separators in them, keys in any case.
    const envoy = (pem: string) =>
      `By=http://frontend.lyft.com;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;` +
      `Subject="/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";URI=http://testclient.lyft.com,` +
      `By=http://backend.lyft.com;Hash=9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e;` +
      `CERT="${encodeURIComponent(pem)}";Subject="CN=a\\,b;Cert=c";URI=;DNS=a.example;DNS=b.example`;
    expect(await ask('xfcc', envoy)).toEqual([200, '']);
    // Only the nearest proxy's element counts: what is before it, a client may have sent.
    expect(await ask('xfcc', (pem) => `Cert="${encodeURIComponent(pem)}",By=http://proxy;Hash=ab`)).toEqual([
      ...[401, 'host.identity.untrusted'],
    ]);
    expect(await ask('xfcc', (pem) => `Hash=ab;Chain="${encodeURIComponent(pem)}"`)).toEqual([200, '']);
    // Folded lines, and base64 alone.
    expect(await ask('pem', (pem) => pem.trim().replaceAll('\n', '\t'))).toEqual([200, '']);
    expect(await ask('pem', (_pem, der) => Buffer.from(der).toString('base64'))).toEqual([200, '']);
    expect(await ask('rfc9440', (_pem, der) => `:${Buffer.from(der).toString('base64')}:`)).toEqual([200, '']);
    expect(await ask('pem', (pem) => encodeURIComponent(pem), '::ffff:10.0.0.9')).toEqual([200, '']);
    expect(await ask('pem', (pem) => encodeURIComponent(pem), '2001:db8::7')).toEqual([200, '']);
  });

  it('are not even looked at from anybody else', async () => {
    for (const from of ['10.0.1.5', '203.0.113.1', '::1', '']) {
      expect(await ask('pem', (pem) => encodeURIComponent(pem), from)).toEqual([401, 'host.identity.missing']);
    }
  });

  it('that hold no certificate are refused', async () => {
    for (const value of ['', 'nonsense', '%E0%A4%A', '%2D%2D', 'x'.repeat(20_000)]) {
      expect(await ask('pem', () => value)).toEqual([401, 'host.identity.untrusted']);
      expect(await ask('xfcc', () => `Cert="${value}"`)).toEqual([401, 'host.identity.untrusted']);
      expect(await ask('rfc9440', () => value)).toEqual([401, 'host.identity.untrusted']);
    }
    // Bytes that are nearly one: something after it, something else before it.
    const wrap = (bytes: Uint8Array[]) => `:${Buffer.concat(bytes).toString('base64')}:`;
    expect(await ask('rfc9440', (_pem, der) => wrap([der, new Uint8Array(1)]))).toEqual([
      401,
      'host.identity.untrusted',
    ]);
    expect(await ask('rfc9440', (_pem, der) => wrap([new Uint8Array(1), der]))).toEqual([
      401,
      'host.identity.untrusted',
    ]);
  });

  it('need their options', async () => {
    await expect(forwarded('pem')).rejects.toMatchObject({ code: 'host.options' });
    await expect(world({ trustedProxies: ['nonsense'] })).rejects.toMatchObject({ code: 'host.options' });
    await expect(world({ trustedProxies: ['10.0.0.0/33'] })).rejects.toMatchObject({ code: 'host.options' });
  });
});
