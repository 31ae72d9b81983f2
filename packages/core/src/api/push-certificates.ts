// The push certificate as the engine's callers see it.

/** The push certificate in force; its key never leaves the store but to the push client. */
export interface PushCertificate {
  /** `com.apple.mgmt.…`: what enrolment profiles and pushes name. The same for every renewal. */
  readonly topic: string;
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
  /** Lower-case hex; Apple's portal shows it. */
  readonly serialNumber: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly importedAt: number;
}

/** A request for a push certificate, whose key waits sealed in the store. */
export interface PushCertificateRequest {
  /** DER. The vendor signs it (`signPushRequest` of `@espalier/apple-mdm`) before it goes to Apple's portal. */
  readonly csr: Uint8Array;
  readonly createdAt: number;
}

/** A certificate, with what is needed where its key was not made here. */
export interface PushCertificateImport {
  /** What Apple's portal gives: PEM or DER. */
  readonly certificate: Uint8Array;
  /** Its key, where it was not made by {@link PushCertificates.request}: PEM or DER; or a PKCS#12 file of both. */
  readonly privateKey?: Uint8Array;
  /** Of the key's file. */
  readonly password?: string;
  /** Take a certificate of another topic, although every device of the one before must then enrol anew (default false). */
  readonly replaceTopic?: boolean;
}

/** What the push client needs. */
export interface PushIdentity {
  readonly topic: string;
  /** PEM, the chain after it where there is one. */
  readonly certificate: string;
  /** PKCS#8 PEM. */
  readonly privateKey: string;
}

/** The life of the push certificate: request, import, renewal, the watch over its end. */
export interface PushCertificates {
  /**
   * Makes a key and a request, or gives the request that still waits; `fresh` makes another in its place, after which the
   * certificate of the one before cannot be imported any more.
   */
  request(options?: {
    /** The subject's common name (default `MDM push`). */
    readonly commonName?: string;
    readonly email?: string;
    /** Two letters (ISO 3166). */
    readonly country?: string;
    readonly fresh?: boolean;
  }): Promise<PushCertificateRequest>;
  /**
   * Takes what Apple's portal issued; pushes use it within seconds, in every process.
   * @throws CoreError `core.push_certificate.key` (the key belongs to another certificate, or there is none),
   *   `core.push_certificate.topic` (no push certificate for MDM), `core.push_certificate.dates` (invalid now),
   *   `core.push_certificate.other_topic` (conflict: devices would be lost); PkiError for files that cannot be read
   */
  import(input: PushCertificateImport): Promise<PushCertificate>;
  /** The certificate in force; `null` where there is none. */
  get(): Promise<PushCertificate | null>;
}
