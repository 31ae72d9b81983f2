// Metrics of the host: requests by area, refusals by code; and the text that Prometheus reads.
import { type Metrics, PROMETHEUS_TYPE, prometheusText } from '@espalier/core';
import { type Authorise, bearerToken, createTokenCheck } from './api/auth.ts';
import { bytes } from './http/respond.ts';
import type { Route } from './http/router.ts';
import type { FetchHandler } from './types.ts';

/** What the host measures. */
export interface HostMeters {
  /** Begins to measure a request; the function is called with what came of it. */
  request(): (result: {
    /** The route's path as it was registered; `null` where no route fits. */
    readonly route: string | null;
    readonly status: number;
    /** The error's code, when it was refused or failed. */
    readonly code?: string;
  }) => void;
}

/** Makes the host's instruments in the engine's registry. */
export function createHostMeters(metrics: Metrics): HostMeters {
  const requests = metrics.counter({
    name: 'espalier_http_requests_total',
    help: 'Requests by the first segment of their route and status of the answer.',
    labels: ['area', 'status'],
    maxSeries: 500,
  });
  const problems = metrics.counter({
    name: 'espalier_http_problems_total',
    help: 'Requests that were refused or failed, by code of the error.',
    labels: ['code'],
  });
  const duration = metrics.histogram({
    name: 'espalier_http_request_duration_seconds',
    help: 'Time from a request to its answer, by the first segment of the route.',
    labels: ['area'],
  });
  return {
    request() {
      const seconds = metrics.time();
      return ({ route, status, code }) => {
        // Of the route and never of the address: strangers make up addresses without end.
        const area = route === null ? 'none' : route.split('/')[1] || 'page';
        requests.add({ area, status: String(status) });
        duration.record(seconds(), { area });
        if (code !== undefined) problems.add({ code });
      };
    },
  };
}

async function metricsResponse(metrics: Metrics): Promise<Response> {
  const body = new TextEncoder().encode(prometheusText(await metrics.collect()));
  return bytes(body, 200, PROMETHEUS_TYPE, { 'cache-control': 'no-store' });
}

/** `GET /metrics` on the host itself. */
export function metricsRoute(metrics: Metrics, authorise: Authorise): Route {
  return {
    methods: ['GET'],
    path: '/metrics',
    handle: async (context) => {
      await authorise(context, ['view devices']);
      return await metricsResponse(metrics);
    },
  };
}

/**
 * The metrics as a handler of their own, for a listener that only the machine, or the inside of a network, reaches: any
 * path is answered with Prometheus' text format 0.0.4.
 *
 * @param options.tokens hashes of the tokens, as `hashAdminToken` writes them, of which one must come as
 *   `Authorization: Bearer`. Without this, nobody is asked for one.
 * @example
 * createServer(toNodeListener(createMetricsHandler(engine.metrics))).listen(9464, '127.0.0.1');
 */
export function createMetricsHandler(
  metrics: Metrics,
  options: { readonly tokens?: readonly string[] } = {},
): FetchHandler {
  const check = options.tokens === undefined ? null : createTokenCheck(options.tokens);
  return async (request) => {
    const token = check === null ? null : bearerToken(request);
    if (check !== null && (token === null || !check(token))) {
      return bytes(null, 401, null, { 'www-authenticate': 'Bearer realm="espalier"' });
    }
    if (request.method !== 'GET') return bytes(null, 405, null, { allow: 'GET' });
    return await metricsResponse(metrics);
  };
}
