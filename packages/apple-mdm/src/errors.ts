// The one error class of the package, its codes, and the wrapping of property-list errors.
import { PlistError } from '@espalier/plist';

const brand: unique symbol = Symbol.for('espalier.error');

/**
 * Stable reason of an {@link MdmError}.
 *
 * - `mdm.not_plist`: the bytes are not a property list whose root is a dictionary.
 * - `mdm.too_large`: the document is over the limit of bytes.
 * - `mdm.too_complex`: the document is nested too deep or has too many elements.
 * - `mdm.checkin.unknown_type`: `MessageType` names no check-in message that is known.
 * - `mdm.checkin.missing_key`, `mdm.checkin.bad_key`: a check-in lacks a required key, or one has a wrong type or value.
 * - `mdm.response.unknown_status`: `Status` is not one of the five.
 * - `mdm.response.missing_key`, `mdm.response.bad_key`: the same for a command response.
 * - `mdm.response.not_acknowledged`: the response has no value, since the device did not do what it was told.
 * - `mdm.command.bad_key`, `mdm.command.missing_key`: the same for a command.
 * - `mdm.declaration.not_json`: the bytes are not a JSON object.
 * - `mdm.declaration.missing_key`, `mdm.declaration.bad_key`: a declaration or status report lacks a required key, or
 *   one has a wrong type or value.
 * - `mdm.predicate.syntax`, `mdm.predicate.unsupported`: an activation's predicate cannot be read, or needs more than the
 *   subset; `mdm.predicate.evaluation`: it compares what cannot be compared.
 * - `mdm.enrolment.unidentified`: a message names neither a device nor an enrolment.
 * - `mdm.profile.bad_key`, `mdm.profile.missing_key`: a profile is not made as profiles are.
 * - `mdm.profile.signature`: a signed profile's signature does not hold, or nothing was given to open it with.
 * - `mdm.profile.encrypted`: an encrypted profile cannot be decrypted.
 * - `mdm.profile.duplicate`: two payloads have the same identifier or UUID.
 * - `mdm.machine_info.missing_key`, `mdm.machine_info.bad_key`: what a device says of itself lacks a key, or one is wrong.
 * - `mdm.account.bad_challenge`: a challenge of account-driven enrolment that devices would misread.
 * - `mdm.token.bad_key`: a key that signs no token.
 * - `mdm.access_rights`: a combination of access rights that devices refuse.
 * - `mdm.push_certificate.vendor`: the vendor's key or chain cannot sign requests for push certificates;
 *   `mdm.push_certificate.request`: what is to be signed is no request.
 * - `mdm.recovery_key.malformed`: what a Mac sends of its FileVault recovery key, or the answer to it, is not made as it is.
 * - `mdm.apns.option`: an option of the APNs client makes no sense.
 */
export type MdmErrorCode =
  | 'mdm.not_plist'
  | 'mdm.too_large'
  | 'mdm.too_complex'
  | 'mdm.checkin.unknown_type'
  | 'mdm.checkin.missing_key'
  | 'mdm.checkin.bad_key'
  | 'mdm.response.unknown_status'
  | 'mdm.response.missing_key'
  | 'mdm.response.bad_key'
  | 'mdm.response.not_acknowledged'
  | 'mdm.command.missing_key'
  | 'mdm.command.bad_key'
  | 'mdm.declaration.not_json'
  | 'mdm.declaration.missing_key'
  | 'mdm.declaration.bad_key'
  | 'mdm.predicate.syntax'
  | 'mdm.predicate.unsupported'
  | 'mdm.predicate.evaluation'
  | 'mdm.enrolment.unidentified'
  | 'mdm.profile.missing_key'
  | 'mdm.profile.bad_key'
  | 'mdm.profile.signature'
  | 'mdm.profile.encrypted'
  | 'mdm.profile.duplicate'
  | 'mdm.machine_info.missing_key'
  | 'mdm.machine_info.bad_key'
  | 'mdm.account.bad_challenge'
  | 'mdm.token.bad_key'
  | 'mdm.access_rights'
  | 'mdm.push_certificate.vendor'
  | 'mdm.push_certificate.request'
  | 'mdm.recovery_key.malformed'
  | 'mdm.apns.option';

/** Where in a message something is wrong. */
export interface MdmPlace {
  /** The key concerned, as `/Command/RequestType`; the root is `/`. */
  readonly path?: string;
  /** Offset in bytes, line and column, when the property list itself is broken. */
  readonly offset?: number;
  readonly line?: number;
  readonly column?: number;
  /** The code of the property-list error behind this one, e.g. `plist.forbidden`. */
  readonly plist?: string;
}

/**
 * The only error that this package throws for bad input. `code` is stable, `message` is for people and may change.
 *
 * @example
 * try {
 *   readCheckin(body);
 * } catch (error) {
 *   if (error instanceof MdmError && error.kind === 'invalid') return new Response(null, { status: 400 });
 *   throw error;
 * }
 */
export class MdmError extends Error {
  /** Marks the errors of every Espalier package, whichever copy of the package they come from. */
  readonly [brand] = true;
  override readonly name = 'MdmError';
  /** What is wrong, as a stable code. */
  readonly code: MdmErrorCode;
  /** `too-large` for `mdm.too_large`, else `invalid`. */
  readonly kind: 'invalid' | 'too-large';
  /** Where it is wrong. */
  readonly at?: MdmPlace;
  /** What to do about it, where there is something to say. */
  readonly remedy?: string;

  constructor(
    code: MdmErrorCode,
    problem: string,
    details: { readonly at?: MdmPlace; readonly remedy?: string; readonly cause?: unknown } = {},
  ) {
    super(problem, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.kind = code === 'mdm.too_large' ? 'too-large' : 'invalid';
    if (details.at !== undefined) this.at = details.at;
    if (details.remedy !== undefined) this.remedy = details.remedy;
  }
}

/** Turns a property-list error into this package's; anything else is handed back as it is. */
export function wrapPlistError(error: unknown): unknown {
  if (!(error instanceof PlistError)) return error;
  const at: MdmPlace = { ...error.at, plist: error.code };
  if (error.code === 'plist.limit.bytes') {
    return new MdmError('mdm.too_large', `too large: ${error.message}`, { at, cause: error });
  }
  if (error.kind === 'too-large') {
    return new MdmError('mdm.too_complex', `too complex: ${error.message}`, { at, cause: error });
  }
  return new MdmError('mdm.not_plist', `not a property list of a message: ${error.message}`, { at, cause: error });
}
