// Renewal windows and the maintenance of a register, by moved clocks.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  listDue,
  type MaintenancePolicy,
  maintain,
  nextMaintenance,
  type RegisteredCertificate,
  registeredState,
  renewalDue,
} from '../src/index.ts';
import { codeOf, now } from './support.ts';

const day = 86_400_000;
const life = (days: number): { notBefore: number; notAfter: number } => ({
  notBefore: now,
  notAfter: now + days * day,
});

describe('a renewal window', () => {
  it('opens 270 days before the end, and a certificate of a year is due from day 95', () => {
    const at = (days: number) => renewalDue(life(365), {}, now + days * day);
    expect(at(94.9).state).toBe('early');
    expect(at(95).state).toBe('due');
    expect(at(365).state).toBe('due');
    expect(at(365.1).state).toBe('grace');
    expect(at(395).state).toBe('grace');
    expect(at(395.1).state).toBe('lapsed');
    expect(at(0)).toMatchObject({ clamped: false, dueAt: now + 95 * day, endsAt: now + 365 * day });
    expect(at(0).lapsesAt).toBe(now + 395 * day);
  });

  it('is as long as the policy says', () => {
    const policy = { windowDays: 60, graceDays: 0 };
    expect(renewalDue(life(365), policy, now + 304 * day).state).toBe('early');
    expect(renewalDue(life(365), policy, now + 305 * day).state).toBe('due');
    expect(renewalDue(life(365), policy, now + 365 * day + 1).state).toBe('lapsed');
    expect(renewalDue({ notBefore: new Date(now), notAfter: new Date(now + day) }, policy, new Date(now)).state).toBe(
      'early',
    );
  });

  it('never renews what was just renewed (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 36_500 }), fc.integer({ min: 1, max: 270 }), (days, windowDays) => {
        const decision = renewalDue(life(days), { windowDays }, now);
        expect(decision.state).toBe('early');
        expect(decision.dueAt).toBeGreaterThanOrEqual(now + (days * day) / 4);
        expect(decision.clamped).toBe(windowDays > (days * 3) / 4);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('refuses days out of range', () => {
    for (const policy of [{ windowDays: 0 }, { windowDays: 271 }, { windowDays: Number.NaN }, { graceDays: -1 }]) {
      expect(codeOf(() => renewalDue(life(10), policy, now))).toBe('pki.renewal.policy');
    }
  });
});

describe('maintenance', () => {
  const policy: MaintenancePolicy = { windowDays: 60 };
  const year = life(365);
  const rows: readonly (readonly [string, RegisteredCertificate, number, Partial<ReturnType<typeof maintain>>])[] = [
    ['a fresh one', year, 1, { state: 'active', renew: false, purge: false, lapsed: false }],
    ['one near its end', year, 310, { state: 'expiring', renew: true, purge: false }],
    ['one in its grace', year, 380, { state: 'expired', renew: true, purge: false, lapsed: false }],
    ['one that lapsed', year, 400, { state: 'expired', renew: false, purge: false, lapsed: true }],
    ['a superseded one', { ...year, inactive: true }, 310, { state: 'inactive', renew: false, purge: false }],
    ['a superseded one that ended', { ...year, inactive: true }, 366, { state: 'expired', renew: false, purge: true }],
    ['a revoked one', { ...year, revokedAt: now }, 310, { state: 'revoked', renew: false, purge: true }],
    ['one made ahead', { ...year, deliveredAt: null }, 14, { discard: false }],
    ['one never delivered', { ...year, deliveredAt: null }, 15, { discard: true, renew: false }],
    [
      'one made ahead of its validity',
      { ...year, deliveredAt: null, createdAt: now + 10 * day },
      15,
      { discard: false },
    ],
    ['one delivered', { ...year, deliveredAt: now }, 15, { discard: false }],
    ['one that a device got by itself', year, 15, { discard: false }],
  ];
  for (const [name, row, days, expected] of rows) {
    it(`decides on ${name}`, () => {
      expect(maintain(row, policy, now + days * day)).toMatchObject(expected);
    });
  }

  it('keeps rows for as long as it is told, and renews only where it may', () => {
    const row = { ...year, inactive: true };
    const at = (days: number) => maintain(row, { ...policy, retentionDays: 30 }, now + days * day).purge;
    expect([at(366), at(394), at(395)]).toEqual([false, false, true]);
    expect(maintain(year, { ...policy, autoRenew: false }, now + 310 * day).renew).toBe(false);
    expect(registeredState(year, { expiringDays: 10 }, now + 310 * day)).toBe('active');
  });

  it('deletes stored keys by age, only where that is wanted', () => {
    const row = { ...year, keyStoredAt: now };
    const at = (days: number, deleteKeysAfterDays: number | null) =>
      maintain(row, { ...policy, deleteKeysAfterDays }, now + days * day).deleteKey;
    expect([at(29, 30), at(30, 30), at(300, null)]).toEqual([false, true, false]);
    expect(maintain(year, { ...policy, deleteKeysAfterDays: 1 }, now + 2 * day).deleteKey).toBe(false);
  });

  it('lists what is due, the soonest to end first', () => {
    const list = [life(100), life(365), life(70), { ...life(65), inactive: true }, { ...life(66), revokedAt: now }];
    const due = listDue(list, policy, now + 60 * day);
    expect(due.map(({ notAfter }) => (notAfter as number) - now)).toEqual([70 * day, 100 * day]);
    expect(listDue(list, { ...policy, autoRenew: false }, now + 60 * day, 1)).toEqual([list[2]]);
  });

  it('purges nothing that somebody could still use (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 1000 })),
        fc.integer({ min: 0, max: 2000 }),
        (days, inactive, revoked, at) => {
          const row = { ...life(days), inactive, revokedAt: revoked === null ? null : now + revoked * day };
          const { purge, renew, lapsed } = maintain(row, policy, now + at * day);
          if (purge) expect(revoked !== null || at > days).toBe(true);
          if (purge) expect(renew || lapsed).toBe(false);
        },
      ),
      { seed: 6, numRuns: 500 },
    );
  });
});

describe('the daily time', () => {
  it('is the next quarter to four, here or elsewhere', () => {
    const midnight = Date.UTC(2026, 2, 1);
    const at = (hours: number, schedule = {}) =>
      new Date(nextMaintenance(midnight + hours * 3_600_000, schedule)).toJSON();
    expect(at(0)).toBe('2026-03-01T03:45:00.000Z');
    expect(at(3.75)).toBe('2026-03-02T03:45:00.000Z');
    expect(at(23)).toBe('2026-03-02T03:45:00.000Z');
    expect(at(0, { offsetMinutes: 120 })).toBe('2026-03-01T01:45:00.000Z');
    expect(at(2, { offsetMinutes: 120 })).toBe('2026-03-02T01:45:00.000Z');
    expect(at(0, { offsetMinutes: -300 })).toBe('2026-03-01T08:45:00.000Z');
    expect(at(0, { hour: 0, minute: 0 })).toBe('2026-03-02T00:00:00.000Z');
    expect(codeOf(() => nextMaintenance(midnight, { hour: 24 }))).toBe('pki.renewal.policy');
  });
});
