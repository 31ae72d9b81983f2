// A small client of the admin API, over TLS that trusts the server's own root.
import { Agent, request } from 'node:https';

/** The admin API of one server. Answers that are no JSON come as text. */
export interface AdminApi {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  /** All rows of a listing, page by page. */
  all<T>(path: string): Promise<T[]>;
  close(): void;
}

/** @throws Error from its methods: an answer other than 2xx, with what the server said. */
export function createAdminApi(url: string, token: string, rootPem: string): AdminApi {
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: rootPem });

  function send<T>(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${token}`,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      };
      const outgoing = request(`${url}/api/v1${path}`, { method, agent, headers }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const answer = Buffer.concat(chunks).toString('utf8');
          const status = incoming.statusCode ?? 0;
          const isJson = incoming.headers['content-type']?.includes('json') === true;
          if (status >= 200 && status < 300) resolve((isJson ? JSON.parse(answer) : answer) as T);
          else reject(new Error(`${method} ${path}: HTTP ${status} ${answer}`));
        });
      });
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }

  const get = <T>(path: string): Promise<T> => send<T>('GET', path);
  return {
    get,
    post: (path, body) => send('POST', path, body),
    patch: (path, body) => send('PATCH', path, body),
    async all<T>(path: string) {
      const rows: T[] = [];
      for (let after: string | null = ''; after !== null; ) {
        const mark = path.includes('?') ? '&' : '?';
        const from: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
        const page: { items: T[]; next: string | null } = await get(`${path}${mark}limit=500${from}`);
        rows.push(...page.items);
        after = page.next;
      }
      return rows;
    },
    close: () => agent.destroy(),
  };
}
