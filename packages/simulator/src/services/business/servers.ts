// The servers of a simulated organisation (device management services): listed, added, changed, deleted.
import { json } from '../answers.ts';
import { missing, problem } from './documents.ts';

/** A server. */
export interface SimulatedServer {
  readonly id: string;
  name: string;
  readonly createdAt: number;
  updatedAt: number;
  disown: boolean;
  families: readonly string[];
  /** Base64 of the certificate that its tokens are encrypted to. */
  certificate: string | undefined;
}

/** The list of servers. */
export interface Servers {
  readonly list: readonly SimulatedServer[];
  describe(server: SimulatedServer): object;
  /** `POST /v1/mdmServers`, `PATCH` and `DELETE /v1/mdmServers/{id}`. */
  change(method: 'POST' | 'PATCH' | 'DELETE', id: string, body: ReadonlyMap<string, unknown> | undefined): Response;
}

const families = new Set(['APPLE_TV', 'IPAD', 'IPHONE', 'IPOD', 'MAC', 'VISION', 'WATCH']);

/** Makes the list. `deviceCount` tells how many devices a server has. */
export function createServers(
  names: readonly string[],
  newId: () => string,
  now: () => number,
  deviceCount: (id: string) => number,
): Servers {
  const made = (name: string): SimulatedServer => {
    const at = now();
    return { id: newId(), name, createdAt: at, updatedAt: at, disown: false, families: [], certificate: undefined };
  };
  const list = names.map(made);

  function describe(server: SimulatedServer): object {
    const attributes = {
      serverName: server.name,
      serverType: 'MDM',
      enableMdmDisownFlag: server.disown,
      defaultProductFamilies: server.families,
      status: 'ACTIVE',
      deviceCount: deviceCount(server.id),
      createdDateTime: new Date(server.createdAt).toISOString(),
      updatedDateTime: new Date(server.updatedAt).toISOString(),
    };
    return { type: 'mdmServers', id: server.id, attributes };
  }

  /** What is wrong with the attributes of a request. */
  function fault(
    attributes: Readonly<Record<string, unknown>>,
    other: SimulatedServer | undefined,
  ): Response | undefined {
    const { serverName, serverCertificate, defaultProductFamilies } = attributes;
    if (serverName !== undefined && (typeof serverName !== 'string' || serverName === '')) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'serverName');
    }
    if (list.some((server) => server !== other && server.name === serverName)) {
      return problem(409, 'ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE', 'serverName');
    }
    const data = (serverCertificate as { readonly data?: unknown } | undefined)?.data;
    if (serverCertificate !== undefined && (typeof data !== 'string' || !data.startsWith('MII'))) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'serverCertificate');
    }
    const wrong = (family: unknown): boolean => !families.has(String(family));
    if (
      defaultProductFamilies !== undefined &&
      (!Array.isArray(defaultProductFamilies) || defaultProductFamilies.some(wrong))
    ) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'defaultProductFamilies');
    }
    return undefined;
  }

  function apply(server: SimulatedServer, attributes: Readonly<Record<string, unknown>>): void {
    const { serverName, serverCertificate, defaultProductFamilies, enableMdmDisownFlag } = attributes;
    if (typeof serverName === 'string') server.name = serverName;
    if (serverCertificate !== undefined) server.certificate = String((serverCertificate as { data: unknown }).data);
    if (Array.isArray(defaultProductFamilies)) server.families = defaultProductFamilies.map(String);
    if (typeof enableMdmDisownFlag === 'boolean') server.disown = enableMdmDisownFlag;
    server.updatedAt = now();
  }

  return {
    list,
    describe,
    change(method, id, body) {
      const server = list.find((item) => item.id === id);
      if (method !== 'POST' && server === undefined) return missing('mdmServers', id);
      if (method === 'DELETE') {
        if (deviceCount(id) > 0) return problem(409, 'STATE_ERROR', 'the server has devices');
        list.splice(list.indexOf(server!), 1);
        return new Response(null, { status: 204 });
      }
      const data = body?.get('data') as { readonly attributes?: Readonly<Record<string, unknown>> } | undefined;
      const attributes = data?.attributes;
      if (attributes === undefined) return problem(400, 'ENTITY_INVALID', 'data');
      const missingOne = ['serverName', 'serverCertificate'].find((name) => attributes[name] === undefined);
      if (method === 'POST' && missingOne !== undefined) {
        return problem(409, 'ENTITY_ERROR.ATTRIBUTE.REQUIRED', missingOne);
      }
      const refused = fault(attributes, server);
      if (refused !== undefined) return refused;
      const changed = server ?? made('');
      if (server === undefined) list.push(changed);
      apply(changed, attributes);
      return json({ data: describe(changed) }, server === undefined ? 201 : 200);
    },
  };
}
