// What each check-in message does.
import {
  type Authenticate,
  authenticateFacts,
  type CheckOut,
  type GetBootstrapToken,
  resolveEnrolment,
  type SetBootstrapToken,
  type TokenUpdate,
  tokenUpdateFacts,
} from '@espalier/apple-mdm';
import { encodeXml } from '@espalier/plist';
import type { FactValue } from '../api/common.ts';
import type { DeviceIdentity } from '../api/engine.ts';
import type { NamedSecret } from '../contracts/shared.ts';
import { CoreError } from '../errors.ts';
import type { Context } from './context.ts';
import { queueInventory } from './inventory.ts';
import type { LabelService } from './labels.ts';
import { refuse } from './refuse.ts';

const BOOTSTRAP_TOKEN = 'bootstrap-token';

/** A sealed secret to be stored with an enrolment. */
function secret({ vault }: Context, enrolmentId: string, name: string, bytes: Uint8Array): NamedSecret {
  return { name, blob: vault.seal(bytes, { kind: 'secret', key: [enrolmentId, name] }) };
}

/** A device begins to enrol. */
export async function authenticate(context: Context, message: Authenticate, identity: DeviceIdentity): Promise<null> {
  const { store, clock } = context;
  const { id, channel, kind } = resolveEnrolment(message.ids);
  if (channel !== 'device') {
    throw new CoreError('core.checkin.unsupported', 'invalid', 'only a device sends Authenticate, not a user');
  }
  const at = clock.now();
  const before = await store.inventory.get(id);
  const outcome = await store.enrolments.authenticate({
    id,
    kind,
    certificateFingerprint: identity.fingerprint,
    at,
    details: {
      udid: message.ids.udid ?? null,
      topic: message.topic,
      ...present('serialNumber', message.serialNumber),
      ...present('model', message.model),
      ...present('productName', message.productName),
      ...present('osVersion', message.osVersion),
      ...present('deviceName', message.deviceName),
    },
    secrets: [secret(context, id, 'raw.Authenticate', message.raw)],
    events: [
      {
        type: 'enrolment.authenticated',
        at,
        enrolmentId: id,
        data: { fingerprint: identity.fingerprint, source: identity.source },
      },
    ],
  });
  if (outcome.outcome !== 'accepted') throw await refuse(context, 'identity-mismatch', id, identity);
  const facts: Record<string, FactValue> = { ...authenticateFacts(message) };
  if (kind === 'user-enrolment-device') facts['ios.apple_user_enrolled_device'] = true;
  if (before?.facts['common.creation_date'] === undefined) facts['common.creation_date'] = at;
  await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
  return null;
}

/** A channel tells how to wake it; the first time it becomes active. */
export async function tokenUpdate(
  context: Context,
  labels: LabelService,
  message: TokenUpdate,
  identity: DeviceIdentity,
): Promise<null> {
  const { store, clock, vault } = context;
  const { id, channel, kind, parent = null } = resolveEnrolment(message.ids);
  const at = clock.now();
  const secrets = [secret(context, id, 'raw.TokenUpdate', message.raw)];
  if (message.unlockToken !== undefined) secrets.push(secret(context, id, 'unlock-token', message.unlockToken));
  const outcome = await store.enrolments.tokenUpdate({
    id,
    channel,
    kind,
    parent,
    certificateFingerprint: identity.fingerprint,
    at,
    token: message.token,
    pushMagic: vault.seal(message.pushMagic, { kind: 'push-magic', key: [id] }),
    topic: message.topic,
    details: channel === 'user' ? { udid: message.ids.udid ?? null } : {},
    secrets,
    firstEvents: [{ type: 'enrolment.active', at, enrolmentId: id, data: { channel, kind } }],
    laterEvents: [{ type: 'enrolment.token-updated', at, enrolmentId: id, data: { channel, kind } }],
  });
  if (outcome.outcome !== 'updated') throw await refuse(context, outcome.outcome, id, identity);
  context.kick.notifier();
  if (channel === 'user') {
    const userKind = kind === 'shared-ipad-user' ? 'shared-ipad-user' : 'user';
    const facts = tokenUpdateFacts(message, userKind);
    await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
    return null;
  }
  // Also when a crash came between an earlier TokenUpdate and this: the device repeats it, being left without an answer.
  const inventory = await store.inventory.get(id);
  if (inventory !== null && inventory.inventoryAt === null) await queueInventory(context, [id]);
  await labels.evaluateDevices([id], null, 'enrolment');
  if (outcome.first) {
    // A device that enrols anew may be in its labels still, and yet has nothing of what they give.
    await store.configurations.mark({ enrolmentIds: [id], at });
    context.kick.reconciler();
  }
  return null;
}

/** The device leaves. */
export async function checkOut(context: Context, message: CheckOut, identity: DeviceIdentity): Promise<null> {
  const { store, clock } = context;
  const { id, channel } = resolveEnrolment(message.ids);
  const at = clock.now();
  const outcome = await store.enrolments.checkOut({
    id,
    certificateFingerprint: identity.fingerprint,
    at,
    events: [{ type: 'enrolment.checked-out', at, enrolmentId: id, data: { channel } }],
  });
  if (outcome.outcome !== 'ok') throw await refuse(context, outcome.outcome, id, identity);
  return null;
}

/** A Mac hands over its bootstrap token, or takes it back. */
export async function setBootstrapToken(
  context: Context,
  message: SetBootstrapToken,
  identity: DeviceIdentity,
): Promise<null> {
  const { store, clock } = context;
  const { id } = resolveEnrolment(message.ids);
  const token = message.bootstrapToken;
  const keep = token !== undefined && token.length > 0;
  const outcome = await store.enrolments.verify({
    id,
    certificateFingerprint: identity.fingerprint,
    at: clock.now(),
    ...(keep ? { secrets: [secret(context, id, BOOTSTRAP_TOKEN, token)] } : {}),
  });
  if (outcome.outcome !== 'ok') throw await refuse(context, outcome.outcome, id, identity);
  if (!keep) await store.secrets.delete(id, BOOTSTRAP_TOKEN);
  return null;
}

/** A Mac asks for its bootstrap token; without one the answer has none. */
export async function getBootstrapToken(
  context: Context,
  message: GetBootstrapToken,
  identity: DeviceIdentity,
): Promise<Uint8Array> {
  const { store, clock, vault } = context;
  const { id } = resolveEnrolment(message.ids);
  const outcome = await store.enrolments.verify({ id, certificateFingerprint: identity.fingerprint, at: clock.now() });
  if (outcome.outcome !== 'ok') throw await refuse(context, outcome.outcome, id, identity);
  const blob = await store.secrets.get(id, BOOTSTRAP_TOKEN);
  if (blob === null) return encodeXml({});
  return encodeXml({ BootstrapToken: vault.open(blob, { kind: 'secret', key: [id, BOOTSTRAP_TOKEN] }) });
}

function present<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: string });
}
