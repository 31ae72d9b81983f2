// What a command needs of the world: files, output, the terminal's width. Tests pass their own.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  /** The names in a folder, sorted; `null` where there is a file or nothing. @throws CliError `cli.file` */
  listFolder(path: string): readonly string[] | null;
  /** Writes a file. @throws CliError `cli.file` */
  writeFile(path: string, bytes: Uint8Array): void;
  /** The time, in milliseconds since the Unix epoch. */
  now(): number;
  /** Waits; less long once the signal is given. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls again and again, until the function that it gives is called. */
  every(ms: number, task: () => void): () => void;
  /** Hears of the first Ctrl-C (or a polite request to end); the next one ends the process. Gives what stops listening. */
  onInterrupt(listener: () => void): () => void;
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
    listFolder(path) {
      try {
        return readdirSync(path).sort();
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (code === 'ENOTDIR' || code === 'ENOENT') return null;
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
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, ms);
        function done(): void {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        }
        if (signal?.aborted) done();
        else signal?.addEventListener('abort', done);
      }),
    every(ms, task) {
      const timer = setInterval(task, ms);
      return () => clearInterval(timer);
    },
    onInterrupt(listener) {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      const stop = (): void => {
        for (const signal of signals) process.off(signal, heard);
      };
      const heard = (): void => {
        stop();
        listener();
      };
      for (const signal of signals) process.on(signal, heard);
      return stop;
    },
    environment: (name) => process.env[name],
    columns: Math.max(60, process.stdout.columns ?? 80),
    terminal: process.stdout.isTTY === true,
  };
}
