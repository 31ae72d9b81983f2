// Automated device enrolment put together: accounts by their tokens, Apple's client for each, profiles, locks, the loops.
import { randomBytes } from 'node:crypto';
import {
  accountState,
  checkRenewal,
  createBypassCode,
  createEnrolmentClient,
  createProfileChooser,
  type EnrolmentClient,
  isAdeError,
  openServerToken,
  readPreAssignment,
  type ServerToken,
  tokenLife,
} from '@espalier/ade';
import type { AdeProfile } from '@espalier/core';
import { HostError } from '../errors.ts';
import { silentLogger } from '../types.ts';
import { createAdeJobs } from './jobs.ts';
import { addressed, checkProfile, refuseErrors } from './profiles.ts';
import { createAdeSecrets, macPasswordHash, tokenOf, tokenText } from './secrets.ts';
import type { AdeAccountView, AdeProfileInput, AdeService, AdeServiceOptions } from './types.ts';

const unknown = (what: string): HostError => new HostError('not-found', 'host.not_found', `There is no such ${what}.`);

/** Does what Apple is asked for; that Apple does not take this server's token is no fault of whoever asks this server. */
async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isAdeError(cause) || (cause.kind !== 'unauthenticated' && cause.kind !== 'forbidden')) throw cause;
    throw new HostError(
      'conflict',
      'host.ade.refused',
      `Apple refuses this server: ${cause.message} (${cause.code}).`,
      {
        cause,
        remedy: cause.remedy ?? 'Download a new token in Apple’s portal; a download ends the tokens before it.',
      },
    );
  }
}

/**
 * Makes the service: give it to `createHost` as `adeService`, then start it.
 *
 * @example
 * const adeService = createAdeService({ engine, store, keys, publicUrl: 'https://mdm.example.com' });
 * const host = createHost({ engine, ca, identity, profile, adeService });
 * adeService.start();
 */
