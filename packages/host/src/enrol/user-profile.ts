// Profile-based User Enrolment (ABM-25): a page in Safari at which the user signs in, and the profile for their account.
import { HostError } from '../errors.ts';
import { seeOther } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import { noticePage } from '../page/notice.ts';
import { type AccountChecks, turnedOff } from './account-checks.ts';
import type { AccountUser } from './account-token.ts';
import type { EnrolContext } from './routes.ts';

/** A sign-in on the page for profile-based User Enrolment. */
export interface ProfileSignIn {
  /**
   * The answer that ends the sign-in: the browser loads the enrolment profile. The user has ten minutes to install it. Only for
   * who is known.
   * @throws HostError `host.account.domain`, `host.account.other`, `host.account.disabled`, `host.account.mode` (all 403)
   */
  accept(user: AccountUser): Promise<Response>;
}

/** Answers the sign-in: a form of yours, or a redirect to an identity provider and back. */
export type ProfileSignInPage = (request: Request, signIn: ProfileSignIn) => Response | Promise<Response>;

const PATH = '/enrol/user';
/** Minutes from the sign-in to the device's first message. */
const REGISTRATION_MINUTES = 10;

/** The route of the page. */
export function userProfileRoute(host: EnrolContext, checks: AccountChecks, page: ProfileSignInPage): Route {
  async function accept(context: Context, version: number | null, user: AccountUser): Promise<Response> {
    if (user.mode === 'ADDE') {
      throw new HostError('forbidden', 'host.account.mode', 'This user does not get this kind of enrolment.');
    }
    if (!(await checks.isOpen('BYOD'))) throw turnedOff();
    checks.checkDomain(context, user);
    const managedAppleAccount = await checks.claimed(user);
    // Before iOS 13.1 there is no User Enrolment: the same person enrols the device as a whole.
    const early = version !== null && version < 13.1;
    const invitation = await host.engine.enrolling.invite({
      note: `User Enrolment ${managedAppleAccount}`.slice(0, 200),
      ttlHours: REGISTRATION_MINUTES / 60,
      ...(early ? {} : { managedAppleAccount }),
      ...(user.userId === undefined ? {} : { user: user.userId }),
    });
    return seeOther(host.urls(context).enrol(invitation.token));
  }

  return {
    methods: ['GET', 'POST'],
    path: PATH,
    noHead: true,
    async handle(context) {
      const { safari, version } = browserOf(context.request.headers.get('user-agent') ?? '');
      const { base } = host.urls(context);
      const { organisation } = host.profile;
      if (!safari) {
        const text = 'Open this page in Safari: other browsers cannot hand the profile over to Settings.';
        return noticePage(organisation, base, 'Use Safari', [text], 403);
      }
      if (version !== null && version >= 18) {
        return noticePage(
          organisation,
          base,
          'Enrol in Settings',
          [
            'This system enrols by your account: open Settings, General, VPN & Device Management, and choose Sign In to Work or School Account.',
            'On a Mac: System Settings, General, Device Management.',
          ],
          403,
        );
      }
      return await page(context.request, { accept: (user) => accept(context, version, user) });
    },
  };
}

/**
 * What can be told of a browser: whether it is Safari, and its version, which is the system's on iPhone and iPad (an iPad says it is a
 * Mac). What says nothing of itself is let in: the device decides in the end.
 */
function browserOf(userAgent: string): { readonly safari: boolean; readonly version: number | null } {
  const other = /\b(?:CriOS|FxiOS|EdgiOS|OPiOS|OPT|GSA|DuckDuckGo|Chrome|Firefox|Edg|OPR)\//.test(userAgent);
  const [, version] = /\bVersion\/(\d{1,3}\.\d)/.exec(userAgent) ?? /\bOS (\d{1,3}_\d)/.exec(userAgent) ?? [];
  return { safari: !other, version: version === undefined ? null : Number(version.replace('_', '.')) };
}
