// What a server's main file needs around its composition: flags, listening, and an orderly end.
import { readFileSync, realpathSync } from 'node:fs';
import type { Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Engine } from '@espalier/core';
import { fromPem, oids, readCertificate } from '@espalier/pki';
import type { AdminToken } from './api/auth.ts';
import { HostError, isEspalierError } from './errors.ts';

/** The push certificate, and where APNs is (default: Apple's). */
export interface PushOptions {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
  /** `com.apple.mgmt.…`, the certificate's. */
  readonly topic: string;
  readonly origin?: string;
  /** Roots to trust in place of the system's, PEM; for a simulated APNs. */
  readonly ca?: string;
}

/** What an example server can be told. */
export interface ServerOptions {
  /** The data folder. */
  readonly data: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The address to listen on (default: all). */
  readonly address?: string;
  /** The address that devices use (default: the one that they connect to). */
  readonly publicUrl?: string;
  /** Where revocations are told, as `openDataFolder` takes it. */
  readonly revocationUrl?: string;
  /** Shown to users (default `Espalier`). */
  readonly organisation?: string;
  /** Without it, the push certificate that the admin API imported is used; where there is none, no device is woken. */
  readonly apns?: PushOptions;
  /** pino's level (default `info`). */
  readonly logLevel?: string;
  /** `postgres://…`: keep everything but keys there (default: SQLite, in the data folder). */
  readonly database?: string;
  /** Serve the metrics at `http://127.0.0.1:PORT/metrics`, without a token (default: not at all); 0 takes any free port. */
  readonly metricsPort?: number;
  /** Make a new admin token. */
  readonly newAdminToken?: boolean;
  /** Admin tokens beside the data folder's, as `createHost` takes them. */
  readonly adminTokens?: readonly AdminToken[];
  /** A step of changing the authority, as `openDataFolder` takes it. */
  readonly rollover?: 'prepare' | 'promote';
  /** The master key, where it is not kept in the data folder. */
  readonly masterKey?: string;
  /** Master keys from before. */
  readonly earlierMasterKeys?: readonly string[];
}

/** A server that runs. */
export interface RunningServer {
  readonly url: string;
  /** Only when it was made just now; the data folder keeps its hash alone. */
  readonly adminToken: string | null;
  /** For whoever embeds the server: a demo, a test, a script. */
  readonly engine: Engine;
  close(): Promise<void>;
}

/** How long open requests may still take once the server closes. */
const GRACE_MS = 5_000;

/**
 * Listens, and tells on which port.
 * @throws the system's error, e.g. `EADDRINUSE`
 */
export async function listen(
  server: Server & { closeIdleConnections?(): void; closeAllConnections?(): void },
  options: { readonly port: number; readonly address?: string },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
    close: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => server.closeAllConnections?.(), GRACE_MS);
        server.close((error) => {
          clearTimeout(timer);
          if (error) reject(error);
          else resolve();
        });
        server.closeIdleConnections?.();
      }),
  };
}

