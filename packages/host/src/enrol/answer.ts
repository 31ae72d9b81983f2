// A signed enrolment profile as an answer.
import { profileContentType } from '@espalier/apple-mdm';
import { bytes } from '../http/respond.ts';
import type { Context } from '../http/router.ts';
import { type ProfilePurpose, signedEnrolmentProfile } from './profile.ts';
import type { EnrolContext } from './routes.ts';

/** Makes the profile for a purpose, and the answer that hands it over. */
export async function profileAnswer(host: EnrolContext, context: Context, purpose: ProfilePurpose): Promise<Response> {
  const profile = await signedEnrolmentProfile(host.engine, host.profile, host.issuing, host.urls(context), purpose);
  return bytes(profile, 200, profileContentType, {
    'content-disposition': 'attachment; filename="enrolment.mobileconfig"',
    'cache-control': 'no-store',
  });
}
