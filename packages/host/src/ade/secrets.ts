// What automated device enrolment keeps sealed: the key pair for server tokens, administrators' hashes, bypass codes.
import { pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { createTokenKeyPair, type ServerToken, type TokenKeyPair } from '@espalier/ade';
import type { KeyRing, Store } from '@espalier/core';
import { toPem } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';

/** Secrets are kept where the engine keeps its own, so that a change of the master key seals them anew. */
const SCOPES = { key: 'ade-token-key', hash: 'ade-mac-administrator', bypass: 'ade-bypass-code' } as const;
const derive = promisify(pbkdf2);
/** As macOS itself makes them. */
const ITERATIONS = 45_000;

/** The secrets. */
export interface AdeSecrets {
  keyPair(): Promise<TokenKeyPair>;
  keep(kind: 'hash' | 'bypass', name: string, value: Uint8Array): Promise<void>;
  read(kind: 'hash' | 'bypass', name: string): Promise<Uint8Array | null>;
  forget(kind: 'hash' | 'bypass', name: string): Promise<void>;
}

/** Makes it. */
export function createAdeSecrets(store: Pick<Store, 'secrets'>, keys: KeyRing, now: () => number): AdeSecrets {
  async function keep(kind: keyof typeof SCOPES, name: string, value: Uint8Array): Promise<void> {
    const scope = SCOPES[kind];
    await store.secrets.put({ scope, name, blob: keys.seal(value, ['secret', scope, name]), at: now() });
  }
  async function read(kind: keyof typeof SCOPES, name: string): Promise<Uint8Array | null> {
    const scope = SCOPES[kind];
    const blob = await store.secrets.get(scope, name);
    return blob === null ? null : keys.open(blob, ['secret', scope, name]);
  }
  async function readPair(): Promise<TokenKeyPair | null> {
    const found = await read('key', 'pair');
    if (found === null) return null;
    const { certificate, privateKey } = JSON.parse(new TextDecoder().decode(found)) as Record<string, string>;
    const [der, key] = [certificate!, privateKey!].map((text) => Uint8Array.from(Buffer.from(text, 'base64')));
    return { certificate: der!, certificatePem: toPem(der!), privateKey: key! };
  }

  return {
    keep,
    read,
    async forget(kind, name) {
      await store.secrets.delete(SCOPES[kind], name);
    },
    async keyPair() {
      const found = await readPair();
      if (found !== null) return found;
      const made = await createTokenKeyPair({ clock: { now } });
      const [certificate, privateKey] = [made.certificate, made.privateKey].map((bytes) =>
        Buffer.from(bytes).toString('base64'),
      );
      await keep('key', 'pair', new TextEncoder().encode(JSON.stringify({ certificate, privateKey })));
      // The one that is kept: somebody else may have made one at the same time.
      return (await readPair()) ?? made;
    },
  };
}

/** A server token as the engine keeps it, and back. */
export const tokenText = (token: ServerToken): string => JSON.stringify(token);

/** The token of {@link tokenText}. */
export function tokenOf(text: string): ServerToken {
  const token = JSON.parse(text) as Omit<ServerToken, 'accessTokenExpiry'> & { readonly accessTokenExpiry: string };
  return { ...token, accessTokenExpiry: new Date(token.accessTokenExpiry) };
}

/**
 * A password as `AccountConfiguration` takes it: a property list with its salted hash (`SALTED-SHA512-PBKDF2`).
 * Source: Apple's schema, `other/passwordhash.yaml`.
 */
export async function macPasswordHash(
  password: string,
  random: (length: number) => Uint8Array = randomBytes,
): Promise<Uint8Array> {
  const salt = Uint8Array.from(random(32));
  const entropy = Uint8Array.from(await derive(password, salt, ITERATIONS, 128, 'sha512'));
  return encodeXml({ 'SALTED-SHA512-PBKDF2': { entropy, iterations: ITERATIONS, salt } });
}
