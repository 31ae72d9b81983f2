// Automated device enrolment, put together.
import type { Ade } from '../api/ade.ts';
import type { AdeStaging } from '../contracts/ade.ts';
import { type Context, pageOf } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { createAdeAccounts, unknownAccount } from './accounts.ts';
import { createAdeProfiles, unknownProfile } from './profiles.ts';
import type { AdeReconciler } from './reconcile.ts';
import { createAdeSync } from './sync.ts';

/** Devices in one file of assignments (ABM-6). */
const MOST = 5_000;

/** Makes the service. */
export function createAde(context: Context, reconciler: AdeReconciler): Ade {
  const { store, clock } = context;
  return {
    ...createAdeAccounts(context),
    ...createAdeProfiles(context),
    sync: createAdeSync(context, reconciler),

    async assign(accountId, profile, devices) {
      if (devices.length > MOST) {
        throw new CoreError('core.ade.too_many', 'too-large', 'at most 5,000 devices are assigned at once');
      }
      if ((await store.ade.getAccount(accountId)) === null) throw unknownAccount();
      const items = devices.map((one): AdeStaging => {
        const item = typeof one === 'string' ? { serialNumber: one, set: {}, clear: [] } : one;
        // Apple writes them in capitals, people do not always.
        return { ...item, serialNumber: item.serialNumber.toUpperCase() };
      });
      const at = clock.now();
      const stored = profile === null ? null : await store.ade.getProfile(profile);
      const data = { accountId, profile, devices: items.length };
      const missing = await store.ade.assign({
        accountId,
        serialNumbers: items.map((item) => item.serialNumber),
        profileId: stored === null ? null : profile,
        profileUuid: stored === null ? profile : null,
        staging: items.filter((item) => Object.keys(item.set).length > 0 || item.clear.length > 0),
        at,
        events: [{ type: 'ade.assignment-requested', at, enrolmentId: null, data }],
      });
      if (missing === 'unknown-profile') throw unknownProfile();
      if (missing.length > 0) {
        const message = `the account does not list ${missing.length} of these devices, the first of them ${missing[0]}`;
        throw new CoreError('core.ade.unlisted_device', 'not-found', message, {
          remedy: 'assign the devices to this server at Apple, sync, and try again',
        });
      }
      context.bus.poke();
      return { devices: items.length };
    },

    devices: ({ accountId, presence, ...page } = {}) =>
      store.ade.devices(
        { ...(accountId === undefined ? {} : { accountId }), ...(presence === undefined ? {} : { presence }) },
        pageOf(page),
      ),
    find: (serialNumber) => store.ade.findDevice(serialNumber.toUpperCase()),
    counts: (accountId) => store.ade.counts(accountId),
  };
}
