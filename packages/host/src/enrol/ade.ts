// Automated Device Enrolment, the server's half: the address in the ADE profile (`url`), and the page that users sign in
// at (`configuration_web_url`).
import {
  compareVersions,
  type EnrolmentRefusal,
  type MachineInformation,
  type RefusalText,
  softwareUpdateRequired,
} from '@espalier/apple-mdm';
import { HostError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import type { Context, Route } from '../http/router.ts';
import { profileAnswer } from './answer.ts';
import { bindingOf, type MachineOptions, readMachine } from './machine.ts';
import type { EnrolContext } from './routes.ts';

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
  /** Answers `GET /enrol/ade/web` and so begins the sign-in; further pages are the product's own. */
  readonly web?: (request: Request, visit: WebVisit) => Promise<Response>;
}

/** `POST /enrol/ade`, and `GET /enrol/ade/web` where there is a page. */
export function adeRoutes(host: EnrolContext, options: AdeOptions): Route[] {
  async function admitted(device: MachineInformation): Promise<void> {
    const required = options.requiredOs?.(device) ?? null;
    const refusal =
      required !== null && isOlder(device, required) ? softwareUpdateRequired(required) : await options.admit?.(device);
    if (refusal === undefined || refusal === null) return;
    throw new HostError('forbidden', 'host.enrol.refused', `The device was sent away: ${refusal.code}.`, {
      body: { ...refusal },
    });
  }

  const invite = async (device: MachineInformation) =>
    host.engine.enrolling.invite({
      note: `ADE ${device.serialNumber ?? device.product}`.slice(0, 200),
      ttlHours: 1,
      ...bindingOf(device),
    });

  async function post(context: Context): Promise<Response> {
    const device = readMachine(await readBody(context.request, host.bodyLimits), options);
    await admitted(device);
    return profileAnswer(host, context, { invitation: await invite(device) });
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

  return [
    { methods: ['POST'], path: '/enrol/ade', handle: post },
    ...(options.web === undefined ? [] : [{ methods: ['GET'], path: '/enrol/ade/web', noHead: true, handle: web }]),
  ];
}

/** Whether a device has to update, and can. What cannot be compared is let through: a locked-out device helps nobody. */
function isOlder(device: MachineInformation, { osVersion }: RequiredSystem): boolean {
  if (!device.canUpdateFirst || device.osVersion === undefined) return false;
  const plain = (version: string): string => version.split(' ')[0] as string;
  return compareVersions(plain(device.osVersion), plain(osVersion)) < 0;
}
