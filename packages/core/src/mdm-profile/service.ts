// The default MDM profile (CFG-3): settings, what each device holds, and bringing the devices along.
import { checkAccessRights } from '@espalier/apple-mdm';
import type { Facts } from '../api/common.ts';
import type {
  MdmProfileContent,
  MdmProfileRecord,
  MdmProfileState,
  MdmProfileStatus,
  MdmProfiles,
} from '../api/mdm-profile.ts';
import type { DeviceRow, Enrolment } from '../api/records.ts';
import { allPages, type Context } from '../engine/context.ts';
import { bindInvitation } from '../engine/invitation-binding.ts';
import type { Renewals } from '../engine/renewal.ts';
import { CoreError } from '../errors.ts';

const SETTING = 'core.mdm-profile';
/** How far the devices were looked at for a version of the settings. */
const PROGRESS = 'core.mdm-profile-progress';
const BATCH = 200;

/** The rights that an enrolment's profile gave. */
export const RIGHTS_TOKEN = 'ios.mdm_access_rights';
const CHECK_OUT_TOKEN = 'ios.mdm_check_out_when_removed';
/** What the profile says that the device was sent last, until it is known to have it: rights, and 1 for the check-out. */
const OFFERED_TOKEN = 'ios.mdm_profile_offered';

/** The service, and what the engine does with it. */
export interface MdmProfileService extends MdmProfiles {
  /** Looks at the next devices. */
  run(): Promise<void>;
}

interface Progress {
  readonly version: number;
  readonly after: string | null;
  /** When all devices had been looked at. */
  readonly doneAt: number | null;
}

/** What is known of a device's profile. */
function heldBy(facts: Facts): MdmProfileContent | null {
  const accessRights = facts[RIGHTS_TOKEN];
  if (typeof accessRights !== 'number') return null;
  return { accessRights, checkOutWhenRemoved: facts[CHECK_OUT_TOKEN] !== false };
}

/** What an update may say: nothing that the device does not have already, since it would refuse the whole profile. */
function within(wanted: MdmProfileContent, held: MdmProfileContent | null): MdmProfileContent {
  if (held === null) return wanted;
  const accessRights = wanted.accessRights & held.accessRights;
  // No right at all is no profile.
  return accessRights === 0 ? { ...wanted, accessRights: held.accessRights } : { ...wanted, accessRights };
}

const same = (a: MdmProfileContent, b: MdmProfileContent): boolean =>
  a.accessRights === b.accessRights && a.checkOutWhenRemoved === b.checkOutWhenRemoved;

const byUser = ({ kind }: Enrolment): boolean => kind === 'user-enrolment-device';

/** How a device stands. */
function statusOf(settings: MdmProfileRecord | null, { enrolment, facts }: DeviceRow): MdmProfileStatus {
  const held = heldBy(facts);
  const none = { held, missing: 0, surplus: 0 };
  if (byUser(enrolment)) return { state: 'not-applicable', ...none };
  if (held === null) return { state: 'unknown', ...none };
  if (settings === null) return { state: 'up-to-date', ...none };
  const missing = settings.accessRights & ~held.accessRights;
  const surplus = held.accessRights & ~settings.accessRights;
  const told = { held, missing, surplus };
  if (!same(within(settings, held), held)) return { state: 'updating', ...told };
  if (missing === 0) return { state: 'up-to-date', ...told };
  return { state: settings.notifyUsers ? 'awaiting-user' : 'blocked-until-reenrolment', ...told };
}

