// What the engine's tests share: a clock and randomness that the test owns, a scripted device, an engine over a store.
import { createHash } from 'node:crypto';
import { readCommand } from '@espalier/apple-mdm';
import { encodeXml, type PlistInput } from '@espalier/plist';
import {
  createEngine,
  createKeyRing,
  createMemoryStore,
  type DeviceIdentity,
  type Engine,
  type EngineInput,
  type KeyRing,
  type Store,
} from '../src/index.ts';

/** A clock that stands still until it is moved. */
export class TestClock {
  time = Date.UTC(2026, 0, 1);
  now(): number {
    return this.time;
  }
  advance(ms: number): void {
    this.time += ms;
  }
}

/** Bytes that are the same in each run. */
export function seededRandom(seed = 1): (length: number) => Uint8Array {
  let counter = 0;
  return (length) => {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i += 32) {
      const block = createHash('sha256').update(`${seed}:${counter++}`).digest();
      out.set(block.subarray(0, Math.min(32, length - i)), i);
    }
    return out;
  };
}

/** The test's key ring. */
export function testKeys(id = 'test', fill = 7): KeyRing {
  return createKeyRing({ current: { id, key: new Uint8Array(32).fill(fill) } });
}

/** An identity of a certificate that only its fingerprint stands for. */
export function identity(name: string): DeviceIdentity {
  const fingerprint = createHash('sha256').update(name).digest('hex');
  return { fingerprint, certificate: new TextEncoder().encode(name), source: 'mdm-signature' };
}

/** An engine with everything that it takes. */
export interface TestBench {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: TestClock;
  readonly logs: { readonly level: string; readonly message: string; readonly data: unknown }[];
}

/** Makes an engine over a memory store, unless the input says otherwise. */
export function bench(input: Partial<EngineInput> = {}): TestBench {
  const clock = new TestClock();
  const logs: { level: string; message: string; data: unknown }[] = [];
  const log = (level: string) => (data: unknown, message: string) => {
    logs.push({ level, message, data });
  };
  const store = input.store ?? createMemoryStore();
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const engine = createEngine({ store, keys: testKeys(), clock, random: seededRandom(), logger, ...input });
  return { engine, store, clock, logs };
}

/** A device that speaks the protocol by hand. */
export class ScriptedDevice {
  readonly udid: string;
  readonly engine: Engine;
  identity: DeviceIdentity;
  readonly extra: Readonly<Record<string, PlistInput>>;
  /** Every command that it got, in order. */
  readonly received: { requestType: string; commandUuid: string; payload: Readonly<Record<string, unknown>> }[] = [];

  constructor(engine: Engine, udid: string, extra: Readonly<Record<string, PlistInput>> = {}) {
    this.engine = engine;
    this.udid = udid;
    this.identity = identity(`certificate of ${udid}`);
    this.extra = extra;
  }

  checkin(message: Readonly<Record<string, PlistInput>>): Promise<Uint8Array | null> {
    return this.engine.protocol.checkin(encodeXml({ UDID: this.udid, ...message }), this.identity);
  }

  authenticate(): Promise<Uint8Array | null> {
    return this.checkin({
      MessageType: 'Authenticate',
      Topic: 'com.apple.mgmt.External.test',
      OSVersion: '18.3',
      ProductName: 'iPhone15,2',
      SerialNumber: `S${this.udid}`,
      ...this.extra,
    });
  }

  tokenUpdate(message: Readonly<Record<string, PlistInput>> = {}): Promise<Uint8Array | null> {
    return this.checkin({
      MessageType: 'TokenUpdate',
      Topic: 'com.apple.mgmt.External.test',
      Token: new TextEncoder().encode(`token of ${this.udid}`),
      PushMagic: `magic of ${this.udid}`,
      UnlockToken: new TextEncoder().encode(`unlock token of ${this.udid}`),
      ...message,
    });
  }

  async enrol(): Promise<void> {
    await this.authenticate();
    await this.tokenUpdate();
  }

  async say(status: string, message: Readonly<Record<string, PlistInput>> = {}) {
    const body = encodeXml({ UDID: this.udid, Status: status, ...message });
    const answer = await this.engine.protocol.connect(body, this.identity);
    if (answer === null) return null;
    const { requestType, commandUuid, payload } = readCommand(answer);
    const command = { requestType, commandUuid, payload: payload as Readonly<Record<string, unknown>> };
    this.received.push(command);
    return command;
  }

  idle() {
    return this.say('Idle');
  }

  /** Answers commands until there is none; `respond` gives what the acknowledgement holds. */
  async session(
    respond: (
      requestType: string,
      payload: Readonly<Record<string, unknown>>,
    ) => Readonly<Record<string, PlistInput>> = () => ({}),
  ): Promise<string[]> {
    const seen: string[] = [];
    let next = await this.idle();
    while (next !== null) {
      seen.push(next.requestType);
      const { Status = 'Acknowledged', ...rest } = respond(next.requestType, next.payload);
      next = await this.say(String(Status), { CommandUUID: next.commandUuid, ...rest });
    }
    return seen;
  }
}
