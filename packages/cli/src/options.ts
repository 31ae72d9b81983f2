// Options that several commands share.
import { parseTarget, type Target } from '@espalier/apple-mdm';
import { CliError } from './errors.ts';

/** How `--target` is written, for the commands' help. */
export const targetHelp = `  --target T   the device it is for: platform[:version][,word…], for example
               ios:17.4,supervised. Words: supervised, ade, user-enrolment,
               device-enrolment, local, device-channel, user-channel,
               shared-ipad, user-approved, mdm, manual, and unsupervised,
               not-ade, not-shared-ipad, not-user-approved`;

/** @throws CliError `cli.usage` */
export function targetOption(text: string | undefined): Target | undefined {
  if (text === undefined) return undefined;
  const { target, problem } = parseTarget(text);
  if (target === undefined) throw new CliError('cli.usage', `--target ${text}: ${problem}`);
  return target;
}
