// Taking over enrolments from another MDM server, as its callers see it.

/** Which certificate an enrolment uses: a row of NanoMDM's `cert_auth_associations`, of MicroMDM's `mdm.UDIDCertAuth`. */
export interface CertificateAssociation {
  /** UDID or EnrollmentID. */
  readonly enrolmentId: string;
  /** SHA-256 of the identity certificate, hexadecimal. */
  readonly fingerprint: string;
}

/** What became of an imported message. */
export interface ImportedMessage {
  readonly enrolmentId: string;
  readonly messageType: 'Authenticate' | 'TokenUpdate' | 'SetBootstrapToken';
  /** `present`: the enrolment is here already, and was left as it is. */
  readonly outcome: 'imported' | 'present';
}

/**
 * Takes over the enrolments of another server, by the check-in messages that it kept. Nothing proves that they come from the
 * devices, so only administrators may hand them in; the device's certificate is pinned all the same, before it first comes.
 */
export interface Migration {
  /**
   * Tells which certificates enrolments use, ahead of their messages. A later word on the same enrolment counts. Returns how many.
   * @throws CoreError `core.migration.fingerprint`, `core.migration.too_many` (more than 10,000 at once); nothing is kept then
   */
  associate(associations: readonly CertificateAssociation[]): Promise<number>;
  /**
   * Imports an `Authenticate`, then the `TokenUpdate` of the same channel, and a `SetBootstrapToken` where there is one. Idempotent,
   * and never over what a device has told this server itself.
   *
   * @param options `fingerprint`: of the device's certificate, where it was not told by {@link Migration.associate}.
   * @throws CoreError `core.migration.message` (another message), `core.migration.certificate` (nobody told the certificate),
   *   `core.migration.fingerprint` (invalid); `core.migration.other_certificate` (conflict: the enrolment is here with another
   *   one); `core.enrolment.unknown`: no Authenticate came before; MdmError for a body that is no check-in
   */
  checkin(body: Uint8Array, options?: { readonly fingerprint?: string }): Promise<ImportedMessage>;
}
