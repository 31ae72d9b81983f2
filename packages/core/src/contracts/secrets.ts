// Contract: sealed secrets, and a way over everything sealed for key rotation.

/** Where one sealed value is kept; together with its kind it fixes the additional data that the value is bound to. */
export interface SealedRef {
  readonly kind:
    | 'secret'
    | 'push-magic'
    | 'command'
    | 'response'
    | 'invitation'
    | 'acme-order'
    | 'scep-request'
    | 'credential';
  /** `secret`: [scope, name]; `push-magic`: [enrolmentId]; `command`: [uuid]; `response`: [enrolmentId, uuid]; `invitation`: [id]; `acme-order`: [id]; `scep-request`: [id]; `credential`: [id]. */
  readonly key: readonly string[];
}

/** Sealed secrets by scope (an enrolment's id, or a word such as `engine`) and name. */
export interface SecretStore {
  /** Writes or overwrites. */
  put(input: {
    readonly scope: string;
    readonly name: string;
    readonly blob: Uint8Array;
    readonly at: number;
  }): Promise<void>;
  get(scope: string, name: string): Promise<Uint8Array | null>;
  /** False when there was none. */
  delete(scope: string, name: string): Promise<boolean>;
  /** Every sealed value in the store, in a stable order, for key rotation. `next` is `null` at the end. */
  sealed(page: { readonly after?: string; readonly limit: number }): Promise<{
    readonly items: readonly { readonly ref: SealedRef; readonly blob: Uint8Array }[];
    readonly next: string | null;
  }>;
  /** Replaces a sealed value if it still is `expected`; false when it changed meanwhile or is gone. */
  reseal(input: {
    readonly ref: SealedRef;
    readonly expected: Uint8Array;
    readonly blob: Uint8Array;
  }): Promise<boolean>;
}
