// Why a certificate was revoked (RFC 5280, 5.3.1).
import { PkiError } from '../errors.ts';

/** Reason codes by name. */
export const reasonCodes = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;

/** A reason for revocation. */
export type RevocationReason = keyof typeof reasonCodes;

const names = new Map<number, RevocationReason>(
  Object.entries(reasonCodes).map(([name, code]) => [code, name as RevocationReason]),
);

/** The reason of a code; unknown codes read as `unspecified`. */
export const reasonOf = (code: number): RevocationReason => names.get(code) ?? 'unspecified';

/** Bytes of a serial number in hex. */
export function serialBytes(serialNumber: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2}){1,40}$/i.test(serialNumber)) {
    throw new PkiError('pki.serial.invalid', 'a serial number is given as hex of whole bytes');
  }
  return Buffer.from(serialNumber, 'hex');
}
