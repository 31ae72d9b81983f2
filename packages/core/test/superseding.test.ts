// User Enrolments whose user signed out and in again: the record before is linked to the one that took its place (ABM-28).
import { encodeXml, type PlistInput } from '@espalier/plist';
import { expect, it } from 'vitest';
import type { EngineInput, PushResult } from '../src/index.ts';
import { bench, identity } from './support.ts';

const STALE = '"ios.apple_user_enrolled_device" = true AND "common.mdm_managed" = false';

function fleet(options: EngineInput['options'] = {}) {
  const pushed: string[] = [];
  const dead = new Set<string>();
  const push = {
    async push({ token }: { readonly token: Uint8Array }): Promise<PushResult> {
      const id = new TextDecoder().decode(token);
      pushed.push(id);
      return dead.has(id) ? { outcome: 'token-dead', reason: 'Unregistered' } : { outcome: 'delivered' };
    },
  };
  const made = bench({ push, options });
  const { engine, clock } = made;
  const say = (id: string, message: Record<string, PlistInput>) =>
    engine.protocol.checkin(encodeXml({ EnrollmentID: id, Topic: 't', ...message }), identity(id));
  /** A device that enrols by its user's account. */
  const enrol = async (id: string, account: string, ProductName = 'iPhone15,2') => {
    clock.advance(60_000);
    await say(id, { MessageType: 'Authenticate', ProductName, OSVersion: '18.0' });
    await say(id, { MessageType: 'TokenUpdate', Token: new TextEncoder().encode(id), PushMagic: 'm' });
    await engine.devices.learn(id, { 'ios.managed_apple_id': account });
  };
  /** No answer to what was pushed last, and so another push. */
  const silence = async () => {
    clock.advance(86_400_000);
    await engine.tick();
  };
  const by = async (id: string) => (await engine.devices.get(id))?.facts['ios.superseded_by'];
  const status = async (id: string) => (await engine.devices.get(id))?.enrolment.status;
  const told = async () =>
    (await engine.events.list({ type: 'enrolment.superseded' })).items.map((event) => [
      event.enrolmentId,
      event.data['by'],
    ]);
  const found = async (expression: string) =>
    (await engine.devices.list({ expression })).items.map(({ enrolment }) => enrolment.id);
  return { ...made, pushed, dead, say, enrol, silence, by, status, told, found };
}

it('links the record before, once Apple calls its token dead, and leaves the rest alone', async () => {
  const { enrol, dead, silence, by, told, found, engine, status } = fleet();
  await enrol('A', 'ann@example.com');
  await enrol('IPAD', 'ann@example.com', 'iPad14,1');
  await enrol('BOB', 'bob@example.com');
  await silence();
  dead.add('A');
  await enrol('B', 'Ann@Example.com');
  expect(await by('A')).toBeUndefined();
  await silence();
  expect(await by('A')).toBe('B');
  expect(await told()).toEqual([['A', 'B']]);
  expect(await found(STALE)).toEqual(['A']);
  expect(await found('"ios.superseded_by" is not null')).toEqual(['A']);
  for (const id of ['IPAD', 'BOB', 'B']) expect(await by(id)).toBeUndefined();
  // It stays active until it is retired.
  expect(await status('A')).toBe('active');
  const forced = { force: true };
  expect(await engine.actions.run({ enrolmentIds: ['A'] }, 'force-retire', {}, forced)).toMatchObject([
    { outcome: 'done' },
  ]);
  expect(await found(STALE)).toEqual([]);
  // The next one takes the place of both.
  dead.add('B');
  await enrol('C', 'ann@example.com');
  await silence();
  expect([await by('A'), await by('B')]).toEqual(['C', 'C']);
});

it('asks Apple about the record before at once, which a device with another phone survives', async () => {
  const { enrol, pushed, engine, by, silence, found } = fleet();
  await enrol('A', 'ann@example.com');
  await engine.tick();
  pushed.length = 0;
  await enrol('B', 'ann@example.com');
  await silence();
  expect(pushed).toContain('A');
  expect([await by('A'), await by('B'), await found(STALE)]).toEqual([undefined, undefined, []]);
});

it('links also what checked out, and retires what stays where that is wanted', async () => {
  const { enrol, say, dead, silence, by, status, engine } = fleet({ retireSuperseded: true });
  await enrol('A', 'ann@example.com');
  await say('A', { MessageType: 'CheckOut' });
  await enrol('B', 'ann@example.com');
  expect([await by('A'), await status('A')]).toEqual(['B', 'checked-out']);
  await silence();
  dead.add('B');
  await enrol('C', 'ann@example.com');
  await silence();
  expect([await by('B'), await status('B'), await status('C')]).toEqual(['C', 'retired', 'active']);
  expect((await engine.events.list({ type: 'enrolment.retired' })).items).toMatchObject([
    { enrolmentId: 'B', data: { cause: 'superseded' } },
  ]);
  // Who comes back with the same identifier is a device of now.
  await say('B', { MessageType: 'Authenticate', ProductName: 'iPhone15,2', OSVersion: '18.0' });
  expect(await by('B')).toBeUndefined();
});
