// What is done with devices of the organisation: assigned, migrated, released. It takes its time.
import { AdeError } from '../errors.ts';
import { apiPath, type BusinessTransport, isoTime } from './transport.ts';
import { type DeviceActivity, readActivity } from './types.ts';

/** How to wait for an activity. */
export interface ActivityWait {
  /** Milliseconds between two looks. Default 5,000. */
  readonly pollMs?: number;
  /** When to give up, in milliseconds. Default 600,000. */
  readonly timeoutMs?: number;
}

/** What the client can do with devices. Each begins an activity; see `finished`. */
export interface ActivityMethods {
  /**
   * Begins to assign devices to a server.
   * @param options With `migrateBy`, devices that another server manages move to this one without being erased: their
   *   users are asked, and can put it off until then. 90 days ahead at most.
   * @throws AdeError `ade.business.conflict` for a server, device or date that Apple does not take.
   */
  assign(
    serverId: string,
    deviceIds: readonly string[],
    options?: { readonly migrateBy?: Date },
  ): Promise<DeviceActivity>;
  /** Begins to take devices from a server. */
  unassign(serverId: string, deviceIds: readonly string[]): Promise<DeviceActivity>;
  /**
   * Gives devices that are being migrated another deadline. One that is earlier than the present one, or past, leaves
   * their users no choice.
   */
  changeMigrationDeadline(deviceIds: readonly string[], migrateBy: Date): Promise<DeviceActivity>;
  /** Stops the migration of devices that have not moved yet. */
  cancelMigration(deviceIds: readonly string[]): Promise<DeviceActivity>;
  /**
   * Releases devices from the organisation: they are no more registered to it, lose their server, the built-in device
   * management and their Blueprints. Apple Business Manager only.
   * @throws AdeError `ade.release.not_allowed` unless the client was made with `allowRelease`, `ade.release.unconfirmed`,
   *   `ade.business.not_there`.
   */
  release(deviceIds: readonly string[], confirmation: { readonly irreversible: true }): Promise<DeviceActivity>;
  /** How an activity of the last 30 days is getting on. */
  activity(id: string): Promise<DeviceActivity>;
  /**
   * Waits until an activity is no more in progress.
   * @throws AdeError `ade.business.activity_timeout`.
   */
  finished(id: string, wait?: ActivityWait): Promise<DeviceActivity>;
}

/** Makes the methods. */
export function createActivityMethods(transport: BusinessTransport, allowRelease: boolean): ActivityMethods {
  function begin(
    activityType: string,
    ids: readonly string[],
    more: { readonly serverId?: string; readonly migrateBy?: Date } = {},
  ): Promise<DeviceActivity> {
    const { serverId, migrateBy } = more;
    const attributes = {
      activityType,
      ...(migrateBy && { activityTypeMetadata: { mdmMigrationDeadlineDateTime: isoTime(migrateBy, 'migrateBy') } }),
    };
    const relationships = {
      ...(serverId !== undefined && { mdmServer: { data: { type: 'mdmServers', id: serverId } } }),
      devices: { data: ids.map((id) => ({ type: 'orgDevices', id })) },
    };
    const body = { data: { type: 'orgDeviceActivities', attributes, relationships } };
    // An activity that was begun twice does the same twice.
    return transport.one({ path: '/v1/orgDeviceActivities', body }, readActivity);
  }

  const methods: ActivityMethods = {
    async assign(serverId, ids, { migrateBy } = {}) {
      if (migrateBy === undefined) return begin('ASSIGN_DEVICES', ids, { serverId });
      return begin('ASSIGN_DEVICES_WITH_MDM_MIGRATION_DEADLINE', ids, { serverId, migrateBy });
    },
    unassign: (serverId, ids) => begin('UNASSIGN_DEVICES', ids, { serverId }),
    changeMigrationDeadline: async (ids, migrateBy) => begin('UPDATE_MDM_MIGRATION_DEADLINE', ids, { migrateBy }),
    cancelMigration: (ids) => begin('CANCEL_MDM_MIGRATION', ids),
    async release(ids, confirmation) {
      transport.onlyBusiness('release of devices');
      if (!allowRelease) {
        throw new AdeError('ade.release.not_allowed', 'this client may not release devices', {
          kind: 'forbidden',
          remedy: 'Make the client with allowRelease; the organisation cannot take a released device back by itself.',
        });
      }
      if (confirmation?.irreversible !== true) {
        throw new AdeError('ade.release.unconfirmed', 'releasing devices must be confirmed: it cannot be undone');
      }
      return begin('RELEASE_DEVICES', ids);
    },
    activity: (id) => transport.one({ path: apiPath('orgDeviceActivities', id) }, readActivity),
    async finished(id, { pollMs = 5_000, timeoutMs = 600_000 } = {}) {
      const end = transport.now() + timeoutMs;
      for (;;) {
        const activity = await methods.activity(id);
        if (activity.status !== 'IN_PROGRESS') return activity;
        if (transport.now() + pollMs > end) {
          throw new AdeError('ade.business.activity_timeout', 'the activity is still in progress', {
            kind: 'unavailable',
            remedy: 'Ask again later: Apple keeps activities for 30 days.',
          });
        }
        await transport.sleep(pollMs);
      }
    },
  };
  return methods;
}
