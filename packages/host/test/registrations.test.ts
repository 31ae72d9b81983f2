// Bulk registrations over the admin API: the file, what is wrong in one, the list, and what becomes of them.
import { expect, it } from 'vitest';
import { enrol, type World, world } from './world.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
async function api(to: World, method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await to.api(method, path, body);
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

const PIN = 'Include DEP Only Registration Pin';

it('takes a file whole: devices come with their users, PINs can be read', async () => {
  const to = await world();
  const csv = `Serial Number,User,${PIN}\nC02ANN0001,ann,TRUE\nc02bob0001,bob,FALSE\n`;
  expect(await api(to, 'POST', '/registrations', { csv })).toEqual({ status: 200, body: { ok: true, devices: 2 } });
  const { body } = await api(to, 'GET', '/registrations?awaited=true');
  expect(body.items).toMatchObject([
    { serialNumber: 'C02ANN0001', user: 'ann', pin: expect.stringMatching(/^\d{6}$/) },
    { serialNumber: 'C02BOB0001', user: 'bob', pin: null },
  ]);
  // The PIN is for automated device enrolment, and not for the page.
  const page = await to.fetch(`/enrol?pin=${body.items[0].pin}`);
  expect(page.status).toBe(403);
  const device = await enrol(to, 'D1', { SerialNumber: 'C02BOB0001' });
  expect(device).toBeDefined();
  expect((await api(to, 'GET', '/devices/D1')).body.facts['user.user_id']).toBe('bob');
  expect((await api(to, 'GET', '/registrations?user=bob')).body.items).toMatchObject([{ enrolmentId: 'D1' }]);
  expect((await api(to, 'DELETE', '/registrations/c02ann0001')).status).toBe(204);
  expect((await api(to, 'DELETE', '/registrations/c02ann0001')).body).toMatchObject({
    code: 'host.registration.unknown',
  });
  expect((await api(to, 'GET', '/registrations?awaited=true')).body.items).toEqual([]);
});

it('tells row and column of what is wrong, and does nothing', async () => {
  const to = await world();
  await api(to, 'POST', '/invitations', { user: 'ann' });
  const problems = async (csv: string) => {
    const { status, body } = await api(to, 'POST', '/registrations', { csv });
    expect([status, body.ok]).toEqual([200, false]);
    return body.problems.map(({ row, column }: { row: number; column: number }) => `${row}:${column}`);
  };
  expect(await problems('Serial Number,User\nC02ONE0001,bob\nC02TWO0001,ann\n')).toEqual(['3:2']);
  expect(await problems(`Serial Number,User,${PIN}\nC02ONE0001,bob,perhaps\n`)).toEqual(['2:3']);
  expect(await problems('Serial Number,User\nC02ONE0001,bob\nC02ONE0001,carl\n')).toEqual(['3:1']);
  expect(await problems('Serial Number,User\nC02ONE0001,\n')).toEqual(['2:2']);
  expect((await api(to, 'GET', '/registrations')).body.items).toEqual([]);
  expect((await api(to, 'POST', '/registrations', { csv: '' })).status).toBe(400);
  // Who is registered by a list gets no invitation of their own.
  await api(to, 'POST', '/registrations', { csv: 'Serial Number,User\nC02ONE0001,bob\n' });
  expect(await api(to, 'POST', '/invitations', { user: 'bob' })).toMatchObject({
    status: 409,
    body: { code: 'core.registration.exists' },
  });
});
