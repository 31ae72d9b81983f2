// The secrets of the data folder: the master key, and identities whose keys are sealed with it.
import { join } from 'node:path';
import { createKeyRing, type KeyRing, masterKey, type RandomBytes } from '@espalier/core';
import { fromPem, type Identity, toPem } from '@espalier/pki';
import { HostError, isEspalierError } from '../errors.ts';
import { readWhole, refuseIfShared, writeWhole } from './files.ts';

const MASTER = 'master.key';
/** Keys from before, one a line, so that a folder that holds its key can change it. */
const EARLIER = 'master.earlier.key';

/** A master key as an option gives it: 32 bytes, or their base64 or hexadecimal text. */
export type MasterKeyInput = Uint8Array | string;

/**
 * The key ring: over the given master key, or over the one in the folder, which is made on the first start. Earlier keys are
 * those given and those of the file `master.earlier.key`, one a line.
 * @throws HostError `host.data.master_key`, `host.data.master_key_missing`, `host.data.permissions`
 */
export async function openKeyRing(
  dir: string,
  given: MasterKeyInput | undefined,
  earlier: readonly MasterKeyInput[],
  random: RandomBytes,
  hasData: boolean,
): Promise<KeyRing> {
  const current = given === undefined ? await storedKey(dir, random, hasData) : readKey(given);
  const before = new Map([...earlier.map(readKey), ...(await earlierKeys(dir))].map((key) => [masterKey(key).id, key]));
  // The same key may be given twice; what is the current key is no earlier one.
  before.delete(masterKey(current).id);
  return createKeyRing({ current: masterKey(current), earlier: [...before.values()].map(masterKey), random });
}

async function storedKey(dir: string, random: RandomBytes, hasData: boolean): Promise<Uint8Array> {
  const file = join(dir, MASTER);
  const text = await readWhole(file);
  if (text !== null) {
    await refuseIfShared(file);
    return readKey(text.trim());
  }
  if (hasData) {
    throw new HostError(
      'internal',
      'host.data.master_key_missing',
      `${file} is gone, and the data is sealed with it.`,
      {
        remedy: 'Put the file back, or give the master key as an option.',
      },
    );
  }
  const key = random(32);
  await writeWhole(file, `${Buffer.from(key).toString('base64')}\n`, 0o600);
  return key;
}

async function earlierKeys(dir: string): Promise<Uint8Array[]> {
  const file = join(dir, EARLIER);
  const text = await readWhole(file);
  if (text === null) return [];
  await refuseIfShared(file);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(readKey);
}

function readKey(input: MasterKeyInput): Uint8Array {
  const bytes =
    typeof input !== 'string'
      ? input
      : /^[0-9a-fA-F]{64}$/.test(input)
        ? Buffer.from(input, 'hex')
        : Buffer.from(input, 'base64');
  if (bytes.byteLength === 32) return new Uint8Array(bytes);
  throw new HostError('internal', 'host.data.master_key', 'The master key is not 32 bytes in base64 or hexadecimal.', {
    remedy: 'Make one with: openssl rand -base64 32',
  });
}

/** Reads a file that holds a certificate and its sealed key; `null` where there is none. */
export async function readIdentity(dir: string, name: string, keys: KeyRing): Promise<Identity | null> {
  const file = join(dir, `${name}.json`);
  const content = await readJson(file);
  if (content === null) return null;
  const { certificate, sealedKey } = content;
  if (typeof certificate !== 'string' || typeof sealedKey !== 'string') throw damaged(file);
  const sealed = Buffer.from(sealedKey, 'base64');
  const identity = {
    certificate: new Uint8Array(fromPem(certificate, 'CERTIFICATE')),
    privateKey: openSealed(keys, file, sealed, ['data-folder', name]),
  };
  // Sealed anew when the master key has changed, so that the earlier one is not needed the next time.
  if (keys.keyIdOf(sealed) !== keys.currentId) await writeIdentity(dir, name, keys, identity);
  return identity;
}

/** Writes certificate and sealed key as one file, so that they never part. */
export async function writeIdentity(dir: string, name: string, keys: KeyRing, identity: Identity): Promise<void> {
  const content = {
    certificate: toPem(identity.certificate),
    sealedKey: Buffer.from(keys.seal(identity.privateKey, ['data-folder', name])).toString('base64'),
  };
  await writeWhole(join(dir, `${name}.json`), `${JSON.stringify(content, null, 2)}\n`, 0o600);
}

/** Opens a sealed value of the folder. @throws HostError `host.data.wrong_key` */
export function openSealed(
  keys: KeyRing,
  file: string,
  sealed: Uint8Array,
  place: readonly string[],
): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(keys.open(sealed, place));
  } catch (cause) {
    if (!isEspalierError(cause)) throw cause;
    throw new HostError('internal', 'host.data.wrong_key', `The master key does not open ${file}.`, {
      cause,
      remedy: 'Start with the master key that this folder was made with.',
    });
  }
}

/** A JSON object of the folder; `null` where there is no file. @throws HostError `host.data.damaged` */
export async function readJson(file: string): Promise<Record<string, unknown> | null> {
  const text = await readWhole(file);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw damaged(file, cause);
  }
  throw damaged(file);
}

/** The error for a file that is not what was written. */
export function damaged(file: string, cause?: unknown): HostError {
  return new HostError('internal', 'host.data.damaged', `${file} is damaged.`, {
    cause,
    remedy: 'Put it back from a backup.',
  });
}
