// Whose token the requests of a device need: known by its certificate, remembered for a while.
import type { Engine, EnrolmentAccount } from '@espalier/core';

/** By whose account the device with this certificate enrolled; `null` for every other. */
export type AccountLookup = (fingerprint: string) => Promise<EnrolmentAccount | null>;

const MOST = 20_000;
/** Who enrolled by an account stays so; of everybody else that is believed for this long. */
const OTHERS_MS = 600_000;

/** Makes the lookup: a fleet polls far more often than its certificates change. */
export function createAccountLookup(engine: Engine): AccountLookup {
  const held = new Map<string, { readonly account: EnrolmentAccount | null; readonly until: number }>();
  return async (fingerprint) => {
    const now = engine.clock.now();
    const known = held.get(fingerprint);
    if (known !== undefined && known.until > now) return known.account;
    const account = await engine.enrolling.accountOf(fingerprint);
    held.delete(fingerprint);
    held.set(fingerprint, { account, until: account === null ? now + OTHERS_MS : Number.POSITIVE_INFINITY });
    if (held.size > MOST) held.delete(held.keys().next().value as string);
    return account;
  };
}
