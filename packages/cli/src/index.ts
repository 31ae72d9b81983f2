// The command line as a library: run it with your own files and output.
export type { CliCommand } from './command.ts';
export { CliError, type CliErrorCode } from './errors.ts';
export { type Io, processIo } from './io.ts';
export { run } from './run.ts';
