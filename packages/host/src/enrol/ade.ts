// Automated Device Enrolment, the server's half: the address in the ADE profile (`url`), and the page that users sign in
// at (`configuration_web_url`).
import {
  compareVersions,
  type EnrolmentRefusal,
  type MachineInformation,
  type RefusalText,
  softwareUpdateRequired,
} from '@espalier/apple-mdm';
import type { Invitation } from '@espalier/core';
import type { AdeService } from '../ade/types.ts';
import { HostError, isEspalierError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import type { Context, Route } from '../http/router.ts';
import { profileAnswer } from './answer.ts';
import { bindingOf, type MachineOptions, readMachine } from './machine.ts';
import { signedEnrolmentProfile } from './profile.ts';
import { type EnrolContext, isRefusal } from './routes.ts';

/** The system that a device needs before it may enrol. */
export interface RequiredSystem extends RefusalText {
  /** As `17.5`. */
  readonly osVersion: string;
  readonly buildVersion?: string;
}

/** A first visit to the page of `configuration_web_url`. */
export interface WebVisit {
  readonly device: MachineInformation;
  /**
   * Makes a single-use address of this device's enrolment profile. Redirect to it when the user is known, and not before:
   * who has it, enrols.
   */
  profileUrl(): Promise<string>;
}

/** How devices of Automated Device Enrolment come in. */
export interface AdeOptions extends MachineOptions {
  /**
   * Who may enrol: `null` lets the device in, a refusal sends it away with a reason that it acts on (`unrecognisedDevice`,
   * `pairingTokenMissing`, `platformSsoRequired` …). Default: every device whose signature holds.
   */
  readonly admit?: (device: MachineInformation) => EnrolmentRefusal | null | Promise<EnrolmentRefusal | null>;
  /** The system that a device needs: one that is older, and says that it can, updates itself in Setup Assistant first. */
  readonly requiredOs?: (device: MachineInformation) => RequiredSystem | null;
  /**
   * Whether somebody is who they say, for profiles that ask for a password (ADE-11): Setup Assistant asks for both. The name that
   * it gives is kept with the enrolment's invitation; `null` sends them away.
   */
  readonly authenticate?: (
    user: { readonly name: string; readonly password: string },
    device: MachineInformation,
  ) => Promise<string | null>;
  /**
   * Whether this server knows a person whom a page elsewhere names (ADE-21): who is not known enrols only where the device's
   * profile is anonymous. Default: nobody is known.
   */
  readonly isKnown?: (principal: string, device: MachineInformation) => Promise<boolean>;
  /** Answers `GET /enrol/ade/web` and so begins the sign-in; further pages are the product's own. */
  readonly web?: (request: Request, visit: WebVisit) => Promise<Response>;
}

/** The door of automated device enrolment. */
export interface AdeDoor {
  /** `POST /enrol/ade`, and `GET /enrol/ade/web` where there is a page. */
  readonly routes: readonly Route[];
  /**
   * The enrolment profile for a page on another host, which has asked who the user is (ADE-21).
   * @param deviceInfo `x-apple-aspen-deviceinfo` as the device sent it to the page.
   * @param principal Whom the page names: not proved here, and trusted as far as the page's token is.
   */
  profileForPage(context: Context, deviceInfo: string, principal?: string): Promise<Uint8Array>;
}

/** Makes the door. */
export function createAdeDoor(
  host: EnrolContext,
  options: AdeOptions,
  service?: Pick<AdeService, 'profileOf'>,
): AdeDoor {
  async function admitted(device: MachineInformation): Promise<void> {
    const required = options.requiredOs?.(device) ?? null;
    const refusal =
      required !== null && isOlder(device, required) ? softwareUpdateRequired(required) : await options.admit?.(device);
    if (refusal === undefined || refusal === null) return;
    throw new HostError('forbidden', 'host.enrol.refused', `The device was sent away: ${refusal.code}.`, {
      body: { ...refusal },
    });
  }

  const invite = async (device: MachineInformation, user = '') =>
    host.engine.enrolling.invite({
      note: `ADE ${device.serialNumber ?? device.product} ${user}`.trim().slice(0, 200),
      ttlHours: 1,
      ...bindingOf(device),
      only: 'ade',
      ...(user === '' ? {} : { user: user.slice(0, 320) }),
    });

  const profileOf = async ({ serialNumber }: MachineInformation) =>
    serialNumber === undefined ? null : ((await service?.profileOf(serialNumber)) ?? null);

  /** Who enrols, as the device's profile wants it: without one anybody whose device is believed. */
  async function invitationFor(context: Context, device: MachineInformation): Promise<Invitation> {
    const profile = await profileOf(device);
    const { type = 'password', saml = false } = profile?.authentication ?? {};
    // With a page of the identity provider, the device comes here only after it.
    if (profile === null || type === 'anonymous') return invite(device);
    if (saml) {
      throw new HostError('forbidden', 'host.enrol.web', 'This device has to enrol by the page of its profile.');
    }
    const given = basicOf(context.request);
    if (given === null) throw askForUser(profile.loginText);
    const attempt = async (): Promise<Invitation> => {
      if (type === 'pin') {
        if (!/^\d{6,12}$/.test(given.password)) throw askForUser(profile.loginText);
        const invitation = await host.engine.enrolling.redeem({ pin: given.password }, { automated: true });
        // From now on the PIN is this device's.
        await host.engine.enrolling.bind(invitation.id, bindingOf(device));
        return invitation;
      }
      const user = (await options.authenticate?.(given, device)) ?? null;
      if (user === null) throw askForUser(profile.loginText);
      return await invite(device, user);
    };
    try {
      return await host.limiter.guard(context.clientAddress, attempt, isRefusal);
    } catch (error) {
      // A PIN that is wrong, used up or over: Setup Assistant asks again.
      if (isEspalierError(error) && error.code.startsWith('core.')) throw askForUser(profile.loginText, error);
      throw error;
    }
  }

  async function post(context: Context): Promise<Response> {
    const device = readMachine(await readBody(context.request, host.bodyLimits), options);
    await admitted(device);
    return profileAnswer(host, context, { invitation: await invitationFor(context, device) });
  }

  async function web(context: Context): Promise<Response> {
    const header = context.request.headers.get('x-apple-aspen-deviceinfo');
    if (header === null) {
      throw new HostError(
        'forbidden',
        'host.enrol.machine_info',
        'The request does not say which device it comes from.',
      );
    }
    const device = readMachine(header, options);
    await admitted(device);
    const profileUrl = async () => host.urls(context).enrol((await invite(device)).token);
    // There is a page, or there would be no route.
    return await options.web!(context.request, { device, profileUrl });
  }

  return {
    routes: [
      { methods: ['POST'], path: '/enrol/ade', handle: post },
      ...(options.web === undefined
        ? []
        : [{ methods: ['GET'], path: '/enrol/ade/web', noHead: true, handle: web } as const]),
    ],
    async profileForPage(context, deviceInfo, principal) {
      const device = readMachine(deviceInfo, options);
      await admitted(device);
      const profile = await profileOf(device);
      const known = principal !== undefined && (await options.isKnown?.(principal, device)) === true;
      const anonymous = profile === null || profile.authentication?.type === 'anonymous';
      if (!known && !anonymous) {
        throw new HostError('forbidden', 'host.enrol.principal', 'Nobody is known here by this name.', {
          remedy: 'Name a person whom ade.isKnown knows, or let the profile’s devices enrol anonymously.',
        });
      }
      const invitation = await invite(device, known ? principal : '');
      return signedEnrolmentProfile(host.engine, host.profile, host.issuing, host.urls(context), { invitation });
    },
  };
}

/** Setup Assistant asks for name and password (or PIN), with this text. */
function askForUser(text = 'Device enrolment', cause?: unknown): HostError {
  const realm = text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, "'");
  return new HostError('unauthenticated', 'host.enrol.sign_in', 'Name and password, or the PIN, are needed to enrol.', {
    cause,
    headers: { 'www-authenticate': `Basic realm="${realm}", charset="UTF-8"` },
  });
}

/** Name and password of HTTP's basic authentication; `null` without. */
function basicOf(request: Request): { readonly name: string; readonly password: string } | null {
  const match = /^Basic ([A-Za-z0-9+/]{1,2000}={0,2})$/i.exec(request.headers.get('authorization') ?? '');
  if (match === null) return null;
  const text = Buffer.from(match[1]!, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Whether a device has to update, and can. What cannot be compared is let through: a locked-out device helps nobody. */
function isOlder(device: MachineInformation, { osVersion }: RequiredSystem): boolean {
  if (!device.canUpdateFirst || device.osVersion === undefined) return false;
  const plain = (version: string): string => version.split(' ')[0] as string;
  return compareVersions(plain(device.osVersion), plain(osVersion)) < 0;
}
