// The push certificate by the admin API, from the request to the enrolment profile that names its topic.
import { oids, readCsr, readPem, toPem } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { authority, type World, world } from './world.ts';

const TOPIC = 'com.apple.mgmt.External.0b1c2d';

async function certify(csr: string, topic = TOPIC): Promise<string> {
  const portal = await authority('Portal');
  const der = readPem(csr)[0]!.der;
  const certificate = await portal.issue({
    csr: der,
    publicKey: readCsr(der).publicKey,
    subject: [[{ type: oids.userId, value: topic }], [{ type: oids.commonName, value: 'APSP:0b1c2d' }]],
    template: 'apns-client',
    validityDays: 365,
  });
  return toPem(certificate);
}

async function call(to: World, method: string, path: string, body?: unknown) {
  const response = await to.api(method, path, body);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('the push certificate', () => {
  it('is requested, imported, shown, and renewed under the same topic only', async () => {
    const to = await world();
    expect(await call(to, 'GET', '/push-certificate')).toMatchObject({ status: 404 });
    const asked = await call(to, 'POST', '/push-certificate/request', { email: 'it@example.com', country: 'FI' });
    expect(asked).toMatchObject({ status: 200, body: { signed: null } });
    const certificate = await certify(asked.body['csr'] as string);
    const imported = await call(to, 'POST', '/push-certificate', { certificate });
    expect(imported).toMatchObject({ status: 200, body: { topic: TOPIC } });
    expect((await call(to, 'GET', '/push-certificate')).body).toEqual(imported.body);
    const again = await call(to, 'POST', '/push-certificate/request', {});
    const other = await certify(again.body['csr'] as string, 'com.apple.mgmt.External.other');
    expect(await call(to, 'POST', '/push-certificate', { certificate: other })).toMatchObject({
      status: 409,
      body: { code: 'core.push_certificate.other_topic' },
    });
    expect(await call(to, 'POST', '/push-certificate', { certificate })).toMatchObject({ status: 200 });
    for (const bad of [{ certificate: 'nonsense' }, {}, { certificate, privateKey: 'nonsense' }]) {
      expect(await call(to, 'POST', '/push-certificate', bad)).toMatchObject({ status: 400 });
    }
    expect(await call(to, 'POST', '/push-certificate/request', { country: 'Finland' })).toMatchObject({ status: 400 });
    expect(JSON.stringify(to.lines)).not.toContain('PRIVATE KEY');
  });

  it('gives enrolment profiles their topic; without one nobody is enrolled', async () => {
    const to: World = await world({
      profile: {
        organisation: 'Example',
        topic: async () => (await to.engine.pushCertificates.get())?.topic,
        sign: (bytes) => bytes,
      },
    });
    const enrol = async () => {
      const { token } = await to.engine.enrolling.invite();
      return await to.fetch(`/enrol/${token}`);
    };
    const refused = await enrol();
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('host.enrol.push')]);
    const asked = await call(to, 'POST', '/push-certificate/request', {});
    await call(to, 'POST', '/push-certificate', { certificate: await certify(asked.body['csr'] as string) });
    const profile = await enrol();
    expect([profile.status, await profile.text()]).toEqual([200, expect.stringContaining(TOPIC)]);
  });
});
