// A server in this process, with simulated devices and scripted ones at it: what the end-to-end column is measured with.
import { createHash } from 'node:crypto';
import type { RawPayload } from '@espalier/apple-mdm';
import { CoreError, createEngine, createKeyRing, createMemoryStore, type Engine } from '@espalier/core';
import { createHost, type Host } from '@espalier/host';
import { createRootCa, generateKeyPair, openCa, signCms } from '@espalier/pki';
import { encodeXml, type PlistInput } from '@espalier/plist';
import {
  createKeyPool,
  createSimulatedDevice,
  createSimulatedDeviceAuthority,
  type DeviceTraits,
  type SimulatedDevice,
} from '@espalier/simulator';
import { liveCommands } from './live.ts';

const generations: readonly DeviceTraits[] = [
  { kind: 'iPhone', osVersion: '18.3' },
  { kind: 'Mac', osVersion: '15.3' },
  { kind: 'AppleTV', osVersion: '18.3' },
  { kind: 'iPhone', osVersion: '27.0' },
  { kind: 'Mac', osVersion: '27.0' },
];

/** Those that come by Automated Device Enrolment, with a user. */
const assigned: readonly (DeviceTraits & { readonly user?: string })[] = [
  { kind: 'iPad', model: 'iPad14,6', osVersion: '18.3', user: 'ada@example.com' },
  // With lights-out management, and with an Intel processor.
  { kind: 'Mac', model: 'Mac14,12', osVersion: '15.3', user: 'local' },
  { kind: 'Mac', model: 'MacBookPro16,1', osVersion: '15.3' },
];

const ORIGIN = 'https://mdm.example.com';
/** The scripted Mac. */
export const scripted = 'SCRIPTED';

const TOPIC = 'com.apple.mgmt.External.conformance';

function seeded(): (length: number) => Uint8Array {
  let count = 0;
  return (length) => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () =>
      createHash('sha256').update(`conformance ${count++}`).digest(),
    );
    return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
  };
}

/** The server, and the devices at it. */
export interface Measured {
  readonly engine: Engine;
  /** Sends a command to each channel of a simulated device until one does it; how it ended, or why none takes it. */
  command(requestType: string, payload: RawPayload): Promise<string>;
  /** Gives the devices these declarations; for each identifier what the device that makes most of it says, or why not. */
  declarations(
    list: readonly {
      readonly identifier: string;
      readonly type: string;
      readonly payload: Readonly<Record<string, unknown>>;
    }[],
  ): Promise<ReadonlyMap<string, string>>;
  /** Reports a status item for the scripted Mac; whether the engine has it then. */
  status(name: string, value: unknown): Promise<boolean>;
  /** Sends a check-in of a scripted Mac; the HTTP status. */
  checkin(message: { readonly [key: string]: PlistInput }): Promise<number>;
}

interface Channel {
  readonly id: string;
  readonly device: SimulatedDevice;
  poll(): Promise<unknown>;
}

