// A simulated device enrolment service with a client of it, and a clock that tests move.
import {
  createSimulatedEnrolmentService,
  type SimulatedEnrolmentOptions,
  type SimulatedEnrolmentService,
} from '@espalier/simulator';
import {
  createEnrolmentClient,
  createTokenKeyPair,
  type EnrolmentClient,
  type EnrolmentClientOptions,
  openServerToken,
  type ServerToken,
  type TokenKeyPair,
} from '../src/index.ts';

let shared: Promise<TokenKeyPair> | undefined;

/** One key pair for all tests of a file. */
export const keyPair = (): Promise<TokenKeyPair> => {
  shared ??= createTokenKeyPair({ clock: { now: () => Date.UTC(2026, 2, 1) } });
  return shared;
};

export interface TestClock {
  now(): number;
  move(ms: number): void;
}

export function movingClock(): TestClock {
  let at = Date.UTC(2026, 2, 1);
  return {
    now: () => at,
    move(ms) {
      at += ms;
    },
  };
}

export interface Setting {
  readonly apple: SimulatedEnrolmentService;
  readonly client: EnrolmentClient;
  readonly clock: TestClock;
  readonly token: ServerToken;
  /** What the client waited, in milliseconds. */
  readonly waits: number[];
  another(options?: Partial<EnrolmentClientOptions>): EnrolmentClient;
}

/** Makes a service and a client; waiting moves the clock. */
export async function setting(
  options: SimulatedEnrolmentOptions = {},
  clientOptions: Partial<EnrolmentClientOptions> = {},
): Promise<Setting> {
  const clock = movingClock();
  const apple = createSimulatedEnrolmentService({ clock, ...options });
  const pair = await keyPair();
  const token = openServerToken(apple.downloadToken(pair.certificate), pair);
  const waits: number[] = [];
  const another = (more: Partial<EnrolmentClientOptions> = {}): EnrolmentClient =>
    createEnrolmentClient({
      token,
      clock,
      fetch: apple.fetch,
      random: () => 0.5,
      async sleep(ms) {
        waits.push(ms);
        clock.move(ms);
      },
      ...clientOptions,
      ...more,
    });
  return { apple, clock, token, waits, another, client: another() };
}

/** All items of an async iterable. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
