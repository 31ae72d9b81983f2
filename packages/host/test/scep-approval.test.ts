// SCEP requests that a person decides on: Debian's scepclient and our own client wait, the admin API decides.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { PkiError, readCertificate, type ScepEnrolOptions, scepEnrol, toPem } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { toNodeListener } from '../src/node.ts';
import { folder, need, put, run } from './tools.ts';
import { ORIGIN, START, type World, world } from './world.ts';

interface Waiting {
  readonly id: string;
  readonly state: string;
  readonly subject: string;
  readonly publicKeyHash: string;
  readonly invitationId: string | null;
}

async function waiting(to: World, query = ''): Promise<Waiting[]> {
  const answer = await to.api('GET', `/scep/requests${query}`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { items: Waiting[] }).items;
}

const approve = async (to: World, id: string, body: object = {}) =>
  (await to.api('POST', `/scep/requests/${id}/approve`, body)).status;
const deny = async (to: World, id: string, body: object = {}) =>
  (await to.api('POST', `/scep/requests/${id}/deny`, body)).status;

/** Enrols; `decide` runs before each poll. */
function enrol(to: World, decide: () => Promise<unknown>, options: Partial<ScepEnrolOptions> = {}, attempts = 1) {
  const fetch = (input: string | URL | Request, init?: RequestInit) => to.host.fetch(new Request(input, init));
  const polling = {
    attempts,
    wait: async () => {
      await decide();
    },
  };
  return scepEnrol({ url: `${ORIGIN}/scep`, fetch, subject: 'CN=device', clock: to.clock, polling, ...options });
}

describe('a SCEP request without a challenge', () => {
  it('waits, is approved for an invitation, and then has its certificate', async () => {
    const to = await world({ scepApproval: 'without-challenge' });
    const { id: invitationId } = await to.engine.enrolling.invite();
    const got = await enrol(to, async () => {
      const [held, ...others] = await waiting(to, '?state=pending');
      expect(others).toEqual([]);
      expect(held).toMatchObject({ state: 'pending', subject: 'CN=device', key: 'RSA 2048', invitationId: null });
      expect(await approve(to, held!.id, { invitationId, subject: 'CN=approved', validityDays: 30 })).toBe(204);
      expect(await approve(to, held!.id)).toBe(409);
      expect(await waiting(to, '?state=approved')).toMatchObject([{ id: held!.id, invitationId }]);
    });
    expect(readCertificate(got.certificate).subject).toBe('CN=approved');
    expect(await to.engine.certificates.get(readCertificate(got.certificate).fingerprintSha256)).toMatchObject({
      invitationId,
    });
    expect(await waiting(to)).toEqual([]);
    const types = (await to.engine.events.list({ limit: 100 })).items.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['certificate.requested', 'certificate.request-decided']));
  });

  it('is refused when it is denied', async () => {
    const to = await world({ scepApproval: 'without-challenge' });
    const attempt = enrol(to, async () => {
      const [held] = await waiting(to);
      expect(await deny(to, held!.id, { reason: 'not ours' })).toBe(204);
      expect(await waiting(to)).toMatchObject([{ state: 'refused', reason: 'not ours' }]);
    });
    await expect(attempt).rejects.toMatchObject({ code: 'pki.scep.failed' });
    expect((await to.engine.certificates.list()).items).toEqual([]);
  });

  it('is refused at once where nobody approves, and with a wrong challenge everywhere', async () => {
    const refused = expect.objectContaining({ code: 'pki.scep.failed' });
    for (const scepApproval of ['never', 'without-challenge', 'always'] as const) {
      const to = await world({ scepApproval });
      await expect(enrol(to, async () => {}, { challenge: 'wrong' })).rejects.toEqual(refused);
      if (scepApproval === 'never') await expect(enrol(to, async () => {})).rejects.toEqual(refused);
      expect(await waiting(to)).toEqual([]);
    }
  });

  it('is forgotten after seven days', async () => {
    const to = await world({ scepApproval: 'without-challenge' });
    const attempt = enrol(to, async () => {}, {}, 0);
    await expect(attempt).rejects.toMatchObject({ code: 'pki.scep.pending' });
    const [held] = await waiting(to);
    to.clock.advance(7 * 86_400_000);
    expect(await approve(to, held!.id)).toBe(404);
    expect(await approve(to, 'nothing')).toBe(404);
  });
});

