// What is done with devices of a simulated organisation: assigned, migrated, released; it takes its time.
import { json } from '../answers.ts';
import type { Organisation } from '../organisation.ts';
import { missing, problem } from './documents.ts';

/** How it is with the devices, by their numbers. */
export interface DeviceStates {
  /** The id of the server that a device is assigned to; devices that are not here have none. */
  readonly assigned: Map<number, string>;
  readonly migrations: Map<number, { deadline: number; status: 'REQUESTED' | 'SUCCESS' }>;
  /** When a device was released. */
  readonly released: Map<number, number>;
}

/** Something that happened, for the audit log. */
export interface DeviceEvent {
  readonly at: number;
  readonly type: 'DEVICE_ASSIGNED_TO_SERVER' | 'DEVICE_UNASSIGNED_FROM_SERVER' | 'DEVICE_REMOVED_FROM_ORG';
  readonly number: number;
}

const kinds = [
  'ASSIGN_DEVICES',
  'UNASSIGN_DEVICES',
  'ASSIGN_DEVICES_WITH_MDM_MIGRATION_DEADLINE',
  'UPDATE_MDM_MIGRATION_DEADLINE',
  'CANCEL_MDM_MIGRATION',
  'RELEASE_DEVICES',
] as const;
type Kind = (typeof kinds)[number];

interface Activity {
  readonly id: string;
  readonly created: number;
  readonly type: Kind;
  readonly server: { readonly id: string; readonly name: string } | undefined;
  readonly deadline: number;
  readonly numbers: readonly number[];
  done: boolean;
  /** Devices that it did not work for. */
  failed: number;
}

/** What activities are made with. */
export interface ActivityOptions {
  readonly organisation: Organisation;
  readonly servers: () => readonly { readonly id: string; readonly name: string }[];
  readonly states: DeviceStates;
  readonly now: () => number;
  readonly newId: () => string;
  /** How long one takes, in milliseconds. */
  readonly takesMs: number;
  /** Whether devices can be released. */
  readonly releases: boolean;
  readonly onEvent: (event: DeviceEvent) => void;
  /** Devices that came to a server (`null`: to none). */
  readonly onAssigned: (numbers: readonly number[], serverName: string | null) => void;
}

/** The activities. */
export interface Activities {
  /** `POST /v1/orgDeviceActivities`. */
  begin(body: ReadonlyMap<string, unknown> | undefined): Response;
  /** `GET /v1/orgDeviceActivities/{id}`. */
  read(id: string): Response;
  /** Does what was to be done by now. */
  settle(): void;
}

const longestMs = 90 * 86_400_000;

/** Makes the activities. */
export function createActivities(options: ActivityOptions): Activities {
  const { organisation, states, now, takesMs, onEvent } = options;
  const { assigned, migrations, released } = states;
  const activities = new Map<string, Activity>();

  function describe(activity: Activity): object {
    const state = activity.done
      ? {
          status: 'COMPLETED',
          subStatus: activity.failed > 0 ? 'COMPLETED_WITH_ERROR' : 'COMPLETED_WITH_SUCCESS',
          completedDateTime: new Date(activity.created + takesMs).toISOString(),
          downloadUrl: `https://store.example/${activity.id}.csv`,
        }
      : { status: 'IN_PROGRESS', subStatus: 'SUBMITTED' };
    const attributes = { ...state, createdDateTime: new Date(activity.created).toISOString() };
    return { type: 'orgDeviceActivities', id: activity.id, attributes };
  }

  /** Does it with one device; whether it worked. */
  function act({ type, server, deadline }: Activity, number: number, at: number): boolean {
    const migration = migrations.get(number);
    const migrating = migration?.status === 'REQUESTED';
    switch (type) {
      case 'ASSIGN_DEVICES':
      case 'ASSIGN_DEVICES_WITH_MDM_MIGRATION_DEADLINE':
        assigned.set(number, server!.id);
        if (type !== 'ASSIGN_DEVICES') migrations.set(number, { deadline, status: 'REQUESTED' });
        onEvent({ at, type: 'DEVICE_ASSIGNED_TO_SERVER', number });
        return true;
      case 'UNASSIGN_DEVICES':
        if (assigned.get(number) === server!.id) assigned.delete(number);
        onEvent({ at, type: 'DEVICE_UNASSIGNED_FROM_SERVER', number });
        return true;
      case 'UPDATE_MDM_MIGRATION_DEADLINE':
        if (migrating) migration.deadline = deadline;
        return migrating;
      case 'CANCEL_MDM_MIGRATION':
        if (migrating) migrations.delete(number);
        return migrating;
      case 'RELEASE_DEVICES':
        assigned.delete(number);
        migrations.delete(number);
        released.set(number, at);
        onEvent({ at, type: 'DEVICE_REMOVED_FROM_ORG', number });
        return true;
    }
  }

  return {
    settle() {
      for (const activity of activities.values()) {
        const at = activity.created + takesMs;
        if (activity.done || now() < at) continue;
        activity.done = true;
        for (const number of activity.numbers) if (!act(activity, number, at)) activity.failed++;
        const { type, server, numbers } = activity;
        if (type.startsWith('ASSIGN')) options.onAssigned(numbers, server!.name);
        else if (type === 'UNASSIGN_DEVICES' || type === 'RELEASE_DEVICES') options.onAssigned(numbers, null);
      }
    },
    begin(body) {
      const data = body?.get('data') as
        | {
            attributes?: { activityType?: unknown; activityTypeMetadata?: { mdmMigrationDeadlineDateTime?: unknown } };
            relationships?: { mdmServer?: { data?: { id?: string } }; devices?: { data?: { id?: string }[] } };
          }
        | undefined;
      const type = kinds.find((kind) => kind === data?.attributes?.activityType);
      const devices = data?.relationships?.devices?.data;
      if (data === undefined || devices === undefined) return problem(400, 'ENTITY_INVALID', 'data');
      if (type === undefined || (type === 'RELEASE_DEVICES' && !options.releases)) {
        return problem(422, 'ENTITY_UNPROCESSABLE', 'activityType');
      }
      if (devices.length === 0) return problem(422, 'ENTITY_UNPROCESSABLE', 'devices');
      const server = options.servers().find((item) => item.id === data.relationships?.mdmServer?.data?.id);
      if (server === undefined && type.includes('ASSIGN')) {
        return problem(409, 'ENTITY_ERROR.RELATIONSHIP.INVALID', 'mdmServer');
      }
      const numbers = devices.map((device) => organisation.find(String(device.id)));
      if (numbers.some((number) => number < 0 || released.has(number))) {
        return problem(409, 'ENTITY_ERROR.RELATIONSHIP.INVALID', 'devices');
      }
      const deadline = Date.parse(String(data.attributes?.activityTypeMetadata?.mdmMigrationDeadlineDateTime));
      if (type.endsWith('DEADLINE')) {
        const early = type.startsWith('ASSIGN') && deadline <= now();
        if (Number.isNaN(deadline) || early || deadline > now() + longestMs) {
          return problem(409, 'ENTITY_ERROR.ATTRIBUTE.INVALID', 'mdmMigrationDeadlineDateTime');
        }
      }
      const activity = { id: options.newId(), created: now(), type, server, deadline, numbers, done: false, failed: 0 };
      activities.set(activity.id, activity);
      return json({ data: describe(activity) }, 201);
    },
    read(id) {
      const activity = activities.get(id);
      return activity === undefined ? missing('orgDeviceActivities', id) : json({ data: describe(activity) });
    },
  };
}
