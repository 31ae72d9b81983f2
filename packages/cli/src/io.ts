// What a command needs of the world: files, output, the terminal's width. Tests pass their own.
import { readFileSync, writeFileSync } from 'node:fs';
import { CliError } from './errors.ts';

/** The world outside, as a command sees it. */
export interface Io {
  /** Writes a line (or several) to standard output. */
  out(text: string): void;
  /** Writes bytes to standard output. */
  outBytes(bytes: Uint8Array): void;
  /** Writes a line to standard error. */
  err(text: string): void;
  /** Reads a file; `-` is standard input. @throws CliError `cli.file` */
  readFile(path: string): Uint8Array;
  /** Writes a file. @throws CliError `cli.file` */
  writeFile(path: string, bytes: Uint8Array): void;
  /** The time, in milliseconds since the Unix epoch. */
  now(): number;
  /** An environment variable. */
  environment(name: string): string | undefined;
  /** Characters in a line of output. */
  readonly columns: number;
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
}

function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return error instanceof Error ? error.message : String(error);
}

/** The process's own files, output and terminal. */
export function processIo(): Io {
  return {
    out: (text) => {
      process.stdout.write(`${text}\n`);
    },
    outBytes: (bytes) => {
      process.stdout.write(bytes);
    },
    err: (text) => {
      process.stderr.write(`${text}\n`);
    },
    readFile(path) {
      try {
        return readFileSync(path === '-' ? 0 : path);
      } catch (error) {
        throw new CliError('cli.file', `cannot read ${path}: ${reasonOf(error)}`);
      }
    },
    writeFile(path, bytes) {
      try {
        writeFileSync(path, bytes);
      } catch (error) {
        throw new CliError('cli.file', `cannot write ${path}: ${reasonOf(error)}`);
      }
    },
    now: () => Date.now(),
    environment: (name) => process.env[name],
    columns: Math.max(60, process.stdout.columns ?? 80),
    terminal: process.stdout.isTTY === true,
  };
}