const FLAGS = {
  data: { type: 'string', default: './espalier-data' },
  port: { type: 'string', default: '8443' },
  address: { type: 'string' },
  'public-url': { type: 'string' },
  'revocation-url': { type: 'string' },
  organisation: { type: 'string' },
  'apns-certificate': { type: 'string' },
  'apns-key': { type: 'string' },
  'apns-topic': { type: 'string' },
  'apns-origin': { type: 'string' },
  'apns-ca': { type: 'string' },
  database: { type: 'string' },
  'log-level': { type: 'string' },
  'metrics-port': { type: 'string' },
  'new-admin-token': { type: 'boolean' },
  'admin-tokens': { type: 'string' },
  'prepare-ca': { type: 'boolean' },
  'promote-ca': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const HELP = `Options
  --data DIR               where everything is kept (default ./espalier-data)
  --port N                 default 8443; 0 takes a free one
  --address ADDRESS        the address to listen on (default: all)
  --public-url URL         the address that devices use (default: the one they connect to)
  --revocation-url URL     the address (http:) of /ca.crl and /ocsp that goes into certificates (default: none)
  --organisation NAME      who manages the devices (default Espalier)
  --apns-certificate FILE  push certificate, PEM (default: the one that the admin API imports)
  --apns-key FILE          its private key, PEM (default: in the certificate's file)
  --apns-topic TOPIC       default: the certificate's
  --apns-origin URL        default: Apple's
  --apns-ca FILE           trust these roots for APNs, PEM
  --database URL           postgres://…, in place of SQLite in the data folder
  --log-level LEVEL        trace, debug, info (default), warn, error, silent
  --metrics-port N         metrics for Prometheus at http://127.0.0.1:N/metrics
  --new-admin-token        make a new admin token; the old one ends
  --admin-tokens FILE      more admin tokens: JSON, [{"hash": "sha256:…", "permissions": ["view devices"]}]
  --prepare-ca             make the authority that is to follow, and announce it
  --promote-ca             have the next authority issue; the one before stays trusted
  --help

The environment variable ESPALIER_MASTER_KEY (32 bytes, base64 or hexadecimal) replaces the file master.key,
ESPALIER_EARLIER_MASTER_KEYS (with commas between them) the file master.earlier.key,
ESPALIER_ADMIN_TOKENS (the JSON itself) the flag --admin-tokens,
ESPALIER_DATABASE the flag --database: other users of the machine do not see the password there.
`;

/**
 * Reads a server's flags; `null` asks for help.
 * @throws HostError `host.options` for a flag that does not exist or makes no sense
 */
export function parseServerArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServerOptions | null {
  const flags = readFlags(args);
  if (flags.help) return null;
  const port = portOf('--port', flags.port);
  const apns = pushOptions(flags);
  const masterKey = environment['ESPALIER_MASTER_KEY'];
  const earlier = (environment['ESPALIER_EARLIER_MASTER_KEYS'] ?? '').split(/[\s,]+/).filter((key) => key !== '');
  const file = flags['admin-tokens'];
  const tokens = file === undefined ? environment['ESPALIER_ADMIN_TOKENS'] : readText(file);
  const database = flags.database ?? environment['ESPALIER_DATABASE'];
  return {
    data: flags.data,
    port,
    ...(flags.address === undefined ? {} : { address: flags.address }),
    ...(flags['public-url'] === undefined ? {} : { publicUrl: flags['public-url'] }),
    ...(flags['revocation-url'] === undefined ? {} : { revocationUrl: flags['revocation-url'] }),
    ...(flags.organisation === undefined ? {} : { organisation: flags.organisation }),
    ...(apns === null ? {} : { apns }),
    ...(flags['log-level'] === undefined ? {} : { logLevel: flags['log-level'] }),
    ...(database === undefined || database === '' ? {} : { database }),
    ...(flags['metrics-port'] === undefined ? {} : { metricsPort: portOf('--metrics-port', flags['metrics-port']) }),
    ...(flags['new-admin-token'] ? { newAdminToken: true } : {}),
    ...(tokens === undefined || tokens.trim() === '' ? {} : { adminTokens: readTokens(tokens) }),
    ...(flags['promote-ca'] ? { rollover: 'promote' } : flags['prepare-ca'] ? { rollover: 'prepare' } : {}),
    ...(masterKey === undefined || masterKey === '' ? {} : { masterKey }),
    ...(earlier.length === 0 ? {} : { earlierMasterKeys: earlier }),
  };
}

function portOf(flag: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw wrong(`${flag} ${text} is not a port.`);
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    throw wrong((cause as Error).message, cause);
  }
}

function pushOptions(flags: ReturnType<typeof readFlags>): PushOptions | null {
  const file = flags['apns-certificate'];
  if (file === undefined) {
    if (flags['apns-key'] ?? flags['apns-origin'] ?? flags['apns-ca']) throw wrong('--apns-certificate is missing.');
    return null;
  }
  const certificate = readText(file);
  const ca = flags['apns-ca'];
  const origin = flags['apns-origin'];
  return {
    certificate,
    privateKey: flags['apns-key'] === undefined ? certificate : readText(flags['apns-key']),
    topic: flags['apns-topic'] ?? topicOf(certificate),
    ...(origin === undefined ? {} : { origin }),
    ...(ca === undefined ? {} : { ca: readText(ca) }),
  };
}

