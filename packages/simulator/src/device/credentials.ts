// Identities that profiles bring besides the enrolment's: by SCEP, by ACME, or as a PKCS#12 file.
import { generateKeyPair, PkiError, readPkcs12 } from '@espalier/pki';
import type { PlistDict } from '@espalier/plist';
import type { KeyPool } from '../key-pool.ts';
import type { AttestationService } from './attestation.ts';
import { makeKey, requestIdentityOf, type ScepContext } from './identity.ts';
import { ProfileProblem, readIdentity } from './profile.ts';
import { type DeviceState, type StoredIdentity, toBase64 } from './state.ts';

const types = ['com.apple.security.scep', 'com.apple.security.acme', 'com.apple.security.pkcs12'];

/** The identity payloads among a profile's. */
export const identityPayloads = (contents: readonly PlistDict[]): readonly PlistDict[] =>
  contents.filter((content) => types.includes(String(content['PayloadType'])));

/** What getting identities needs. */
export interface Acquisition {
  readonly state: DeviceState;
  readonly keyPool: KeyPool;
  readonly attestation: AttestationService | undefined;
  readonly context: ScepContext;
}

/**
 * Gets the identities of a profile, one after the other, as a device does before it counts the profile as installed.
 * @throws SimulatorError as the enrolment's identity; ProfileProblem for a PKCS#12 file that cannot be opened
 */
export async function acquireIdentities(
  payloads: readonly PlistDict[],
  { state, keyPool, attestation, context }: Acquisition,
): Promise<readonly StoredIdentity[]> {
  const identities: StoredIdentity[] = [];
  for (const payload of payloads) {
    const uuid = String(payload['PayloadUUID']);
    if (payload['PayloadType'] === 'com.apple.security.pkcs12') {
      identities.push({ uuid, ...(await fromFile(payload)) });
      continue;
    }
    const wanted = readIdentity(payload);
    const bits = wanted.scep?.keySize ?? 0;
    const own =
      bits > 2048 ? (await generateKeyPair({ type: 'rsa', bits })).privateKey : await makeKey(wanted, keyPool);
    const userEnrolment = state.mdm?.userEnrolment === true ? ({ userEnrolment: true } as const) : {};
    const certificate = await requestIdentityOf({ ...wanted, ...userEnrolment }, own, state, attestation, context);
    identities.push({ uuid, certificate: toBase64(certificate), privateKey: toBase64(own) });
  }
  return identities;
}

async function fromFile(payload: PlistDict): Promise<Omit<StoredIdentity, 'uuid'>> {
  const { PayloadContent: file, Password: password } = payload;
  try {
    if (!(file instanceof Uint8Array)) throw new PkiError('pki.pkcs12.invalid', 'there is no file');
    const { certificate, privateKey } = await readPkcs12(file, typeof password === 'string' ? password : '');
    return { certificate: toBase64(certificate), privateKey: toBase64(privateKey) };
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw new ProfileProblem('MCCertificateErrorDomain', 9002, `The identity cannot be opened: ${error.message}`);
  }
}
