// ACME's problem documents (RFC 7807, RFC 8555, 6.7): what a client is told when something is refused.

/** ACME error types (RFC 8555, 6.7, and draft-ietf-acme-device-attest), without `urn:ietf:params:acme:error:`. */
export type AcmeProblemType =
  | 'accountDoesNotExist'
  | 'alreadyRevoked'
  | 'badAttestationStatement'
  | 'badCSR'
  | 'badNonce'
  | 'badPublicKey'
  | 'badRevocationReason'
  | 'badSignatureAlgorithm'
  | 'externalAccountRequired'
  | 'incorrectResponse'
  | 'invalidContact'
  | 'malformed'
  | 'orderNotReady'
  | 'rejectedIdentifier'
  | 'serverInternal'
  | 'unauthorized'
  | 'unsupportedContact'
  | 'unsupportedIdentifier'
  | 'userActionRequired';

const usualStatus: Partial<Record<AcmeProblemType, number>> = {
  orderNotReady: 403,
  rejectedIdentifier: 403,
  serverInternal: 500,
  unauthorized: 403,
  userActionRequired: 403,
  externalAccountRequired: 403,
};

/** A problem as it is stored with a challenge and sent to the client. */
export interface AcmeProblem {
  /** `urn:ietf:params:acme:error:…` */
  readonly type: string;
  readonly detail: string;
  readonly status?: number;
}

/** A request that is refused: `type` and `detail` go to the client, `code` (dotted) to the log. */
export class Refusal extends Error {
  readonly type: AcmeProblemType;
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    type: AcmeProblemType,
    detail: string,
    options: {
      readonly status?: number;
      readonly code?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly extra?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(detail);
    this.type = type;
    this.status = options.status ?? usualStatus[type] ?? 400;
    this.code = options.code ?? `pki.acme.${type.replace(/[A-Z]+/g, (upper) => `_${upper.toLowerCase()}`)}`;
    this.headers = options.headers ?? {};
    this.extra = options.extra ?? {};
  }

  /** The problem document. */
  toProblem(): AcmeProblem {
    return { ...this.extra, ...acmeProblem(this.type, this.message, this.status) };
  }
}

/** A problem document of an ACME type. */
export const acmeProblem = (type: AcmeProblemType, detail: string, status?: number): AcmeProblem => ({
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
  ...(status === undefined ? {} : { status }),
});

export const malformed = (detail: string, status = 400): Refusal => new Refusal('malformed', detail, { status });
