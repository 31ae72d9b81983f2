// `--ade`: devices come from the purchase to the release from Setup Assistant without anybody touching them.
import { request } from 'node:https';
import { join } from 'node:path';
import { fromPem, toPem } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import { createKeyPool, createSimulatedDevice, runLimited, type SimulatedDevice } from '@espalier/simulator';
import { type AdeWorld, startAdeWorld } from './ade-server.ts';
import { startApple } from './apple.ts';
import type { DemoOptions } from './options.ts';
import type { createScreen } from './screen.ts';

/** One device, from its purchase to its release. */
interface DeviceReport {
  readonly kind: string;
  readonly serialNumber: string;
  /** `assigned`, `pushed` …, as Apple's list has it in the end. */
  readonly profileAtApple: string;
  readonly enrolled: boolean;
  /** It waited for its configuration in Setup Assistant. */
  readonly waited: boolean;
  /** Profiles that it had when it was released. */
  readonly policy: number;
  readonly released: boolean;
}

const PATIENCE_MS = 90_000;
const AT_ONCE = 8;
const policies = [
  { name: 'Passcode', expression: '"common.platform" = "iOS"', settings: { forcePIN: true, minLength: 6 } },
  { name: 'Mac passcode', expression: '"common.platform" = "macOS"', settings: { forcePIN: true, minLength: 12 } },
];

/** Runs the story and prints its table; 0 when every device was released with its policy. */
export async function demoAde(
  options: DemoOptions,
  folder: string,
  screen: ReturnType<typeof createScreen>,
): Promise<number> {
  const started = performance.now();
  screen.line(`Espalier demo: ${options.devices} devices by Automated Device Enrolment, data in ${folder}`);
  screen.line();
  const apple = await startApple(folder);
  try {
    const world = await startAdeWorld(join(folder, 'server'), options.port, apple);
    const fleet: SimulatedDevice[] = [];
    try {
      const problems: string[] = [];
      const refused = await bringIn(options.devices, world, apple.apns, fleet, screen, problems);
      const devices = await reportOn(world, fleet);
      const count = (is: (device: DeviceReport) => boolean): number => devices.filter(is).length;
      const summary = {
        listed: devices.length,
        assigned: count((device) => device.profileAtApple !== 'empty'),
        enrolled: count((device) => device.enrolled),
        policy: count((device) => device.policy > 0 || device.kind === 'AppleTV'),
        released: count((device) => device.waited && device.released),
        forgedRefused: refused,
        devices,
        problems,
        seconds: Math.round((performance.now() - started) / 100) / 10,
      };
      const good =
        problems.length === 0 && refused && summary.policy === options.devices && summary.released === options.devices;
      if (options.json) console.log(JSON.stringify(summary, null, 2));
      else print(summary, screen);
      return good ? 0 : 1;
    } finally {
      for (const device of fleet) device.close();
      await world.close();
    }
  } finally {
    await apple.apns.close();
  }
}

/** Everything that happens; true when a machine that no device signed for was sent away. */
async function bringIn(
  count: number,
  world: AdeWorld,
  apns: Awaited<ReturnType<typeof startApple>>['apns'],
  fleet: SimulatedDevice[],
  screen: ReturnType<typeof createScreen>,
  problems: string[],
): Promise<boolean> {
  const { engine, service, api, url, root } = world;
  for (const { name, expression, settings } of policies) {
    const label = await engine.labels.create({ name, expression });
    await engine.configurations.create({ name, type: 'passcode', settings, labelIds: [label.id] });
  }
  // What an administrator does: upload our certificate at Apple, give us the token, write a profile and make it the default.
  const certificate = fromPem(await api.get<string>('/ade/certificate'), 'CERTIFICATE');
  const token = Buffer.from(service.downloadToken(certificate)).toString('base64');
  const account = await api.post<{ id: string }>('/ade/accounts', { token });
  const definition = {
    authentication: { type: 'anonymous' },
    awaitMinutes: 2,
    apple: {
      department: 'IT',
      support_phone_number: '+44 20 7946 0000',
      is_mdm_removable: false,
      await_device_configured: true,
      skip_setup_items: ['Siri', 'Diagnostics'],
    },
  };
  const written = await api.post<{ profile: { id: string } }>(`/ade/accounts/${account.id}/profiles`, {
    name: 'Zero touch',
    definition,
  });
  await api.patch(`/ade/accounts/${account.id}`, { defaultProfile: written.profile.id });
  const syncNow = () => api.post<{ added: number; assigned: number }>(`/ade/accounts/${account.id}/sync?wait=true`, {});

  const serials = service.add(count);
  const sync = screen.progress('Sync with Apple', count);
  const synced = await syncNow();
  sync.at(synced.added);
  sync.end(`${synced.added} new`);
  const assign = screen.progress('Assign the profile', count);
  assign.at(synced.assigned);
  assign.end();

  const keyPool = createKeyPool();
  for (const [index, serialNumber] of serials.entries()) {
    const { kind, productType } = service.look(serialNumber)!;
    const traits = { kind, model: productType, serialNumber, supervised: true, awaitingConfiguration: true };
    fleet.push(createSimulatedDevice({ ...traits, seed: `ade/${index}`, trustedRoots: [root], keyPool, apns }));
  }

  // Setup Assistant: the device asks Apple, gets the profile's address, tells there what it is, and enrols.
  const boot = screen.progress('Setup Assistant', count);
  let done = 0;
  await runLimited(fleet, AT_ONCE, async (device) => {
    try {
      const address = String(service.pushed(device.serialNumber)?.['url']);
      const answer = await post(address, await world.sign(device.serialNumber, machineInfo(device)), root);
      if (answer.status !== 200) throw new Error(`the server answered ${answer.status}`);
      await device.enrol(answer.body);
      boot.at(++done);
    } catch (error) {
      problems.push(`${device.serialNumber}: ${(error as Error).message}`);
    }
  });
  boot.end();
  const forged = await post(`${url}/enrol/ade`, machineInfo(fleet[0]!), root);

  // Each waits in Setup Assistant until its policy is there, and only then is let go on, by the server itself.
  const enrolled = fleet.filter((device) => device.phase === 'enrolled');
  const policy = screen.progress('Receive policy', enrolled.length);
  const release = screen.progress('Release', enrolled.length);
  const end = performance.now() + PATIENCE_MS;
  const waiting = new Set(enrolled);
  const held = (): number => enrolled.filter((device) => device.state().awaitingConfiguration).length;
  // The recipe of a release is begun at once, the device takes it when it is woken.
  while ((waiting.size > 0 || held() > 0) && performance.now() < end) {
    for (const device of waiting) if (await isConfigured(world, device)) waiting.delete(device);
    policy.at(enrolled.length - waiting.size);
    release.at(enrolled.length - held());
    await pause();
  }
  policy.end();
  release.at(enrolled.length - held());
  release.end();
  for (const device of waiting) problems.push(`${device.serialNumber} did not get its policy`);
  // What Apple pushed is seen in its list.
  service.modify(serials);
  await syncNow();
  return forged.status === 403;
}

