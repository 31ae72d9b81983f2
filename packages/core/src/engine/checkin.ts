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
import type { AdeReconciler } from '../ade/reconcile.ts';
import type { FactValue } from '../api/common.ts';
import type { DeviceIdentity } from '../api/engine.ts';
import type { TokenUpdateInput } from '../contracts/enrolments.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { CoreError } from '../errors.ts';
import { releaseWaiting } from '../recipes/run.ts';
import type { Context } from './context.ts';
import { queueInventory } from './inventory.ts';
import { bindingFor, factsOf } from './invitation-binding.ts';
import { revokeCertificate } from './issuer-revocation.ts';
import type { LabelService } from './labels.ts';
import { checkReenrolment } from './reenrolment.ts';
import { refuse } from './refuse.ts';
import { openSecret, sealedSecret, senderOf } from './sender.ts';
import { reviewAccounts } from './superseding.ts';
import { checkAuthToken } from './users.ts';

/** The name of the sealed bootstrap token. */
export const BOOTSTRAP_TOKEN = 'bootstrap-token';

/** A device begins to enrol. */
export async function authenticate(context: Context, message: Authenticate, identity: DeviceIdentity): Promise<null> {
  const { store, clock } = context;
  const { id, channel, kind } = resolveEnrolment(message.ids);
  if (channel !== 'device') {
    throw new CoreError('core.checkin.unsupported', 'invalid', 'only a device sends Authenticate, not a user');
  }
  if (identity.expired === true) throw await refuse(context, 'expired', id, identity);
  const issued = await store.certificates.get(identity.fingerprint);
  // One made for Wi-Fi or mail enrols nobody, though the same authority issued it.
  if (issued?.credentialId != null) throw await refuse(context, 'identity-mismatch', id, identity);
  const attested = issued?.attestation?.properties['serialNumber'];
  // What Apple attested when the certificate was issued outweighs what the device says of itself.
  if (attested !== undefined && attested !== message.serialNumber && kind === 'device') {
    throw await refuse(context, 'attestation', id, identity);
  }
  await checkTopic(context, id, message.topic, identity);
  const binding = await bindingFor(context, issued);
  // Its profile makes a User Enrolment of the device: as a whole it does not come in by it.
  if (binding?.managedAppleAccount !== undefined && kind !== 'user-enrolment-device') {
    throw await refuse(context, 'other-device', id, identity);
  }
  await checkReenrolment(context, id, message, identity, issued, binding);
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
    secrets: [sealedSecret(context, id, 'raw.Authenticate', message.raw)],
    events: [
      {
        type: 'enrolment.authenticated',
        at,
        enrolmentId: id,
        data: { fingerprint: identity.fingerprint, source: identity.source, kind, again: before !== null },
      },
    ],
  });
  if (outcome.outcome !== 'accepted') throw await refuse(context, 'identity-mismatch', id, identity);
  const facts: Record<string, FactValue> = { ...authenticateFacts(message), ...factsOf(binding, kind) };
  if (kind === 'user-enrolment-device') facts['ios.apple_user_enrolled_device'] = true;
  if (before?.facts['common.creation_date'] === undefined) facts['common.creation_date'] = at;
  await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
  return null;
}

/**
 * A device that enrols for another topic than this server's could never be woken, and is not ours.
 * @throws CoreError `core.enrolment.foreign_topic` (forbidden)
 */
async function checkTopic(context: Context, id: string, topic: string, identity: DeviceIdentity): Promise<void> {
  const known = await context.topics();
  if (known.length > 0 && !known.includes(topic)) throw await refuse(context, 'foreign-topic', id, identity);
}

