// A browser as a sign-in needs it: redirects, cookies, forms, and the ends that the device waits for.
import { SimulatorError } from '../../errors.ts';
import type { DeviceRequest, DeviceResponse } from '../../net/transport.ts';
import { firstForm } from './form.ts';

/** A page that the user sees. */
export interface WebPage {
  readonly url: string;
  readonly status: number;
  readonly text: string;
  /** Opens another address. */
  open(url: string): Promise<WebPage | null>;
  /**
   * Sends the first form of the page: its own values, with these in their place.
   * @throws SimulatorError `simulator.sign_in` where there is no form
   */
  submit(fields?: { readonly [name: string]: string }): Promise<WebPage | null>;
}

/**
 * A user who signs in: does what is to be done on the pages. `open` and `submit` give `null` when the sign-in has come
 * to its end, and there is no further page.
 * @example
 * const signIn: SignIn = async (page) => { await page.submit({ user: 'ann', password: 'secret' }); };
 */
export type SignIn = (page: WebPage) => Promise<unknown>;

/** How a sign-in ended. */
export type SignInEnd =
  | { readonly type: 'callback'; readonly url: URL }
  | { readonly type: 'profile'; readonly url: string; readonly body: Uint8Array };

/** The scheme that leads back to the device. Source: Apple, account-driven enrolment. */
export const callbackScheme = 'apple-remotemanagement-user-login:';

/** What a browser needs of the device. */
export interface BrowserContext {
  /** Sends until there is an answer. @throws SimulatorError `simulator.unreachable` */
  request(request: DeviceRequest): Promise<DeviceResponse>;
}

const maxSteps = 30;
const maxFills = 10;

/**
 * Makes a user who fills in each form with a name and a password, whatever its fields are called.
 * @example
 * await device.enrol({ type: 'account', user: 'ann@example.com', signIn: signInWith({ username: 'ann', password }) });
 */
export function signInWith(credentials: { readonly username: string; readonly password: string }): SignIn {
  return async (first) => {
    let page: WebPage | null = first;
    for (let fills = 0; page !== null && fills < maxFills; fills++) {
      const form = firstForm(page.text);
      if (form === null || page.status >= 400) return;
      const fields: { [name: string]: string } = {};
      for (const { name, type } of form.inputs) {
        if (type === 'password') fields[name] = credentials.password;
        else if (type === 'text' || type === 'email') fields[name] = credentials.username;
      }
      page = await page.submit(fields);
    }
  };
}

/**
 * Opens a page and lets the user sign in, until the callback or a profile comes.
 * @param headers of the first request only.
 * @throws SimulatorError `simulator.sign_in`, `simulator.unreachable`
 */
export async function browse(
  start: string,
  signIn: SignIn | undefined,
  context: BrowserContext,
  headers: { readonly [name: string]: string } = {},
): Promise<SignInEnd> {
  const cookies = new Map<string, Map<string, string>>();
  let steps = 0;
  let end: SignInEnd | undefined;

  async function go(method: 'GET' | 'POST', address: string, body?: string, extra = {}): Promise<WebPage | null> {
    let request = { method, url: address, body };
    let more: { readonly [name: string]: string } = extra;
    for (;;) {
      const url = parse(request.url);
      if (url.protocol === callbackScheme) {
        end = { type: 'callback', url };
        return null;
      }
      if (url.protocol !== 'https:' && url.protocol !== 'http:')
        throw problem(`the browser does not open ${url.protocol}`);
      if (++steps > maxSteps) throw problem('the sign-in goes round in circles');
      const jar = cookies.get(url.host) ?? new Map<string, string>();
      cookies.set(url.host, jar);
      const response = await context.request({
        method: request.method,
        url: url.href,
        headers: {
          accept: 'text/html,application/xhtml+xml,*/*',
          ...(jar.size === 0 ? {} : { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }),
          ...(request.body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          ...more,
        },
        ...(request.body === undefined ? {} : { body: new TextEncoder().encode(request.body) }),
      });
      more = {};
      keep(jar, response.headers['set-cookie']);
      const { location } = response.headers;
      if (response.status >= 300 && response.status < 400 && location !== undefined) {
        const next = parse(location, url.href).href;
        const same = response.status === 307 || response.status === 308;
        request = same ? { ...request, url: next } : { method: 'GET', url: next, body: undefined };
        continue;
      }
      const type = (response.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
      if (response.status === 200 && type === 'application/x-apple-aspen-config') {
        end = { type: 'profile', url: url.href, body: response.body };
        return null;
      }
      return page(url.href, response);
    }
  }

  function page(url: string, response: DeviceResponse): WebPage {
    const text = new TextDecoder().decode(response.body);
    return {
      url,
      status: response.status,
      text,
      open: (address) => go('GET', parse(address, url).href),
      submit(fields = {}) {
        const form = firstForm(text);
        if (form === null) return Promise.reject(problem(`the page at ${url} has no form (HTTP ${response.status})`));
        const values = new URLSearchParams();
        for (const { name, value } of form.inputs) if (!Object.hasOwn(fields, name)) values.append(name, value);
        for (const [name, value] of Object.entries(fields)) values.append(name, value);
        const target = parse(form.action, url);
        if (form.method === 'post') return go('POST', target.href, values.toString());
        target.search = values.toString();
        return go('GET', target.href);
      },
    };
  }

  const first = await go('GET', start, undefined, headers);
  if (first !== null) {
    if (signIn === undefined)
      throw problem(`there is a page at ${first.url} (HTTP ${first.status}), and nobody to sign in`);
    await signIn(first);
  }
  if (end === undefined) throw problem('the sign-in did not come to its end');
  return end;
}

function keep(jar: Map<string, string>, header: string | undefined): void {
  // The transport gives one line for each cookie.
  for (const line of (header ?? '').split('\n')) {
    const [pair = '', ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    if (at <= 0) continue;
    const name = pair.slice(0, at).trim();
    const gone = attributes.some((item) => /^\s*max-age\s*=\s*(0|-\d+)\s*$/i.test(item));
    if (gone) jar.delete(name);
    else jar.set(name, pair.slice(at + 1).trim());
  }
}

function parse(url: string, base?: string): URL {
  if (!URL.canParse(url, base)) throw problem(`${url.slice(0, 200)} is no address`);
  return new URL(url, base);
}

function problem(message: string): SimulatorError {
  return new SimulatorError('simulator.sign_in', message);
}
