// Rosters: roles, issues, differences, schedule; the checks before education is turned off and of an organisation.
import { describe, expect, it } from 'vitest';
import {
  checkOrganisation,
  checkRoster,
  compareRosters,
  educationPreflight,
  nextRosterSync,
  type Roster,
  rosterRoles,
} from '../src/index.ts';

const person = (id: string) => ({ id, name: `Person ${id}`, managedAppleId: `${id}@school.example` });
const roster: Roster = {
  people: ['t', 's', 'both', 'idle'].map(person),
  classes: [
    { id: 'history', name: 'History', teacherIds: ['t'], studentIds: ['s', 'both'], courseId: 'c1', locationId: 'l1' },
    { id: 'art', name: 'Art', teacherIds: ['both'], studentIds: ['s'] },
  ],
  courses: [{ id: 'c1', name: 'History 101' }],
  locations: [{ id: 'l1', name: 'Main' }],
};

describe('a roster', () => {
  it('tells roles by classes; who teaches is a teacher', () => {
    expect(rosterRoles(roster.classes)).toEqual(
      new Map([
        ['s', 'student'],
        ['both', 'teacher'],
        ['t', 'teacher'],
      ]),
    );
  });

  it('has issues by class and person', () => {
    expect(checkRoster(roster)).toMatchObject([{ code: 'ade.roster.both_roles', severity: 'warning', id: 'both' }]);
    const bad: Roster = {
      ...roster,
      people: [...roster.people, { ...person('twin'), managedAppleId: 'S@school.example' }],
      classes: [
        { id: 'empty', name: 'Empty', teacherIds: [], studentIds: [] },
        { id: 'ghosts', name: 'Ghosts', teacherIds: ['t'], studentIds: ['x', 'y'] },
      ],
    };
    expect(checkRoster(bad).map(({ code, id }) => `${code} ${id}`)).toEqual([
      'ade.roster.account twin',
      'ade.roster.no_teacher empty',
      'ade.roster.no_student empty',
      'ade.roster.member ghosts',
    ]);
  });

  it('is compared with another', () => {
    const none = { added: [], changed: [], removed: [] };
    expect(compareRosters(roster, structuredClone(roster))).toEqual({
      people: none,
      classes: none,
      courses: none,
      locations: none,
      roles: [],
    });
    const after: Roster = {
      people: [...roster.people.filter(({ id }) => id !== 'idle'), person('new')],
      classes: [
        { ...roster.classes[0]!, studentIds: ['both', 's'] },
        { ...roster.classes[1]!, teacherIds: ['t'], studentIds: ['s', 'new'] },
      ],
      courses: [{ id: 'c1', name: 'History 102' }],
      locations: [],
    };
    expect(compareRosters(roster, after)).toEqual({
      people: { added: ['new'], changed: [], removed: ['idle'] },
      classes: { added: [], changed: ['art'], removed: [] },
      courses: { added: [], changed: ['c1'], removed: [] },
      locations: { added: [], changed: [], removed: ['l1'] },
      roles: ['both', 'new'],
    });
  });

  it('is synchronised a day after the last scheduled time', () => {
    const [day, hour] = [86_400_000, 3_600_000];
    expect(nextRosterSync(0, 0)).toBe(day);
    expect(nextRosterSync(0, 5 * hour)).toBe(day);
    expect(nextRosterSync(0, day)).toBe(day);
    expect(nextRosterSync(0, 3 * day + hour)).toBe(4 * day);
  });
});

describe('turning education off', () => {
  it('waits for devices that are lost, not wiped or not retired', () => {
    const device = (id: string, lostMode: boolean, wiped: boolean, retired: boolean) => ({
      id,
      lostMode,
      wiped,
      retired,
    });
    expect(educationPreflight([device('a', false, true, true)])).toMatchObject({ ready: true });
    expect(
      educationPreflight([
        device('a', true, true, true),
        device('b', false, false, true),
        device('c', false, true, false),
      ]),
    ).toEqual({
      ready: false,
      inLostMode: ['a'],
      notWiped: ['b'],
      notRetired: ['c'],
    });
  });
});

describe('an organisation', () => {
  it('is checked by what is known of it', () => {
    expect(checkOrganisation({ manager: 'edu' })).toEqual([]);
    const found = (facts: Parameters<typeof checkOrganisation>[0]): string[] =>
      checkOrganisation(facts).map(({ severity, code, ids }) => `${severity} ${code} ${ids.join()}`);
    expect(
      found({
        manager: 'edu',
        anonymousProfiles: ['p'],
        userLicencedApps: ['app'],
        accountsWithBothRoles: ['x@school.example'],
        reusedDevices: [
          { id: 'ok', wiped: true, retired: true },
          { id: 'd', wiped: true, retired: false },
        ],
        managedAppleIdConfigurations: [
          { id: 'mail', limited: false },
          { id: 'cal', limited: true },
        ],
        licenceAccounts: Array.from({ length: 12 }, (_, index) => ({
          location: `l${index}`,
          managedElsewhere: index === 0,
        })),
      }),
    ).toEqual([
      'block ade.organisation.reuse d',
      'block ade.organisation.managed_apple_id mail',
      'advice ade.organisation.shared_location l0',
      'advice ade.organisation.licence_accounts l10,l11',
      'advice ade.organisation.anonymous p',
      'advice ade.organisation.user_licences app',
      'advice ade.organisation.both_roles x@school.example',
    ]);
    const licenceAccounts = [
      { location: 'west', orgName: ' example ltd' },
      { location: 'east', orgName: 'Other Ltd' },
      { location: 'unnamed' },
    ];
    expect(found({ manager: 'org', accountOrganisation: 'Example Ltd', licenceAccounts })).toEqual([
      'advice ade.organisation.other_organisation east',
    ]);
    expect(found({ manager: 'org', licenceAccounts })).toEqual([]);
    expect(found({ manager: 'org', licenceAccounts: [], anonymousProfiles: ['p'] })).toEqual([
      'advice ade.organisation.no_location -',
    ]);
  });
});
