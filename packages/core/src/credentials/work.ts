// What credentials do between requests and at delivery: facts for the compiler, identities made ahead and on demand, upkeep.
import { createPkcs12 } from '@espalier/pki';
import type { Facts } from '../api/common.ts';
import type { CredentialSetting } from '../api/credentials.ts';
import type { DeviceRow } from '../api/records.ts';
import type { CredentialSummary } from '../contracts/credentials.ts';
import { type Context, randomWord } from '../engine/context.ts';
import { allFacts } from '../engine/facts.ts';
import { revokeCertificate } from '../engine/issuer-revocation.ts';
import type { LateSource, LateValue } from '../engine/options.ts';
import { deviceHolder, markDevices, sharedHolder, userHolder, userOf } from './holders.ts';
import type { Issue } from './issue.ts';
import { openCredential } from './keep.ts';

/** The name of the source in {@link LateValue}. */
export const CREDENTIAL_SOURCE = 'credential';

const DAY = 86_400_000;
const BATCH = 500;

/** The engine's side of credentials. */
export interface CredentialWork {
  /**
   * What compilers read of each device's credentials: `credential.ID`, which changes with each identity that is to be
   * delivered, and `credential.ID.missing`, the reason when none can be.
   */
  facts(rows: readonly DeviceRow[]): Promise<ReadonlyMap<string, Facts>>;
  /** Makes the identities of settings that are made `early`. */
  prepare(late: readonly LateValue[], records: readonly { readonly enrolmentId: string }[]): Promise<void>;
  /** Gives a device its identity when it takes the profile. */
  readonly source: LateSource;
  /** Ends, ages and deletes what is due. */
  upkeep(): Promise<void>;
  /** Revokes what a device that left was issued, where its setting says so. */
  ended(enrolmentId: string): Promise<void>;
}

