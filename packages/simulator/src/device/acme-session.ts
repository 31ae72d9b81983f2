// What an ACME client needs of the protocol (RFC 8555, 6 and 7.5.1): signed requests, nonces, and asking again later.
import { generateKeyPairSync, sign } from 'node:crypto';
import { SimulatorError } from '../errors.ts';
import type { DeviceResponse } from '../net/transport.ts';
import type { IdentityContext } from './identity.ts';

/** A JSON object of the server. */
export type Json = { readonly [key: string]: unknown };

/** An answer that is a resource of the server: an order, an authorization, a challenge. */
export interface AcmeResource {
  readonly value: Json;
  readonly headers: DeviceResponse['headers'];
}

/** An account at an ACME server, with a key of its own. */
export interface AcmeSession {
  /** @throws SimulatorError `simulator.acme` */
  post(url: string, payload: Json | ''): Promise<AcmeResource>;
  /** POST-as-GET of something that is no JSON. */
  download(url: string): Promise<Uint8Array>;
  /** Asks how a resource stands until it has one of these states, as patiently as the server says (`Retry-After`). */
  settled(url: string, from: AcmeResource | null, states: readonly string[]): Promise<AcmeResource>;
  /** An address of the directory. */
  address(name: string): string;
}

/** A request is made anew this often when its nonce was refused, or when the server wants it later. */
const TRIES = 5;
/** A resource is asked about this often; a device does not wait for a day. */
const POLLS = 10;
/** Between two looks when the server does not say. */
const PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 600_000;

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');

/** What the ACME server did not do. */
export const refused = (message: string): SimulatorError => new SimulatorError('simulator.acme', message);

/**
 * Reads the directory and makes an account.
 * @throws SimulatorError `simulator.acme`, `simulator.unreachable`
 */
export async function openAcmeSession(directoryUrl: string, context: IdentityContext): Promise<AcmeSession> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const directory = parse(await context.request({ method: 'GET', url: directoryUrl, headers: {} }));
  const address = (name: string): string => text(directory, name);
  let kid: string | null = null;
  let spare: string | null = null;

  /** Each answer brings a nonce for the next request; only the first one has to be fetched. */
  async function takeNonce(): Promise<string> {
    const kept = spare;
    spare = null;
    if (kept !== null) return kept;
    const head = await context.request({ method: 'HEAD', url: address('newNonce'), headers: {} });
    const nonce = head.headers['replay-nonce'];
    if (nonce === undefined) throw refused('the ACME server gives no nonce');
    return nonce;
  }

  async function send(url: string, payload: Json | ''): Promise<DeviceResponse> {
    const nonce = await takeNonce();
    const header = base64url(JSON.stringify({ alg: 'ES256', nonce, url, ...(kid === null ? { jwk } : { kid }) }));
    const content = payload === '' ? '' : base64url(JSON.stringify(payload));
    const input = Buffer.from(`${header}.${content}`);
    const signature = base64url(sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
    const answer = await context.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/jose+json' },
      body: Buffer.from(JSON.stringify({ protected: header, payload: content, signature })),
    });
    spare = answer.headers['replay-nonce'] ?? null;
    return answer;
  }

  async function request(url: string, payload: Json | ''): Promise<DeviceResponse> {
    for (let attempt = 1; ; attempt++) {
      const answer = await send(url, payload);
      if (answer.status < 300) return answer;
      const problem = parse(answer);
      const type = String(problem['type']);
      if (attempt < TRIES) {
        // Too old, or used by a request whose answer was lost: the refusal brings another one (6.5).
        if (type.endsWith(':badNonce')) continue;
        if (type.endsWith(':rateLimited')) {
          await context.sleep(pauseOf(answer, context.now()));
          continue;
        }
      }
      throw refused(`the ACME server refused: ${type} ${String(problem['detail'] ?? '')}`.trim());
    }
  }

  const post = async (url: string, payload: Json | ''): Promise<AcmeResource> => {
    const answer = await request(url, payload);
    return { value: parse(answer), headers: answer.headers };
  };

  const account = await post(address('newAccount'), { termsOfServiceAgreed: true });
  kid = locationOf(account, 'account');

  return {
    address,
    post,
    download: async (url) => (await request(url, '')).body,
    async settled(url, from, states) {
      let now = from ?? (await post(url, ''));
      for (let poll = 0; !states.includes(String(now.value['status'])); poll++) {
        if (poll === POLLS) throw refused(`the ACME server keeps the device waiting: ${String(now.value['status'])}`);
        await context.sleep(pauseOf(now, context.now()));
        now = await post(url, '');
      }
      return now;
    },
  };
}

/** How long the server asks to wait: seconds, or a date (RFC 9110, 10.2.3). */
function pauseOf({ headers }: Pick<DeviceResponse, 'headers'>, now: number): number {
  const given = headers['retry-after'];
  if (given === undefined) return PAUSE_MS;
  const pause = /^\d{1,9}$/.test(given.trim()) ? Number(given) * 1000 : Date.parse(given) - now;
  return Number.isNaN(pause) ? PAUSE_MS : Math.min(LONGEST_PAUSE_MS, Math.max(1000, pause));
}

/** A resource's address. */
export function locationOf({ headers }: AcmeResource, what: string): string {
  const { location } = headers;
  if (location === undefined) throw refused(`the ACME server does not say where the ${what} is`);
  return location;
}

/** A member that must be there. */
export function text(object: Json, key: string): string {
  const value = object[key];
  if (typeof value !== 'string') throw refused(`the ACME server left out ${key}`);
  return value;
}

function parse(answer: DeviceResponse): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(answer.body).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Json;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw refused(`the ACME server answered HTTP ${answer.status} without JSON`);
}
