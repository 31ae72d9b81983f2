// `espalier import --from nanomdm|micromdm SOURCE --store URL`: takes over enrolments, straight into a store.
import { createEngine } from '@espalier/core';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import { openMicroMdm } from '../import/micromdm.ts';
import { openNanoMdm } from '../import/nanomdm.ts';
import { type ImportReport, importer, rehearsal, runImport } from '../import/run.ts';
import type { ImportSource } from '../import/types.ts';
import type { Io } from '../io.ts';
import { createLiveTable } from '../simulate/show.ts';
import { readStoreAddress, type StoreAddress, storeUrlHelp } from '../store/address.ts';
import { type GivenKeys, KEY_VARIABLE, keyHelp, readKeys, ringOf } from '../store/keys.ts';
import { withStore } from '../store/open.ts';
import { table } from '../text/wrap.ts';

const help = `usage: espalier import --from nanomdm|micromdm SOURCE --store URL
                       --key-file F [--schema S] [--dry-run] [--json]

Takes over the enrolments of another server: identifiers, push and unlock
tokens, bootstrap tokens, and which certificate each device has. The devices
notice nothing. docs/migration.md tells what else a move needs.

SOURCE of nanomdm is the folder of its storage 'file' or 'filekv', or a file
of its SQL tables' rows as lines of JSON (docs/migration.md has the statements).
SOURCE of micromdm is its database, micromdm.db, of a server that has stopped
or a copy of it.

It may be repeated, also after it was broken off: what is here already stays
as it is. A record that cannot be imported is told with its place, and the
others go on.

${storeUrlHelp}

${keyHelp}
  --schema S            the PostgreSQL schema (default espalier)
  --dry-run             reads and checks everything, writes nothing, and needs
                        no key
  --json                output for programs

On a terminal there is a line with the progress. Ctrl-C ends it between two
enrolments. Exit code 1: something could not be imported.`;

/** How many errors are listed where people read them. */
const SHOWN = 20;
const CONCURRENCY = 8;

interface Options {
  readonly source: ImportSource;
  readonly address: StoreAddress;
  readonly keys: GivenKeys | undefined;
  readonly json: boolean;
  readonly dryRun: boolean;
}

const number = (value: number): string => value.toLocaleString('en');

async function work({ source, address, keys, json, dryRun }: Options, io: Io): Promise<ImportReport> {
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
  });
  let progress = { done: 0, total: source.total };
  const draw = createLiveTable((text) => io.outBytes(new TextEncoder().encode(text)));
  const show = (): void => draw(`${number(progress.done)} of ${number(progress.total)}`);
  const stopDrawing = json || !io.terminal ? () => {} : io.every(500, show);
  try {
    return await withStore(address, async (store) => {
      const engine = keys === undefined ? null : createEngine({ store, keys: ringOf(keys), clock: io });
      // A store that was written with another master key is refused before anything is read.
      if (!dryRun) await engine?.ready();
      return await runImport(source, dryRun || engine === null ? rehearsal(store) : importer(engine), {
        concurrency: CONCURRENCY,
        interrupted: () => interrupted,
        onProgress(now) {
          progress = now;
        },
      });
    });
  } finally {
    stopDrawing();
    stopListening();
  }
}

function showReport(report: ImportReport, dryRun: boolean, io: Io): void {
  const { devices, users, present, skipped, errors, ended } = report;
  const rows = [
    ['devices', number(devices)],
    ['user channels', number(users)],
    ['here already', number(present)],
    ['left out (ended there, or without a push token)', number(skipped)],
    ['errors', number(errors.length)],
    ...(ended === 'done' ? [] : [['ended', 'interrupted: run it again to go on']]),
  ];
  io.out(table([dryRun ? 'would be imported' : 'imported', ''], rows, io.columns, [50]));
  if (errors.length === 0) return;
  const shown = errors
    .slice(0, SHOWN)
    .map(({ place, code, message, remedy }) => [
      place,
      [`${code}: ${message}`, ...(remedy === undefined ? [] : [remedy])].join('. '),
    ]);
  const more = errors.length > SHOWN ? `\n\nand ${number(errors.length - SHOWN)} more: --json lists them all` : '';
  io.out(`\n${table(['place', 'error'], shown, io.columns, [])}${more}`);
}

/** The command. */
export const importEnrolments: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      from: { type: 'string' },
      store: { type: 'string' },
      'key-file': { type: 'string' },
      'earlier-key-file': { type: 'string', multiple: true },
      schema: { type: 'string' },
      'dry-run': { type: 'boolean' },
      json: { type: 'boolean' },
    });
    const { from, store } = values;
    const [path, ...rest] = positionals;
    if (from !== 'nanomdm' && from !== 'micromdm') {
      throw new CliError('cli.usage', 'say where it comes from: --from nanomdm or --from micromdm');
    }
    if (path === undefined) throw new CliError('cli.usage', 'no source given: a folder or a file of the other server');
    if (rest.length > 0) throw new CliError('cli.usage', `one source at a time: what is ${rest.join(' ')}?`);
    if (store === undefined) throw new CliError('cli.usage', 'say where it goes: --store URL');
    const address = readStoreAddress(store, values.schema);
    const keys = readKeys(values['key-file'], values['earlier-key-file'], io);
    const dryRun = values['dry-run'] === true;
    if (!dryRun && keys === undefined) {
      throw new CliError('cli.usage', `import needs --key-file or ${KEY_VARIABLE}: it seals what is secret`);
    }
    const json = values.json === true;
    const source = from === 'nanomdm' ? openNanoMdm(path, io) : openMicroMdm(path, io);
    const report = await work({ source, address, keys, json, dryRun }, io);
    if (json) io.out(JSON.stringify({ store: address.shown, source: path, dryRun, ...report }, null, 2));
    else showReport(report, dryRun, io);
    return report.errors.length > 0 ? 1 : 0;
  },
};
