// The demo's command line.
import { parseArgs } from 'node:util';

/** Which example host the demo starts. */
export type HostName = 'express' | 'koa' | 'node';

/** What the demo was asked to do. */
export interface DemoOptions {
  readonly devices: number;
  readonly host: HostName;
  /** `null`: a fresh folder, removed at the end unless `keep` is set. */
  readonly data: string | null;
  readonly port: number;
  readonly keep: boolean;
  readonly json: boolean;
  /** Devices come by Automated Device Enrolment. */
  readonly ade: boolean;
}

export const USAGE = `usage: npm run demo -- [options]

Starts an MDM server and a simulated push service on loopback, enrols simulated
devices over real TLS, SCEP and MDM traffic, gives them a policy by label, and
prints what happened. Exits with 0 only if every device reached its state.

  --devices N   how many devices to enrol, 1 to 5000 (default 25)
  --host NAME   the example host: express, koa or node (default express)
  --data DIR    keep the server's data in DIR (default: a fresh temporary folder)
  --port P      the server's port (default: any free one)
  --keep        leave the server running, and print its addresses and a curl line
  --ade         let the devices come by Automated Device Enrolment: a simulated
                organisation, the sync with it, Setup Assistant, the release
                (the server runs in the demo's own process; without --host, --keep)
  --json        print one JSON document instead of tables
  --help        print this text`;

/** A command line that cannot be understood; `message` says why. */
export class UsageError extends Error {}

/** Reads the demo's command line. @throws UsageError */
export function readOptions(args: readonly string[]): DemoOptions | 'help' {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return 'help';
  const host = values.host ?? 'express';
  if (host !== 'express' && host !== 'koa' && host !== 'node') {
    throw new UsageError(`--host takes express, koa or node, not '${host}'`);
  }
  if (values.ade && (values.host !== undefined || values.keep)) {
    throw new UsageError('--ade runs the server itself: it takes neither --host nor --keep');
  }
  return {
    devices: whole('--devices', values.devices ?? '25', 1, 5000),
    host,
    data: values.data ?? null,
    port: whole('--port', values.port ?? '0', 0, 65_535),
    keep: values.keep ?? false,
    json: values.json ?? false,
    ade: values.ade ?? false,
  };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      devices: { type: 'string' },
      host: { type: 'string' },
      data: { type: 'string' },
      port: { type: 'string' },
      keep: { type: 'boolean' },
      json: { type: 'boolean' },
      ade: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${name} takes a whole number from ${least} to ${most}, not '${text}'`);
  }
  return value;
}
