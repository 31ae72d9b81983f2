// Rosters of Apple School Manager: pages, changes, cursors, what is read of a record, the whole roster for the checks.
import type { SimulatedRoster } from '@espalier/simulator';
import { describe, expect, it } from 'vitest';
import { checkRoster, compareRosters, rosterRoles } from '../src/index.ts';
import { all, setting } from './apple.ts';

// The records of Apple's "Class Roster Information" and "Person Roster Information".
const biology = {
  unique_identifier: 'UNICLS1003',
  source: 'SIS',
  source_system_identifier: 'CLSBIO101',
  name: "Miss Smith's Biology 101",
  class_number: '1A',
  room: 'Hall 101',
  location: { unique_identifier: 'UNILOC1003', name: 'Biology department' },
  instructor_unique_identifiers: ['UNIINSTID1003', 'UNIINSTID1003'],
  student_unique_identifiers: ['UNISTUDID1003', 'UNISTUDID1004'],
  course: { unique_identifier: 'UNICOURID1003', name: 'Biology 101' },
};
const smith = {
  unique_identifier: 'UNIINSTID1003',
  source: 'CSV',
  source_system_identifier: 'INSTID1003',
  name: 'Miss Will Smith',
  managed_apple_id: 'smith@example.com',
  first_name: 'Miss',
  middle_name: 'Will',
  last_name: 'Smith',
  passcode_type: 'complex',
  person_id: '6378376667',
  status: 'Active',
};
const john = {
  unique_identifier: 'UNISTUDID1003',
  source: 'SIS',
  managed_apple_id: 'john@example.com',
  grade: 'K',
  first_name: 'John',
  last_name: 'Smith',
  passcode_type: 'four',
  is_federated_auth: true,
};
const school: SimulatedRoster = {
  persons: [smith, john],
  classes: [biology],
  courses: [{ unique_identifier: 'UNICOURID1003', name: 'Biology 101', course_number: '101' }],
  locations: [{ unique_identifier: 'UNILOC1003', name: 'Biology department', status: 'Active' }],
};

