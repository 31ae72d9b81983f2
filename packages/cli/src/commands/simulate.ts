// `espalier simulate`: a fleet of simulated devices against any MDM server.
import { fromPem } from '@espalier/pki';
import { createFleet, type FleetMix, randomFaults } from '@espalier/simulator';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Plan, runFleet } from '../simulate/run.ts';
import { createLiveTable, showLine, showTable } from '../simulate/show.ts';
import { createTally } from '../simulate/tally.ts';
import { readDeviceAuthority, readWay } from '../simulate/ways.ts';

const help = `usage: espalier simulate --enroll URL|FILE [options]

Simulated iPhones, iPads, Macs and Apple TVs enrol, poll, and answer commands
as devices do. Any MDM server will do; the keys of the devices protect nothing.

  --enroll URL|FILE  the enrolment profile or profile service: its address, or
                     a .mobileconfig
  --enrol-type TYPE  profile (default); ade: Automated Device Enrolment at the
                     address of --enroll; ade-web: its page to sign in at;
                     account: by the user's account, discovered at --enroll in
                     place of the account's domain
  --user NAME        account: who enrols; {n} is the number of the device
  --username NAME    at pages to sign in at (default: the user), with the
  --password-file F  password in this file
  --await            ade: Setup Assistant waits for DeviceConfigured
  --shared           ade: iPads become Shared iPads
  --log-in           users of Macs and Shared iPads log in, and poll, too
  --device-ca FILE   the authority of the identity that devices have from the
                     factory (PEM, with its key), which the server has to trust
  --new-device-ca F  makes one, and writes it there
  --devices N        how many (default 10, at most 100,000)
  --seconds S        how long in all (default 60)
  --interval S       from one round of polls to the next (default 10)
  --rounds N         rounds of polls at most (default: as many as fit)
  --concurrency N    devices that talk at the same time (default 16)
  --mix LIST         shares of the kinds, for example iPhone=3,Mac=1 (also
                     VisionPro; by account there are no Apple TVs by default)
  --seed TEXT        another seed is another fleet (default 'fleet')
  --ca FILE          also trust this root (PEM)
  --faults SHARE     the share of messages, 0 to 0.5, whose answer gets lost,
                     and of those that arrive twice
  --check-out        the devices leave at the end
  --json             the figures as JSON, at the end

The table is drawn anew each second on a terminal; elsewhere there is a line
every five seconds. Ctrl-C ends the run and shows the figures. Exit code 1: a
device could not enrol, or a session failed.`;

