// The devices of the benchmark, in a process of their own: ready-made requests, and how long each cycle took.
import { Buffer } from 'node:buffer';
import { signCms, toPem } from '@espalier/pki';
import { serve } from './child.ts';
import { messages, udidOf, type Work } from './messages.ts';
import { FORWARDED, type Mode, type Target } from './modes.ts';
import { type ClientIdentity, openWire, requestBytes, type Wire } from './wire.ts';

/** What the client is asked. */
export type ClientRequest =
  | {
      readonly ask: 'identities';
      readonly identities: readonly { readonly certificate: Uint8Array; readonly privateKey: Uint8Array }[];
    }
  | { readonly ask: 'enrol'; readonly target: Target; readonly mode: Mode }
  | {
      readonly ask: 'prepare';
      readonly mode: Mode;
      readonly work: Work;
      readonly commandUuid: string;
      readonly paths: readonly string[];
    }
  | {
      readonly ask: 'run';
      readonly target: Target;
      readonly mode: Mode;
      readonly cycles: number;
      readonly width: number;
    }
  | { readonly ask: 'end' };

/** What it answers: how long all took, and each cycle, in milliseconds. */
export interface RunAnswer {
  readonly ms: number;
  readonly times: readonly number[];
}

interface Identity extends ClientIdentity {
  readonly certificate: Uint8Array;
  readonly privateKey: Uint8Array;
}

const CHECKIN = 'application/x-apple-aspen-mdm-checkin';
const CONNECT = 'application/x-apple-aspen-mdm';

let identities: readonly Identity[] = [];
/** The requests of a cycle, by device, for each path that servers have. */
let prepared = new Map<string, readonly (readonly [idle: Buffer, result: Buffer])[]>();
let expected = '';
const signatures = new Map<number, string>();

function proof(i: number, body: Uint8Array, { tls, signed }: Mode): Record<string, string> {
  const { certificate, privateKey, cert } = identities[i]!;
  if (signed) {
    return {
      'Mdm-Signature': Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64'),
    };
  }
  return tls ? {} : { [FORWARDED]: encodeURIComponent(cert) };
}

/** Idle is the same each time, and so is its signature. */
function idleProof(i: number, body: Uint8Array, mode: Mode): Record<string, string> {
  if (!mode.signed) return proof(i, body, mode);
  const known = signatures.get(i) ?? proof(i, body, mode)['Mdm-Signature']!;
  signatures.set(i, known);
  return { 'Mdm-Signature': known };
}

function prepare(mode: Mode, work: Work, commandUuid: string, paths: readonly string[]): void {
  expected = commandUuid;
  const type = { 'content-type': CONNECT, 'user-agent': 'MDM/1.0' };
  const parts = identities.map((_, i) => {
    const idle = messages.idle(i);
    const result = messages.acknowledged(i, work, commandUuid);
    return { idle, idleHeaders: idleProof(i, idle, mode), result, resultHeaders: proof(i, result, mode) };
  });
  const requests = (path: string) =>
    parts.map(
      ({ idle, idleHeaders, result, resultHeaders }) =>
        [
          requestBytes(path, idle, { ...type, ...idleHeaders }),
          requestBytes(path, result, { ...type, ...resultHeaders }),
        ] as const,
    );
  prepared = new Map(paths.map((path) => [path, requests(path)]));
}

async function enrol(target: Target, mode: Mode): Promise<void> {
  const wire = await openWire(target);
  for (const i of identities.keys()) {
    for (const body of [messages.authenticate(i), messages.tokenUpdate(i)]) {
      await wire.send(requestBytes(target.checkinPath, body, { 'content-type': CHECKIN, ...proof(i, body, mode) }));
    }
  }
  wire.close();
}

async function run(target: Target, { tls }: Mode, cycles: number, width: number): Promise<RunAnswer> {
  const times: number[] = [];
  const requests = prepared.get(target.connectPath)!;
  let next = 0;
  const lane = async (kept: Wire | null): Promise<void> => {
    while (next < cycles) {
      const i = next++;
      const [idle, result] = requests[i]!;
      const began = performance.now();
      const wire = kept ?? (await openWire(target, identities[i]!));
      const command = await wire.send(idle);
      if (!command.includes(expected)) throw new Error(`${udidOf(i)} was given another command, or none`);
      const last = await wire.send(result);
      if (last.length > 5) throw new Error(`${udidOf(i)} was given one more command`);
      if (kept === null) wire.close();
      times.push(performance.now() - began);
    }
  };
  const wires = tls ? [] : await Promise.all(Array.from({ length: width }, () => openWire(target)));
  const began = performance.now();
  await Promise.all(Array.from({ length: width }, (_, i) => lane(wires[i] ?? null)));
  const ms = performance.now() - began;
  for (const wire of wires) wire.close();
  return { ms, times };
}

async function answer(request: ClientRequest): Promise<RunAnswer | null> {
  switch (request.ask) {
    case 'identities':
      identities = request.identities.map(({ certificate, privateKey }) => ({
        certificate,
        privateKey,
        cert: toPem(certificate),
        key: toPem(privateKey, 'PRIVATE KEY'),
      }));
      return null;
    case 'enrol':
      await enrol(request.target, request.mode);
      return null;
    case 'prepare':
      prepare(request.mode, request.work, request.commandUuid, request.paths);
      return null;
    case 'run':
      return run(request.target, request.mode, request.cycles, request.width);
    case 'end':
      return null;
  }
}

serve(answer);
