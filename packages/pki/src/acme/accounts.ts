// Accounts (RFC 8555, 7.3): making, finding, changing and deactivating them, key change, external binding.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Authenticated, type Context, json } from './context.ts';
import { flagMember, isObject, type JsonObject, member, parseObject, stringMember } from './json.ts';
import { thumbprintOf } from './jwk.ts';
import { readJws, splitJws, verifyJws } from './jws.ts';
import { malformed, Refusal } from './problem.ts';
import type { AcmeAccount } from './types.ts';

/** An account as its owner sees it. */
function render(context: Context, account: AcmeAccount): JsonObject {
  return {
    status: account.status,
    contact: account.contact,
    termsOfServiceAgreed: account.termsOfServiceAgreed,
    orders: context.urls.orders(account.id),
  };
}

const answer = (context: Context, account: AcmeAccount, status = 200): Response =>
  json(render(context, account), status, { location: context.urls.account(account.id) });

function readContact(payload: JsonObject): string[] | undefined {
  const value = member(payload, 'contact');
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > 10) throw malformed('contact is a list of at most 10 addresses');
  return value.map((item: unknown) => {
    if (typeof item !== 'string' || item.length > 320) throw malformed('a contact is an address');
    if (!/^mailto:/i.test(item)) throw new Refusal('unsupportedContact', 'only mailto addresses are kept');
    if (!/^mailto:[^\s@,?]{1,64}@[^\s@,?]{1,255}$/i.test(item)) {
      throw new Refusal('invalidContact', 'the contact is not one e-mail address');
    }
    return item;
  });
}

/** newAccount. */
export async function newAccount(context: Context, { jws, key }: Authenticated): Promise<Response> {
  const payload = parseObject(jws.payload, 'payload');
  const known = await context.store.findAccountByThumbprint(key.thumbprint);
  if (known) {
    if (known.status !== 'valid') throw new Refusal('unauthorized', `the account is ${known.status}`, { status: 401 });
    return answer(context, known);
  }
  if (flagMember(payload, 'onlyReturnExisting')) {
    throw new Refusal('accountDoesNotExist', 'there is no account with this key');
  }
  const agreed = flagMember(payload, 'termsOfServiceAgreed');
  if (context.termsOfService !== undefined && !agreed) {
    throw new Refusal('userActionRequired', 'the terms of service must be agreed to', {
      headers: { link: `<${context.termsOfService}>;rel="terms-of-service"` },
    });
  }
  const contact = readContact(payload) ?? [];
  const externalAccount = await readBinding(context, member(payload, 'externalAccountBinding'), key.thumbprint);
  const wanted: AcmeAccount = {
    id: context.newId(),
    jwk: key.jwk,
    thumbprint: key.thumbprint,
    status: 'valid',
    contact,
    termsOfServiceAgreed: agreed,
    ...(externalAccount === null ? {} : { externalAccount }),
    createdAt: context.now(),
  };
  const account = await context.store.addAccount(wanted);
  if (account.id !== wanted.id) return answer(context, account); // another request with this key was faster
  context.onEvent?.({ type: 'account-created', accountId: account.id });
  return answer(context, account, 201);
}

