// Files of the data folder: written whole or not at all, read with faults that say what to do.
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HostError } from '../errors.ts';

const TEMPORARY = '.espalier-tmp';

/** Makes the folder (0700) if it is not there, and removes what a crash left half written. */
export async function prepareFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (!(await stat(dir)).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  } catch (cause) {
    throw fault(cause, dir, 'use');
  }
}

/** Removes temporary files of writes that never finished. Only with the lock held: nobody else is writing then. */
export async function removeLeftovers(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.endsWith(TEMPORARY)) await rm(join(dir, name), { force: true });
}

/** Writes a file so that after a crash there is the old content or the new, never a part. */
export async function writeWhole(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = `${file}${TEMPORARY}`;
  try {
    const handle = await open(temporary, 'w', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, mode);
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    throw fault(cause, file, 'write');
  }
}

/** The content of a file, or `null` where there is none. */
export async function readWhole(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fault(cause, file, 'read');
  }
}

/** Refuses a secret file that others may read. */
export async function refuseIfShared(file: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  throw new HostError('internal', 'host.data.permissions', `Others may read ${file}, which holds a secret.`, {
    remedy: `Run chmod 600 ${file}, and consider the key known if the machine has other users.`,
  });
}

/** A rename is only on the disk once its folder is. Windows has no such call and needs none. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fault(cause: unknown, file: string, doing: string): HostError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new HostError('internal', 'host.data.permissions', `This process may not ${doing} ${file}.`, {
      cause,
      remedy: 'Give the user that runs the server the folder, with mode 700.',
    });
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return new HostError('internal', 'host.data.not_a_folder', `${file} is not a folder.`, { cause });
  }
  return new HostError('internal', 'host.data.io', `Could not ${doing} ${file}: ${message}`, { cause });
}
