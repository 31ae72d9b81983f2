// An `Io` of memory: files by name, what was written by stream.
import { CliError, type Io, processIo, run } from '../src/index.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array;
  readonly written: ReadonlyMap<string, Uint8Array>;
}

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Runs the command line as typed, over the given files. */
export async function espalier(
  args: readonly string[],
  files: Files = {},
  more: {
    columns?: number;
    terminal?: boolean;
    now?: number | (() => number);
    environment?: Readonly<Record<string, string>>;
  } & Partial<Pick<Io, 'sleep' | 'every' | 'onInterrupt'>> = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const bytes: Uint8Array[] = [];
  const written = new Map<string, Uint8Array>();
  const io: Io = {
    out: (text) => out.push(text),
    outBytes: (chunk) => bytes.push(chunk),
    err: (text) => err.push(text),
    readFile(path) {
      const file = files[path] ?? (path.startsWith('/') ? processIo().readFile(path) : undefined);
      if (file === undefined) throw new CliError('cli.file', `cannot read ${path}: there is no such file`);
      return typeof file === 'string' ? new TextEncoder().encode(file) : file;
    },
    listFolder: processIo().listFolder,
    writeFile: (path, content) => written.set(path, content),
    now: () => (typeof more.now === 'function' ? more.now() : (more.now ?? Date.UTC(2026, 0, 1))),
    sleep: more.sleep ?? processIo().sleep,
    every: more.every ?? (() => () => {}),
    onInterrupt: more.onInterrupt ?? (() => () => {}),
    environment: (name) => more.environment?.[name],
    columns: more.columns ?? 80,
    terminal: more.terminal ?? false,
  };
  const code = await run(args, io);
  return { code, out: out.join('\n'), err: err.join('\n'), bytes: Buffer.concat(bytes), written };
}
