// Master keys from files and the environment. A key is never printed.
import { createKeyRing, type KeyRing, type MasterKey, masterKey } from '@espalier/core';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

/** How keys are given, for the commands' help. */
export const keyHelp = `  --key-file [ID=]FILE  the master key: 32 bytes, as base64, hexadecimal or
                        raw; without it the variable ESPALIER_MASTER_KEY.
                        ID: what your program calls the key, where it does not
                        use @espalier/host
  --earlier-key-file [ID=]FILE
                        a key from before; may be given several times`;

/** The keys that were given. */
export interface GivenKeys {
  readonly current: MasterKey;
  readonly earlier: readonly MasterKey[];
}

/** The name of the environment variable, as @espalier/host has it too. */
export const KEY_VARIABLE = 'ESPALIER_MASTER_KEY';

/**
 * Reads the keys; `undefined` when none is given.
 * @throws CliError `cli.file`, `cli.key`, `cli.usage`
 */
export function readKeys(
  keyFile: string | undefined,
  earlierFiles: readonly string[] | undefined,
  io: Io,
): GivenKeys | undefined {
  const earlier = (earlierFiles ?? []).map((file) => keyOfFile(file, io));
  const text = io.environment(KEY_VARIABLE);
  if (keyFile !== undefined) return { current: keyOfFile(keyFile, io), earlier };
  if (text !== undefined && text !== '') {
    return { current: named(undefined, keyOf(new TextEncoder().encode(text), KEY_VARIABLE)), earlier };
  }
  if (earlier.length > 0) throw new CliError('cli.usage', '--earlier-key-file needs the present key as well');
  return undefined;
}

/** The keys as a ring. @throws CoreError `core.keys.bad_key` for an id given twice */
export function ringOf({ current, earlier }: GivenKeys): KeyRing {
  return createKeyRing({ current, earlier });
}

function keyOfFile(text: string, io: Io): MasterKey {
  const [, id, file = text] = /^([^=/\\]+)=(.+)$/s.exec(text) ?? [];
  return named(id, keyOf(io.readFile(file), file));
}

function keyOf(bytes: Uint8Array, source: string): Uint8Array {
  const text = new TextDecoder('latin1').decode(bytes).trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return new Uint8Array(Buffer.from(text, 'base64'));
  if (bytes.length === 32) return bytes;
  throw new CliError(
    'cli.key',
    `${source} holds no master key: 32 bytes, as base64, hexadecimal or as they are`,
    'Make one with: openssl rand -base64 32',
  );
}

/** Without an id, the one that @espalier/host uses too. */
function named(id: string | undefined, key: Uint8Array): MasterKey {
  return id === undefined ? masterKey(key) : { id, key };
}