describe('a roster', () => {
  it('is read whole, as the checks take it', async () => {
    const { client } = await setting({ organisationType: 'edu', roster: school });
    const roster = await client.roster();
    expect(roster.people).toEqual([
      {
        id: 'UNIINSTID1003',
        name: 'Miss Will Smith',
        firstName: 'Miss',
        middleName: 'Will',
        lastName: 'Smith',
        managedAppleId: 'smith@example.com',
        personNumber: '6378376667',
        passcodeType: 'complex',
        source: 'CSV',
        sourceSystemId: 'INSTID1003',
        status: 'Active',
      },
      expect.objectContaining({ id: 'UNISTUDID1003', name: 'John Smith', grade: 'K', isFederated: true }),
    ]);
    expect(roster.classes).toEqual([
      {
        id: 'UNICLS1003',
        name: "Miss Smith's Biology 101",
        number: '1A',
        room: 'Hall 101',
        source: 'SIS',
        sourceSystemId: 'CLSBIO101',
        teacherIds: ['UNIINSTID1003'],
        studentIds: ['UNISTUDID1003', 'UNISTUDID1004'],
        courseId: 'UNICOURID1003',
        locationId: 'UNILOC1003',
      },
    ]);
    expect(roster.courses).toEqual([{ id: 'UNICOURID1003', name: 'Biology 101', number: '101' }]);
    expect(roster.locations).toEqual([{ id: 'UNILOC1003', name: 'Biology department', status: 'Active' }]);
    expect(rosterRoles(roster.classes).get('UNIINSTID1003')).toBe('teacher');
    expect(checkRoster(roster)).toMatchObject([{ code: 'ade.roster.member', id: 'UNICLS1003' }]);
  });

  it('comes in pages, then as changes, each person once; what is gone shows in the whole list', async () => {
    const persons = Array.from({ length: 5 }, (_, index) => ({
      unique_identifier: `p${index}`,
      name: `Person ${index}`,
    }));
    const { apple, client, clock } = await setting({ organisationType: 'edu', roster: { persons }, maxPage: 2 });
    const pages = await all(client.rosterPeople());
    expect(pages.map((page) => [page.phase, page.items.length, page.complete, page.restarted])).toEqual([
      ['fetch', 2, false, 'first'],
      ['fetch', 2, false, undefined],
      ['fetch', 1, true, undefined],
    ]);
    const before = await client.roster();
    const state = pages.at(-1)!.next;
    expect(await all(client.rosterPeople(state))).toMatchObject([{ phase: 'sync', items: [] }]);
    clock.move(60_000);
    apple.changeRoster({ persons: [{ unique_identifier: 'p1', name: 'Once' }] });
    clock.move(60_000);
    apple.changeRoster({ persons: [{ unique_identifier: 'p1', name: 'Twice' }] });
    apple.changeRoster({ persons: [{ unique_identifier: 'p9', name: 'New' }] });
    apple.removeFromRoster(['p3']);
    const changes = await all(client.rosterPeople(state));
    expect(changes.map((page) => page.items.map((person) => person.name))).toEqual([['Twice'], ['New']]);
    expect(changes[0]!.items[0]!.updated).toBe('2026-03-01T00:02:00Z');
    const after = await client.roster();
    expect(compareRosters(before, after).people).toEqual({ added: ['p9'], changed: ['p1'], removed: ['p3'] });
    expect(checkRoster(after)).toEqual([]);
    // A list goes on in its middle after a crash.
    expect((await all(client.rosterPeople(pages[0]!.next))).flatMap((page) => page.items.map(({ id }) => id))).toEqual([
      'p2',
      'p4',
      'p9',
    ]);
  });

  it('begins again where Apple does not take a cursor any more, and not with another list’s', async () => {
    const { apple, client, clock } = await setting({ organisationType: 'edu', roster: school });
    const [page] = await all(client.rosterClasses());
    clock.move(8 * 86_400_000);
    expect(await all(client.rosterClasses(page!.next))).toMatchObject([
      { phase: 'fetch', restarted: 'expired_cursor', complete: true },
    ]);
    const [course] = await all(client.rosterCourses());
    expect(await all(client.rosterLocations(course!.next))).toMatchObject([{ restarted: 'invalid_cursor' }]);
    apple.changeRoster({ locations: [{ unique_identifier: 'l2', name: 'Annexe' }] });
    const [location] = await all(client.rosterLocations());
    expect(location!.items.map((item) => item.name)).toEqual(['Biology department', 'Annexe']);
    apple.changeRoster({ courses: [{ unique_identifier: 'UNICOURID1003', name: 'Biology 102' }] });
    expect(await all(client.rosterCourses(course!.next))).toMatchObject([{ items: [{ name: 'Biology 102' }] }]);
  });

  it('with the flag as a text, as in Apple’s examples, and with records that say nothing', async () => {
    const { apple, client } = await setting({ organisationType: 'edu' });
    apple.respond(({ number }) =>
      Response.json({
        persons: [{ unique_identifier: `p${number}`, name: null }, { name: 'Nobody' }],
        cursor: `c${number}`,
        more_to_follow: number < 3 ? 'true' : 'false',
      }),
    );
    const pages = await all(client.rosterPeople());
    expect(pages.map((page) => [page.items, page.unusable, page.complete])).toEqual([
      [[{ id: 'p1', name: '', managedAppleId: '' }], 1, false],
      [[{ id: 'p2', name: '', managedAppleId: '' }], 1, false],
      [[{ id: 'p3', name: '', managedAppleId: '' }], 1, true],
    ]);
  });

  it('is not there for a business', async () => {
    const { client } = await setting({ roster: school });
    await expect(client.roster()).rejects.toMatchObject({ code: 'ade.enrolment.org_not_supported' });
  });
});
