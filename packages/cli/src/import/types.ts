// What an import reads from another server, whichever that is.

/** One enrolment, with the messages that make it here. */
export interface SourceEnrolment {
  /** How the other server names it: a UDID or an EnrollmentID, for a user channel with the user behind a colon. */
  readonly id: string;
  /** User channels come after all devices, to which they belong. */
  readonly channel: 'device' | 'user';
  /** SHA-256 of the identity certificate, hexadecimal; only devices have one. */
  readonly fingerprint?: string;
  /** In the order in which they are imported. */
  readonly messages: readonly SourceMessage[];
}

/** A check-in message. */
export interface SourceMessage {
  /** Where it is: a file, a line, a record. */
  readonly place: string;
  readonly bytes: Uint8Array;
}

/** Something that cannot be imported, or is not to be. */
export interface SourceFault {
  readonly place: string;
  /** `null`: it is left out for a good reason, such as an enrolment that has ended. */
  readonly fault: string | null;
}

/** An opened source. */
export interface ImportSource {
  /** How many enrolments there are, as far as can be told before they are read. */
  readonly total: number;
  /** All of them: devices first, then user channels. Nothing but what is asked for is held. */
  read(): Iterable<SourceEnrolment | SourceFault>;
}
