// What a simulated fleet has done so far.
import { createLatencyRecorder, type LatencySummary, type RequestEvent, type SessionResult } from '@espalier/simulator';

/** The figures at one moment. */
export interface Figures {
  readonly devices: number;
  readonly enrolled: number;
  /** Devices that could not enrol. */
  readonly failed: number;
  /** Sessions by how they ended. */
  readonly sessions: { readonly [ended: string]: number };
  /** Results of commands by status. */
  readonly commands: { readonly [status: string]: number };
  /** Requests by kind: how many, and how long they took in milliseconds. */
  readonly requests: { readonly [kind: string]: LatencySummary };
  /** Reasons of failures, with how often each came up. */
  readonly problems: { readonly [reason: string]: number };
  /** Seconds since the start. */
  readonly seconds: number;
  /** Why it ended: all was done, the time was over, or somebody interrupted it; absent while it runs. */
  readonly ended?: 'done' | 'time' | 'interrupted';
}

/** Counts as it goes. */
export interface Tally {
  request(event: RequestEvent): void;
  enrolled(): void;
  enrolmentFailed(error: unknown): void;
  session(result: SessionResult): void;
  sessionFailed(error: unknown): void;
  figures(seconds: number, ended?: Figures['ended']): Figures;
}

/** Makes a tally of a fleet. */
export function createTally(devices: number): Tally {
  const latency = createLatencyRecorder();
  const sessions = new Map<string, number>();
  const commands = new Map<string, number>();
  const problems = new Map<string, number>();
  let enrolled = 0;
  let failed = 0;
  const count = (map: Map<string, number>, key: string): void => {
    map.set(key, (map.get(key) ?? 0) + 1);
  };
  return {
    request: (event) => latency.record(event.kind, event.ms),
    enrolled: () => {
      enrolled++;
    },
    enrolmentFailed(error) {
      failed++;
      count(problems, reasonOf(error));
    },
    session(result) {
      count(sessions, result.ended);
      for (const command of result.commands) count(commands, command.status);
    },
    sessionFailed: (error) => count(problems, reasonOf(error)),
    figures: (seconds, ended) => ({
      devices,
      enrolled,
      failed,
      sessions: Object.fromEntries(sessions),
      commands: Object.fromEntries(commands),
      requests: latency.summary(),
      problems: Object.fromEntries(problems),
      seconds,
      ...(ended === undefined ? {} : { ended }),
    }),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
