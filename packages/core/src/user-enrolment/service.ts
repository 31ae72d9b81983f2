// The switch of User Enrolment, and its checklist (ABM-20).
import type { PushCertificates } from '../api/push-certificates.ts';
import type { UserEnrolmentCheck, UserEnrolmentSettings, UserEnrolments } from '../api/user-enrolment.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { createAssignedAccounts } from './assigned.ts';

const SETTING = 'core.user-enrolment';

/** Makes the service. `ownPusher`: the product pushes by itself, with a certificate that the engine does not see. */
export function createUserEnrolments(
  context: Context,
  pushCertificates: Pick<PushCertificates, 'get'>,
  ownPusher: boolean,
): UserEnrolments {
  const { store, clock } = context;

  async function get(): Promise<UserEnrolmentSettings> {
    const text = await store.settings.get(SETTING);
    return text === null ? { enabled: true, updatedAt: null } : (JSON.parse(text) as UserEnrolmentSettings);
  }

  async function pushCertificate(): Promise<UserEnrolmentCheck> {
    const check = 'push-certificate';
    const found = await pushCertificates.get();
    if (found === null && ownPusher) {
      return { check, state: 'unchecked', message: 'this product pushes with a certificate of its own', remedy: null };
    }
    const ended = found !== null && found.notAfter <= clock.now();
    if (found !== null && !ended) return { check, state: 'ok', message: `valid for ${found.topic}`, remedy: null };
    return {
      check,
      state: 'missing',
      message: ended ? 'the push certificate has ended' : 'there is no push certificate',
      remedy: 'Make a request, have it signed and take it to Apple’s portal, and import what comes back.',
    };
  }

  async function serverToken(): Promise<UserEnrolmentCheck> {
    const check = 'server-token';
    const accounts = await store.ade.listAccounts();
    if (accounts.length === 0) {
      const message = 'no account of Apple Business or School Manager is known here';
      const remedy = 'Add its server token, unless the Managed Apple Accounts are known to be there.';
      return { check, state: 'unchecked', message, remedy };
    }
    const valid = accounts.filter(({ tokenExpiresAt }) => tokenExpiresAt > clock.now());
    return valid.length > 0
      ? { check, state: 'ok', message: valid.map(({ name }) => name).join(', '), remedy: null }
      : { check, state: 'missing', message: 'every server token has ended', remedy: 'Download and add a new one.' };
  }

  return {
    get,
    ...createAssignedAccounts(context),

    async set({ enabled }) {
      const push = await pushCertificate();
      if (enabled && push.state === 'missing') {
        const remedy = push.remedy === null ? {} : { remedy: push.remedy };
        throw new CoreError('core.user_enrolment.not_ready', 'conflict', push.message, remedy);
      }
      const updatedAt = clock.now();
      const next: UserEnrolmentSettings = { enabled, updatedAt };
      await store.settings.set(SETTING, JSON.stringify(next));
      const event = { type: 'user-enrolment.changed', at: updatedAt, enrolmentId: null, data: { enabled } } as const;
      await store.events.append([event]);
      context.bus.poke();
      return next;
    },

    async checklist() {
      const { enabled } = await get();
      return [
        enabled
          ? { check: 'enabled', state: 'ok', message: 'User Enrolment is on', remedy: null }
          : { check: 'enabled', state: 'missing', message: 'User Enrolment is off', remedy: 'Turn it on.' },
        await pushCertificate(),
        await serverToken(),
      ];
    },
  };
}
