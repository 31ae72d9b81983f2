// A small router: exact paths by map, paths with parameters by segments; 404 and 405 with `Allow`.
import { HostError } from '../errors.ts';
import type { ConnectionInfo } from '../types.ts';
import type { BodyLimits } from './body.ts';
import type { Answer, Headed } from './message.ts';

/** What a route's handler gets. */
export interface Context {
  /** In web terms; made when it is asked for. */
  readonly request: Request;
  readonly method: string;
  readonly headers: Headed['headers'];
  /** The whole body. @throws as `readBody` */
  body(limits: BodyLimits): Promise<Uint8Array>;
  readonly url: URL;
  /** The path below the base path, starting with `/`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly info: ConnectionInfo;
  /** The client's address, looked up through trusted proxies. */
  readonly clientAddress: string;
}

/** One route. Parameters are whole segments, written `:name`. */
export interface Route {
  readonly methods: readonly string[];
  readonly path: string;
  /** Without this, a `GET` route answers `HEAD` too. */
  readonly noHead?: boolean;
  handle(context: Context): Response | Answer | Promise<Response | Answer>;
}

/** Finds the route of a method and a path. */
export interface Router {
  /**
   * @throws HostError `host.route.unknown` (404), `host.route.method` (405, with `Allow`), `host.request.bad_url` (400)
   */
  find(method: string, path: string): { readonly route: Route; readonly params: Readonly<Record<string, string>> };
}

/** Makes a router of a list of routes; with equal shapes, a literal segment wins over a parameter. */
export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map<string, Route[]>();
  const shaped = new Map<number, { segments: readonly string[]; route: Route }[]>();
  for (const route of routes) {
    if (!route.path.includes('/:')) {
      exact.set(route.path, [...(exact.get(route.path) ?? []), route]);
      continue;
    }
    const segments = route.path.split('/');
    shaped.set(segments.length, [...(shaped.get(segments.length) ?? []), { segments, route }]);
  }

  function candidates(path: string): { route: Route; params: Record<string, string> }[] {
    const direct = exact.get(path);
    if (direct) return direct.map((route) => ({ route, params: {} }));
    const segments = path.split('/');
    const found: { route: Route; params: Record<string, string> }[] = [];
    for (const { segments: shape, route } of shaped.get(segments.length) ?? []) {
      const params = match(shape, segments);
      if (params) found.push({ route, params });
    }
    return found;
  }

  return {
    find(method, path) {
      const found = candidates(path);
      if (found.length === 0) {
        throw new HostError('not-found', 'host.route.unknown', 'There is nothing at this address.');
      }
      const hit = found.find(({ route }) => accepts(route, method));
      if (hit) return hit;
      const allow = [...new Set(found.flatMap(({ route }) => allowed(route)))].sort().join(', ');
      throw new HostError('invalid', 'host.route.method', `${method} is not allowed here.`, {
        status: 405,
        headers: { allow },
        remedy: `Use ${allow}.`,
      });
    },
  };
}

function allowed(route: Route): string[] {
  return route.methods.includes('GET') && !route.noHead ? [...route.methods, 'HEAD'] : [...route.methods];
}

function accepts(route: Route, method: string): boolean {
  return allowed(route).includes(method);
}

function match(shape: readonly string[], segments: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, part] of shape.entries()) {
    const segment = segments[index] as string;
    if (!part.startsWith(':')) {
      if (part !== segment) return null;
      continue;
    }
    if (segment === '') return null;
    params[part.slice(1)] = decode(segment);
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new HostError('invalid', 'host.request.bad_url', 'The address has a broken percent escape.', { cause });
  }
}
