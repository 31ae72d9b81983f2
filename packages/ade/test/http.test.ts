// The clients over real HTTP with the global fetch: bodies, headers, redirections, services that hang or hang up.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSimulatedEnrolmentService, listenService } from '@espalier/simulator';
import { afterEach, describe, expect, it } from 'vitest';
import { createEnrolmentClient, type EnrolmentClientOptions, openServerToken, type ServerToken } from '../src/index.ts';
import { all, keyPair } from './apple.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const token: ServerToken = {
  consumerKey: 'CK',
  consumerSecret: 'CS',
  accessToken: 'AT',
  accessSecret: 'AS',
  accessTokenExpiry: new Date(Date.now() + 86_400_000),
};

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const clientOf = (origin: string, more: Partial<EnrolmentClientOptions> = {}) =>
  createEnrolmentClient({ token, origin, clock: Date, retry: { attempts: 1 }, ...more });

describe('over HTTP', () => {
  it('everything arrives: headers, bodies also of DELETE, pages', async () => {
    const apple = createSimulatedEnrolmentService({ count: 1500 });
    const { origin, close } = await listenService(apple.fetch);
    closers.push(close);
    const pair = await keyPair();
    const client = clientOf(origin, { token: openServerToken(apple.downloadToken(pair.certificate), pair) });
    expect((await client.account()).server_name).toBe('Simulated server');
    const serials = (await all(client.sync())).flatMap((page) => page.devices).map((device) => device.serial_number);
    expect(serials).toHaveLength(1500);
    const { profileUuid } = await client.defineProfile({ profile_name: 'Büro 東京', url: 'https://mdm.example.com' });
    expect(await client.profile(profileUuid)).toMatchObject({ profile_name: 'Büro 東京' });
    await all(client.assignProfile(profileUuid, serials));
    await all(client.removeProfile(serials.slice(0, 1)));
    expect(serials.slice(0, 2).map((serial) => apple.look(serial)?.status)).toEqual(['removed', 'assigned']);
    await client.setServiceDiscovery('https://mdm.example.com/discovery');
    await client.removeServiceDiscovery();
    expect(await client.serviceDiscovery()).toBeUndefined();
  });

  it('a redirection is not followed: the session goes to nobody else', async () => {
    let stolen = 0;
    const thief = await serve((_, response) => {
      stolen++;
      response.end('{}');
    });
    const origin = await serve((request, response) => {
      if (request.url === '/session') response.end('{"auth_session_token":"secret"}');
      else response.writeHead(307, { Location: `${thief}/account` }).end();
    });
    await expect(clientOf(origin).account()).rejects.toMatchObject({ code: 'ade.enrolment.unexpected' });
    expect(stolen).toBe(0);
  });

  it('a service that does not answer, hangs up, or is not there is unreachable', async () => {
    const unreachable = { code: 'ade.http.unreachable', kind: 'unavailable' };
    const silent = await serve(() => {});
    await expect(clientOf(silent, { timeoutMs: 50 }).account()).rejects.toMatchObject(unreachable);
    const rude = await serve((request) => request.socket.destroy());
    await expect(clientOf(rude).account()).rejects.toMatchObject(unreachable);
    const slow = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"auth');
    });
    await expect(clientOf(slow, { timeoutMs: 50 }).account()).rejects.toMatchObject(unreachable);
    const gone = await serve(() => {});
    for (const close of closers.splice(0)) await close();
    await expect(clientOf(gone).account()).rejects.toMatchObject(unreachable);
  });
});
