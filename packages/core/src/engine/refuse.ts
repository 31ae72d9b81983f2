// Refusing a device: the record of it and the error.
import type { DeviceIdentity } from '../api/engine.ts';
import { CoreError } from '../errors.ts';
import type { Context } from './context.ts';

/** Records a refused identity, and makes the error. */
export async function refuse(
  { store, clock, logger, bus }: Context,
  outcome: 'unknown' | 'identity-mismatch',
  enrolmentId: string,
  identity: DeviceIdentity,
  reason?: 'reenrolment',
): Promise<CoreError> {
  const { fingerprint, source } = identity;
  if (outcome === 'unknown') {
    logger.warn({ enrolmentId, fingerprint, source }, 'a device that is not enrolled');
    return new CoreError('core.enrolment.unknown', 'forbidden', 'this device is not enrolled', {
      remedy: 'enrol the device again',
    });
  }
  const data = { enrolmentId, fingerprint, source, ...(reason === undefined ? {} : { reason }) };
  await store.events.append([{ type: 'enrolment.identity-refused', at: clock.now(), enrolmentId: null, data }]);
  bus.poke();
  logger.warn({ enrolmentId, fingerprint, source }, 'an identity that is not the one of this enrolment');
  return new CoreError(
    'core.enrolment.identity_mismatch',
    'forbidden',
    'the certificate is not the one that this enrolment is pinned to',
    {
      remedy:
        reason === undefined
          ? 'enrol the device again'
          : 'invite the device again, end its enrolment, or allow this by the re-enrolment policy',
    },
  );
}
