// An example host as a process of its own, started the way a person would start it.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostName } from './options.ts';

/** How to start a server. */
export interface ServerSettings {
  readonly host: HostName;
  readonly data: string;
  readonly port: number;
  /** Files and address of the push service. */
  readonly apns: {
    readonly certificate: string;
    readonly privateKey: string;
    readonly origin: string;
    readonly ca: string;
  };
  /** `postgres://…`, in place of SQLite in the data folder. */
  readonly database?: string;
  /** What the server logs, line by line (default: thrown away). */
  readonly onLog?: (line: string) => void;
}

/** A server that runs. */
export interface ServerProcess {
  readonly url: string;
  readonly port: number;
  /** Printed only when it was made just now. */
  readonly adminToken: string | null;
  /** The root certificate, PEM. */
  readonly rootPem: string;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Resolves when the process ends, for whatever reason. */
  readonly ended: Promise<void>;
}

const READY_MS = 30_000;

/** Starts an example host and waits until it listens. @throws Error with what it printed, when it does not. */
export async function startServer(settings: ServerSettings): Promise<ServerProcess> {
  const { host, data, port, apns } = settings;
  const child = spawn(
    process.execPath,
    [
      '--conditions=espalier-source',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, '..', host, 'main.ts'),
      ...['--data', data, '--port', String(port), '--address', '127.0.0.1', '--log-level', 'warn'],
      ...['--apns-certificate', apns.certificate, '--apns-key', apns.privateKey],
      ...['--apns-origin', apns.origin, '--apns-ca', apns.ca],
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(settings.database === undefined ? {} : { ESPALIER_DATABASE: settings.database }) },
    },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const banner = await readBanner(child, settings.onLog ?? (() => {}));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return {
    ...banner,
    port: Number(new URL(banner.url).port),
    rootPem: readFileSync(join(data, 'ca.pem'), 'utf8'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    ended,
  };
}

/** Reads the address and the token that the server prints when it is ready; everything else goes to the log. */
function readBanner(
  child: ChildProcess,
  log: (line: string) => void,
): Promise<{ url: string; adminToken: string | null }> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    let url: string | undefined;
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${why}\n${said.slice(-20).join('\n')}`));
    };
    const timer = setTimeout(() => fail('the server is not ready after 30 seconds'), READY_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`the server ended with code ${code}`));
    const read = (line: string): void => {
      said.push(line);
      if (said.length > 100) said.shift();
      log(line);
      url ??= /^Status page +(\S+?)\/?$/.exec(line)?.[1];
      const token = /^Admin token +(.+)$/.exec(line)?.[1];
      if (url === undefined || token === undefined) return;
      clearTimeout(timer);
      resolve({ url, adminToken: token.startsWith('as printed') ? null : token });
    };
    lines(child.stdout, read);
    lines(child.stderr, read);
  });
}

function lines(stream: NodeJS.ReadableStream | null, read: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) read(part);
  });
}
