// Over-the-air enrolment by the profile service: the invitation's link gives a profile that makes the device send its
// attributes, signed; the answer to them is the enrolment profile.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { profileContentType, profileService } from '@espalier/apple-mdm';
import { HostError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import { bytes } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import { profileAnswer } from './answer.ts';
import { bindingOf, type MachineOptions, readMachine } from './machine.ts';
import type { EnrolContext } from './routes.ts';

/** `GET` and `POST /enrol/ota/:token`, where the token is the invitation's. */
export function otaRoutes(host: EnrolContext, options: MachineOptions, secret: Uint8Array): Route[] {
  const challengeOf = (invitationId: string): string =>
    createHmac('sha256', secret).update(`profile-service\0${invitationId}`).digest('base64url');
  const invitationOf = (context: Context) => host.engine.enrolling.redeem({ token: context.params['token'] as string });

  return [
    {
      methods: ['GET'],
      path: '/enrol/ota/:token',
      noHead: true,
      handle: async (context) => {
        const { id, token } = await invitationOf(context);
        const { base } = host.urls(context);
        const { organisation, displayName } = host.profile;
        const profile = profileService({
          url: `${base}/enrol/ota/${encodeURIComponent(token)}`,
          challenge: challengeOf(id),
          organisation,
          displayName: displayName ?? `${organisation} device management`,
          ...(base.startsWith('http:') ? { allowHttp: true } : {}),
        });
        return bytes(await host.profile.sign(profile), 200, profileContentType, {
          'content-disposition': 'attachment; filename="enrolment.mobileconfig"',
          'cache-control': 'no-store',
        });
      },
    },
    {
      methods: ['POST'],
      path: '/enrol/ota/:token',
      handle: async (context) => {
        const body = await readBody(context.request, host.bodyLimits);
        const invitation = await invitationOf(context);
        const device = readMachine(body, options);
        const given = Buffer.from(device.challenge ?? '');
        const wanted = Buffer.from(challengeOf(invitation.id));
        if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
          throw new HostError('forbidden', 'host.enrol.challenge', 'The challenge is not the one of this invitation.');
        }
        await host.engine.enrolling.bind(invitation.id, bindingOf(device));
        return await profileAnswer(host, context, { invitation });
      },
    },
  ];
}
