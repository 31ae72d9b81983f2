// Expiry, renewal, and the state of an account.
import { describe, expect, it } from 'vitest';
import { AdeError, accountState, checkRenewal, tokenLife } from '../src/index.ts';
import { clock, codeOf } from './support.ts';

const day = 86_400_000;
const token = (days: number, consumerKey = 'CK_1') => ({
  consumerKey,
  accessTokenExpiry: new Date(clock.now() + days * day),
});

describe('the life of a token', () => {
  it('ends with its expiry, and warns before', () => {
    expect(tokenLife(token(200), clock)).toMatchObject({ state: 'valid', daysLeft: 200 });
    expect(tokenLife(token(30), clock)).toMatchObject({ state: 'expiring', daysLeft: 30 });
    expect(tokenLife(token(30), clock, 7).state).toBe('valid');
    expect(tokenLife(token(0.5), clock)).toMatchObject({ state: 'expiring', daysLeft: 0 });
    expect(tokenLife(token(0), clock).state).toBe('expired');
    expect(tokenLife(token(-3), clock)).toMatchObject({ state: 'expired', daysLeft: -3 });
  });
});

describe('a renewal', () => {
  const present = { token: token(10), account: { server_uuid: 'S1', org_id: 'O1', server_name: 'Berlin' } };

  it('is a newer token of the same server', () => {
    checkRenewal(present, { token: token(365) }, clock);
    checkRenewal(present, { token: token(365), account: { server_uuid: 'S1', org_id: 'O1' } }, clock);
    checkRenewal({ token: token(-5) }, { token: token(365), account: { server_uuid: 'S1' } }, clock);
    checkRenewal(present, { token: token(10) }, clock);
  });

  it('is not one of another server or organisation, not older and not expired', () => {
    const refused = (renewed: Parameters<typeof checkRenewal>[1]): unknown[] => [
      codeOf(() => checkRenewal(present, renewed, clock)),
      codeOf(() => checkRenewal(present, renewed, clock), 'at'),
    ];
    expect(refused({ token: token(365, 'CK_2') })[0]).toBe('ade.token.wrong_account');
    expect(refused({ token: token(365), account: { server_uuid: 'S2', org_id: 'O1' } })).toEqual([
      'ade.token.wrong_account',
      { path: 'server_uuid' },
    ]);
    expect(refused({ token: token(365), account: { server_uuid: 'S1', org_id: 'O2' } })).toEqual([
      'ade.token.wrong_account',
      { path: 'org_id' },
    ]);
    expect(refused({ token: token(-1) })[0]).toBe('ade.token.expired');
    expect(refused({ token: token(9) })[0]).toBe('ade.token.older');
  });
});

describe('the state of an account', () => {
  it('follows the token and the last failure', () => {
    const state = (days: number, code?: string, kind?: 'unauthenticated' | 'forbidden' | 'unavailable') =>
      accountState(token(days), code === undefined ? undefined : new AdeError(code, '', kind ? { kind } : {}), clock);
    expect(state(10)).toBe('active');
    expect(state(-1)).toBe('invalid-token');
    expect(state(10, 'ade.enrolment.unauthorized', 'unauthenticated')).toBe('invalid-token');
    expect(state(10, 'ade.enrolment.t_c_not_signed', 'forbidden')).toBe('terms-not-signed');
    expect(state(10, 'ade.enrolment.access_denied', 'forbidden')).toBe('inactive');
    expect(state(10, 'ade.enrolment.unavailable', 'unavailable')).toBe('active');
    expect(accountState(token(10), new Error('other'), clock)).toBe('active');
    // Where only the error's code was kept.
    expect(accountState(token(10), 'ade.enrolment.unauthorized', clock)).toBe('invalid-token');
    expect(accountState(token(10), 'ade.enrolment.t_c_not_signed', clock)).toBe('terms-not-signed');
    expect(accountState(token(10), 'ade.http.unreachable', clock)).toBe('active');
  });
});