/** Starts the server, and enrols a device of each kind. */
export async function startMeasured(): Promise<Measured> {
  const random = seeded();
  let now = Date.UTC(2026, 0, 15);
  const clock = { now: () => now };
  const root = await createRootCa({ subject: 'CN=Conformance', key: { type: 'rsa', bits: 2048 }, clock });
  const ca = await openCa({ ...root, clock });
  const engine = createEngine({
    store: createMemoryStore(),
    keys: createKeyRing({ current: { id: 'c', key: random(32) }, random }),
    clock,
    random,
    hooks: {
      userAuthenticate: 'accept',
      getToken: async () => 'token',
      returnToService: async () => ({}),
    },
  });
  const deviceAuthority = await createSimulatedDeviceAuthority({ clock });
  const host: Host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: { organisation: 'Example', topic: TOPIC, sign: (profile) => profile },
    publicUrl: ORIGIN,
    random,
    page: false,
    ade: { anchors: [deviceAuthority.certificate] },
  });
  const fetch = (request: Request): Promise<Response> => host.fetch(request, { remoteAddress: '192.0.2.1' });

  const environment = { fetch, keyPool: createKeyPool(), clock, trustedRoots: [ca.certificate], deviceAuthority };
  const devices: SimulatedDevice[] = [];
  const channels: Channel[] = [];
  // Of today's systems, and of the newest.
  for (const traits of generations) {
    const seed = `conformance ${traits.kind} ${traits.osVersion}`;
    const device = createSimulatedDevice({ ...environment, ...traits, seed, supervised: true });
    await device.enrol(`${ORIGIN}/enrol/${(await engine.enrolling.invite()).token}`);
    await device.poll();
    devices.push(device);
    channels.push({ id: device.udid, device, poll: () => device.poll() });
  }
  for (const { user, ...traits } of assigned) {
    const seed = `conformance ADE ${traits.model}`;
    const device = createSimulatedDevice({ ...environment, ...traits, seed });
    const profile = {
      url: `${ORIGIN}/enrol/ade`,
      await_device_configured: true,
      is_multi_user: traits.kind === 'iPad',
    };
    await device.enrol({ type: 'ade', profile });
    await device.poll();
    channels.push({ id: device.udid, device, poll: () => device.poll() });
    if (user === undefined) continue;
    const session = await device.logIn({ shortName: user });
    await session.poll();
    const name = traits.kind === 'iPad' ? user : session.state()?.userId;
    // A command may have logged the user out.
    channels.push({
      id: `${device.udid}:${name}`,
      device,
      poll: async () => (await device.logIn({ shortName: user })).poll(),
    });
  }

  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({ publicKey, subject: 'CN=scripted', template: 'device' });

  async function send(message: { readonly [key: string]: PlistInput }): Promise<number> {
    const body = encodeXml(message);
    const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
    const headers = { 'mdm-signature': signature, 'content-type': 'application/x-apple-aspen-mdm-checkin' };
    const init = { method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> };
    return (await fetch(new Request(`${ORIGIN}/mdm/checkin`, init))).status;
  }

  const live = liveCommands((content) => signCms(content, { certificate, privateKey }));

  /** Sends one command over a channel; how it ended. */
  async function done({ id, device, poll }: Channel, requestType: string, payload: RawPayload) {
    const { commandUuid } = await engine.commands.enqueue({ enrolmentIds: [id] }, requestType, payload);
    await poll();
    // What locked it must not keep it from the next command.
    if (device.state().locked) device.unlock(device.state().lockPin ?? undefined);
    return engine.commands.get(id, commandUuid);
  }

  return {
    engine,
    async command(requestType, example) {
      const { before = [], payload = () => example } = live[requestType] ?? {};
      let reason = '';
      let ended: string | undefined;
      for (const channel of channels) {
        try {
          for (const [type, given] of before) await done(channel, type, given);
          const outcome = await done(channel, requestType, payload(channel.device.state()));
          const [error] = outcome?.errorChain ?? [];
          if (error === undefined) return outcome?.state ?? 'lost';
          ended ??= `${outcome?.state} ${error.code}`;
        } catch (error) {
          if (!(error instanceof CoreError)) throw error;
          // Told by the device that comes nearest to taking it.
          if (reason === '' || / is not available on /.test(reason)) {
            reason = error.message.replace(/^the device would refuse \w+: /, '');
          }
        }
      }
      return ended ?? `no: ${reason}`;
    },
    async declarations(list) {
      const outcome = new Map<string, string>();
      for (const declaration of list) {
        try {
          await engine.declarations.put(declaration);
        } catch (error) {
          if (!(error instanceof CoreError)) throw error;
          outcome.set(declaration.identifier, `no: ${error.message}`);
        }
      }
      const kept = list.filter(({ identifier }) => !outcome.has(identifier));
      const identifiers = kept.map(({ identifier }) => identifier);
      // Each configuration has an activation of its own: one that fails must not keep the others from being active.
      for (const { identifier, type } of kept) {
        if (!type.startsWith('com.apple.configuration.')) continue;
        const activation = `${identifier}.on`.slice(-64);
        const payload = { StandardConfigurations: [identifier] };
        await engine.declarations.put({ identifier: activation, type: 'com.apple.activation.simple', payload });
        identifiers.push(activation);
      }
      const { id } = await engine.declarations.createSet({ name: 'all', identifiers });
      await engine.declarations.setMembers(id, { add: devices.map(({ udid }) => udid) });
      now += 60_000;
      await engine.tick();
      const rank = ['waiting', 'failed', 'inactive', 'applied'];
      for (const device of devices) {
        await device.poll();
        for (const { identifier, status, reasons } of await engine.declarations.ofDevice(device.udid)) {
          const said = status === 'failed' ? `failed ${reasons[0]?.code ?? ''}`.trim() : status;
          const before = outcome.get(identifier);
          const better = before === undefined || rank.indexOf(status) > rank.indexOf(before.split(' ')[0] as string);
          if (better) outcome.set(identifier, said);
        }
      }
      return outcome;
    },
    async status(name, value) {
      const nested = name.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);
      const data = new TextEncoder().encode(JSON.stringify({ StatusItems: nested, Errors: [] }));
      const message = { MessageType: 'DeclarativeManagement', UDID: scripted, Endpoint: 'status', Data: data };
      if ((await send(message)) !== 200) return false;
      return JSON.stringify((await engine.declarations.status(scripted))[name]) === JSON.stringify(value);
    },
    checkin: send,
  };
}
