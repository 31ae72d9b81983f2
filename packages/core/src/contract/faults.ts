// The suite: an engine on this store, with one call failing at a time, before or after it took effect. The device repeats
// what was not answered, the engine does its background work, and everything must be there in the end, once.
import { readCommand } from '@espalier/apple-mdm';
import { encodeXml, type PlistInput } from '@espalier/plist';
import type { Engine } from '../api/engine.ts';
import type { Store } from '../contracts/store.ts';
import { createEngine } from '../engine/create.ts';
import type { CompileConfiguration } from '../engine/options.ts';
import { createKeyRing } from '../keys/ring.ts';
import { type FaultPlan, faultyStore } from './faulty.ts';
import { bytes, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const PROFILE = {
  identifier: 'contract.profile',
  uuid: 'PROFILE-UUID',
  displayName: 'Contract',
  bytes: bytes('profile'),
};
const compile: CompileConfiguration = () => ({ applicable: true, profile: PROFILE, verifiable: true });
const identity = { fingerprint: 'contract-device', certificate: bytes('certificate'), source: 'tls' } as const;

/** A device that repeats what fails. */
class PatientDevice {
  readonly engine: Engine;
  installed = false;
  installs = 0;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async checkin(message: Readonly<Record<string, PlistInput>>): Promise<void> {
    const body = encodeXml({ UDID: 'U1', Topic: 'topic', ...message });
    await repeat(() => this.engine.protocol.checkin(body, identity));
  }

  /** One session: Idle, then an answer to each command. */
  async session(): Promise<void> {
    let body = encodeXml({ UDID: 'U1', Status: 'Idle' });
    for (let i = 0; i < 50; i++) {
      const answer = await repeat(() => this.engine.protocol.connect(body, identity));
      if (answer === null) return;
      const { requestType, commandUuid } = readCommand(answer);
      const response: Record<string, PlistInput> = { UDID: 'U1', Status: 'Acknowledged', CommandUUID: commandUuid };
      if (requestType === 'DeviceInformation') response['QueryResponses'] = { OSVersion: '18.3', IsSupervised: true };
      if (requestType === 'InstallProfile') {
        this.installed = true;
        this.installs++;
      }
      if (requestType === 'ProfileList') {
        const { identifier: PayloadIdentifier, uuid: PayloadUUID } = PROFILE;
        response['ProfileList'] = this.installed ? [{ PayloadIdentifier, PayloadUUID, IsManaged: true }] : [];
      }
      body = encodeXml(response);
    }
  }
}

async function repeat<T>(action: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== 'core.store.injected' || attempt >= 5) throw error;
    }
  }
}

/** The whole story of a device, on a store with a fault. */
async function story(store: Store, plan: FaultPlan): Promise<Record<string, unknown>> {
  let calls = 0;
  let faults = 0;
  const faulty = faultyStore(store, (call) => {
    calls++;
    const fault = plan(call);
    if (fault !== 'none') faults++;
    return fault;
  });
  let now = T0;
  let counter = 0;
  const random = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    new DataView(out.buffer).setUint32(0, ++counter);
    return out;
  };
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(1) } });
  const engine = createEngine({ store: faulty, keys, clock: { now: () => now }, random, compile });
  const device = new PatientDevice(engine);
  const label = await repeat(async () => {
    const named = (await engine.labels.list()).find((item) => item.name === 'supervised');
    return named ?? engine.labels.create({ name: 'supervised', expression: '"ios.Supervised" = true' });
  });
  await repeat(async () => {
    const there = (await engine.configurations.list()).some((item) => item.name === 'contract');
    if (!there) await engine.configurations.create({ name: 'contract', type: 'x', settings: {}, labelIds: [label.id] });
  });
  await device.checkin({ MessageType: 'Authenticate' });
  await device.checkin({ MessageType: 'TokenUpdate', Token: bytes('token'), PushMagic: 'magic' });
  for (let round = 0; round < 6; round++) {
    await device.session();
    now += 30 * MINUTE;
    await repeat(() => engine.tick());
  }
  const detail = await repeat(() => engine.devices.get('U1'));
  const stats = await repeat(() => engine.commands.stats());
  return {
    status: detail?.enrolment.status,
    supervised: detail?.facts['ios.Supervised'],
    labels: detail?.labels.map((item) => item.name),
    assignments: detail?.assignments.map((item) => item.status),
    installed: device.installed,
    pending: stats.pending,
    followUps: stats.followUps,
    faulted: faults > 0,
    calls,
  };
}

const HAPPY_END = {
  status: 'active',
  supervised: true,
  labels: ['supervised'],
  assignments: ['applied'],
  installed: true,
  pending: 0,
  followUps: 0,
};

/** Registers the tests. */
export function faultTests({ test, expect }: Suite): void {
  test('reaches the desired state without a fault', async (store) => {
    expect(await story(store, () => 'none')).toMatchObject({ ...HAPPY_END, faulted: false });
  });

  // Calls are counted from the beginning of the story, so that the faults walk through all of it.
  for (let tenth = 0; tenth < 10; tenth++) {
    for (const fault of ['before', 'after'] as const) {
      test(`recovers from calls that fail ${fault} they take effect, ${tenth + 1} of 10`, async (store) => {
        const plan: FaultPlan = ({ index }) => (index % 10 === tenth && index % 20 < 10 ? fault : 'none');
        expect(await story(store, plan)).toMatchObject({ ...HAPPY_END, faulted: true });
      });
    }
  }

  test('a slow call does not change the outcome', async (store) => {
    const delay = () => new Promise<void>((resolve) => setImmediate(resolve));
    expect(await story(store, () => ({ delay }))).toMatchObject({ ...HAPPY_END, faulted: true });
  });
}
