// Devices that are expected (ADE-2): added by a list, claimed by the first that enrols with the serial number.
import type { FactValue } from '../api/common.ts';
import type { Enrolment } from '../api/records.ts';
import type { NewRegistration, Registration, Registrations } from '../api/registrations.ts';
import type { RegistrationRecord } from '../contracts/registrations.ts';
import { CoreError } from '../errors.ts';
import { type Context, chunks, pageOf } from './context.ts';
import { createInvitation, shownInvitation } from './invitations.ts';

/** The fact that says whose a device is. */
const USER_FACT = 'user.user_id';
/** Users, and PINs, that are looked up or made at the same time. */
const AT_ONCE = 8;
const PIN_HOURS = 720;

/** Registrations, and what enrolling asks of them. */
export interface RegistrationService extends Registrations {
  /** The facts of a device that enrols: whose it is, where it is expected and nobody signed in to it. */
  factsFor(
    serialNumber: string,
    enrolment: Pick<Enrolment, 'id' | 'invitationId'>,
  ): Promise<Readonly<Record<string, FactValue>>>;
  /** @throws CoreError `core.registration.exists` (conflict): a list registers this user already */
  checkSingle(user: string): Promise<void>;
  /** Remembers that a user has an invitation of their own. */
  keepSingle(user: string, invitationId: string): Promise<void>;
}

/** Makes the service. */
export function createRegistrations(context: Context): RegistrationService {
  const { store, vault, clock, bus } = context;

  const nameOf = async (user: string): Promise<string> => {
    await vault.ready();
    return `core.single-device.${await vault.hash('single-device', user)}`;
  };

  async function hasSingleDevice(user: string): Promise<boolean> {
    const id = await store.settings.get(await nameOf(user));
    const record = id === null ? null : await store.invitations.get(id);
    return record?.status === 'valid' && record.expiresAt > clock.now();
  }

  async function shown(record: RegistrationRecord): Promise<Registration> {
    const open = record.claimedAt === null && record.invitationId !== null;
    const found = open ? await store.invitations.get(record.invitationId) : null;
    if (found === null) return { ...record, pin: null };
    const { status, pin } = shownInvitation(context, found);
    return { ...record, pin: status === 'valid' ? pin : null };
  }

  /** PINs of registrations that are no more. */
  async function withdraw(records: readonly RegistrationRecord[]): Promise<void> {
    for (const { claimedAt, invitationId } of records) {
      if (claimedAt === null && invitationId !== null) await store.invitations.revoke(invitationId);
    }
  }

  return {
    async add(given, { ttlHours = PIN_HOURS } = {}) {
      const wanted = given.map(checked);
      const single = await this.singleDeviceUsers(wanted.map(({ user }) => user));
      const index = wanted.findIndex(({ user }) => single.has(user));
      if (index !== -1) {
        throw new CoreError('core.registration.single_device', 'conflict', 'the user has an invitation of their own', {
          at: { path: `/${index}/user` },
          remedy: 'Revoke that invitation first: a user is registered with one device or by a list.',
        });
      }
      await vault.ready();
      const at = clock.now();
      const records: RegistrationRecord[] = [];
      // The PINs first: those of a list that does not come to be are for devices that nobody registered, and expire.
      for (const part of chunks(wanted, AT_ONCE)) {
        records.push(
          ...(await Promise.all(
            part.map(async ({ serialNumber, user, registrationPin = false }) => {
              const binding = { serialNumber, user, only: 'ade' } as const;
              const note = `registration of ${serialNumber}`;
              const invited = registrationPin ? await createInvitation(context, { ...binding, note, ttlHours }) : null;
              const invitationId = invited?.id ?? null;
              return { serialNumber, user, invitationId, createdAt: at, claimedAt: null, enrolmentId: null };
            }),
          )),
        );
      }
      const data = { registrations: records.length };
      const event = { type: 'registration.imported', at, enrolmentId: null, data } as const;
      await withdraw(await store.registrations.put(records, event));
      bus.poke();
      return new Set(records.map(({ serialNumber }) => serialNumber)).size;
    },

    async list({ awaited, user, ...page } = {}) {
      await vault.ready();
      const filter = { ...(awaited === undefined ? {} : { awaited }), ...(user === undefined ? {} : { user }) };
      const { items, next } = await store.registrations.list(filter, pageOf(page));
      const all: Registration[] = [];
      for (const record of items) all.push(await shown(record));
      return { items: all, next };
    },

    async remove(serialNumbers) {
      const removed = await store.registrations.remove(serialNumbers.map((serial) => serial.trim().toUpperCase()));
      await withdraw(removed);
      if (removed.length > 0) {
        const data = { serialNumbers: removed.map(({ serialNumber }) => serialNumber).slice(0, 100) };
        await store.events.append([{ type: 'registration.removed', at: clock.now(), enrolmentId: null, data }]);
        bus.poke();
      }
      return removed.length;
    },

    async singleDeviceUsers(users) {
      const found = new Set<string>();
      for (const part of chunks([...new Set(users)], AT_ONCE)) {
        const answers = await Promise.all(part.map(hasSingleDevice));
        for (const [index, user] of part.entries()) if (answers[index]) found.add(user);
      }
      return found;
    },

    async factsFor(serial, { id: enrolmentId, invitationId }) {
      const serialNumber = serial.trim().toUpperCase();
      const at = clock.now();
      const data = { serialNumber };
      const event = { type: 'registration.claimed', at, enrolmentId, data } as const;
      const claimed = await store.registrations.claim({ serialNumber, enrolmentId, at, event });
      if (claimed === null) return {};
      const invitation = invitationId === null ? null : await store.invitations.get(invitationId);
      const signedIn = invitation === null ? undefined : shownInvitation(context, invitation).binding?.user;
      return signedIn === undefined ? { [USER_FACT]: claimed.user } : {};
    },

    async checkSingle(user) {
      const { items } = await store.registrations.list({ user, awaited: true }, { limit: 1 });
      if (items.length === 0) return;
      throw new CoreError('core.registration.exists', 'conflict', 'a list registers this user already', {
        remedy: 'Remove that registration first: a user is registered with one device or by a list.',
      });
    },

    async keepSingle(user, invitationId) {
      await store.settings.set(await nameOf(user), invitationId);
    },
  };
}

function checked({ serialNumber, user, ...rest }: NewRegistration, index: number): NewRegistration {
  const wrong = (field: string, message: string) =>
    new CoreError('core.registration.bad_option', 'invalid', message, { at: { path: `/${index}/${field}` } });
  const serial = serialNumber.trim().toUpperCase();
  const name = user.trim();
  if (!/^[0-9A-Z]{1,30}$/.test(serial)) throw wrong('serialNumber', 'a serial number has 1 to 30 letters and digits');
  if (name === '' || name.length > 320) throw wrong('user', 'a user has 1 to 320 characters');
  return { serialNumber: serial, user: name, ...rest };
}