/** Whether the device has reported itself and has every profile that it is to have. */
async function isConfigured({ engine }: AdeWorld, device: SimulatedDevice): Promise<boolean> {
  const detail = await engine.devices.get(device.udid);
  if (detail === null || detail.inventoryAt === null) return false;
  const wanted = device.kind === 'AppleTV' ? 0 : 1;
  const { assignments } = detail;
  return (
    assignments.length >= wanted &&
    assignments.every(({ status }) => status === 'applied' || status === 'not-applicable')
  );
}

async function reportOn({ engine }: AdeWorld, fleet: readonly SimulatedDevice[]): Promise<DeviceReport[]> {
  const waited = new Set(
    (await engine.events.list({ type: 'enrolment.awaiting-configuration', limit: 1000 })).items.map(
      (one) => one.enrolmentId,
    ),
  );
  const reports: DeviceReport[] = [];
  for (const device of fleet) {
    const [listed] = await engine.ade.find(device.serialNumber);
    const state = device.state();
    reports.push({
      kind: device.kind,
      serialNumber: device.serialNumber,
      profileAtApple: listed?.profileStatus ?? 'not listed',
      enrolled: listed?.enrolmentId === device.udid,
      waited: waited.has(device.udid),
      policy: state.profiles.filter((profile) => profile.identifier !== state.mdm?.profileIdentifier).length,
      released: device.phase === 'enrolled' && !state.awaitingConfiguration,
    });
  }
  return reports;
}

function print(
  summary: {
    readonly devices: readonly DeviceReport[];
    readonly problems: readonly string[];
    readonly released: number;
    readonly forgedRefused: boolean;
    readonly seconds: number;
  },
  { line, table }: ReturnType<typeof createScreen>,
): void {
  const mark = (is: boolean): string => (is ? '✓' : '✗');
  line();
  table(
    ['device', 'serial number', 'profile at Apple', 'enrolled', 'waited', 'profiles', 'released'],
    summary.devices.map((device) => [
      device.kind,
      device.serialNumber,
      device.profileAtApple,
      mark(device.enrolled),
      mark(device.waited),
      String(device.policy),
      mark(device.released),
    ]),
    [5],
  );
  line();
  for (const problem of summary.problems) line(`  ✗ ${problem}`);
  line(`  ${mark(summary.forgedRefused)} a device that no key of Apple’s speaks for was sent away`);
  line(
    `  ${summary.released} of ${summary.devices.length} devices were released with their policy, ${summary.seconds} s`,
  );
}

/** What a device says of itself in Setup Assistant. */
function machineInfo(device: SimulatedDevice): Uint8Array {
  const { productName, buildVersion, osVersion } = device.state();
  return encodeXml({
    UDID: device.udid,
    SERIAL: device.serialNumber,
    PRODUCT: productName,
    VERSION: buildVersion,
    OS_VERSION: osVersion,
    LANGUAGE: 'en',
  });
}

function post(url: string, body: Uint8Array, root: Uint8Array): Promise<{ status: number; body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/pkcs7-signature', 'content-length': body.length };
    const outgoing = request(url, { method: 'POST', headers, ca: toPem(root) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, body: Uint8Array.from(Buffer.concat(chunks)) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
