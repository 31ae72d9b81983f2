// Answers to challenges: device-attest-01, and whatever a policy validates.
import { PkiError } from '../errors.ts';
import { type AppleAttestation, verifyAttestationObject } from './attestation.ts';
import type { Authenticated, Context } from './context.ts';
import { isDeviceIdentifier, splitDeviceIdentifier } from './identifiers.ts';
import { fromBase64url, type JsonObject, member } from './json.ts';
import { acmeProblem, malformed, Refusal } from './problem.ts';
import type {
  AcmeAuthorization,
  AcmeChallenge,
  AcmeDevice,
  AcmeGrant,
  AcmeIdentifier,
  AcmeSettlement,
} from './types.ts';

/** What speaks against a device, or null. */
type Objection = { readonly code: string; readonly detail: string } | null;

/**
 * Judges an answer. What it throws leaves the challenge open (a malformed request, a fault of ours); an answer that is
 * well-formed and wrong settles the authorization as invalid.
 */
export async function answerChallenge(
  context: Context,
  from: Authenticated,
  part: AcmeAuthorization,
  challenge: AcmeChallenge,
  payload: JsonObject,
): Promise<AcmeSettlement> {
  const account = from.account!;
  const settled = { challengeId: challenge.id, at: context.now() };
  const base = { accountId: account.id, orderId: part.orderId };
  const invalid = (type: 'badAttestationStatement' | 'incorrectResponse', code: string, detail: string) => {
    context.onEvent?.({ ...base, type: 'validation-failed', code, message: detail });
    return { ...settled, status: 'invalid' as const, error: acmeProblem(type, detail) };
  };

  const policy = context.challenges?.find(({ type }) => type === challenge.type);
  if (!isDeviceIdentifier(part.identifier) || challenge.type !== 'device-attest-01') {
    if (!policy) throw new Refusal('serverInternal', 'the challenge is not served any more');
    const keyAuthorization = `${challenge.token}.${from.key.thumbprint}`;
    const { identifier } = part;
    const verdict = await policy.validate({ identifier, token: challenge.token, keyAuthorization, account });
    if (!verdict.accept) return invalid('incorrectResponse', 'pki.acme.incorrect_response', verdict.reason);
    context.onEvent?.({ ...base, type: 'validated' });
    return { ...settled, status: 'valid' };
  }

  const attestationObject = readAttestationObject(payload);
  const entitlement = await context.store.findIdentifier(part.identifier);
  if (!entitlement) throw new Refusal('rejectedIdentifier', 'the identifier has expired');
  const { grant } = entitlement;
  const { attestation: options } = context;
  if (!options) throw new Refusal('serverInternal', 'the challenge is not served any more');

  let attestation: AppleAttestation | null = null;
  if (attestationObject) {
    try {
      const { roots, clockSkewMs } = options;
      attestation = verifyAttestationObject(attestationObject, {
        roots,
        now: context.now(),
        token: challenge.token,
        ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
      });
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      return invalid('badAttestationStatement', error.code, error.message);
    }
  }
  const device: AcmeDevice = { identifier: part.identifier, account, grant, attestation };
  const objection = await objectionTo(options, device);
  if (objection) return invalid('badAttestationStatement', objection.code, objection.detail);
  context.onEvent?.({ ...base, type: 'validated', reference: grant.reference });
  if (!attestation) return { ...settled, status: 'valid' };
  const { chain, publicKeyHash, properties } = attestation;
  return { ...settled, status: 'valid', attestation: { chain, publicKeyHash, properties } };
}

/** The attestation object; null where the device sent none. */
function readAttestationObject(payload: JsonObject): Uint8Array | null {
  const value = member(payload, 'attObj');
  if (value === undefined || value === '') return null;
  // Padding is not allowed by the draft, yet harmless.
  const bytes = typeof value === 'string' ? fromBase64url(value.replace(/={1,2}$/, '')) : null;
  if (!bytes) throw malformed('attObj is not base64url');
  return bytes;
}

async function objectionTo(options: NonNullable<Context['attestation']>, device: AcmeDevice): Promise<Objection> {
  const { attestation, identifier, grant } = device;
  if (!attestation) {
    const verdict = await options.withoutAttestation?.(device);
    if (verdict?.accept) return null;
    return { code: 'pki.attestation.missing', detail: verdict?.reason ?? 'an attestation is needed' };
  }
  const mismatch = propertyMismatch(attestation, identifier, grant);
  if (mismatch) return { code: 'pki.attestation.device', detail: mismatch };
  const verdict = (await options.accept?.(device)) ?? { accept: true };
  return verdict.accept ? null : { code: 'pki.attestation.refused', detail: verdict.reason };
}

function propertyMismatch(
  { properties }: AppleAttestation,
  identifier: AcmeIdentifier,
  grant: AcmeGrant,
): string | null {
  const { serialNumber, udid } = grant.device ?? {};
  if (serialNumber !== undefined && properties.serialNumber !== serialNumber) {
    return properties.serialNumber === undefined
      ? 'the serial number is not attested'
      : 'the attested serial number is another one';
  }
  if (udid !== undefined && properties.udid?.toLowerCase() !== udid.toLowerCase()) {
    return properties.udid === undefined ? 'the UDID is not attested' : 'the attested UDID is another one';
  }
  const { name } = splitDeviceIdentifier(identifier.value)!;
  if (grant.identifierIs === 'serial-number' && properties.serialNumber !== name) {
    return 'the identifier is not the attested serial number';
  }
  if (grant.identifierIs === 'udid' && properties.udid?.toLowerCase() !== name.toLowerCase()) {
    return 'the identifier is not the attested UDID';
  }
  return null;
}
