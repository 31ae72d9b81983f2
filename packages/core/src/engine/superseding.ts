// What User Enrolments leave behind (ABM-28): each sign-in makes a new record, and the one before stays until it is retired.
import { compare } from '@espalier/search';
import type { StoredDevice } from '../contracts/inventory.ts';
import { retire } from '../lifecycle/phases.ts';
import type { Context } from './context.ts';

/** The id of the later record of the same device and account. */
export const SUPERSEDED_TOKEN = 'ios.superseded_by';
/** The account of a User Enrolment. */
export const ACCOUNT_TOKEN = 'ios.managed_apple_id';
/** What one account has at most: beyond that it stands for no person, and nothing can be said of its devices. */
const MOST = 1_000;

type OwnDevice = StoredDevice & { readonly enrolment: { readonly enrolledAt: number } };

const byUser = (row: StoredDevice): row is OwnDevice =>
  row.enrolment.kind === 'user-enrolment-device' && row.enrolment.enrolledAt !== null;

const isManaged = ({ enrolment }: StoredDevice): boolean => enrolment.status === 'active' && enrolment.pushable;

/** All User Enrolments of an account that ever became active. */
async function recordsOf(context: Context, account: string): Promise<readonly OwnDevice[]> {
  const { store, searching, matcher } = context;
  const matching = matcher.expression(compare(ACCOUNT_TOKEN, '=', account));
  const ids: string[] = [];
  if (store.inventory.holders !== undefined) {
    ids.push(...(await store.inventory.holders({ token: ACCOUNT_TOKEN, text: account, limit: MOST + 1 })));
    return ids.length > MOST ? [] : (await store.inventory.rows(ids)).filter(byUser);
  }
  for await (const devices of searching.found({ matching })) {
    ids.push(...devices.map(({ enrolmentId }) => enrolmentId));
    if (ids.length > MOST) return [];
  }
  return (await store.inventory.rows(ids)).filter(byUser);
}

async function supersede(context: Context, { enrolment, facts }: OwnDevice, by: string): Promise<void> {
  const { store, clock, options } = context;
  const { id: enrolmentId, status } = enrolment;
  if (facts[SUPERSEDED_TOKEN] !== by) {
    const at = clock.now();
    const event = { type: 'enrolment.superseded', at, enrolmentId, data: { by } } as const;
    const report = { enrolmentId, at, facts: { [SUPERSEDED_TOKEN]: by }, complete: false, event };
    const applied = await store.inventory.apply(report);
    if (applied !== null) await context.factsChanged(enrolmentId, applied.changed);
  }
  if (options.retireSuperseded && status === 'active') await retire(context, enrolmentId, 'superseded');
}

/**
 * Looks at the accounts of these User Enrolments: earlier records of the same account and kind of device, which are not managed
 * any more, are linked to the one that took their place (`ios.superseded_by`). Apple tells no identifier of the device itself, so
 * that a person's second iPhone of the same model is told from the first only by its push token, which lives. With `ask`,
 * Apple is asked about the earlier ones by a push.
 */
export async function reviewAccounts(
  context: Context,
  enrolmentIds: readonly string[],
  { ask }: { readonly ask: boolean },
): Promise<void> {
  const { store, clock, matcher, kick } = context;
  // A catalogue of the product's own need not have the fields.
  if (matcher.catalogue.get(ACCOUNT_TOKEN) === undefined) return;
  const rows = (await store.inventory.rows(enrolmentIds)).filter(byUser);
  const accounts = new Map(
    rows.flatMap(({ facts: { [ACCOUNT_TOKEN]: account } }) =>
      typeof account === 'string' && account !== '' ? [[account.toLowerCase(), account]] : [],
    ),
  );
  for (const account of accounts.values()) {
    const records = await recordsOf(context, account);
    const newest = new Map<string | null, OwnDevice['enrolment']>();
    for (const { enrolment } of records.filter(isManaged)) {
      const before = newest.get(enrolment.productName);
      if (before === undefined || enrolment.enrolledAt > before.enrolledAt)
        newest.set(enrolment.productName, enrolment);
    }
    const alive: string[] = [];
    for (const record of records) {
      const successor = newest.get(record.enrolment.productName);
      if (successor === undefined || successor.enrolledAt <= record.enrolment.enrolledAt) continue;
      if (isManaged(record)) alive.push(record.enrolment.id);
      else await supersede(context, record, successor.id);
    }
    if (!ask || alive.length === 0) continue;
    await store.push.request({ enrolmentIds: alive, at: clock.now() });
    kick.notifier();
  }
  context.bus.poke();
}
