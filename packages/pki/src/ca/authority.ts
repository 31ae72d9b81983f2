// The contract of whoever issues certificates: this package's own authority, the SCEP proxy, adapters to other ones.
import type { Signer } from '../keys/signer.ts';
import type { CertificateStatus } from '../revocation/ocsp.ts';
import type { RevocationReason } from '../revocation/reasons.ts';
import type { Extension } from '../x509/extensions.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import type { NameInput } from '../x509/name.ts';
import type { CertificateTemplate, TemplateName } from './templates.ts';

/** A certificate to be issued. */
export interface IssueRequest {
  /** SubjectPublicKeyInfo DER. Give this or `csr`; with both, the CSR was checked before and its key is this one. */
  readonly publicKey?: Uint8Array;
  /**
   * A PKCS#10 request; its signature is checked, its key is used, and its subject if `subject` is absent. Authorities
   * that only forward requests (`requestOnly`) need it even where the public key is known.
   */
  readonly csr?: Uint8Array;
  readonly subject?: NameInput;
  readonly sans?: readonly AlternativeName[];
  readonly template: TemplateName | CertificateTemplate;
  /** Default: the template's, else 365. */
  readonly validityDays?: number;
  /** Unsigned big-endian bytes, 1 to 20; default random. */
  readonly serial?: Uint8Array;
  /** Further extensions; one with an OID the template already sets is refused. */
  readonly extensions?: readonly Extension[];
  /** For issuers with profiles of their own: which one, and the values of its fields. */
  readonly profile?: { readonly id: string; readonly fields?: Readonly<Record<string, string>> };
}

/** What a server puts into a certificate in place of what its grant and the CSR say. */
export type CertificateContents = Partial<
  Pick<IssueRequest, 'subject' | 'sans' | 'validityDays' | 'extensions' | 'template'>
>;

/** A kind of certificate that an issuer offers under a name of its own. */
export interface AuthorityProfile {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  /** What a request must or may tell. */
  readonly fields: readonly { readonly name: string; readonly required: boolean; readonly description?: string }[];
}

/** What an authority takes from a request. Absent means: everything, as this package's own authority does. */
export interface AuthorityCapabilities {
  /**
   * It forwards the requester's own PKCS#10 and nothing else: a request without `csr`, or with another subject or other
   * names than are in it, is refused with `pki.ca.unsupported`. Key usages and validity are the issuer's to choose.
   */
  readonly requestOnly: boolean;
  /** Kinds of keys that it certifies; for others it throws `pki.ca.unsupported`. Absent: both. */
  readonly keys?: readonly ('rsa' | 'ec')[];
}

/**
 * Whoever issues certificates. Adapters must pass the suite of `@espalier/pki/contract`. Refusals of a request are
 * PkiErrors of kind `invalid`; an issuer that cannot be reached is `unavailable`; one that has not decided yet is
 * `pki.ca.pending` (the same request again asks how it stands, and never makes a second certificate).
 */
export interface CertificateAuthority {
  /** The issuing certificate, DER. */
  readonly certificate: Uint8Array;
  /** Its issuers, nearest first, without the root's own issuer; empty for a root. */
  readonly chain: readonly Uint8Array[];
  /** Issues a certificate, DER. */
  issue(request: IssueRequest): Promise<Uint8Array>;
  /** The authority's key, where it is at hand: SCEP, CRLs and OCSP use it. */
  readonly signer?: Signer;
  readonly capabilities?: AuthorityCapabilities;
  /**
   * Revokes at the issuer, by serial number in hex. Idempotent. Absent where the protocol has no such operation (SCEP):
   * revocation is then a matter of the local list only.
   *
   * @throws PkiError kind `not-found` for a certificate that it never issued.
   */
  revoke?(serialNumber: string, reason?: RevocationReason): Promise<void>;
  /** What the issuer says of a certificate, by serial number in hex. */
  status?(serialNumber: string): Promise<CertificateStatus>;
  /** The issuer's profiles, for people to choose from. A request for one of them names it in `profile`. */
  profiles?(): Promise<readonly AuthorityProfile[]>;
  /**
   * Tries the way to the issuer, and the keys, without a certificate being issued.
   *
   * @throws PkiError with the reason why issuing would fail now.
   */
  test?(): Promise<void>;
  /** A fresh challenge password for a request, where the issuer hands them out one by one (as NDES does). */
  challenge?(): Promise<string>;
}
