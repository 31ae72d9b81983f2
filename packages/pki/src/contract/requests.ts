// What the suite asks authorities for: keys and CSRs, made once for all tests.
import type { IssueRequest } from '../ca/authority.ts';
import { generateKeyPair, type KeyPair, type KeySpec } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { createCsr } from '../x509/csr.ts';
import type { AlternativeName } from '../x509/general-name.ts';

/** A requester: a key pair, and requests for it. */
export interface Requester {
  readonly keys: KeyPair;
  /** A request whose CSR, subject and names say the same. */
  request(subject: string, sans?: readonly AlternativeName[]): Promise<IssueRequest & { readonly csr: Uint8Array }>;
}

const made = new Map<string, Promise<KeyPair>>();

/** A requester with a key of its kind; `name` tells several of one kind apart. */
export async function requester(spec: KeySpec, name = ''): Promise<Requester> {
  const id = `${JSON.stringify(spec)} ${name}`;
  let pair = made.get(id);
  if (!pair) {
    pair = generateKeyPair(spec);
    made.set(id, pair);
  }
  const keys = await pair;
  return {
    keys,
    async request(subject, sans = []) {
      const signer = localSigner(keys.privateKey);
      const csr = await createCsr({ subject, signer, ...(sans.length > 0 ? { sans } : {}) });
      return { csr, subject, sans, template: 'device' };
    },
  };
}

/** RSA keys as every authority has to take them. */
export const rsa: KeySpec = { type: 'rsa', bits: 2048 };
/** Elliptic-curve keys, likewise. */
export const ec: KeySpec = { type: 'ec', curve: 'P-256' };
