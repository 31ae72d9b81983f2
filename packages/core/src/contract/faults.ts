// The suite: an engine on this store, with one call failing at a time, before or after it took effect. The device repeats
// what was not answered, the engine does its background work, and everything must be there in the end, once.
import { readCommand } from '@espalier/apple-mdm';
import { encodeXml, type PlistInput } from '@espalier/plist';
import type { DeviceIdentity, Engine } from '../api/engine.ts';
import type { Store } from '../contracts/store.ts';
import { createEngine } from '../engine/create.ts';
import type { CompileConfiguration } from '../engine/options.ts';
import { createKeyRing } from '../keys/ring.ts';
import { type FaultPlan, faultyStore } from './faulty.ts';
import { bytes, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

/** A profile for each configuration. */
function profileOf(name: string) {
  return { identifier: `contract.${name}`, uuid: `UUID-${name}`, displayName: name, bytes: bytes(`profile ${name}`) };
}

const compile: CompileConfiguration = ({ name }) => ({ applicable: true, profile: profileOf(name), verifiable: true });

/** A device that repeats what fails. */
class PatientDevice {
  readonly engine: Engine;
  readonly udid: string;
  readonly identity: DeviceIdentity;
  installed = false;

  constructor(engine: Engine, udid: string) {
    this.engine = engine;
    this.udid = udid;
    this.identity = { fingerprint: `certificate-of-${udid}`, certificate: bytes(udid), source: 'tls' };
  }

  async checkin(message: Readonly<Record<string, PlistInput>>): Promise<void> {
    const body = encodeXml({ UDID: this.udid, Topic: 'topic', ...message });
    await repeat(() => this.engine.protocol.checkin(body, this.identity));
  }

  /** One session: Idle, then an answer to each command. */
  async session(): Promise<void> {
    let body = encodeXml({ UDID: this.udid, Status: 'Idle' });
    for (let i = 0; i < 50; i++) {
      const answer = await repeat(() => this.engine.protocol.connect(body, this.identity));
      if (answer === null) return;
      const { requestType, commandUuid } = readCommand(answer);
      const response: Record<string, PlistInput> = {
        UDID: this.udid,
        Status: 'Acknowledged',
        CommandUUID: commandUuid,
      };
      if (requestType === 'DeviceInformation') response['QueryResponses'] = { OSVersion: '18.3', IsSupervised: true };
      if (requestType === 'InstallProfile') {
        this.installed = true;
      }
      if (requestType === 'ProfileList') {
        const { identifier: PayloadIdentifier, uuid: PayloadUUID } = profileOf(this.udid);
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
      if ((error as { readonly code?: unknown }).code !== 'core.store.injected' || attempt >= 20) throw error;
    }
  }
}

/** The whole story of a device, on a store with a fault. */
async function story(store: Store, plan: FaultPlan, start = T0): Promise<Record<string, unknown>> {
  const udid = `U-${start}`;
  let calls = 0;
  const faulty = faultyStore(store, (call) => {
    calls++;
    return plan(call);
  });
  let now = start;
  let counter = 0;
  const random = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    const view = new DataView(out.buffer);
    if (length >= 12) view.setFloat64(4, start);
    view.setUint32(0, ++counter);
    return out;
  };
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(1) } });
  const engine = createEngine({ store: faulty, keys, clock: { now: () => now }, random, compile });
  const device = new PatientDevice(engine, udid);
  const label = await repeat(async () => {
    const named = (await engine.labels.list()).find((item) => item.name === udid);
    const expression = `"ios.Supervised" = true AND "ios.UDID" = "${udid}"`;
    return named ?? engine.labels.create({ name: udid, expression });
  });
  await repeat(async () => {
    const there = (await engine.configurations.list()).some((item) => item.name === udid);
    if (!there) await engine.configurations.create({ name: udid, type: 'x', settings: {}, labelIds: [label.id] });
  });
  await device.checkin({ MessageType: 'Authenticate' });
  await device.checkin({ MessageType: 'TokenUpdate', Token: bytes('token'), PushMagic: 'magic' });
  for (let round = 0; round < 3; round++) {
    await device.session();
    now += 30 * MINUTE;
    await repeat(() => engine.tick());
  }
  const detail = await repeat(() => engine.devices.get(udid));
  const stats = await repeat(() => engine.commands.stats());
  return {
    status: detail?.enrolment.status,
    supervised: detail?.facts['ios.Supervised'],
    labels: detail?.labels.length,
    assignments: detail?.assignments.map((item) => item.status),
    installed: device.installed,
    pending: stats.pending,
    followUps: stats.followUps,
    calls,
  };
}

const HAPPY_END = {
  status: 'active',
  supervised: true,
  labels: 1,
  assignments: ['applied'],
  installed: true,
  pending: 0,
  followUps: 0,
};

/** Registers the tests. */
export function faultTests({ test, expect }: Suite): void {
  test('reaches the desired state without a fault', async (store) => {
    expect(await story(store, () => 'none')).toMatchObject(HAPPY_END);
  });

  // One story for each call that can fail: those whose number ends in the same digit share a test.
  for (let digit = 0; digit < 10; digit++) {
    for (const fault of ['before', 'after'] as const) {
      test(`recovers from a call that fails ${fault} it takes effect: calls ${digit}, ${digit + 10}, …`, async (store) => {
        for (let failing = digit; ; failing += 10) {
          const plan: FaultPlan = ({ index }) => (index === failing ? fault : 'none');
          const { calls, ...end } = await story(store, plan, T0 + failing * 24 * 60 * MINUTE);
          expect({ failing, ...end }).toEqual({ failing, ...HAPPY_END });
          if (Number(calls) <= failing) break;
        }
      });
    }
  }

  test('recovers from many calls that fail', async (store) => {
    // Prime, so that the faults do not fall into step with anything that repeats.
    const plan: FaultPlan = ({ index }) => (index % 67 === 3 ? 'before' : index % 71 === 5 ? 'after' : 'none');
    expect(await story(store, plan)).toMatchObject(HAPPY_END);
  });

  test('a slow call does not change the outcome', async (store) => {
    const delay = () => new Promise<void>((resolve) => setImmediate(resolve));
    expect(await story(store, () => ({ delay }))).toMatchObject(HAPPY_END);
  });
}
