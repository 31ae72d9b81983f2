// RSA keys for many devices at little cost. Each is valid and unlike the others, but they share primes: worthless as secrets.
import { createPrivateKey, generatePrime, type KeyObject } from 'node:crypto';

/** Hands out RSA keys. */
export interface KeyPool {
  /** A key that no other call has got: PKCS#8 DER. */
  take(): Promise<Uint8Array>;
}

const exponent = 65537n;

/**
 * Makes a pool of 2048-bit RSA keys that combines a growing set of primes: 200 devices need 21 primes in place of 400,
 * which is half a second in place of twenty. Whoever has two of these keys can work out both: they are for simulated
 * devices only.
 *
 * @param options.bits Size of the modulus (default 2048).
 */
export function createKeyPool(options: { readonly bits?: number } = {}): KeyPool {
  const bits = options.bits ?? 2048;
  const primes: bigint[] = [];
  let first = 0;
  let second = 0;
  let turn: Promise<unknown> = Promise.resolve();

  async function next(): Promise<Uint8Array> {
    // Pairs (first, second) with first < second, one column of the triangle after the other.
    if (first >= second) {
      second++;
      first = 0;
    }
    while (primes.length <= second) primes.push(await findPrime(bits / 2));
    return rsaKey(primes[first++]!, primes[second]!);
  }

  return {
    take() {
      const key = turn.then(next);
      turn = key.catch(() => undefined); // the next caller starts afresh; this one hears of the error
      return key;
    },
  };
}

async function findPrime(bits: number): Promise<bigint> {
  for (;;) {
    const prime = await new Promise<bigint>((resolve, reject) =>
      generatePrime(bits, { bigint: true }, (error, value) => (error ? reject(error) : resolve(value))),
    );
    if ((prime - 1n) % exponent !== 0n) return prime;
  }
}

function rsaKey(a: bigint, b: bigint): Uint8Array {
  const [p, q] = a > b ? [a, b] : [b, a];
  const d = inverse(exponent, (p - 1n) * (q - 1n));
  const key: KeyObject = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'RSA',
      n: encode(p * q),
      e: encode(exponent),
      d: encode(d),
      p: encode(p),
      q: encode(q),
      dp: encode(d % (p - 1n)),
      dq: encode(d % (q - 1n)),
      qi: encode(inverse(q, p)),
    },
  });
  return Uint8Array.from(key.export({ format: 'der', type: 'pkcs8' }));
}

/** The inverse of `value` modulo `modulus`, by Euclid's extended algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [r, newR] = [modulus, value % modulus];
  let [t, newT] = [0n, 1n];
  while (newR !== 0n) {
    const quotient = r / newR;
    [r, newR] = [newR, r - quotient * newR];
    [t, newT] = [newT, t - quotient * newT];
  }
  return t < 0n ? t + modulus : t;
}

function encode(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}
