// A server for the matrix: one engine on a store, four hosts over it (identities by SCEP and ACME, sign-in by Apple's redirect and
// by OAuth 2), an authorisation server, all behind one TLS listener of Express, Koa or bare Node.
import { createHash, randomBytes } from 'node:crypto';
import { createServer, request } from 'node:https';
import { digestHash, pairingTokenMissing, verifyDigest } from '@espalier/apple-mdm';
import { createEngine, createKeyRing, type Engine, type Store } from '@espalier/core';
import { type AccountOptions, type AccountUser, createHost, type FetchHandler, type HostOptions } from '@espalier/host';
import { toExpress } from '@espalier/host/express';
import { toKoa } from '@espalier/host/koa';
import { listen, toNodeListener } from '@espalier/host/node';
import { type CertificateAuthority, createRootCa, generateKeyPair, openCa, signCms, toPem } from '@espalier/pki';
import { decodeDict } from '@espalier/plist';
import {
  createSimulatedAttestation,
  createSimulatedDeviceAuthority,
  type SimulatedAttestation,
  type SimulatedDeviceAuthority,
} from '@espalier/simulator';
import express from 'express';
import Koa from 'koa';

/** What all servers of a run share, since making it is slow. */
export interface Authorities {
  readonly ca: CertificateAuthority;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly signing: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };
  readonly devices: SimulatedDeviceAuthority;
  readonly attestation: SimulatedAttestation;
}

/** Makes them. */
export async function makeAuthorities(): Promise<Authorities> {
  const root = await createRootCa({ subject: 'CN=Matrix root', key: { type: 'rsa', bits: 2048 }, clock: Date });
  const ca = await openCa({ ...root, clock: Date });
  const key = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({
    publicKey: key.publicKey,
    subject: 'CN=localhost',
    sans: [{ type: 'dns', value: 'localhost' }],
    template: 'tls-server',
  });
  return {
    ca,
    tls: { cert: toPem(certificate), key: toPem(key.privateKey, 'PRIVATE KEY') },
    signing: { certificate, privateKey: key.privateKey },
    devices: await createSimulatedDeviceAuthority(),
    attestation: await createSimulatedAttestation(),
  };
}

export const adapters = {
  express: (fetch: FetchHandler) => express().use(toExpress(fetch)),
  koa: (fetch: FetchHandler) => new Koa().use(toKoa(fetch)).callback(),
  node: (fetch: FetchHandler) => toNodeListener(fetch),
};

type Identity = 'scep' | 'acme';
type SignInWay = 'web' | 'oauth';

/** What one server is. */
export interface MatrixWorld {
  readonly origin: string;
  readonly engine: Engine;
  readonly authorities: Authorities;
  /** The check-ins that have come: their message types. */
  readonly checkins: ReadonlySet<string>;
  /** The device's side of a directory. */
  readonly directory: { readonly shortName: string; readonly userId: string; readonly password: string };
  /** The base of a host that gives identities in this way. */
  base(identity: Identity): string;
  /** The user whose discovery leads to a host of this sign-in, and to this kind of enrolment. */
  user(identity: Identity, signIn: SignInWay, mode: 'BYOD' | 'ADDE'): string;
  /** Signs a user in at the page for User Enrolment by profile, as Safari does; gives where the profile is. */
  profileSignIn(identity: Identity): Promise<string>;
  close(): Promise<void>;
}

const topic = 'com.apple.mgmt.External.matrix';
const realm = 'example.com';
/** Older systems have to update to this. */
export const requiredOs = { iOS: '18.3', macOS: '15.3' };
export const signInPassword = 'correct horse';
const directory = { shortName: 'dora', userId: '5C2B0F3A-0D53-4C5E-9E31-000000000001', password: 'directory secret' };

