// The status page: who may see it, signing in and out, and the table of its pages.
import type { Engine, Permission } from '@espalier/core';
import { type Access, type TokenCheck, unauthorised } from '../api/auth.ts';
import type { PublicUrls } from '../enrol/profile.ts';
import { HostError, isEspalierError } from '../errors.ts';
import type { BodyLimits } from '../http/body.ts';
import { readForm } from '../http/form.ts';
import type { Limiter } from '../http/limiter.ts';
import { seeOther, text } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import { commandPage, devicePage, historyPage } from './device.ts';
import { devicesPage } from './devices.ts';
import { type Html, html } from './html.ts';
import { invitationsPage } from './invitations.ts';
import { page } from './layout.ts';
import { configurationPage, configurationsPage, eventsPage, labelPage, labelsPage, watchListFile } from './lists.ts';
import type { Session, Sessions } from './session.ts';
import { styleSheet } from './style.ts';

/** What the pages work with. */
export interface PageContext {
  readonly engine: Engine;
  readonly basePath: string;
  readonly organisation: string;
  readonly checkToken: TokenCheck;
  readonly limiter: Limiter;
  readonly bodyLimits: BodyLimits;
  readonly sessions: Sessions;
  urls(context: Context): PublicUrls;
}

/** One request to a page, by somebody who has signed in. */
export interface View {
  readonly engine: Engine;
  readonly context: Context;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly urls: PublicUrls;
  /** What whoever signed in may do. */
  readonly access: Access;
  /** An address of this site. */
  link(path: string): string;
  /** The hidden field that every form needs. */
  readonly formField: Html;
  /** The finished page. */
  show(title: string, section: string, body: Html, status?: number): Response;
}

type Page = (view: View) => Promise<Response>;

