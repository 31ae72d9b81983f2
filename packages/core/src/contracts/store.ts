// The store: the union of all storage contracts.
import type { AcmeStateStore } from './acme.ts';
import type { AdeStore } from './ade.ts';
import type { CertificateStore } from './certificates.ts';
import type { ConfigurationStore } from './configurations.ts';
import type { CredentialStore } from './credentials.ts';
import type { DeclarationStore } from './declarations.ts';
import type { EnrolmentStore } from './enrolments.ts';
import type { EventStore } from './events.ts';
import type { InventoryStore } from './inventory.ts';
import type { InvitationStore } from './invitations.ts';
import type { LabelStore } from './labels.ts';
import type { PushStore } from './push.ts';
import type { QueueStore } from './queue.ts';
import type { RegistrationStore } from './registrations.ts';
import type { ScepRequestStore } from './scep-requests.ts';
import type { SearchStore } from './search.ts';
import type { SecretStore } from './secrets.ts';
import type { SettingStore } from './settings.ts';

/**
 * What the engine keeps its state in. Every method is atomic: it happens wholly or not at all, and concurrent callers
 * see it happen at one point in time. A store that cannot be reached throws CoreError with kind `unavailable`.
 */
export interface Store {
  readonly enrolments: EnrolmentStore;
  readonly queue: QueueStore;
  readonly push: PushStore;
  readonly certificates: CertificateStore;
  readonly credentials: CredentialStore;
  readonly scepRequests: ScepRequestStore;
  readonly registrations: RegistrationStore;
  readonly acme: AcmeStateStore;
  readonly secrets: SecretStore;
  readonly inventory: InventoryStore;
  readonly labels: LabelStore;
  readonly configurations: ConfigurationStore;
  readonly declarations: DeclarationStore;
  readonly ade: AdeStore;
  readonly events: EventStore;
  readonly settings: SettingStore;
  readonly invitations: InvitationStore;
  /** For stores that search by themselves. */
  readonly search?: SearchStore;
  /** Releases what the store holds. Calls after it throw. */
  close(): Promise<void>;
}
