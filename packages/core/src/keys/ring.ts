// The key ring: seals secrets with AES-256-GCM, bound to the place where they are kept.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { RandomBytes } from '../api/common.ts';
import { CoreError } from '../errors.ts';

/** One master key. */
export interface MasterKey {
  /** Names the key in what it sealed: 1 to 64 printable ASCII characters. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Seals and opens secrets. `place` says where a sealed value is kept; it opens only there. */
export interface KeyRing {
  /** The id of the key that seals. */
  readonly currentId: string;
  /** The ids of all keys that it opens with, the current one first. */
  readonly ids: readonly string[];
  seal(plaintext: Uint8Array, place: readonly string[]): Uint8Array;
  /** @throws CoreError `core.keys.wrong_key`: no key of the ring opens it, or it was sealed for another place, or it is damaged. */
  open(envelope: Uint8Array, place: readonly string[]): Uint8Array;
  /** The id of the key that sealed this. @throws CoreError `core.keys.wrong_key` when it is not an envelope. */
  keyIdOf(envelope: Uint8Array): string;
}

const VERSION = 1;
const NONCE = 12;
const TAG = 16;

/**
 * Makes a key ring. What is sealed carries the key's id, so that earlier keys still open what they sealed while
 * everything is sealed anew with the current one.
 *
 * Envelope: version (1 byte, 1), length of the key id (1 byte), key id, nonce (12 bytes, random), tag (16 bytes),
 * ciphertext. Additional data: the header and `place` as JSON. Random nonces: seal less than 2^32 values with one key (NIST SP 800-38D).
 *
 * @throws CoreError `core.keys.bad_key` for a key that is not 32 bytes long, or a bad or repeated id.
 * @example
 * const keys = createKeyRing({ current: { id: '2026-1', key: crypto.getRandomValues(new Uint8Array(32)) } });
 */
export function createKeyRing(options: {
  readonly current: MasterKey;
  readonly earlier?: readonly MasterKey[];
  readonly random?: RandomBytes;
}): KeyRing {
  const { current, earlier = [], random = (length) => randomBytes(length) } = options;
  const keys = new Map<string, Uint8Array>();
  for (const { id, key } of [current, ...earlier]) {
    if (!/^[\x21-\x7e]{1,64}$/.test(id)) {
      throw new CoreError('core.keys.bad_key', 'invalid', 'a key id has 1 to 64 printable ASCII characters');
    }
    if (key.length !== 32) throw new CoreError('core.keys.bad_key', 'invalid', `the key ${id} is not 32 bytes long`);
    if (keys.has(id)) throw new CoreError('core.keys.bad_key', 'invalid', `two keys have the id ${id}`);
    keys.set(id, Uint8Array.from(key));
  }
  const header = headerOf(current.id);
  return {
    currentId: current.id,
    ids: [...keys.keys()],

    seal(plaintext, place) {
      const nonce = random(NONCE);
      const cipher = createCipheriv('aes-256-gcm', keys.get(current.id)!, nonce);
      cipher.setAAD(additionalData(header, place));
      const body = cipher.update(plaintext);
      cipher.final();
      return concat([header, nonce, cipher.getAuthTag(), body]);
    },

    open(envelope, place) {
      const id = readKeyId(envelope);
      const key = keys.get(id);
      if (key === undefined) {
        throw new CoreError('core.keys.wrong_key', 'internal', `the key ${JSON.stringify(id)} is not in the key ring`, {
          remedy: `start with the master key ${JSON.stringify(id)} among the earlier keys`,
        });
      }
      const start = 2 + id.length;
      const nonce = envelope.subarray(start, start + NONCE);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce);
      decipher.setAAD(additionalData(envelope.subarray(0, start), place));
      decipher.setAuthTag(envelope.subarray(start + NONCE, start + NONCE + TAG));
      const body = decipher.update(envelope.subarray(start + NONCE + TAG));
      try {
        decipher.final();
      } catch (cause) {
        throw new CoreError(
          'core.keys.wrong_key',
          'internal',
          `the key ${JSON.stringify(id)} does not open this value`,
          {
            remedy: 'start with the master key that this data was written with',
            cause,
          },
        );
      }
      return new Uint8Array(body);
    },

    keyIdOf: readKeyId,
  };
}

function headerOf(id: string): Uint8Array {
  return concat([Uint8Array.of(VERSION, id.length), new TextEncoder().encode(id)]);
}

function readKeyId(envelope: Uint8Array): string {
  const length = envelope[1] ?? 0;
  if (envelope[0] !== VERSION || length === 0 || envelope.length < 2 + length + NONCE + TAG) {
    throw new CoreError('core.keys.wrong_key', 'internal', 'the value is not one that a key ring sealed');
  }
  return new TextDecoder('latin1').decode(envelope.subarray(2, 2 + length));
}

function additionalData(header: Uint8Array, place: readonly string[]): Uint8Array {
  return concat([header, new TextEncoder().encode(JSON.stringify(place))]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