/** The command. */
export const simulate: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      enroll: { type: 'string' },
      'enrol-type': { type: 'string' },
      user: { type: 'string' },
      username: { type: 'string' },
      'password-file': { type: 'string' },
      await: { type: 'boolean' },
      shared: { type: 'boolean' },
      'log-in': { type: 'boolean' },
      'device-ca': { type: 'string' },
      'new-device-ca': { type: 'string' },
      devices: { type: 'string' },
      seconds: { type: 'string' },
      interval: { type: 'string' },
      rounds: { type: 'string' },
      concurrency: { type: 'string' },
      mix: { type: 'string' },
      seed: { type: 'string' },
      ca: { type: 'string' },
      faults: { type: 'string' },
      'check-out': { type: 'boolean' },
      json: { type: 'boolean' },
    });
    if (positionals.length > 0) throw new CliError('cli.usage', `what is ${positionals.join(' ')}?`);
    const way = readWay(
      {
        type: values['enrol-type'],
        enroll: values.enroll,
        user: values.user,
        username: values.username,
        passwordFile: values['password-file'],
        waits: values.await === true,
        shared: values.shared === true,
      },
      io,
    );
    const byAccount = values['enrol-type'] === 'account';
    const deviceAuthority = await readDeviceAuthority(values['device-ca'], values['new-device-ca'], io);
    const count = read('devices', values.devices, 10, 1, 100_000, true);
    const faults = read('faults', values.faults, 0, 0, 0.5, false);
    const plan: Plan = {
      source: (_device, index) => way(index),
      logIn: values['log-in'] === true,
      concurrency: read('concurrency', values.concurrency, 16, 1, 1000, true),
      seconds: read('seconds', values.seconds, 60, 1, 86_400, false),
      interval: read('interval', values.interval, 10, 0, 86_400, false),
      rounds: read('rounds', values.rounds, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER, true),
      checkOut: values['check-out'] === true,
    };
    const tally = createTally(count);
    const fleet = createFleet({
      count,
      seed: values.seed ?? 'fleet',
      ...(values.mix === undefined
        ? byAccount
          ? { mix: { iPhone: 2, iPad: 1, Mac: 1 } }
          : {}
        : { mix: readMix(values.mix) }),
      // Older systems do not enrol by account.
      newestSystems: byAccount,
      ...(deviceAuthority === undefined ? {} : { deviceAuthority }),
      ...(values.ca === undefined ? {} : { trustedRoots: [readRoot(values.ca, io)] }),
      ...(faults === 0 ? {} : { faults: randomFaults({ dropResponse: faults, duplicate: faults }) }),
      retry: { attempts: 4 },
      clock: { now: () => io.now() },
      sleep: (ms) => io.sleep(ms),
      onRequest: (event) => tally.request(event),
    });
    return await runAndShow(values.json === true, io, tally, (clock) => runFleet(fleet, plan, tally, clock));
  },
};

async function runAndShow(
  json: boolean,
  io: Io,
  tally: ReturnType<typeof createTally>,
  work: (io: Io) => ReturnType<typeof runFleet>,
): Promise<number> {
  const start = io.now();
  const seconds = (): number => (io.now() - start) / 1000;
  const draw = createLiveTable((text) => io.outBytes(new TextEncoder().encode(text)));
  const show = (): void => {
    if (io.terminal) draw(showTable(tally.figures(seconds()), io.columns));
    else io.out(showLine(tally.figures(seconds())));
  };
  const stop = json ? () => {} : io.every(io.terminal ? 1_000 : 5_000, show);
  let ended: Awaited<ReturnType<typeof runFleet>>;
  try {
    ended = await work(io);
  } finally {
    stop();
  }
  const figures = tally.figures(seconds(), ended);
  if (json) io.out(JSON.stringify(figures, null, 2));
  else if (io.terminal) draw(showTable(figures, io.columns));
  else io.out(showTable(figures, io.columns));
  return figures.failed > 0 || Object.keys(figures.problems).length > 0 ? 1 : 0;
}

function read(
  name: string,
  text: string | undefined,
  usual: number,
  least: number,
  most: number,
  whole: boolean,
): number {
  if (text === undefined) return usual;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const fits = value >= least && value <= most && (!whole || Number.isInteger(value));
  if (!fits) {
    throw new CliError('cli.usage', `--${name} ${text}: a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
  }
  return value;
}

const kinds = ['iPhone', 'iPad', 'Mac', 'AppleTV', 'VisionPro'] as const;

function readMix(text: string): FleetMix {
  const shares = text.split(',').map((part): [string, number] => {
    const [name = '', share = '1'] = part.split('=');
    const kind = kinds.find((item) => item.toLowerCase() === name.trim().toLowerCase());
    const value = Number(share);
    if (kind === undefined || !(value >= 0 && Number.isFinite(value))) {
      throw new CliError(
        'cli.usage',
        `--mix ${text}: '${part}' is none of ${kinds.map((item) => `${item}=1`).join(', ')}`,
      );
    }
    return [kind, value];
  });
  return Object.fromEntries(shares);
}

function readRoot(path: string, io: Io): Uint8Array {
  return fromPem(new TextDecoder().decode(io.readFile(path)), 'CERTIFICATE');
}
