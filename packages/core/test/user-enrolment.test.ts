// The switch of User Enrolment and its checklist (ABM-20).
import { expect, it } from 'vitest';
import { bench } from './support.ts';

const DAY = 86_400_000;

it('is on, can be turned off, and lists what is missing', async () => {
  const { engine, clock, store } = bench();
  const states = async () =>
    (await engine.userEnrolments.checklist()).map(({ check, state, remedy }) => [check, state, remedy === null]);
  expect(await engine.userEnrolments.get()).toEqual({ enabled: true, updatedAt: null });
  expect(await states()).toEqual([
    ['enabled', 'ok', true],
    ['push-certificate', 'missing', false],
    ['server-token', 'unchecked', false],
  ]);
  expect(await engine.userEnrolments.set({ enabled: false })).toEqual({ enabled: false, updatedAt: clock.now() });
  expect((await states())[0]).toEqual(['enabled', 'missing', false]);
  await expect(engine.userEnrolments.set({ enabled: true })).rejects.toMatchObject({
    code: 'core.user_enrolment.not_ready',
    kind: 'conflict',
  });
  // What is left of an imported certificate that tells when it ends.
  const notAfter = clock.now() + 10 * DAY;
  await store.settings.set('core.push-certificate', JSON.stringify({ topic: 't', notAfter }));
  expect(await engine.userEnrolments.set({ enabled: true })).toMatchObject({ enabled: true });
  await engine.ade.createAccount({ name: 'Example', token: 'x', tokenExpiresAt: clock.now() + 5 * DAY });
  expect((await states()).map(([, state]) => state)).toEqual(['ok', 'ok', 'ok']);
  clock.advance(6 * DAY);
  expect((await states()).map(([, state]) => state)).toEqual(['ok', 'ok', 'missing']);
  clock.advance(6 * DAY);
  expect((await states()).map(([, state]) => state)).toEqual(['ok', 'missing', 'missing']);
  expect((await engine.events.list({ type: 'user-enrolment.changed' })).items.map(({ data }) => data)).toEqual([
    { enabled: true },
    { enabled: false },
  ]);
});

it('leaves the push certificate of a product that pushes by itself to the product', async () => {
  const { engine } = bench({ push: { push: async () => ({ outcome: 'delivered' }) } });
  await engine.userEnrolments.set({ enabled: false });
  expect(await engine.userEnrolments.set({ enabled: true })).toMatchObject({ enabled: true });
  expect((await engine.userEnrolments.checklist())[1]).toMatchObject({ state: 'unchecked' });
});

it('has one account for each user, which an administrator alone changes', async () => {
  const { engine } = bench();
  const { claimAccount, account, assignAccount } = engine.userEnrolments;
  const claim = (managedAppleAccount: string, userId = 'joe') => claimAccount({ userId, managedAppleAccount });
  const other = { code: 'core.user_enrolment.other_account', kind: 'forbidden' };
  expect(await account('joe')).toBeNull();
  expect(await claim('joe.smith@example.com')).toBe('joe.smith@example.com');
  expect(await claim('Joe.Smith@Example.com')).toBe('joe.smith@example.com');
  await expect(claim('joe.smith-abm@example.com')).rejects.toMatchObject(other);
  expect(await claim('joe.smith-abm@example.com', 'ann')).toBe('joe.smith-abm@example.com');
  await assignAccount('joe', 'joe.smith-abm@example.com');
  await expect(claim('joe.smith@example.com')).rejects.toMatchObject(other);
  await assignAccount('joe', null);
  expect(await account('joe')).toBeNull();
  // Of two at the same moment, one is the user's.
  const both = await Promise.allSettled([claim('a@example.com'), claim('b@example.com')]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await account('joe')).toBe(both[0]!.status === 'fulfilled' ? 'a@example.com' : 'b@example.com');
  for (const bad of ['', ' ', 'x'.repeat(321)]) {
    await expect(claim(bad)).rejects.toMatchObject({ code: 'core.user_enrolment.bad_account', kind: 'invalid' });
    await expect(claim('a@example.com', bad)).rejects.toMatchObject({ code: 'core.user_enrolment.bad_account' });
  }
  const { items } = await engine.events.list({ type: 'user-enrolment.account-assigned', order: 'oldest' });
  expect(items.map(({ data }) => data)).toMatchObject([
    { userId: 'joe', managedAppleAccount: 'joe.smith@example.com' },
    { userId: 'ann' },
    { managedAppleAccount: 'joe.smith-abm@example.com' },
    { managedAppleAccount: null },
    { userId: 'joe' },
  ]);
});
