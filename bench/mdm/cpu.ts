// The CPU time of processes that cannot be asked: a database's, a peer's.
import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of a process and all its threads so far, in milliseconds; `null` where the system does not tell. */
export function cpuOf(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  try {
    const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    );
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
  } catch (error) {
    // A process or a thread that has just ended.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH')
      return 0;
    throw error;
  }
}

/** The same, of a process and its children: a PostgreSQL server with its backends. */
export function cpuOfFamily(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  return familyOf(pid).reduce((sum, id) => sum + (cpuOf(id) ?? 0), 0);
}

/** What a process has of the system's memory now, and had at most, in MB; `null` where the system does not tell. */
export function memoryOf(pid: number): { readonly resident: number; readonly most: number } | null {
  if (process.platform !== 'linux') return null;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1_024;
  return { resident: mb('VmRSS'), most: mb('VmHWM') };
}

/** Memory of a process and its children, in MB, what they share counted once. */
export function memoryOfFamily(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  const kb = familyOf(pid).map((id) => {
    try {
      return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // it has ended meanwhile
    }
  });
  return kb.reduce((sum, one) => sum + one, 0) / 1_024;
}

function familyOf(pid: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return [pid, ...all.map(Number).filter((id) => parentOf(id) === pid)];
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0; // it has ended meanwhile
  }
}
