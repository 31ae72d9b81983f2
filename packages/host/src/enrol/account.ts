// Account-driven enrolment: service discovery, sign-in, and the profile for who has signed in.
import {
  type AccountChallenge,
  type AccountEnrolmentMode,
  accountChallenge,
  authenticationResult,
  bearerOf,
  type EnrolmentRefusal,
  type MachineInformation,
  serviceDiscovery,
  serviceDiscoveryPath,
  wellKnownFailed,
} from '@espalier/apple-mdm';
import type { EnrolmentAccount } from '@espalier/core';
import { HostError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import { bytes, json } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import { createAccountChecks, turnedOff } from './account-checks.ts';
import type { AccountDomains } from './account-domain.ts';
import type { AccountTokens, AccountUser } from './account-token.ts';
import { profileAnswer } from './answer.ts';
import { type MachineOptions, readMachine } from './machine.ts';
import type { PublicUrls } from './profile.ts';
import type { EnrolContext } from './routes.ts';
import { type ProfileSignInPage, userProfileRoute } from './user-profile.ts';

/** A sign-in on a page of this server. */
export interface SignIn {
  /** What the user typed in Settings: `ann@example.com`. Not proved. */
  readonly userIdentifier: string | null;
  /** The answer that ends the sign-in: the browser goes back to Settings with an access token. Only for who is known. */
  accept(user: AccountUser): Response;
}

/** How users sign in. */
export type SignInMethod =
  | {
      readonly method: 'apple-as-web';
      /** Answers `GET` and `POST /enrol/account/sign-in`. Redirects to an identity provider and back are fine. */
      readonly page: (request: Request, signIn: SignIn) => Response | Promise<Response>;
      /** How long a token lasts, in days; then the user signs in again (default 90). */
      readonly tokenDays?: number;
    }
  | (Extract<AccountChallenge, { method: 'apple-oauth2' }> & {
      /** The user of an access token of the authorisation server; `null` for one that is not valid. */
      readonly verify: (token: string) => Promise<AccountUser | null>;
    });

/** How devices enrol by the account of their user. */
export interface AccountOptions extends MachineOptions {
  /** What a user gets on a device of this family (`iPhone`, `iPad`, `Mac`, `RealityDevice`, …): `null` for nothing. */
  readonly mode: (user: {
    readonly identifier: string;
    readonly family: string;
  }) => AccountEnrolmentMode | null | Promise<AccountEnrolmentMode | null>;
  readonly signIn: SignInMethod;
  /**
   * Also lets devices with iOS 13 to 17 and macOS 10.15 to 14 in by a profile from a page (ABM-25): answers `GET` and `POST
   * /enrol/user`, which users open in Safari. Default: not served, since Apple has taken this way away with iOS 18.
   */
  readonly profilePage?: ProfileSignInPage;
  /**
   * Which Managed Apple Accounts may enrol: those whose domain is the host name of this server or one above it (`host`), or
   * one of those that are listed (default: every account that the sign-in lets in).
   */
  readonly accountDomains?: AccountDomains;
  /** `null` lets the device in; a refusal sends it away. Default: every device of a user who has signed in. */
  readonly admit?: (
    device: MachineInformation,
    user: AccountUser,
  ) => EnrolmentRefusal | null | Promise<EnrolmentRefusal | null>;
}

/** Who has signed in, for the routes that need it. */
export interface AccountDoor {
  /**
   * `expected`: by whose account the device enrolled, where that is known.
   * @throws HostError `host.account.token` (401, with the challenge)
   */
  user(request: Request, context: Context, expected?: EnrolmentAccount | null): Promise<AccountUser>;
}

const SIGN_IN = '/enrol/account/sign-in';

/** Makes the check of the bearer token. */
export function createAccountDoor(
  options: AccountOptions,
  tokens: AccountTokens,
  urls: (context: Context) => PublicUrls,
): AccountDoor {
  const { signIn } = options;
  const verify = signIn.method === 'apple-oauth2' ? signIn.verify : async (token: string) => tokens.read(token);
  return {
    async user(request, context, expected = null) {
      const token = bearerOf(request.headers.get('authorization'));
      const user = token === null ? null : await verify(token);
      if (user !== null && (expected === null || isSame(user, expected))) return user;
      const challenge =
        signIn.method === 'apple-oauth2' ? signIn : { method: signIn.method, url: urls(context).base + SIGN_IN };
      throw new HostError('unauthenticated', 'host.account.token', 'The user has to sign in.', {
        headers: { 'www-authenticate': accountChallenge(challenge) },
      });
    },
  };
}

function isSame(user: AccountUser, expected: EnrolmentAccount): boolean {
  return user.managedAppleAccount.toLowerCase() === expected.managedAppleAccount.toLowerCase();
}

/** Discovery, sign-in and enrolment. */
export function accountRoutes(
  host: EnrolContext,
  options: AccountOptions,
  door: AccountDoor,
  tokens: AccountTokens,
): Route[] {
  const checks = createAccountChecks(host, options);
  const { checkDomain, checkAssigned, claimed, isOpen } = checks;

  async function discover(context: Context): Promise<Response> {
    const identifier = context.url.searchParams.get('user-identifier') ?? '';
    const family = context.url.searchParams.get('model-family') ?? '';
    // At the last @, as the device takes it apart.
    const [, name, domain] = /^(.+)@([^@]+)$/s.exec(identifier) ?? [];
    const known = name !== undefined && domain !== undefined && identifier.length <= 320 && family.length <= 50;
    const mode = known ? await options.mode({ identifier, family }) : null;
    if (mode === null || !(await isOpen(mode))) {
      const description = 'there is no account-driven enrolment for this user and device';
      return json({ ...wellKnownFailed({ description }) }, 403);
    }
    const baseUrl = `${host.urls(context).base}/enrol/account/${mode.toLowerCase()}`;
    return json(serviceDiscovery([{ mode, baseUrl }]));
  }

  async function enrol(context: Context, mode: AccountEnrolmentMode): Promise<Response> {
    const body = await readBody(context.request, host.bodyLimits);
    const device = readMachine(body, options);
    const user = await door.user(context.request, context);
    if (user.mode !== undefined && user.mode !== mode) {
      throw new HostError('forbidden', 'host.account.mode', 'This user does not get this kind of enrolment.');
    }
    if (!(await isOpen(mode))) throw turnedOff();
    checkDomain(context, user);
    const refusal = (await options.admit?.(device, user)) ?? null;
    if (refusal !== null) {
      throw new HostError('forbidden', 'host.enrol.refused', `The device was sent away: ${refusal.code}.`, {
        body: { ...refusal },
      });
    }
    const managedAppleAccount = await claimed(user);
    const invitation = await host.engine.enrolling.invite({
      note: `${mode} ${managedAppleAccount}`.slice(0, 200),
      ttlHours: 1,
      account: { mode, managedAppleAccount },
      ...(user.userId === undefined ? {} : { user: user.userId }),
      ...(device.serialNumber === undefined ? {} : { serialNumber: device.serialNumber }),
    });
    return profileAnswer(host, context, { invitation, account: { mode, managedAppleAccount } });
  }

  const page = options.signIn.method === 'apple-as-web' ? options.signIn.page : null;
  return [
    { methods: ['GET'], path: serviceDiscoveryPath, handle: discover },
    { methods: ['POST'], path: '/enrol/account/byod', handle: (context) => enrol(context, 'BYOD') },
    { methods: ['POST'], path: '/enrol/account/adde', handle: (context) => enrol(context, 'ADDE') },
    ...(options.profilePage === undefined ? [] : [userProfileRoute(host, checks, options.profilePage)]),
    ...(page === null
      ? []
      : [
          {
            methods: ['GET', 'POST'],
            path: SIGN_IN,
            noHead: true,
            async handle(context: Context) {
              let accepted: AccountUser | null = null;
              const answer = await page(context.request, {
                userIdentifier: context.url.searchParams.get('user-identifier'),
                accept: (user) => {
                  checkDomain(context, user);
                  accepted = user;
                  return bytes(null, 308, null, {
                    location: authenticationResult(tokens.issue(user)),
                    'cache-control': 'no-store',
                  });
                },
              });
              if (accepted !== null) await checkAssigned(accepted);
              return answer;
            },
          },
        ]),
  ];
}
