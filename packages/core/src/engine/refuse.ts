// Refusing a device: the record of it and the error.
import type { DeviceIdentity } from '../api/engine.ts';
import { CoreError } from '../errors.ts';
import { endedHere } from '../lifecycle/phases.ts';
import type { Context } from './context.ts';

/** Why a device is refused. */
export type Refusal =
  | 'unknown'
  | 'identity-mismatch'
  | 'reenrolment'
  | 'expired'
  | 'attestation'
  | 'other-device'
  | 'foreign-topic';

const AGAIN = 'enrol the device again';

const errors = {
  'identity-mismatch': [
    'core.enrolment.identity_mismatch',
    'the certificate is not the one that this enrolment is pinned to',
    AGAIN,
  ],
  reenrolment: [
    'core.enrolment.identity_mismatch',
    'the certificate is not the one that this enrolment is pinned to',
    'invite this very device (by its serial number), end its enrolment, or allow this by the re-enrolment policy',
  ],
  revoked: ['core.enrolment.certificate_revoked', 'the certificate was revoked', AGAIN],
  expired: [
    'core.enrolment.certificate_expired',
    'the certificate has expired, and is good for its renewal alone',
    AGAIN,
  ],
  'other-device': [
    'core.enrolment.other_device',
    'the certificate was issued for another device',
    'enrol this device with an invitation of its own',
  ],
  'foreign-topic': [
    'core.enrolment.foreign_topic',
    'the device enrolled for the push topic of another server',
    "check the topic of the enrolment profile against the push certificate's",
  ],
  attestation: ['core.enrolment.attestation_mismatch', 'the certificate was issued to another device', AGAIN],
} as const;

/** Records a refused identity, and makes the error. */
export async function refuse(
  context: Context,
  outcome: Refusal,
  enrolmentId: string,
  identity: DeviceIdentity,
): Promise<CoreError> {
  const { store, clock, logger } = context;
  const { fingerprint, source } = identity;
  if (outcome === 'unknown') {
    const ended = await endedHere(context, enrolmentId, identity);
    const about = ended === null ? 'core.enrolment.unknown' : `core.enrolment.${ended}`;
    await context.doorLog.refused({ code: about, enrolmentId, fingerprint });
    if (ended !== null) {
      logger.warn({ enrolmentId, fingerprint, source, ended }, 'a device whose enrolment the server has ended');
      return new CoreError(`core.enrolment.${ended}`, 'forbidden', `this device was ${ended}`, {
        remedy: ended === 'wiped' ? 'Cancel the wipe, or enrol the device again.' : AGAIN,
      });
    }
    logger.warn({ enrolmentId, fingerprint, source }, 'a device that is not enrolled');
    return new CoreError('core.enrolment.unknown', 'forbidden', 'this device is not enrolled', { remedy: AGAIN });
  }
  // Off the way of devices that are let in: only who is refused costs this look.
  const revoked = (await store.certificates.get(fingerprint))?.status === 'revoked';
  const reason = revoked ? 'revoked' : outcome;
  const data = { enrolmentId: enrolmentId.slice(0, 200), fingerprint, source, reason };
  const event = { type: 'enrolment.identity-refused', at: clock.now(), enrolmentId: null, data } as const;
  await context.doorLog.keep(event, `${reason} ${enrolmentId} ${fingerprint}`);
  const [code, message, remedy] = errors[reason];
  logger.warn({ enrolmentId, fingerprint, source, reason }, 'an identity was refused');
  return new CoreError(code, 'forbidden', message, { remedy });
}