export function createAdeService(options: AdeServiceOptions): AdeService {
  const { engine, store, keys, logger = silentLogger } = options;
  const random = options.random ?? ((length: number) => new Uint8Array(randomBytes(length)));
  const clock = engine.clock;
  const secrets = createAdeSecrets(store, keys, () => clock.now());
  const clients = new Map<string, { readonly text: string; readonly client: EnrolmentClient }>();

  const clientFor = (token: ServerToken): EnrolmentClient =>
    createEnrolmentClient({
      token,
      clock,
      randomBytes: random,
      ...(options.origin === undefined ? {} : { origin: options.origin }),
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    });

  /** The account's client: the same, with its session, until the token is another one. */
  async function clientOf(accountId: string): Promise<EnrolmentClient> {
    const text = await engine.ade.token(accountId);
    const known = clients.get(accountId);
    if (known?.text === text) return known.client;
    const client = clientFor(tokenOf(text));
    clients.set(accountId, { text, client });
    return client;
  }

  const jobs = createAdeJobs({ ...options, logger, secrets, clientOf, stored });

  async function view(account: Awaited<ReturnType<typeof engine.ade.accounts>>[number]): Promise<AdeAccountView> {
    const token = { accessTokenExpiry: new Date(account.tokenExpiresAt) };
    const { listed, due } = await engine.ade.counts(account.id);
    return {
      ...account,
      state: accountState(token, account.sync.failure, clock),
      daysLeft: tokenLife(token, clock).daysLeft,
      devices: listed,
      due,
      profiles: (await engine.ade.profiles(account.id)).length,
      progress: jobs.progress(account.id),
    };
  }

  async function account(id: string): Promise<AdeAccountView> {
    const found = (await engine.ade.accounts()).find((one) => one.id === id);
    if (found === undefined) throw unknown('account');
    return view(found);
  }

  async function detailsOf(token: ServerToken): Promise<Record<string, string>> {
    const details: object = await asked(() => clientFor(token).account());
    return Object.fromEntries(Object.entries(details).filter(([, value]) => typeof value === 'string'));
  }

  async function profileFor(id: string): Promise<AdeProfile> {
    const found = await engine.ade.profile(id);
    if (found === null) throw unknown('profile');
    return found;
  }

  /** A profile of the account, or `null`; @throws HostError `host.ade.profile` */
  async function needProfile(accountId: string, id: string | null | undefined, path: string): Promise<void> {
    if (id === null || id === undefined) return;
    if ((await engine.ade.profile(id))?.accountId === accountId) return;
    throw new HostError('invalid', 'host.ade.profile', 'The account has no such profile.', { at: { path } });
  }

  async function stored(serialNumber: string) {
    const [device] = await engine.ade.find(serialNumber);
    if (device === undefined || device.goneAt !== null || device.profileId === null) return null;
    const profile = await engine.ade.profile(device.profileId);
    if (profile === null) return null;
    const definition = profile.definition as unknown as AdeProfileInput['definition'];
    return { id: profile.id, definition: addressed(options, profile.name, definition) };
  }

  const definitionOf = ({ definition }: AdeProfileInput): Readonly<Record<string, unknown>> => ({ ...definition });

  async function keepPassword(id: string, { macAdministratorPassword }: AdeProfileInput): Promise<void> {
    if (macAdministratorPassword === undefined) return;
    await secrets.keep('hash', id, await macPasswordHash(macAdministratorPassword, random));
  }

  const tell = (type: 'ade.device-locked' | 'ade.bypass-code-read', serialNumber: string) =>
    store.events.append([{ type, at: clock.now(), enrolmentId: null, data: { serialNumber } }]);

  return {
    certificate: async () => (await secrets.keyPair()).certificatePem,

    async accounts() {
      return Promise.all((await engine.ade.accounts()).map(view));
    },
    account,

    async link(file, { name } = {}) {
      const token = openServerToken(file, await secrets.keyPair());
      for (const known of await engine.ade.accounts()) {
        if (tokenOf(await engine.ade.token(known.id)).consumerKey !== token.consumerKey) continue;
        throw new HostError('conflict', 'host.ade.linked', `The account “${known.name}” is linked already.`, {
          remedy: 'Renew its token.',
        });
      }
      const details = await detailsOf(token);
      const made = await engine.ade.createAccount({
        name: name ?? details['server_name'] ?? details['org_name'] ?? 'Account',
        token: tokenText(token),
        tokenExpiresAt: token.accessTokenExpiry.getTime(),
        details,
      });
      return account(made.id);
    },

    async renew(id, file) {
      const before = await account(id);
      const present = { token: tokenOf(await engine.ade.token(id)), account: before.details };
      const token = openServerToken(file, await secrets.keyPair());
      checkRenewal(present, { token }, clock);
      const details = await detailsOf(token);
      checkRenewal(present, { token, account: details }, clock);
      await engine.ade.updateAccount(id, {
        token: tokenText(token),
        tokenExpiresAt: token.accessTokenExpiry.getTime(),
        details,
      });
      jobs.soon(id);
      return account(id);
    },

    async change(id, change, changeOptions) {
      const { defaultProfile } = await account(id);
      const { rules } = change;
      await needProfile(id, change.defaultProfile, 'defaultProfile');
      for (const [index, rule] of (rules ?? []).entries()) {
        await needProfile(id, rule.profileId, `rules.${index}.profileId`);
      }
      // Refuses a rule without a condition.
      createProfileChooser({
        rules: rules ?? [],
        ...(defaultProfile === null ? {} : { defaultProfileId: defaultProfile }),
      });
      const stored = rules === undefined ? {} : { rules: rules.map((rule) => ({ ...rule })) };
      const { rules: _, ...plain } = change;
      await engine.ade.updateAccount(id, { ...plain, ...stored }, changeOptions);
      return account(id);
    },

    async unlink(id) {
      await account(id);
      for (const profile of await engine.ade.profiles(id)) await secrets.forget('hash', profile.id);
      if (!(await engine.ade.deleteAccount(id))) throw unknown('account');
      clients.delete(id);
    },

    async sync(id) {
      await account(id);
      return asked(() => jobs.sync(id));
    },

    check: (input) => checkProfile(options, input, false),
    profiles: (accountId) => engine.ade.profiles(accountId),

    async createProfile(accountId, input) {
      const warnings = refuseErrors(checkProfile(options, input, false));
      const { name, description = '' } = input;
      const profile = await engine.ade.createProfile(accountId, { name, description, definition: definitionOf(input) });
      await keepPassword(profile.id, input);
      return { profile, warnings };
    },

    async updateProfile(id, input, updateOptions) {
      const { accountId } = await profileFor(id);
      const hashed = (await secrets.read('hash', id)) !== null;
      const warnings = refuseErrors(checkProfile(options, input, hashed));
      const { name, description = '' } = input;
      const change = { name, description, definition: definitionOf(input) };
      const profile = await engine.ade.updateProfile(id, change, updateOptions);
      await keepPassword(id, input);
      jobs.soon(accountId);
      return { profile, warnings };
    },

    async deleteProfile(id, deletion) {
      const { accountId } = await profileFor(id);
      const moved = await engine.ade.deleteProfile(id, deletion);
      await secrets.forget('hash', id);
      jobs.soon(accountId);
      return moved;
    },

    async assign(accountId, profile, serialNumbers) {
      const assigned = await engine.ade.assign(accountId, profile, serialNumbers);
      jobs.soon(accountId);
      return assigned;
    },

    async profileOf(serialNumber) {
      return (await stored(serialNumber))?.definition ?? null;
    },

    async preAssign(accountId, { profile, csv, ...columns }) {
      await account(accountId);
      await needProfile(accountId, profile, 'profile');
      const chosen = profile === null ? null : (await profileFor(profile)).definition;
      const apple = chosen?.['apple'] as { readonly is_multi_user?: boolean } | undefined;
      const result = readPreAssignment(csv, { ...columns, multiUser: apple?.is_multi_user === true });
      if (!result.ok) return { ok: false, problems: result.problems, more: result.more };
      const devices = result.devices.map(({ serial, set, clear }) => ({
        serialNumber: serial,
        set: Object.fromEntries(set),
        clear,
      }));
      await engine.ade.assign(accountId, profile, devices);
      jobs.soon(accountId);
      return { ok: true, devices: devices.length, warnings: result.warnings };
    },

    async lock(serialNumber, { message } = {}) {
      const serial = serialNumber.toUpperCase();
      const [device] = await engine.ade.find(serial);
      if (device === undefined || device.goneAt !== null) throw unknown('device');
      const client = await clientOf(device.accountId);
      const { code, escrowKey } = await createBypassCode(random);
      // Kept first: a lock without its code could be undone by Apple alone. It replaces the one before when the lock is made.
      await secrets.keep('bypass', `${serial}.next`, new TextEncoder().encode(code));
      const request = { device: serial, escrow_key: escrowKey };
      const status = await asked(() =>
        client.activationLock(message === undefined ? request : { ...request, lost_message: message }),
      );
      if (status !== 'SUCCESS') {
        throw new HostError('conflict', 'host.ade.lock', `Apple does not lock the device: ${status}.`, {
          ...(status === 'DEVICE_ALREADY_LOCKED' ? { remedy: 'Its bypass code, or its owner, unlocks it.' } : {}),
        });
      }
      await secrets.keep('bypass', serial, new TextEncoder().encode(code));
      await secrets.forget('bypass', `${serial}.next`);
      await tell('ade.device-locked', serial);
    },

    async bypassCode(serialNumber) {
      const serial = serialNumber.toUpperCase();
      const code = await secrets.read('bypass', serial);
      if (code === null) return null;
      await tell('ade.bypass-code-read', serial);
      return new TextDecoder().decode(code);
    },

    release: jobs.release,
    start: jobs.start,
    stop: jobs.stop,
  };
}
