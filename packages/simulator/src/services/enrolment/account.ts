// The account endpoints of the simulated service: its details, and the URL for account-driven enrolment.
import { json, text } from '../answers.ts';

/** What the account's details tell. */
export interface AccountFacts {
  readonly serverName: string;
  readonly serverUuid: string;
  readonly organisationName: string;
  readonly organisationType: 'org' | 'edu';
  readonly maxPage: number;
}

/** `GET /account`. */
export function accountDetails(facts: AccountFacts, version: number): Response {
  const limit = { default: 100, maximum: facts.maxPage };
  return json({
    server_name: facts.serverName,
    server_uuid: facts.serverUuid,
    admin_id: 'admin@example.com',
    facilitator_id: 'admin@example.com',
    org_name: facts.organisationName,
    org_email: 'office@example.com',
    org_phone: '+44 20 7946 0000',
    org_address: '1 High Street, London',
    ...(version >= 3 && {
      org_id: '1000000001',
      org_id_hash: '4c7f0e1e8d9a5b3c',
      org_type: facts.organisationType,
      org_version: 'v2',
      urls: [
        { uri: '/server/devices', http_method: ['POST'], limit },
        { uri: '/devices/sync', http_method: ['POST'], limit },
        { uri: '/devices', http_method: ['POST'], limit },
        { uri: '/profile', http_method: ['GET', 'POST'], limit },
        { uri: '/profile/devices', http_method: ['POST', 'PUT', 'DELETE'], limit },
      ],
    }),
  });
}

/** Answers `/account-driven-enrollment/profile`; remembers the URL. */
export function createDiscovery(now: () => number): (method: string, body: ReadonlyMap<string, unknown>) => Response {
  let discovery: { readonly url: string; readonly at: number } | undefined;
  return (method, body) => {
    if (method === 'GET') {
      if (discovery === undefined) return text('NOT_FOUND', 404);
      const updated = new Date(discovery.at).toISOString();
      return json({ mdm_service_discovery_url: discovery.url, last_updated_timestamp: updated });
    }
    if (method === 'DELETE') {
      discovery = undefined;
      return new Response(null, { status: 200 });
    }
    const url = body.get('mdm_service_discovery_url');
    if (url === undefined || url === '') return text('MDM_SERVICE_DISCOVERY_URL_REQUIRED', 400);
    if (typeof url !== 'string' || !URL.canParse(url) || new URL(url).protocol !== 'https:') {
      return text('MDM_SERVICE_DISCOVERY_URL_NOT_VALID', 400);
    }
    discovery = { url, at: now() };
    return new Response(null, { status: 200 });
  };
}
