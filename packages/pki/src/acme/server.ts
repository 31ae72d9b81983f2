// The ACME server (RFC 8555): from a request to its answer.
import { randomBytes } from 'node:crypto';
import { timeOf } from '../clock.ts';
import { PkiError } from '../errors.ts';
import { changeKey, listOrders, newAccount, updateAccount } from './accounts.ts';
import { type AcmeServerOptions, type Authenticated, type Context, json, urlsOf } from './context.ts';
import { finalizeOrder, getCertificate, getOrder } from './finalize.ts';
import { parseObject } from './json.ts';
import { readAccountKey } from './jwk.ts';
import { type Jws, readJws, verifyJws } from './jws.ts';
import { deviceAttest, newOrder, postAuthorization, postChallenge } from './orders.ts';
import { malformed, Refusal } from './problem.ts';
import { revokeCertificate } from './revoke.ts';

/** An ACME server: mount `handle` at the path of `baseUrl` and everything below. */
export interface AcmeServer {
  handle(request: Request): Promise<Response>;
}

type Who = 'new key' | 'account' | 'either';

interface Route {
  readonly who: Who;
  /** The payload must be empty: POST-as-GET. */
  readonly read?: true;
  run(context: Context, from: Authenticated, ids: readonly string[]): Promise<Response>;
}

const routes: readonly (readonly [pattern: RegExp, route: Route])[] = [
  [/^new-account$/, { who: 'new key', run: newAccount }],
  [/^new-order$/, { who: 'account', run: newOrder }],
  [/^revoke-cert$/, { who: 'either', run: revokeCertificate }],
  [/^key-change$/, { who: 'account', run: changeKey }],
  [
    /^account\/([\w-]+)$/,
    { who: 'account', run: (context, from, [id]) => updateAccount(context, checkOwn(from, id!)) },
  ],
  [
    /^account\/([\w-]+)\/orders$/,
    { who: 'account', read: true, run: (context, from, [id]) => listOrders(context, checkOwn(from, id!)) },
  ],
  [
    /^order\/([\w-]+)$/,
    {
      who: 'account',
      read: true,
      async run(context, from, [id]) {
        return getOrder(context, from, id!);
      },
    },
  ],
  [/^order\/([\w-]+)\/finalize$/, { who: 'account', run: (context, from, [id]) => finalizeOrder(context, from, id!) }],
  [
    /^authorization\/([\w-]+)$/,
    { who: 'account', run: (context, from, [id]) => postAuthorization(context, from, id!) },
  ],
  [
    /^challenge\/([\w-]+)\/([\w-]+)$/,
    { who: 'account', run: (context, from, [part, id]) => postChallenge(context, from, part!, id!) },
  ],
  [
    /^certificate\/([\w-]+)$/,
    { who: 'account', read: true, run: (context, from, [id]) => getCertificate(context, from, id!) },
  ],
];

function checkOwn(from: Authenticated, id: string): Authenticated {
  if (from.account!.id === id) return from;
  throw new Refusal('unauthorized', 'this is another account', { status: 403 });
}

/**
 * Makes an ACME server (RFC 8555) that validates devices by Apple's Managed Device Attestation (`device-attest-01`,
 * draft-ietf-acme-device-attest): directory, nonces, accounts with key change and external binding, orders,
 * authorizations, challenges, certificates and revocation. Whatever is refused is answered with a problem document.
 *
 * The `ClientIdentifier` of a profile's ACME payload is an identifier of the store: it is used up by the first
 * certificate, and only the same account with the same key gets that same certificate again.
 *
 * @throws PkiError `pki.acme.options` for a `baseUrl` that is not http(s) or ends with a slash, for an attestation
 * without roots, or when there is nothing that could be validated.
 * @example
 * const store = createMemoryAcmeStore({ clock: Date });
 * const acme = createAcmeServer({
 *   ca, store, clock: Date, baseUrl: 'https://mdm.example/acme',
 *   attestation: { roots: [appleEnterpriseAttestationRoot] },
 * });
 * const ClientIdentifier = store.createIdentifier({ reference: 'enrolment 1', device: { serialNumber: 'C02…' } });
 * const response = await acme.handle(request);
 */