/** Starts a server. */
export async function startWorld(
  store: Store,
  adapter: keyof typeof adapters,
  authorities: Authorities,
): Promise<MatrixWorld> {
  const hash = digestHash({ username: directory.shortName, realm, password: directory.password });
  const pairing = (phone: string, watch: string, security: string): string => `${phone}/${watch}/${security}`;
  const security = 'B4D9D4D6-2A0B-4B8B-8B0A-6A5B7F0D3C11';
  const engine = createEngine({
    store,
    keys: createKeyRing({ current: { id: 'matrix', key: new Uint8Array(randomBytes(32)) } }),
    options: { declarationSettleMs: 0 },
    hooks: {
      userAuthenticate: {
        begin: () => ({ realm }),
        verify: (_user, digest, challenge) => verifyDigest(digest, { ...challenge, hash }),
      },
      getToken: async ({ service, phoneUdid = '', watchUdid = '', securityToken = '' }) =>
        service === 'com.apple.watch.pairing' ? pairing(phoneUdid, watchUdid, securityToken) : null,
      awaitingConfiguration: async () => ({}),
      returnToService: async () => ({ preserveApps: false }),
    },
  });
  const users = new Map<string, AccountUser>();
  /** First visits of the page of ADE that wait for a password. */
  const visits = new Map<string, () => Promise<string>>();
  const checkins = new Set<string>();
  let origin = '';
  const hosts = new Map<string, FetchHandler>();

  const common = (): Omit<HostOptions, 'profile' | 'account' | 'basePath' | 'publicUrl'> => ({
    engine,
    ca: authorities.ca,
    identity: { anchors: [authorities.ca.certificate] },
    page: false,
    acme: { roots: [authorities.attestation.root] },
    profileService: { anchors: [authorities.devices.certificate] },
    ade: {
      anchors: [authorities.devices.certificate],
      requiredOs: ({ product }) => {
        const osVersion = product.startsWith('Mac') ? requiredOs.macOS : requiredOs.iOS;
        return /^(Mac|iPhone|iPad|AppleTV|Reality)/.test(product) ? { osVersion } : null;
      },
      admit: ({ product, pairingToken }) => {
        if (!product.startsWith('Watch')) return null;
        const given = pairingToken === undefined ? '' : new TextDecoder().decode(pairingToken);
        return given.endsWith(`/${security}`) ? null : pairingTokenMissing({ securityToken: security });
      },
      web: async (_request, { profileUrl }) => {
        const id = randomBytes(16).toString('hex');
        visits.set(id, profileUrl);
        const fields = `<input type="hidden" name="visit" value="${id}"><input name="password" type="password">`;
        return html(`<form method="post" action="/sign-in">${fields}</form>`);
      },
    },
  });
  const profile = (identity: Identity): HostOptions['profile'] => ({
    organisation: 'Matrix',
    topic,
    identity,
    sign: (bytes) => signCms(bytes, authorities.signing),
    serverCapabilities: ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken', 'com.apple.mdm.token'],
  });
  const accounts: Omit<AccountOptions, 'signIn'> = {
    anchors: [authorities.devices.certificate],
    mode: ({ identifier }: { readonly identifier: string }) =>
      (identifier.startsWith('byod') ? 'BYOD' : 'ADDE') as 'BYOD' | 'ADDE',
    profilePage: async (request, { accept }) => {
      const form = new URLSearchParams(await request.text());
      if (form.get('password') !== signInPassword) return html('<p>No.</p>', 403);
      return await accept({ managedAppleAccount: form.get('user') ?? '' });
    },
  };

  /** What comes before the hosts: the domain's discovery, the pages of the ADE sign-in, and the authorisation server. */
  const idp = authorisationServer(users);
  const fetch: FetchHandler = async (request, info) => {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/idp/')) return idp(request, url);
    if (url.pathname === '/sign-in') {
      const form = new URLSearchParams(await request.text());
      const profileUrl = visits.get(form.get('visit') ?? '');
      if (profileUrl === undefined || form.get('password') !== signInPassword) return html('<p>No.</p>', 403);
      return new Response(null, { status: 303, headers: { location: await profileUrl() } });
    }
    if (request.method === 'PUT') {
      const { MessageType: type } = decodeDict(new Uint8Array(await request.clone().arrayBuffer()));
      if (typeof type === 'string') checkins.add(type);
    }
    // Each host has a path, and a domain whose discovery it answers.
    const domain = (url.searchParams.get('user-identifier') ?? '').split('@').at(-1)?.split('.')[0];
    const name = url.pathname.startsWith('/.well-known/') ? domain : url.pathname.split('/')[1];
    const host = hosts.get(name ?? '');
    return host === undefined ? html('<p>Nothing.</p>', 404) : await host(request, info);
  };
  const server = createServer(
    { ...authorities.tls, requestCert: true, rejectUnauthorized: false },
    adapters[adapter](fetch) as Parameters<typeof createServer>[1],
  );
  const listening = await listen(server, { port: 0, address: '127.0.0.1' });
  origin = `https://localhost:${listening.port}`;
  const signIns = {
    web: {
      method: 'apple-as-web',
      page: async (request, { userIdentifier, accept }) => {
        if (request.method === 'GET') {
          const value = (userIdentifier ?? '').replaceAll(/[^\w@.-]/g, '');
          const fields = `<input type="email" name="user" value="${value}"><input type="password" name="password">`;
          return html(`<form method="post">${fields}</form>`);
        }
        const form = new URLSearchParams(await request.text());
        if (form.get('password') !== signInPassword) return html('<p>No.</p>', 403);
        return accept({ managedAppleAccount: form.get('user') ?? '' });
      },
    },
    oauth: {
      method: 'apple-oauth2',
      authorizationUrl: `${origin}/idp/authorize`,
      tokenUrl: `${origin}/idp/token`,
      redirectUrl: 'apple-remotemanagement-user-login:/oauth2/redirection',
      clientId: 'matrix',
      scope: 'MDM',
      verify: async (token) => users.get(token) ?? null,
    },
  } as const satisfies { readonly [W in SignInWay]: AccountOptions['signIn'] };
  for (const identity of ['scep', 'acme'] as const) {
    for (const way of ['web', 'oauth'] as const) {
      const name = `${identity}-${way}`;
      const paths = { basePath: `/${name}`, publicUrl: `${origin}/${name}` };
      const account = { ...accounts, signIn: signIns[way] };
      hosts.set(name, createHost({ ...common(), ...paths, profile: profile(identity), account }).fetch);
    }
  }
  return {
    origin,
    engine,
    authorities,
    checkins,
    directory,
    base: (identity) => `${origin}/${identity}-web`,
    profileSignIn: async (identity) =>
      (await postForm(`${origin}/${identity}-web/enrol/user`, authorities.ca.certificate, {
        user: 'ann@appleaccount.example.com',
        password: signInPassword,
      })) ?? '',
    user: (identity, signIn, mode) => `${mode.toLowerCase()}@${identity}-${signIn}.example.com`,
    async close() {
      server.closeAllConnections();
      await listening.close();
      await engine.stop();
      await store.close();
    },
  };
}

