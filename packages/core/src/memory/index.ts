// The memory store: everything in maps, gone when the process ends.
import type { Store } from '../contracts/store.ts';
import { memoryAcme } from './acme.ts';
import { memoryAde } from './ade.ts';
import { memoryCertificates } from './certificates.ts';
import { memoryConfigurations } from './configurations.ts';
import { memoryCredentials } from './credentials.ts';
import { memoryDeclarations } from './declarations.ts';
import { memoryEnrolments } from './enrolments.ts';
import { memoryEvents } from './events.ts';
import { memoryInventory } from './inventory.ts';
import { memoryInvitations } from './invitations.ts';
import { memoryLabels } from './labels.ts';
import { memoryPush } from './push.ts';
import { memoryQueue } from './queue.ts';
import { memoryRegistrations } from './registrations.ts';
import { memoryScepRequests } from './scep-requests.ts';
import { memorySecrets } from './secrets.ts';
import { memorySettings } from './settings.ts';
import { MemoryState } from './state.ts';

/**
 * Makes an empty store in memory, for tests and trials: it passes the same contract suite as the others and keeps
 * nothing when the process ends.
 *
 * @example
 * const engine = createEngine({ store: createMemoryStore(), keys });
 */
export function createMemoryStore(): Store {
  const state = new MemoryState();
  return {
    enrolments: memoryEnrolments(state),
    queue: memoryQueue(state),
    push: memoryPush(state),
    certificates: memoryCertificates(state),
    credentials: memoryCredentials(state),
    scepRequests: memoryScepRequests(state),
    registrations: memoryRegistrations(state),
    acme: memoryAcme(state),
    secrets: memorySecrets(state),
    inventory: memoryInventory(state),
    labels: memoryLabels(state),
    configurations: memoryConfigurations(state),
    declarations: memoryDeclarations(state),
    ade: memoryAde(state),
    events: memoryEvents(state),
    settings: memorySettings(state),
    invitations: memoryInvitations(state),
    async close() {
      state.closed = true;
    },
  };
}
