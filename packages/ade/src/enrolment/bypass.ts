// Activation Lock bypass codes that the organisation makes, and using a code to clear a lock.
// Source: Apple, "Creating and using bypass codes".
import { pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { AdeError } from '../errors.ts';

/** 32 letters without those that look like others (B I O S). */
const alphabet = '0123456789ACDEFGHJKLMNPQRTUVWXYZ';
const dashBefore = new Set([5, 10, 14, 18, 22]);
const derive = promisify(pbkdf2);

/** A bypass code. A secret: seal it. */
export interface BypassCode {
  /** As a person types it, `XXXXX-XXXXX-XXXX-XXXX-XXXX-XXXX`. */
  readonly code: string;
  /** What Apple is given in its place when a device is locked (hexadecimal, capitals). */
  readonly escrowKey: string;
}

/**
 * Makes a bypass code: 128 random bits, and their hash that goes to Apple as `escrow_key`.
 * @param random 16 random bytes (default: the system's).
 */
export async function createBypassCode(random: (size: number) => Uint8Array = randomBytes): Promise<BypassCode> {
  const key = Uint8Array.from(random(16));
  return { code: printCode(key), escrowKey: await hashKey(key) };
}

/**
 * The hash of a bypass code, as Apple knows it.
 * @throws AdeError `ade.bypass.code` when it is no bypass code. Dashes, spaces and small letters do not matter.
 */
export async function escrowKeyOf(code: string): Promise<string> {
  const letters = code.toUpperCase().replace(/[-\s]/g, '');
  const values = [...letters].map((letter) => alphabet.indexOf(letter));
  // 25 letters have 5 bits each, the last has the 3 that are left.
  if (values.length !== 26 || values.some((value) => value < 0) || values[25]! > 7) {
    throw new AdeError('ade.bypass.code', 'this is no bypass code: 26 letters and digits in groups of 5-5-4-4-4-4');
  }
  const bits = values.map((value, index) => value.toString(2).padStart(index === 25 ? 3 : 5, '0')).join('');
  return hashKey(
    Uint8Array.from({ length: 16 }, (_, index) => Number.parseInt(bits.slice(index * 8, index * 8 + 8), 2)),
  );
}

function printCode(key: Uint8Array): string {
  const bits = [...key].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = bits.match(/.{1,5}/g)!.map((group) => alphabet[Number.parseInt(group, 2)]);
  return [...letters.entries()].map(([index, letter]) => (dashBefore.has(index) ? `-${letter}` : letter)).join('');
}

async function hashKey(key: Uint8Array): Promise<string> {
  return (await derive(key, new Uint8Array(4), 50_000, 32, 'sha256')).toString('hex').toUpperCase();
}

/** What clears a lock: the device, and the code that it was locked with. */
export interface EscrowUnlock {
  readonly serial: string;
  /** `ProductName` of the device, as `iPad13,4`. */
  readonly productType: string;
  readonly imei?: string;
  readonly imei2?: string;
  readonly meid?: string;
  readonly orgName: string;
  /** Who asks: an identifier of the administrator, kept by Apple. */
  readonly guid: string;
  /** The bypass code (not its hash). */
  readonly code: string;
}

/**
 * The request that clears an Activation Lock with a bypass code. Send it over a connection whose TLS client certificate
 * is the MDM push certificate; HTTP 200 means that the lock is off. A code works once.
 *
 * @throws AdeError `ade.bypass.code`.
 * @example
 * await fetch(await escrowUnlockRequest(unlock), { dispatcher: agentWithPushCertificate });
 */
export async function escrowUnlockRequest(unlock: EscrowUnlock): Promise<Request> {
  const url = new URL('https://deviceservices-external.apple.com/deviceservicesworkers/escrowKeyUnlock');
  url.searchParams.set('serial', unlock.serial);
  url.searchParams.set('productType', unlock.productType);
  for (const key of ['imei', 'imei2', 'meid'] as const) {
    const value = unlock[key];
    if (value !== undefined) url.searchParams.set(key, value);
  }
  await escrowKeyOf(unlock.code); // refuses what is no code
  const body = new URLSearchParams({ orgName: unlock.orgName, guid: unlock.guid, escrowKey: unlock.code });
  return new Request(url, { method: 'POST', body });
}