/** The topic is the user id (UID) in the subject of the push certificate. */
function topicOf(pem: string): string {
  const { subjectName } = readCertificate(fromPem(pem, 'CERTIFICATE'));
  const topic = subjectName.flat().find(({ type }) => type === oids.userId)?.value;
  if (topic === undefined) throw wrong('The push certificate names no topic; give --apns-topic.');
  return topic;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw wrong(`${file} cannot be read.`, cause);
  }
}

/** The shape alone: `createHost` knows which permissions there are. */
function readTokens(text: string): AdminToken[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong('The admin tokens are not JSON.', cause);
  }
  if (!Array.isArray(value)) throw wrong('The admin tokens are not a list.');
  return value.map((entry: unknown, index) => {
    const { hash, permissions, ...more } = (
      typeof entry === 'object' && entry !== null ? entry : {}
    ) as Partial<AdminToken>;
    if (typeof hash !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(hash)) {
      throw wrong(`The admin tokens make no sense at ${index}.hash: a hash is sha256: and 64 hexadecimal digits.`);
    }
    const listed = permissions === undefined || (Array.isArray(permissions) && permissions.every(isText));
    if (!listed) throw wrong(`The admin tokens make no sense at ${index}.permissions: a list of names.`);
    const [other] = Object.keys(more);
    if (other !== undefined) throw wrong(`The admin tokens make no sense at ${index}: nothing is called ${other}.`);
    return permissions === undefined ? { hash } : { hash, permissions };
  });
}

const isText = (value: unknown): boolean => typeof value === 'string';

function wrong(message: string, cause?: unknown): HostError {
  return new HostError('invalid', 'host.options', message, { cause, remedy: 'See --help.' });
}

/**
 * Runs a server when its file is the one that Node was started with: reads the flags, starts it, prints where it is and
 * (once) its admin token, and closes it in order on SIGTERM and SIGINT. Does nothing when the file is imported.
 *
 * @example
 * await runFromCommandLine(import.meta.url, start);
 */
export async function runFromCommandLine(
  moduleUrl: string,
  start: (options: ServerOptions) => Promise<RunningServer>,
): Promise<void> {
  const program = process.argv[1];
  if (program === undefined || realpathSync(program) !== realpathSync(fileURLToPath(moduleUrl))) return;
  try {
    const options = parseServerArguments(process.argv.slice(2));
    if (options === null) {
      process.stdout.write(HELP);
      return;
    }
    const server = await start(options);
    process.stderr.write(banner(server, options));
    await signal();
    process.stderr.write('Closing …\n');
    await server.close();
  } catch (error) {
    if (!isEspalierError(error)) throw error;
    process.stderr.write(`${error.message}${error.remedy === undefined ? '' : `\n${error.remedy}`} (${error.code})\n`);
    // Not left to the event loop: a store that was opened may keep it going for a while.
    process.exit(1);
  }
}

function banner({ url, adminToken }: RunningServer, { data, apns }: ServerOptions): string {
  const lines = [
    `Status page   ${url}/`,
    `Admin API     ${url}/api/v1  (described at ${url}/api/v1/openapi.json)`,
    `Enrolment     ${url}/enrol   with the PIN of an invitation`,
    adminToken === null
      ? 'Admin token   as printed when it was made (--new-admin-token makes another)'
      : `Admin token   ${adminToken}\n              (shown this once; ${data} keeps only its hash)`,
    `Trust         ${data}/ca.pem`,
    ...(apns === undefined
      ? ['Push          with the certificate that POST /api/v1/push-certificate imports; before, devices are not woken']
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function signal(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      // A second signal ends the process at once, as it would without us.
      process.off('SIGTERM', done);
      process.off('SIGINT', done);
      resolve();
    };
    process.on('SIGTERM', done);
    process.on('SIGINT', done);
  });
}
