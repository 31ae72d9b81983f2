// The vault: the key ring checked against the store, keyed hashes for look-ups, and the places that values are bound to.
import { createHmac } from 'node:crypto';
import type { RandomBytes } from '../api/common.ts';
import type { SealedRef } from '../contracts/secrets.ts';
import type { StoredBytes } from '../contracts/shared.ts';
import type { Store } from '../contracts/store.ts';
import { CoreError } from '../errors.ts';
import type { KeyRing } from './ring.ts';

/**
 * The name of the setting that holds the sealed index key (base64), which every start opens first: that it opens is the
 * check that the master key is the right one. Tools that look at a store read which key sealed it.
 */
export const INDEX_KEY_SETTING = 'core.index-key';
const INDEX_KEY_PLACE = ['setting', INDEX_KEY_SETTING] as const;

/** What came of a batch of sealed values. */
export interface RewrapBatch {
  readonly resealed: number;
  readonly current: number;
  /** No key of the ring opens it, or it is damaged. */
  readonly unopened: number;
  /** Where the next batch begins; `null` at the end. */
  readonly next: string | null;
}

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
  /**
   * Seals with the current key everything that an earlier key sealed. Returns how many values.
   * @throws CoreError `core.keys.wrong_key` at the first value that no key of the ring opens
   */
  rewrap(): Promise<number>;
  /** The id of the key that sealed the index key. */
  indexKeyId(): Promise<string>;
  /** Seals the index key with the current key; false when it is so already. */
  rewrapIndexKey(): Promise<boolean>;
  /** The same for the next values after a place that an earlier batch gave (`null`: the beginning). What does not open is left. */
  rewrapBatch(after: string | null, limit: number): Promise<RewrapBatch>;
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

  /** The value sealed with the current key, unless it is so already (`current`) or no key of the ring opens it. */
  function again(blob: Uint8Array, ref: SealedRef, strict: boolean): Uint8Array | 'current' | 'unopened' {
    try {
      return keys.keyIdOf(blob) === keys.currentId ? 'current' : vault.seal(vault.open(blob, ref), ref);
    } catch (error) {
      if (strict || !(error instanceof CoreError)) throw error;
      return 'unopened';
    }
  }

  async function batch(after: string | null, limit: number, strict: boolean): Promise<RewrapBatch> {
    const page = await store.secrets.sealed({ limit, ...(after === null ? {} : { after }) });
    const counts = { resealed: 0, current: 0, unopened: 0 };
    for (const { ref, blob } of page.items) {
      const resealed = again(blob, ref, strict);
      if (typeof resealed === 'string') counts[resealed]++;
      // One that changed meanwhile was sealed by somebody else, who used a current key or is found by the next pass.
      else if (await store.secrets.reseal({ ref, expected: blob, blob: resealed })) counts.resealed++;
    }
    return { ...counts, next: page.next };
  }

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
    async indexKeyId() {
      await load();
      return keys.keyIdOf(Buffer.from((await store.settings.get(INDEX_KEY_SETTING)) ?? '', 'base64'));
    },
    async rewrapIndexKey() {
      const sealed = Buffer.from((await store.settings.get(INDEX_KEY_SETTING)) ?? '', 'base64');
      if (sealed.length === 0 || keys.keyIdOf(sealed) === keys.currentId) return false;
      const again = keys.seal(keys.open(sealed, INDEX_KEY_PLACE), INDEX_KEY_PLACE);
      await store.settings.set(INDEX_KEY_SETTING, Buffer.from(again).toString('base64'));
      return true;
    },
    rewrapBatch: (after, limit) => batch(after, limit, false),
    async rewrap() {
      let count = (await vault.rewrapIndexKey()) ? 1 : 0;
      let after: string | null = null;
      do {
        const done: RewrapBatch = await batch(after, 200, true);
        count += done.resealed;
        after = done.next;
      } while (after !== null);
      return count;
    },
  };
  return vault;
}
