// What a command is, and how its options are read.
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { CliError } from './errors.ts';
import type { Io } from './io.ts';

/** One command: a file of its own in `commands/`, loaded only when it is used. */
export interface CliCommand {
  /** What `--help` prints. */
  readonly help: string;
  /** Runs it and gives the exit code: 0 done, 1 found errors, 2 (thrown as `CliError`) wrong usage. */
  run(args: readonly string[], io: Io): Promise<number>;
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>;

/**
 * Reads a command's options and operands.
 *
 * @throws CliError `cli.usage` for an option that there is not
 */
export function readArgs<const O extends ParseArgsOptionsConfig>(args: readonly string[], options: O): Values<O> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (error instanceof TypeError) throw new CliError('cli.usage', error.message.replace(/\. .*$/s, ''));
    throw error;
  }
}
