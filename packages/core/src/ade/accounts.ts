// Accounts of automated device enrolment: made, changed, renewed, deleted; their tokens sealed.
import type { Ade, NewAdeAccount } from '../api/ade.ts';
import type { AdeAccount } from '../contracts/ade.ts';
import type { NamedSecret, NewEvent } from '../contracts/shared.ts';
import { type Context, uuid } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

const TOKEN = 'token';
/** The scope that an account's secrets are kept under. */
const scopeOf = (accountId: string): string => `ade:${accountId}`;

/** The error for an account that there is not. */
export function unknownAccount(): CoreError {
  return new CoreError('core.ade.unknown_account', 'not-found', 'there is no such account');
}

/** Makes the functions. */
export function createAdeAccounts(
  context: Context,
): Pick<Ade, 'createAccount' | 'updateAccount' | 'deleteAccount' | 'accounts' | 'token'> {
  const { store, vault, clock, random } = context;

  function sealed(accountId: string, token: string | undefined): NamedSecret[] {
    if (token === undefined) return [];
    return [{ name: TOKEN, blob: vault.seal(token, { kind: 'secret', key: [scopeOf(accountId), TOKEN] }) }];
  }

  const changed = (accountId: string, change: string): NewEvent => ({
    type: 'ade.account-changed',
    at: clock.now(),
    enrolmentId: null,
    data: { accountId, change },
  });

  return {
    async createAccount(input) {
      await vault.ready();
      check(input);
      const at = clock.now();
      const id = uuid(random).toLowerCase();
      const { token, details = {}, defaultProfile = null, rules = [], name, tokenExpiresAt } = input;
      const version = 1;
      const account: AdeAccount = {
        ...{ id, name, details, tokenExpiresAt, defaultProfile, rules, version },
        ...{ createdAt: at, updatedAt: at },
      };
      await store.ade.putAccount(account, null, { secrets: sealed(id, token), event: changed(id, 'created') });
      context.bus.poke();
      return account;
    },

    async updateAccount(id, { token, ...change }, { expectedVersion } = {}) {
      await vault.ready();
      const old = await store.ade.getAccount(id);
      if (old === null) throw unknownAccount();
      check({ token: token ?? 'kept', name: old.name, tokenExpiresAt: old.tokenExpiresAt, ...change });
      const version = expectedVersion ?? old.version;
      const account: AdeAccount = { ...old, ...change, version: version + 1, updatedAt: clock.now() };
      const event = changed(id, token === undefined ? 'updated' : 'renewed');
      if ((await store.ade.putAccount(account, version, { secrets: sealed(id, token), event })) === 'conflict') {
        throw new CoreError('core.ade.changed_meanwhile', 'conflict', 'the account was changed by somebody else', {
          remedy: 'read it again, and repeat the change',
        });
      }
      context.bus.poke();
      return account;
    },

    async deleteAccount(id) {
      const deleted = await store.ade.deleteAccount(id, changed(id, 'deleted'));
      context.bus.poke();
      return deleted;
    },

    async accounts() {
      const list: (AdeAccount & { sync: NonNullable<Awaited<ReturnType<typeof store.ade.syncState>>> })[] = [];
      for (const account of await store.ade.listAccounts()) {
        const sync = await store.ade.syncState(account.id);
        if (sync !== null) list.push({ ...account, sync });
      }
      return list;
    },

    async token(accountId) {
      await vault.ready();
      const blob = await store.secrets.get(scopeOf(accountId), TOKEN);
      if (blob === null) throw unknownAccount();
      return vault.openText(blob, { kind: 'secret', key: [scopeOf(accountId), TOKEN] });
    },
  };
}

function check({ name, token, tokenExpiresAt }: NewAdeAccount): void {
  const wrong = (path: string, message: string): CoreError =>
    new CoreError('core.ade.bad_account', 'invalid', message, { at: { path } });
  if (name.trim() === '' || name.length > 200) throw wrong('name', 'an account has a name of at most 200 characters');
  if (token === '' || token.length > 16_384) throw wrong('token', 'a token has 1 to 16,384 characters');
  if (!Number.isSafeInteger(tokenExpiresAt)) throw wrong('tokenExpiresAt', 'the token’s end is in milliseconds');
}