/** All pages, the sign-in, and the style sheet. */
export function pageRoutes(host: PageContext): Route[] {
  const { basePath: base, organisation, sessions } = host;

  function viewOf(context: Context, session: Session): View {
    const formToken = sessions.formToken(session);
    return {
      engine: host.engine,
      context,
      query: context.url.searchParams,
      params: context.params,
      access: session.access,
      urls: host.urls(context),
      link: (path) => base + path,
      formField: html`<input type="hidden" name="form" value="${formToken}">`,
      show: (title, section, body, status) =>
        page({ title, organisation, base, body, signedIn: { formToken, section, access: session.access } }, status),
    };
  }

  /** A page for reading. Whoever has no session is asked to sign in, and faults are told in words. */
  function read(path: string, show: Page, needed: Permission = 'view devices'): Route {
    return {
      methods: ['GET'],
      path,
      handle: async (context) => {
        const session = sessions.read(context.request);
        if (session === null) return seeOther(`${base}/login${nextOf(context)}`);
        const view = viewOf(context, session);
        try {
          session.access.require([needed]);
          return await show(view);
        } catch (error) {
          if (!isEspalierError(error) || error.kind === 'internal') throw error;
          const status = error.kind === 'not-found' ? 404 : error.kind === 'forbidden' ? 403 : 400;
          const title = status === 404 ? 'Not here' : status === 403 ? 'Not allowed' : 'That did not work';
          const body = html`<h1>${title}</h1><p class="lead">${error.message}</p><p><a href="${view.link('/')}">All devices</a></p>`;
          return view.show('Problem', '', body, status);
        }
      },
    };
  }

  /** A form: only with a session, and only from a page of that session. */
  function write(path: string, needed: Permission, act: (view: View, form: URLSearchParams) => Promise<string>): Route {
    return {
      methods: ['POST'],
      path,
      handle: async (context) => {
        const session = sessions.read(context.request);
        if (session === null) throw signInFirst();
        refuseOtherSites(context);
        const form = await readForm(context.request, host.bodyLimits);
        sessions.checkFormToken(session, form.get('form'));
        session.access.require([needed]);
        return seeOther(base + (await act(viewOf(context, session), form)));
      },
    };
  }

  function loginPage(next: string, problem: string | null, status: number, headers?: Readonly<Record<string, string>>) {
    const body = html`<div class="narrow"><section class="card" aria-labelledby="sign-in">
<h1 id="sign-in">Sign in</h1><p class="lead">With the admin token that the server printed when it first started.</p>
${problem !== null && html`<div class="problem" role="alert"><p>${problem}</p></div>`}
<form method="post" action="${base}/login">
<input type="hidden" name="next" value="${next}">
<div><label for="token">Admin token</label><input type="password" id="token" name="token" required autocomplete="current-password" autofocus></div>
<button>Sign in</button>
</form></section></div>`;
    return page({ title: 'Sign in', organisation, base, body }, status, headers);
  }

  async function login(context: Context): Promise<Response> {
    refuseOtherSites(context);
    const form = await readForm(context.request, host.bodyLimits);
    const next = safeNext(form.get('next'));
    let access: Access;
    try {
      access = await host.limiter.guard(
        context.clientAddress,
        async () => {
          const found = host.checkToken((form.get('token') ?? '').trim());
          if (found === null) throw unauthorised(true);
          return found;
        },
        () => true,
      );
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const locked = error.code === 'host.locked';
      return loginPage(next, error.message, locked ? 429 : 401, locked ? error.headers : undefined);
    }
    return seeOther(base + next, { 'set-cookie': sessions.create(access, cookieScope(context)) });
  }

  function cookieScope(context: Context) {
    const secure = context.url.protocol === 'https:' || host.urls(context).base.startsWith('https:');
    return { secure, path: `${base}/` };
  }

  return [
    {
      methods: ['GET'],
      path: '/style.css',
      handle: () => text(styleSheet, 'text/css', 200, { 'cache-control': 'public, max-age=3600' }),
    },
    {
      methods: ['GET'],
      path: '/login',
      handle: (context) => loginPage(safeNext(context.url.searchParams.get('next')), null, 200),
    },
    { methods: ['POST'], path: '/login', handle: login },
    {
      methods: ['POST'],
      path: '/logout',
      handle: async (context) => {
        const session = sessions.read(context.request);
        const form = await readForm(context.request, host.bodyLimits);
        if (session !== null) sessions.checkFormToken(session, form.get('form'));
        return seeOther(`${base}/login`, { 'set-cookie': sessions.clear(cookieScope(context)) });
      },
    },
    read('/', devicesPage),
    read('/devices/:id', devicePage),
    read('/devices/:id/commands', historyPage),
    read('/devices/:id/commands/:commandUuid', commandPage),
    read('/labels', labelsPage),
    read('/labels/:id', labelPage),
    read('/configurations', configurationsPage),
    read('/configurations/:id', configurationPage),
    read('/configurations/:id/watchlist.csv', watchListFile),
    read('/invitations', invitationsPage, 'enrol devices'),
    read('/events', eventsPage),
    write('/devices/:id/refresh', 'manage devices', async ({ engine, params }) => {
      await engine.devices.refresh([params['id'] as string]);
      return `/devices/${encodeURIComponent(params['id'] as string)}`;
    }),
    write('/invitations', 'enrol devices', async ({ engine }, form) => {
      await engine.enrolling.invite({ note: (form.get('note') ?? '').slice(0, 500) });
      return '/invitations';
    }),
    write('/invitations/:id/revoke', 'enrol devices', async ({ engine, params }) => {
      await engine.enrolling.revoke(params['id'] as string);
      return '/invitations';
    }),
  ];
}

function signInFirst(): HostError {
  return new HostError('unauthenticated', 'host.session.required', 'Sign in first.', {
    headers: { 'www-authenticate': 'Cookie realm="espalier"' },
  });
}

/** A form that another site submits is refused, whatever it carries. */
function refuseOtherSites({ request, url }: Context): void {
  const site = request.headers.get('sec-fetch-site');
  const origin = request.headers.get('origin');
  const foreign =
    site !== null ? site !== 'same-origin' && site !== 'none' : origin !== null && hostOf(origin) !== url.host;
  if (!foreign) return;
  throw new HostError('forbidden', 'host.session.forged', 'This form comes from another site.');
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function nextOf({ path, url }: Context): string {
  return path === '/' && url.search === '' ? '' : `?next=${encodeURIComponent(path + url.search)}`;
}

/** Only a path of this site is followed after signing in. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])[^\\\r\n]*$/.test(next) ? next : '/';
}
