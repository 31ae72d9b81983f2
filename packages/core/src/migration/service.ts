// Importing enrolments: check-in messages that another server kept, pinned to the certificates that it knew.
import { type Checkin, readCheckin, resolveEnrolment } from '@espalier/apple-mdm';
import type { AdeReconciler } from '../ade/reconcile.ts';
import type { DeviceIdentity } from '../api/engine.ts';
import type { ImportedMessage, Migration } from '../api/migration.ts';
import type { Enrolment } from '../api/records.ts';
import { authenticate, BOOTSTRAP_TOKEN, setBootstrapToken, tokenUpdate } from '../engine/checkin.ts';
import type { Context } from '../engine/context.ts';
import type { LabelService } from '../engine/labels.ts';
import { CoreError } from '../errors.ts';

const SCOPE = 'migration';
const MAX_ASSOCIATIONS = 10_000;

type Importable = Extract<Checkin, { messageType: ImportedMessage['messageType'] }>;

/** Makes the service. */
export function createMigration(context: Context, labels: LabelService, ade: AdeReconciler): Migration {
  const { store, vault, clock } = context;
  const refOf = (id: string) => ({ kind: 'secret', key: [SCOPE, id] }) as const;
  const here = (enrolment: Enrolment | null): boolean =>
    enrolment !== null && (enrolment.status === 'active' || enrolment.status === 'pending');

  async function associated(id: string): Promise<string | null> {
    const blob = await store.secrets.get(SCOPE, id);
    return blob === null ? null : vault.openText(blob, refOf(id));
  }

  /** The certificate to pin: what the caller says, what was told before, or what the enrolment has here. */
  async function pinFor(id: string, given: string | undefined): Promise<string> {
    const enrolment = await store.enrolments.get(id);
    const pin = here(enrolment) ? (enrolment?.certificateFingerprint ?? null) : null;
    const told = given === undefined ? await associated(id) : checkFingerprint(given);
    if (pin !== null && told !== null && told !== pin) {
      throw new CoreError(
        'core.migration.other_certificate',
        'conflict',
        'the enrolment is here with another certificate',
        {
          remedy: 'Nothing has to be done if the device has enrolled anew or renewed its certificate here.',
        },
      );
    }
    const fingerprint = told ?? pin;
    if (fingerprint !== null) return fingerprint;
    throw new CoreError('core.migration.certificate', 'invalid', 'nobody told which certificate this enrolment uses', {
      remedy: 'Import the server’s certificate associations first, or give the fingerprint with the message.',
    });
  }

  /** Whether this server knows better already. */
  async function isPresent(message: Importable): Promise<boolean> {
    const { id } = resolveEnrolment(message.ids);
    if (message.messageType === 'SetBootstrapToken') return (await store.secrets.get(id, BOOTSTRAP_TOKEN)) !== null;
    const enrolment = await store.enrolments.get(id);
    return message.messageType === 'Authenticate' ? here(enrolment) : enrolment?.status === 'active';
  }

  function take(message: Importable, identity: DeviceIdentity): Promise<null> {
    switch (message.messageType) {
      case 'Authenticate':
        return authenticate(context, message, identity);
      case 'TokenUpdate':
        return tokenUpdate(context, labels, ade, message, identity);
      case 'SetBootstrapToken':
        return setBootstrapToken(context, message, identity);
    }
  }

  return {
    async associate(associations) {
      if (associations.length > MAX_ASSOCIATIONS) {
        throw new CoreError(
          'core.migration.too_many',
          'too-large',
          `more than ${MAX_ASSOCIATIONS} associations at once`,
        );
      }
      const entries = associations.map(({ enrolmentId, fingerprint }) => ({
        enrolmentId,
        fingerprint: checkFingerprint(fingerprint),
      }));
      await vault.ready();
      for (const { enrolmentId, fingerprint } of entries) {
        const blob = vault.seal(fingerprint, refOf(enrolmentId));
        await store.secrets.put({ scope: SCOPE, name: enrolmentId, blob, at: clock.now() });
      }
      return entries.length;
    },

    async checkin(body, { fingerprint: given } = {}) {
      const message = readCheckin(body);
      if (!isImportable(message)) {
        throw new CoreError('core.migration.message', 'invalid', `${message.messageType} is not imported`, {
          remedy: 'Send Authenticate, then TokenUpdate, then SetBootstrapToken.',
          at: { path: '/MessageType' },
        });
      }
      await vault.ready();
      const { id: enrolmentId, parent } = resolveEnrolment(message.ids);
      const device = parent ?? enrolmentId;
      const fingerprint = await pinFor(device, given);
      const { messageType } = message;
      if (await isPresent(message)) return { enrolmentId, messageType, outcome: 'present' };
      await take(message, { fingerprint, certificate: new Uint8Array(0), source: 'migration' });
      // The enrolment has its pin now.
      if (messageType === 'TokenUpdate' && device === enrolmentId) await store.secrets.delete(SCOPE, device);
      context.bus.poke();
      return { enrolmentId, messageType, outcome: 'imported' };
    },
  };
}

function isImportable(message: Checkin): message is Importable {
  return ['Authenticate', 'TokenUpdate', 'SetBootstrapToken'].includes(message.messageType);
}

function checkFingerprint(text: string): string {
  const fingerprint = text.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(fingerprint)) return fingerprint;
  throw new CoreError('core.migration.fingerprint', 'invalid', 'a fingerprint is a SHA-256 in hexadecimal');
}
