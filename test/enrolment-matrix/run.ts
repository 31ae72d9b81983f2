// Takes every pair of the table through one server, and tells what the device and the store have of it afterwards.
import type { CommandOutcome, DeviceDeclaration, DeviceDetail, Engine } from '@espalier/core';
import {
  createSimulatedDevice,
  type DeviceState,
  type EnrolmentWay,
  type KeyPool,
  runLimited,
  type SessionResult,
  type SimulatedDevice,
  SimulatorError,
  signInWith,
  type UserSession,
} from '@espalier/simulator';
import type { Pair } from './table.ts';
import { type MatrixWorld, signInPassword } from './world.ts';

/** One channel, as the server has it. */
export interface ChannelReport {
  readonly id: string;
  readonly detail: DeviceDetail | null;
  /** The command that this channel was sent. */
  readonly command: CommandOutcome | null;
  /** Declarations that the server knows to be on it. */
  readonly declarations: readonly DeviceDeclaration[];
  /** Commands that the server would queue. */
  readonly supported: ReadonlySet<string>;
}

/** What became of a pair. */
export interface PairReport {
  readonly pair: Pair;
  /** The error by which the device refused. */
  readonly refused: SimulatorError | null;
  readonly device: DeviceState;
  readonly channels: readonly ChannelReport[];
  /** Whether the Mac got its bootstrap token back. */
  readonly bootstrapToken: boolean;
  /** What the store says once the device has checked out. */
  readonly left: string | null;
}

interface Enrolled {
  readonly pair: Pair;
  readonly device: SimulatedDevice;
  readonly refused: SimulatorError | null;
  readonly users: readonly UserSession[];
}

const signIn = signInWith({ username: 'ann@appleaccount.example.com', password: signInPassword });
/** The declaration that every channel gets. */
export const declaration = 'matrix.test';

/** Runs all pairs on one server. */
export async function runPairs(
  world: MatrixWorld,
  pairs: readonly Pair[],
  keyPool: KeyPool,
  concurrency = 6,
): Promise<PairReport[]> {
  const { engine } = world;
  await engine.declarations.put({
    identifier: declaration,
    type: 'com.apple.configuration.management.test',
    payload: { Echo: 'matrix' },
  });
  const sets = {
    device: (await engine.declarations.createSet({ name: 'matrix', identifiers: [declaration] })).id,
    user: (await engine.declarations.createSet({ name: 'users', channel: 'user', identifiers: [declaration] })).id,
  };
  const phones = new Map<Pair['identity'], SimulatedDevice>();
  for (const { wayName, identity } of pairs) {
    if (wayName === 'watch' && !phones.has(identity)) phones.set(identity, await pairedPhone(world, keyPool, identity));
  }
  const enrolled = await runLimited(pairs, concurrency, (pair) =>
    enrolPair(world, pair, keyPool, phones.get(pair.identity)),
  );
  const there = enrolled.filter(({ refused }) => refused === null);
  const ids = {
    device: there.map(({ device }) => idOf(device.state())),
    user: there.flatMap(({ device, users }) => managed(users).map((user) => userId(device.state(), user))),
  };
  await engine.declarations.setMembers(sets.device, { add: ids.device });
  await engine.declarations.setMembers(sets.user, { add: ids.user });
  const all = [...ids.device, ...ids.user];
  const { commandUuid } = await engine.commands.enqueue({ enrolmentIds: all }, 'ProfileList', {});
  await engine.tick();
  // The second round takes what the first one led to: inventory, release from Setup Assistant.
  for (let round = 0; round < 2; round++) {
    await runLimited(there, concurrency, async ({ device, users }) => {
      await settle(await device.poll());
      for (const user of managed(users)) if (user.state()?.loggedIn) await settle(await user.poll());
    });
    await engine.tick();
  }
  return await runLimited(enrolled, concurrency, async ({ pair, device, refused, users }) => {
    const state = device.state();
    const channels: ChannelReport[] = [];
    if (refused === null) {
      channels.push(await channelReport(engine, idOf(state), commandUuid));
      for (const user of managed(users)) channels.push(await channelReport(engine, userId(state, user), commandUuid));
    }
    const bootstrapToken = refused === null && state.kind === 'Mac' && (await device.getBootstrapToken()) !== null;
    let left: string | null = null;
    if (refused === null) {
      await device.checkOut();
      left = (await engine.devices.get(idOf(state)))?.enrolment.status ?? null;
    }
    device.close();
    return { pair, refused, device: state, channels, bootstrapToken, left };
  });
}

const managed = (users: readonly UserSession[]): readonly UserSession[] => users.filter((user) => user.managed);
const idOf = (state: DeviceState): string => state.enrolmentId ?? state.udid;

function userId(state: DeviceState, session: UserSession): string {
  const user = state.userChannels?.find(({ shortName }) => shortName === session.shortName);
  const name = user?.enrolmentUserId ?? (state.sharedIpad === true ? session.shortName : user?.userId);
  return `${idOf(state)}:${name}`;
}

async function settle(result: SessionResult): Promise<void> {
  if (result.ended !== 'idle') throw new Error(`a session ended by ${result.ended} (HTTP ${result.status})`);
}

async function channelReport(engine: Engine, id: string, commandUuid: string): Promise<ChannelReport> {
  const capabilities = await engine.commands.capabilities(id);
  return {
    id,
    detail: await engine.devices.get(id),
    command: await engine.commands.get(id, commandUuid),
    declarations: await engine.declarations.ofDevice(id),
    supported: new Set(capabilities.filter(({ supported }) => supported).map(({ requestType }) => requestType)),
  };
}