/** Posts a form as Safari on iOS 17 does; gives where the answer leads. */
function postForm(url: string, root: Uint8Array, fields: Record<string, string>): Promise<string | undefined> {
  const version = 'Version/17.7 Mobile/15E148 Safari/604.1';
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'user-agent': `Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ${version}`,
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ca: toPem(root), headers }, (answer) => {
      answer.resume();
      resolve(answer.headers.location);
    });
    sent.on('error', reject);
    sent.end(new URLSearchParams(fields).toString());
  });
}

function html(text: string, status = 200): Response {
  return new Response(text, { status, headers: { 'content-type': 'text/html' } });
}

/** A small authorisation server (RFC 6749, RFC 7636): a form, a code, a token for who has the verifier. */
function authorisationServer(users: Map<string, AccountUser>): (request: Request, url: URL) => Promise<Response> {
  const codes = new Map<string, { readonly challenge: string; readonly user: string; readonly redirect: string }>();
  const word = (): string => randomBytes(16).toString('base64url');
  return async (request, url) => {
    const q = url.searchParams;
    if (url.pathname === '/idp/authorize' && request.method === 'GET') {
      const hidden = [...q].map(
        ([name, value]) => `<input type="hidden" name="${name}" value="${encodeURIComponent(value)}">`,
      );
      return html(
        `<form method="post" action="/idp/login">${hidden.join('')}<input type="password" name="password"></form>`,
      );
    }
    const form = new URLSearchParams(await request.text());
    const field = (name: string): string => decodeURIComponent(form.get(name) ?? '');
    if (url.pathname === '/idp/login') {
      const fits = field('password') === signInPassword && field('code_challenge_method') === 'S256';
      if (!fits || field('client_id') !== 'matrix' || field('response_type') !== 'code') return html('No.', 400);
      const code = word();
      const redirect = field('redirect_uri');
      codes.set(code, { challenge: field('code_challenge'), user: field('login_hint'), redirect });
      const back = new URLSearchParams({ code, state: field('state') });
      return new Response(null, { status: 302, headers: { location: `${redirect}?${back}` } });
    }
    const known = codes.get(form.get('code') ?? '');
    const proof = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const good = known !== undefined && known.challenge === proof && known.redirect === form.get('redirect_uri');
    if (url.pathname !== '/idp/token' || !good) return Response.json({ error: 'invalid_grant' }, { status: 400 });
    codes.delete(form.get('code')!);
    const token = word();
    users.set(token, { managedAppleAccount: known.user });
    return Response.json({ access_token: token, token_type: 'Bearer', expires_in: 3600, refresh_token: word() });
  };
}
