// Taking commands back, as far as they can be: the store decides, so that a device that fetches one meanwhile is noticed.
import type { EndedCommand } from '../contracts/queue.ts';
import type { Context } from '../engine/context.ts';

/** What a device does as soon as it has it (ACT-12): to say that it was taken back would be a lie. */
export const UNDER_WAY: readonly string[] = ['EraseDevice'];

/** Takes a pending command back, and tells what ended; `null` where it is under way on the device. */
export async function takeBack(
  { store, clock }: Pick<Context, 'store' | 'clock'>,
  enrolmentId: string,
  commandUuid: string,
): Promise<readonly EndedCommand[] | null> {
  const which = { enrolmentIds: [enrolmentId], commandUuid, keepSent: UNDER_WAY };
  const ended = await store.queue.end({ ...which, state: 'cancelled', at: clock.now() });
  if (ended.length > 0) return ended;
  return (await store.queue.get(enrolmentId, commandUuid))?.finishedAt === null ? null : [];
}
