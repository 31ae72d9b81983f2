// `espalier store migrate|check|stats|rewrap URL`: looking after a store.
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { migrateStore, rewrapStore, type StoreStats, statsOf } from '../store/actions.ts';
import { readStoreAddress, type StoreAddress, storeUrlHelp } from '../store/address.ts';
import { checkStore } from '../store/check.ts';
import { type GivenKeys, KEY_VARIABLE, keyHelp, readKeys } from '../store/keys.ts';
import { paragraph, table } from '../text/wrap.ts';

const help = `usage: espalier store migrate URL [--schema S] [--json]
       espalier store check URL [--key-file F] [--earlier-key-file F]…
                                [--full] [--schema S] [--json]
       espalier store stats URL [--schema S] [--json]
       espalier store rewrap URL --key-file F --earlier-key-file F…
                                [--schema S] [--json]

${storeUrlHelp}

migrate  makes the store, or brings its schema up to date
check    whether this release can work with the store: the file is sound, the
         schema is current, the master key opens what is sealed
stats    the queue, its history and the enrolments in numbers
rewrap   seals with the present key what earlier keys sealed

${keyHelp}
  --full                check every index of an SQLite file as well
  --schema S            the PostgreSQL schema (default espalier)
  --json                output for programs

Exit code 1: a check failed, or the store cannot be used.`;

interface Options {
  readonly address: StoreAddress;
  readonly keys: GivenKeys | undefined;
  readonly full: boolean;
  readonly json: boolean;
}

const number = (value: number): string => value.toLocaleString('en');

/** A length of time in its two largest units. */
function age(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  if (first === -1) return '0 s';
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

async function migrate({ address, json }: Options, io: Io): Promise<number> {
  const { before, after } = await migrateStore(address);
  if (json) io.out(JSON.stringify({ store: address.shown, before, after }, null, 2));
  else if (before === null) io.out(`${address.shown} has no schema: nothing to do`);
  else if (before === after) io.out(`${address.shown}: schema version ${after}, nothing to do`);
  else io.out(`${address.shown}: schema version ${before} before, ${after} now`);
  return 0;
}

async function check({ address, keys, full, json }: Options, io: Io): Promise<number> {
  const checks = await checkStore(address, keys, full);
  const ok = checks.every(({ state }) => state !== 'failed');
  if (json) io.out(JSON.stringify({ store: address.shown, ok, checks }, null, 2));
  else {
    const rows = checks.map((one) => [one.check, one.state, [one.finding, one.remedy ?? ''].join('. ')]);
    const text = rows.map(([name, state, notes]) => [name ?? '', state ?? '', (notes ?? '').replace(/\. $/, '')]);
    io.out(`${address.shown}\n\n${table(['check', 'state', 'finding'], text, io.columns, [])}`);
  }
  return ok ? 0 : 1;
}

function statsRows(stats: StoreStats): string[][] {
  const { queue, devices } = stats;
  const byStatus = Object.entries(devices).map(([status, count]) => `${number(count)} ${status}`);
  const { oldestPendingAgeMs, oldestQueuedAt } = queue;
  const oldest =
    oldestPendingAgeMs === null || oldestQueuedAt === null
      ? '-'
      : `${age(oldestPendingAgeMs)} (since ${new Date(oldestQueuedAt).toISOString()})`;
  return [
    ['pending commands', number(queue.pending)],
    ['oldest of them', oldest],
    ['finished commands', number(queue.history)],
    ['follow-ups to apply', number(queue.followUps)],
    ['devices', byStatus.length === 0 ? '0' : byStatus.join(', ')],
    ['user channels', number(stats.userChannels)],
    ['labels', number(stats.labels)],
    ['configurations', number(stats.configurations)],
  ];
}

async function stats({ address, json }: Options, io: Io): Promise<number> {
  const found = await statsOf(address, io.now());
  if (json) io.out(JSON.stringify({ store: address.shown, ...found }, null, 2));
  else io.out(table([address.shown, ''], statsRows(found), io.columns, [20]));
  return 0;
}

async function rewrap({ address, keys, json }: Options, io: Io): Promise<number> {
  if (keys === undefined) throw new CliError('cli.usage', `rewrap needs --key-file or ${KEY_VARIABLE}`);
  const { resealed, keyId } = await rewrapStore(address, keys);
  if (json) io.out(JSON.stringify({ store: address.shown, resealed, keyId }, null, 2));
  else if (resealed === 0) io.out(`${address.shown}: nothing is sealed with an earlier key`);
  else {
    const values = resealed === 1 ? '1 value' : `${number(resealed)} values`;
    io.out(paragraph(`${address.shown}: ${values} sealed anew, with the key ${keyId}`, io.columns));
  }
  return 0;
}

const actions = { migrate, check, stats, rewrap } as const;

/** The command. */
export const store: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      'key-file': { type: 'string' },
      'earlier-key-file': { type: 'string', multiple: true },
      full: { type: 'boolean' },
      schema: { type: 'string' },
      json: { type: 'boolean' },
    });
    const [name, url, ...rest] = positionals;
    if (name === undefined) throw new CliError('cli.usage', 'say what to do: migrate, check, stats or rewrap');
    if (!Object.hasOwn(actions, name)) throw new CliError('cli.usage', `there is no 'store ${name}'`);
    if (url === undefined) throw new CliError('cli.usage', 'no store URL given');
    if (rest.length > 0) throw new CliError('cli.usage', `one store at a time: what is ${rest.join(' ')}?`);
    const takesKeys = name === 'check' || name === 'rewrap';
    if (!takesKeys && (values['key-file'] !== undefined || values['earlier-key-file'] !== undefined)) {
      throw new CliError('cli.usage', `store ${name} needs no key`);
    }
    if (values.full && name !== 'check') throw new CliError('cli.usage', '--full is for store check');
    const address = readStoreAddress(url, values.schema);
    const keys = takesKeys ? readKeys(values['key-file'], values['earlier-key-file'], io) : undefined;
    const options: Options = { address, keys, full: values.full === true, json: values.json === true };
    return await actions[name as keyof typeof actions](options, io);
  },
};
