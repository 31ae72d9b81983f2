// What an action is made of.
import type { ActionDescription, ActionOptions } from '../api/actions.ts';
import type { Facts } from '../api/common.ts';
import type { Enrolment } from '../api/records.ts';
import type { ProposedCommand } from '../engine/capabilities.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

/** One device of an action. */
export interface ActionDevice {
  readonly enrolment: Enrolment;
  /** With what the server knows of it. */
  readonly facts: Facts;
}

/** What an action did on one device. */
export interface Done {
  readonly commandUuids?: readonly string[];
  /** Nothing is left for the device to do. */
  readonly done?: boolean;
}

/** One action. `P`: what it takes. */
export interface ActionDefinition<P> extends Omit<ActionDescription, 'action'> {
  /** Throws for parameters that make no sense. */
  readonly check?: (parameters: P) => void;
  /** What the device has to take. */
  readonly needs?: (parameters: P) => readonly string[];
  /** What speaks against it on this device, by this server's rules; `force` overrides it. */
  readonly guard?: (device: ActionDevice, parameters: P) => CoreError | null;
  readonly warn?: (device: ActionDevice, parameters: P) => readonly string[];
  /** The commands, where all devices get the same; `null` for what `run` does. */
  readonly commands?: (parameters: P) => readonly ProposedCommand[] | null;
  /** Parameters that stand for all, to tell in advance which devices take the commands. */
  readonly sample?: P;
  /** Else what is done on one device. */
  readonly run?: (context: Context, device: ActionDevice, parameters: P, options: ActionOptions) => Promise<Done>;
}

/** The statuses of devices that can be asked for something. */
export const REACHABLE: readonly string[] = ['Active', 'Lost', 'Wipe Pending', 'Retire Pending'];

/** The error for parameters that make no sense. */
export function badParameters(problem: string, path: string): CoreError {
  return new CoreError('core.action.bad_parameters', 'invalid', problem, { at: { path } });
}

/** The error for a rule of this server. */
export function against(code: string, problem: string, remedy: string): CoreError {
  return new CoreError(`core.action.${code}`, 'conflict', problem, {
    remedy: `${remedy} Set force to do it all the same.`,
  });
}
