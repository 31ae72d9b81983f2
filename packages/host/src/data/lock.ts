// The lock of the data folder: one process at a time, released by the system however the process ends.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HostError } from '../errors.ts';

const STEP_MS = 50;

/**
 * Takes the lock, waiting up to `waitMs` for a process that is just ending.
 *
 * It is SQLite's lock on an empty database: unlike a file with a process id it cannot be left behind by `kill -9`, nor
 * be mistaken when the id is given to another process, and it holds between containers that share the folder.
 * @throws HostError `host.data.in_use` (conflict)
 */
export async function lockFolder(dir: string, waitMs: number): Promise<() => void> {
  // Imported here, since merely loading node:sqlite prints a warning on some versions of Node.
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 });
  for (let waited = 0; ; waited += STEP_MS) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return () => database.close();
    } catch (cause) {
      if (waited < waitMs) {
        await pause(STEP_MS);
        continue;
      }
      database.close();
      throw new HostError('conflict', 'host.data.in_use', `Another process is using ${dir}.`, {
        cause,
        remedy: 'Stop it, or give this one a folder of its own.',
      });
    }
  }
}