/** Makes the work; `issue` is absent where the product issues no identities. */
export function createCredentialWork(context: Context, issue: Issue | undefined): CredentialWork {
  const { store, clock, options, logger, random, bus } = context;

  function holderOf(setting: CredentialSetting, enrolmentId: string, user: string | null): string | null {
    if (setting.scope === 'device') return deviceHolder(enrolmentId);
    if (setting.scope === 'shared') return sharedHolder(setting.id);
    return user === null ? null : userHolder(user);
  }

  /** Which revision is to be on the device, and why it cannot be delivered, if so. */
  function judge(
    setting: CredentialSetting,
    holder: string | null,
    newest: CredentialSummary | undefined,
  ): { readonly revision: string | null; readonly missing: string | null } {
    const { displayName, source } = setting;
    if (holder === null) return { revision: null, missing: 'it is not known whose the device is' };
    const { status, keyStored } = newest ?? { status: null, keyStored: false };
    if (source !== 'issued') {
      const who = source === 'single-file' ? 'an administrator' : 'the user';
      const again = `${who} has to upload a file for ${JSON.stringify(displayName)}`;
      if (newest === undefined) return { revision: null, missing: again };
      const revision = newest.fingerprint;
      if (!keyStored) return { revision, missing: `the private key was deleted: ${again} again` };
      if (status === 'expired') return { revision, missing: `the certificate has expired: ${again} again` };
      return { revision, missing: null };
    }
    const next = `r${(newest?.revision ?? 0) + 1}`;
    if (issue === undefined) return { revision: next, missing: 'this server issues no identities' };
    if (newest === undefined) return { revision: next, missing: null };
    const revision = `r${newest.revision}`;
    if (status === 'revoked') return { revision, missing: 'the certificate was revoked' };
    if (status !== 'active') return { revision: next, missing: null };
    return { revision, missing: keyStored ? null : 'the private key was deleted' };
  }

  async function facts(rows: readonly DeviceRow[]): Promise<ReadonlyMap<string, Facts>> {
    const settings = await store.credentials.settings();
    if (settings.length === 0 || rows.length === 0) return new Map();
    const people = rows.map(({ enrolment, facts: known }) => ({
      id: enrolment.id,
      user: userOf(known, options.userFields),
    }));
    const shared = settings.filter(({ scope }) => scope === 'shared').map(({ id }) => sharedHolder(id));
    const holders = [
      ...shared,
      ...people.flatMap(({ id, user }) => [deviceHolder(id), ...(user === null ? [] : [userHolder(user)])]),
    ];
    const newest = new Map<string, CredentialSummary>();
    for (const row of await store.credentials.newestOf(holders)) newest.set(`${row.settingId}\n${row.holder}`, row);
    return new Map(
      people.map(({ id, user }) => {
        const found: Record<string, string> = {};
        for (const setting of settings) {
          const holder = holderOf(setting, id, user);
          const { revision, missing } = judge(setting, holder, newest.get(`${setting.id}\n${holder}`));
          if (revision !== null) found[`credential.${setting.id}`] = revision;
          if (missing !== null) found[`credential.${setting.id}.missing`] = missing;
        }
        return [id, found];
      }),
    );
  }

  /** The identity that is to be delivered, made if it is not there yet. */
  async function obtain(row: DeviceRow, settingId: string) {
    const setting = await store.credentials.setting(settingId);
    if (setting === null) return { outcome: 'gone', reason: 'there is no such credential setting' } as const;
    const userId = userOf(row.facts, options.userFields);
    const holder = holderOf(setting, row.enrolment.id, userId);
    const before = holder === null ? null : await store.credentials.newest(setting.id, holder);
    const summary = before === null ? undefined : { ...before, keyStored: before.sealed !== null };
    const { revision, missing } = judge(setting, holder, summary);
    if (missing !== null || holder === null) {
      return { outcome: 'gone', reason: missing ?? 'there is no holder' } as const;
    }
    const there = before !== null && (setting.source !== 'issued' || revision === `r${before.revision}`);
    if (there) return { outcome: 'there', credential: before, revision, setting } as const;
    const made = await issue?.({ setting, holder, ...row, userId, before });
    if (made == null) return { outcome: 'hold', reason: 'the issuer holds it back' } as const;
    return { outcome: 'there', credential: made, revision: `r${made.revision}`, setting } as const;
  }

  return {
    facts,

    async prepare(late, records) {
      const wanted = new Set(late.filter(({ source }) => source === CREDENTIAL_SOURCE).map((value) => value.reference));
      for (const setting of await store.credentials.settings()) {
        if (setting.source !== 'issued' || setting.generation !== 'early' || !wanted.has(setting.id)) continue;
        for (const row of await store.inventory.rows(records.map(({ enrolmentId }) => enrolmentId))) {
          const user = userOf(row.facts, options.userFields);
          const holder = holderOf(setting, row.enrolment.id, user);
          if (holder === null) continue;
          // What was made ahead once and not taken is made on demand from then on.
          if ((await store.credentials.newest(setting.id, holder))?.status === 'discarded') continue;
          try {
            await obtain({ enrolment: row.enrolment, facts: allFacts(row) }, setting.id);
          } catch (error) {
            const about = { error, settingId: setting.id, enrolmentId: row.enrolment.id };
            logger.warn(about, 'an identity could not be made ahead; it is made on demand');
          }
        }
      }
    },

    async source({ enrolment, facts: known, reference, revision }) {
      await context.vault.ready();
      const found = await obtain({ enrolment, facts: known }, reference);
      if (found.outcome !== 'there') return found;
      if (found.revision !== revision) return { outcome: 'gone', reason: 'there is another identity by now' };
      const { credential } = found;
      const identity = openCredential(context, credential);
      if (identity === null) return { outcome: 'gone', reason: 'the private key was deleted' };
      const password = randomWord(random, 18);
      const encryption = options.pkcs12Encryption;
      const file = await createPkcs12({ ...identity, password, encryption, random });
      const at = clock.now();
      const { id, settingId, holder, fingerprint } = credential;
      const data = { credentialId: id, settingId, holder, fingerprint };
      const event = { type: 'credential.delivered', at, enrolmentId: enrolment.id, data } as const;
      if (!(await store.credentials.delivered({ id, at, event }))) await store.events.append([event]);
      bus.poke();
      return { outcome: 'ready', values: { PayloadContent: file, Password: password } };
    },

    async upkeep() {
      const at = clock.now();
      const holders = new Set<string>();
      const drain = async (step: () => Promise<readonly { readonly holder: string }[]>): Promise<void> => {
        for (;;) {
          const changed = await step();
          for (const { holder } of changed) holders.add(holder);
          if (changed.length < BATCH) return;
        }
      };
      await drain(() => store.credentials.deleteOldKeys({ at, limit: BATCH }));
      const before = at - options.undeliveredDays * DAY;
      await drain(() => store.credentials.discard({ before, at, limit: BATCH }));
      await drain(() => store.credentials.age({ at, limit: BATCH }));
      while ((await store.credentials.purge({ before: at - options.certificateRetentionMs, limit: BATCH })) >= BATCH);
      await markDevices(context, [...holders]);
    },

    async ended(enrolmentId) {
      const at = clock.now();
      const reason = 'cessationOfOperation';
      for (const { id, settingId, fingerprint } of await store.credentials.newestOf([deviceHolder(enrolmentId)])) {
        if ((await store.credentials.setting(settingId))?.revokeOnCheckOut !== true) continue;
        const data = { fingerprint, credentialId: id, reason, by: 'end' };
        const event = { type: 'certificate.revoked', at, enrolmentId, data } as const;
        await revokeCertificate(context, { fingerprint, reason, at, event });
      }
    },
  };
}
