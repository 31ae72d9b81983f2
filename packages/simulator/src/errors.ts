// The one error class of the package.

const brand: unique symbol = Symbol.for('espalier.error');

/**
 * Stable reason of a {@link SimulatorError}.
 *
 * - `simulator.option`: an option makes no sense.
 * - `simulator.profile`: the enrolment profile is not one that a device would install.
 * - `simulator.signature`: the profile's signature does not hold.
 * - `simulator.acme`: the ACME server refused, or does not keep to the protocol.
 * - `simulator.unsupported`: Apple's devices do not do this: not this kind, this version, or this enrolment.
 * - `simulator.discovery`: nobody says where this account enrols.
 * - `simulator.sign_in`: the sign-in did not end as it should.
 * - `simulator.scep`: the SCEP server refused, or kept the device waiting too long.
 * - `simulator.refused`: the server refused a request of the enrolment (4xx).
 * - `simulator.unreachable`: the server could not be reached, or failed (5xx), as often as the device tries.
 * - `simulator.not_enrolled`: the device is not enrolled.
 * - `simulator.state`: a saved state cannot be read.
 */
export type SimulatorErrorCode =
  | 'simulator.option'
  | 'simulator.profile'
  | 'simulator.signature'
  | 'simulator.acme'
  | 'simulator.scep'
  | 'simulator.unsupported'
  | 'simulator.discovery'
  | 'simulator.sign_in'
  | 'simulator.refused'
  | 'simulator.unreachable'
  | 'simulator.not_enrolled'
  | 'simulator.state';

const kinds = {
  'simulator.option': 'invalid',
  'simulator.profile': 'invalid',
  'simulator.signature': 'unauthenticated',
  'simulator.acme': 'forbidden',
  'simulator.scep': 'forbidden',
  'simulator.unsupported': 'conflict',
  'simulator.discovery': 'not-found',
  'simulator.sign_in': 'unauthenticated',
  'simulator.refused': 'forbidden',
  'simulator.unreachable': 'unavailable',
  'simulator.not_enrolled': 'conflict',
  'simulator.state': 'invalid',
} as const;

/** The only error that this package throws. `code` is stable, `message` is for people. */
export class SimulatorError extends Error {
  /** Marks the errors of every Espalier package. */
  readonly [brand] = true;
  override readonly name = 'SimulatorError';
  readonly code: SimulatorErrorCode;
  readonly kind: (typeof kinds)[SimulatorErrorCode];
  /** The HTTP status, where a server's answer is the reason. */
  readonly status?: number;

  constructor(
    code: SimulatorErrorCode,
    message: string,
    details: { readonly cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.kind = kinds[code];
    if (details.status !== undefined) this.status = details.status;
  }
}