describe('a SCEP request with a challenge', () => {
  it('needs nobody where only those without one wait', async () => {
    const to = await world({ scepApproval: 'without-challenge' });
    const { challenge } = await to.engine.enrolling.challenge();
    await enrol(to, async () => {}, { challenge }, 0);
    expect(await waiting(to)).toEqual([]);
  });

  it('waits where all do, and uses the challenge up when it is approved', async () => {
    const to = await world({ scepApproval: 'always' });
    const { id: invitationId } = await to.engine.enrolling.invite();
    const { challenge } = await to.engine.enrolling.challenge({ invitationId });
    const got = await enrol(
      to,
      async () => {
        const [held] = await waiting(to);
        expect(held).toMatchObject({ invitationId });
        expect(JSON.stringify(await waiting(to))).not.toContain(challenge);
        expect(await approve(to, held!.id, { invitationId })).toBe(400);
        expect(await approve(to, held!.id, { subject: 'no name' })).toBe(400);
        expect(await approve(to, held!.id)).toBe(204);
      },
      { challenge },
    );
    const { fingerprintSha256 } = readCertificate(got.certificate);
    expect(await to.engine.certificates.get(fingerprintSha256)).toMatchObject({ invitationId });
    await expect(enrol(to, async () => {}, { challenge }, 0)).rejects.toMatchObject({ code: 'pki.scep.failed' });
  });
});

describe('an authority that takes its time', () => {
  it('has the device ask again, until the certificate is there', async () => {
    const plain = await world();
    let ready = false;
    const ca: typeof plain.ca = {
      ...plain.ca,
      async issue(request) {
        if (ready) return await plain.ca.issue(request);
        throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
      },
    };
    const to = await world({ ca });
    const { challenge } = await to.engine.enrolling.challenge();
    const got = await enrol(
      to,
      async () => {
        expect(await waiting(to)).toMatchObject([{ state: 'approved' }]);
        ready = true;
      },
      { challenge },
    );
    expect(await waiting(to)).toEqual([]);
    const { fingerprintSha256 } = readCertificate(got.certificate);
    expect(await to.engine.certificates.get(fingerprintSha256)).toMatchObject({ status: 'issued' });
  });
});

describe('Debian’s scepclient', () => {
  it('polls until the request is approved', async (context) => {
    if (process.env['ESPALIER_NIGHTLY'] !== '1' && process.env['CI'] !== 'true') {
      context.skip('it polls every half minute: set ESPALIER_NIGHTLY=1');
    }
    need(context, 'scepclient');
    need(context, 'openssl');
    const to = await world({ scepApproval: 'without-challenge' });
    const server = http.createServer((request, response) => void toNodeListener(to.host.fetch)(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const dir = folder(context);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/scep`;
    const files = ['-private-key', `${dir}/key.pem`, '-certificate', `${dir}/cert.pem`];
    const client = spawn('scepclient', ['-server-url', url, ...files, '-cn', 'device', '-keySize', '2048'], {
      cwd: dir,
      stdio: 'ignore',
    });
    const exit = once(client, 'exit');
    context.onTestFinished(() => void client.kill());
    await expect.poll(async () => (await waiting(to)).length, { timeout: 15_000, interval: 100 }).toBe(1);
    expect(await approve(to, (await waiting(to))[0]!.id)).toBe(204);
    expect(await exit).toEqual([0, null]);
    const ca = put(dir, 'root.pem', toPem(to.ca.certificate));
    const verify = run('openssl', ['verify', '-CAfile', ca, '-attime', String(START / 1000), `${dir}/cert.pem`]);
    expect(verify.stdout).toContain(': OK');
  }, 60_000);
});