/** External account binding (7.3.4): a JWS by a MAC key over the account's key. */
async function readBinding(context: Context, value: unknown, thumbprint: string): Promise<string | null> {
  const { externalAccounts } = context;
  if (value === undefined) {
    if (!externalAccounts?.required) return null;
    throw new Refusal('externalAccountRequired', 'an account must be bound to an external one');
  }
  if (!externalAccounts) return null; // RFC 8555: a server that does not use bindings ignores them
  if (!isObject(value)) throw malformed('the externalAccountBinding is not a JWS');
  const { header, payload, signature, input } = splitJws(value);
  if (member(header, 'alg') !== 'HS256') {
    throw new Refusal('badSignatureAlgorithm', 'external accounts are bound with HS256');
  }
  if (member(header, 'nonce') !== undefined) throw malformed('the externalAccountBinding has a nonce');
  if (member(header, 'url') !== context.urls.newAccount) throw malformed('the externalAccountBinding has another url');
  const keyId = stringMember(header, 'kid', 'externalAccountBinding', 256);
  const bound = parseObject(payload, 'externalAccountBinding payload');
  const secret = await externalAccounts.key(keyId);
  // An unknown identifier costs the same and says the same as a wrong MAC.
  const expected = createHmac('sha256', secret ?? 'unknown')
    .update(input, 'latin1')
    .digest();
  const right = signature.length === expected.length && timingSafeEqual(signature, expected);
  if (!secret || secret.length < 16 || !right) {
    throw new Refusal('unauthorized', 'the external account binding is wrong', { status: 401 });
  }
  if (thumbprintOf(publicMembers(bound) as never) !== thumbprint)
    throw malformed('the externalAccountBinding is for another key');
  return keyId;
}

/** POST to an account: read, change or deactivate it. */
export async function updateAccount(context: Context, { jws, account }: Authenticated): Promise<Response> {
  if (jws.payload.length === 0) return answer(context, account!);
  const payload = parseObject(jws.payload, 'payload');
  const status = member(payload, 'status');
  if (status !== undefined && status !== 'deactivated' && status !== 'valid') throw malformed('no such status');
  const contact = readContact(payload);
  const agreed = flagMember(payload, 'termsOfServiceAgreed');
  const changed = await context.store.updateAccount(account!.id, {
    ...(contact === undefined ? {} : { contact }),
    ...(status === 'deactivated' ? { status } : {}),
    ...(agreed ? { termsOfServiceAgreed: true as const } : {}),
  });
  if (!changed) throw new Refusal('unauthorized', 'the account is not valid any more', { status: 401 });
  if (status === 'deactivated') context.onEvent?.({ type: 'account-deactivated', accountId: account!.id });
  return answer(context, changed);
}

/** keyChange (7.3.5): the outer JWS is by the old key, the inner one by the new. */
export async function changeKey(context: Context, { jws, key, account }: Authenticated): Promise<Response> {
  const inner = readJws(parseObject(jws.payload, 'inner JWS'));
  if (!inner.key) throw malformed('the inner JWS has no jwk');
  if (inner.nonce !== null) throw malformed('the inner JWS has a nonce');
  if (inner.url !== jws.url) throw malformed('the inner JWS has another url');
  verifyJws(inner, inner.key);
  const payload = parseObject(inner.payload, 'key change');
  if (member(payload, 'account') !== context.urls.account(account!.id)) throw malformed('this is another account');
  const old = member(payload, 'oldKey');
  if (!isObject(old) || thumbprintOf(publicMembers(old) as never) !== key.thumbprint) {
    throw malformed('the oldKey is not the key of the account');
  }
  const { jwk, thumbprint } = inner.key;
  const outcome = await context.store.changeAccountKey(account!.id, key.thumbprint, { jwk, thumbprint });
  if (outcome === 'stale') throw new Refusal('unauthorized', 'the key was changed meanwhile', { status: 401 });
  if (typeof outcome === 'object') {
    throw new Refusal('malformed', 'another account has this key', {
      status: 409,
      headers: { location: context.urls.account(outcome.conflict) },
    });
  }
  context.onEvent?.({ type: 'key-changed', accountId: account!.id });
  return answer(context, { ...account!, jwk, thumbprint });
}

/** The members that a thumbprint covers, of whatever type of key. */
export function publicMembers(jwk: JsonObject): JsonObject {
  const names = ['kty', 'crv', 'n', 'e', 'x', 'y'].filter((name) => Object.hasOwn(jwk, name));
  return Object.fromEntries(names.map((name) => [name, jwk[name]]));
}

/** The list of an account's orders. */
export async function listOrders(context: Context, { account }: Authenticated): Promise<Response> {
  const orders = await context.store.findOrders(account!.id, 200);
  return json({ orders: orders.map((order) => context.urls.order(order.id)) });
}