/** A channel tells how to wake it; the first time it becomes active. */
export async function tokenUpdate(
  context: Context,
  labels: LabelService,
  ade: AdeReconciler,
  message: TokenUpdate,
  identity: DeviceIdentity,
): Promise<null> {
  const { store, clock, vault } = context;
  const resolved = resolveEnrolment(message.ids);
  const { id, channel, kind, parent = null } = resolved;
  await checkAuthToken(context, resolved, message.ids.userId, message.value['AuthToken']);
  await checkTopic(context, id, message.topic, identity);
  const at = clock.now();
  const secrets = [sealedSecret(context, id, 'raw.TokenUpdate', message.raw)];
  if (message.unlockToken !== undefined) secrets.push(sealedSecret(context, id, 'unlock-token', message.unlockToken));
  const input = {
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
  } satisfies TokenUpdateInput;
  const outcome = await context.door.pass(resolved, identity, () => store.enrolments.tokenUpdate(input));
  context.kick.notifier();
  // Also when a crash came between an earlier TokenUpdate and this.
  if (!(await store.declarations.syncs([id])).has(id)) {
    // Nobody waits here for more changes to come.
    await store.declarations.mark({ enrolmentIds: [id], at: at - context.options.declarationSettleMs });
    context.kick.reconciler();
  }
  if (channel === 'user') {
    const userKind = kind === 'shared-ipad-user' ? 'shared-ipad-user' : 'user';
    const facts = tokenUpdateFacts(message, userKind);
    await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
    if (kind === 'shared-ipad-user') {
      // Also later: who signs in may be known by another account than the last time.
      await store.configurations.mark({ enrolmentIds: [id], at });
      context.kick.reconciler();
    }
    if (message.awaitingConfiguration) await releaseWaiting(context, outcome.enrolment);
    return null;
  }
  // Also when a crash came between an earlier TokenUpdate and this: the device repeats it, being left without an answer.
  const inventory = await store.inventory.get(id);
  const { serialNumber } = outcome.enrolment;
  if (serialNumber !== null) {
    const facts = await ade.factsFor(serialNumber, outcome.first || inventory?.inventoryAt === null, outcome.enrolment);
    if (Object.keys(facts).length > 0) {
      await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
    }
  }
  if ((inventory?.facts['ios.AwaitingConfiguration'] ?? false) !== message.awaitingConfiguration) {
    const facts = tokenUpdateFacts(message, 'device');
    await store.inventory.apply({ enrolmentId: id, at, facts, complete: false, event: null });
  }
  if (inventory !== null && inventory.inventoryAt === null) await queueInventory(context, [id]);
  await labels.evaluateDevices([id], null, 'enrolment');
  if (kind === 'user-enrolment-device' && (outcome.first || inventory?.inventoryAt === null)) {
    await reviewAccounts(context, [id], { ask: true });
  }
  if (outcome.first) {
    // A device that enrols anew may be in its labels still, and yet has nothing of what they give.
    await store.configurations.mark({ enrolmentIds: [id], at });
    context.kick.reconciler();
  }
  if (message.awaitingConfiguration) await releaseWaiting(context, outcome.enrolment);
  return null;
}

/** The device leaves. */
export async function checkOut(context: Context, message: CheckOut, identity: DeviceIdentity): Promise<null> {
  const { store, clock } = context;
  const resolved = resolveEnrolment(message.ids);
  const { id, channel } = resolved;
  const at = clock.now();
  const retiring = (await store.enrolments.get(id))?.phase === 'retire-pending';
  const events: NewEvent[] = [{ type: 'enrolment.checked-out', at, enrolmentId: id, data: { channel } }];
  if (retiring) events.push({ type: 'enrolment.retired', at, enrolmentId: id, data: { cause: 'checked out' } });
  const input = { id, certificateFingerprint: identity.fingerprint, at, events };
  await context.door.pass(resolved, identity, () => store.enrolments.checkOut(input));
  if (context.options.revokeOnCheckOut && channel === 'device') {
    const { fingerprint } = identity;
    const data = { fingerprint, reason: 'cessationOfOperation', by: 'check-out' };
    const event = { type: 'certificate.revoked', at, enrolmentId: id, data } as const;
    await revokeCertificate(context, { fingerprint, reason: 'cessationOfOperation', at, event });
  }
  if (channel === 'device') {
    await context.ended(id);
    if (resolved.kind === 'user-enrolment-device') await reviewAccounts(context, [id], { ask: false });
  }
  return null;
}

/** A Mac hands over its bootstrap token, or takes it back. */
export async function setBootstrapToken(
  context: Context,
  message: SetBootstrapToken,
  identity: DeviceIdentity,
): Promise<null> {
  const { store, clock } = context;
  const token = message.bootstrapToken;
  const keep = token !== undefined && token.length > 0;
  const { id } = await senderOf(context, message.ids, identity, (enrolmentId) =>
    keep ? [sealedSecret(context, enrolmentId, BOOTSTRAP_TOKEN, token)] : [],
  );
  if (!keep) await store.secrets.delete(id, BOOTSTRAP_TOKEN);
  const type = keep ? 'enrolment.bootstrap-token-stored' : 'enrolment.bootstrap-token-removed';
  await store.events.append([{ type, at: clock.now(), enrolmentId: id, data: {} }]);
  return null;
}

/** A Mac asks for its bootstrap token; without one the answer has none. */
export async function getBootstrapToken(
  context: Context,
  message: GetBootstrapToken,
  identity: DeviceIdentity,
): Promise<Uint8Array> {
  const { store, clock } = context;
  const { id } = await senderOf(context, message.ids, identity);
  const token = await openSecret(context, id, BOOTSTRAP_TOKEN);
  const data = { found: token !== null };
  await store.events.append([{ type: 'enrolment.bootstrap-token-read', at: clock.now(), enrolmentId: id, data }]);
  return encodeXml(token === null ? {} : { BootstrapToken: token });
}

function present<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: string });
}
