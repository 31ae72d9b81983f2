// One session with the server: Idle, then a command and its answer, until the server has nothing more.
import { decodeDict } from '@espalier/plist';
import { execute } from '../commands/execute.ts';
import type { CommandResult } from '../commands/handler.ts';
import type { DeviceResponse } from '../net/transport.ts';
import type { Channel } from './channel.ts';
import { idleMessage, resultMessage } from './messages.ts';
import { isDict } from './profile.ts';
import type { DeviceState } from './state.ts';

/** A command that a session has executed. */
export interface ExecutedCommand {
  readonly commandUuid: string;
  readonly requestType: string;
  readonly status: CommandResult['status'];
}

/** How a session ended. */
export interface SessionResult {
  /** What the device did, in order. */
  readonly commands: readonly ExecutedCommand[];
  /**
   * `idle`: the server has nothing more. `restart`, `halt`, `erase`, `leave`: a command ended it. `unenrolled`: the
   * server does not know the device (401, or 403 with `com.apple.unrecognized.device`). `refused`: any other status.
   * `signed-out`: in an account-driven enrolment, the user would have to sign in again, and did not.
   * `garbage`: the server's answer is not a command. `too-many`: more commands than one session may have.
   */
  readonly ended:
    | 'idle'
    | 'restart'
    | 'halt'
    | 'erase'
    | 'leave'
    | 'unenrolled'
    | 'refused'
    | 'signed-out'
    | 'garbage'
    | 'too-many';
  /** The HTTP status of the last answer. */
  readonly status: number;
}

interface Outgoing {
  readonly kind: 'idle' | 'result';
  readonly body: Uint8Array;
  readonly requestType?: string;
  readonly effect?: CommandResult['effect'];
  /** What the fault plan says of it. */
  readonly fault: ReturnType<Channel['plan']>;
}

interface Incoming {
  readonly commandUuid: string;
  readonly requestType: string;
  readonly payload: Parameters<typeof execute>[2];
}

/** Runs a session. @throws SimulatorError `simulator.unreachable` */
export async function runSession(
  state: DeviceState,
  channel: Channel,
  now: () => number,
  maxCommands: number,
  fulfil: (result: CommandResult) => Promise<CommandResult>,
): Promise<SessionResult> {
  const commands: ExecutedCommand[] = [];
  const heldBack: Outgoing[] = [];
  const heldOnce = new Set<string>();
  const idle = (): Outgoing => ({ kind: 'idle', body: idleMessage(state), fault: channel.plan('idle') });
  let outgoing: Outgoing = idle();
  for (;;) {
    const { kind, body, requestType, effect, fault } = outgoing;
    const what = { kind, ...(requestType === undefined ? {} : { requestType }) };
    const response = await channel.deliver(what, body, fault);
    const end = (ended: SessionResult['ended']): SessionResult => ({ commands, ended, status: response.status });
    if (effect !== undefined) return end(effect);
    if (response.status !== 200) return end(whyRefused(response, state));
    if (response.body.length === 0) {
      const held = heldBack.shift();
      if (held === undefined) return end('idle');
      outgoing = held;
      continue;
    }
    const command = readCommand(response.body);
    if (command === undefined) return end('garbage');
    if (commands.length >= maxCommands) return end('too-many');
    const over = state.user === undefined ? 'device' : 'user';
    const executed = execute(state, command.requestType, command.payload, now(), over);
    const result = await fulfil(executed);
    const { commandUuid, requestType: type } = command;
    commands.push({ commandUuid, requestType: type, status: result.status });
    outgoing = {
      kind: 'result',
      requestType: type,
      body: resultMessage(state, commandUuid, result.status, result.keys ?? {}, result.errors ?? []),
      ...(result.effect === undefined ? {} : { effect: result.effect }),
      fault: channel.plan('result', type),
    };
    // A result held back lets the device ask again first; each command is held back once at most, so that it ends.
    if (result.effect === undefined && !heldOnce.has(commandUuid) && outgoing.fault?.type === 'reorder') {
      heldOnce.add(commandUuid);
      heldBack.push(outgoing);
      outgoing = idle();
    }
  }
}

/**
 * Devices leave on 401, and on 403 with this code (schema, mdm/errors/unrecognized.device.yaml). An account-driven
 * enrolment stays where the 401 asks for a sign-in.
 */
function whyRefused(response: DeviceResponse, state: DeviceState): 'unenrolled' | 'refused' | 'signed-out' {
  if (response.status === 401) {
    const asks = state.account !== undefined && response.headers['www-authenticate'] !== undefined;
    return asks ? 'signed-out' : 'unenrolled';
  }
  const unknown = response.status === 403 && Buffer.from(response.body).includes('com.apple.unrecognized.device');
  return unknown ? 'unenrolled' : 'refused';
}

function readCommand(bytes: Uint8Array): Incoming | undefined {
  let root: ReturnType<typeof decodeDict>;
  try {
    root = decodeDict(bytes);
  } catch {
    return undefined; // the session ends with `garbage`
  }
  const { CommandUUID: commandUuid, Command: payload } = root;
  if (typeof commandUuid !== 'string' || !isDict(payload)) return undefined;
  const { RequestType: requestType } = payload;
  return typeof requestType === 'string' ? { commandUuid, requestType, payload } : undefined;
}