function environment(world: MatrixWorld, keyPool: KeyPool) {
  const { ca, devices, attestation } = world.authorities;
  return {
    trustedRoots: [ca.certificate],
    deviceAuthority: devices,
    attestation,
    keyPool,
    retry: { attempts: 2, firstMs: 20 },
  };
}

async function enrolPair(
  world: MatrixWorld,
  pair: Pair,
  keyPool: KeyPool,
  phone: SimulatedDevice | undefined,
): Promise<Enrolled> {
  const { kind, wayName, way } = pair;
  const older = wayName === 'ade-update' ? olderThanRequired[kind.platform] : way.systems?.[kind.platform];
  const byAde = wayName.startsWith('ade');
  const device = createSimulatedDevice({
    ...environment(world, keyPool),
    ...kind.traits,
    ...(older === undefined ? {} : { osVersion: older }),
    // Only ADE makes one: in all other ways it is one before.
    ...(kind.sharedIpad && !byAde ? { sharedIpad: true, supervised: true } : {}),
    seed: `${world.origin} ${pair.name}`,
  });
  try {
    await device.enrol(await sourceOf(world, pair, phone));
  } catch (error) {
    if (!(error instanceof SimulatorError)) throw error;
    return { pair, device, refused: error, users: [] };
  }
  return { pair, device, refused: null, users: await logIn(world, pair, device) };
}

const olderThanRequired = {
  iOS: '17.7.2',
  macOS: '14.7.4',
  tvOS: '18.2.1',
  visionOS: '2.1',
  watchOS: '10.6.1',
} as const;

async function sourceOf(
  world: MatrixWorld,
  { kind, wayName, identity }: Pair,
  phone: SimulatedDevice | undefined,
): Promise<string | EnrolmentWay> {
  const base = world.base(identity);
  switch (wayName) {
    case 'link':
      return `${base}/enrol/${(await world.engine.enrolling.invite()).token}`;
    case 'pin':
      return `${base}/enrol?pin=${(await world.engine.enrolling.invite()).pin}`;
    case 'profile-service':
      return `${base}/enrol/ota/${(await world.engine.enrolling.invite()).token}`;
    case 'ade':
    case 'ade-update':
    case 'ade-web': {
      const page = wayName === 'ade-web' ? { configuration_web_url: `${base}/enrol/ade/web` } : {};
      const shared = kind.sharedIpad === true ? { is_multi_user: true } : {};
      const profile = { url: `${base}/enrol/ade`, ...page, ...shared, await_device_configured: true };
      return { type: 'ade', profile, signIn };
    }
    case 'user-profile':
      return await world.profileSignIn(identity);
    case 'watch':
      if (phone === undefined) throw new Error('no iPhone for the watch');
      return { type: 'watch', phone };
    default: {
      const mode = wayName.startsWith('user') ? 'BYOD' : 'ADDE';
      const by = wayName.endsWith('oauth') ? 'oauth' : 'web';
      return { type: 'account', user: world.user(identity, by, mode), discovery: world.origin, signIn };
    }
  }
}

/** Whoever a device of this kind has: the Mac's own user, one of the directory, the user of a Shared iPad. */
async function logIn(world: MatrixWorld, { kind }: Pair, device: SimulatedDevice): Promise<readonly UserSession[]> {
  if (kind.sharedIpad) return [await device.logIn({ shortName: 'ada@appleaccount.example.com', longName: 'Ada' })];
  if (kind.platform !== 'macOS') return [];
  return [await device.logIn(), await device.logIn(world.directory)];
}

/** A supervised iPhone whose declaration lets a watch enrol, for an identity of this kind. */
async function pairedPhone(world: MatrixWorld, keyPool: KeyPool, identity: Pair['identity']): Promise<SimulatedDevice> {
  const { engine } = world;
  const seed = `${world.origin} paired ${identity}`;
  const phone = createSimulatedDevice({
    ...environment(world, keyPool),
    kind: 'iPhone',
    osVersion: '18.3',
    supervised: true,
    seed,
  });
  await phone.enrol(`${world.base('scep')}/enrol/${(await engine.enrolling.invite()).token}`);
  const url = `${world.base(identity)}/enrol/ade`;
  const type = 'com.apple.configuration.watch.enrollment';
  const identifier = `matrix.watch.${identity}`;
  await engine.declarations.put({ identifier, type, payload: { EnrollmentProfileURL: url } });
  const set = await engine.declarations.createSet({ name: identifier, identifiers: [identifier] });
  await engine.declarations.setMembers(set.id, { add: [phone.udid] });
  await engine.tick();
  await settle(await phone.poll());
  return phone;
}

/** A Shared iPad with iPadOS 26 that its user returns to service; gives whether the server agreed, and its phase then. */
export async function returnToService(world: MatrixWorld, keyPool: KeyPool): Promise<readonly [boolean, string]> {
  const seed = `${world.origin} returns`;
  const pad = createSimulatedDevice({ ...environment(world, keyPool), kind: 'iPad', osVersion: '26.0', seed });
  await pad.enrol({ type: 'ade', profile: { url: `${world.base('scep')}/enrol/ade` } });
  const { enabled } = await pad.returnToService();
  pad.close();
  return [enabled, pad.phase];
}
