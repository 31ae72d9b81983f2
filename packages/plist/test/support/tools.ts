// Tools of the machine that tests compare with: found at run time, and required where everything must be tested.
import { spawnSync } from 'node:child_process';

/** Whether a tool can be run. Where it cannot, its tests are skipped with a word why; under `CI=true` they fail. */
export function toolOrSkip(command: string, args: readonly string[]): boolean {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore' });
  if (error === undefined && status === 0) return true;
  const problem = `${command} cannot be run here: its comparisons are left out`;
  if (process.env['CI'] === 'true') throw new Error(problem);
  console.warn(problem);
  return false;
}
