// `npm run demo`: one command enrols a fleet of simulated devices with a real server, and shows what happened.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fromPem } from '@espalier/pki';
import { createFleet } from '@espalier/simulator';
import { demoAde } from './ade.ts';
import { createAdminApi } from './api.ts';
import { type SimulatedApple, startApple } from './apple.ts';
import { type DemoOptions, readOptions, USAGE, UsageError } from './options.ts';
import { type DemoWorld, runPhases } from './phases.ts';
import { type DemoSummary, printReport } from './report.ts';
import { createScreen } from './screen.ts';
import { type ServerProcess, startServer } from './server.ts';

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  const folder = options.data === null ? mkdtempSync(join(tmpdir(), 'espalier-demo-')) : resolve(options.data);
  mkdirSync(folder, { recursive: true });
  try {
    return await demo(options, folder);
  } finally {
    if (options.data === null) rmSync(folder, { recursive: true, force: true });
  }
}

async function demo(options: DemoOptions, folder: string): Promise<number> {
  const screen = createScreen(process.stdout, options.json);
  const started = performance.now();
  if (options.ade) return demoAde(options, folder, screen);
  screen.line(`Espalier demo: ${options.devices} simulated devices, the ${options.host} example, data in ${folder}`);
  screen.line();

  const apple = await startApple(folder);
  try {
    const settings = { host: options.host, data: join(folder, 'server'), port: options.port, apns: apple.files };
    const server = await startServer(settings);
    try {
      return await drive(options, folder, apple, server, screen, started);
    } finally {
      await server.stop();
    }
  } finally {
    await apple.apns.close();
  }
}

async function drive(
  options: DemoOptions,
  folder: string,
  apple: SimulatedApple,
  server: ServerProcess,
  screen: ReturnType<typeof createScreen>,
  started: number,
): Promise<number> {
  if (server.adminToken === null) {
    throw new UsageError(`${folder} holds a server already, whose admin token only its owner has; give a new --data`);
  }
  const interrupted = new Promise<void>((done) => {
    process.once('SIGINT', done);
    process.once('SIGTERM', done);
  });
  const aborted = Promise.race([
    interrupted.then(() => Promise.reject(new Error('the demo was interrupted'))),
    server.ended.then(() => Promise.reject(new Error('the server ended before its time'))),
  ]);
  aborted.catch(() => {}); // whoever waits hears of it
  const api = createAdminApi(server.url, server.adminToken, server.rootPem);
  const world: DemoWorld = { fleet: [], api, screen, aborted, onRequest: () => {} };
  const fleet = createFleet({
    count: options.devices,
    seed: 'demo',
    trustedRoots: [fromPem(server.rootPem, 'CERTIFICATE')],
    apns: apple.apns,
    onRequest: (event) => world.onRequest(event),
  });
  try {
    const report = await runPhases(Object.assign(world, { fleet }));
    const seconds = (performance.now() - started) / 1000;
    const summary: DemoSummary = {
      host: options.host,
      devices: options.devices,
      pushes: apple.apns.counters.accepted,
      errors: report.problems.length,
      seconds: Math.round(seconds * 10) / 10,
      ...report,
    };
    if (options.json) console.log(JSON.stringify(summary, null, 2));
    else printReport(summary, screen);
    if (options.keep) {
      const say = options.json ? console.error : console.log;
      say(keepText(server.url, server.adminToken, join(folder, 'server', 'ca.pem')));
      await interrupted;
    }
    const good = summary.errors === 0 && report.desiredStateReached === options.devices;
    return good ? 0 : 1;
  } finally {
    api.close();
    for (const device of fleet) device.close();
  }
}

function keepText(url: string, token: string, rootFile: string): string {
  return `
  The server and the devices go on until Ctrl+C.

  Status page   ${url}/
  Admin token   ${token}
  Admin API     ${url}/api/v1  (described at ${url}/api/v1/openapi.json)

  curl --cacert ${rootFile} -H 'Authorization: Bearer ${token}' '${url}/api/v1/devices?limit=3'
`;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(
    error instanceof UsageError ? `${error.message}\nSee --help.` : `The demo failed: ${(error as Error).message}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