/** Makes the service. */
export function createMdmProfiles(context: Context, renewals: Renewals): MdmProfileService {
  const { store, clock, logger, options } = context;

  async function get(): Promise<MdmProfileRecord | null> {
    const text = await store.settings.get(SETTING);
    return text === null ? null : (JSON.parse(text) as MdmProfileRecord);
  }

  async function progress(): Promise<Progress | null> {
    const text = await store.settings.get(PROGRESS);
    return text === null ? null : (JSON.parse(text) as Progress);
  }

  /** What is to be done for one device: its profile sent again, or its user told. */
  async function bring(settings: MdmProfileRecord, row: DeviceRow): Promise<void> {
    const { id: enrolmentId } = row.enrolment;
    const { state, missing } = statusOf(settings, row);
    if (state === 'updating') await renewals.renew(enrolmentId);
    if (settings.notifyUsers && missing !== 0) {
      const at = clock.now();
      await store.events.append([{ type: 'mdm-profile.user-needed', at, enrolmentId, data: { missing } }]);
    }
  }

  return {
    get,

    async set(change) {
      for (;;) {
        const text = await store.settings.get(SETTING);
        const before = text === null ? null : (JSON.parse(text) as MdmProfileRecord);
        const at = clock.now();
        const next: MdmProfileRecord = {
          accessRights: change.accessRights ?? before?.accessRights ?? ALL_RIGHTS,
          checkOutWhenRemoved: change.checkOutWhenRemoved ?? before?.checkOutWhenRemoved ?? true,
          notifyUsers: change.notifyUsers ?? before?.notifyUsers ?? false,
          version: (before?.version ?? 0) + 1,
          updatedAt: at,
        };
        try {
          checkAccessRights(next.accessRights);
        } catch (cause) {
          const problem = cause instanceof Error ? cause.message : 'the rights make no sense';
          throw new CoreError('core.mdm_profile.bad_rights', 'invalid', problem, {
            at: { path: '/accessRights' },
            cause,
          });
        }
        if (!(await store.settings.replace(SETTING, text, JSON.stringify(next)))) continue;
        const { accessRights, checkOutWhenRemoved, notifyUsers, version } = next;
        const data = { accessRights, checkOutWhenRemoved, notifyUsers, version };
        await store.events.append([{ type: 'mdm-profile.changed', at, enrolmentId: null, data }]);
        context.bus.poke();
        return next;
      }
    },

    async of(enrolmentId) {
      const [row] = await store.inventory.rows([enrolmentId]);
      if (row === undefined) throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
      return statusOf(await get(), row);
    },

    async summary() {
      const settings = await get();
      const counts: Record<MdmProfileState, number> = {
        'up-to-date': 0,
        updating: 0,
        'awaiting-user': 0,
        'blocked-until-reenrolment': 0,
        unknown: 0,
        'not-applicable': 0,
      };
      const filter = { channel: 'device', statuses: ['active'] } as const;
      for await (const rows of allPages((page) => store.inventory.scan(filter, page))) {
        for (const row of rows) counts[statusOf(settings, row).state]++;
      }
      return counts;
    },

    async content(purpose, defaults) {
      const wanted: MdmProfileContent = (await get()) ?? defaults;
      const { accessRights, checkOutWhenRemoved } = wanted;
      if ('invitationId' in purpose) {
        await bindInvitation(context, purpose.invitationId, { accessRights, checkOutWhenRemoved });
        return { accessRights, checkOutWhenRemoved };
      }
      const { enrolmentId } = purpose;
      const facts = (await store.inventory.get(enrolmentId))?.facts ?? {};
      const content = within({ accessRights, checkOutWhenRemoved }, heldBy(facts));
      const offered = [content.accessRights, content.checkOutWhenRemoved ? 1 : 0];
      await store.inventory.apply({
        enrolmentId,
        at: clock.now(),
        facts: { [OFFERED_TOKEN]: offered },
        complete: false,
        event: null,
      });
      return content;
    },

    async run() {
      const settings = await get();
      if (settings === null) return;
      const before = await progress();
      const now = clock.now();
      const fresh = before === null || before.version !== settings.version;
      // Once more after a while: what a device did not take, it may take then.
      if (!fresh && before.doneAt !== null && now - before.doneAt < options.renewalTtlMs) return;
      const after = fresh || before.doneAt !== null ? null : before.after;
      const filter = { channel: 'device', statuses: ['active'] } as const;
      const page = await store.inventory.scan(filter, after === null ? { limit: BATCH } : { after, limit: BATCH });
      for (const row of page.items) {
        try {
          await bring(settings, row);
        } catch (error) {
          if (error instanceof CoreError && error.kind === 'unavailable') throw error;
          logger.error({ error, enrolmentId: row.enrolment.id }, 'an MDM profile could not be sent again');
        }
      }
      const next: Progress = { version: settings.version, after: page.next, doneAt: page.next === null ? now : null };
      await store.settings.set(PROGRESS, JSON.stringify(next));
    },
  };
}

const ALL_RIGHTS = 8191;

/** The device has the profile that it was sent: what that says is what the device holds now. */
export async function profileArrived(context: Context, enrolmentId: string): Promise<void> {
  const { store, clock } = context;
  const facts = (await store.inventory.get(enrolmentId))?.facts ?? {};
  const offered = facts[OFFERED_TOKEN];
  if (!Array.isArray(offered)) return;
  const [accessRights, checkOut] = offered;
  const at = clock.now();
  const now = { [RIGHTS_TOKEN]: Number(accessRights), [CHECK_OUT_TOKEN]: checkOut === 1 };
  const changed = facts[RIGHTS_TOKEN] !== now[RIGHTS_TOKEN] || facts[CHECK_OUT_TOKEN] !== now[CHECK_OUT_TOKEN];
  await store.inventory.apply({
    enrolmentId,
    at,
    facts: { ...now, [OFFERED_TOKEN]: null },
    complete: false,
    event: null,
  });
  if (!changed) return;
  const data = { accessRights: Number(accessRights), checkOutWhenRemoved: checkOut === 1 };
  // Products that treat this as a registration of the device (CFG-3) hear of it here.
  await store.events.append([{ type: 'mdm-profile.updated', at, enrolmentId, data }]);
  context.bus.poke();
}
