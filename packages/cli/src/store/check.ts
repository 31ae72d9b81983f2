// `espalier store check`: can this release, with these keys, work with this store?
import type { Store } from '@espalier/core';
import { CliError } from '../errors.ts';
import type { StoreAddress } from './address.ts';
import { type GivenKeys, KEY_VARIABLE } from './keys.ts';
import { openStore } from './open.ts';

/** One thing that was looked at. */
export interface Check {
  readonly check: 'file' | 'integrity' | 'schema' | 'key' | 'sealed';
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly finding: string;
  /** What to do next. */
  readonly remedy?: string;
}

const brand = Symbol.for('espalier.error');

/** What a check that threw found; anything but an error of ours is a fault of the program. */
function failure(check: Check['check'], error: unknown): Check {
  if (!(error instanceof Error) || !(brand in error)) throw error;
  const { remedy, cause } = error as Error & { remedy?: string };
  const reason = cause instanceof Error && cause.message !== '' && cause.message !== error.message;
  const finding = reason ? `${error.message}: ${(cause as Error).message}` : error.message;
  return { check, state: 'failed', finding, ...(remedy === undefined ? {} : { remedy }) };
}

/** Looks at the store, and stops where what follows could only fail as well. @throws CliError `cli.file` */
export async function checkStore(address: StoreAddress, keys: GivenKeys | undefined, full: boolean): Promise<Check[]> {
  const checks = address.kind === 'sqlite' ? await checkFile(address.file, full) : [];
  if (checks.some(({ state }) => state === 'failed')) return checks;
  let store: Store;
  try {
    store = await openStore(address);
  } catch (error) {
    return [...checks, failure('schema', error)];
  }
  try {
    checks.push({ check: 'schema', state: 'ok', finding: await schemaFinding(address) });
    return [...checks, ...(await checkKeys(store, keys))];
  } finally {
    await store.close();
  }
}

async function checkFile(file: string, full: boolean): Promise<Check[]> {
  const { inspectSqlite, integrityProblems } = await import('./sqlite-file.ts');
  const checks: Check[] = [];
  try {
    const { bytes, ours } = inspectSqlite(file);
    if (!ours) {
      const finding = 'a database, and not one of a store';
      return [{ check: 'file', state: 'failed', finding, remedy: 'Check the path.' }];
    }
    checks.push({ check: 'file', state: 'ok', finding: `${bytes.toLocaleString('en')} bytes` });
    const problems = integrityProblems(file, full);
    const name = full ? 'integrity_check' : 'quick_check';
    if (problems.length === 0) checks.push({ check: 'integrity', state: 'ok', finding: `${name} found nothing` });
    else {
      const finding = `${name}: ${problems.join('; ')}`;
      checks.push({ check: 'integrity', state: 'failed', finding, remedy: 'Restore a backup.' });
    }
  } catch (error) {
    // That there is no such file is no finding about a store.
    if (error instanceof CliError && error.code !== 'cli.store') throw error;
    checks.push(failure(checks.length === 0 ? 'file' : 'integrity', error));
  }
  return checks;
}

async function schemaFinding(address: StoreAddress): Promise<string> {
  if (address.kind === 'memory') return 'a store in memory has none';
  const { schemaVersion } =
    address.kind === 'sqlite' ? await import('@espalier/sqlite') : await import('@espalier/postgres');
  return `version ${schemaVersion}, which this release needs`;
}

async function checkKeys(store: Store, keys: GivenKeys | undefined): Promise<Check[]> {
  const { canaryKeyId, openCanary, sealedByKey } = await import('./sealed.ts');
  try {
    const id = await canaryKeyId(store);
    if (id === null) return [{ check: 'key', state: 'ok', finding: 'nothing is sealed yet: any key will do' }];
    if (keys === undefined) {
      const remedy = `Give it with --key-file or ${KEY_VARIABLE}.`;
      return [{ check: 'key', state: 'skipped', finding: `no key given; the store was sealed with ${id}`, remedy }];
    }
    const given = [keys.current, ...keys.earlier];
    // The key counts, not what it is called here: a program that names its keys itself is checked without --key-file ID=.
    const [first, ...rest] = given.filter((key) => key.id === id);
    let opened = false;
    let wrong: unknown;
    for (const key of first === undefined ? given : [first, ...rest]) {
      try {
        await openCanary(store, id, key);
        opened = true;
        break;
      } catch (error) {
        wrong = error;
      }
    }
    if (!opened) return [failure('key', wrong)];
    const known = new Set([id, ...given.map((key) => key.id)]);
    return [
      { check: 'key', state: 'ok', finding: `opens what ${id} sealed` },
      sealedCheck(await sealedByKey(store), known),
    ];
  } catch (error) {
    return [failure('key', error)];
  }
}

function sealedCheck(counts: ReadonlyMap<string, number>, known: ReadonlySet<string>): Check {
  const list = [...counts].map(([id, count]) => `${count.toLocaleString('en')} with ${id}`).join(', ');
  const missing = [...counts.keys()].filter((id) => !known.has(id));
  if (missing.length === 0) return { check: 'sealed', state: 'ok', finding: list === '' ? 'no value' : list };
  return {
    check: 'sealed',
    state: 'failed',
    finding: `${list}; not given: ${missing.join(', ')}`,
    remedy: 'Give the earlier keys with --earlier-key-file; store rewrap makes them unnecessary.',
  };
}
