// Which devices the server has, which profiles they got, and what changed when.
import { createOrganisation, type Organisation, type OrganisationOptions, type OwnedDevice } from '../organisation.ts';

/** What happened to a device. */
export interface Change {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly number: number;
  readonly at: number;
}

/** A device's assignment. */
export interface Assignment {
  /** Number of the profile, from 1; 0 for none. */
  readonly profile: number;
  readonly status: 'empty' | 'assigned' | 'pushed' | 'removed';
  readonly assignedAt: number;
  readonly pushedAt: number;
}

const statuses = ['empty', 'assigned', 'pushed', 'removed'] as const;

/** The devices that are assigned to the server. */
export interface Registry {
  readonly organisation: Organisation;
  readonly changes: readonly Change[];
  /** The device with this serial number, if it is this server's. */
  number(serialNumber: string): number;
  has(number: number): boolean;
  device(number: number): OwnedDevice;
  assignment(number: number): Assignment;
  assign(number: number, profile: number, at: number): void;
  push(number: number, at: number): void;
  remove(number: number): void;
  /** Assigns devices to the server, or takes them away, or changes them, as somebody in the portal does. */
  change(type: Change['type'], numbers: Iterable<number>, at: number): void;
}

/** How a registry begins. */
export interface RegistryOptions extends OrganisationOptions {
  /** Whether the organisation's devices are assigned to the server from the beginning. Default true. */
  readonly assigned?: boolean;
}

/** Makes the registry. Bytes a device: 21, whether or not anything happens to it. */
export function createRegistry(options: RegistryOptions): Registry {
  const organisation = createOrganisation(options);
  const changes: Change[] = [];
  /** Devices that are not as all were at the beginning: gone, or come. */
  const other = new Set<number>();
  const assignedFirst = options.assigned ?? true;
  let profiles = new Uint32Array(organisation.size);
  let states = new Uint8Array(organisation.size);
  let assigned = new Float64Array(organisation.size);
  let pushed = new Float64Array(organisation.size);

  function grow(): void {
    if (organisation.size <= states.length) return;
    const size = Math.max(organisation.size, Math.ceil(states.length * 1.5));
    const [oldProfiles, oldStates, oldAssigned, oldPushed] = [profiles, states, assigned, pushed];
    profiles = new Uint32Array(size);
    states = new Uint8Array(size);
    assigned = new Float64Array(size);
    pushed = new Float64Array(size);
    profiles.set(oldProfiles);
    states.set(oldStates);
    assigned.set(oldAssigned);
    pushed.set(oldPushed);
  }

  const registry: Registry = {
    organisation,
    changes,
    has: (number) => number >= 0 && number < organisation.size && other.has(number) !== assignedFirst,
    number(serialNumber) {
      const number = organisation.find(serialNumber);
      return registry.has(number) ? number : -1;
    },
    device: (number) => organisation.device(number),
    assignment: (number) => ({
      profile: profiles[number] ?? 0,
      status: statuses[states[number] ?? 0]!,
      assignedAt: assigned[number] ?? 0,
      pushedAt: pushed[number] ?? 0,
    }),
    assign(number, profile, at) {
      grow();
      profiles[number] = profile;
      states[number] = 1;
      assigned[number] = at;
    },
    push(number, at) {
      grow();
      if (states[number] !== 1) return;
      states[number] = 2;
      pushed[number] = at;
    },
    remove(number) {
      grow();
      states[number] = profiles[number] === 0 ? 0 : 3;
      profiles[number] = 0;
    },
    change(type, numbers, at) {
      grow();
      for (const number of numbers) {
        if (type !== 'modified') {
          if ((type === 'added') === assignedFirst) other.delete(number);
          else other.add(number);
        }
        if (type === 'deleted') {
          profiles[number] = 0;
          states[number] = 0;
        }
        changes.push({ type, number, at });
      }
    },
  };
  return registry;
}
