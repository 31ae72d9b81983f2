// Drives a fleet: everybody enrols, then polls in rounds, until the time is over or somebody interrupts.
import { type EnrolmentWay, type SimulatedDevice, SimulatorError, type UserSession } from '@espalier/simulator';
import type { Io } from '../io.ts';
import type { Figures, Tally } from './tally.ts';

/** What is to be done. */
export interface Plan {
  /** A profile's address or bytes, or another way to enrol: of each device. */
  source(device: SimulatedDevice, index: number): string | Uint8Array | EnrolmentWay;
  /** Users of Macs and Shared iPads log in. */
  readonly logIn: boolean;
  readonly concurrency: number;
  /** Seconds in all. */
  readonly seconds: number;
  /** Seconds from the start of one round of polls to the start of the next. */
  readonly interval: number;
  /** Rounds of polls at most. */
  readonly rounds: number;
  /** Devices leave at the end. */
  readonly checkOut: boolean;
}

/** Milliseconds that requests under way have to finish once it is over. */
const grace = 5_000;

/** Runs the plan; gives why it ended. Devices are closed then. */
export async function runFleet(
  fleet: readonly SimulatedDevice[],
  plan: Plan,
  tally: Tally,
  io: Pick<Io, 'now' | 'sleep' | 'onInterrupt'>,
): Promise<NonNullable<Figures['ended']>> {
  const end = io.now() + plan.seconds * 1000;
  const interruption = new AbortController(); // ends the pauses
  const finished = new AbortController(); // ends the waiting for what does not end
  const stopListening = io.onInterrupt(() => interruption.abort());
  const users = new Map<SimulatedDevice, UserSession>();
  const over = (): boolean => interruption.signal.aborted || io.now() >= end;
  try {
    const work = (async () => {
      await inTurns(fleet, plan.concurrency, over, (device, index) => enrol(device, index, plan, users, tally));
      for (let round = 1; round <= plan.rounds && !over(); round++) {
        const start = io.now();
        await inTurns(fleet, plan.concurrency, over, (device) => poll(device, users.get(device), tally));
        const pause = Math.min(end, start + plan.interval * 1000) - io.now();
        if (round < plan.rounds && pause > 0) await io.sleep(pause, interruption.signal);
      }
    })();
    // What was begun when it is over may finish, but not for ever.
    const time = io.sleep(plan.seconds * 1000, AbortSignal.any([interruption.signal, finished.signal]));
    await Promise.race([work, time.then(() => io.sleep(grace, finished.signal))]);
    const why = interruption.signal.aborted ? 'interrupted' : io.now() >= end ? 'time' : 'done';
    if (plan.checkOut) {
      await Promise.race([leave(fleet, plan.concurrency, tally), io.sleep(2 * grace, finished.signal)]);
    }
    return why;
  } finally {
    stopListening();
    finished.abort();
    for (const device of fleet) device.close();
  }
}

async function enrol(
  device: SimulatedDevice,
  index: number,
  plan: Plan,
  users: Map<SimulatedDevice, UserSession>,
  tally: Tally,
): Promise<void> {
  try {
    await device.enrol(plan.source(device, index));
    if (plan.logIn) {
      const user = await logIn(device, index);
      if (user?.managed === true) users.set(device, user);
    }
    tally.enrolled();
  } catch (error) {
    if (!(error instanceof SimulatorError)) throw error;
    tally.enrolmentFailed(error);
  }
}

/** The Mac's own user, or somebody with a Shared iPad in hand. */
async function logIn(device: SimulatedDevice, index: number): Promise<UserSession | undefined> {
  if (device.kind === 'Mac') return await device.logIn();
  const shared = device.kind === 'iPad' && device.state().sharedIpad === true;
  return shared ? await device.logIn({ shortName: `user${index + 1}@example.com` }) : undefined;
}

async function poll(device: SimulatedDevice, user: UserSession | undefined, tally: Tally): Promise<void> {
  if (device.phase !== 'enrolled') return;
  try {
    tally.session(await device.poll());
    // A command may have logged the user out.
    if (user?.state()?.loggedIn === true && device.state().phase === 'enrolled') tally.session(await user.poll());
  } catch (error) {
    if (!(error instanceof SimulatorError)) throw error;
    tally.sessionFailed(error);
  }
}

function leave(fleet: readonly SimulatedDevice[], concurrency: number, tally: Tally): Promise<void> {
  return inTurns(
    fleet,
    concurrency,
    () => false,
    async (device) => {
      if (device.phase !== 'enrolled') return;
      try {
        await device.checkOut();
      } catch (error) {
        if (!(error instanceof SimulatorError)) throw error;
        tally.sessionFailed(error);
      }
    },
  );
}

/** One after the other, several at once, and no further ones once it is over. */
async function inTurns(
  fleet: readonly SimulatedDevice[],
  concurrency: number,
  over: () => boolean,
  task: (device: SimulatedDevice, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < fleet.length && !over()) {
      const index = next++;
      await task(fleet[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, fleet.length) }, worker));
}
