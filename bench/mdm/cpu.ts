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

/** The same, of the children of a process and itself: a PostgreSQL server with its backends. */
export function cpuOfFamily(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => parentOf(id) === pid);
  return [pid, ...children].reduce((sum, id) => sum + (cpuOf(id) ?? 0), 0);
}

/** Memory that a process has of the system, in MB; `null` where the system does not tell. */
export function residentOf(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return found === null ? 0 : Number(found[1]) / 1_024;
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0; // it has ended meanwhile
  }
}
