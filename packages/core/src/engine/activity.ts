// The activity log of a device (ABM-26): its commands, filtered, each with what went wrong and what helps.
import { readResponse, rejectionReasons } from '@espalier/apple-mdm';
import type { Page } from '../api/common.ts';
import type { ActivityEntry, ActivityFailure, ActivityQuery } from '../api/engine.ts';
import type { CommandEntry } from '../api/records.ts';
import { type Context, pageOf } from './context.ts';

/** Rows that one call looks at: whoever filters for what hardly ever comes goes on from `next`. */
const SCAN = 2_000;
/** Commands whose answer says more than their state. */
const told = new Set(['InstallApplication', 'InstallMedia']);

/** Reads a page of it. */
export async function listActivity(
  context: Context,
  enrolmentId: string,
  { from, to, states, requestType, ...page }: ActivityQuery,
): Promise<Page<ActivityEntry>> {
  const { store } = context;
  const { limit, after } = pageOf(page);
  const items: ActivityEntry[] = [];
  let place = after;
  for (let seen = 0; seen < SCAN; ) {
    const rows = await store.queue.list(enrolmentId, {
      limit: limit - items.length,
      ...(place === undefined ? {} : { after: place }),
    });
    for (const row of rows.items) {
      const at = row.finishedAt ?? row.sentAt ?? row.queuedAt;
      if (from !== undefined && at < from) continue;
      if (to !== undefined && at > to) continue;
      if (states !== undefined && !states.includes(row.state)) continue;
      if (requestType !== undefined && row.requestType !== requestType) continue;
      items.push({ ...row, at, failure: await failureOf(context, row) });
    }
    seen += rows.items.length;
    if (rows.next === null || items.length === limit) return { items, next: rows.next };
    place = rows.next;
  }
  return { items, next: place ?? null };
}

async function failureOf(context: Context, row: CommandEntry): Promise<ActivityFailure | null> {
  const reason = told.has(row.requestType) ? await rejectionOf(context, row) : null;
  if (reason !== null) {
    const { cause = 'the device gives a reason that is not known here', remedy } = Object.hasOwn(
      rejectionReasons,
      reason,
    )
      ? rejectionReasons[reason]!
      : {};
    return { reason, cause, remedy: remedy ?? null };
  }
  // The first link is the outermost: what failed, in the device's words.
  const [first] = row.errorChain;
  return first === undefined
    ? null
    : { reason: `${first.domain} ${first.code}`, cause: first.description, remedy: null };
}

/** `RejectionReason` in the answer, whatever its status. */
async function rejectionOf({ store, vault }: Context, row: CommandEntry): Promise<string | null> {
  if (row.finishedAt === null) return null;
  const { enrolmentId, commandUuid } = row;
  const response = (await store.queue.get(enrolmentId, commandUuid))?.response ?? null;
  if (response === null) return null;
  const bytes = vault.read(response, { kind: 'response', key: [enrolmentId, commandUuid] });
  const reason = readResponse(bytes).value['RejectionReason'];
  return typeof reason === 'string' ? reason : null;
}
