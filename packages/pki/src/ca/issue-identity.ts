// Identities made by the server: key, request and certificate in one go.
import { PkiError } from '../errors.ts';
import { generateKeyPair, type KeySpec } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { createCsr } from '../x509/csr.ts';
import type { CertificateAuthority, IssueRequest } from './authority.ts';
import type { Identity } from './ca.ts';

/** What {@link issueIdentity} needs: a request without a key. */
export interface IssueIdentityOptions extends Omit<IssueRequest, 'publicKey' | 'csr' | 'subject'> {
  readonly subject: NonNullable<IssueRequest['subject']>;
  /** Default RSA 2048. */
  readonly key?: KeySpec;
}

/**
 * Makes a key and has it certified, by any authority: one that forwards requests gets a CSR with the names in it, and with
 * a challenge where it hands them out. Give the answer to `createPkcs12` for a device; keep it sealed.
 *
 * @throws PkiError as the authority's `issue`, and `pki.ca.unsupported` for a kind of key that it does not certify.
 * @example
 * const identity = await issueIdentity(ca, { subject: 'CN=jo@example.com', template: 'device' });
 * const file = await createPkcs12({ ...identity, password });
 */
export async function issueIdentity(
  authority: CertificateAuthority,
  options: IssueIdentityOptions,
): Promise<Identity & { readonly chain: readonly Uint8Array[] }> {
  const { key: spec = { type: 'rsa', bits: 2048 }, ...request } = options;
  const keys = authority.capabilities?.keys;
  if (keys && !keys.includes(spec.type)) {
    throw new PkiError('pki.ca.unsupported', `this authority certifies ${keys.join(' and ')} keys only`);
  }
  const { privateKey, publicKey } = await generateKeyPair(spec);
  const { subject, sans } = request;
  const challengePassword = await authority.challenge?.();
  const csr = await createCsr({
    subject,
    signer: localSigner(privateKey),
    ...(sans ? { sans } : {}),
    ...(challengePassword === undefined ? {} : { challengePassword }),
  });
  const certificate = Uint8Array.from(await authority.issue({ ...request, csr, publicKey }));
  const chain = [authority.certificate, ...authority.chain].map((der) => Uint8Array.from(der));
  return { certificate, privateKey, chain };
}
