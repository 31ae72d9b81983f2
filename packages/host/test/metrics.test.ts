// Metrics over HTTP: who may read them, what they say, and that strangers cannot make them grow.
import { createServer } from 'node:http';
import { createMetrics, PROMETHEUS_TYPE } from '@espalier/core';
import { describe, expect, it } from 'vitest';
import { createAdminToken, createMetricsHandler, hashAdminToken } from '../src/index.ts';
import { listenForMetrics, parseServerArguments } from '../src/node.ts';
import { enrol, messages, testRandom, world } from './world.ts';

const metricsToken = createAdminToken(testRandom('metrics'));

describe('GET /metrics on the host', () => {
  it('is not there unless asked for', async () => {
    const { fetch, adminToken } = await world();
    const answer = await fetch('/metrics', { headers: { authorization: `Bearer ${adminToken}` } });
    expect(answer.status).toBe(404);
  });

  it('is given to whoever has an admin token or a metrics token, and to nobody else', async () => {
    const to = await world({ metrics: { tokens: [hashAdminToken(metricsToken)] } });
    const get = (token?: string) =>
      to.fetch('/metrics', token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
    for (const token of [to.adminToken, metricsToken]) {
      const answer = await get(token);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe(PROMETHEUS_TYPE);
      expect(await answer.text()).toContain('\nespalier_queue_depth 0\n');
    }
    expect((await get()).status).toBe(401);
    expect((await get('wrong'.repeat(10))).status).toBe(401);
    // A metrics token opens nothing else.
    const api = await to.fetch('/api/v1/devices', { headers: { authorization: `Bearer ${metricsToken}` } });
    expect(api.status).toBe(401);
    for (let i = 0; i < 6; i++) await get('wrong'.repeat(10));
    expect((await get('wrong'.repeat(10))).status).toBe(429);
    expect((await get(metricsToken)).status).toBe(200);
  });

  it('counts requests by the area of their route and refusals by code', async () => {
    const to = await world({ metrics: {} });
    const phone = await enrol(to, 'U1');
    await to.fetch('/mdm/connect', phone.request(messages.idle('U1')));
    await to.fetch('/mdm/connect', { method: 'PUT', body: 'x' });
    await to.fetch('/mdm/connect', phone.request(messages.idle('U2')));
    for (let i = 0; i < 300; i++) await to.fetch(`/made-up-${i}`);
    await to.fetch('/api/v1/devices');
    const answer = await to.fetch('/metrics', { headers: { authorization: `Bearer ${to.adminToken}` } });
    const lines = new Set((await answer.text()).split('\n'));
    for (const line of [
      'espalier_http_requests_total{area="mdm",status="200"} 3',
      'espalier_http_requests_total{area="mdm",status="401"} 1',
      'espalier_http_requests_total{area="mdm",status="403"} 1',
      'espalier_http_requests_total{area="none",status="404"} 300',
      'espalier_http_requests_total{area="api",status="401"} 1',
      'espalier_http_problems_total{code="host.identity.missing"} 1',
      'espalier_http_problems_total{code="host.route.unknown"} 300',
      'espalier_http_request_duration_seconds_count{area="mdm"} 5',
      'espalier_refusals_total{message="connect",code="core.enrolment.unknown"} 1',
      'espalier_checkins_total{type="TokenUpdate"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    // Nothing that a stranger sent is in there.
    expect([...lines].some((line) => /made-up|U1|U2/.test(line))).toBe(false);
  });
});

describe('the handler for a listener of its own', () => {
  it('answers without a token, or with one when there is one', async () => {
    const metrics = createMetrics();
    metrics.counter({ name: 'a_total', help: 'A.' }).add();
    const open = createMetricsHandler(metrics);
    const guarded = createMetricsHandler(metrics, { tokens: [hashAdminToken(metricsToken)] });
    const url = 'http://127.0.0.1/metrics';
    expect(await (await open(new Request(url))).text()).toBe('# HELP a_total A.\n# TYPE a_total counter\na_total 1\n');
    expect((await open(new Request(url, { method: 'POST', body: 'x' }))).status).toBe(405);
    expect((await guarded(new Request(url))).status).toBe(401);
    const headers = { authorization: `Bearer ${metricsToken}` };
    expect((await guarded(new Request(url, { headers }))).status).toBe(200);
    expect(() => createMetricsHandler(metrics, { tokens: ['in clear'] })).toThrow(
      expect.objectContaining({ code: 'host.options' }),
    );
  });

  it('listens on the loopback interface alone, and only when it is told to', async () => {
    const metrics = createMetrics();
    metrics.gauge({ name: 'a', help: 'A.' }).set(1);
    expect(await listenForMetrics(metrics, {})).toBeNull();
    const listening = await listenForMetrics(metrics, { metricsPort: 0 });
    const answer = await fetch(`http://127.0.0.1:${listening!.port}/metrics`, { headers: { connection: 'close' } });
    expect(await answer.text()).toContain('a 1');
    // The same port is free on every other address, so that nothing listens there.
    if (process.platform !== 'linux') return await listening!.close();
    const other = createServer();
    await new Promise<void>((done, failed) => {
      other.once('error', failed);
      other.listen(listening!.port, '127.0.0.2', done);
    });
    await new Promise((done) => other.close(done));
    await listening!.close();
    expect(parseServerArguments(['--metrics-port', '9464'], {})).toMatchObject({ metricsPort: 9464 });
    expect(() => parseServerArguments(['--metrics-port', '99999'], {})).toThrow('not a port');
  });
});
