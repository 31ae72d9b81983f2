// The vault: the key ring checked against the store, keyed hashes for look-ups, and the places that values are bound to.
import { createHmac } from 'node:crypto';
import type { RandomBytes } from '../api/common.ts';
import type { SealedRef } from '../contracts/secrets.ts';
import type { StoredBytes } from '../contracts/shared.ts';
import type { Store } from '../contracts/store.ts';
import type { KeyRing } from './ring.ts';

/**
 * The name of the setting that holds the sealed index key (base64), which every start opens first: that it opens is the
 * check that the master key is the right one. Tools that look at a store read which key sealed it.
 */
export const INDEX_KEY_SETTING = 'core.index-key';
const INDEX_KEY_PLACE = ['setting', INDEX_KEY_SETTING] as const;

/** Seals and opens by place, and hashes for look-ups. */
export interface Vault {
  /**
   * Makes sure, once, that the key ring opens what the store holds.
   * @throws CoreError `core.keys.wrong_key`
   */
  ready(): Promise<void>;
  seal(plaintext: Uint8Array | string, ref: SealedRef): Uint8Array;
  open(blob: Uint8Array, ref: SealedRef): Uint8Array;
  openText(blob: Uint8Array, ref: SealedRef): string;
  /** The bytes of a value that may be sealed. */
  read(stored: StoredBytes, ref: SealedRef): Uint8Array;
  /** HMAC-SHA-256 under the index key, lower-case hex: equal secrets are found without being readable. */
  hash(purpose: string, secret: string): Promise<string>;
  /** Seals with the current key everything that an earlier key sealed. Returns how many values. */
  rewrap(): Promise<number>;
}

/** Where a value of this kind is kept, as additional data. */
function placeOf(ref: SealedRef): readonly string[] {
  return [ref.kind, ...ref.key];
}

/** Makes the vault over a key ring and a store. */
export function createVault(store: Store, keys: KeyRing, random: RandomBytes): Vault {
  let indexKey: Promise<Uint8Array> | null = null;

  async function loadIndexKey(): Promise<Uint8Array> {
    let sealed = await store.settings.get(INDEX_KEY_SETTING);
    if (sealed === null) {
      const made = Buffer.from(keys.seal(random(32), INDEX_KEY_PLACE)).toString('base64');
      sealed = await store.settings.setIfAbsent(INDEX_KEY_SETTING, made);
    }
    return keys.open(Buffer.from(sealed, 'base64'), INDEX_KEY_PLACE);
  }

  function load(): Promise<Uint8Array> {
    // A failure is not kept: the store may be reachable the next time.
    indexKey ??= loadIndexKey().catch((error: unknown) => {
      indexKey = null;
      throw error;
    });
    return indexKey;
  }

  const bytesOf = (plaintext: Uint8Array | string): Uint8Array =>
    typeof plaintext === 'string' ? new TextEncoder().encode(plaintext) : plaintext;

  const vault: Vault = {
    async ready() {
      await load();
    },
    seal: (plaintext, ref) => keys.seal(bytesOf(plaintext), placeOf(ref)),
    open: (blob, ref) => keys.open(blob, placeOf(ref)),
    openText: (blob, ref) => new TextDecoder().decode(keys.open(blob, placeOf(ref))),
    read: (stored, ref) => (stored.sealed ? keys.open(stored.bytes, placeOf(ref)) : stored.bytes),
    async hash(purpose, secret) {
      return createHmac('sha256', await load())
        .update(JSON.stringify([purpose, secret]))
        .digest('hex');
    },
    async rewrap() {
      let count = 0;
      const sealedIndexKey = Buffer.from((await store.settings.get(INDEX_KEY_SETTING)) ?? '', 'base64');
      if (sealedIndexKey.length > 0 && keys.keyIdOf(sealedIndexKey) !== keys.currentId) {
        const again = keys.seal(keys.open(sealedIndexKey, INDEX_KEY_PLACE), INDEX_KEY_PLACE);
        await store.settings.set(INDEX_KEY_SETTING, Buffer.from(again).toString('base64'));
        count++;
      }
      let after: string | undefined;
      do {
        const page = await store.secrets.sealed({ limit: 200, ...(after === undefined ? {} : { after }) });
        for (const { ref, blob } of page.items) {
          if (keys.keyIdOf(blob) === keys.currentId) continue;
          const again = vault.seal(vault.open(blob, ref), ref);
          if (await store.secrets.reseal({ ref, expected: blob, blob: again })) count++;
        }
        after = page.next ?? undefined;
      } while (after !== undefined);
      return count;
    },
  };
  return vault;
}
