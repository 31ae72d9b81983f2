// An identity as the store keeps it: sealed, and bound to its row.
import { readCertificate } from '@espalier/pki';
import { decodeDict, encodeXml } from '@espalier/plist';
import type { CredentialRecord } from '../contracts/credentials.ts';
import { type Context, uuid } from '../engine/context.ts';

/** Certificate, key and issuers. */
export interface KeptIdentity {
  readonly certificate: Uint8Array;
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array;
  readonly chain: readonly Uint8Array[];
}

const refOf = (id: string) => ({ kind: 'credential', key: [id] }) as const;

/** The row of a new credential, in the place of `before`. */
export function newCredential(
  { vault, random, clock }: Context,
  place: { readonly settingId: string; readonly holder: string; readonly origin: CredentialRecord['origin'] },
  before: Pick<CredentialRecord, 'revision'> | null,
  { certificate, privateKey, chain }: KeptIdentity,
): CredentialRecord {
  const id = uuid(random).toLowerCase();
  const read = readCertificate(certificate);
  return {
    ...place,
    id,
    status: 'active',
    revision: (before?.revision ?? 0) + 1,
    fingerprint: read.fingerprintSha256,
    serialNumber: read.serialNumber,
    subject: read.subject,
    issuer: read.issuer,
    notBefore: read.notBefore.getTime(),
    notAfter: read.notAfter.getTime(),
    publicKeyHash: read.publicKeyHash,
    certificate,
    createdAt: clock.now(),
    deliveredAt: null,
    keyDeletedAt: null,
    keyDeletedBy: null,
    sealed: vault.seal(encodeXml({ privateKey, chain: [...chain] }), refOf(id)),
  };
}

/** The identity of a row whose key is stored; `null` for any other. */
export function openCredential({ vault }: Context, row: CredentialRecord): KeptIdentity | null {
  if (row.sealed === null) return null;
  const { privateKey, chain } = decodeDict(vault.open(row.sealed, refOf(row.id)));
  return { certificate: row.certificate, privateKey: privateKey as Uint8Array, chain: chain as Uint8Array[] };
}

/** A row without what only the engine sees. */
export function publicCredential({ sealed: _, ...credential }: CredentialRecord) {
  return credential;
}