export function createAcmeServer(options: AcmeServerOptions): AcmeServer {
  checkOptions(options);
  const { baseUrl, store, random = randomBytes, limits = {} } = options;
  const basePath = new URL(baseUrl).pathname.replace(/\/$/, '');
  const urls = urlsOf(baseUrl);
  const newId = (): string => Buffer.from(random(16)).toString('base64url');
  const context: Context = { ...options, urls, newId, now: () => timeOf(options.clock) };
  const maxBytes = limits.maxBodyBytes ?? 64 * 1024;

  async function addNonce(response: Response): Promise<Response> {
    const nonce = newId();
    await store.addNonce(nonce, context.now() + (limits.nonceTtlMs ?? 3_600_000));
    response.headers.set('replay-nonce', nonce);
    response.headers.set('cache-control', 'no-store');
    response.headers.append('link', `<${urls.directory}>;rel="index"`);
    return response;
  }

  const directory = (): Response =>
    json({
      newNonce: urls.newNonce,
      newAccount: urls.newAccount,
      newOrder: urls.newOrder,
      revokeCert: urls.revokeCert,
      keyChange: urls.keyChange,
      meta: {
        ...(options.termsOfService === undefined ? {} : { termsOfService: options.termsOfService }),
        ...(options.website === undefined ? {} : { website: options.website }),
        ...(options.externalAccounts?.required ? { externalAccountRequired: true } : {}),
      },
    });

  async function post(request: Request, path: string): Promise<Response> {
    const found = findRoute(path);
    if (!found) throw malformed('there is nothing here', 404);
    if (request.method !== 'POST') {
      throw new Refusal('malformed', 'this address is for POST', { status: 405, headers: { allow: 'POST' } });
    }
    const { route, ids } = found;
    const jws = readJws(parseObject(await readBody(request, maxBytes), 'request'));
    const from = await authenticate(jws, `${baseUrl}/${path}`, route.who);
    if (route.read && jws.payload.length > 0) throw malformed('POST-as-GET has an empty payload');
    return route.run(context, from, ids);
  }

  /** RFC 8555, 6: address, nonce, key and signature, in the order of their cost. */
  async function authenticate(jws: Jws, url: string, who: Who): Promise<Authenticated> {
    if (jws.url !== url)
      throw new Refusal('unauthorized', 'the request was signed for another address', { status: 401 });
    if (who === 'new key' && !jws.key) throw malformed('this request carries its key, not a kid');
    if (who === 'account' && jws.key) throw malformed('this request names its account by kid');
    if (jws.nonce === null || !/^[\w-]{1,128}$/.test(jws.nonce) || !(await store.takeNonce(jws.nonce))) {
      throw new Refusal('badNonce', 'the nonce is unknown, expired or used');
    }
    if (jws.key) {
      verifyJws(jws, jws.key);
      return { jws, key: jws.key, account: null };
    }
    const prefix = urls.account('');
    const id = jws.kid!.startsWith(prefix) ? jws.kid!.slice(prefix.length) : '';
    const account = /^[\w-]{1,128}$/.test(id) ? await store.findAccount(id) : null;
    if (!account) throw new Refusal('accountDoesNotExist', 'there is no such account');
    const key = readAccountKey({ ...account.jwk });
    verifyJws(jws, key);
    if (account.status !== 'valid')
      throw new Refusal('unauthorized', `the account is ${account.status}`, { status: 401 });
    return { jws, key, account };
  }

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length + 1) : null;
    if (path === 'directory' && (request.method === 'GET' || request.method === 'HEAD')) return directory();
    const nonce = path === 'new-nonce' && (request.method === 'GET' || request.method === 'HEAD');
    try {
      if (nonce) return await addNonce(new Response(null, { status: request.method === 'HEAD' ? 200 : 204 }));
      return await addNonce(await post(request, path ?? ''));
    } catch (error) {
      return refuse(error, request.method === 'POST' && !nonce);
    }
  }

  async function refuse(error: unknown, withNonce: boolean): Promise<Response> {
    let refusal: Refusal;
    if (error instanceof Refusal) {
      refusal = error;
      options.onEvent?.({ type: 'refused', code: error.code, message: error.message });
    } else {
      // The store, the signer or a callback failed. The client tries again; nothing was lost.
      options.onEvent?.({ type: 'error', error });
      refusal = new Refusal('serverInternal', 'the request could not be processed');
    }
    const headers = { 'content-type': 'application/problem+json', ...refusal.headers };
    const response = new Response(JSON.stringify(refusal.toProblem()), { status: refusal.status, headers });
    if (!withNonce) return response;
    try {
      return await addNonce(response);
    } catch (failure) {
      options.onEvent?.({ type: 'error', error: failure });
      return response; // the store is down: the problem document is all there is
    }
  }

  return { handle: answer };
}

function findRoute(path: string): { readonly route: Route; readonly ids: readonly string[] } | null {
  if (path.length > 512) return null;
  for (const [pattern, route] of routes) {
    const match = pattern.exec(path);
    if (match) return { route, ids: match.slice(1) };
  }
  return null;
}

function checkOptions({ baseUrl, attestation, challenges = [] }: AcmeServerOptions): void {
  const wrong = (message: string): PkiError => new PkiError('pki.acme.options', message);
  if (!/^https?:\/\/[^/?#]+(?:\/[\w.~/-]*)?$/.test(baseUrl) || baseUrl.endsWith('/') || !URL.canParse(baseUrl)) {
    throw wrong('baseUrl is an http(s) address without a slash at its end');
  }
  if (attestation && attestation.roots.length === 0) throw wrong('an attestation needs a root to be believed');
  if (!attestation && challenges.length === 0) throw wrong('there is neither attestation nor another challenge');
  if (challenges.some(({ type }) => type === deviceAttest)) throw wrong(`${deviceAttest} is not for a policy`);
}

/** Reads a body of the right type, giving up as soon as it is larger than allowed. */
async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/jose+json') throw malformed('requests are application/jose+json', 415);
  const tooLarge = (): Refusal => malformed(`the request is larger than ${maxBytes} bytes`, 413);
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) break;
    size += chunk.value.length;
    if (size > maxBytes) {
      await reader!.cancel();
      throw tooLarge();
    }
    chunks.push(chunk.value);
  }
  return Buffer.concat(chunks);
}
