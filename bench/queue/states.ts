// The states that a store is measured in, and what its devices and commands are.
import type { NewCommand } from '@espalier/core';

/** When everything in the benchmark happens. */
export const T0 = Date.UTC(2026, 0, 1);
/** When the commands that are not to be offered yet are. */
export const LATER = T0 + 10 * 365 * 86_400_000;
/** When the finished commands finished: after what the turns do, so that only what a turn added is deleted after it. */
export const KEPT = T0 + 86_400_000;
/** Devices that take part in the cycles; the others make the store big. */
export const POLLED = 2_000;
/** Finished or pending commands of each device that has any. */
export const EACH = 10;

/**
 * What the store holds besides the devices. Everywhere the polled devices do the same: one new command, two polls.
 * - `empty`: nothing.
 * - `history`: ten finished commands of each device, the polled ones among them.
 * - `backlog`: ten pending commands, to be offered at once, of each device that does not take part.
 * - `own`: ten pending commands of each device, the polled ones among them, that are not to be offered yet.
 */
export const STATES = ['empty', 'history', 'backlog', 'own'] as const;
/** One of {@link STATES}. */
export type State = (typeof STATES)[number];

/** The name of a device. */
export const idOf = (i: number): string => `DEVICE-${String(i).padStart(8, '0')}`;

/** The numbers of the devices that have something in a state, beginning and end (not included), of so many beside the polled. */
export function having(state: State, devices: number): readonly [from: number, to: number] {
  if (state === 'empty') return [0, 0];
  return state === 'backlog' ? [POLLED, POLLED + devices] : [0, devices];
}

/** A command for the benchmark. */
export function command(commandUuid: string, options: Partial<NewCommand> = {}): NewCommand {
  return {
    commandUuid,
    requestType: 'DeviceInformation',
    body: { bytes: new Uint8Array(2_000).fill(32), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'replace',
    maxAttempts: 20,
    onError: 'fail',
    chain: null,
    origin: 'bench',
    push: true,
    followUp: false,
    ...options,
  };
}

/** What every device answers; one object, so that its making is not measured. */
export const RESPONSE = { bytes: new Uint8Array(3_000).fill(32), sealed: false };
/** The backoff of every poll. */
export const backoff = { baseMs: 300_000, maxMs: 43_200_000 };
